//! The operators' page, in a real browser.

use std::io::Read as _;

use anteroom::dashboard::{ASSETS, Asset};
use serde_json::{Value, json};

use crate::support::browser::Browser;
use crate::support::client::Request;
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::{Fault, Provider};
use crate::support::redis::Redis;

fn page(gateway: &Gateway) -> String {
    format!("http://{}/dashboard", gateway.operations())
}

fn some_traffic(gateway: &Gateway) {
    for number in 0..4 {
        for _ in 0..5 {
            gateway.chat(prompt(&format!("prompt {number}"))).expect_status(200);
        }
    }
}

/// The numbers that every refresh has the same way once traffic has stopped.
const SETTLED: [&str; 12] = [
    "requests.total",
    "requests.hit_ratio",
    "response_times.all.p50_ms",
    "response_times.all.p99_ms",
    "savings.total.calls",
    "savings.total.money",
    "savings.total.input_tokens",
    "compression.sent_bytes",
    "payload.spared_ratio",
    "upstream.answered",
    "upstream.failed",
    "memory.limit_bytes",
];

#[test]
fn the_page_shows_what_the_api_says_and_asks_nobody_else() {
    let (provider, redis) = (Provider::start(), Redis::start());
    let gateway = Gateway::patient().upstream(&provider).redis(&redis).start();
    some_traffic(&gateway);
    provider.next(Fault::Close);
    gateway.chat(prompt("failed")).expect_status(502);
    let mut browser = Browser::start();
    browser.open(&page(&gateway));
    browser.wait_for("document.getElementById('status').textContent === 'ok'");
    let mut differs = Vec::new();
    let same = poll(PATIENCE, || {
        let told = gateway.operate(&Request::get("/api/v1/performance?window=1m")).json();
        let shown = browser.evaluate(
            "Object.fromEntries([...document.querySelectorAll('[data-n]')]\
             .map((one) => [one.dataset.n, JSON.parse(one.dataset.v)]))",
        );
        let of = |name: &str| {
            let value = told.pointer(&format!("/{}", name.replace('.', "/"))).cloned();
            // Scripts know no difference between 0 and 0.0.
            value.map(|value| value.as_f64().map_or(value, Value::from))
        };
        let known = |name: &str| shown[name].as_f64().map_or(shown[name].clone(), Value::from);
        let wrong = SETTLED.into_iter().filter(|name| of(name) != Some(known(name)));
        differs =
            wrong.map(|name| format!("{name}: {:?} shown {}", of(name), shown[name])).collect();
        (differs.is_empty() && told["requests"]["total"] == 21).then_some(told)
    });
    let told = same.unwrap_or_else(|| panic!("{differs:#?}\n{}", gateway.log()));
    let text = |browser: &mut Browser, selector: &str| {
        let found = browser.evaluate(&format!("document.querySelector(\"{selector}\").innerText"));
        found.as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(text(&mut browser, "[data-n='requests.total']"), "21");
    let actors = text(&mut browser, "#actors");
    for actor in told["actors"].as_array().unwrap() {
        assert!(actors.contains(actor["name"].as_str().unwrap()), "{actors}");
    }
    let levels = text(&mut browser, "#levels");
    assert!(levels.contains("L2") && levels.contains("ok"), "{levels}");
    let outcomes = text(&mut browser, "#outcomes");
    assert!(outcomes.contains("hit in L1\t16"), "{outcomes}");
    // Every chart is drawn, and told in words.
    for chart in ["traffic", "latency", "memory", "curve"] {
        let label = browser.evaluate(&format!(
            "document.querySelector('#chart-{chart} .plot[role=img]:has(canvas)').getAttribute('aria-label')"
        ));
        assert!(label.as_str().is_some_and(|label| label.len() > 10), "{chart}: {label}");
    }
    let own = format!("http://{}/", gateway.operations());
    let requested = browser.requested();
    let foreign: Vec<_> = requested.iter().filter(|url| !url.starts_with(&own)).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    for Asset { name, .. } in ASSETS.iter().filter(|one| !one.name.ends_with("LICENSE")) {
        let wanted = format!("{own}dashboard/{name}");
        let wanted = wanted.trim_end_matches('/');
        assert!(requested.iter().any(|url| url == wanted), "{wanted}: {requested:?}");
    }
    assert_eq!(browser.errors(), [""; 0]);
}

/// Names, roles and focus: what a keyboard and a screen reader have of the page.
#[test]
fn an_operator_explains_and_purges_by_the_keyboard() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let asked = prompt("explained on the page");
    gateway.chat(asked.clone()).expect_status(200);
    let mut browser = Browser::start();
    browser.open(&page(&gateway));
    browser.wait_for("document.getElementById('status').textContent === 'ok'");
    let request = json!({
        "path": "/v1/chat/completions",
        "headers": {"authorization": "Bearer sk-test"},
        "body": asked,
    });
    browser.tab_to("#request");
    browser.evaluate("document.activeElement.select()");
    browser.type_text(&request.to_string());
    browser.press("Tab");
    browser.press("Enter");
    browser.wait_for(
        "document.getElementById('result-text').textContent.startsWith('It would be: hit L1')",
    );
    assert_eq!(browser.evaluate("document.activeElement.id"), "result-title");
    let key = browser.evaluate("document.getElementById('inspect-key').value");
    assert_eq!(key.as_str().map(str::len), Some(64), "{key}");
    browser.evaluate("document.getElementById('main').focus()");
    browser.tab_to("#inspect-key");
    browser.press("Enter");
    browser.wait_for(
        "document.getElementById('result-text').textContent.startsWith('It is held by: L1')",
    );

    browser.evaluate("document.getElementById('main').focus()");
    browser.tab_to("#purge-value");
    browser.type_text(key.as_str().unwrap());
    // Left as it is: nothing is purged. The safe button has the focus.
    browser.press("Enter");
    browser.wait_for("document.getElementById('confirm').open");
    assert_eq!(browser.evaluate("document.activeElement.value"), "no");
    browser.press("Escape");
    browser.wait_for("!document.getElementById('confirm').open");
    assert_eq!(gateway.chat(asked.clone()).header("x-cache"), Some("HIT"));

    browser.evaluate("document.getElementById('main').focus()");
    browser.tab_to("#purge-value");
    browser.press("Enter");
    browser.wait_for("document.getElementById('confirm').open");
    browser.tab_to("button[value=yes]");
    browser.press("Enter");
    browser.wait_for("document.getElementById('result-title').textContent === 'Purge'");
    assert_eq!(gateway.chat(asked).header("x-cache"), Some("MISS"));
    let unnamed = browser.evaluate(
        "[...document.querySelectorAll('input, select, textarea')]\
         .filter((one) => !one.labels.length).map((one) => one.id)",
    );
    assert_eq!(unnamed, json!([]));
    assert_eq!(browser.errors(), [""; 0]);
}

#[test]
fn with_a_token_the_page_wants_it_once_and_keeps_no_copy() {
    let provider = Provider::start();
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("ANTEROOM__ADMIN__TOKEN", "the-operators-token")
        .start();
    let mut browser = Browser::start();
    browser.open(&page(&gateway));
    browser.wait_for("document.getElementById('sign-in').open");
    browser.type_text("the-operators-token");
    browser.press("Enter");
    browser.wait_for("document.getElementById('status').textContent === 'ok'");
    assert_eq!(browser.evaluate("document.cookie"), "");
    let kept = browser.call("Network.getCookies", json!({}));
    let cookie = &kept["cookies"][0];
    assert_eq!(
        (&cookie["httpOnly"], &cookie["sameSite"]),
        (&json!(true), &json!("Strict")),
        "{kept}"
    );
    assert!(!kept.to_string().contains("the-operators-token"), "{kept}");
    browser.open(&page(&gateway));
    browser.wait_for("document.getElementById('status').textContent === 'ok'");
    assert_eq!(browser.errors(), [""; 0]);
    browser.evaluate("document.getElementById('sign-out').click()");
    browser.wait_for("document.getElementById('sign-in')?.open === true");
}

/// What no browser of an honest operator does.
#[test]
fn a_session_is_good_for_its_own_pages_requests_alone() {
    let gateway = Gateway::patient().env("ANTEROOM__ADMIN__TOKEN", "the-operators-token").start();
    let sign_in = |token: &str| {
        gateway.operate(&Request::post("/dashboard/session", json!({"token": token})))
    };
    sign_in("wrong").expect_status(403);
    gateway.operate(&Request::post("/dashboard/session", "{}")).expect_status(400);
    let signed_in = sign_in("the-operators-token").expect_status(200);
    let set = signed_in.header("set-cookie").expect("a cookie").to_owned();
    assert!(set.contains("; HttpOnly; SameSite=Strict"), "{set}");
    let cookie = set.split(';').next().expect("a pair").to_owned();
    let purge = || Request::post("/api/v1/cache/purge", json!({"tag": "t"}));
    let own = format!("http://{}", gateway.operations());
    let host = gateway.operations().to_owned();
    for (request, status) in [
        (Request::get("/api/v1/performance"), 401),
        (Request::get("/api/v1/performance").header("Cookie", "anteroom_session=1.2"), 401),
        (Request::get("/api/v1/performance").header("Cookie", &cookie), 200),
        (
            Request::get("/metrics")
                .header("Cookie", &cookie)
                .header("Origin", "http://evil.example"),
            401,
        ),
        (purge().header("Cookie", &cookie), 401),
        (purge().header("Cookie", &cookie).header("Origin", "http://evil.example"), 401),
        (purge().header("Cookie", &cookie).header("Origin", "null"), 401),
        (purge().header("Cookie", &cookie).header("Origin", &own).header("Host", &host), 200),
        (purge().header("Authorization", "Bearer the-operators-token"), 200),
    ] {
        gateway.operate(&request).expect_status(status);
    }
    for path in ["/dashboard", "/dashboard/app.js", "/dashboard/uPlot.iife.min.js"] {
        let page = gateway.operate(&Request::get(path)).expect_status(200);
        let policy = page.header("content-security-policy").unwrap_or_default();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        let again = Request::get(path).header("If-None-Match", page.header("etag").unwrap());
        gateway.operate(&again).expect_status(304);
    }
    gateway.operate(&Request::get("/dashboard/none.js")).expect_status(404);
}

/// Over a slow line it is a third of what it is beside the gateway.
#[test]
fn the_page_is_sent_in_gzip_to_whom_takes_it() {
    let gateway = Gateway::patient().start();
    let mut sent = 0;
    for Asset { name, text, .. } in ASSETS {
        let get = || Request::get(format!("/dashboard/{name}").trim_end_matches('/'));
        let plain = gateway.operate(&get()).expect_status(200);
        assert_eq!(plain.header("content-encoding"), None, "{name}");
        assert_eq!(plain.text(), text, "{name}");
        let brotli = gateway.operate(&get().header("Accept-Encoding", "br, gzip;q=0"));
        assert_eq!(brotli.header("content-encoding"), None, "{name}");
        let packed =
            gateway.operate(&get().header("Accept-Encoding", "gzip, br")).expect_status(200);
        assert_eq!(packed.header("vary"), Some("Accept-Encoding"), "{name}");
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{name}");
        let mut unpacked = String::new();
        let mut reader = flate2::read::GzDecoder::new(packed.body.as_slice());
        reader.read_to_string(&mut unpacked).expect("gzip");
        assert_eq!(unpacked, text, "{name}");
        sent += packed.body.len();
        // Each form has a tag of its own, which its other form does not answer to.
        for (tag, status) in [(packed.header("etag"), 304), (plain.header("etag"), 200)] {
            let known =
                get().header("Accept-Encoding", "gzip").header("If-None-Match", tag.unwrap());
            gateway.operate(&known).expect_status(status);
        }
    }
    assert!(sent < 48 * 1024, "the page weighs {sent} bytes");
}

#[test]
fn so_many_watch_and_no_more() {
    let gateway = Gateway::patient().start();
    let watch = || Request::get("/api/v1/live").try_open(gateway.operations()).expect("an answer");
    let mut watching: Vec<_> = (0..32).map(|_| watch()).collect();
    assert!(watching.iter().all(|one| one.status == 200));
    let refused = watch().response().expect_status(503);
    assert_eq!(refused.header("retry-after"), Some("5"));
    watching.clear();
    let again = poll(PATIENCE, || {
        let one = watch();
        (one.status == 200).then_some(one)
    });
    assert!(again.is_some(), "{}", gateway.log());
}
