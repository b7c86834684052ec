//! Where the server is, by the word of Redis Sentinel.
//!
//! The library's own client of Sentinel asks the server for its role, which a user who may do little
//! may not, and keeps connections of its own; the question itself is one command.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_redis::redis::{AsyncConnectionConfig, Client, ConnectionInfo, cmd};

use super::failure;
use super::sentinel_url::SentinelUrl;
use crate::error::LevelError;

const WHAT: &str = "a question to Redis Sentinel";

/// The sentinels that know the server's address. Nothing is kept open between two questions.
pub(super) struct Sentinels {
    url: SentinelUrl,
    /// The one that answered last is asked first: one that is away costs its share of the time once.
    first: AtomicUsize,
}

impl Sentinels {
    /// Returns nothing for a URL that is of a server itself.
    pub(super) fn of(url: &str) -> Option<Self> {
        Some(Self { url: SentinelUrl::parse(url)?, first: AtomicUsize::new(0) })
    }

    /// Returns where the master is and how to reach it, by the first sentinel that knows it; each is
    /// waited for in its turn, together at most for `patience`.
    ///
    /// # Errors
    ///
    /// Why the last one asked did not tell.
    pub(super) async fn master(&self, patience: Duration) -> Result<ConnectionInfo, LevelError> {
        let all = self.url.sentinels();
        let share = u32::try_from(all.len()).ok().and_then(|count| patience.checked_div(count));
        let share = share.unwrap_or(patience);
        let mut outcome = Err(LevelError::TimedOut { what: WHAT, waited: patience });
        let first = self.first.load(Ordering::Relaxed);
        for (place, sentinel) in all.iter().enumerate().cycle().skip(first).take(all.len()) {
            outcome = self.ask(sentinel, share).await;
            if outcome.is_ok() {
                self.first.store(place, Ordering::Relaxed);
                break;
            }
        }
        outcome
    }

    async fn ask(
        &self,
        sentinel: &ConnectionInfo,
        patience: Duration,
    ) -> Result<ConnectionInfo, LevelError> {
        let waits = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(patience));
        let answer = async {
            let client = Client::open(sentinel.clone())?;
            let mut connection =
                client.get_multiplexed_async_connection_with_config(&waits).await?;
            let mut question = cmd("SENTINEL");
            question.arg("get-master-addr-by-name").arg(self.url.name());
            question.query_async::<Option<(String, u16)>>(&mut connection).await
        };
        match failure::in_time(WHAT, patience, failure::level_error, answer).await? {
            Some((host, port)) => Ok(self.url.server_at(host, port)),
            None => {
                let reason = "no master of that name is known".to_owned();
                Err(LevelError::Unreachable { what: WHAT, reason })
            }
        }
    }
}
