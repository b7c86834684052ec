//! The same answer as server-sent events, one token each, at the speed of thought.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::answer::{Choice, Written};
use super::format::{Api, FINGERPRINT, MODEL, Usage, encode};

/// An event, and how long to think before it.
pub(super) struct Event {
    pub(super) think: Duration,
    pub(super) bytes: Bytes,
}

/// Returns the events of an answer, the terminal `[DONE]` included.
///
/// Choices are spoken side by side: one thought, then the next token of each.
pub(super) fn events(written: &Written, include_usage: bool, per_token: Duration) -> Vec<Event> {
    let scribe = Scribe { written, include_usage };
    let mut events = Vec::new();
    let mut add = |think, bytes| events.push(Event { think, bytes });
    if written.api == Api::Chat {
        for choice in &written.choices {
            add(Duration::ZERO, scribe.chunk(choice, Said::Role));
        }
    }
    for at in 0..written.longest_tokens() {
        let mut think = per_token;
        for choice in &written.choices {
            if let Some(piece) = choice.pieces.get(at) {
                add(think, scribe.chunk(choice, Said::Token(piece)));
                think = Duration::ZERO;
            }
        }
    }
    for choice in &written.choices {
        add(Duration::ZERO, scribe.chunk(choice, Said::End));
    }
    if include_usage {
        add(Duration::ZERO, scribe.usage());
    }
    add(Duration::ZERO, Bytes::from_static(b"data: [DONE]\n\n"));
    events
}

#[derive(Clone, Copy)]
enum Said<'a> {
    Role,
    Token(&'a str),
    End,
}

struct Scribe<'a> {
    written: &'a Written,
    include_usage: bool,
}

impl Scribe<'_> {
    fn chunk(&self, choice: &Choice, said: Said<'_>) -> Bytes {
        let finish_reason = matches!(said, Said::End).then_some(choice.finish_reason);
        let index = choice.index;
        match self.written.api {
            Api::Chat => {
                let delta = Delta::of(said);
                self.event(&[ChatPart { index, delta, logprobs: None, finish_reason }], None)
            }
            Api::Completions => {
                let text = if let Said::Token(text) = said { text } else { "" };
                self.event(&[TextPart { text, index, logprobs: None, finish_reason }], None)
            }
        }
    }

    fn usage(&self) -> Bytes {
        self.event::<ChatPart<'_>>(&[], Some(self.written.usage))
    }

    fn event<C: Serialize>(&self, choices: &[C], usage: Option<Usage>) -> Bytes {
        let json = encode(&Chunk {
            id: &self.written.id,
            object: match self.written.api {
                Api::Chat => "chat.completion.chunk",
                Api::Completions => "text_completion",
            },
            created: self.written.created,
            model: MODEL,
            system_fingerprint: FINGERPRINT,
            choices,
            // `null` in all chunks but the last, and only where it was asked for.
            usage: self.include_usage.then_some(usage),
        });
        [b"data: ", &*json, b"\n\n"].concat().into()
    }
}

#[derive(Serialize)]
struct Chunk<'a, C> {
    id: &'a str,
    object: &'a str,
    created: u64,
    model: &'a str,
    system_fingerprint: &'a str,
    choices: &'a [C],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct ChatPart<'a> {
    index: usize,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'a str>,
}

#[derive(Serialize)]
struct TextPart<'a> {
    text: &'a str,
    index: usize,
    logprobs: Option<()>,
    finish_reason: Option<&'a str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
}

impl<'a> Delta<'a> {
    fn of(said: Said<'a>) -> Self {
        match said {
            Said::Role => Self { role: Some("assistant"), content: Some("") },
            Said::Token(token) => Self { content: Some(token), ..Self::default() },
            Said::End => Self::default(),
        }
    }
}
