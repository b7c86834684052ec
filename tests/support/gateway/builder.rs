//! How a gateway is started.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use super::Gateway;
use super::running::Running;
use crate::support::postgres;
use crate::support::process::{self, variable};
use crate::support::provider::Provider;
use crate::support::redis::Redis;

/// How a gateway is started. Its environment holds nothing but what is set here.
pub struct Builder {
    env: BTreeMap<String, String>,
    config: Option<String>,
    /// The run's default, or SQLite, or a URL.
    database: Option<Option<String>>,
    inherited: Option<[OwnedFd; 2]>,
}

impl Builder {
    pub(super) fn new() -> Self {
        let env = [
            ("ANTEROOM_LISTEN", "127.0.0.1:0"),
            ("ANTEROOM_ADMIN_LISTEN", "127.0.0.1:0"),
            ("ANTEROOM__DATA_DIR", "data"),
            ("RUST_BACKTRACE", "1"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { env, config: None, database: None, inherited: None }
    }

    /// Sets a variable of its environment.
    ///
    /// Not its database, which would give way to the run's default: that is [`Builder::database`].
    #[track_caller]
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        assert_ne!(name, "DATABASE_URL", "the run's default would take its place");
        self.env.insert(name.to_owned(), value.to_string());
        self
    }

    /// Sends it to `provider` by default.
    pub fn upstream(self, provider: &Provider) -> Self {
        self.env("ANTEROOM_UPSTREAM_URL", provider.url())
    }

    /// Gives it an L2.
    pub fn redis(self, redis: &Redis) -> Self {
        self.env("REDIS_URL", redis.url())
    }

    /// Gives it this PostgreSQL database, whatever the run's default is.
    pub fn database(mut self, url: &str) -> Self {
        self.database = Some(Some(url.to_owned()));
        self
    }

    /// Gives it its own SQLite file, whatever the run's default is.
    pub fn sqlite(mut self) -> Self {
        self.database = Some(None);
        self
    }

    /// Starts it with this `config.yaml`; without, it runs on its defaults.
    pub fn config(mut self, yaml: &str) -> Self {
        self.config = Some(yaml.to_owned());
        self
    }

    /// Starts it as systemd does, with two sockets, or what takes their places.
    pub fn inherit(mut self, first: impl Into<OwnedFd>, second: impl Into<OwnedFd>) -> Self {
        self.inherited = Some([first.into(), second.into()]);
        self.env("LISTEN_FDS", 2)
    }

    /// Starts it and waits until both listeners are open.
    pub fn start(self) -> Gateway {
        self.try_start().unwrap_or_else(|failure| panic!("{failure}"))
    }

    /// As [`Builder::start`]; a gateway that ends instead is returned as status and log.
    pub fn try_start(mut self) -> Result<Gateway, String> {
        let folder = tempfile::tempdir().expect("a folder for the gateway");
        process::remove_at_end(folder.path());
        let database = self.database.take().unwrap_or_else(default_database);
        if let Some(url) = database {
            self.env.insert("DATABASE_URL".to_owned(), url);
        }
        if let Some(yaml) = &self.config {
            std::fs::write(folder.path().join("config.yaml"), yaml).expect("a config file");
        }
        let running =
            Running::start(&self.env, folder.path(), self.config.is_some(), self.inherited)?;
        Ok(Gateway { env: self.env, has_config: self.config.is_some(), running, folder })
    }
}

/// Returns the database of a gateway whose test names none: SQLite in its own folder, or a fresh
/// one in the run's PostgreSQL where `ANTEROOM_TEST_DATABASE=postgres`.
fn default_database() -> Option<String> {
    match variable("ANTEROOM_TEST_DATABASE").as_deref() {
        None | Some("sqlite") => None,
        Some("postgres") => Some(postgres::shared().create_database()),
        Some(other) => panic!("ANTEROOM_TEST_DATABASE is sqlite or postgres, not {other}"),
    }
}
