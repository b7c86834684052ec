//! Upstreams and routes of the settings, as the origins take them.

use std::path::PathBuf;
use std::sync::Arc;

use super::policy::AnswerPolicy;
use super::spec::{
    BreakerSpec, HttpSpec, ProxySpec, RetrySpec, RouteSpec, SpecError, SpecKind, UpstreamSpec,
};
use crate::settings::{Retry, Scope, Settings, Traces, Upstream, UpstreamBreaker, UpstreamKind};

/// An upstream of the settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The file with certificate authorities cannot be read.
    #[error("failed to read {key} {}: {source}", .path.display())]
    CaFile {
        /// The key that names it.
        key: String,
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// Something else is wrong with it.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

/// Returns the settings' upstreams, their certificate files read.
///
/// # Errors
///
/// When a file cannot be read or a proxy's URL is none.
pub fn upstreams(settings: &Settings) -> Result<Vec<UpstreamSpec>, UpstreamError> {
    settings.upstreams.iter().map(|(name, upstream)| spec(name, upstream)).collect()
}

/// Returns what the origins need to know of the routes, by position.
pub fn routes(settings: &Settings) -> Arc<[RouteSpec]> {
    settings
        .routes
        .iter()
        .map(|route| RouteSpec {
            profile: route.profile,
            shared: route.scope == Scope::Shared,
            heed_origin: route.heed_origin,
            policy: AnswerPolicy::of(route).map(Arc::new),
        })
        .collect()
}

fn spec(name: &str, upstream: &Upstream) -> Result<UpstreamSpec, UpstreamError> {
    let kind = match upstream.kind {
        UpstreamKind::Builtin => {
            SpecKind::Builtin { think_time_per_token: upstream.think_time_per_token.get() }
        }
        UpstreamKind::Http => {
            let key = format!("upstreams.{name}.ca_file");
            SpecKind::Http(Box::new(http(upstream, &key)?))
        }
    };
    Ok(UpstreamSpec { name: Arc::from(name), kind })
}

/// Returns the collector of traces, as an upstream; `None` where nothing is traced.
///
/// # Errors
///
/// When its file of certificate authorities cannot be read.
pub fn collector(settings: &Settings) -> Result<Option<HttpSpec>, UpstreamError> {
    let Traces { endpoint, set_headers, ca_file, timeout, .. } = &settings.traces;
    if endpoint.is_empty() {
        return Ok(None);
    }
    let upstream = Upstream {
        kind: UpstreamKind::Http,
        url: endpoint.clone(),
        set_headers: set_headers.clone(),
        connect_timeout: *timeout,
        first_byte_timeout: *timeout,
        idle_timeout: *timeout,
        total_timeout: *timeout,
        ca_file: ca_file.clone(),
        ..Upstream::default()
    };
    http(&upstream, "traces.ca_file").map(Some)
}

fn http(upstream: &Upstream, ca_key: &str) -> Result<HttpSpec, UpstreamError> {
    let ca_pem = match &upstream.ca_file {
        None => None,
        Some(path) => Some(std::fs::read(path).map_err(|source| UpstreamError::CaFile {
            key: ca_key.to_owned(),
            path: path.clone(),
            source,
        })?),
    };
    let proxy = match upstream.proxy.expose() {
        "" => None,
        url => Some(ProxySpec::parse(url)?),
    };
    let set_headers =
        upstream.set_headers.iter().map(|(name, value)| (name.clone(), value.expose().to_owned()));
    Ok(HttpSpec {
        url: upstream.url.clone(),
        pass_credential: upstream.pass_credential,
        set_headers: set_headers.collect(),
        connect_timeout: upstream.connect_timeout.get(),
        first_byte_timeout: upstream.first_byte_timeout.get(),
        idle_timeout: upstream.idle_timeout.get(),
        total_timeout: upstream.total_timeout.get(),
        max_answer_bytes: upstream.max_answer.as_u64(),
        connections: upstream.connections,
        keep_alive: upstream.keep_alive.get(),
        ca_pem,
        proxy,
        breaker: breaker(&upstream.breaker),
        retry: retry(&upstream.retry),
    })
}

fn breaker(breaker: &UpstreamBreaker) -> BreakerSpec {
    BreakerSpec {
        failures: breaker.failures,
        open_for: breaker.open_for.get(),
        open_at_most: breaker.open_at_most.get(),
    }
}

fn retry(retry: &Retry) -> RetrySpec {
    RetrySpec {
        attempts: retry.attempts,
        base: retry.base.get(),
        at_most: retry.at_most.get(),
        wait_at_most: retry.wait_at_most.get(),
        posts: retry.posts,
    }
}
