//! From a request that was understood to the tokens of its answer.

use std::rc::Rc;

use super::format::{Api, Usage};
use super::reply::reply;
use super::request::{Ask, Options};
use super::tokens;

/// An answer, before it takes its form.
pub(super) struct Written {
    pub(super) api: Api,
    /// The same for the same request body.
    pub(super) id: String,
    /// Unix seconds.
    pub(super) created: u64,
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Usage,
}

/// One of the answers to choose from. The model is deterministic: those to one text are alike.
pub(super) struct Choice {
    pub(super) index: usize,
    /// The tokens.
    pub(super) pieces: Rc<[String]>,
    pub(super) finish_reason: &'static str,
}

impl Written {
    /// Answers `ask`, whose body was `body`.
    pub(super) fn answering(api: Api, ask: &Ask, body: &[u8], created: u64) -> Self {
        let mut choices = Vec::new();
        for text in &ask.texts {
            let (pieces, finish_reason) = limited(&reply(text), &ask.options);
            let pieces: Rc<[String]> = pieces.into();
            for _ in 0..ask.options.choices_each {
                let index = choices.len();
                choices.push(Choice { index, pieces: Rc::clone(&pieces), finish_reason });
            }
        }
        let num_pieces = choices.iter().map(|choice| choice.pieces.len()).sum::<usize>();
        let completion_tokens = u64::try_from(num_pieces).unwrap_or(u64::MAX);
        let usage = Usage {
            prompt_tokens: ask.prompt_tokens,
            completion_tokens,
            total_tokens: ask.prompt_tokens.saturating_add(completion_tokens),
        };
        Self { api, id: id(api, body), created, choices, usage }
    }

    /// Returns the tokens of the longest choice: choices are thought of side by side.
    pub(super) fn longest_tokens(&self) -> usize {
        self.choices.iter().map(|choice| choice.pieces.len()).max().unwrap_or(0)
    }
}

fn id(api: Api, body: &[u8]) -> String {
    let digest = blake3::hash(body).to_hex();
    let prefix = match api {
        Api::Chat => "chatcmpl",
        Api::Completions => "cmpl",
    };
    format!("{prefix}-{digest:.32}")
}

/// Ends `text` where the options say, and tells why it ended.
fn limited(text: &str, options: &Options) -> (Vec<String>, &'static str) {
    let stop_at = options.stops.iter().filter_map(|stop| text.find(stop.as_str())).min();
    let text = stop_at.and_then(|at| text.get(..at)).unwrap_or(text);
    let mut pieces = tokens::pieces(text);
    let kept = pieces.by_ref().take(options.max_tokens).map(str::to_owned).collect();
    (kept, if pieces.next().is_some() { "length" } else { "stop" })
}
