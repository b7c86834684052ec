//! A caller's own conversations: seen and removed on the API listener.

use std::rc::Rc;

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use anteroom_actors::message::{Forget, Look, ask};
use anteroom_actors::model::History;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::conversing::{ANSWER, id_of, restarting};
use crate::canonical::ErrorForm;
use crate::http::error::ApiError;
use crate::http::openapi::shared;
use crate::http::worker::Worker;

/// Where they are.
pub const FOLDER: &str = "/api/v1/conversations";

/// One of them there.
pub const ONE: &str = "/{id}";

/// Which conversation.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "the path is taken apart by the router")]
struct Named {
    /// Its name, as the header has it.
    #[param(pattern = "^[A-Za-z0-9_.:-]{1,128}$", example = "example")]
    id: String,
}

/// The messages of a conversation.
///
/// A conversation begins with a chat completion that has the header X-Conversation-Id.
#[utoipa::path(
    get, context_path = FOLDER, path = ONE, operation_id = "conversation",
    params(Named),
    responses(
        (
            status = 200, body = Shown,
            description = "Its messages, for who shows the credentials that its requests had.",
        ),
        (status = 400, response = shared::Error),
        (status = 404, response = shared::Error),
        (status = 409, response = shared::Error),
        (status = 503, response = shared::Away),
    ),
)]
pub async fn show(worker: Rc<Worker>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    match look(&worker, &request, &name).await {
        Ok(Some(history)) => shown(&name, &history),
        Ok(None) => ApiError::NoConversation.response(ErrorForm::OpenAi),
        Err(error) => error.response(ErrorForm::OpenAi),
    }
}

/// Remove a conversation.
#[utoipa::path(
    delete, context_path = FOLDER, path = ONE, operation_id = "forget",
    params(Named),
    responses(
        (status = 200, description = "It is gone.", body = Forgotten),
        (status = 400, response = shared::Error),
        (status = 404, response = shared::Error),
        (status = 409, response = shared::Error),
        (status = 503, response = shared::Away),
    ),
)]
pub async fn forget(worker: Rc<Worker>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    match remove(&worker, &request, &name).await {
        Ok(true) => {
            let object = "conversation.deleted";
            HttpResponse::Ok().json(Forgotten { id: &name, object, deleted: true })
        }
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

/// A conversation that is gone.
#[derive(Serialize, ToSchema)]
#[schema(as = ConversationForgotten)]
struct Forgotten<'a> {
    /// Its name.
    id: &'a str,
    /// `conversation.deleted`.
    object: &'static str,
    /// True.
    deleted: bool,
}

/// The history of a conversation, as it would be sent along.
#[derive(Serialize, ToSchema)]
#[schema(as = Conversation)]
struct Shown<'a> {
    /// Its name.
    id: &'a str,
    /// `conversation`.
    object: &'static str,
    /// Turns so far, those that are no longer sent along included.
    turns: u64,
    /// Bytes of all messages.
    bytes: u64,
    /// When it ends unless another turn comes, in ms since 1970.
    expires_at_ms: u64,
    /// System messages, then the latest turns.
    #[schema(value_type = Vec<Object>)]
    messages: Box<RawValue>,
}
