//! Hearing at once that another gateway has purged something. Never needed: a poll hears it too.

use std::time::Duration;

use deadpool_redis::redis::aio::PubSub;
use deadpool_redis::redis::{Client, IntoConnectionInfo as _};
use futures_util::StreamExt as _;

use super::sentinels::Sentinels;
use super::{failure, purges};
use crate::error::LevelError;
use crate::settings::L2Settings;

/// A connection that gets what is called out, and nothing else.
pub struct Subscription(PubSub);

impl Subscription {
    /// Connects and subscribes.
    ///
    /// # Errors
    ///
    /// What stood in the way, within twice the connect time-out.
    pub async fn open(settings: &L2Settings) -> Result<Self, LevelError> {
        const WHAT: &str = "a subscription in Redis";
        let waited: Duration = settings.connect_timeout.saturating_mul(2);
        let failed = |error| failure::level_error(WHAT, waited, &error);
        let opened = async {
            let server = match Sentinels::of(&settings.url) {
                Some(sentinels) => sentinels.master(settings.connect_timeout).await?,
                None => settings.url.as_str().into_connection_info().map_err(failed)?,
            };
            let client = Client::open(server).map_err(failed)?;
            let mut connection = client.get_async_pubsub().await.map_err(failed)?;
            connection.subscribe(purges::set()).await.map_err(failed)?;
            Ok(Self(connection))
        };
        let late = LevelError::TimedOut { what: WHAT, waited };
        tokio::time::timeout(waited, opened).await.unwrap_or(Err(late))
    }

    /// Waits for the next call; false once the connection has ended.
    pub async fn next(&mut self) -> bool {
        self.0.on_message().next().await.is_some()
    }
}
