//! Pages of other origins.

use crate::support::client::{Request, Response};
use crate::support::client_keys::{config, key};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{Provider, Reply};

const ORIGIN: &str = "https://app.example";

fn preflight(origin: &str) -> Request {
    Request::new("OPTIONS", "/v1/chat/completions")
        .header("Origin", origin)
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization,content-type,x-stainless-os")
}

fn allowed(answer: &Response) -> Vec<&str> {
    answer.headers.all("access-control-allow-origin")
}

/// Preflights carry no key, so none is wanted; what they lead to needs one as ever.
#[test]
fn a_preflight_is_answered_by_the_gateway_and_the_request_after_it_needs_its_key() {
    let provider = Provider::scripted(|_| {
        let whole = serde_json::json!({"choices": [{"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "x"}}]});
        let headers = [
            ("Access-Control-Allow-Origin", "https://provider.example"),
            ("Access-Control-Allow-Credentials", "true"),
        ];
        Reply::new(200, &headers, whole.to_string())
    });
    let yaml = config(&provider, &[("page", "")])
        + "server: {cors: {origins: ['https://app.example', 'http://localhost:3000']}}\n";
    let gateway = Gateway::patient().config(&yaml).start();
    let answer = gateway.send(&preflight(ORIGIN)).expect_status(204);
    assert_eq!(allowed(&answer), [ORIGIN]);
    for (name, value) in [
        ("access-control-allow-methods", "POST"),
        ("access-control-allow-headers", "authorization,content-type,x-stainless-os"),
        ("access-control-max-age", "600"),
        ("vary", "origin, access-control-request-method, access-control-request-headers"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{answer}");
    }
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let stranger = gateway.send(&preflight("https://evil.example")).expect_status(204);
    assert_eq!(allowed(&stranger), [""; 0], "{stranger}");
    assert_eq!(stranger.header("access-control-allow-headers"), None);
    assert_eq!(provider.num_calls(), 0);

    let request = Request::post("/v1/chat/completions", prompt("page")).header("Origin", ORIGIN);
    let refused = gateway.send(&request).expect_status(401);
    assert_eq!(allowed(&refused), [ORIGIN], "the page may read why");
    let request = request.bearer(&key("page"));
    for cache in ["MISS", "HIT L1"] {
        let answer = gateway.send(&request).expect_status(200);
        assert_eq!((answer.cache().as_str(), allowed(&answer)), (cache, vec![ORIGIN]), "{answer}");
        assert!(answer.headers.all("vary").contains(&"origin"), "{answer}");
        assert_eq!(answer.header("access-control-allow-credentials"), None, "{answer}");
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        for name in ["cache-status", "x-cache", "age", "ratelimit", "retry-after"] {
            assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}: {answer}");
        }
    }
    let mut other = Request::post("/v1/chat/completions", prompt("page")).bearer(&key("page"));
    let none = gateway.send(&other).expect_status(200);
    assert_eq!((none.cache().as_str(), allowed(&none)), ("HIT L1", vec![]), "{none}");
    other = other.header("Origin", "https://evil.example");
    assert_eq!(allowed(&gateway.send(&other)), [""; 0]);
    // OPTIONS that is no preflight is a request like any other.
    gateway.send(&Request::new("OPTIONS", "/v1/files")).expect_status(401);
}

#[test]
fn without_the_setting_origins_change_nothing_and_with_a_star_all_may() {
    let provider = Provider::start();
    let off = Gateway::patient().upstream(&provider).start();
    let passed = off.send(&preflight(ORIGIN)).expect_status(200);
    assert_eq!((allowed(&passed), provider.num_calls()), (vec![], 1), "{}", provider.log());
    let answer = off.send(&chat(prompt("plain")).header("Origin", ORIGIN)).expect_status(200);
    assert_eq!((allowed(&answer), answer.header("vary")), (vec![], None));
    let any = Gateway::patient()
        .upstream(&provider)
        .env("ANTEROOM__SERVER__CORS__ORIGINS", "['*']")
        .env("ANTEROOM__SERVER__CORS__METHODS", "[GET, POST]")
        .start();
    let answer = any.send(&preflight("https://anyone.example")).expect_status(204);
    assert_eq!(allowed(&answer), ["*"]);
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, POST"));
    let answer = any.send(&chat(prompt("plain")).header("Origin", ORIGIN)).expect_status(200);
    assert_eq!(allowed(&answer), ["*"]);
}
