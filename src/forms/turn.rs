//! Turns of a conversation in the chat API's JSON: a request's new messages, a request with a
//! history before them, and the message that an answer adds. Each message stays as it is spelled.

use bytes::Bytes;

use super::json::Raw;

/// Ends of an answer that are its own: anything else was cut short or held back.
const WHOLE: [&str; 4] = ["stop", "tool_calls", "function_call", "eos"];

/// Members of an answer's message that a request may repeat.
const REPEATED: [&str; 5] =
    ["content", "refusal", "tool_calls", "function_call", "reasoning_content"];

/// A chat request taken apart: what it says anew, and where.
///
/// It is not `Debug`: it is what somebody said.
#[derive(Clone)]
pub struct Asking {
    body: Bytes,
    /// Where the array of messages stands in the body, in bytes.
    array: (usize, usize),
    /// Leading system messages, with commas between.
    system: String,
    /// All others, with commas between.
    new: String,
    num_new: u64,
    opens: bool,
}

impl Asking {
    /// Takes a chat request's body apart; `None` where it has no list of messages with at least one
    /// beside leading system messages.
    pub fn read(body: &Bytes) -> Option<Self> {
        let messages =
            Raw::read(body).ok()?.present("messages").filter(|value| value.is_array())?;
        let (mut system, mut new): (Vec<&str>, Vec<&str>) = Default::default();
        let mut opens = false;
        for message in messages.elements() {
            let role = message.present("role").and_then(text)?;
            if new.is_empty() && matches!(role.as_str(), "system" | "developer") {
                system.push(message.as_str());
                continue;
            }
            if new.is_empty() {
                opens = !matches!(role.as_str(), "tool" | "function");
            }
            new.push(message.as_str());
        }
        let num_new = u64::try_from(new.len()).ok().filter(|num| *num > 0)?;
        Some(Self {
            array: (messages.start(), messages.end()),
            system: system.join(","),
            new: new.join(","),
            num_new,
            opens,
            body: body.clone(),
        })
    }

    /// Returns the conversation's system messages from now on: the request's own, or else those of
    /// `before`.
    pub fn system(&self, before: &Bytes) -> Bytes {
        if self.system.is_empty() { before.clone() } else { Bytes::from(self.system.clone()) }
    }

    /// Returns the messages that are new, with commas between.
    pub fn new_messages(&self) -> &str {
        &self.new
    }

    /// Returns how many are new.
    pub const fn num_new(&self) -> u64 {
        self.num_new
    }

    /// Returns whether a history may begin with them: the first answers no tool call.
    pub const fn opens(&self) -> bool {
        self.opens
    }

    /// Returns the body with `system` and `history` before the new messages, all else as it is.
    pub fn assembled<'a>(
        &self,
        system: &'a [u8],
        history: impl Iterator<Item = &'a [u8]>,
    ) -> Bytes {
        let (start, end) = self.array;
        let mut out = Vec::with_capacity(self.body.len() + system.len() + 1024);
        out.extend_from_slice(self.body.get(..start).unwrap_or_default());
        out.push(b'[');
        let parts = std::iter::once(system).chain(history).filter(|part| !part.is_empty());
        for part in parts {
            out.extend_from_slice(part);
            out.push(b',');
        }
        out.extend_from_slice(self.new.as_bytes());
        out.push(b']');
        out.extend_from_slice(self.body.get(end..).unwrap_or_default());
        Bytes::from(out)
    }
}

/// Returns the message that a whole chat answer adds to its conversation; `None` where it is no
/// answer, or one that was cut short or held back.
pub fn answers_message(answer: &[u8]) -> Option<String> {
    let choice = Raw::read(answer).ok()?.present("choices")?.elements().next()?;
    let reason = choice.present("finish_reason").and_then(text)?;
    if !WHOLE.contains(&reason.as_str()) {
        return None;
    }
    let message = choice.present("message").filter(|message| message.is_object())?;
    let mut out = String::from("{\"role\":\"assistant\"");
    let mut says = false;
    for name in REPEATED {
        let value = message.member(name);
        if let Some(value) = value.filter(|value| !value.is_null() || name == "content") {
            says |= !value.is_null();
            out.push_str(",\"");
            out.push_str(name);
            out.push_str("\":");
            value.write(&mut out);
        }
    }
    out.push('}');
    says.then_some(out)
}

fn text(value: Raw<'_>) -> Option<String> {
    serde_json::from_str(value.as_str()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(body: &str) -> Option<Asking> {
        Asking::read(&Bytes::from(body.to_owned()))
    }

    #[test]
    fn a_history_stands_between_system_and_new_messages_and_nothing_else_changes() {
        let body = r#"{"n": 1.0, "messages" : [{"role":"system","content":"s"}, {"role":"user","content":"2"}],"x":[]}"#;
        let asking = asking(body).unwrap();
        let history: [&[u8]; 2] = [br#"{"role":"user"},{"role":"assistant"}"#, b""];
        let system = asking.system(&Bytes::from_static(b"older"));
        let whole = asking.assembled(&system, history.into_iter());
        assert_eq!(
            whole,
            r#"{"n": 1.0, "messages" : [{"role":"system","content":"s"},{"role":"user"},{"role":"assistant"},{"role":"user","content":"2"}],"x":[]}"#
        );
        assert_eq!((asking.num_new(), asking.opens()), (1, true));
    }

    #[test]
    fn the_conversations_system_message_stays_where_the_request_has_none() {
        let asking = asking(r#"{"messages":[{"role":"tool","content":"2"}]}"#).unwrap();
        assert_eq!(asking.system(&Bytes::from_static(b"{}")), "{}");
        assert!(!asking.opens(), "a tool's answer belongs to the turn before");
    }

    #[test]
    fn what_says_nothing_new_is_none() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"messages":null}"#,
            r#"{"messages":"x"}"#,
            r#"{"messages":[]}"#,
            r#"{"messages":[{"role":"system","content":"x"}]}"#,
            r#"{"messages":[{"content":"x"}]}"#,
            r#"{"messages":["x"]}"#,
        ] {
            assert!(asking(body).is_none(), "{body}");
        }
    }

    #[test]
    fn only_whole_answers_add_a_message() {
        let answer = |reason: &str, message: &str| {
            let text = format!(
                r#"{{"choices":[{{"index":0,"message":{message},"finish_reason":{reason}}}]}}"#
            );
            answers_message(text.as_bytes())
        };
        let said = r#"{"role":"assistant","content":"hi \u00e9","refusal":null,"annotations":[]}"#;
        let kept = r#"{"role":"assistant","content":"hi \u00e9"}"#;
        assert_eq!(answer("\"stop\"", said).as_deref(), Some(kept));
        for reason in ["\"length\"", "\"content_filter\"", "null"] {
            assert_eq!(answer(reason, said), None, "{reason}");
        }
        let call = r#"{"content":null,"tool_calls":[{"id":"1"}]}"#;
        let kept = r#"{"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}"#;
        assert_eq!(answer("\"tool_calls\"", call).as_deref(), Some(kept));
        assert_eq!(answer("\"stop\"", r#"{"content":null}"#), None, "it says nothing");
        assert_eq!(answers_message(br#"{"error":{"message":"no"}}"#), None);
        assert_eq!(answers_message(b"no json"), None);
    }
}
