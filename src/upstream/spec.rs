//! What an upstream and a route are to the code that calls upstreams: plain values, made from the
//! settings. `Debug` shows no header value and no proxy credential.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::policy::AnswerPolicy;
use crate::canonical::Profile;

/// One upstream.
#[derive(Debug, Clone)]
pub struct UpstreamSpec {
    /// Name in the settings.
    pub name: Arc<str>,
    /// What answers.
    pub kind: SpecKind,
}

/// What answers for an upstream.
#[derive(Debug, Clone)]
pub enum SpecKind {
    /// A provider over HTTP.
    Http(Box<HttpSpec>),
    /// The model that is built in.
    Builtin {
        /// Time it takes for each token of an answer.
        think_time_per_token: Duration,
    },
}

/// A provider over HTTP/1.1.
#[derive(Clone)]
pub struct HttpSpec {
    /// Base URL, `http` or `https`, with or without a trailing `/v1`.
    pub url: String,
    /// Whether the caller's own credential goes upstream.
    pub pass_credential: bool,
    /// Headers set on each request, over the caller's; names in lower case.
    pub set_headers: Vec<(String, String)>,
    /// Longest wait for a connection: a free slot, DNS, TCP, proxy and TLS together.
    pub connect_timeout: Duration,
    /// Longest wait for an answer's head, from the end of the request.
    pub first_byte_timeout: Duration,
    /// Longest silence within a body, either way.
    pub idle_timeout: Duration,
    /// Longest call altogether.
    pub total_timeout: Duration,
    /// Largest answer fetched for the cache, in bytes.
    pub max_answer_bytes: u64,
    /// Most connections at once, on each thread that calls.
    pub connections: usize,
    /// How long an idle connection is kept.
    pub keep_alive: Duration,
    /// Certificate authorities trusted beside the public ones, as PEM.
    pub ca_pem: Option<Vec<u8>>,
    /// Proxy for `https` URLs.
    pub proxy: Option<ProxySpec>,
    /// When it is left alone because it fails.
    pub breaker: BreakerSpec,
    /// How a request is sent again.
    pub retry: RetrySpec,
}

/// When an upstream that fails is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerSpec {
    /// Failed calls in a row that open the breaker; 0 = it never opens. A call counts once,
    /// however often it was repeated.
    pub failures: u32,
    /// First wait before one call is let through to try the upstream out.
    pub open_for: Duration,
    /// Longest such wait; it doubles each time the call fails.
    pub open_at_most: Duration,
}

/// How a request is sent again where that is safe and may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetrySpec {
    /// Most repeats of one call; 0 = none, but for one after a kept connection turned out closed.
    pub attempts: u32,
    /// Longest wait before the first repeat; doubles with each. The wait is a random part of it.
    pub base: Duration,
    /// Longest such wait altogether.
    pub at_most: Duration,
    /// Longest Retry-After that is waited for; with a longer one the answer is passed on.
    pub wait_at_most: Duration,
    /// Whether a POST is repeated even if it may have been carried out, and paid for.
    pub posts: bool,
}

impl fmt::Debug for HttpSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.set_headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("HttpSpec")
            .field("url", &self.url)
            .field("pass_credential", &self.pass_credential)
            .field("set_headers", &names)
            .field("connect_timeout", &self.connect_timeout)
            .field("first_byte_timeout", &self.first_byte_timeout)
            .field("idle_timeout", &self.idle_timeout)
            .field("total_timeout", &self.total_timeout)
            .field("max_answer_bytes", &self.max_answer_bytes)
            .field("connections", &self.connections)
            .field("keep_alive", &self.keep_alive)
            .field("private_ca", &self.ca_pem.is_some())
            .field("proxy", &self.proxy)
            .field("breaker", &self.breaker)
            .field("retry", &self.retry)
            .finish()
    }
}

/// A forward proxy that takes CONNECT.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxySpec {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// `user:password`, where the proxy wants one.
    pub credential: Option<String>,
}

impl fmt::Debug for ProxySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxySpec")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("credential", &self.credential.as_ref().map(|_| "***"))
            .finish()
    }
}

/// What an origin needs to know of a route.
#[derive(Debug, Clone)]
pub struct RouteSpec {
    /// The API it speaks.
    pub profile: Profile,
    /// Whether callers of different credentials share answers.
    pub shared: bool,
    /// Whether the origin's caching headers decide over an answer; `None`: over those to GET.
    pub heed_origin: Option<bool>,
    /// Which of its answers are kept; `None` where the route says nothing of its own.
    pub policy: Option<Arc<AnswerPolicy>>,
}

impl RouteSpec {
    /// Tells whether the origin's caching headers decide over answers to this method.
    pub fn heeds(&self, method: &str) -> bool {
        self.heed_origin.unwrap_or(method == "GET")
    }
}

/// Why an upstream cannot be called as the settings have it. Names no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The URL is not one.
    #[error("url of upstream {upstream}: {reason}")]
    Url {
        /// The upstream's name in the settings.
        upstream: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A header cannot be sent.
    #[error("header {header} of upstream {upstream} is no HTTP header")]
    Header {
        /// The upstream's name in the settings.
        upstream: String,
        /// The header's name.
        header: String,
    },
    /// The certificate bundle cannot be used.
    #[error("certificate bundle of upstream {upstream}: {reason}")]
    Certificates {
        /// The upstream's name in the settings.
        upstream: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// The proxy's URL is not one.
    #[error("proxy url: {reason}")]
    Proxy {
        /// What is wrong.
        reason: &'static str,
    },
}
