//! Which route a request takes.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderName;
use anteroom_actors::model::{Label, LabelKind, Lifetimes};

use super::handlers::STEERING_HEADERS;
use super::header_names::HeaderNames;
use super::shape::fields_query;
use crate::canonical::{
    CREDENTIAL_HEADERS, Canonical, JsonError, KeepRules, Profile, Uncounted, canonicalise,
};
use crate::embeddings::normal_form;
use crate::forms;
use crate::settings::{Scope as ScopeKind, Settings, UpstreamKind};

/// A route of the settings, ready for use.
#[derive(Debug)]
pub struct Route {
    /// Position in the settings.
    pub index: usize,
    /// Name in the settings; the metric label.
    pub name: Arc<str>,
    /// Which API it speaks.
    pub profile: Profile,
    /// Name of its upstream.
    pub upstream: Arc<str>,
    /// Name, kind and address of its upstream: one name turned to another provider has other
    /// answers.
    pub upstream_identity: String,
    /// The address of its upstream; empty for the built-in one.
    pub upstream_origin: String,
    /// Whether its answers are kept.
    pub cached: bool,
    /// How long they may be served.
    pub lifetimes: Lifetimes,
    /// Whether the caller's credential headers go upstream.
    pub passes_credential: bool,
    /// Whether a provider may want the caller's credential: the upstream has none of its own.
    pub wants_credential: bool,
    /// Longest time to live that a caller may ask for.
    pub max_ttl: Duration,
    /// Whether `Cache-Control` and `Pragma` of callers count for nothing.
    pub ignores_cache_control: bool,
    /// Whether the origin's caching headers decide over answers; `None`: over those to GET.
    pub heed_origin: Option<bool>,
    /// Top-level members of a body that do not count.
    pub uncounted: Arc<[Uncounted]>,
    /// Which requests' answers are kept.
    pub keep: KeepRules,
    /// From which use on an answer is kept beyond L1.
    pub min_uses: u8,
    /// Whether `fields` in the query says which part of an answer is wanted.
    pub fields_query: bool,
    /// Pause between two events of a kept stream; zero for none.
    pub replay_interval: Duration,
    /// Whether an answer's forms can be turned into each other.
    pub converts: bool,
    /// What all of them can be purged by.
    pub labels: Vec<Label>,
    /// Whether all callers share them.
    pub shared: bool,
    /// Headers that are forwarded and keyed: the profile's and the route's own, sorted.
    pub keyed_headers: Vec<HeaderName>,
    /// All headers that take part in the recall digest: credentials, keyed ones, those that steer,
    /// and how the body is to be read.
    pub recalled_headers: HeaderNames,
    methods: Vec<String>,
    path: Pattern,
}

#[derive(Debug)]
enum Pattern {
    Exact(String),
    /// With the slash at its end.
    Prefix(String),
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => f.write_str(exact),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

impl Pattern {
    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => path == exact,
            Self::Prefix(prefix) => path.starts_with(prefix.as_str()),
        }
    }
}

/// The routes, in the order of the settings: the first that matches is taken.
#[derive(Debug)]
pub struct Routes(Vec<Route>);

impl Routes {
    /// Prepares the settings' routes.
    pub fn new(settings: &Settings) -> Self {
        Self(
            settings
                .routes
                .iter()
                .enumerate()
                .map(|(index, route)| Route::new(index, route, settings))
                .collect(),
        )
    }

    /// Returns the first route for `method` and `path`.
    pub fn find(&self, method: &str, path: &str) -> Option<&Route> {
        self.0.iter().find(|route| route.takes(method) && route.path.matches(path))
    }

    /// Returns all routes.
    pub fn all(&self) -> &[Route] {
        &self.0
    }
}

impl Route {
    /// Returns the paths it takes: one, or all that begin with what stands before `*`.
    pub fn path(&self) -> String {
        self.path.to_string()
    }

    fn new(index: usize, route: &crate::settings::Route, settings: &Settings) -> Self {
        let mut keyed: Vec<&str> = route.profile.keyed_headers().to_vec();
        keyed.extend(route.forward_headers.iter().map(String::as_str));
        keyed.sort_unstable();
        keyed.dedup();
        let names = |names: &[&str]| -> Vec<HeaderName> {
            names.iter().filter_map(|name| HeaderName::try_from(*name).ok()).collect()
        };
        let keyed_headers = names(&keyed);
        let mut recalled_headers = names(&CREDENTIAL_HEADERS);
        recalled_headers.extend(names(&["content-encoding", "content-type"]));
        let ignored = |name: &&str| {
            route.ignore_client_cache_control && matches!(*name, "cache-control" | "pragma")
        };
        let steering: Vec<&str> =
            STEERING_HEADERS.into_iter().filter(|name| !ignored(name)).collect();
        recalled_headers.extend(names(&steering));
        recalled_headers.extend(keyed_headers.iter().cloned());
        let path = match route.path.strip_suffix('*') {
            Some(prefix) => Pattern::Prefix(prefix.to_owned()),
            None => Pattern::Exact(route.path.clone()),
        };
        Self {
            index,
            name: Arc::from(route.name.as_str()),
            profile: route.profile,
            upstream: Arc::from(route.upstream.as_str()),
            upstream_identity: identity(&route.upstream, settings),
            upstream_origin: address(&route.upstream, settings).unwrap_or_default().to_owned(),
            cached: route.cache,
            lifetimes: Lifetimes {
                lifetime: route.lifetime.get(),
                stale_while_revalidate: route.stale_while_revalidate.get(),
                stale_if_error: route.stale_if_error.get(),
                ..Lifetimes::default()
            },
            heed_origin: route.heed_origin,
            passes_credential: settings
                .upstreams
                .get(&route.upstream)
                .is_some_and(|upstream| upstream.pass_credential),
            wants_credential: settings.upstreams.get(&route.upstream).is_some_and(|upstream| {
                upstream.kind == UpstreamKind::Http && upstream.pass_credential
            }),
            max_ttl: route.max_ttl.get(),
            ignores_cache_control: route.ignore_client_cache_control,
            uncounted: uncounted(route),
            keep: KeepRules {
                max_temperature: route.max_temperature,
                max_choices: route.max_choices,
                tools: route.keep_tools,
                unseeded: route.keep_unseeded,
            },
            min_uses: u8::try_from(route.min_uses).unwrap_or(u8::MAX),
            fields_query: route.fields_query,
            replay_interval: route.replay_interval.get(),
            converts: route.cache && forms::converts(route.profile),
            labels: vec![Label::new(LabelKind::Route, route.name.as_bytes())],
            shared: route.scope == ScopeKind::Shared,
            keyed_headers,
            recalled_headers: HeaderNames::new(recalled_headers),
            methods: route.methods.clone(),
            path,
        }
    }

    /// Tells whether the origin's caching headers decide over answers to this method.
    pub fn heeds(&self, method: &str) -> bool {
        self.heed_origin.unwrap_or(matches!(method, "GET" | "HEAD"))
    }

    /// Returns the query that counts: without the fields that are taken of the answer.
    pub fn counted_query<'a>(&self, query: Option<&'a str>) -> Option<Cow<'a, str>> {
        let query = query?;
        if self.fields_query {
            fields_query::without(query).map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(query))
        }
    }

    /// Returns why a request of this body goes past the cache, as a token; `None` where it does not.
    pub fn bypass_reason(&self, body: &Canonical) -> Option<&'static str> {
        self.profile.bypass_reason(body).or_else(|| self.keep.reason(body))
    }

    /// A cached GET answers HEAD, too (RFC 9110 §9.3.2).
    fn takes(&self, method: &str) -> bool {
        let is_answered = |own: &str| self.cached && own == "GET" && method == "HEAD";
        self.methods.iter().any(|own| own == "*" || own == method || is_answered(own))
    }
}

/// Brings a body of an API into the form that is keyed.
///
/// # Errors
///
/// It has no single meaning.
pub fn canonical_body(
    profile: Profile,
    uncounted: &[Uncounted],
    body: &[u8],
) -> Result<Canonical, JsonError> {
    match profile {
        Profile::Embeddings => canonicalise(&normal_form(body), uncounted),
        _ => canonicalise(body, uncounted),
    }
}

fn address<'a>(name: &str, settings: &'a Settings) -> Option<&'a str> {
    let upstream = settings.upstreams.get(name)?;
    (upstream.kind == UpstreamKind::Http).then_some(&upstream.url)
}

fn uncounted(route: &crate::settings::Route) -> Arc<[Uncounted]> {
    let defaults: &[Uncounted] =
        if route.leave_out_defaults { route.profile.default_fields() } else { &[] };
    route.profile.uncounted_fields().iter().chain(defaults).copied().collect()
}

fn identity(name: &str, settings: &Settings) -> String {
    format!("{name} {}", address(name, settings).unwrap_or("builtin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_routes_take_what_they_name_and_pass_the_rest_of_v1_through() {
        let routes = Routes::new(&Settings::default());
        for (method, path, name) in [
            ("POST", "/v1/chat/completions", Some("chat")),
            ("GET", "/v1/chat/completions", Some("passthrough")),
            ("POST", "/v1/chat/completions/", Some("passthrough")),
            ("POST", "/v1/completions", Some("completions")),
            ("POST", "/v1/embeddings", Some("embeddings")),
            ("POST", "/v1/responses", Some("responses")),
            ("GET", "/v1/responses/resp_1", Some("passthrough")),
            ("POST", "/v1/messages", Some("messages")),
            ("GET", "/v1/models", Some("models")),
            ("GET", "/v1/models/gpt-4o", Some("model")),
            ("HEAD", "/v1/models", Some("models")),
            ("HEAD", "/v1/chat/completions", Some("passthrough")),
            ("DELETE", "/v1/models/gpt-4o", Some("passthrough")),
            ("POST", "/v1/files", Some("passthrough")),
            ("POST", "/v2/chat/completions", None),
            ("GET", "/", None),
        ] {
            let found = routes.find(method, path).map(|route| &*route.name);
            assert_eq!(found, name, "{method} {path}");
        }
    }
}
