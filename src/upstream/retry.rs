//! Whether and when to send a request again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use awc::http::header::HttpDate;

use super::spec::RetrySpec;

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// No connection: nothing was sent.
    Unsent,
    /// The connection ended without an answer's head. The request may have been carried out.
    Nothing,
    /// As `Nothing`, without a byte, on a connection that had been kept, which the upstream may
    /// have closed just before; and the request is idempotent (RFC 9110 §9.2.2).
    Stale,
    /// An answer, with its Retry-After.
    Answer {
        /// Status code.
        status: u16,
        /// How long the upstream asks to wait.
        retry_after: Option<Duration>,
    },
    /// What another try would not change, or what everyone has waited long enough for: a time-out,
    /// an answer that cannot be read, an end that is not the upstream's.
    Other,
}

/// The repeats of one call.
///
/// Law: what was not sent may be sent again, whatever it is. What may have been carried out, only
/// where `is_safe` (see [`is_safe`]): after no answer, and after 502, 503, 504 and 529. Where the
/// answer says Retry-After, also after 429, and not before that time; if it is longer than
/// `wait_at_most`, the answer is passed on instead. Between two tries lies a random part of
/// `base · 2ⁿ`, at most `at_most` ("full jitter"). At most `attempts` repeats, each begun within
/// `within` from the start of the first try. A first try on a stale connection is repeated at once,
/// even where `attempts` is 0 (RFC 9112 §9.3.1).
#[derive(Debug)]
pub(super) struct Retries {
    spec: RetrySpec,
    is_safe: bool,
    within: Duration,
    done: u32,
}

impl Retries {
    /// Begins a call.
    pub(super) const fn new(spec: RetrySpec, is_safe: bool, within: Duration) -> Self {
        Self { spec, is_safe, within, done: 0 }
    }

    /// Returns how long to wait before the next try, or `None` if this was the last; `elapsed` is
    /// the time from the start of the first, and `random` any number, another one each time.
    pub(super) fn next(&mut self, came: Came, elapsed: Duration, random: u64) -> Option<Duration> {
        if came == Came::Stale && self.done == 0 {
            self.done = 1;
            return Some(Duration::ZERO);
        }
        if self.done >= self.spec.attempts {
            return None;
        }
        let asked_for = match came {
            Came::Unsent => Duration::ZERO,
            Came::Nothing | Came::Stale if self.is_safe => Duration::ZERO,
            Came::Answer { status, retry_after } if self.is_safe => {
                self.asked_for(status, retry_after)?
            }
            Came::Nothing | Came::Stale | Came::Answer { .. } | Came::Other => return None,
        };
        let wait = asked_for.saturating_add(self.back_off(random));
        if elapsed.saturating_add(wait) >= self.within {
            return None;
        }
        self.done = self.done.saturating_add(1);
        Some(wait)
    }

    fn asked_for(&self, status: u16, retry_after: Option<Duration>) -> Option<Duration> {
        match (status, retry_after) {
            (429 | 502 | 503 | 504 | 529, Some(after)) => {
                (after <= self.spec.wait_at_most).then_some(after)
            }
            (502 | 503 | 504 | 529, None) => Some(Duration::ZERO),
            _ => None,
        }
    }

    fn back_off(&self, random: u64) -> Duration {
        let doubled = 1_u32.checked_shl(self.done).unwrap_or(u32::MAX);
        let longest = self.spec.base.saturating_mul(doubled).min(self.spec.at_most);
        let longest_ns = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(random.checked_rem(longest_ns.saturating_add(1)).unwrap_or(random))
    }
}

/// Tells whether a request may be sent again though its first sending may have been carried out.
///
/// GET and HEAD change nothing (RFC 9110 §9.2.1). A POST may be paid for twice: only where the
/// deployer says so. What carries an `Idempotency-Key` is carried out once, however often it comes.
pub(super) fn is_safe(method: &str, is_keyed: bool, posts: bool) -> bool {
    is_keyed || matches!(method, "GET" | "HEAD") || (posts && method == "POST")
}

/// Reads a Retry-After (RFC 9110 §10.2.3): whole seconds, or a date, at `wall_ms` since the epoch.
/// A date that has passed is no wait at all; `None` for anything else.
pub(super) fn retry_after(value: &str, wall_ms: u64) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|digit| digit.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date: HttpDate = value.parse().ok()?;
    let until = SystemTime::from(date).duration_since(UNIX_EPOCH).ok()?;
    Some(until.saturating_sub(Duration::from_millis(wall_ms)))
}

#[cfg(test)]
#[path = "retry_tests.rs"]
mod tests;
