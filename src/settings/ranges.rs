//! What each key may hold, as data: validation, error texts and the test of `config.yaml` read it.

use std::fmt;

use serde_json::Value;

use super::error::Problem;
use super::shown::shown;
use super::sources::Sources;
use super::tree::leaves;
use super::units::{ByteSize, HumanDuration};

/// The smallest and the largest value of a key, both allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// A whole number.
    Count(u64, u64),
    /// A duration.
    Time(HumanDuration, HumanDuration),
    /// A size.
    Size(ByteSize, ByteSize),
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(low, high) => write!(f, "{low}–{high}"),
            Self::Time(low, high) => write!(f, "{low}–{high}"),
            Self::Size(low, high) => write!(f, "{low}–{high}"),
        }
    }
}

impl Range {
    /// Tells whether `value`, of a key that has this range, lies within it; `null` is no value.
    fn holds(&self, value: &Value) -> bool {
        if value.is_null() {
            return true;
        }
        let text = value.as_str();
        match self {
            Self::Count(low, high) => {
                value.as_u64().is_some_and(|count| (*low..=*high).contains(&count))
            }
            Self::Time(low, high) => text
                .and_then(|text| text.parse().ok())
                .is_some_and(|time| (*low..=*high).contains(&time)),
            Self::Size(low, high) => text
                .and_then(|text| text.parse().ok())
                .is_some_and(|size| (*low..=*high).contains(&size)),
        }
    }
}

const fn count(low: u64, high: u64) -> Range {
    Range::Count(low, high)
}

const fn time(low: HumanDuration, high: HumanDuration) -> Range {
    Range::Time(low, high)
}

const fn size(low: ByteSize, high: ByteSize) -> Range {
    Range::Size(low, high)
}

const fn ms(millis: u64) -> HumanDuration {
    HumanDuration::from_millis(millis)
}

const fn secs(seconds: u64) -> HumanDuration {
    HumanDuration::from_secs(seconds)
}

const fn minutes(minutes: u64) -> HumanDuration {
    secs(minutes * 60)
}

const fn hours(hours: u64) -> HumanDuration {
    secs(hours * 3_600)
}

const fn days(days: u64) -> HumanDuration {
    secs(days * 86_400)
}

const fn kib(kib: u64) -> ByteSize {
    ByteSize::from_kib(kib)
}

const fn mib(mib: u64) -> ByteSize {
    ByteSize::from_mib(mib)
}

const fn gib(gib: u64) -> ByteSize {
    ByteSize::from_gib(gib)
}

const fn tib(tib: u64) -> ByteSize {
    ByteSize::from_gib(tib * 1_024)
}

/// The range of every key that has one; `*` stands for any name or position.
pub(super) const RANGES: &[(&str, Range)] = &[
    ("server.workers", count(0, 1_024)),
    ("server.max_in_flight", count(1, 1_000_000)),
    ("server.max_connections", count(1, 1_000_000)),
    ("server.backlog", count(1, 65_535)),
    ("server.max_body", size(kib(1), gib(1))),
    ("server.head_timeout", time(secs(1), minutes(5))),
    ("server.body_timeout", time(ms(100), hours(1))),
    ("server.keep_alive", time(secs(1), hours(1))),
    ("server.drain_timeout", time(secs(0), hours(1))),
    ("server.handover_timeout", time(secs(0), days(1))),
    ("server.cors.max_age", time(secs(0), days(1))),
    ("auth.keys.*.requests_per_minute", count(0, 1_000_000_000)),
    ("auth.keys.*.tokens_per_minute", count(0, 1_000_000_000)),
    ("admin.watch_config", time(secs(0), hours(1))),
    ("log.access_one_in", count(1, 1_000_000)),
    ("traces.one_in", count(1, 1_000_000)),
    ("traces.timeout", time(ms(100), minutes(1))),
    ("cache.level_budget", time(ms(1), secs(1))),
    ("cache.max_entry", size(kib(1), mib(256))),
    ("cache.recall_entries", count(0, 1_000_000)),
    ("cache.recall_lease", time(secs(0), minutes(1))),
    ("l1.max_entries", count(1, 100_000_000)),
    ("l1.max_bytes", size(mib(1), tib(1))),
    ("l1.residence", time(secs(1), days(30))),
    ("l2.residence", time(secs(1), days(30))),
    ("l2.timeout", time(ms(1), secs(1))),
    ("l2.connect_timeout", time(ms(10), secs(10))),
    ("l2.connections", count(1, 64)),
    ("l2.max_writes_in_flight", count(1, 100_000)),
    ("*.breaker.failures", count(1, 1_000)),
    ("*.breaker.probe_after", time(ms(10), minutes(1))),
    ("*.breaker.probe_at_most", time(ms(10), minutes(1))),
    ("l3.residence", time(secs(1), days(365))),
    ("l3.max_bytes", size(mib(1), tib(1_024))),
    ("l3.readers", count(1, 64)),
    ("l3.timeout", time(ms(1), secs(1))),
    ("l3.connect_timeout", time(secs(1), secs(30))),
    ("l3.queue_bytes", size(mib(1), gib(16))),
    ("l3.batch_records", count(1, 10_000)),
    ("l3.sweep_interval", time(ms(100), days(1))),
    ("l3.sweep_batch", count(1, 100_000)),
    ("purge.poll_interval", time(ms(10), secs(10))),
    ("purge.record_timeout", time(ms(10), secs(30))),
    ("purge.max_labels", count(100, 10_000_000)),
    ("flights.fetch_threads", count(1, 64)),
    ("flights.finish_after_disconnect", time(secs(0), hours(1))),
    ("flights.max_orphans", count(0, 100_000)),
    ("flights.window", size(kib(4), mib(64))),
    ("flights.reader_timeout", time(ms(100), hours(1))),
    ("flights.unshareable_for", time(secs(0), hours(1))),
    ("flights.max_unshareable", count(0, 1_000_000)),
    ("flights.replica_lease", time(secs(0), minutes(1))),
    ("flights.replica_wait", time(secs(0), hours(1))),
    ("sentinel.interval", time(ms(50), minutes(1))),
    ("sentinel.late_after", time(ms(50), minutes(5))),
    ("upstreams.*.connect_timeout", time(ms(10), minutes(1))),
    ("upstreams.*.first_byte_timeout", time(ms(10), hours(1))),
    ("upstreams.*.idle_timeout", time(ms(10), hours(1))),
    ("upstreams.*.total_timeout", time(ms(10), days(1))),
    ("upstreams.*.max_answer", size(kib(1), tib(1))),
    ("upstreams.*.connections", count(1, 100_000)),
    ("upstreams.*.keep_alive", time(secs(1), hours(1))),
    ("upstreams.*.think_time_per_token", time(secs(0), secs(10))),
    ("upstreams.*.breaker.failures", count(0, 1_000)),
    ("upstreams.*.breaker.open_for", time(ms(10), hours(1))),
    ("upstreams.*.breaker.open_at_most", time(ms(10), hours(1))),
    ("upstreams.*.retry.attempts", count(0, 10)),
    ("upstreams.*.retry.base", time(ms(1), minutes(1))),
    ("upstreams.*.retry.at_most", time(ms(1), minutes(1))),
    ("upstreams.*.retry.wait_at_most", time(secs(0), minutes(5))),
    ("upstreams.*.limit.least", count(1, 100_000)),
    ("upstreams.*.limit.most", count(1, 100_000)),
    ("upstreams.*.limit.wait", time(secs(0), minutes(10))),
    ("upstreams.*.limit.queue", count(0, 1_000_000)),
    ("routes.*.lifetime", time(secs(1), days(365))),
    ("routes.*.max_ttl", time(secs(1), days(365))),
    ("routes.*.max_choices", count(1, 1_000)),
    ("routes.*.negative.*", time(secs(1), days(1))),
    ("routes.*.max_entry", size(kib(1), mib(256))),
    ("routes.*.min_uses", count(1, 100)),
    ("routes.*.replay_interval", time(secs(0), secs(10))),
    ("routes.*.stale_while_revalidate", time(secs(0), days(365))),
    ("routes.*.stale_if_error", time(secs(0), days(365))),
    ("explain.sketches", count(0, 65_536)),
    ("response.compress_from", size(ByteSize::from_bytes(0), mib(1))),
    ("response.gzip_level", count(1, 9)),
    ("response.brotli_level", count(0, 5)),
    ("response.live_level", count(1, 5)),
    ("memory.threshold", size(mib(16), tib(1))),
    ("memory.wait", time(ms(0), minutes(1))),
    ("warming.calls_at_once", count(1, 64)),
    ("warming.requests", size(ByteSize::from_bytes(0), gib(16))),
    ("warming.budget.calls_per_minute", count(0, 1_000_000)),
    ("warming.budget.calls_per_day", count(0, 1_000_000_000)),
    ("warming.start_entries", count(0, 10_000)),
    ("warming.start_timeout", time(ms(10), minutes(1))),
    ("scaler.interval", time(secs(1), hours(1))),
    ("scaler.cool_down", time(secs(1), days(1))),
    ("scaler.l1_span", count(1, 16)),
    ("scaler.replica_target", count(10, 95)),
    ("scaler.replica_down_after", time(secs(0), hours(1))),
    ("conversation.max_history", count(1, 10_000)),
    ("conversation.lifetime", time(secs(1), days(3_650))),
    ("conversation.max_size", size(kib(1), mib(256))),
    ("conversation.turn_timeout", time(ms(1), minutes(10))),
    ("conversation.memory_count", count(0, 1_000_000)),
    ("conversation.memory_size", size(ByteSize::from_bytes(0), gib(64))),
    ("models.max_loaded", count(1, 1_000)),
];

/// An address to listen on, in words.
pub(super) const LISTEN: &str = "an IP address and a port 0–65535, such as 127.0.0.1:8080";
/// L2's URL, in words.
pub(super) const L2_URL: &str = "redis://…, rediss://… or redis+unix:///…; by sentinels \
    redis+sentinel:// or rediss+sentinel://[user:password@]host[:port][,…]/NAME[/DB]; or empty (off)";
/// L3's URL, in words.
pub(super) const L3_URL: &str =
    "postgres://…, postgresql://…, sqlite:PATH, or empty (anteroom.db in data_dir)";
/// A PostgreSQL URL where the build has no TLS for it, in words.
pub(super) const POSTGRES_TLS: &str = "a build with the feature postgres-tls, or sslmode=disable";
/// An upstream's URL, in words.
pub(super) const UPSTREAM_URL: &str =
    "http:// or https://, a host, and a port and a path if need be; no user, `?` or `#`";
/// An upstream's proxy, in words.
pub(super) const PROXY: &str =
    "http://[user:password@]host:port, none, or empty (HTTPS_PROXY, if set)";

/// The digest of a client key, in words.
pub(super) const KEY_DIGEST: &str =
    "sha256: or blake3: and 64 hexadecimal digits; `anteroom digest-key` makes it of a key";

/// What a key that has no range may hold.
const FORMS: &[(&str, &str)] = &[
    ("server.listen", LISTEN),
    ("admin.listen", LISTEN),
    ("l2.url", L2_URL),
    ("l3.url", L3_URL),
    ("auth.keys.*.digest", KEY_DIGEST),
    ("traces.endpoint", UPSTREAM_URL),
    ("upstreams.*.url", UPSTREAM_URL),
    ("upstreams.*.proxy", PROXY),
];

/// Returns what `key` may hold, in words.
pub(super) fn allowed(key: &str) -> Option<String> {
    let form = FORMS.iter().find(|(pattern, _)| fits(pattern, key));
    range(key).map(|range| range.to_string()).or(form.map(|(_, form)| (*form).to_owned()))
}

/// Returns the range of `key`.
pub(super) fn range(key: &str) -> Option<Range> {
    RANGES.iter().find(|(pattern, _)| fits(pattern, key)).map(|(_, range)| *range)
}

pub(super) fn fits(pattern: &str, key: &str) -> bool {
    let mut names = key.split(['.', '[']).map(|name| name.trim_end_matches(']'));
    let fit = pattern
        .split('.')
        .all(|wanted| names.next().is_some_and(|name| wanted == "*" || wanted == name));
    fit && names.next().is_none()
}

/// Returns every value of `tree`, which is made of settings, that lies outside of its range.
pub(super) fn out_of_range(tree: &Value, sources: &Sources) -> Vec<Problem> {
    let mut problems = Vec::new();
    leaves(tree, &mut |path, value| {
        let key = path.to_string();
        let Some(range) = range(&key).filter(|range| !range.holds(value)) else { return };
        let source = sources.of(&key);
        problems.push(Problem {
            value: shown(&key, value, &source),
            source,
            reason: "out of range".to_owned(),
            allowed: Some(range.to_string()),
            key,
        });
    });
    problems
}

#[cfg(test)]
mod tests {
    use super::super::{ClientKey, Settings};
    use super::*;

    /// The defaults, and one of each thing that is in a list that is empty by default.
    fn tree() -> Value {
        let mut settings = Settings::default();
        settings.auth.keys.push(ClientKey::default());
        let route = settings.routes.first_mut().unwrap();
        route.negative.insert("404".to_owned(), secs(30));
        serde_json::to_value(settings).unwrap()
    }

    #[test]
    fn every_number_duration_and_size_has_a_range_that_its_default_is_in() {
        let tree = tree();
        leaves(&tree, &mut |path, value| {
            let key = path.to_string();
            let is_quantity = value.as_str().is_some_and(|text| {
                text.parse::<HumanDuration>().is_ok() || text.parse::<ByteSize>().is_ok()
            });
            // Null stands for no limit; the key may have a range all the same.
            let is_null = value.is_null();
            assert!(
                is_null || range(&key).is_some() == (is_quantity || value.is_number()),
                "{key}"
            );
        });
        assert_eq!(out_of_range(&tree, &Sources::default()), []);
    }

    #[test]
    fn every_range_belongs_to_a_key() {
        let tree = tree();
        for (pattern, _) in RANGES {
            let mut found = false;
            leaves(&tree, &mut |path, _| found |= fits(pattern, &path.to_string()));
            assert!(found, "{pattern}");
        }
    }

    #[test]
    fn both_ends_of_a_range_are_within_it() {
        assert!(count(0, 4).holds(&Value::from(0)) && count(0, 4).holds(&Value::from(4)));
        assert!(!count(1, 4).holds(&Value::from(0)) && !count(1, 4).holds(&Value::from(5)));
        assert!(time(ms(1), secs(1)).holds(&Value::from("1000ms")));
        assert!(!time(ms(1), secs(1)).holds(&Value::from("1001ms")));
        assert!(!size(kib(1), tib(1)).holds(&Value::from("1023B")));
    }
}
