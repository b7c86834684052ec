//! Few connections, each used by many at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, FromRedisValue,
    IntoConnectionInfo as _, Pipeline,
};
use deadpool_redis::{Connection, Manager, Pool, PoolConfig, Runtime, Timeouts};
use parking_lot::Mutex;

use super::failure::{self, Meaning};
use super::sentinels::Sentinels;
use crate::error::LevelError;
use crate::settings::L2Settings;

/// Connections checked out of a pool once and held; commands go over clones, in turn.
///
/// A checkout per command would cost a round trip each time (DESIGN R1); a bare multiplexed
/// connection never reconnects: one that failed is taken out, and [`Self::add`] replaces it.
pub(super) struct Connections {
    /// Who tell where the server is, where it may change its place.
    sentinels: Option<Sentinels>,
    /// The way to the server, once it is known. What is held came by it.
    way: Mutex<Option<Way>>,
    size: usize,
    timeout: Duration,
    connect_timeout: Duration,
    held: Mutex<Vec<Held>>,
    turn: AtomicUsize,
    ids: AtomicUsize,
}

struct Way {
    address: ConnectionAddr,
    pool: Pool,
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
    meaning: Meaning,
}

impl Connections {
    /// Creates an empty set; connects nowhere.
    pub(super) fn new(settings: &L2Settings) -> Self {
        let sentinels = Sentinels::of(&settings.url);
        let server = match &sentinels {
            Some(_) => None,
            None => settings.url.as_str().into_connection_info().ok(),
        };
        let new = Self {
            sentinels,
            way: Mutex::default(),
            size: settings.connections.max(1),
            timeout: settings.timeout,
            connect_timeout: settings.connect_timeout,
            held: Mutex::default(),
            turn: AtomicUsize::new(0),
            ids: AtomicUsize::new(0),
        };
        *new.way.lock() = server.and_then(|server| new.way_to(server));
        new
    }

    /// Tells whether each must lead to a server that takes writes.
    pub(super) const fn lead_to_master(&self) -> bool {
        self.sentinels.is_some()
    }

    /// Asks where the server is, where it may change its place. If it is elsewhere than before, takes
    /// all connections out and returns true.
    ///
    /// # Errors
    ///
    /// Why no sentinel told, within the connect time-out.
    pub(super) async fn locate(&self) -> Result<bool, LevelError> {
        let Some(sentinels) = &self.sentinels else { return Ok(false) };
        let server = sentinels.master(self.connect_timeout).await?;
        let known = self.way.lock().as_ref().map(|way| way.address == *server.addr());
        if known == Some(true) {
            return Ok(false);
        }
        *self.way.lock() = self.way_to(server);
        self.discard_all();
        Ok(known.is_some())
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
        Some(self.lent(next))
    }

    /// Lends each one.
    pub(super) fn lend_all(&self) -> Vec<Lent> {
        self.held.lock().iter().map(|held| self.lent(held)).collect()
    }

    fn lent(&self, held: &Held) -> Lent {
        let connection = (*held.connection).clone();
        let meaning =
            if self.lead_to_master() { failure::master_error } else { failure::level_error };
        Lent { id: held.id, connection, meaning }
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
        let pool = self.way.lock().as_ref().map(|way| way.pool.clone());
        let Some(pool) = pool else {
            let reason = "the URL is not one of a Redis server".to_owned();
            return Err(LevelError::Unreachable { what: "Redis", reason });
        };
        let connection = pool
            .get()
            .await
            .map_err(|error| failure::checkout_error(self.connect_timeout, &error))?;
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let new = Held { id, connection };
        let mut lent = self.lent(&new);
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

    /// Returns `None` for what the library does not take.
    fn way_to(&self, server: ConnectionInfo) -> Option<Way> {
        let address = server.addr().clone();
        let connection = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.timeout));
        let manager = Manager::new_with_config(server, connection).ok()?;
        let patience = Some(self.connect_timeout);
        let timeouts = Timeouts { wait: patience, create: patience, recycle: patience };
        let pool = Pool::builder(manager)
            .config(PoolConfig { max_size: self.size, timeouts, ..PoolConfig::default() })
            .runtime(Runtime::Tokio1)
            .build()
            .ok()?;
        Some(Way { address, pool })
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
        let reply = command.query_async(&mut self.connection);
        failure::in_time(what, deadline, self.meaning, reply).await
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
        let reply = commands.query_async(&mut self.connection);
        failure::in_time(what, deadline, self.meaning, reply).await
    }
}

/// Removes a connection from its pool too, which would otherwise hand it out again.
fn take(held: Held) {
    drop(Connection::take(held.connection));
}
