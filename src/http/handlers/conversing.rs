//! A chat request within a conversation: its history goes along, and what was said is kept.

use std::rc::Rc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::HeaderName;
use anteroom_actors::error::{ConversationError, LevelError};
use anteroom_actors::message::{Recall, TurnHold, ask};
use anteroom_actors::model::{ConversationId, History, HistoryVersion, Turn};

use super::asked::Asked;
use super::directives::{Directives, X_FIELDS};
use super::proxy::{refuse, unleased};
use super::{guard, recording};
use crate::canonical::{CREDENTIAL_HEADERS, Profile, Scope};
use crate::forms::Asking;
use crate::http::error::ApiError;
use crate::http::gateway::UnderWay;
use crate::http::routes::Route;
use crate::http::shape::negotiate::Accepted;
use crate::http::worker::Worker;

/// Which conversation a request belongs to.
static X_CONVERSATION_ID: HeaderName = HeaderName::from_static("x-conversation-id");

/// Longest name of a conversation, in bytes.
const MAX_ID: usize = 128;
/// Context of the digest that names a conversation (blake3's key derivation).
const CONTEXT: &str = "anteroom 2026-11 conversation";
/// Longest wait for the conversations' actor, beyond that for a turn: the database's own is 5 s.
pub(super) const ANSWER: Duration = Duration::from_secs(6);

/// Tells whether a request belongs to a conversation.
pub(super) fn is_one(route: &Route, request: &HttpRequest) -> bool {
    route.profile == Profile::Chat && request.headers().contains_key(&X_CONVERSATION_ID)
}

/// Returns the conversation that the header names.
///
/// # Errors
///
/// [`ApiError::Header`] where it may not be a name, or there are two.
fn named(worker: &Worker, request: &HttpRequest) -> Result<ConversationId, ApiError> {
    let mut values = request.headers().get_all(&X_CONVERSATION_ID);
    let name = match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    };
    id_of(worker, request, name)
}

/// Returns the conversation of the caller that has this name.
///
/// It is a digest of the caller's scope and the name. The scope is always that of the credential,
/// also on routes that share answers.
///
/// # Errors
///
/// [`ApiError::Header`] where it may not be a name.
pub(super) fn id_of(
    worker: &Worker,
    request: &HttpRequest,
    name: &str,
) -> Result<ConversationId, ApiError> {
    let is_one_of = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if name.is_empty() || name.len() > MAX_ID || !name.bytes().all(is_one_of) {
        return Err(ApiError::Header {
            name: "X-Conversation-Id",
            allowed: format!("1–{MAX_ID} characters of A–Z, a–z, 0–9, '-', '_', '.' and ':'"),
        });
    }
    let scope = caller(worker, request);
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(scope.as_bytes());
    hasher.update(name.as_bytes());
    Ok(ConversationId::new(*hasher.finalize().as_bytes()))
}

/// Returns whose conversations a request may see.
fn caller(worker: &Worker, request: &HttpRequest) -> Scope {
    let headers = request.headers();
    let credentials = CREDENTIAL_HEADERS
        .iter()
        .flat_map(|name| headers.get_all(*name).map(move |value| (*name, value.as_bytes())));
    let secret = &worker.gateway.scope_secret;
    match guard::client_of(request) {
        Some(client) => secret.scope_within(client.scope, credentials),
        None => secret.scope(credentials),
    }
}

/// Answers a request that is inflated and belongs to a conversation.
pub(super) async fn answer(
    worker: &Rc<Worker>,
    asked: Asked<'_>,
    under_way: UnderWay,
) -> HttpResponse {
    let (route, arrived) = (asked.route, asked.arrived);
    let turn = match begin(worker, &asked).await {
        Ok(turn) => turn,
        Err(error) => return refuse(worker, route, arrived, &error),
    };
    let most = asked.in_force.settings.server.max_body.as_usize();
    if turn.body.len() > most {
        return refuse(worker, route, arrived, &ApiError::BodyTooLarge { most });
    }
    // As it is spelled by the provider or kept: what is read here is not encoded.
    let conversation = Some(turn.open.id.short());
    let accepted = Accepted::default();
    let asked = Asked { body: turn.body, accepted, conversation, ..asked };
    let digest = asked.digest();
    let response = unleased(worker, asked, (digest, None), under_way).await;
    let form = route.profile.error_form();
    recording::record(Rc::clone(worker), turn.open, form, response).await
}

/// A turn that has begun.
struct Begun {
    body: bytes::Bytes,
    open: OpenTurn,
}

/// What is needed to end a turn.
pub(super) struct OpenTurn {
    pub(super) id: ConversationId,
    pub(super) after: HistoryVersion,
    pub(super) system: bytes::Bytes,
    pub(super) hold: TurnHold,
    question: Asking,
}

impl OpenTurn {
    /// Returns what was said, with this answer.
    pub(super) fn with_answer(&self, message: &str) -> Turn {
        let body = format!("{},{message}", self.question.new_messages());
        let messages = self.question.num_new().saturating_add(1);
        Turn { messages, opens: self.question.opens(), body: body.into() }
    }
}

async fn begin(worker: &Worker, asked: &Asked<'_>) -> Result<Begun, ApiError> {
    let id = named(worker, asked.request)?;
    if Directives::of(asked.request, asked.route)?.fields.is_some() {
        let allowed = "nothing beside X-Conversation-Id, which keeps whole answers".to_owned();
        return Err(ApiError::Header { name: X_FIELDS, allowed });
    }
    let question = Asking::read(&asked.body).ok_or(ApiError::NothingSaid)?;
    let settings = &asked.in_force.settings.conversation;
    let wait = settings.turn_timeout.get();
    let recall = Recall { id, wait };
    let slot = &worker.gateway.topology.conversations.recall;
    let (history, hold) = match ask(slot, recall, wait.saturating_add(ANSWER)).await {
        Ok(recalled) => recalled.map_err(ApiError::Conversation)?,
        Err(_gone) => return Err(ApiError::Conversation(restarting())),
    };
    let after = history.version();
    let History { system, recent, .. } = history;
    let system = question.system(&system);
    let body = question.assembled(&system, recent.iter().map(|turn| turn.body.as_ref()));
    Ok(Begun { body, open: OpenTurn { id, after, system, hold, question } })
}

/// What is said while the conversations' actor is being re-created.
pub(super) const fn restarting() -> ConversationError {
    ConversationError::Unavailable(LevelError::Skipped("the conversations are restarting"))
}
