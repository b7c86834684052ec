//! Where answers come from. Unit, range and default of each key stand in `config.yaml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::units::{ByteSize, HumanDuration};

/// What says "no proxy, not even that of the environment".
const NO_PROXY: &str = "none";

/// One origin of answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Upstream {
    /// Whether answers come over HTTP or from the text model inside.
    pub kind: UpstreamKind,
    /// Base URL without `/v1` and without a last `/`; `http` only.
    pub url: String,
    /// Whether the caller's credential headers are sent on.
    pub pass_credential: bool,
    /// Headers set on every call, by lower-case name.
    pub set_headers: BTreeMap<String, Secret>,
    /// Longest wait for a connection, TLS included.
    pub connect_timeout: HumanDuration,
    /// Longest wait for the answer's head.
    pub first_byte_timeout: HumanDuration,
    /// Longest wait between two parts of the body.
    pub idle_timeout: HumanDuration,
    /// Longest call.
    pub total_timeout: HumanDuration,
    /// Largest answer passed on.
    pub max_answer: ByteSize,
    /// Most connections, per fetching thread.
    pub connections: usize,
    /// How long an idle connection is kept.
    pub keep_alive: HumanDuration,
    /// Certificate authorities to trust beside the public ones: a PEM file.
    pub ca_file: Option<PathBuf>,
    /// `http://[user:password@]host:port` to go through; empty = none. Once loaded, `HTTPS_PROXY`
    /// is in here where the upstream is an `https` one and says nothing of its own.
    pub proxy: Secret,
    /// How long the text model inside thinks for each token; `builtin` only.
    pub think_time_per_token: HumanDuration,
    /// When the upstream is left alone because it fails; `http` only.
    pub breaker: UpstreamBreaker,
    /// How a request is sent again where that is safe; `http` only.
    pub retry: Retry,
    /// How many calls it gets at once; `http` only.
    pub limit: UpstreamLimit,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            kind: UpstreamKind::Builtin,
            url: String::new(),
            pass_credential: true,
            set_headers: BTreeMap::new(),
            connect_timeout: HumanDuration::from_secs(5),
            first_byte_timeout: HumanDuration::from_secs(300),
            idle_timeout: HumanDuration::from_secs(60),
            total_timeout: HumanDuration::from_secs(600),
            max_answer: ByteSize::from_gib(1),
            connections: 512,
            keep_alive: HumanDuration::from_secs(60),
            ca_file: None,
            proxy: Secret::default(),
            think_time_per_token: HumanDuration::from_millis(8),
            breaker: UpstreamBreaker::default(),
            retry: Retry::default(),
            limit: UpstreamLimit::default(),
        }
    }
}

/// When an upstream is left alone because it fails, and how it comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamBreaker {
    /// Failed calls in a row that open it; 0 = never.
    pub failures: u32,
    /// First wait before one call tries the upstream out; doubles after each that failed.
    pub open_for: HumanDuration,
    /// Longest such wait.
    pub open_at_most: HumanDuration,
}

impl Default for UpstreamBreaker {
    fn default() -> Self {
        Self {
            failures: 10,
            open_for: HumanDuration::from_secs(1),
            open_at_most: HumanDuration::from_secs(30),
        }
    }
}

/// How a request is sent again: after a failure that leaves it undone, or that is harmless to
/// repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retry {
    /// Most repeats of one call; 0 = none.
    pub attempts: u32,
    /// Longest wait before the first repeat; doubles with each.
    pub base: HumanDuration,
    /// Longest wait before any.
    pub at_most: HumanDuration,
    /// Longest Retry-After that is waited for.
    pub wait_at_most: HumanDuration,
    /// Whether a POST is repeated even if it may have been carried out.
    pub posts: bool,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 2,
            base: HumanDuration::from_millis(100),
            at_most: HumanDuration::from_secs(2),
            wait_at_most: HumanDuration::from_secs(2),
            posts: false,
        }
    }
}

/// How many calls an upstream gets at once. Between the two bounds the scaler decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpstreamLimit {
    /// The least limit.
    pub least: u32,
    /// The largest limit, where it begins; without a scaler it stays there.
    pub most: u32,
    /// Longest wait of a call for its turn.
    pub wait: HumanDuration,
    /// Most calls that wait.
    pub queue: usize,
}

impl Default for UpstreamLimit {
    fn default() -> Self {
        Self { least: 4, most: 512, wait: HumanDuration::from_secs(10), queue: 1_024 }
    }
}

impl Upstream {
    /// Strips from the URL what callers' paths bring themselves, and the word for "no proxy".
    pub(super) fn normalise(&mut self) {
        let url = self.url.trim_end_matches('/');
        let url = url.strip_suffix("/v1").unwrap_or(url).trim_end_matches('/');
        self.url = url.to_owned();
        if self.proxy.expose() == NO_PROXY {
            self.proxy = Secret::default();
        }
    }
}

/// What kind of origin an upstream is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamKind {
    /// A server that speaks HTTP/1.1.
    Http,
    /// The text model inside the gateway: no key, no network.
    #[default]
    Builtin,
}

/// Returns the upstreams that are there when nobody names any.
pub(super) fn default_upstreams() -> BTreeMap<String, Upstream> {
    BTreeMap::from([("default".to_owned(), Upstream::default())])
}
