//! The chunks of a stream: what each says around its choices.

use super::json::{Raw, write_name};
use super::ordered::Ordered;
use super::{Api, FormError};

/// Longest value that is repeated in each chunk, in bytes. A longer one is in the first alone.
const MAX_REPEATED_BYTES: usize = 256;

/// How much larger than the object its events may be: far more than any answer needs whose
/// members that repeat are shorter than its text.
const MAX_GROWTH: usize = 64;

/// Events of this size are always allowed, in bytes.
const MIN_BOUND_BYTES: usize = 64 * 1024;

/// Which chunk is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Later,
    Usage,
}

/// What stands before and after a chunk's choices.
struct Frame {
    open: String,
    close: String,
}

/// The events as they are written.
pub(super) struct Script {
    out: String,
    later: Frame,
    usage: Option<Frame>,
    /// Taken by the first chunk.
    first: Option<Frame>,
    max_bytes: usize,
}

impl Script {
    /// Begins the events of an object.
    pub(super) fn new(api: Api, answer: Raw<'_>) -> Self {
        let members = Ordered::of(answer);
        let has_usage = members.get("usage").is_some_and(|usage| !usage.is_null());
        Self {
            out: String::new(),
            later: frame(api, &members, Place::Later),
            usage: has_usage.then(|| frame(api, &members, Place::Usage)),
            first: Some(frame(api, &members, Place::First)),
            max_bytes: MIN_BOUND_BYTES.max(answer.as_str().len().saturating_mul(MAX_GROWTH)),
        }
    }

    /// Writes a chunk of one choice.
    ///
    /// Errors: [`FormError::TooLarge`].
    pub(super) fn chunk(&mut self, choice: &str) -> Result<(), FormError> {
        let first = self.first.take();
        write(&mut self.out, first.as_ref().unwrap_or(&self.later), choice);
        if self.out.len() > self.max_bytes { Err(FormError::TooLarge) } else { Ok(()) }
    }

    /// Writes the chunk of `usage`, if the object has it, and the end.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if let Some(usage) = &self.usage {
            write(&mut self.out, usage, "");
        }
        self.out.push_str("data: [DONE]\n\n");
        self.out.into_bytes()
    }
}

fn write(out: &mut String, frame: &Frame, choice: &str) {
    for text in ["data: ", &frame.open, choice, &frame.close, "\n\n"] {
        out.push_str(text);
    }
}

fn frame(api: Api, members: &Ordered<'_, Raw<'_>>, place: Place) -> Frame {
    let (mut text, mut open) = (String::from("{"), None);
    let write_kind = |text: &mut String| {
        write_name(text, "object");
        text.push_str(&format!("\"{}\"", api.chunk()));
    };
    for (name, value) in members.in_order() {
        match name {
            "choices" => {
                write_name(&mut text, name);
                text.push('[');
                open = Some(std::mem::take(&mut text));
                text.push(']');
            }
            "object" => write_kind(&mut text),
            "usage" if place != Place::Usage => {
                write_name(&mut text, name);
                text.push_str("null");
            }
            // It is short for who spells it so; `id` and the like are in each chunk.
            _ if place == Place::First || name == "usage" || is_repeated(*value) => {
                write_name(&mut text, name);
                value.write(&mut text);
            }
            _ => {}
        }
    }
    if members.get("object").is_none() {
        write_kind(&mut text);
    }
    text.push('}');
    Frame { open: open.unwrap_or_default(), close: text }
}

fn is_repeated(value: Raw<'_>) -> bool {
    value.as_str().len() <= MAX_REPEATED_BYTES
}
