//! The two listeners and the log. Unit, range and default of each key stand in `config.yaml`.

use std::net::{Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::access::{Cors, Tls};
use super::secret::Secret;
use super::units::{ByteSize, HumanDuration};

/// The API listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// Address of the API; port 0 picks a free one.
    pub listen: SocketAddr,
    /// HTTP threads; 0 = one a core.
    pub workers: usize,
    /// Most requests waiting for a level or an upstream; past it a caller is shed.
    pub max_in_flight: usize,
    /// Most open connections.
    pub max_connections: usize,
    /// Most connections waiting to be accepted.
    pub backlog: u16,
    /// Largest request body.
    pub max_body: ByteSize,
    /// Longest wait for a request's head.
    pub head_timeout: HumanDuration,
    /// Longest wait for a request's body.
    pub body_timeout: HumanDuration,
    /// How long an idle connection stays open.
    pub keep_alive: HumanDuration,
    /// How long running requests may go on after the signal to stop.
    pub drain_timeout: HumanDuration,
    /// How long a process goes on with its connections once another has taken over.
    pub handover_timeout: HumanDuration,
    /// Whether anyone who reaches the listener may use an injected credential.
    pub open_access: bool,
    /// TLS on the listener.
    pub tls: Tls,
    /// Browsers on pages of other origins.
    pub cors: Cors,
}

impl Server {
    /// Returns how many threads serve HTTP.
    pub fn threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            workers => workers,
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            workers: 0,
            max_in_flight: 1024,
            max_connections: 20_000,
            backlog: 1_024,
            max_body: ByteSize::from_mib(32),
            head_timeout: HumanDuration::from_secs(5),
            body_timeout: HumanDuration::from_secs(60),
            keep_alive: HumanDuration::from_secs(75),
            drain_timeout: HumanDuration::from_secs(30),
            handover_timeout: HumanDuration::from_secs(600),
            open_access: false,
            tls: Tls::default(),
            cors: Cors::default(),
        }
    }
}

/// The operations listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Address of the operations listener; port 0 picks a free one.
    pub listen: SocketAddr,
    /// What operators must show; empty = nothing, on loopback only.
    pub token: Secret,
    /// How often the settings file is looked at, to be read again when it has changed; 0s = never.
    pub watch_config: HumanDuration,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 9901)),
            token: Secret::default(),
            watch_config: HumanDuration::from_secs(2),
        }
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// Least important level written.
    pub level: LogLevel,
    /// Form of a line.
    pub format: LogFormat,
    /// Form of the lines about requests.
    pub access: AccessForm,
    /// Of so many requests one is taken down.
    pub access_one_in: u64,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::default(),
            format: LogFormat::default(),
            access: AccessForm::default(),
            access_one_in: 1,
        }
    }
}

/// The form of a line about a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessForm {
    /// There are none.
    #[default]
    Off,
    /// For people.
    Text,
    /// For programs: one object a line.
    Json,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what may fail soon.
    Warn,
    /// And what changed.
    #[default]
    Info,
    /// And what was decided.
    Debug,
    /// And every step.
    Trace,
}

impl LogLevel {
    /// Returns the level's name.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one object a line.
    Json,
}
