//! Where the secret comes from that makes scopes of credentials.
//!
//! Gateways that share a level must share it, or none would find what another keeps. In this order:
//! `cache.secret`; what Redis or PostgreSQL hold for all gateways; the file `secret` in the data
//! folder. What the servers hold is copied to the file, so that a restart without them finds what
//! was kept before.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use anteroom_actors::clock::SharedClock;
use anteroom_actors::error::LevelError;
use anteroom_actors::model::Purges;
use anteroom_actors::settings::{Database as Target, L2Settings, L3Settings};
use anteroom_actors::store::{Database, RedisStore};

use crate::canonical::ScopeSecret;
use crate::settings::Settings;

/// Context of the key derived from `cache.secret` (blake3's key derivation).
const CONTEXT: &str = "anteroom 2026-11 scope secret";

/// How often a gateway offers its secret to Redis again.
const OFFER_EVERY: Duration = Duration::from_secs(5);

/// Longest wait for a server's secret at start.
const SERVER_DEADLINE: Duration = Duration::from_secs(2);

/// The secret of this process.
pub struct Obtained {
    /// Makes scopes of credentials.
    pub secret: ScopeSecret,
    /// The bytes that gateways on the same Redis must agree on, where the settings give none.
    pub offered: Option<[u8; 32]>,
}

/// No secret, and no way to make one.
#[derive(Debug, thiserror::Error)]
#[error("failed to read random bytes from the system: {0}")]
pub struct NoRandomness(String);

/// Returns 32 random bytes.
///
/// # Errors
///
/// When the system has none.
pub fn random() -> Result<[u8; 32], NoRandomness> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| NoRandomness(error.to_string()))?;
    Ok(bytes)
}

/// Returns the scope secret.
///
/// # Errors
///
/// When there is none yet and the system gives no random bytes. Servers that are away and files that
/// cannot be written are logged; the gateway serves all the same.
pub async fn obtain(settings: &Settings, clock: &SharedClock) -> Result<Obtained, NoRandomness> {
    let given = settings.cache.secret.expose();
    if !given.is_empty() {
        let secret = ScopeSecret::new(blake3::derive_key(CONTEXT, given.as_bytes()));
        return Ok(Obtained { secret, offered: None });
    }
    let path = settings.data_dir.join("secret");
    let own = read(&path);
    let proposal = match own {
        Some(own) => own,
        None => random()?,
    };
    let secret = match shared(settings, proposal, clock).await {
        None => proposal,
        Some(Ok(shared)) => shared,
        Some(Err(error)) => {
            tracing::warn!(%error, "the scope secret could not be shared; other gateways on the \
                same Redis or PostgreSQL may not find this one's answers until a restart");
            proposal
        }
    };
    if own != Some(secret)
        && let Err(error) = write(&path, &secret)
    {
        tracing::warn!(path = %path.display(), %error, "failed to write the scope secret; \
            answers kept now will not be found after a restart");
    }
    Ok(Obtained { secret: ScopeSecret::new(secret), offered: Some(secret) })
}

/// Offers `secret` to Redis now and then, for ever. A Redis that came back empty has lost it: the next
/// gateway to start would make another one, and find nothing of what this one keeps.
pub async fn keep_offering(l2: L2Settings, secret: [u8; 32]) {
    let mut differs = false;
    loop {
        tokio::time::sleep(OFFER_EVERY).await;
        let store = RedisStore::new(&l2);
        let offered = async {
            store.connect().await?;
            store.shared_secret(secret).await
        };
        // A Redis that is away is L2's to tell of.
        let Ok(Ok(held)) = tokio::time::timeout(SERVER_DEADLINE, offered).await else { continue };
        if held != secret && !differs {
            tracing::warn!(
                "Redis holds another scope secret than this gateway's; gateways that \
                started since do not find its answers, nor it theirs, until it is restarted"
            );
        }
        differs = held != secret;
    }
}

/// Agrees with the other gateways on a secret, where there is a server to do so.
async fn shared(
    settings: &Settings,
    proposal: [u8; 32],
    clock: &SharedClock,
) -> Option<Result<[u8; 32], LevelError>> {
    let agreed = async {
        if let Some(l2) = settings.l2() {
            let store = RedisStore::new(&l2);
            store.connect().await?;
            return Ok(Some(store.shared_secret(proposal).await?));
        }
        match settings.l3() {
            Some(l3 @ L3Settings { database: Target::Postgres(_), .. }) => {
                let database = Database::start(&l3, Purges::default(), clock.clone());
                Ok(Some(database.shared_secret(proposal).await?))
            }
            _ => Ok(None),
        }
    };
    let late = LevelError::TimedOut { what: "the shared scope secret", waited: SERVER_DEADLINE };
    tokio::time::timeout(SERVER_DEADLINE, agreed).await.unwrap_or(Err(late)).transpose()
}

fn read(path: &Path) -> Option<[u8; 32]> {
    let mut secret = [0; 32];
    let mut file = fs::File::open(path).ok()?;
    file.read_exact(&mut secret).ok()?;
    Some(secret)
}

/// Writes the file whole or not at all, for this user's eyes only.
fn write(path: &Path, secret: &[u8; 32]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if !folder.as_os_str().is_empty() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let unfinished = path.with_extension(format!("new-{}", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(secret)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_keeps_the_secret_and_only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/secret");
        assert_eq!(read(&path), None);
        write(&path, &[7; 32]).unwrap();
        write(&path, &[8; 32]).unwrap();
        assert_eq!(read(&path), Some([8; 32]));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        fs::write(&path, b"short").unwrap();
        assert_eq!(read(&path), None, "half a secret is none");
    }
}
