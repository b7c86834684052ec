//! Upstreams checked and parsed once, at start: shared by every thread that calls them.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anteroom_actors::clock::SharedClock;
use awc::http::Uri;
use awc::http::header::{HeaderName, HeaderValue};
use awc::http::uri::Authority;
use rustls::ClientConfig;

use super::builtin::Builtin;
use super::client::HttpClient;
use super::spec::{HttpSpec, ProxySpec, SpecError, SpecKind, UpstreamSpec};
use super::standing::Standing;
use super::tls;
use crate::telemetry::Spans;

/// All upstreams, ready to be called.
#[derive(Debug)]
pub struct Upstreams {
    all: Vec<Upstream>,
    spans: Option<Spans>,
}

#[derive(Debug)]
struct Upstream {
    name: Arc<str>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Http(Arc<Endpoint>),
    Builtin { think_time_per_token: Duration },
}

/// An upstream over HTTP.
pub(super) struct Endpoint {
    pub(super) name: Arc<str>,
    /// Host without brackets: what is looked up, and what its certificate must name.
    pub(super) host: String,
    pub(super) port: u16,
    /// Value of the Host header.
    pub(super) host_header: HeaderValue,
    authority: Authority,
    /// Path of the base URL, without a slash at its end.
    prefix: String,
    /// Where TLS is spoken: how.
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) proxy: Option<ProxySpec>,
    pub(super) set_headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) limits: HttpSpec,
    /// How it is doing, as all threads know.
    pub(super) standing: Standing,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.limits.fmt(f)
    }
}

/// How an upstream over HTTP is doing.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamHealth<'a> {
    /// Name in the settings.
    pub name: &'a str,
    /// How often a request was sent to it again.
    pub retries: u64,
    /// Whether its breaker is open.
    pub is_open: bool,
}

/// What answers for an upstream, on one thread.
pub(super) enum Way {
    Http(HttpClient),
    Builtin(Builtin),
}

/// The upstreams as one thread calls them, each with connections of its own.
pub(super) type Ways = HashMap<Arc<str>, Rc<Way>>;

impl Upstreams {
    /// Opens the upstreams for the thread this is called on.
    pub(super) fn open(&self, clock: &SharedClock) -> Ways {
        let way = |kind: &Kind| match kind {
            Kind::Http(endpoint) => {
                let (endpoint, clock) = (Arc::clone(endpoint), Arc::clone(clock));
                Way::Http(HttpClient::new(endpoint, clock, self.spans.clone()))
            }
            Kind::Builtin { think_time_per_token } => Way::Builtin(Builtin {
                think_time_per_token: *think_time_per_token,
                clock: Arc::clone(clock),
            }),
        };
        self.all
            .iter()
            .map(|upstream| (Arc::clone(&upstream.name), Rc::new(way(&upstream.kind))))
            .collect()
    }

    /// Returns how the upstreams over HTTP are doing.
    pub fn health(&self) -> impl Iterator<Item = UpstreamHealth<'_>> {
        self.all.iter().filter_map(|upstream| match &upstream.kind {
            Kind::Http(endpoint) => Some(UpstreamHealth {
                name: &upstream.name,
                retries: endpoint.standing.retries(),
                is_open: endpoint.standing.is_open(),
            }),
            Kind::Builtin { .. } => None,
        })
    }

    /// Checks and parses `specs`; each call is a span where there are `spans`.
    ///
    /// Errors: a URL, header, proxy or certificate bundle that cannot be used.
    pub fn prepare(specs: &[UpstreamSpec], spans: Option<Spans>) -> Result<Arc<Self>, SpecError> {
        let all = specs
            .iter()
            .map(|spec| {
                let kind = match &spec.kind {
                    SpecKind::Http(http) => {
                        Kind::Http(Arc::new(Endpoint::prepare(Arc::clone(&spec.name), http)?))
                    }
                    SpecKind::Builtin { think_time_per_token } => {
                        Kind::Builtin { think_time_per_token: *think_time_per_token }
                    }
                };
                Ok(Upstream { name: Arc::clone(&spec.name), kind })
            })
            .collect::<Result<Vec<_>, SpecError>>()?;
        Ok(Arc::new(Self { all, spans }))
    }
}

impl Endpoint {
    pub(super) fn prepare(name: Arc<str>, spec: &HttpSpec) -> Result<Self, SpecError> {
        let refused = |reason| SpecError::Url { upstream: name.to_string(), reason };
        let uri: Uri = spec.url.parse().map_err(|_| refused("not a URL"))?;
        let (is_tls, default_port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(refused("its scheme must be http or https")),
        };
        let authority = uri.authority().cloned().ok_or_else(|| refused("no host"))?;
        if authority.as_str().contains('@') {
            return Err(refused("a credential belongs into set_headers, not into the URL"));
        }
        if uri.query().is_some() {
            return Err(refused("it must not have a query"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(default_port);
        let named = if port == default_port { authority.host() } else { authority.as_str() };
        let host_header = HeaderValue::from_str(named).map_err(|_| refused("no host"))?;
        let tls = is_tls
            .then(|| tls::client_config(spec.ca_pem.as_deref()))
            .transpose()
            .map_err(|reason| SpecError::Certificates { upstream: name.to_string(), reason })?;
        Ok(Self {
            host,
            port,
            host_header,
            authority,
            prefix: uri.path().trim_end_matches('/').to_owned(),
            proxy: tls.as_ref().and(spec.proxy.clone()),
            tls,
            set_headers: parse_headers(&name, &spec.set_headers)?,
            limits: spec.clone(),
            standing: Standing::new(Arc::clone(&name), spec.breaker),
            name,
        })
    }

    /// Returns where `target` (path and query) lies upstream; `None` where it is not one.
    ///
    /// A base URL that ends in `/v1` and a target that begins with it share that segment.
    /// The scheme is always `http`: TLS is spoken below awc, by [`super::connect`].
    pub(super) fn uri(&self, target: &str) -> Option<Uri> {
        let shares_version = target == "/v1"
            || target.strip_prefix("/v1").is_some_and(|rest| rest.starts_with(['/', '?']));
        let prefix = if shares_version {
            self.prefix.strip_suffix("/v1").unwrap_or(&self.prefix)
        } else {
            &self.prefix
        };
        if !target.starts_with('/') {
            return None;
        }
        let path = format!("{prefix}{target}");
        Uri::builder()
            .scheme("http")
            .authority(self.authority.clone())
            .path_and_query(path)
            .build()
            .ok()
    }
}

fn parse_headers(
    upstream: &str,
    headers: &[(String, String)],
) -> Result<Vec<(HeaderName, HeaderValue)>, SpecError> {
    headers
        .iter()
        .map(|(name, value)| {
            let refused =
                || SpecError::Header { upstream: upstream.to_owned(), header: name.clone() };
            let parsed = HeaderName::try_from(name.as_str()).map_err(|_| refused())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
            value.set_sensitive(true);
            Ok((parsed, value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::http_spec;
    use super::*;

    fn endpoint(url: &str) -> Result<Endpoint, SpecError> {
        Endpoint::prepare("up".into(), &HttpSpec { url: url.to_owned(), ..http_spec(0) })
    }

    #[test]
    fn targets_join_the_base_url_with_or_without_its_version() {
        for (base, target, path) in [
            ("http://h", "/v1/chat/completions", "/v1/chat/completions"),
            ("http://h/", "/v1/models?a=1&b", "/v1/models?a=1&b"),
            ("http://h/v1", "/v1/models", "/v1/models"),
            ("http://h/v1/", "/v1?x=/v1/y", "/v1?x=/v1/y"),
            ("http://h/v1", "/v10/models", "/v1/v10/models"),
            ("http://h/openai", "/v1/models", "/openai/v1/models"),
            ("http://h/openai/v1", "/v1/models", "/openai/v1/models"),
            ("http://h", "//evil.example/v1", "//evil.example/v1"),
        ] {
            let uri = endpoint(base).unwrap().uri(target).unwrap();
            assert_eq!(uri.path_and_query().unwrap().as_str(), path, "{base} {target}");
            assert_eq!(uri.host(), Some("h"), "{base} {target}");
        }
        assert!(endpoint("http://h").unwrap().uri("http://evil.example/").is_none());
        assert!(endpoint("http://h").unwrap().uri("@evil.example/").is_none());
    }

    #[test]
    fn the_host_header_names_the_port_only_where_it_is_not_the_default() {
        for (url, host, port, header) in [
            ("http://a.b", "a.b", 80, "a.b"),
            ("https://a.b", "a.b", 443, "a.b"),
            ("https://a.b:443", "a.b", 443, "a.b"),
            ("https://a.b:80", "a.b", 80, "a.b:80"),
            ("http://a.b:8000/v1", "a.b", 8000, "a.b:8000"),
            ("http://[::1]:8000", "::1", 8000, "[::1]:8000"),
        ] {
            let endpoint = endpoint(url).unwrap();
            assert_eq!((endpoint.host.as_str(), endpoint.port), (host, port), "{url}");
            assert_eq!(endpoint.host_header, header, "{url}");
            assert_eq!(endpoint.tls.is_some(), url.starts_with("https"), "{url}");
        }
    }

    #[test]
    fn urls_and_headers_that_cannot_be_used_are_refused_without_their_values() {
        for url in ["", "h", "ftp://h", "http://", "http://u:p@h", "http://h/?key=1", "http://a b"]
        {
            assert!(endpoint(url).is_err(), "{url}");
        }
        for (name, value) in [("a b", "x"), ("x", "line\nfeed")] {
            let set_headers = vec![(name.to_owned(), value.to_owned())];
            let spec = HttpSpec { set_headers, ..http_spec(1) };
            let error = Endpoint::prepare("up".into(), &spec).unwrap_err();
            assert!(matches!(&error, SpecError::Header { header, .. } if header == name));
            assert!(!error.to_string().contains("feed"));
        }
    }
}
