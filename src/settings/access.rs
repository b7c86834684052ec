//! Who may use the API listener: client keys, browsers of other origins, TLS. Unit, range and
//! default of each key stand in `config.yaml`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::units::HumanDuration;

/// The callers' own keys to this gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// The keys; with at least one, every request must show one.
    pub keys: Vec<ClientKey>,
}

/// One key of a caller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientKey {
    /// Name in logs and metrics; must be given.
    pub name: String,
    /// `sha256:` or `blake3:` and 64 hexadecimal digits; must be given. Hidden like a secret:
    /// whoever writes the key itself here by mistake does not see it in a log.
    pub digest: Secret,
    /// Name of the scope: keys of one scope share answers; empty = the key's name.
    pub scope: String,
    /// Requests a minute; 0 = no limit.
    pub requests_per_minute: u64,
    /// Tokens of upstream calls a minute; 0 = no limit.
    pub tokens_per_minute: u64,
}

impl ClientKey {
    /// Returns the name of the scope in which the key's answers are kept.
    pub fn scope_name(&self) -> &str {
        if self.scope.is_empty() { &self.name } else { &self.scope }
    }

    /// Returns the digest where it is one.
    pub fn digest(&self) -> Option<KeyDigest> {
        self.digest.expose().parse().ok()
    }
}

/// The digest of a client key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyDigest {
    /// SHA-256.
    Sha256([u8; 32]),
    /// BLAKE3.
    Blake3([u8; 32]),
}

impl KeyDigest {
    const SHA256: &str = "sha256:";
    const BLAKE3: &str = "blake3:";
}

/// A text that is no digest of a key. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not sha256: or blake3: and 64 hexadecimal digits")]
pub struct NotADigest;

impl FromStr for KeyDigest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        if let Some(digits) = text.strip_prefix(Self::SHA256) {
            return from_hex(digits).map(Self::Sha256).ok_or(NotADigest);
        }
        let digits = text.strip_prefix(Self::BLAKE3).ok_or(NotADigest)?;
        from_hex(digits).map(Self::Blake3).ok_or(NotADigest)
    }
}

/// Writes what [`FromStr`] reads.
impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, digest) = match self {
            Self::Sha256(digest) => (Self::SHA256, digest),
            Self::Blake3(digest) => (Self::BLAKE3, digest),
        };
        f.write_str(name)?;
        digest.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Shows nothing: a digest of a weak key gives the key away.
impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(***)")
    }
}

fn from_hex(digits: &str) -> Option<[u8; 32]> {
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let mut bytes = [0; 32];
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let digit = |sign: &u8| char::from(*sign).to_digit(16);
        *byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    }
    Some(bytes)
}

/// Browsers on pages of other origins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cors {
    /// Origins whose pages may call, or `*` alone for any; empty = none.
    pub origins: Vec<String>,
    /// Headers they may send; empty = those they ask for.
    pub headers: Vec<String>,
    /// Methods they may use; empty = those they ask for.
    pub methods: Vec<String>,
    /// How long a browser may remember what it was told.
    pub max_age: HumanDuration,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            headers: Vec::new(),
            methods: Vec::new(),
            max_age: HumanDuration::from_secs(600),
        }
    }
}

impl Cors {
    /// Lowers what has no case.
    pub(super) fn normalise(&mut self) {
        self.origins.iter_mut().for_each(|origin| origin.make_ascii_lowercase());
        self.headers.iter_mut().for_each(|name| name.make_ascii_lowercase());
    }
}

/// TLS on the API listener.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Certificate and those between it and its authority, as PEM.
    pub cert_file: Option<PathBuf>,
    /// Its private key, as PEM.
    pub key_file: Option<PathBuf>,
}

impl Tls {
    /// Returns the two files, where both are named.
    pub fn files(&self) -> Option<(PathBuf, PathBuf)> {
        Some((self.cert_file.clone()?, self.key_file.clone()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written_and_nothing_else_is() {
        let digits = "00ff".repeat(16);
        for (text, digest) in [
            (
                format!("sha256:{digits}"),
                KeyDigest::Sha256([0, 255].repeat(16).try_into().unwrap()),
            ),
            (
                format!("blake3:{digits}"),
                KeyDigest::Blake3([0, 255].repeat(16).try_into().unwrap()),
            ),
        ] {
            assert_eq!(text.parse(), Ok(digest));
            assert_eq!(
                text.to_uppercase().replace("SHA256", "sha256").parse::<KeyDigest>().is_ok(),
                text.starts_with("sha256")
            );
            assert_eq!(digest.to_string(), text);
            assert_eq!(format!("{digest:?}"), "KeyDigest(***)");
        }
        for text in [
            "",
            "hunter2",
            "sha256:",
            &digits,
            &format!("md5:{digits}"),
            &format!("sha256:{digits}0"),
            &format!("sha256:{}", "0".repeat(63)),
            &format!("sha256:+{}", "0".repeat(63)),
            &format!("sha256: {}", "0".repeat(63)),
            &format!("sha256:é{}", "0".repeat(62)),
        ] {
            assert_eq!(text.parse::<KeyDigest>(), Err(NotADigest), "{text}");
        }
    }

    #[test]
    fn a_key_without_a_scope_has_one_of_its_own() {
        let key = |scope: &str| ClientKey {
            name: "a".into(),
            scope: scope.into(),
            ..ClientKey::default()
        };
        assert_eq!(key("").scope_name(), "a");
        assert_eq!(key("team").scope_name(), "team");
    }
}
