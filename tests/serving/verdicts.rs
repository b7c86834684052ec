//! Answers that are passed on and never kept.; rows of the
//! faults from "4xx" to "redirect".

use serde_json::{Value, json};

use super::apis::ask;
use crate::support::client::Request;
use crate::support::gateway::Gateway;
use crate::support::provider::{Fault, Provider, Reply};

fn choice(message: Value, reason: &str) -> Value {
    json!({"choices": [{"index": 0, "message": message, "finish_reason": reason}]})
}

fn calling(arguments: &str) -> Value {
    json!({"role": "assistant", "content": null, "tool_calls": [{"id": "c", "type": "function",
        "function": {"name": "f", "arguments": arguments}}]})
}

/// Whole bodies with status 200 that are not to be kept, and the reason given for it.
fn unfit() -> Vec<(&'static str, Value, &'static str)> {
    let text = || json!({"role": "assistant", "content": "x"});
    let block = json!([{"type": "text", "text": "x"}]);
    let message = |reason: &str, content: &Value| json!({"type": "message", "role": "assistant", "content": content, "stop_reason": reason});
    let chat = "chat/completions";
    vec![
        (chat, json!({"choices": []}), "no-choices"),
        (chat, json!({"id": "x"}), "no-choices"),
        (chat, choice(json!({"role": "assistant", "content": ""}), "stop"), "empty"),
        (chat, choice(json!({"role": "assistant", "content": null}), "stop"), "empty"),
        (chat, choice(text(), "length"), "truncated"),
        (chat, json!({"choices": [{"index": 0, "message": text()}]}), "truncated"),
        (chat, choice(text(), "content_filter"), "filtered"),
        (chat, choice(calling("{\"city\": \"Par"), "tool_calls"), "tool-arguments"),
        (chat, choice(calling("get the weather"), "tool_calls"), "tool-arguments"),
        (chat, json!({"error": {"message": "overloaded", "code": 529}}), "error-in-200"),
        (chat, json!(["not", "an", "object"]), "not-json"),
        ("completions", json!({"choices": []}), "no-choices"),
        (
            "completions",
            json!({"choices": [{"text": "x", "finish_reason": "length"}]}),
            "truncated",
        ),
        ("embeddings", json!({"object": "list", "data": []}), "empty"),
        ("messages", message("max_tokens", &block), "truncated"),
        ("messages", message("refusal", &block), "filtered"),
        ("messages", message("end_turn", &json!([])), "empty"),
        (
            "messages",
            json!({"type": "error", "error": {"type": "overloaded_error"}}),
            "error-in-200",
        ),
        (
            "responses",
            json!({"status": "incomplete", "output": [],
            "incomplete_details": {"reason": "max_output_tokens"}}),
            "truncated",
        ),
        (
            "responses",
            json!({"status": "incomplete", "output": [],
            "incomplete_details": {"reason": "content_filter"}}),
            "filtered",
        ),
        ("responses", json!({"status": "in_progress", "output": []}), "unfinished"),
        (
            "responses",
            json!({"status": "completed", "output": [{"type": "function_call",
            "name": "f", "arguments": "{"}]}),
            "tool-arguments",
        ),
    ]
}

fn detail(answer: &crate::support::client::Response) -> &str {
    let status = answer.header("cache-status").unwrap_or_default();
    assert!(!status.contains("stored"), "{answer}");
    status.rsplit_once("detail=").map_or("", |(_, detail)| detail)
}

#[test]
fn whole_answers_that_are_unfit_are_passed_on_and_asked_for_again() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for (number, (api, body, reason)) in unfit().into_iter().enumerate() {
        let request = ask(api, &number.to_string());
        for _ in 0..2 {
            provider.next(Reply::json(200, &body));
            let answer = gateway.send(&request).expect_status(200);
            assert_eq!((answer.cache().as_str(), detail(&answer)), ("MISS", reason), "{answer}");
            assert_eq!(answer.json(), body);
        }
        // The request itself is one whose answer is kept.
        assert_eq!(gateway.send(&request).expect_status(200).cache(), "MISS");
        assert_eq!(gateway.send(&request).cache(), "HIT L1", "{api} {body}");
    }
    assert_eq!(provider.num_calls(), unfit().len() * 3);
}

/// A reason that says nothing bad is kept: tools that were called, a filter that did nothing.
#[test]
fn answers_that_are_odd_and_whole_are_kept() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let odd = [
        choice(calling("{\"city\": \"Paris\"}"), "tool_calls"),
        choice(calling("{}"), "stop"),
        choice(json!({"role": "assistant", "content": null, "refusal": "no"}), "stop"),
        choice(json!({"role": "assistant", "content": "", "reasoning_content": "h"}), "stop"),
        choice(json!({"role": "assistant", "content": "x"}), "eos"),
        json!({"error": null, "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}),
    ];
    for (number, body) in odd.into_iter().enumerate() {
        let request = ask("chat/completions", &number.to_string());
        provider.next(Reply::json(200, &body));
        for cache in ["MISS", "HIT L1"] {
            let answer = gateway.send(&request).expect_status(200);
            assert_eq!((answer.cache().as_str(), answer.json()), (cache, body.clone()), "{answer}");
        }
    }
}

#[test]
fn answers_of_no_success_are_passed_on_with_their_status_and_never_kept() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    // 401 and 403 say something of the credential, too: `scopes` has them.
    for status in [201, 202, 204, 302, 400, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529] {
        let request = ask("chat/completions", &status.to_string());
        // A good body does not make up for the status.
        let body = choice(json!({"role": "assistant", "content": "x"}), "stop").to_string();
        let body = if status == 204 { String::new() } else { body };
        for _ in 0..2 {
            let reply = match status {
                204 => Reply::raw("HTTP/1.1 204 No Content\r\nX-Custom: c\r\n\r\n"),
                _ => Reply::new(status, &[("X-Custom", "c")], &body),
            };
            provider.next(reply);
            let answer = gateway.send(&request).expect_status(status);
            assert_eq!((answer.cache().as_str(), detail(&answer)), ("MISS", "status"), "{answer}");
            assert_eq!((answer.text(), answer.header("x-custom")), (body.clone(), Some("c")));
        }
        assert_eq!(gateway.send(&request).expect_status(200).cache(), "MISS", "{status}");
    }
}

/// Bodies that are not what the API answers with, though the status is 200.
#[test]
fn bodies_that_nobody_can_use_are_passed_on_as_they_are_and_never_kept() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for (fault, reason) in [
        (Fault::Html, "not-json"),
        (Fault::BadJson, "not-json"),
        (Fault::NanJson, "not-json"),
        (Fault::BadUtf8, "not-json"),
        (Fault::Empty, "empty"),
        (Fault::ErrorIn200, "error-in-200"),
        (Fault::Gzip, "encoding"),
    ] {
        let request = ask("chat/completions", &format!("{fault:?}"));
        let mut bodies = Vec::new();
        for _ in 0..2 {
            provider.next(fault);
            let answer = gateway.send(&request).expect_status(200);
            assert_eq!((answer.cache().as_str(), detail(&answer)), ("MISS", reason), "{answer}");
            bodies.push(answer.body);
        }
        let direct = Provider::start();
        direct.next(fault);
        assert_eq!(bodies[0], Request::get("/").send(&direct.address()).body, "{fault:?}");
        assert_eq!(gateway.send(&request).expect_status(200).cache(), "MISS", "{fault:?}");
    }
}

/// Half a body is nobody's answer: an error of ours, or a cut that shows.
#[test]
fn truncated_bodies_are_never_taken_for_whole_ones() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for fault in [Fault::Truncate, Fault::TruncateChunked, Fault::BadChunk, Fault::TwoLengths] {
        let request = ask("chat/completions", &format!("{fault:?}"));
        for _ in 0..2 {
            provider.next(fault);
            let answer = gateway.send(&request).expect_status(502);
            assert_eq!(answer.cache(), "MISS", "{answer}");
            answer.json()["error"]["message"].as_str().expect("an error of the gateway's own");
        }
        assert_eq!(gateway.send(&request).expect_status(200).cache(), "MISS", "{fault:?}");
        assert_eq!(gateway.send(&request).expect_status(200).cache(), "HIT L1", "{fault:?}");
    }
}

/// A redirect is the caller's to follow: the gateway goes to no other host.
#[test]
fn a_redirect_is_passed_on_and_not_followed() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    provider.next(Fault::Redirect);
    let answer = gateway.send(&ask("chat/completions", "elsewhere")).expect_status(302);
    assert_eq!(answer.header("location"), Some("http://203.0.113.1/elsewhere"), "{answer}");
    assert_eq!(provider.num_calls(), 1);
}

/// What the provider forbids to keep is not kept.
#[test]
fn answers_that_their_provider_forbids_to_keep_are_not_kept() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    let body = choice(json!({"role": "assistant", "content": "x"}), "stop").to_string();
    for (header, reason) in
        [(("Cache-Control", "private, no-store"), "no-store"), (("Vary", "*"), "vary")]
    {
        for _ in 0..2 {
            provider.next(Reply::new(200, &[header], &body));
            let answer = gateway.send(&ask("chat/completions", reason)).expect_status(200);
            assert_eq!((answer.cache().as_str(), detail(&answer)), ("MISS", reason), "{answer}");
        }
    }
}
