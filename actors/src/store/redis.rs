//! Records in Redis, under keys of our own prefix only.

mod claims;
mod connections;
mod failure;
mod purges;
mod sentinel_url;
mod sentinels;
mod subscription;

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use deadpool_redis::redis::{Cmd, FromRedisValue, cmd};

use self::connections::{Connections, Lent};
pub use self::purges::PurgeCursor;
pub use self::sentinel_url::SentinelUrl;
pub use self::subscription::Subscription;
use super::record;
use crate::error::LevelError;
use crate::model::{CacheKey, Entry};
use crate::settings::L2Settings;

/// Every key begins with it: a Redis is often shared, and what is not ours is never touched.
const PREFIX: &str = "anteroom:v1:";
/// Writes are off the response path and may carry large records: so many times longer than a
/// lookup they may take.
const WRITE_PATIENCE: u32 = 10;
/// Records from this size on are read on another thread: inflating them takes milliseconds, for
/// which other lookups would wait.
const DECODE_ELSEWHERE_FROM: usize = 16 * 1024;
/// Redis refuses expiries near the end of its clock; a century is as good as ever.
const MAX_EXPIRY_MS: u64 = 100 * 365 * 24 * 60 * 60 * 1_000;

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// The record is there.
    Stored,
    /// Nothing was sent: too large, or at its end within the millisecond.
    NotWorth,
}

/// Records in one Redis server. No call waits for a connection except [`Self::connect`] and
/// [`Self::shared_secret`]; all have deadlines.
pub struct RedisStore {
    connections: Connections,
    timeout: Duration,
    residence: Duration,
    max_record_bytes: usize,
}

impl RedisStore {
    /// Creates a store that is not connected yet.
    pub fn new(settings: &L2Settings) -> Self {
        Self {
            connections: Connections::new(settings),
            timeout: settings.timeout,
            residence: settings.residence,
            max_record_bytes: settings.max_record_bytes,
        }
    }

    /// Returns how many connections there are.
    pub fn num_connections(&self) -> usize {
        self.connections.live()
    }

    /// Tells whether [`Self::connect`] has something to do.
    pub fn lacks_connections(&self) -> bool {
        self.connections.missing() > 0
    }

    /// Returns the longest time a write may take.
    pub const fn write_timeout(&self) -> Duration {
        self.timeout.saturating_mul(WRITE_PATIENCE)
    }

    /// Asks where the server is, where sentinels tell that. If it is elsewhere than before, drops all
    /// connections and returns true.
    ///
    /// # Errors
    ///
    /// Why no sentinel told; connections stay then.
    pub async fn locate(&self) -> Result<bool, LevelError> {
        self.connections.locate().await
    }

    /// Opens the connections that are missing. Each is tried by a read before it is used.
    ///
    /// # Errors
    ///
    /// Why the first that failed did; those before it stay.
    pub async fn connect(&self) -> Result<(), LevelError> {
        let _is_elsewhere = self.locate().await?;
        for _ in 0..self.connections.missing() {
            self.connections.add(async |lent: &mut Lent| self.try_out(lent).await).await?;
        }
        Ok(())
    }

    /// Tries every connection by a read and drops those that fail.
    ///
    /// # Errors
    ///
    /// Why the last that failed did.
    pub async fn check(&self) -> Result<(), LevelError> {
        let mut outcome = Ok(());
        for mut lent in self.connections.lend_all() {
            if let Err(error) = self.try_out(&mut lent).await {
                self.connections.discard(&lent);
                outcome = Err(error);
            }
        }
        outcome
    }

    /// Drops all connections. Replies that are still on their way answer nothing any more.
    pub fn disconnect(&self) {
        self.connections.discard_all();
    }

    /// Reads the entry of `key`.
    ///
    /// At most one byte more than the largest record is read, so that a huge value is a miss
    /// and not a burden.
    ///
    /// # Errors
    ///
    /// [`LevelError::Damaged`] when something else than a record of `key` is there,
    /// [`LevelError::Skipped`] without a connection, else what the server's failure means.
    pub async fn get(&self, key: &CacheKey) -> Result<Option<Entry>, LevelError> {
        let mut command = cmd("GETRANGE");
        command.arg(name(key)).arg(0).arg(self.max_record_bytes);
        let record: Bytes = match self.run("a read from Redis", &command, self.timeout).await {
            Err(LevelError::Refused { reason, .. }) if reason == failure::WRONG_TYPE => {
                return Err(LevelError::Damaged("the value is not a string"));
            }
            reply => reply?,
        };
        if record.is_empty() || record.len() > self.max_record_bytes {
            return Ok(None);
        }
        let (key, most) = (*key, self.max_record_bytes);
        if record.len() < DECODE_ELSEWHERE_FROM {
            return record::decode(&key, &record, most).map(Some);
        }
        let decoded = tokio::task::spawn_blocking(move || record::decode(&key, &record, most));
        decoded.await.unwrap_or(Err(LevelError::Skipped("no thread to read the record"))).map(Some)
    }

    /// Writes `entry`, its body as `packed` where that is given, to be gone after its residence or remaining use, whichever is shorter.
    ///
    /// # Errors
    ///
    /// [`LevelError::Skipped`] without a connection, else what the server's failure means.
    pub async fn put(
        &self,
        entry: &Entry,
        packed: Option<&Bytes>,
        wall_ms: u64,
    ) -> Result<Written, LevelError> {
        let stay = entry.freshness.useful_for(wall_ms).min(self.residence);
        let stay_ms = u64::try_from(stay.as_millis()).unwrap_or(u64::MAX).min(MAX_EXPIRY_MS);
        if stay_ms == 0 || record::encoded_len(entry) > self.max_record_bytes {
            return Ok(Written::NotWorth);
        }
        let mut command = cmd("SET");
        command.arg(name(&entry.key)).arg(record::encode(entry, packed)).arg("PX").arg(stay_ms);
        let () = self.run("a write to Redis", &command, self.write_timeout()).await?;
        Ok(Written::Stored)
    }

    /// Removes what is stored under `key`.
    ///
    /// # Errors
    ///
    /// [`LevelError::Skipped`] without a connection, else what the server's failure means.
    pub async fn delete(&self, key: &CacheKey) -> Result<(), LevelError> {
        let mut command = cmd("DEL");
        command.arg(name(key));
        self.run("a removal from Redis", &command, self.write_timeout()).await
    }

    /// Returns the secret that all gateways of this Redis share: the one that is there, or
    /// `proposal` if this call is the first. Connects if need be.
    ///
    /// # Errors
    ///
    /// [`LevelError::Damaged`] when something else lies in its place, else what the server's
    /// failure means.
    pub async fn shared_secret(&self, proposal: [u8; 32]) -> Result<[u8; 32], LevelError> {
        if self.connections.live() == 0 {
            self.connect().await?;
        }
        // Asked first: a read-only replica may have it, and refuses the offer.
        if let Some(secret) = self.read_secret().await? {
            return Ok(secret);
        }
        let mut offer = cmd("SET");
        offer.arg(secret_name()).arg(hex(&proposal)).arg("NX");
        let _refused_if_there: Option<String> =
            self.run("an offer of the scope secret", &offer, self.write_timeout()).await?;
        self.read_secret().await?.ok_or(LevelError::Damaged("the scope secret did not stay"))
    }

    async fn read_secret(&self) -> Result<Option<[u8; 32]>, LevelError> {
        let mut command = cmd("GETRANGE");
        command.arg(secret_name()).arg(0).arg(2 * CacheKey::LEN);
        let text: Bytes =
            self.run("a read of the scope secret", &command, self.write_timeout()).await?;
        if text.is_empty() {
            return Ok(None);
        }
        unhex(&text).map(Some).ok_or(LevelError::Damaged("the scope secret has another form"))
    }

    /// Reads as a lookup does, from a place that is always empty: `PING` would also answer a
    /// user who may not read. Where sentinels told of a master, what is there must take writes too.
    async fn try_out(&self, lent: &mut Lent) -> Result<(), LevelError> {
        const WHAT: &str = "a probe of Redis";
        let probe = format!("{PREFIX}probe");
        let mut command = cmd("GETRANGE");
        command.arg(&probe).arg(0).arg(0);
        let _empty: Bytes = lent.run(WHAT, &command, self.timeout).await?;
        if !self.connections.lead_to_master() {
            return Ok(());
        }
        let mut command = cmd("DEL");
        command.arg(probe);
        let written: Result<i64, LevelError> = lent.run(WHAT, &command, self.timeout).await;
        // A master may refuse writes for a time, being full say.
        written.map(|_| ()).or_else(|error| if error.trips_breaker() { Err(error) } else { Ok(()) })
    }

    async fn run<T: FromRedisValue>(
        &self,
        what: &'static str,
        command: &Cmd,
        deadline: Duration,
    ) -> Result<T, LevelError> {
        let mut lent = self.connections.lend().ok_or(LevelError::Skipped("no connection"))?;
        let reply = lent.run(what, command, deadline).await;
        if reply.as_ref().is_err_and(LevelError::trips_breaker) {
            self.connections.discard(&lent);
        }
        reply
    }
}

fn name(key: &CacheKey) -> String {
    format!("{PREFIX}{}", key.to_hex())
}

fn secret_name() -> String {
    format!("{PREFIX}secret")
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Returns `None` for anything but 64 hexadecimal digits.
fn unhex(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digits = str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_64_hexadecimal_digits_is_no_secret() {
        for text in [String::new(), "0".repeat(63), "0".repeat(65), "+f".repeat(32), "é".repeat(32)]
        {
            assert_eq!(unhex(text.as_bytes()), None, "{text}");
        }
        assert_eq!(unhex(&[0xff; 64]), None);
    }

    proptest! {
        #[test]
        fn a_secret_survives_its_text_form(secret in any::<[u8; 32]>()) {
            prop_assert_eq!(unhex(hex(&secret).as_bytes()), Some(secret));
        }
    }
}
