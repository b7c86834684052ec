//! The end of a turn: the answer passes on only once it is committed, the terminal event of a
//! stream likewise.

use std::pin::Pin;
use std::rc::Rc;

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, BoxBody, MessageBody as _, to_bytes_limited};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use anteroom_actors::message::{Append, ask};
use bytes::{Bytes, BytesMut};
use futures_util::stream;

use super::conversing::{ANSWER, OpenTurn, restarting};
use crate::canonical::{ErrorForm, Profile};
use crate::forms::{WholeEvents, answers_message, events, events_to_object};
use crate::http::error::ApiError;
use crate::http::error_body::ErrorBody;
use crate::http::worker::Worker;
use crate::upstream::sse::Events;

static X_CONVERSATION_TURN: HeaderName = HeaderName::from_static("x-conversation-turn");

/// Keeps what was said in a turn, where `response` is a whole answer, and returns the response.
pub(super) async fn record(
    worker: Rc<Worker>,
    turn: OpenTurn,
    form: ErrorForm,
    response: HttpResponse,
) -> HttpResponse {
    if response.status() != StatusCode::OK {
        return response;
    }
    let headers = response.headers();
    if headers.contains_key(CONTENT_ENCODING) {
        // Only of a provider that encodes unasked.
        return ApiError::NotRecorded.response(form);
    }
    let kind = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let is_stream =
        kind.get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"));
    let number = HeaderValue::from(turn.after.turns.saturating_add(1));
    if is_stream {
        let mut response = response.map_body(|_, body| streamed(worker, turn, body));
        response.headers_mut().insert(X_CONVERSATION_TURN.clone(), number);
        return response;
    }
    let (response, body) = response.into_parts();
    let most = most_bytes(&worker);
    let Ok(Ok(body)) = to_bytes_limited(body, most).await else {
        return ApiError::NotRecorded.response(form);
    };
    let mut response = response.set_body(BoxBody::new(body.clone()));
    match end(&worker, turn, &body).await {
        Ok(true) => {
            response.headers_mut().insert(X_CONVERSATION_TURN.clone(), number);
            response
        }
        Ok(false) => response,
        Err(error) => error.response(form),
    }
}

fn most_bytes(worker: &Worker) -> usize {
    worker.in_force().settings.cache.max_entry.as_usize()
}

/// Commits a turn; false where the answer adds nothing to its conversation.
async fn end(worker: &Worker, turn: OpenTurn, answer: &[u8]) -> Result<bool, ApiError> {
    let Some(message) = answers_message(answer) else { return Ok(false) };
    let said = turn.with_answer(&message);
    let OpenTurn { id, after, system, hold, .. } = turn;
    let append = Append { id, after, system, turn: said, hold };
    match ask(&worker.gateway.topology.conversations.append, append, ANSWER).await {
        Ok(appended) => appended.map(|()| true).map_err(ApiError::Conversation),
        Err(_gone) => Err(ApiError::Conversation(restarting())),
    }
}

/// A stream that is passed on and recorded.
struct Recording {
    worker: Rc<Worker>,
    /// Until it has ended.
    turn: Option<OpenTurn>,
    body: BoxBody,
    /// What was passed on or is about to be, for the answer that it adds up to.
    seen: BytesMut,
    events: WholeEvents,
    is_over: bool,
}

/// Passes a stream on; its terminal event only once the turn is committed.
fn streamed(worker: Rc<Worker>, turn: OpenTurn, body: BoxBody) -> BoxBody {
    let recording = Recording {
        worker,
        turn: Some(turn),
        body,
        seen: BytesMut::new(),
        events: WholeEvents::new(),
        is_over: false,
    };
    let pieces = stream::unfold(recording, |mut recording| async move {
        Some((recording.next().await?, recording))
    });
    BoxBody::new(BodyStream::new(Box::pin(pieces)))
}

impl Recording {
    async fn next(&mut self) -> Option<Result<Bytes, Box<dyn std::error::Error>>> {
        while !self.is_over {
            let body = &mut self.body;
            let piece = std::future::poll_fn(|context| Pin::new(&mut *body).poll_next(context));
            match piece.await {
                Some(Ok(piece)) => {
                    let passed = self.take_events(&piece).await;
                    if !passed.is_empty() {
                        return Some(Ok(passed));
                    }
                }
                Some(Err(error)) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
                None => {
                    self.is_over = true;
                    let rest = Bytes::from(self.events.take_held());
                    // An end that no blank line follows: nobody may take it for one.
                    let seems_done = rest.windows(6).any(|window| window == b"[DONE]");
                    if seems_done && self.turn.is_some() {
                        return Some(Ok(failure(&ApiError::NotRecorded)));
                    }
                    return (!rest.is_empty()).then_some(Ok(rest));
                }
            }
        }
        None
    }

    /// Takes the next piece and returns the events that are whole by now.
    async fn take_events(&mut self, piece: &[u8]) -> Bytes {
        let passed = Bytes::from(self.events.push(piece));
        let most = most_bytes(&self.worker);
        if self.turn.is_some() && self.events.held_bytes() > most {
            // An event without an end: it is not held for ever, and no turn is made of it.
            self.is_over = true;
            return failure(&ApiError::NotRecorded);
        }
        let (mut len, mut done_at) = (0, None);
        for event in events(&passed) {
            if is_done(event) && done_at.is_none() {
                done_at = Some(len);
            }
            len += event.len();
        }
        if self.seen.len() <= most {
            self.seen.extend_from_slice(&passed);
        }
        let (Some(done_at), true) = (done_at, self.turn.is_some()) else { return passed };
        match self.commit(most).await {
            Ok(()) => passed,
            Err(error) => {
                self.is_over = true;
                let mut told = BytesMut::from(passed.get(..done_at).unwrap_or_default());
                told.extend_from_slice(&failure(&error));
                told.freeze()
            }
        }
    }

    async fn commit(&mut self, most: usize) -> Result<(), ApiError> {
        let Some(turn) = self.turn.take() else { return Ok(()) };
        if self.seen.len() > most {
            return Err(ApiError::NotRecorded);
        }
        // What does not add up to an answer is a failed one, and adds nothing.
        let Ok(object) = events_to_object(Profile::Chat, &self.seen) else { return Ok(()) };
        end(&self.worker, turn, &object).await.map(|_| ())
    }
}

fn is_done(event: &[u8]) -> bool {
    Events::new(event).any(|event| event.data.trim_ascii() == b"[DONE]")
}

/// Returns the event that says what went wrong, in the chat API's form.
fn failure(error: &ApiError) -> Bytes {
    let error = ErrorBody::open_ai(error.label(), "api_error", error.to_string());
    let error = serde_json::to_string(&error).unwrap_or_default();
    Bytes::from(format!("data: {error}\n\n"))
}
