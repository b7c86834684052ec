//! The built-in provider: a small text model in this process, so that Anteroom can be tried
//! without a key. It summarises the caller's last message and never calls anyone.
//!
//! * `summarise`, `sentences`, `words`: the model. `reply`: the words it answers in.
//! * `tokens`: what is counted and streamed.
//! * `request`, `fields`, `refusal`: what is asked, and what is wrong with it.
//! * `api`, `answer`, `format`, `stream`: the answer and its OpenAI forms.

mod answer;
mod api;
mod fields;
mod format;
mod refusal;
mod reply;
mod request;
mod sentences;
mod stream;
mod summarise;
mod tokens;
mod words;

use std::time::Duration;

use anteroom_actors::clock::SharedClock;
use anteroom_actors::error::OriginError;
use anteroom_actors::model::Header;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::LocalBoxStream;

pub use summarise::{Summary, summarise};

const JSON: &str = "application/json";

/// The built-in provider.
#[derive(Debug, Clone)]
pub struct Builtin {
    /// Time spent on each token of an answer. Default of the settings: 8 ms, which makes a
    /// usual answer of about 100 tokens take 0.8 s. Zero answers at once.
    pub think_time_per_token: Duration,
    /// Dates the answers (`created`).
    pub clock: SharedClock,
}

/// An answer, ready to be sent.
pub struct Prepared {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<Header>,
    /// Whether the body is an event stream.
    pub streamed: bool,
    /// To be waited for before the head is sent; zero for streams, which think before each
    /// token, and for errors.
    pub think_first: Duration,
    /// The body: one piece, or one event a piece. It never fails.
    pub body: LocalBoxStream<'static, Result<Bytes, OriginError>>,
}

impl Builtin {
    /// Answers one call.
    ///
    /// `path` may have a query, which is ignored. Returns without waiting, in time linear in
    /// the body; the model itself looks at the first 64 KiB of each text.
    pub fn answer(&self, method: &str, path: &str, body: &Bytes) -> Prepared {
        api::answer(self, method, path, body)
    }
}

impl Prepared {
    fn whole(status: u16, headers: Vec<Header>, body: Bytes) -> Self {
        let body = futures_util::stream::iter([Ok(body)]).boxed_local();
        Self { status, headers, streamed: false, think_first: Duration::ZERO, body }
    }

    fn without_body(self) -> Self {
        Self { body: futures_util::stream::empty().boxed_local(), ..self }
    }
}

fn header(name: &str, value: &'static str) -> Header {
    Header { name: name.into(), value: Bytes::from_static(value.as_bytes()) }
}

#[cfg(test)]
mod tests;
