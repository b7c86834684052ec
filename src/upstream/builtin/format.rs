//! The OpenAI forms of an answer: whole objects, and the list of models.

use bytes::Bytes;
use serde::Serialize;

use super::answer::{Choice, Written};

/// The model's name, in every answer whatever was asked for.
pub(super) const MODEL: &str = "anteroom-builtin";
/// What made the answer: it changes only with the version.
pub(super) const FINGERPRINT: &str = concat!("anteroom-", env!("CARGO_PKG_VERSION"));
/// When the model was made, in Unix seconds: 1 January 2026.
const MODEL_CREATED: u64 = 1_767_225_600;

/// Which of the two completion APIs an answer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
}

/// Token counts of an answer.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
    pub(super) total_tokens: u64,
}

/// Writes `value` as JSON. Values here have string keys and no foreign types, the only ways
/// in which this can fail.
pub(super) fn encode(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).unwrap_or_default().into()
}

/// Returns the whole answer as one object.
pub(super) fn object(written: &Written) -> Bytes {
    match written.api {
        Api::Chat => whole(written, "chat.completion", chat_choice),
        Api::Completions => whole(written, "text_completion", text_choice),
    }
}

/// Returns the list of models.
pub(super) fn models() -> Bytes {
    encode(&ModelList { object: "list", data: [MODEL_ENTRY] })
}

/// Returns the one model.
pub(super) fn model() -> Bytes {
    encode(&MODEL_ENTRY)
}

#[derive(Serialize)]
struct Whole<'a, C> {
    id: &'a str,
    object: &'a str,
    created: u64,
    model: &'a str,
    choices: Vec<C>,
    usage: Usage,
    system_fingerprint: &'a str,
}

fn whole<C: Serialize>(written: &Written, object: &str, choice: fn(&Choice) -> C) -> Bytes {
    encode(&Whole {
        id: &written.id,
        object,
        created: written.created,
        model: MODEL,
        choices: written.choices.iter().map(choice).collect(),
        usage: written.usage,
        system_fingerprint: FINGERPRINT,
    })
}

#[derive(Serialize)]
struct ChatChoice {
    index: usize,
    message: ChatMessage,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct ChatMessage {
    role: &'static str,
    content: String,
    refusal: Option<()>,
}

fn chat_choice(choice: &Choice) -> ChatChoice {
    ChatChoice {
        index: choice.index,
        message: ChatMessage { role: "assistant", content: choice.pieces.concat(), refusal: None },
        logprobs: None,
        finish_reason: choice.finish_reason,
    }
}

#[derive(Serialize)]
struct TextChoice {
    text: String,
    index: usize,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

fn text_choice(choice: &Choice) -> TextChoice {
    TextChoice {
        text: choice.pieces.concat(),
        index: choice.index,
        logprobs: None,
        finish_reason: choice.finish_reason,
    }
}

#[derive(Serialize)]
struct ModelList {
    object: &'static str,
    data: [ModelEntry; 1],
}

#[derive(Serialize)]
struct ModelEntry {
    id: &'static str,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

const MODEL_ENTRY: ModelEntry =
    ModelEntry { id: MODEL, object: "model", created: MODEL_CREATED, owned_by: "anteroom" };
