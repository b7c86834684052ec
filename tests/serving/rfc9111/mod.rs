//! The gateway as a cache of GET and HEAD, section by section of RFC 9111, over real sockets.
//!
//! Each test names its section. Where it matters a test runs on a private route, where each credential
//! has answers of its own, and on a shared one. Nothing waits for time to pass: an answer that came
//! with an `Age` is as old as that says.

mod age;
mod directives;
mod freshness;
mod head;
mod headers;
mod invalidation;
mod partial;
mod shared;
mod storing;
mod validation;
mod vary;

use anteroom::caching::format_http_date;
use anteroom_actors::clock::{Clock as _, SystemClock};

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, actor};
use crate::support::provider::{Call, Provider, Reply};

/// A route whose answers are their credential's own.
const OWN: &str = "/v1/own/";
/// A route whose answers all share.
const SHARED: &str = "/v1/shared/";
/// Both.
const BOTH: [&str; 2] = [OWN, SHARED];

const FRESH: (&str, &str) = ("Cache-Control", "max-age=600");
/// Stale when it comes, by five minutes.
const STALE: [(&str, &str); 2] = [("Cache-Control", "max-age=300"), ("Age", "600")];
const TAG: (&str, &str) = ("ETag", "\"one\"");

/// A gateway with both routes, in front of a provider that says what it is told to.
struct Rig {
    provider: Provider,
    gateway: Gateway,
}

impl Rig {
    /// Starts it; the routes serve nothing stale by themselves.
    fn start() -> Self {
        Self::with("stale_while_revalidate: 0s, stale_if_error: 0s")
    }

    /// Starts it with `settings` on both routes.
    fn with(settings: &str) -> Self {
        let provider = Provider::start();
        let route = |name: &str, scope: &str| {
            format!(
                "  - {{name: {name}, methods: [GET], path: /v1/{name}/*, profile: generic, \
                 cache: true, lifetime: 1h, scope: {scope}, {settings}}}\n"
            )
        };
        let config = format!(
            "routes:\n{}{}  - {{name: rest, methods: [\"*\"], path: /v1/*}}\n\
             upstreams:\n  default:\n    retry: {{attempts: 0}}\n",
            route("own", "credential"),
            route("shared", "shared"),
        );
        let gateway = Gateway::patient().upstream(&provider).config(&config).start();
        Self { provider, gateway }
    }

    /// Has the next call answered by `body` with these headers.
    fn says(&self, status: u16, headers: &[(&str, &str)], body: &str) -> &Self {
        let mut all = vec![("Content-Type", "text/plain")];
        all.extend(headers);
        self.provider.next(Reply::new(status, &all, body));
        self
    }

    fn get(&self, target: &str) -> Response {
        self.ask("GET", target, &[])
    }

    fn get_with(&self, target: &str, headers: &[(&str, &str)]) -> Response {
        self.ask("GET", target, headers)
    }

    fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Response {
        let request = Request::new(method, target);
        let add = |request: Request, line: &(&str, &str)| request.header(line.0, line.1);
        let answer = self.gateway.send(&headers.iter().fold(request, add));
        if answer.cache() == "MISS" {
            self.settle();
        }
        answer
    }

    /// Waits until L1 answers in the place of the flight that just landed, which could be joined.
    fn settle(&self) {
        self.gateway.wait_until("no flight", |health| {
            actor(health, "resolver").is_some_and(|resolver| resolver["counters"]["flights"] == 0)
        });
    }

    /// Has `target` kept with these headers; the body is "one".
    #[track_caller]
    fn keep(&self, target: &str, headers: &[(&str, &str)]) {
        self.says(200, headers, "one");
        let first = self.get(target).expect_status(200);
        assert_eq!(first.text(), "one", "{first}");
    }

    /// Tells whether `request` is answered without a call. A call gets "two".
    #[track_caller]
    fn is_kept(&self, target: &str, request: &[(&str, &str)]) -> bool {
        let before = self.provider.num_calls();
        let script = |_: &Call| Reply::new(200, &[("Cache-Control", "no-store")], "two");
        self.provider.script(script);
        let answer = self.get_with(target, request).expect_status(200);
        let cache = answer.cache();
        let is_kept = cache.starts_with("HIT") || cache.starts_with("STALE");
        assert_eq!(answer.text(), if is_kept { "one" } else { "two" }, "{answer}");
        if request.is_empty() && cache.starts_with("STALE") {
            // The call behind it, before the next reply is told.
            self.provider.wait_for_calls(before + 1);
        } else {
            assert_eq!(self.provider.num_calls() == before, is_kept, "{answer}");
        }
        is_kept
    }

    /// Returns the last call.
    fn last(&self) -> Call {
        self.provider.calls().pop().expect("a call")
    }
}

/// Returns a date so many seconds from now.
fn date(offset_s: i64) -> String {
    let now = i64::try_from(SystemClock.wall_ms()).expect("within years");
    format_http_date(u64::try_from(now + offset_s * 1_000).expect("after 1970"))
}

fn status_of(answer: &Response) -> &str {
    answer.header("cache-status").unwrap_or_default()
}
