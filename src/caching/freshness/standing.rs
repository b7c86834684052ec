//! What a request may do with a stored answer (RFC 9111 §4.2.4, §5.2.1; RFC 5861).

use super::life::Life;
use crate::caching::cache_control::RequestDirectives;
use crate::caching::fields::ms;

/// How long stale answers may be used where they say nothing of it: the route's policy, the
/// "configuration in accordance with an out-of-band contract" of RFC 9111 §4.2.4. Milliseconds;
/// 0 is never.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StaleWindows {
    /// While it is refreshed.
    pub while_revalidate_ms: u64,
    /// In place of an error.
    pub if_error_ms: u64,
}

/// What may be done with a stored answer that was selected for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may be sent.
    Fresh,
    /// It is stale, and may be sent all the same.
    StaleServable(StaleUse),
    /// The origin must be asked first.
    MustValidate(Cause),
    /// It may not be sent, and the origin may not be asked: 504 (§5.2.1.7).
    GatewayTimeout,
}

/// Why a stale answer may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StaleUse {
    /// Because it is refreshed behind the caller's back (RFC 5861 §3).
    WhileRevalidate,
    /// Because the caller takes it (RFC 9111 §5.2.1.2).
    MaxStale,
    /// Because the origin failed (RFC 5861 §4).
    IfError,
}

/// Why the origin must be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The request does not take an answer that would do.
    Request,
    /// The answer is not to be used unasked.
    Response,
    /// The answer is stale.
    Stale,
}

impl Cause {
    /// Returns the word for it in Cache-Status (RFC 9211 §2.2).
    pub const fn fwd(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response | Self::Stale => "stale",
        }
    }
}

impl Standing {
    /// Decides at `now_ms` (wall milliseconds).
    ///
    /// Rule: a directive of the answer that forbids its use comes first, then what the request
    /// asks for, each directive for itself: with `max-age` and `max-stale` both must hold. A
    /// request that asks for fresh answers (`min-fresh`, or `max-age` without `max-stale`) gets no
    /// stale one unless the origin fails.
    pub fn of(
        life: &Life,
        request: &RequestDirectives,
        windows: StaleWindows,
        now_ms: u64,
    ) -> Self {
        match Self::with_origin(life, request, windows, now_ms) {
            Self::MustValidate(_) if request.only_if_cached => Self::GatewayTimeout,
            standing => standing,
        }
    }

    fn with_origin(
        life: &Life,
        request: &RequestDirectives,
        windows: StaleWindows,
        now_ms: u64,
    ) -> Self {
        if request.no_cache {
            return Self::MustValidate(Cause::Request);
        }
        if life.rules.always_validate {
            return Self::MustValidate(Cause::Response);
        }
        let age_ms = life.age_ms(now_ms);
        // `max-age=0` asks for validation: no answer comes out of a store at the age of 0.
        let is_too_old = |seconds: u32| seconds == 0 || age_ms / 1_000 > u64::from(seconds);
        let is_too_stale = |seconds: u32| life.remaining_ms(now_ms) < ms(seconds);
        if life.is_fresh(now_ms) {
            return if request.max_age_s.is_some_and(is_too_old)
                || request.min_fresh_s.is_some_and(is_too_stale)
            {
                Self::MustValidate(Cause::Request)
            } else {
                Self::Fresh
            };
        }
        if request.max_age_s.is_some_and(is_too_old) {
            return Self::MustValidate(Cause::Stale);
        }
        let stale_use = stale_use(life, request, windows, now_ms);
        stale_use.map_or(Self::MustValidate(Cause::Stale), Self::StaleServable)
    }
}

/// Returns why a stale answer may be used before the origin is asked.
fn stale_use(
    life: &Life,
    request: &RequestDirectives,
    windows: StaleWindows,
    now_ms: u64,
) -> Option<StaleUse> {
    let wants_fresh = request.min_fresh_s.is_some()
        || (request.max_age_s.is_some() && request.max_stale_s.is_none());
    if life.rules.never_stale || wants_fresh {
        return None;
    }
    let staleness_ms = life.staleness_ms(now_ms);
    if request.max_stale_s.is_some_and(|seconds| staleness_ms > ms(seconds)) {
        return None;
    }
    let window_ms = life.rules.while_revalidate_ms.unwrap_or(windows.while_revalidate_ms);
    if window_ms > 0 && staleness_ms <= window_ms {
        return Some(StaleUse::WhileRevalidate);
    }
    // `max-stale=0` takes no stale answer: it is stale by less than the clock can tell.
    request.max_stale_s.filter(|seconds| *seconds > 0).map(|_| StaleUse::MaxStale)
}

/// Tells whether a stored answer may stand in for an origin that failed: that cannot be reached,
/// does not answer in time, or whose status [`is_failure`](crate::caching::is_failure).
///
/// Rule: RFC 5861 §4, the window of the request, else of the answer, else of the route,
/// "regardless of other freshness information": the request's `max-age`, `min-fresh` and
/// `max-stale` do not count. An answer that forbids it (`no-cache`, `must-revalidate`, and in
/// shared caches `proxy-revalidate` and `s-maxage`) stays forbidden (RFC 9111 §4.2.4, §5.2.2.2),
/// and a request with `no-cache` wants a new answer or none.
pub fn stand_in(
    life: &Life,
    request: &RequestDirectives,
    windows: StaleWindows,
    now_ms: u64,
) -> Option<StaleUse> {
    if request.no_cache || life.rules.always_validate {
        return None;
    }
    if life.is_fresh(now_ms) {
        return Some(StaleUse::IfError);
    }
    let own = request.stale_if_error_s.map(ms).or(life.rules.if_error_ms);
    let window_ms = own.unwrap_or(windows.if_error_ms);
    let may = !life.rules.never_stale && window_ms > 0 && life.staleness_ms(now_ms) <= window_ms;
    may.then_some(StaleUse::IfError)
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
