//! One open connection, and how to come to it.

use std::time::Duration;

use diesel::connection::TransactionManager as _;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

use super::failure::Failure;
use super::postgres::PostgresServer;
use super::schema::__diesel_schema_migrations as applied;
use super::sqlite::SqliteFile;
use crate::settings::{ConversationSettings, Database as Place, L3Settings};

pub(super) const SQLITE_MIGRATIONS: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");
pub(super) const POSTGRES_MIGRATIONS: EmbeddedMigrations =
    embed_migrations!("../migrations/postgres");
pub(super) const SQLITE_CONVERSATIONS: EmbeddedMigrations =
    embed_migrations!("../migrations/conversations/sqlite");
pub(super) const POSTGRES_CONVERSATIONS: EmbeddedMigrations =
    embed_migrations!("../migrations/conversations/postgres");

/// A connection, used by one thread at a time.
pub(super) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// Runs the same expression on either connection.
macro_rules! either {
    ($connection:expr, $open:ident => $body:expr) => {
        match $connection {
            $crate::store::database::connection::Connection::Sqlite($open) => $body,
            $crate::store::database::connection::Connection::Postgres($open) => $body,
        }
    };
}
pub(super) use either;

impl Connection {
    /// Tells whether a transaction was left in a state nobody knows.
    pub(super) fn is_broken(&mut self) -> bool {
        match self {
            Self::Sqlite(open) => {
                <SqliteConnection as diesel::Connection>::TransactionManager::is_broken_transaction_manager(open)
            }
            Self::Postgres(open) => {
                <PgConnection as diesel::Connection>::TransactionManager::is_broken_transaction_manager(open)
            }
        }
    }
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Lookups: nothing waits long.
    Reading,
    /// Batches, upkeep: behind the response, may wait a little.
    Writing,
    /// Turns of conversations, with a caller waiting: what is committed stays.
    Conversing,
}

/// Opens connections to the one database of the settings; shared by all threads.
#[derive(Debug)]
pub(super) enum Opener {
    Sqlite(SqliteFile),
    Postgres(PostgresServer),
}

impl Opener {
    pub(super) fn new(settings: &L3Settings) -> Self {
        match &settings.database {
            Place::Sqlite(path) => Self::Sqlite(SqliteFile::new(path, settings.timeout)),
            Place::Postgres(url) => {
                Self::Postgres(PostgresServer::new(url, settings.timeout, settings.connect_timeout))
            }
        }
    }

    /// Of the conversations, whose file is one of their own and never moved aside.
    pub(super) fn of_conversations(settings: &ConversationSettings) -> Self {
        match &settings.database {
            Place::Sqlite(path) => Self::Sqlite(SqliteFile::kept(path, settings.timeout)),
            Place::Postgres(url) => {
                Self::Postgres(PostgresServer::new(url, settings.timeout, settings.connect_timeout))
            }
        }
    }

    /// Opens a connection; the schema is there when this returns.
    pub(super) fn open(&self, purpose: Purpose, wall_ms: u64) -> Result<Connection, Failure> {
        match self {
            Self::Sqlite(file) => file.open(purpose, wall_ms).map(Connection::Sqlite),
            Self::Postgres(server) => server.open(purpose).map(Connection::Postgres),
        }
    }

    /// Returns how long [`Self::open`] may take before its thread counts as stuck.
    pub(super) fn open_at_most(&self) -> Duration {
        match self {
            Self::Sqlite(_) => Duration::from_secs(30),
            Self::Postgres(server) => server.open_at_most(),
        }
    }

    /// Returns how long one job may take before its thread counts as stuck.
    ///
    /// A server's statements are cut by its own time-out before. A file is on a disk, which may
    /// be slow and comes back by itself.
    pub(super) const fn job_at_most(&self, purpose: Purpose) -> Duration {
        match (self, purpose) {
            (Self::Sqlite(_), _) => Duration::from_secs(30),
            (Self::Postgres(_), Purpose::Reading) => Duration::from_secs(1),
            (Self::Postgres(_), Purpose::Writing | Purpose::Conversing) => Duration::from_secs(3),
        }
    }

    /// Notes that a working file turned out to be damaged, for the next start to see.
    pub(super) fn note_damage(&self) {
        if let Self::Sqlite(file) = self {
            file.note_damage();
        }
    }

    /// Returns what the operator should know about how the database was found.
    pub(super) fn notice(&self) -> Option<String> {
        match self {
            Self::Sqlite(file) => file.notice(),
            Self::Postgres(_) => None,
        }
    }
}

/// Tells whether each of `migrations` has been applied, without writing anything.
pub(super) fn is_up_to_date<C>(connection: &mut C, migrations: &EmbeddedMigrations) -> bool
where
    C: diesel::connection::LoadConnection,
    EmbeddedMigrations: MigrationSource<C::Backend>,
    applied::version: diesel::query_builder::QueryFragment<C::Backend>,
    for<'a> diesel::dsl::Select<applied::table, applied::version>:
        diesel::query_dsl::LoadQuery<'a, C, String>,
{
    let Ok(wanted) = MigrationSource::<C::Backend>::migrations(migrations) else { return false };
    let Ok(present) = applied::table.select(applied::version).load::<String>(connection) else {
        return false;
    };
    wanted.iter().all(|migration| {
        let version = migration.name().version().to_string();
        present.contains(&version)
    })
}
