//! Claims in Redis: who asks the origin for a key, for as long as a lease.
//!
//! `anteroom:v1:flight:<key>` holds the token of the flight that asks, or [`NOT_KEPT`] after a call
//! whose answer was not kept. Each step is a script: a holder whose lease ran out must not touch its
//! successor's claim.

use std::time::Duration;

use deadpool_redis::redis::cmd;

use super::{PREFIX, RedisStore, name};
use crate::error::LevelError;
use crate::message::{Claim, Claimed, Release, Renew};
use crate::model::CacheKey;

/// Stands in the place of a token: those who wait go without a claim.
const NOT_KEPT: &str = "-";
/// How long it stands: some times the longest pause between two looks of those who wait.
const NOT_KEPT_FOR: Duration = Duration::from_secs(2);

/// Answers 0 or 1 where the claim holds: whether something is kept under the key; 2 where another one
/// does, 3 where everyone goes without.
const CLAIM: &str = "local holder = redis.call('GET', KEYS[1]) \
    if holder == ARGV[3] then return 3 end \
    if holder then return 2 end \
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) \
    return redis.call('EXISTS', KEYS[2])";
const RENEW: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
    return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0";
const REMOVE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
    return redis.call('DEL', KEYS[1]) end return 0";
const SET_FREE: &str = "if redis.call('GET', KEYS[1]) == ARGV[1] then \
    redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) return 1 end return 0";

impl RedisStore {
    /// Claims a key, unless it is claimed.
    ///
    /// # Errors
    ///
    /// [`LevelError::Skipped`] without a connection, else what the server's failure means.
    pub async fn claim(&self, claim: &Claim) -> Result<Claimed, LevelError> {
        let mut script = cmd("EVAL");
        script.arg(CLAIM).arg(2).arg(flight_name(&claim.key)).arg(name(&claim.key));
        script.arg(claim.token.to_string()).arg(lease_ms(claim.lease)).arg(NOT_KEPT);
        let answer: i64 = self.run("a claim in Redis", &script, self.timeout).await?;
        Ok(match answer {
            0 => Claimed::Granted { kept: false },
            1 => Claimed::Granted { kept: true },
            2 => Claimed::Held,
            _ => Claimed::Alone,
        })
    }

    /// Lengthens a claim, if it holds still; returns whether it does.
    ///
    /// # Errors
    ///
    /// [`LevelError::Skipped`] without a connection, else what the server's failure means.
    pub async fn renew(&self, renew: &Renew) -> Result<bool, LevelError> {
        let mut script = cmd("EVAL");
        script.arg(RENEW).arg(1).arg(flight_name(&renew.key));
        script.arg(renew.token.to_string()).arg(lease_ms(renew.lease));
        self.run("a renewal of a claim in Redis", &script, self.timeout).await
    }

    /// Ends a claim, if it holds still; returns whether it did.
    ///
    /// # Errors
    ///
    /// [`LevelError::Skipped`] without a connection, else what the server's failure means.
    pub async fn release(&self, release: &Release) -> Result<bool, LevelError> {
        let mut script = cmd("EVAL");
        script.arg(if release.kept { REMOVE } else { SET_FREE });
        script.arg(1).arg(flight_name(&release.key)).arg(release.token.to_string());
        if !release.kept {
            script.arg(NOT_KEPT).arg(lease_ms(NOT_KEPT_FOR));
        }
        self.run("a release of a claim in Redis", &script, self.timeout).await
    }
}

fn flight_name(key: &CacheKey) -> String {
    format!("{PREFIX}flight:{}", key.to_hex())
}

/// Redis takes no lease of nothing.
fn lease_ms(lease: Duration) -> u64 {
    u64::try_from(lease.as_millis()).unwrap_or(u64::MAX).max(1)
}
