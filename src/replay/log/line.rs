//! The documented fields of one line.

use std::borrow::Cow;
use std::time::Duration;

use anteroom_actors::model::Usage;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;

use super::LONGEST_LINE;
use crate::caching::parse_rfc3339;

/// Longest call, in seconds: a year.
const LONGEST_CALL_S: f64 = 31_536_000.0;

/// What is wrong with a line. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Too long.
    #[error("it is longer than {} MiB", LONGEST_LINE >> 20)]
    Long,
    /// Not JSON in UTF-8.
    #[error("it is no JSON object with each field once")]
    Json,
    /// The body of the request has no single meaning.
    #[error("request: {0}")]
    Request(&'static str),
    /// Another field.
    #[error("{field} {reason}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it, or what it must be.
        reason: &'static str,
    },
}

/// Its text.
impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

const fn must(field: &'static str, reason: &'static str) -> Fault {
    Fault::Field { field, reason }
}

/// What was asked.
#[derive(Debug, PartialEq, Eq)]
pub enum Question<'a> {
    /// Told by a name: equal names are equal questions.
    Key(Cow<'a, str>),
    /// The body of the request; empty where there was none.
    Request(Cow<'a, str>),
}

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// The body, a JSON object.
    Object(&'a str),
    /// Some text of so many bytes.
    Text(u64),
}

/// One call, as far as the line tells of it.
#[derive(Debug, PartialEq)]
pub struct LoggedCall<'a> {
    /// When, in milliseconds since the Unix epoch, or since wherever the log begins.
    pub at_ms: u64,
    /// Who asked.
    pub user: Option<Cow<'a, str>>,
    /// Method of the request.
    pub method: Cow<'a, str>,
    /// Path and query of the request.
    pub path: Cow<'a, str>,
    /// What was asked.
    pub question: Question<'a>,
    /// Status of the answer.
    pub status: Option<u16>,
    /// Size of the answer.
    pub size_bytes: Option<u64>,
    /// What was answered.
    pub response: Option<Response<'a>>,
    /// How long the call took.
    pub latency: Option<Duration>,
    /// Name of the model.
    pub model: Option<Cow<'a, str>>,
    /// Tokens of the call.
    pub usage: Option<Usage>,
}

/// The fields by name, each as it is spelled; null is as good as absent.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    timestamp_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    user: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<&'a RawValue>,
    #[serde(borrow)]
    path: Option<&'a RawValue>,
    #[serde(borrow)]
    key: Option<&'a RawValue>,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    #[serde(borrow)]
    size_bytes: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    latency_ms: Option<&'a RawValue>,
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

impl<'a> LoggedCall<'a> {
    /// Reads a line. Fields that it does not know count for nothing.
    ///
    /// # Errors
    ///
    /// What is wrong with it; the first of several.
    pub fn read(line: &'a [u8]) -> Result<Self, Fault> {
        let fields: Fields<'a> = serde_json::from_slice(line).map_err(|_| Fault::Json)?;
        let or = |value: Option<Cow<'a, str>>, usual| value.unwrap_or(Cow::Borrowed(usual));
        Ok(Self {
            at_ms: at_ms(&fields)?,
            user: name("user", fields.user)?,
            method: or(text("method", fields.method)?, "POST"),
            path: or(path(fields.path)?, "/v1/chat/completions"),
            question: question(&fields)?,
            status: parsed("status", fields.status, "must be a status code, such as 200")?,
            size_bytes: parsed("size_bytes", fields.size_bytes, "must be a whole number")?,
            response: response(fields.response)?,
            latency: latency(fields.latency_ms)?,
            model: text("model", fields.model)?,
            usage: usage(fields.usage)?,
        })
    }
}

fn parsed<T: DeserializeOwned>(
    field: &'static str,
    value: Option<&RawValue>,
    reason: &'static str,
) -> Result<Option<T>, Fault> {
    let Some(value) = value else { return Ok(None) };
    serde_json::from_str(value.get()).map(Some).map_err(|_| must(field, reason))
}

/// Reads a text; one without escapes stays where it is.
fn text<'a>(
    field: &'static str,
    value: Option<&'a RawValue>,
) -> Result<Option<Cow<'a, str>>, Fault> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    let Some(value) = value else { return Ok(None) };
    let text: Result<Text<'a>, _> = serde_json::from_str(value.get());
    text.map(|text| Some(text.0)).map_err(|_| must(field, "must be a text"))
}

/// Reads a name: a text, or a number as it is spelled.
fn name<'a>(
    field: &'static str,
    value: Option<&'a RawValue>,
) -> Result<Option<Cow<'a, str>>, Fault> {
    let is_number = |spelled: &str| spelled.starts_with(|sign: char| "-0123456789".contains(sign));
    match value.map(RawValue::get) {
        Some(spelled) if is_number(spelled) => Ok(Some(Cow::Borrowed(spelled))),
        _ => text(field, value).map_err(|_| must(field, "must be a text or a number")),
    }
}

fn at_ms(fields: &Fields<'_>) -> Result<u64, Fault> {
    let reason = "must be milliseconds since 1970 as a number";
    if let Some(ms) = parsed::<f64>("timestamp_ms", fields.timestamp_ms, reason)? {
        if !(0.0..=9e15).contains(&ms) {
            return Err(must("timestamp_ms", reason));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "of this range; fractions are left out"
        )]
        return Ok(ms as u64);
    }
    let wrong = must(
        "timestamp",
        "must be a time with its offset (RFC 3339), such as 2026-11-26T16:24:00Z",
    );
    let timestamp = text("timestamp", fields.timestamp).map_err(|_| wrong)?;
    let timestamp = timestamp.ok_or(must("timestamp_ms", "and timestamp are missing"))?;
    parse_rfc3339(&timestamp).ok_or(wrong)
}

fn path(value: Option<&RawValue>) -> Result<Option<Cow<'_, str>>, Fault> {
    let path = text("path", value)?;
    match &path {
        Some(path) if !path.starts_with('/') => {
            Err(must("path", "must be a path, such as /v1/messages"))
        }
        _ => Ok(path),
    }
}

/// A body may also stand there as text, as many loggers write it.
fn question<'a>(fields: &Fields<'a>) -> Result<Question<'a>, Fault> {
    match (fields.request, name("key", fields.key)?) {
        (Some(_), Some(_)) => Err(must("key", "must not stand beside request")),
        (None, None) => match text("method", fields.method)?.as_deref() {
            Some("GET" | "HEAD") => Ok(Question::Request(Cow::Borrowed(""))),
            _ => Err(must("request", "and key are missing")),
        },
        (None, Some(key)) if key.is_empty() => Err(must("key", "must not be empty")),
        (None, Some(key)) => Ok(Question::Key(key)),
        (Some(request), None) if request.get().starts_with('"') => {
            let request = text("request", Some(request))?.unwrap_or_default();
            Ok(Question::Request(request))
        }
        (Some(request), None) => Ok(Question::Request(Cow::Borrowed(request.get()))),
    }
}

fn response(value: Option<&RawValue>) -> Result<Option<Response<'_>>, Fault> {
    let Some(value) = value else { return Ok(None) };
    if value.get().starts_with('{') {
        return Ok(Some(Response::Object(value.get())));
    }
    let told = if value.get().starts_with('"') { text("response", Some(value))? } else { None };
    let size = told.map_or(value.get().len(), |text| text.len());
    Ok(Some(Response::Text(size as u64)))
}

fn latency(value: Option<&RawValue>) -> Result<Option<Duration>, Fault> {
    let reason = "must be milliseconds as a number, a year's at most";
    let Some(ms) = parsed::<f64>("latency_ms", value, reason)? else { return Ok(None) };
    let seconds = ms / 1_000.0;
    let seconds = Some(seconds).filter(|seconds| (0.0..=LONGEST_CALL_S).contains(seconds));
    seconds.map(|seconds| Some(Duration::from_secs_f64(seconds))).ok_or(must("latency_ms", reason))
}

/// In the words of any of the APIs.
fn usage(value: Option<&RawValue>) -> Result<Option<Usage>, Fault> {
    #[derive(Deserialize)]
    struct Tokens {
        prompt_tokens: Option<u64>,
        input_tokens: Option<u64>,
        completion_tokens: Option<u64>,
        output_tokens: Option<u64>,
    }
    let reason = "must be an object with prompt_tokens and completion_tokens as whole numbers";
    let tokens = parsed::<Tokens>("usage", value, reason)?;
    Ok(tokens.and_then(|tokens| {
        let input = tokens.prompt_tokens.or(tokens.input_tokens);
        let output = tokens.completion_tokens.or(tokens.output_tokens);
        (input.is_some() || output.is_some())
            .then(|| Usage { input_tokens: input.unwrap_or(0), output_tokens: output.unwrap_or(0) })
    }))
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
