//! An operator's session on the page: proof that the token was shown, without the token.
//!
//! The cookie holds an end and its keyed digest, by a key that is derived from the token. Nothing is
//! remembered here; another token ends all sessions.

use std::time::Duration;

/// Name of the cookie.
pub const COOKIE: &str = "anteroom_session";

/// How long a session lasts.
pub const LASTS: Duration = Duration::from_secs(12 * 3_600);

/// Makes and checks sessions.
pub struct Sessions {
    key: [u8; 32],
}

impl Sessions {
    /// Creates those of `token`.
    pub fn of(token: &str) -> Self {
        Self { key: blake3::derive_key("anteroom 2026-11 operators' session", token.as_bytes()) }
    }

    /// Returns the cookie's value of a session that begins at `wall_ms`.
    pub fn begin(&self, wall_ms: u64) -> String {
        let lasts = u64::try_from(LASTS.as_millis()).unwrap_or(u64::MAX);
        let end = wall_ms.saturating_add(lasts).to_string();
        let proof = blake3::keyed_hash(&self.key, end.as_bytes()).to_hex();
        format!("{end}.{proof}")
    }

    /// Tells whether `value` is that of a session that has not ended at `wall_ms`.
    pub fn holds(&self, value: &str, wall_ms: u64) -> bool {
        let Some((end, proof)) = value.split_once('.') else { return false };
        let Ok(proof) = blake3::Hash::from_hex(proof) else { return false };
        // In constant time.
        let is_ours = blake3::keyed_hash(&self.key, end.as_bytes()) == proof;
        is_ours && end.parse::<u64>().is_ok_and(|end| end > wall_ms)
    }
}

/// Returns the session's cookie in a `Cookie` field.
pub fn in_cookies(field: &str) -> Option<&str> {
    let pairs = field.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_holds_until_its_end_for_its_token_alone() {
        let sessions = Sessions::of("token");
        let value = sessions.begin(1_000);
        let end = 1_000 + 12 * 3_600_000;
        assert!(sessions.holds(&value, 1_000) && sessions.holds(&value, end - 1));
        assert!(!sessions.holds(&value, end));
        assert!(!Sessions::of("other").holds(&value, 1_000));
        let (_, proof) = value.split_once('.').unwrap();
        for forged in ["", ".", "1.2", &format!("{}.{proof}", end + 1), &format!("1{value}"), "x.y"]
        {
            assert!(!sessions.holds(forged, 1_000), "{forged}");
        }
        assert!(!value.contains("token"));
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        for (field, found) in [
            ("anteroom_session=a", Some("a")),
            ("x=1; anteroom_session=1.2; y=3", Some("1.2")),
            ("anteroom_sessions=a", None),
            ("", None),
        ] {
            assert_eq!(in_cookies(field), found, "{field}");
        }
    }
}
