//! Few connections, each used by many at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, RedisResult};
use deadpool_redis::{Connection, Manager, Pool, PoolConfig, Runtime, Timeouts};
use parking_lot::Mutex;

use super::failure;
use crate::error::LevelError;
use crate::settings::L2Settings;

/// Connections checked out of a pool once and held; commands go over clones, in turn.
///
/// A checkout per command would cost a round trip each time (DESIGN R1); a bare multiplexed
/// connection never reconnects: one that failed is taken out, and [`Self::fill`] replaces it.
pub(super) struct Connections {
    pool: Option<Pool>,
    size: usize,
    connect_timeout: Duration,
    held: Mutex<Vec<Held>>,
    turn: AtomicUsize,
    ids: AtomicUsize,
}

struct Held {
    id: usize,
    connection: Connection,
}

/// One connection, lent for one command.
#[derive(Clone)]
pub(super) struct Lent {
    id: usize,
    connection: MultiplexedConnection,
}

impl Connections {
    /// Creates an empty set; connects nowhere.
    pub(super) fn new(settings: &L2Settings) -> Self {
        let size = settings.connections.max(1);
        Self {
            pool: pool(settings, size),
            size,
            connect_timeout: settings.connect_timeout,
            held: Mutex::default(),
            turn: AtomicUsize::new(0),
            ids: AtomicUsize::new(0),
        }
    }

    /// Returns how many there are.
    pub(super) fn live(&self) -> usize {
        self.held.lock().len()
    }

    /// Returns how many are missing.
    pub(super) fn missing(&self) -> usize {
        self.size.saturating_sub(self.live())
    }

    /// Lends the next one, if there is any; never waits.
    pub(super) fn lend(&self) -> Option<Lent> {
        let held = self.held.lock();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let next = held.get(turn.checked_rem(held.len())?)?;
        Some(Lent { id: next.id, connection: (*next.connection).clone() })
    }

    /// Lends each one.
    pub(super) fn lend_all(&self) -> Vec<Lent> {
        let lend = |held: &Held| Lent { id: held.id, connection: (*held.connection).clone() };
        self.held.lock().iter().map(lend).collect()
    }

    /// Takes the connection of `lent` out: no later command uses it.
    pub(super) fn discard(&self, lent: &Lent) {
        let mut held = self.held.lock();
        if let Some(place) = held.iter().position(|held| held.id == lent.id) {
            take(held.swap_remove(place));
        }
    }

    /// Takes all connections out.
    pub(super) fn discard_all(&self) {
        self.held.lock().drain(..).for_each(take);
    }

    /// Opens one connection, unless none is missing. It is used once `tested` has found it good.
    ///
    /// # Errors
    ///
    /// What stood in the way, within the connect time-out and what `tested` takes.
    pub(super) async fn add(
        &self,
        tested: impl AsyncFnOnce(&mut Lent) -> Result<(), LevelError>,
    ) -> Result<(), LevelError> {
        let Some(pool) = &self.pool else {
            let reason = "the URL is not one of a Redis server".to_owned();
            return Err(LevelError::Unreachable { what: "Redis", reason });
        };
        let connection = pool
            .get()
            .await
            .map_err(|error| failure::checkout_error(self.connect_timeout, &error))?;
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let new = Held { id, connection };
        let mut lent = Lent { id, connection: (*new.connection).clone() };
        if let Err(error) = tested(&mut lent).await {
            take(new);
            return Err(error);
        }
        let mut held = self.held.lock();
        if held.len() < self.size {
            held.push(new);
        }
        Ok(())
    }
}

impl Lent {
    /// Sends `command` and waits for its reply, at most for `deadline`.
    ///
    /// # Errors
    ///
    /// What the time-out, the connection or the server's refusal means for the level.
    pub(super) async fn run<T: FromRedisValue>(
        &mut self,
        what: &'static str,
        command: &Cmd,
        deadline: Duration,
    ) -> Result<T, LevelError> {
        self.connection.set_response_timeout(deadline);
        in_time(what, deadline, command.query_async(&mut self.connection)).await
    }

    /// As [`Self::run`], for several commands in one round trip.
    ///
    /// # Errors
    ///
    /// As [`Self::run`].
    pub(super) async fn run_all<T: FromRedisValue>(
        &mut self,
        what: &'static str,
        commands: &Pipeline,
        deadline: Duration,
    ) -> Result<T, LevelError> {
        self.connection.set_response_timeout(deadline);
        in_time(what, deadline, commands.query_async(&mut self.connection)).await
    }
}

/// The library's own time-out leaves out the wait for a place in the connection's queue.
async fn in_time<T>(
    what: &'static str,
    deadline: Duration,
    reply: impl Future<Output = RedisResult<T>>,
) -> Result<T, LevelError> {
    match tokio::time::timeout(deadline, reply).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(error)) => Err(failure::level_error(what, deadline, &error)),
        Err(_) => Err(LevelError::TimedOut { what, waited: deadline }),
    }
}

/// Removes a connection from its pool too, which would otherwise hand it out again.
fn take(held: Held) {
    drop(Connection::take(held.connection));
}

/// Returns `None` for a URL the library does not take.
fn pool(settings: &L2Settings, size: usize) -> Option<Pool> {
    let connection = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(settings.connect_timeout))
        .set_response_timeout(Some(settings.timeout));
    let manager = Manager::new_with_config(settings.url.as_str(), connection).ok()?;
    let patience = Some(settings.connect_timeout);
    let timeouts = Timeouts { wait: patience, create: patience, recycle: patience };
    Pool::builder(manager)
        .config(PoolConfig { max_size: size, timeouts, ..PoolConfig::default() })
        .runtime(Runtime::Tokio1)
        .build()
        .ok()
}
