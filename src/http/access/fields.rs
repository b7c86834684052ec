//! What a caller is told of its limits: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-
//! ratelimit-headers-10), and `Retry-After`.

use std::fmt::Write as _;
use std::time::Duration;

use super::{Left, Quota};

/// Name of the policy over requests.
pub const REQUESTS: &str = "requests";

/// Name of the policy over tokens.
pub const TOKENS: &str = "tokens";

/// Returns the value of `RateLimit-Policy`: what may be used (`q`) in how many seconds (`w`); empty
/// without limits.
pub fn policy(requests: Option<&Quota>, tokens: Option<&Quota>) -> String {
    let mut text = String::new();
    if let Some(quota) = requests {
        let _ = write!(text, "\"{REQUESTS}\";q={};w=60", quota.limit());
    }
    if let Some(quota) = tokens {
        let _ = write!(text, "{}\"{TOKENS}\";q={};w=60;qu=\"tokens\"", comma(&text), quota.limit());
    }
    text
}

/// Returns the value of `RateLimit`: what is left (`r`) and in how many seconds all will be there
/// again (`t`, rounded up); empty without limits.
pub fn state(requests: Option<Left>, tokens: Option<Left>) -> String {
    let mut text = String::with_capacity(64);
    for (name, left) in [(REQUESTS, requests), (TOKENS, tokens)] {
        if let Some(Left { units, whole_in }) = left {
            let _ = write!(text, "{}\"{name}\";r={units};t={}", comma(&text), seconds(whole_in));
        }
    }
    text
}

/// Returns the value of `Retry-After`: whole seconds, at least one.
pub fn retry_after(wait: Duration) -> u64 {
    seconds(wait).max(1)
}

const fn comma(text: &str) -> &'static str {
    if text.is_empty() { "" } else { ", " }
}

fn seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    #[test]
    fn each_limit_is_told_by_its_name() {
        let quota = |limit| Quota::per_minute(NonZeroU64::new(limit).unwrap());
        let (requests, tokens) = (quota(100), quota(9_000));
        assert_eq!(policy(None, None), "");
        assert_eq!(policy(Some(&requests), None), "\"requests\";q=100;w=60");
        assert_eq!(
            policy(Some(&requests), Some(&tokens)),
            "\"requests\";q=100;w=60, \"tokens\";q=9000;w=60;qu=\"tokens\""
        );
        let left = |units, millis| Some(Left { units, whole_in: Duration::from_millis(millis) });
        assert_eq!(state(None, None), "");
        assert_eq!(state(None, left(7, 0)), "\"tokens\";r=7;t=0");
        assert_eq!(
            state(left(99, 600), left(0, 60_000)),
            "\"requests\";r=99;t=1, \"tokens\";r=0;t=60"
        );
    }

    #[test]
    fn nobody_is_told_to_come_back_too_early() {
        for (millis, told) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (59_999, 60)] {
            assert_eq!(retry_after(Duration::from_millis(millis)), told, "{millis}");
        }
    }
}
