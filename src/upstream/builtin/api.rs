//! Which request gets which answer.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;

use super::answer::Written;
use super::format::{Api, MODEL, model, models, object};
use super::refusal::Refusal;
use super::stream::{Event, events};
use super::{Builtin, JSON, Prepared, header, request};

/// Answers a call, or says why not.
pub(super) fn answer(builtin: &Builtin, method: &str, path: &str, body: &Bytes) -> Prepared {
    // Nothing here depends on a query.
    let path = path.split('?').next().unwrap_or_default();
    let answered = match path {
        "/v1/chat/completions" => post(method).and_then(|()| complete(builtin, Api::Chat, body)),
        "/v1/completions" => post(method).and_then(|()| complete(builtin, Api::Completions, body)),
        "/v1/models" => get(method).map(|()| listing(models())),
        _ => match path.strip_prefix("/v1/models/") {
            Some(MODEL) => get(method).map(|()| listing(model())),
            Some(_) => get(method).and(Err(Refusal::unknown_model())),
            None => Err(not_done(path)),
        },
    };
    let prepared = answered.unwrap_or_else(Refusal::prepared);
    if method == "HEAD" { prepared.without_body() } else { prepared }
}

fn post(method: &str) -> Result<(), Refusal> {
    if method == "POST" { Ok(()) } else { Err(Refusal::wrong_method("POST")) }
}

fn get(method: &str) -> Result<(), Refusal> {
    if matches!(method, "GET" | "HEAD") { Ok(()) } else { Err(Refusal::wrong_method("GET")) }
}

fn not_done(path: &str) -> Refusal {
    match path.strip_prefix("/v1/messages") {
        Some("") => Refusal::not_done_for_anthropic(),
        Some(rest) if rest.starts_with('/') => Refusal::not_done_for_anthropic(),
        _ if path.starts_with("/v1/") => Refusal::not_done(),
        _ => Refusal::unknown_path(),
    }
}

fn listing(body: Bytes) -> Prepared {
    Prepared::whole(200, vec![header("content-type", JSON)], body)
}

fn complete(builtin: &Builtin, api: Api, body: &Bytes) -> Result<Prepared, Refusal> {
    let ask = match api {
        Api::Chat => request::chat(body)?,
        Api::Completions => request::completion(body)?,
    };
    let created = builtin.clock.wall_ms() / 1000;
    let written = Written::answering(api, &ask, body, created);
    let per_token = builtin.think_time_per_token;
    if ask.options.streamed {
        return Ok(spoken(events(&written, ask.options.include_usage, per_token)));
    }
    let tokens = u32::try_from(written.longest_tokens()).unwrap_or(u32::MAX);
    let think_first = per_token.saturating_mul(tokens);
    Ok(Prepared { think_first, ..listing(object(&written)) })
}

fn spoken(events: Vec<Event>) -> Prepared {
    let body = futures_util::stream::iter(events).then(|event| async move {
        if !event.think.is_zero() {
            tokio::time::sleep(event.think).await;
        }
        Ok(event.bytes)
    });
    Prepared {
        status: 200,
        headers: vec![header("content-type", "text/event-stream")],
        streamed: true,
        think_first: Duration::ZERO,
        body: body.boxed_local(),
    }
}
