//! A PostgreSQL server: how to reach it without waiting long, and without telling its password.

use std::time::Duration;

use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness as _};

use super::connection::{POSTGRES_CONVERSATIONS, POSTGRES_MIGRATIONS, Purpose, is_up_to_date};
use super::failure::{Failure, reason};

/// Connection parameters we set where the URL does not: a peer that vanished is noticed while
/// data is under way (milliseconds) and while idle (seconds).
const PARAMETERS: [(&str, &str); 5] = [
    ("tcp_user_timeout", "3000"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "1"),
    ("keepalives_count", "3"),
    ("application_name", "anteroom"),
];
/// Any number, the same in every gateway: holds the others back while one changes the schema.
const MIGRATION_LOCK: i64 = 0x616e_7465_726f_6f6d;
/// Time-out of statements that write; those that read get twice the lookup's wait.
const WRITE_STATEMENT: Duration = Duration::from_secs(2);

/// Where the server is.
pub(super) struct PostgresServer {
    url: String,
    read_statement: Duration,
    connect: Duration,
    /// Settings of the session that the URL's `options` already have.
    keeps_statement_timeout: bool,
    keeps_synchronous_commit: bool,
    secrets: Vec<String>,
}

impl PostgresServer {
    /// Names the server. A lookup waits at most for `timeout`.
    pub(super) fn new(url: &str, timeout: Duration, connect_timeout: Duration) -> Self {
        // libpq counts whole seconds, and 0 means for ever.
        let connect_secs = connect_timeout.as_millis().div_ceil(1_000).max(1);
        let connect = Duration::from_secs(u64::try_from(connect_secs).unwrap_or(u64::MAX));
        let (authority, query) = split(url);
        let connect_text = connect_secs.to_string();
        let added = std::iter::once(("connect_timeout", connect_text.as_str())).chain(PARAMETERS);
        let mut full = url.to_owned();
        let mut joint = match query {
            None => '?',
            Some(_) => '&',
        };
        for (name, value) in added {
            if !has_parameter(query, name) {
                full.push(joint);
                full.push_str(name);
                full.push('=');
                full.push_str(value);
                joint = '&';
            }
        }
        let options = parameter(query, "options").unwrap_or_default();
        Self {
            url: full,
            read_statement: timeout.saturating_mul(2).max(Duration::from_millis(1)),
            connect,
            keeps_statement_timeout: options.contains("statement_timeout"),
            keeps_synchronous_commit: options.contains("synchronous_commit"),
            secrets: secrets(url, authority, query),
        }
    }

    /// Opens a session; the schema is there when this returns.
    pub(super) fn open(&self, purpose: Purpose) -> Result<PgConnection, Failure> {
        let mut open = PgConnection::establish(&self.url)
            .map_err(|error| Failure::Lost(self.scrubbed(&error.to_string())))?;
        self.prepare(&mut open, purpose).map_err(|failure| match failure {
            Failure::Refused(text) => Failure::Refused(self.scrubbed(&text)),
            Failure::Lost(text) => Failure::Lost(self.scrubbed(&text)),
            other => other,
        })?;
        Ok(open)
    }

    /// `localhost` may stand for two addresses, each waited for in its turn.
    pub(super) fn open_at_most(&self) -> Duration {
        self.connect.saturating_mul(2).saturating_add(Duration::from_secs(1))
    }

    fn prepare(&self, open: &mut PgConnection, purpose: Purpose) -> Result<(), Failure> {
        self.set_statement_timeout(open, WRITE_STATEMENT)?;
        if purpose == Purpose::Conversing {
            // An acknowledged turn stays, whatever the URL says of the cache's.
            set(open, "SET synchronous_commit = on")?;
            if !is_up_to_date(open, &POSTGRES_CONVERSATIONS) {
                migrate(open, POSTGRES_CONVERSATIONS)?;
            }
            return Ok(());
        }
        if !self.keeps_synchronous_commit {
            // A cache may lose its last moments; D1: 209 commits a second become 10,000.
            set(open, "SET synchronous_commit = off")?;
        }
        if !is_up_to_date(open, &POSTGRES_MIGRATIONS) {
            migrate(open, POSTGRES_MIGRATIONS)?;
        }
        if purpose == Purpose::Reading {
            self.set_statement_timeout(open, self.read_statement)?;
        }
        Ok(())
    }

    fn set_statement_timeout(
        &self,
        open: &mut PgConnection,
        at_most: Duration,
    ) -> Result<(), Failure> {
        if self.keeps_statement_timeout {
            return Ok(());
        }
        set(open, &format!("SET statement_timeout = {}", at_most.as_millis()))
    }

    /// Takes out of a text of libpq what it may have repeated of the URL.
    fn scrubbed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret.as_str(), "***");
        }
        reason(&text)
    }
}

impl std::fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresServer").field("connect", &self.connect).finish_non_exhaustive()
    }
}

fn set(open: &mut PgConnection, statement: &str) -> Result<(), Failure> {
    diesel::sql_query(statement)
        .execute(open)
        .map(|_| ())
        .map_err(|error| Failure::of_statement(&error, WRITE_STATEMENT))
}

fn migrate(open: &mut PgConnection, migrations: EmbeddedMigrations) -> Result<(), Failure> {
    use diesel::result::Error;
    open.transaction(|open| {
        diesel::sql_query(format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            .execute(open)?;
        open.run_pending_migrations(migrations).map(|_| ()).map_err(Error::QueryBuilderError)
    })
    .map_err(|error| match error {
        Error::QueryBuilderError(error) => Failure::of_text(&error.to_string(), WRITE_STATEMENT),
        other => Failure::of_statement(&other, WRITE_STATEMENT),
    })
}

/// Returns a URL's user and host part, and its parameters, as libpq cuts it: the user part ends
/// at the first `@` that stands before any `/`.
fn split(url: &str) -> (&str, Option<&str>) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let (user, rest) = match rest.split_once('@') {
        Some((user, rest)) if !user.contains('/') => (user, rest),
        _ => ("", rest),
    };
    (user, rest.split_once('?').map(|(_, query)| query))
}

fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

fn has_parameter(query: Option<&str>, name: &str) -> bool {
    parameter(query, name).is_some()
}

/// Returns all that may not be told, longest first.
fn secrets(url: &str, user: &str, query: Option<&str>) -> Vec<String> {
    let passwords = [
        user.split_once(':').map(|(_, password)| password),
        parameter(query, "password"),
        parameter(query, "sslpassword"),
    ];
    let mut secrets = vec![url.to_owned()];
    for password in passwords.into_iter().flatten().filter(|password| !password.is_empty()) {
        secrets.push(password.to_owned());
        secrets.push(decoded(password));
    }
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

/// Resolves `%41` and the like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = match (first, tail) {
            (b'%', [high, low, ..]) => [*high, *low],
            _ => [0, 0],
        };
        let number = std::str::from_utf8(&digits).ok().and_then(|d| u8::from_str_radix(d, 16).ok());
        bytes.push(number.unwrap_or(*first));
        rest = if number.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> PostgresServer {
        PostgresServer::new(url, Duration::from_millis(20), Duration::from_millis(1_200))
    }

    #[test]
    fn what_the_url_says_is_kept_and_the_rest_added() {
        let full =
            server("postgres://u:p?w@h/db?connect_timeout=9&options=-c%20statement_timeout%3D5");
        assert_eq!(full.url.matches("connect_timeout=").count(), 1);
        assert!(full.url.contains("connect_timeout=9&"), "{}", full.url);
        assert!(full.url.contains("&tcp_user_timeout=3000"), "{}", full.url);
        assert!(full.keeps_statement_timeout && !full.keeps_synchronous_commit);

        let bare = server("postgres://u:p?w@h/db");
        assert!(bare.url.starts_with("postgres://u:p?w@h/db?connect_timeout=2&"), "{}", bare.url);
    }

    #[test]
    fn no_part_of_a_text_tells_the_password() {
        let url = "postgres://u:p%40ss@h/db?sslpassword=key";
        let server = server(url);
        let scrubbed = server.scrubbed(&format!("bad {url}: p@ss, p%40ss or key"));
        assert_eq!(scrubbed, "bad ***: ***, *** or ***");
        assert!(!format!("{server:?}").contains("ss@"));
    }
}
