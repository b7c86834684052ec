//! HTTP caching as plain deciders: RFC 9111, RFC 5861, and what they need of RFC 9110 (validators
//! §8.8, conditional requests §13, dates §5.6.7, HEAD §9.3.2).
//!
//! No HTTP library, no clock, no store: statuses are numbers, fields are [`Fields`] (names in lower
//! case), times are wall milliseconds that come in. Every cached route uses [`RequestDirectives`],
//! [`Life`] and [`Standing`]; GET routes use all of it, as a [`Sharing::Private`] cache, one a
//! credential, or as a [`Sharing::Shared`] one.
//!
//! # The steps of a GET route
//!
//! 1. [`RequestDirectives::parse`], then [`Way::of`]: look up, pass, write through, or 504.
//! 2. Look up: the target's [`Vary`] (the latest, by [`Vary::followed_by`]) gives the request's
//!    [`Selection`]; target and selection key the answer. None there: 504 with `only-if-cached`,
//!    else ask the origin without the client's own conditions ([`is_precondition`]).
//! 3. There: [`Standing::of`]. Fresh, or stale and servable: step 7, and refresh behind the
//!    caller's back where it is [`StaleUse::WhileRevalidate`]. Must be validated: step 4.
//! 4. Validate: ask the origin with [`conditions`] in place of the client's. It fails
//!    ([`is_failure`], or no answer): [`stand_in`] or the failure. 304: step 5. Any other answer is
//!    the client's, and the stored one goes; step 6. To a HEAD, [`HeadEffect`] decides.
//! 5. 304: [`is_identified`]; if not, remove the stored answer and ask without conditions. If so,
//!    [`freshened_fields`], and [`Storing::decide`] over them with the stored status: keep or
//!    remove, or leave what is stored as it was for a request with `no-store`; step 7.
//! 6. A new answer: [`Storing::decide`]; [`kept_fields`] with its [`Life`] and selection are kept,
//!    the client gets all fields. Kept: step 7 decides whether the client has it already.
//! 7. Send: [`answer_to`]; 304 with [`fields_of_304`], or the stored answer, without content for a
//!    HEAD; in both cases with `Age: ` [`Life::age_s`].
//! 8. Written through: each of [`invalidated`] loses its answers, or keeps them
//!    [`Life::invalidated`].
//!
//! # Every MUST of RFC 9111 §3 to §5 that binds a cache
//!
//! The last column names the tests, which a test of its own looks for, or says why there is none.
//!
//! | section | demand | proof |
//! |---|---|---|
//! | §3 | keep answers to understood methods only | `only_answers_to_get_are_kept` |
//! | §3 | keep final answers only | `only_final_and_whole_answers_are_kept` |
//! | §3 | keep 206, 304 and `must-understand` only where understood | `only_final_and_whole_answers_are_kept`, `must_understand_decides_by_the_status` |
//! | §3 | keep nothing with `no-store` | `an_answer_with_no_store_is_not_kept` |
//! | §3 | shared: keep nothing `private` | `a_private_answer_is_kept_by_a_private_cache_only` |
//! | §3 | shared: keep no answer to Authorization without leave | `an_answer_to_a_credential_is_shared_by_leave_only` |
//! | §3 | keep only what something allows | `something_must_allow_an_answer_to_be_kept` |
//! | §3.1 | keep all fields, unknown ones too; left out on purpose are cookies, and the age, which is written anew | `all_fields_are_kept_unknown_ones_too`, `ages_and_cookies_are_not_kept` |
//! | §3.1 | keep no fields of the connection | `fields_of_the_connection_are_not_kept`, `connection_and_what_it_names_go_no_further` |
//! | §3.1 | keep no fields of a proxy | `fields_of_a_proxy_are_not_kept` |
//! | §3.1 | do not mix trailers with fields | Cannot occur: the upstream client drops trailers, none gets here. |
//! | §3.2 | an update replaces each field it brings | `a_304_replaces_all_stored_fields_of_its_names`, `no_name_has_old_and_new_values` |
//! | §3.2 | an update brings in nothing excepted, and not how bytes are read | `a_304_brings_in_nothing_that_is_not_kept`, `a_304_does_not_change_how_the_stored_bytes_are_read` |
//! | §3.3 | keep nothing partial or incomplete without ranges | `parts_are_passed_and_never_kept`, `a_content_range_makes_any_answer_partial` |
//! | §3.3 | answer nothing from an incomplete answer | Cannot occur: a cut body is a failed call and is never kept. |
//! | §3.3 | send no part without 206 | Cannot occur: parts come from the origin only, with its status. |
//! | §3.4 | update fields when parts are combined | Cannot occur: no parts are kept, so none are combined. |
//! | §3.5 | shared: use no answer to Authorization without leave | `answers_to_a_credential_are_shared_by_leave_only`, `three_directives_allow_sharing_of_answers_to_credentials` |
//! | §4 | use an answer for its own target only | `another_target_has_another_answer` |
//! | §4 | use it for a method it allows only | `a_head_is_answered_from_a_stored_get_and_never_becomes_one`, `only_a_plain_get_or_head_is_looked_up` |
//! | §4 | use it where its selecting fields match only | `answers_are_selected_by_what_their_vary_names` |
//! | §4 | validate an answer with `no-cache` | `an_answer_with_no_cache_is_validated_at_each_use` |
//! | §4 | use it fresh, stale by leave, or validated only | `a_fresh_answer_is_served_and_a_stale_one_validated` |
//! | §4 | say its age in place of any it came with | `a_fresh_answer_is_reused_with_its_age_until_it_is_stale` |
//! | §4 | write unsafe methods through | `an_unsafe_method_is_never_answered_from_the_store`, `unsafe_methods_are_written_through` |
//! | §4 | of several answers use the most recent | `a_full_answer_to_a_validation_takes_the_stored_ones_place` |
//! | §4 | without a clock validate each use | Cannot occur: the time comes in with each question, there is a clock. |
//! | §4.1 | use no answer whose nominated fields do not match | `all_nominated_fields_must_match`, `fields_match_after_the_allowed_transformations_only`, `selections_by_different_names_differ` |
//! | §4.1 | absent matches absent only, `*` nothing | `an_absent_field_matches_an_absent_one_only`, `a_star_never_matches` |
//! | §4.2 | take Expires for no later than it is | `expires_is_kept_to_the_second_it_names` |
//! | §4.2 | let no time zone influence a time | `what_is_no_date_is_none` |
//! | §4.2.2 | guess nothing where a lifetime is given | `nothing_is_guessed_where_it_is_not_allowed` |
//! | §4.2.3 | count Age from the time of the request | `the_initial_age_is_the_larger_of_both_ways` |
//! | §4.2.4 | use nothing stale against a directive | `a_prohibition_wins_over_every_permission`, `an_answer_with_no_cache_is_never_used_unasked` |
//! | §4.2.4 | use nothing stale without leave | `nobodys_leave_is_no_leave` |
//! | §4.3.1 | send the stored entity tag | `a_validation_sends_the_tag_and_the_date_of_the_stored_answer` |
//! | §4.3.2 | evaluate no condition meant for an origin | `conditions_for_an_origin_are_not_evaluated` |
//! | §4.3.2 | evaluate none where no stored answer will do | `no_condition_is_evaluated_without_a_stored_answer`, `only_a_stored_200_is_compared` |
//! | §4.3.2 | add no tag of a part to a client's list | Cannot occur: lists are not joined, and no parts are kept. |
//! | §4.3.2 | send 200 where the 304's tag is not the client's | `after_a_304_a_client_with_another_tag_gets_the_whole_answer` |
//! | §4.3.3 | use the full answer to a validation | `a_full_answer_to_a_validation_takes_the_stored_ones_place` |
//! | §4.3.4 | update nothing by another strong tag | `a_304_updates_only_what_it_identifies`, `a_304_for_another_answer_updates_nothing` |
//! | §4.3.4 | update what a 304 identifies | `a_304_makes_a_stale_answer_fresh_again` |
//! | §4.3.5 | update by the fields of a HEAD | `a_head_updates_or_ends_a_stored_get` |
//! | §4.4 | invalidate the target of an unsafe method | `a_non_error_answer_to_an_unsafe_method_invalidates_the_target`, `an_unsafe_method_invalidates_what_is_stored` |
//! | §4.4 | invalidate nothing of another origin | `nothing_of_another_origin_is_invalidated` |
//! | §5.2 | pass directives on | `all_fields_are_kept_unknown_ones_too` |
//! | §5.2.1.5 | keep no answer to a request with `no-store` | `the_answer_to_a_request_with_no_store_is_not_kept` |
//! | §5.2.1 | generate no quoted seconds | Cannot occur: the gateway generates no directives of its own. |
//! | §5.2.2 | obey the directives | `each_response_directive_is_read` |
//! | §5.2.2.2 | use nothing stale with `must-revalidate`, but answer by an error | `must_revalidate_is_obeyed_by_every_cache_in_every_case`, `a_stale_answer_stands_in_for_a_failed_origin` |
//! | §5.2.2.4 | use nothing with `no-cache` unasked | `an_answer_with_no_cache_is_never_used_unasked` |
//! | §5.2.2.5 | keep and use nothing with `no-store` | `an_answer_with_no_store_is_not_kept`, `private_answers_are_reused_in_private_only` |
//! | §5.2.2.6 | transform no content with `no-transform` | Elsewhere: it is read here, and obeyed by those who shape and compress. |
//! | §5.2.2.7 | shared: keep nothing `private`, nor the fields it names | `fields_that_directives_name_are_not_kept`, `fields_that_directives_name_are_left_out_of_later_answers` |
//! | §5.2.2.8 | shared: use nothing stale with `proxy-revalidate` | `proxy_revalidate_is_obeyed_by_a_shared_cache` |
//! | §5.2.2.10 | shared: use nothing stale with `s-maxage` | `s_maxage_forbids_stale_use_in_a_shared_cache` |
//! | §5.2.3 | ignore unknown directives | `an_unknown_response_directive_is_ignored`, `an_unknown_request_directive_is_ignored` |
//! | §5.3 | take an invalid Expires for the past | `an_invalid_expires_is_in_the_past` |
//! | §5.3 | ignore Expires beside `max-age` and `s-maxage` | `expires_is_ignored_where_there_is_max_age` |
//!
//! Of §1.2.2: seconds too many to represent are 2^31 (`seconds_are_digits_and_too_many_are_forever`).

mod cache_control;
mod date;
mod fields;
mod freshness;
mod hop_by_hop;
mod invalidation;
mod presented;
mod range;
mod sharing;
mod status;
mod storing;
#[cfg(test)]
mod tests;
mod validation;
mod vary;

pub use cache_control::{RequestDirectives, ResponseDirectives, Restriction};
pub use date::{format_http_date, format_rfc3339, parse_http_date, parse_rfc3339};
pub use fields::{FOREVER_S, Field, Fields};
pub use freshness::{
    Cause, Exchange, Heuristic, Life, Lifetime, LifetimeSource, Rules, StaleUse, StaleWindows,
    Standing, initial_age_ms, stand_in,
};
pub use hop_by_hop::{HopByHop, is_hop_by_hop};
pub use invalidation::invalidated;
pub use presented::{Way, is_unsafe};
pub use range::{asks_for_part, is_partial};
pub use sharing::Sharing;
pub use status::{is_failure, is_heuristically_cacheable, is_non_error, is_understood};
pub use storing::{Candidate, KeptField, Storing, kept_fields};
pub use validation::{
    Answer, Chosen, EntityTag, HeadEffect, Validators, answer_to, conditions, fields_of_304,
    freshened_fields, is_identified, is_precondition,
};
pub use vary::{Selection, Vary};
