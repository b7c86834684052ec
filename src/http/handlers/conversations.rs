//! A caller's own conversations: seen and removed on the API listener.

use std::rc::Rc;

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use anteroom_actors::message::{Forget, Look, ask};
use anteroom_actors::model::History;
use serde_json::json;
use serde_json::value::RawValue;

use super::conversing::{ANSWER, id_of, restarting};
use crate::canonical::ErrorForm;
use crate::http::error::ApiError;
use crate::http::worker::Worker;

/// Where they are.
pub const FOLDER: &str = "/api/v1/conversations";

/// One of them there.
pub const ONE: &str = "/{id}";

/// Answers GET: the history as it would be sent, and how many turns there were.
pub async fn show(worker: Rc<Worker>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    match look(&worker, &request, &name).await {
        Ok(Some(history)) => shown(&name, &history),
        Ok(None) => ApiError::NoConversation.response(ErrorForm::OpenAi),
        Err(error) => error.response(ErrorForm::OpenAi),
    }
}

/// Answers DELETE.
pub async fn forget(worker: Rc<Worker>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    match remove(&worker, &request, &name).await {
        Ok(true) => HttpResponse::Ok()
            .json(json!({"id": name.as_str(), "object": "conversation.deleted", "deleted": true})),
        Ok(false) => ApiError::NoConversation.response(ErrorForm::OpenAi),
        Err(error) => error.response(ErrorForm::OpenAi),
    }
}

async fn look(
    worker: &Worker,
    request: &HttpRequest,
    name: &str,
) -> Result<Option<History>, ApiError> {
    let id = id_of(worker, request, name)?;
    match ask(&worker.gateway.topology.conversations.look, Look { id }, ANSWER).await {
        Ok(found) => found.map_err(ApiError::Conversation),
        Err(_gone) => Err(ApiError::Conversation(restarting())),
    }
}

async fn remove(worker: &Worker, request: &HttpRequest, name: &str) -> Result<bool, ApiError> {
    let id = id_of(worker, request, name)?;
    let wait = worker.in_force().settings.conversation.turn_timeout.get();
    let slot = &worker.gateway.topology.conversations.forget;
    match ask(slot, Forget { id, wait }, wait.saturating_add(ANSWER)).await {
        Ok(removed) => removed.map_err(ApiError::Conversation),
        Err(_gone) => Err(ApiError::Conversation(restarting())),
    }
}

fn shown(name: &str, history: &History) -> HttpResponse {
    let turns = history.recent.iter().map(|turn| &turn.body);
    let said = std::iter::once(&history.system).chain(turns);
    let said: Vec<&str> = said
        .filter(|part| !part.is_empty())
        .filter_map(|part| std::str::from_utf8(part).ok())
        .collect();
    let Ok(messages) = RawValue::from_string(format!("[{}]", said.join(","))) else {
        return ApiError::Internal.response(ErrorForm::OpenAi);
    };
    HttpResponse::Ok().json(Shown {
        id: name,
        object: "conversation",
        turns: history.turns,
        bytes: history.bytes,
        expires_at_ms: history.expires_at_ms,
        messages,
    })
}

/// What GET says.
#[derive(serde::Serialize)]
struct Shown<'a> {
    id: &'a str,
    object: &'static str,
    /// Turns so far, those that are no longer sent along included.
    turns: u64,
    /// Bytes of all messages.
    bytes: u64,
    /// When it ends unless another turn comes, in ms since 1970.
    expires_at_ms: u64,
    /// System messages, then the latest turns.
    messages: Box<RawValue>,
}
