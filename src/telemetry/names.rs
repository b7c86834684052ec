//! The one table of names: metrics, and the counters of `/health/actors`. Code, documents and tests
//! read it.

/// What kind of metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes either way.
    Gauge,
    /// Counts of durations by upper bound, in seconds.
    Histogram,
}

/// A metric.
#[derive(Debug, Clone, Copy)]
pub struct MetricName {
    /// Full name.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Labels, in order.
    pub labels: &'static [&'static str],
    /// Help text: what one increment means.
    pub help: &'static str,
}

const fn counter(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricName {
    MetricName { name, kind: Kind::Counter, labels, help }
}

const fn gauge(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricName {
    MetricName { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(
    name: &'static str,
    labels: &'static [&'static str],
    help: &'static str,
) -> MetricName {
    MetricName { name, kind: Kind::Histogram, labels, help }
}

/// Which version runs.
pub const BUILD_INFO: MetricName =
    gauge("anteroom_build_info", &["version"], "1 for the version that runs.");

/// Requests by route and outcome.
pub const REQUESTS: MetricName = counter(
    "anteroom_requests_total",
    &["route", "outcome"],
    "One for each answered request. Outcomes: hit_l1, hit_l2, hit_l3, miss (led an upstream call), \
     coalesced (joined one), bypass (past the cache), error (an error of the gateway's own), stale \
     (a kept answer past its lifetime). A \
     request that waited in a flight and got its answer from a level is a hit of that level.",
);

/// Time to an answer's head.
pub const REQUEST_SECONDS: MetricName = histogram(
    "anteroom_request_duration_seconds",
    &["route", "outcome"],
    "From a request's arrival to its answer's head; a whole answer where it is not streamed.",
);

/// Bytes of answers' bodies as they left.
pub const RESPONSE_BYTES: MetricName = counter(
    "anteroom_response_bytes_total",
    &["route", "encoding"],
    "One for each byte of an answer's body as it was sent; hits, misses and coalesced answers of \
     cached routes. Encodings: identity, gzip, br. Answers past the cache and errors of the \
     gateway's own do not count.",
);

/// The same before they were encoded.
pub const ORIGINAL_BYTES: MetricName = counter(
    "anteroom_response_original_bytes_total",
    &["route", "encoding"],
    "One for each byte of the same bodies before they were encoded: what is less in \
     anteroom_response_bytes_total was spared.",
);

/// Bytes of whole JSON answers as they came.
pub const PAYLOAD_ORIGINAL_BYTES: MetricName = counter(
    "anteroom_payload_original_bytes_total",
    &[],
    "One for each byte of a whole answer of an upstream as it came, of those from which white space, \
     nulls or what is sensitive is taken out. Streams and answers past the cache do not count.",
);

/// The same as they were kept.
pub const PAYLOAD_BYTES: MetricName = counter(
    "anteroom_payload_bytes_total",
    &[],
    "One for each byte of the same answers as they were kept and sent on: what is less than in \
     anteroom_payload_original_bytes_total was spared.",
);

/// Time to the upstream's head.
pub const UPSTREAM_SECONDS: MetricName = histogram(
    "anteroom_upstream_duration_seconds",
    &["route"],
    "From the start of an upstream call to its answer's head; one for each call a request led.",
);

/// Failed upstream calls.
pub const UPSTREAM_ERRORS: MetricName = counter(
    "anteroom_upstream_errors_total",
    &["route", "error"],
    "One for each upstream call that brought no whole answer's head: connect, no_answer, \
     timed_out, cut, too_large, abandoned, internal, breaker_open and overloaded (it was not made). \
     A call that was repeated counts once, by its last try. Error statuses of the provider are answers.",
);

/// Requests sent again.
pub const UPSTREAM_RETRIES: MetricName = counter(
    "anteroom_upstream_retries_total",
    &["upstream"],
    "One for each time a request was sent to an upstream again after a try that failed.",
);

/// An upstream's breaker.
pub const UPSTREAM_BREAKER: MetricName = gauge(
    "anteroom_upstream_breaker_open",
    &["upstream"],
    "1 while an upstream that keeps failing is left alone, until a call that tried it out was \
     answered; otherwise 0.",
);

/// Most calls of an upstream at once.
pub const UPSTREAM_LIMIT: MetricName = gauge(
    "anteroom_upstream_calls_limit",
    &["upstream"],
    "Most calls that an upstream gets at once now; the scaler changes it between limit.least and \
     limit.most.",
);

/// Calls of an upstream under way.
pub const UPSTREAM_CALLS: MetricName = gauge(
    "anteroom_upstream_calls",
    &["upstream"],
    "Calls of an upstream under way, each to the end of its answer.",
);

/// Calls that wait for their turn.
pub const UPSTREAM_WAITING: MetricName = gauge(
    "anteroom_upstream_calls_waiting",
    &["upstream", "caller"],
    "Calls that wait until an upstream has fewer under way. Callers: user, and background (warming, \
     refreshes), whose turn is after all users'.",
);

/// Calls that were not made.
pub const UPSTREAM_REFUSED: MetricName = counter(
    "anteroom_upstream_calls_refused_total",
    &["upstream", "reason"],
    "One for each call that was not made, for the upstream had as many as it takes. Reasons: full (so \
     did its queue), late (its turn did not come within limit.wait).",
);

/// How many gateways are wanted.
pub const WANTED_REPLICAS: MetricName = gauge(
    "anteroom_scaler_wanted_replicas",
    &[],
    "How many gateways the load of this one wants, in fractions: the largest of \
     anteroom_scaler_saturation over scaler.replica_target, the most of the last \
     scaler.replica_down_after. The sum over a fleet, rounded up, is the number of replicas it wants. \
     Absent where the scaler is off.",
);

/// What is in use.
pub const SATURATION: MetricName = gauge(
    "anteroom_scaler_saturation",
    &["resource"],
    "The part of a resource that is in use, over the last looks: requests (of server.max_in_flight), \
     workers (busy time), memory (of what requests may hold), calls (of what upstreams take, those \
     that wait too; 0 for an upstream whose limit was lowered).",
);

/// Answers not kept.
pub const DISCARDS: MetricName = counter(
    "anteroom_discards_total",
    &["route", "reason"],
    "One for each whole answer that was passed on and not kept, by reason. Streamed answers are \
     judged after their head has left and are not counted here.",
);

/// Time of a lookup.
pub const LOOKUP_SECONDS: MetricName = histogram(
    "anteroom_level_lookup_duration_seconds",
    &["level"],
    "Time a request spent on asking a level, whatever came of it; for a hit of L1 the whole request. \
     Hits that an HTTP thread answers from its lease ask no level.",
);

/// Samples lost.
pub const SAMPLES_DROPPED: MetricName = counter(
    "anteroom_samples_dropped_total",
    &[],
    "One for each answered request that is missing from the metrics of requests, because the \
     recorder was behind.",
);

/// Lines of the access log that were lost.
pub const ACCESS_LINES_LOST: MetricName = counter(
    "anteroom_access_log_lost_total",
    &[],
    "One for each line of the access log that was not written, because its reader is slow or gone.",
);

/// Spans to be sent.
pub const SPANS: MetricName = counter(
    "anteroom_spans_total",
    &[],
    "One for each span that ended and is to be sent to the collector of traces.",
);

/// Spans that were sent.
pub const SPANS_SENT: MetricName = counter(
    "anteroom_spans_sent_total",
    &[],
    "One for each span that the collector of traces took. What is missing to anteroom_spans_total \
     waits, for two seconds at most, or is lost.",
);

/// Handlers that panicked.
pub const HANDLER_PANICS: MetricName = counter(
    "anteroom_handler_panics_total",
    &[],
    "One for each request on the API listener that was answered 500 because its handler panicked: a bug.",
);

/// Reloads of the settings.
pub const CONFIG_RELOADS: MetricName = counter(
    "anteroom_config_reloads_total",
    &["outcome"],
    "One for each time the settings were read anew. Outcomes: applied, unchanged, needs_restart (right, \
     but nothing of it can change before), refused (they cannot be used; those in force stayed).",
);

/// Settings that wait for a restart.
pub const CONFIG_NEEDS_RESTART: MetricName = gauge(
    "anteroom_config_needs_restart",
    &[],
    "Keys of the settings that were changed and wait for a restart.",
);

/// An actor's own counters that only grow.
pub const ACTOR_EVENTS: MetricName = counter(
    "anteroom_actor_events_total",
    &["actor", "event"],
    "An actor's own counters; /health/actors shows the same numbers, and src/telemetry/names.rs \
     says what each means. They start again at 0 with a re-created actor.",
);

/// An actor's own values that go either way.
pub const ACTOR_VALUES: MetricName = gauge(
    "anteroom_actor_values",
    &["actor", "value"],
    "An actor's own present values: entries, bytes, flights, orphans, and the like.",
);

/// An actor's state.
pub const ACTOR_STATE: MetricName = gauge(
    "anteroom_actor_state",
    &["actor", "state"],
    "1 for the state an actor is in, 0 for the others: running, degraded, restarting, disabled.",
);

/// An actor's pending work.
pub const ACTOR_PENDING: MetricName = gauge(
    "anteroom_actor_pending",
    &["actor"],
    "Asks that wait for an actor's answer, and work it has accepted and not finished.",
);

/// An actor's restarts.
pub const ACTOR_RESTARTS: MetricName = counter(
    "anteroom_actor_restarts_total",
    &["actor"],
    "One for each time the sentinel re-created an actor.",
);

/// Requests waiting.
pub const WAITING: MetricName = gauge(
    "anteroom_requests_waiting",
    &[],
    "Requests that wait for a level or an upstream now; bounded by server.max_in_flight.",
);

/// Requests by client key.
pub const CLIENT_REQUESTS: MetricName = counter(
    "anteroom_client_requests_total",
    &["key", "outcome"],
    "Where auth.keys are set, one for each request on the API listener by the name of its key. \
     Outcomes: admitted, limited (429: too many requests or, once admitted, too many tokens), \
     refused (401: no key or a wrong one; the label is empty).",
);

/// Tokens by client key.
pub const CLIENT_TOKENS: MetricName = counter(
    "anteroom_client_tokens_total",
    &["key"],
    "Tokens of upstream calls that were made for a key with tokens_per_minute: as the answer says, \
     or as estimated where it does not.",
);

/// Calls that were not made.
pub const SAVED_CALLS: MetricName = counter(
    "anteroom_saved_calls_total",
    &["route", "model"],
    "One for each request that was answered without an upstream call of its own: hits, stale answers \
     and coalesced requests. The model is other for all beyond the first 100 pairs of route and model, \
     and for names longer than 128 bytes; /api/v1/savings has 1000.",
);

/// Tokens that were not charged.
pub const SAVED_TOKENS: MetricName = counter(
    "anteroom_saved_tokens_total",
    &["route", "model", "direction"],
    "Tokens that answers without a call of their own had cost when they were made, as far as the \
     provider said so. Directions: input (of requests), output (of answers).",
);

/// Time that was not waited.
pub const SAVED_SECONDS: MetricName = counter(
    "anteroom_saved_seconds_total",
    &["route", "model"],
    "How long the upstream calls that were not made would have taken, going by those that were.",
);

/// Money that was not charged.
pub const SAVED_MONEY: MetricName = counter(
    "anteroom_saved_money_total",
    &["route", "model", "currency"],
    "What saved tokens would have cost by prices.models, in units of prices.currency.",
);

/// Money that was charged.
pub const SPENT_MONEY: MetricName = counter(
    "anteroom_spent_money_total",
    &["route", "model", "currency"],
    "What upstream calls have cost by prices.models, in units of prices.currency: misses, bypasses, \
     refreshes and finished calls whose callers had left. A hit costs nothing.",
);

/// Every metric of ours.
pub const METRICS: &[MetricName] = &[
    BUILD_INFO,
    REQUESTS,
    REQUEST_SECONDS,
    RESPONSE_BYTES,
    ORIGINAL_BYTES,
    PAYLOAD_ORIGINAL_BYTES,
    PAYLOAD_BYTES,
    UPSTREAM_SECONDS,
    UPSTREAM_ERRORS,
    UPSTREAM_RETRIES,
    UPSTREAM_BREAKER,
    UPSTREAM_LIMIT,
    UPSTREAM_CALLS,
    UPSTREAM_WAITING,
    UPSTREAM_REFUSED,
    WANTED_REPLICAS,
    SATURATION,
    DISCARDS,
    LOOKUP_SECONDS,
    SAMPLES_DROPPED,
    ACCESS_LINES_LOST,
    SPANS,
    SPANS_SENT,
    HANDLER_PANICS,
    CONFIG_RELOADS,
    CONFIG_NEEDS_RESTART,
    ACTOR_EVENTS,
    ACTOR_VALUES,
    ACTOR_STATE,
    ACTOR_PENDING,
    ACTOR_RESTARTS,
    WAITING,
    CLIENT_REQUESTS,
    CLIENT_TOKENS,
    SAVED_CALLS,
    SAVED_TOKENS,
    SAVED_SECONDS,
    SAVED_MONEY,
    SPENT_MONEY,
];

/// One of an actor's own numbers: a member of `counters` in `/health/actors`, and a series of
/// [`ACTOR_EVENTS`] or [`ACTOR_VALUES`].
#[derive(Debug, Clone, Copy)]
pub struct ActorNumber {
    /// Its name.
    pub name: &'static str,
    /// [`Kind::Counter`] or [`Kind::Gauge`].
    pub kind: Kind,
    /// The actors that have it; `fetch` stands for `fetch-0`, `fetch-1`, ….
    pub actors: &'static [&'static str],
    /// What one increment, or the value, means.
    pub help: &'static str,
}

const fn event(
    name: &'static str,
    actors: &'static [&'static str],
    help: &'static str,
) -> ActorNumber {
    ActorNumber { name, kind: Kind::Counter, actors, help }
}

const fn value(
    name: &'static str,
    actors: &'static [&'static str],
    help: &'static str,
) -> ActorNumber {
    ActorNumber { name, kind: Kind::Gauge, actors, help }
}

/// Every number of every actor.
pub const ACTOR_NUMBERS: &[ActorNumber] = &[
    event("lookups", &["l1", "l2", "l3"], "a key was asked for; hit, miss, error or skipped"),
    event("hits", &["l1", "l2", "l3"], "a lookup found a fresh entry"),
    event("misses", &["l1", "l2", "l3"], "a lookup found none"),
    event(
        "touches",
        &["l1"],
        "a hit that an HTTP thread answered from its lease, without a lookup",
    ),
    event("errors", &["l2", "l3"], "a lookup failed: time-out, connection, the server's refusal"),
    event("skipped", &["l2", "l3"], "a lookup was not tried: the breaker is open"),
    event("inserts", &["l1"], "an entry was offered"),
    event("inserts", &["l2", "l3"], "an entry was written"),
    event(
        "insert_refusals",
        &["l1", "l2", "l3"],
        "an entry was not taken: too large, stale, or (L1) less wanted than what it would displace",
    ),
    event("insert_drops", &["l2", "l3"], "a write was dropped: server away or a queue full"),
    event("damaged", &["l2", "l3"], "a stored record was not what was written, and was removed"),
    event("evictions", &["l1", "l3"], "an entry left to make room"),
    event("evictions", &["models"], "a local model was unloaded for another one or under pressure"),
    event("evictions", &["conversations"], "a conversation left memory for room or under pressure"),
    event(
        "expired",
        &["l1", "l3", "conversations"],
        "an entry or a conversation left because its time was over",
    ),
    event("idled", &["l1"], "a large entry left that nobody had asked for: L2 or L3 has it"),
    event("purged", &["l1", "l2", "l3"], "an entry was not served, or not taken: it was purged"),
    event("erased", &["l3"], "a row was removed behind, because it had been purged"),
    event("applied", &["purging"], "a purge was made here"),
    event(
        "heard",
        &["purging"],
        "a purge made by another gateway, or before the start, was heard of",
    ),
    value("unrecorded", &["purging"], "purges that L2 or L3 has not recorded yet"),
    value("labels", &["purging"], "purged names, keys and so on that are told apart"),
    event("breaker_opened", &["l2", "l3"], "the level was left out because its server failed"),
    value("entries", &["l1", "l3"], "entries held"),
    value("bytes", &["l1", "l3"], "bytes held; L1 counts headers and overhead, L3 records"),
    value("bytes", &["models"], "bytes of local models, as the allocator has them"),
    value("bytes", &["conversations"], "bytes of conversations in memory, overhead included"),
    value("max_bytes", &["l1"], "most bytes held, as the scaler wants it"),
    value(
        "window_bytes",
        &["l1"],
        "weight of entries that came in of late, in the order of use; here and in the next two an \
         entry weighs at least max_bytes / max_entries",
    ),
    value("main_bytes", &["l1"], "weight of entries kept for how often they are asked for"),
    value("warm_bytes", &["l1"], "weight of warmed entries that nobody has asked for yet"),
    value("window_permille", &["l1"], "the window's share of the room, as traffic has it"),
    value("connections", &["l2"], "live connections"),
    value("writes_in_flight", &["l2"], "writes without a reply yet"),
    value("pending_writes", &["l3"], "entries taken and not yet committed"),
    value("pending_bytes", &["l3"], "their bytes"),
    event("recalls", &["conversations"], "a turn of a conversation was asked for"),
    event("appends", &["conversations"], "a turn was given to be written"),
    event("forgets", &["conversations"], "a caller removed a conversation, or tried to"),
    event("turns_written", &["conversations"], "a turn was committed"),
    event("commits", &["conversations"], "a transaction with one or more turns was committed"),
    event("loads", &["models"], "a local model was loaded"),
    event("load_failures", &["models"], "one could not be loaded"),
    value("loaded", &["models"], "local models in memory"),
    value("load_ms", &["models"], "how long the last load took"),
    value("turns_under_way", &["conversations"], "conversations with a turn under way"),
    event(
        "memory_hits",
        &["conversations"],
        "the messages of a conversation were in memory as the database has them, and were not read",
    ),
    value("in_memory", &["conversations"], "conversations whose latest messages are in memory"),
    value(
        "hanging_threads",
        &["l3", "conversations"],
        "database threads given up because a call did not return",
    ),
    value("resident_bytes", &["memory"], "bytes of the process that lie in memory (RSS)"),
    value("virtual_bytes", &["memory"], "bytes of address space (VMS)"),
    value("limit_bytes", &["memory"], "memory.threshold, or the control group's limit if lower"),
    value("used_permille", &["memory"], "resident_bytes in thousandths of limit_bytes"),
    value("peak_bytes", &["memory"], "largest resident_bytes of the last hour"),
    value("pressure", &["memory"], "0 nominal, 1 elevated (from 800 permille), 2 critical (950)"),
    value("budget_bytes", &["memory"], "bytes that requests and answers under way may hold"),
    value("reserved_bytes", &["memory"], "bytes reserved for them now"),
    value("reserved_peak_bytes", &["memory"], "most bytes ever reserved for them"),
    value("reservations_waiting", &["memory"], "requests that wait for bytes now"),
    event("reservations_waited", &["memory"], "a request had to wait for bytes"),
    event("reservations_refused", &["memory"], "a request did not get its bytes in time: 503"),
    event("readings", &["memory"], "memory was read"),
    event("unreadable", &["memory"], "the system did not say how much memory there is"),
    event("pressure_changes", &["memory"], "pressure became another"),
    event(
        "pressure_untold",
        &["memory"],
        "an actor could not be told of a change: dead, or behind",
    ),
    event(
        "cleanings",
        &["memory"],
        "a round of cleaning ended: under pressure, and every ten seconds",
    ),
    event("asked_bytes", &["memory"], "bytes that rounds of cleaning were to free"),
    event("freed_bytes", &["memory"], "bytes that caches then let go of"),
    event("returned_bytes", &["memory"], "bytes by which resident_bytes had fallen after it"),
    value("flights", &["resolver"], "flights under way that can be joined"),
    event("led", &["resolver"], "a request started a flight"),
    event("joined", &["resolver"], "a request joined a flight"),
    event("alone", &["resolver"], "a request started a flight that nobody may join"),
    event("refreshes", &["resolver"], "a stale answer was served and a new one fetched behind"),
    event("warmings", &["resolver"], "an answer was fetched before anybody asked for it"),
    event("promotions", &["resolver"], "an answer was brought to L1 before anybody asked for it"),
    event("claims_waited", &["resolver"], "a flight waited for another gateway's call"),
    event(
        "claims_taken_over",
        &["resolver"],
        "a flight that had waited claimed the call itself: the other gateway died, say",
    ),
    value("origin_limit", &["resolver"], "most calls at once of all upstreams that have a limit"),
    value("origin_under_way", &["resolver"], "calls of them under way"),
    value("origin_waiting", &["resolver"], "calls that wait for their turn"),
    event("origin_waits", &["resolver"], "a call had to wait for its turn"),
    event("origin_refused", &["resolver"], "a call's turn did not come: 503"),
    event(
        "calls",
        &["fetch"],
        "an origin was asked; its own repeats do not count, refusals by its breaker do",
    ),
    event("failures", &["fetch"], "a call brought no whole answer"),
    event("fallbacks", &["fetch"], "a stale answer was served in place of the origin's failure"),
    event("kept", &["fetch"], "a whole answer was judged fit and given to the levels"),
    value("orphans", &["fetch"], "calls that go on although everybody has left"),
    event("accesses", &["scaler"], "a request was learned from"),
    event(
        "accesses_skipped",
        &["scaler"],
        "one was not, for there were too many; they count as hits at any size",
    ),
    value("curve_requests", &["scaler"], "requests of the sample that the present curve rests on"),
    value("curve_entries", &["scaler"], "entries that the scaled-down copies of L1 hold"),
    event(
        "decisions",
        &["scaler"],
        "another size of L1, number of calls at once or share of warming was decided on, done or advised",
    ),
    event("resizes", &["scaler"], "L1 was given another size"),
    event("resize_failures", &["scaler"], "L1 did not answer when it was told its size"),
    event("limits_set", &["scaler"], "an upstream was given another number of calls at once"),
    value(
        "warming_share",
        &["scaler"],
        "hundredths of warming.budget that warming should use; done in mode on",
    ),
    value("wanted_bytes", &["scaler"], "the size that L1 was given"),
    value("allowed_bytes", &["scaler"], "the largest size of L1 that memory allows now"),
    event("learned", &["warming"], "a request was learned from"),
    event("trials", &["warming"], "a guess was watched and not acted on"),
    event("promoted", &["warming"], "an answer was brought to L1 beforehand, without a call"),
    event("calls", &["warming"], "an origin was asked beforehand"),
    event("used", &["warming"], "what was done on a guess was asked for in time"),
    event("wasted", &["warming"], "what was done on a guess was not asked for in time"),
    event(
        "unknown_requests",
        &["warming"],
        "an answer could not be fetched anew: its request is not remembered, or wants a credential",
    ),
    event(
        "given_up",
        &["warming"],
        "a task was not begun: too late, too many, or the upstream's breaker is open",
    ),
    event("failed", &["warming"], "a task brought no answer that is kept"),
    value("known_keys", &["warming"], "keys of which something is known"),
    value("pattern_bytes", &["warming"], "bytes of what was learned"),
    value("request_bytes", &["warming"], "bytes of requests that can be repeated"),
    value("under_way", &["warming"], "lookups and calls under way"),
    value("paused", &["warming"], "1 while nothing is warmed because memory is short"),
    event("batches", &["recorder"], "a worker's batch of samples came"),
    event("samples", &["recorder"], "an answered request was counted"),
    event("rounds", &["sentinel"], "all actors were pinged once"),
];

/// Tells whether an actor's number is a present value rather than a count of events.
pub fn is_present_value(number: &str) -> bool {
    ACTOR_NUMBERS.iter().any(|own| own.name == number && own.kind == Kind::Gauge)
}

/// Upper bounds of every histogram, in seconds: a hit takes tens of microseconds, an upstream call
/// up to minutes.
pub const SECONDS: [f64; 18] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5, 1.0, 2.5, 10.0, 30.0, 120.0,
];
