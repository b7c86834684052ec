//! What a caller asks for: the fields of a request that this model heeds.

use serde::Deserialize;

use super::fields::{Content, Count, Object, Texts, read};
use super::refusal::Refusal;
use super::tokens::estimate;

/// Most choices of one answer, over all its prompts.
const MAX_CHOICES: u64 = 8;
/// Tokens that a chat counts for each message beside its text, and once for the answer's start.
const TOKENS_PER_MESSAGE: u64 = 3;
/// Most stop sequences, as at OpenAI.
const MAX_STOPS: usize = 4;

/// A request that can be answered.
pub(super) struct Ask {
    /// The texts to answer: one for a chat, one a prompt for completions; none is blank.
    pub(super) texts: Vec<String>,
    /// Tokens of everything that was sent.
    pub(super) prompt_tokens: u64,
    /// How to answer.
    pub(super) options: Options,
}

/// How to answer.
pub(super) struct Options {
    /// Choices for each text, 1–8.
    pub(super) choices_each: usize,
    /// Most tokens of a choice.
    pub(super) max_tokens: usize,
    /// The answer ends before the first of these; none is empty.
    pub(super) stops: Vec<String>,
    /// Whether to answer by events.
    pub(super) streamed: bool,
    /// Whether the last event tells the usage.
    pub(super) include_usage: bool,
}

#[derive(Deserialize)]
struct ChatFields {
    messages: Option<Vec<Object<Message>>>,
}

#[derive(Deserialize)]
struct Message {
    role: Option<String>,
    content: Option<Content>,
}

#[derive(Deserialize)]
struct PromptFields {
    prompt: Option<Texts>,
}

#[derive(Deserialize)]
struct OptionFields {
    n: Option<Count>,
    max_tokens: Option<Count>,
    max_completion_tokens: Option<Count>,
    stop: Option<Texts>,
    stream: Option<bool>,
    stream_options: Option<Object<StreamOptions>>,
}

#[derive(Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Reads the body of a chat completion.
pub(super) fn chat(body: &[u8]) -> Result<Ask, Refusal> {
    let ChatFields { messages } = read(body)?;
    let messages = messages.ok_or_else(|| missing("messages"))?;
    if messages.is_empty() {
        return Err(Refusal::invalid(Some("messages"), "`messages` is empty"));
    }
    let mut prompt_tokens = TOKENS_PER_MESSAGE;
    let mut last = None;
    let mut last_of_user = None;
    for (i, Object(message)) in messages.into_iter().enumerate() {
        let role = message.role.ok_or_else(|| missing(&format!("messages[{i}].role")))?;
        let Content(text) = message.content.unwrap_or_default();
        prompt_tokens += TOKENS_PER_MESSAGE + estimate(&text);
        let slot = if role == "user" { &mut last_of_user } else { &mut last };
        *slot = Some((i, text));
    }
    // A chat of system messages alone is answered, too.
    let Some((i, text)) = last_of_user.or(last) else { return Err(missing("messages")) };
    if text.trim().is_empty() {
        return Err(blank(&format!("messages[{i}].content")));
    }
    Ok(Ask { texts: vec![text], prompt_tokens, options: options(body, 1)? })
}

/// Reads the body of a completion.
pub(super) fn completion(body: &[u8]) -> Result<Ask, Refusal> {
    let PromptFields { prompt } = read(body)?;
    let Texts(texts) = prompt.ok_or_else(|| missing("prompt"))?;
    if texts.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
        return Err(blank("prompt"));
    }
    let num_prompts = u64::try_from(texts.len()).unwrap_or(u64::MAX);
    if num_prompts > MAX_CHOICES {
        let message = format!("`prompt` has {num_prompts} texts; at most {MAX_CHOICES}");
        return Err(Refusal::invalid(Some("prompt"), message));
    }
    let prompt_tokens = texts.iter().map(|text| estimate(text)).sum();
    Ok(Ask { options: options(body, num_prompts)?, texts, prompt_tokens })
}

fn options(body: &[u8], num_prompts: u64) -> Result<Options, Refusal> {
    let fields: OptionFields = read(body)?;
    let most = MAX_CHOICES / num_prompts.max(1);
    let n = fields.n.map_or(1, |Count(n)| n);
    let choices_each = usize::try_from(n).ok().filter(|_| (1..=most).contains(&n));
    let choices_each = choices_each.ok_or_else(|| {
        Refusal::invalid(Some("n"), format_args!("`n` is {n}; 1 to {most} choices are given here"))
    })?;
    let (name, limit) = match fields.max_completion_tokens {
        Some(limit) => ("max_completion_tokens", Some(limit)),
        None => ("max_tokens", fields.max_tokens),
    };
    let max_tokens = limit.map_or(usize::MAX, |Count(n)| usize::try_from(n).unwrap_or(usize::MAX));
    if max_tokens == 0 {
        return Err(Refusal::invalid(Some(name), format_args!("`{name}` is 0; at least 1")));
    }
    let mut stops = fields.stop.map_or_else(Vec::new, |Texts(stops)| stops);
    stops.retain(|stop| !stop.is_empty());
    if stops.len() > MAX_STOPS {
        let message = format!("`stop` has {} sequences; at most {MAX_STOPS}", stops.len());
        return Err(Refusal::invalid(Some("stop"), message));
    }
    let include_usage =
        fields.stream_options.and_then(|Object(o)| o.include_usage).unwrap_or(false);
    let streamed = fields.stream.unwrap_or(false);
    Ok(Options { choices_each, max_tokens, stops, streamed, include_usage })
}

fn missing(field: &str) -> Refusal {
    Refusal::invalid(Some(field), format_args!("`{field}` is missing"))
}

fn blank(field: &str) -> Refusal {
    Refusal::invalid(Some(field), format_args!("`{field}` has no text to answer"))
}
