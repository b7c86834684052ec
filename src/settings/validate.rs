//! Are the settings within their ranges, and do they fit together? Every answer, not the first.

mod access;
mod prices;
mod route_policy;
mod warming;

use std::collections::BTreeSet;
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;

use anteroom_actors::store::redis::SentinelUrl;
use serde_json::Value;

use super::Settings;
use super::error::Problem;
use super::header_names::{is_credential, is_name, is_of_connection, is_value};
use super::ranges::{L2_URL, L3_URL, POSTGRES_TLS, PROXY, UPSTREAM_URL, out_of_range};
use super::routes::Route;
use super::secret::Secret;
use super::shown::shown;
use super::sources::Sources;
use super::traces::Traces;
use super::upstreams::{Upstream, UpstreamKind};
use super::url::Url;

const NAME: &str = "one or more of a–z, 0–9, `_` and `-`";
const HEADER: &str = "the name of a header that does not belong to a connection or a message";

/// Brings `settings` into their one form and returns everything that is wrong with them.
pub(super) fn validate(settings: &mut Settings, sources: &Sources) -> Vec<Problem> {
    let tree = serde_json::to_value(&*settings).unwrap_or_default();
    let mut check = Check { sources, problems: out_of_range(&tree, sources) };
    settings.server.cors.normalise();
    settings.upstreams.values_mut().for_each(Upstream::normalise);
    settings.routes.iter_mut().for_each(Route::normalise);
    check.relations(settings);
    check.levels(settings);
    check.listeners(settings);
    check.access(settings);
    for (name, upstream) in &settings.upstreams {
        check.upstream(name, upstream);
    }
    check.traces(&settings.traces);
    check.routes(settings);
    check.prices(settings);
    check.warming(settings);
    check.problems
}

struct Check<'c> {
    sources: &'c Sources,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn refuse(&mut self, key: &str, value: impl ToString, reason: &str, allowed: &str) {
        let source = self.sources.of(key);
        let text = value.to_string();
        let value = shown(key, &Value::String(text), &source).filter(|text| text != "\"\"");
        let (key, reason) = (key.to_owned(), reason.to_owned());
        self.problems.push(Problem {
            key,
            value,
            source,
            reason,
            allowed: Some(allowed.to_owned()),
        });
    }

    /// Refuses `key` if it is larger than `other`.
    fn at_most<T: PartialOrd + ToString>(&mut self, key: (&str, T), other: (&str, T)) {
        if key.1 > other.1 {
            let allowed = format!("at most {}, which is {}", other.0, other.1.to_string());
            self.refuse(key.0, key.1, "too large", &allowed);
        }
    }

    fn relations(&mut self, settings: &Settings) {
        let budget = ("cache.level_budget", settings.cache.level_budget);
        self.at_most(("l2.timeout", settings.l2.timeout), budget);
        self.at_most(("l3.timeout", settings.l3.timeout), budget);
        let entry = ("cache.max_entry", settings.cache.max_entry);
        self.at_most(entry, ("l1.max_bytes", settings.l1.max_bytes));
        self.at_most(entry, ("l3.queue_bytes", settings.l3.queue_bytes));
        let late_after = ("sentinel.late_after", settings.sentinel.late_after);
        self.at_most(("sentinel.interval", settings.sentinel.interval), late_after);
        for (level, breaker) in [("l2", &settings.l2.breaker), ("l3", &settings.l3.breaker)] {
            let after = format!("{level}.breaker.probe_after");
            let at_most = format!("{level}.breaker.probe_at_most");
            self.at_most((&after, breaker.probe_after), (&at_most, breaker.probe_at_most));
        }
    }

    fn levels(&mut self, settings: &Settings) {
        if settings.data_dir.as_os_str().is_empty() {
            self.refuse("data_dir", "", "empty", "the path of a folder");
        }
        let l2 = settings.l2.url.expose();
        if !l2.is_empty() && !is_l2_url(l2) {
            self.refuse("l2.url", l2, "not the URL of a Redis server", L2_URL);
        }
        let l3 = settings.l3.url.expose();
        if !l3.is_empty() && !is_l3_url(l3) {
            self.refuse("l3.url", l3, "not the URL of a database", L3_URL);
        } else if wants_tls(l3) && !cfg!(feature = "postgres-tls") {
            self.refuse("l3.url", l3, "this build speaks no TLS with PostgreSQL", POSTGRES_TLS);
        }
    }

    fn listeners(&mut self, settings: &Settings) {
        let (server, admin) = (&settings.server, &settings.admin);
        if share_a_port(server.listen, admin.listen) {
            let reason = format!("the same port as server.listen, which is {}", server.listen);
            self.refuse("admin.listen", admin.listen, &reason, "a port of its own, or 0");
        }
        if !is_loopback(admin.listen) && admin.token.is_empty() {
            let reason = "open to the network without admin.token";
            self.refuse("admin.listen", admin.listen, reason, "127.0.0.1 or [::1], or a token");
        }
        if !admin.token.is_empty() && !is_value(admin.token.expose()) {
            let reason = "has white space around it or control characters in it";
            self.refuse("admin.token", "", reason, "what a header can carry");
        }
        let injects =
            |upstream: &Upstream| upstream.set_headers.keys().any(|name| is_credential(name));
        let injecting = settings.upstreams.iter().find(|(_, upstream)| injects(upstream));
        if let Some((name, _)) = injecting.filter(|_| !is_loopback(server.listen))
            && settings.auth.keys.is_empty()
            && !server.open_access
        {
            let reason = format!(
                "open to the network while upstreams.{name}.set_headers holds a credential: \
                 anyone who reaches the listener could spend it"
            );
            let allowed =
                "127.0.0.1 or [::1], or any address with auth.keys or server.open_access: true";
            self.refuse("server.listen", server.listen, &reason, allowed);
        }
    }

    fn upstream(&mut self, name: &str, upstream: &Upstream) {
        let key = |field: &str| format!("upstreams.{name}.{field}");
        if !is_plain_name(name) {
            self.refuse(&format!("upstreams.{name}"), "", "not a name", NAME);
        }
        if upstream.kind == UpstreamKind::Http && !is_upstream_url(&upstream.url) {
            let reason = if upstream.url.is_empty() { "missing" } else { "not a usable URL" };
            self.refuse(&key("url"), &upstream.url, reason, UPSTREAM_URL);
        }
        if !upstream.proxy.is_empty() && !is_proxy_url(upstream.proxy.expose()) {
            self.refuse(&key("proxy"), upstream.proxy.expose(), "not a usable proxy", PROXY);
        }
        self.ca_file(&key("ca_file"), upstream.ca_file.as_deref());
        let (breaker, retry) = (&upstream.breaker, &upstream.retry);
        let (first, longest) = (key("breaker.open_for"), key("breaker.open_at_most"));
        self.at_most((&first, breaker.open_for), (&longest, breaker.open_at_most));
        let (first, longest) = (key("retry.base"), key("retry.at_most"));
        self.at_most((&first, retry.base), (&longest, retry.at_most));
        let limit = &upstream.limit;
        if limit.least > limit.most {
            let allowed = format!("at most {} ({})", limit.most, key("limit.most"));
            self.refuse(&key("limit.least"), limit.least, "larger than the most", &allowed);
        }
        for (header, value) in &upstream.set_headers {
            self.set_header(&key(&format!("set_headers.{header}")), header, value);
        }
    }

    fn traces(&mut self, traces: &Traces) {
        if !traces.endpoint.is_empty() && !is_upstream_url(&traces.endpoint) {
            self.refuse("traces.endpoint", &traces.endpoint, "not a usable URL", UPSTREAM_URL);
        }
        if traces.service_name.trim().is_empty() {
            self.refuse("traces.service_name", "", "empty", "a name");
        }
        self.ca_file("traces.ca_file", traces.ca_file.as_deref());
        for (header, value) in &traces.set_headers {
            self.set_header(&format!("traces.set_headers.{header}"), header, value);
        }
    }

    fn ca_file(&mut self, key: &str, path: Option<&Path>) {
        if let Some(path) = path
            && let Err(reason) = readable(path)
        {
            self.refuse(key, path.display(), &reason, "a PEM file that can be read");
        }
    }

    fn set_header(&mut self, key: &str, header: &str, value: &Secret) {
        if !is_name(header) || is_of_connection(header) {
            self.refuse(key, "", "a header that cannot be set", HEADER);
        }
        if !is_value(value.expose()) {
            let reason =
                "its value is empty, has white space around it or control characters in it";
            self.refuse(key, "", reason, "printable text");
        }
    }

    fn routes(&mut self, settings: &Settings) {
        let mut names = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for (index, route) in settings.routes.iter().enumerate() {
            let key = |field: &str| format!("routes[{index}].{field}");
            if !is_plain_name(&route.name) {
                self.refuse(&key("name"), &route.name, "missing, or not a name", NAME);
            } else if !names.insert(&route.name) {
                self.refuse(&key("name"), &route.name, "named twice", "a name of its own");
            }
            self.route(&key, route);
            self.route_policy(&key, route, settings.cache.max_entry);
            if !settings.upstreams.contains_key(&route.upstream) {
                let known: Vec<&str> = settings.upstreams.keys().map(String::as_str).collect();
                let allowed = format!("a name under upstreams: {}", known.join(", "));
                self.refuse(&key("upstream"), &route.upstream, "no such upstream", &allowed);
            }
            for method in &route.methods {
                if !taken.insert((method, &route.path)) {
                    let reason = format!("{method} of this path is routed twice");
                    self.refuse(&key("path"), &route.path, &reason, "one route a method and path");
                }
            }
        }
    }

    fn route(&mut self, key: &dyn Fn(&str) -> String, route: &Route) {
        if !is_route_path(&route.path) {
            let allowed = "a path that begins with / and is exact or ends in /*";
            self.refuse(&key("path"), &route.path, "missing, or not a path", allowed);
        }
        self.methods(key, route);
        if let Some(most) = route.max_temperature
            && !(0.0..=100.0).contains(&most)
        {
            self.refuse(&key("max_temperature"), most, "out of range", "0–100, or null");
        }
        for (position, header) in route.forward_headers.iter().enumerate() {
            if !is_name(header) || is_of_connection(header) || is_credential(header) {
                let key = key(&format!("forward_headers[{position}]"));
                let allowed = format!("{HEADER} and is no credential");
                self.refuse(&key, header, "a header that cannot be forwarded by name", &allowed);
            }
        }
    }

    fn methods(&mut self, key: &dyn Fn(&str) -> String, route: &Route) {
        let allowed = "methods in upper case, such as [POST], or [\"*\"] alone for any";
        if route.methods.is_empty() {
            self.refuse(&key("methods"), "", "missing", allowed);
        }
        let is_any = route.methods.iter().map(String::as_str).eq(["*"]);
        for (position, method) in route.methods.iter().enumerate() {
            let key = key(&format!("methods[{position}]"));
            if !is_any && !is_method(method) {
                self.refuse(&key, method, "not a method", allowed);
            } else if route.cache && method != "GET" && method != "POST" {
                let reason = "answers to it are not kept, and cache is true";
                self.refuse(&key, method, reason, "GET and POST, or cache: false");
            }
        }
    }
}

fn is_method(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_uppercase())
}

fn is_plain_name(name: &str) -> bool {
    let is_plain = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    !name.is_empty() && name.bytes().all(|letter| is_plain(letter) || b"_-".contains(&letter))
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// Tells whether two listeners would want the same port of the same address.
fn share_a_port(one: SocketAddr, other: SocketAddr) -> bool {
    let (first, second) = (one.ip().to_canonical(), other.ip().to_canonical());
    let overlap = first == second || first.is_unspecified() || second.is_unspecified();
    one.port() != 0 && one.port() == other.port() && overlap
}

fn is_l2_url(text: &str) -> bool {
    // Several hosts are a form of its own.
    SentinelUrl::parse(text).is_some()
        || Url::parse(text).is_some_and(|url| match url.scheme {
            "redis" | "rediss" => !url.host.is_empty(),
            "redis+unix" => url.host.is_empty() && url.rest.len() > 1,
            _ => false,
        })
}

fn is_l3_url(text: &str) -> bool {
    if let Some(path) = sqlite_path(text) {
        return !path.is_empty() && path != ":memory:" && !path.contains('\0');
    }
    // Several hosts and sockets are libpq's own forms: it checks the rest itself.
    let postgres = ["postgres://", "postgresql://"].iter().find_map(|s| text.strip_prefix(s));
    postgres.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_graphic()))
}

/// Tells whether a URL wants TLS without fail. libpq's default and its weaker words go without.
fn wants_tls(text: &str) -> bool {
    let query = text.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let mut modes = query.split('&').filter_map(|pair| pair.strip_prefix("sslmode="));
    modes.next_back().is_some_and(|mode| matches!(mode, "require" | "verify-ca" | "verify-full"))
}

/// Returns the path of a SQLite URL.
pub(super) fn sqlite_path(url: &str) -> Option<&str> {
    url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))
}

fn is_upstream_url(text: &str) -> bool {
    Url::parse(text).is_some_and(|url| {
        matches!(url.scheme, "http" | "https")
            && !url.host.is_empty()
            && !url.has_user
            && !url.rest.contains(['?', '#'])
    })
}

fn is_proxy_url(text: &str) -> bool {
    Url::parse(text).is_some_and(|url| {
        url.scheme == "http"
            && !url.host.is_empty()
            && url.port.is_some()
            && matches!(url.rest, "" | "/")
    })
}

fn is_route_path(path: &str) -> bool {
    let exact = path.strip_suffix("/*").unwrap_or(path);
    path.starts_with('/')
        && exact.bytes().all(|byte| byte.is_ascii_graphic())
        && !exact.contains(['*', '?', '#'])
}

fn readable(path: &Path) -> Result<(), String> {
    let opened = File::open(path).and_then(|file| file.metadata());
    match opened {
        Ok(metadata) if metadata.is_file() => Ok(()),
        Ok(_) => Err("not a file".to_owned()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}
