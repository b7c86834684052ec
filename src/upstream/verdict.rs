//! May this answer be kept?
//!
//! An answer that is an error, cut short, withheld by a filter, or that a client could not use,
//! is passed on and never kept.

mod object;
mod reason;
mod rules;
mod stream;
#[cfg(test)]
mod tests;

use std::time::Duration;

use anteroom_actors::model::{Lifetimes, Usage, Verdict};

pub use reason::Reason;

use super::policy::AnswerPolicy;
use crate::canonical::Profile;

/// A whole answer and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The API it came from.
    pub profile: Profile,
    /// Whether a stream of events was asked for.
    pub streamed: bool,
    /// Status code.
    pub status: u16,
    /// Value of `content-type`.
    pub content_type: Option<&'a str>,
    /// Value of `content-encoding`.
    pub content_encoding: Option<&'a str>,
    /// The body, as received.
    pub body: &'a [u8],
    /// How long it may be served, if it is kept.
    pub lifetimes: Lifetimes,
    /// What the route says of its answers.
    pub policy: Option<&'a AnswerPolicy>,
}

/// Decides over a whole answer.
///
/// Rule: status 200 (generic: also 203), no content encoding, then what the API says of a
/// complete answer; `stream` and `object` have it. The route's policy may keep other statuses, and may
/// refuse answers. The body's end is the caller's to check: a body that the protocol cut does not
/// come here.
pub fn verdict(judged: &Judged<'_>) -> Verdict {
    let negative = judged.policy.and_then(|policy| policy.negative(judged.status));
    let found = match negative {
        Some(lifetime) => {
            let lifetime = lifetime.min(judged.lifetimes.lifetime);
            check_encoding(judged).map(|()| (Lifetimes { lifetime, ..Lifetimes::default() }, None))
        }
        None => examine(judged).map(|usage| (judged.lifetimes, usage)),
    };
    match found.and_then(|kept| check_policy(judged).map(|()| kept)) {
        Ok((lifetimes, usage)) => Verdict::Keep { lifetimes, usage, age: Duration::ZERO },
        Err(reason) => Verdict::Discard(reason.label()),
    }
}

fn check_policy(judged: &Judged<'_>) -> Result<(), Reason> {
    let Some(policy) = judged.policy else { return Ok(()) };
    if policy.is_too_large(judged.body) {
        return Err(Reason::TooLarge);
    }
    let is_stream = MediaType::of(judged.content_type) == MediaType::EventStream;
    if policy.rejects(judged.profile, is_stream, judged.body) {
        return Err(Reason::Rejected);
    }
    Ok(())
}

/// An encoded answer is as nobody asked for it, and cannot be looked into.
fn check_encoding(judged: &Judged<'_>) -> Result<(), Reason> {
    let is_plain = |encoding: &str| encoding.trim().eq_ignore_ascii_case("identity");
    if judged.content_encoding.is_none_or(is_plain) { Ok(()) } else { Err(Reason::Encoding) }
}

fn examine(judged: &Judged<'_>) -> Result<Option<Usage>, Reason> {
    let Judged { profile, streamed, status, content_type, body, .. } = *judged;
    let is_generic = profile == Profile::Generic;
    if !(status == 200 || is_generic && status == 203) {
        return Err(Reason::Status);
    }
    check_encoding(judged)?;
    let media_type = MediaType::of(content_type);
    match (media_type, profile) {
        (MediaType::EventStream, Profile::Generic) => stream::judge(profile, body),
        (MediaType::EventStream, _) if !streamed => Err(Reason::Form),
        (MediaType::EventStream, _) => stream::judge(profile, body),
        (MediaType::Other, Profile::Generic | Profile::Models) => Ok(None),
        _ => object::judge(profile, body),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MediaType {
    EventStream,
    Json,
    Other,
}

impl MediaType {
    fn of(content_type: Option<&str>) -> Self {
        let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default();
        let essence = essence.trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/event-stream" => Self::EventStream,
            "application/json" | "text/json" => Self::Json,
            _ if essence.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}
