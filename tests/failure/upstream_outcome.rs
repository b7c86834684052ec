//! What a caller must see of each fault of the provider, and how it is checked.

use serde_json::Value;

use crate::support::client::{Request, Response};
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::{Fault, Provider};

/// A way through the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A cached route that speaks OpenAI's API.
    Chat,
    /// A cached route that speaks Anthropic's.
    Messages,
    /// A route past the cache.
    PassThrough,
}

impl Way {
    /// Returns a call on this way, told from others by `text`.
    pub fn call(self, text: &str) -> Request {
        let path = match self {
            Self::Chat => "/v1/chat/completions",
            Self::Messages => "/v1/messages",
            Self::PassThrough => "/v1/moderations",
        };
        Request::post(path, prompt(text)).bearer(SECRET)
    }
}

/// The caller's credential; no error may repeat it.
pub const SECRET: &str = "sk-never-repeated";

/// What comes of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The provider's own answer, unchanged.
    Own,
    /// As `Own`, and it may be kept.
    OwnAndKept,
    /// An error of the gateway's in the API's form: status and code.
    Error(u16, &'static str),
    /// A head, then a body that visibly ends early.
    Cut,
}

/// Returns what must come of `fault` on `way`: the table of the provider's faults.
pub fn outcome(fault: Fault, way: Way) -> Outcome {
    use Outcome::{Cut, Error, Own, OwnAndKept};
    match fault {
        Fault::Hang => Error(504, "upstream_timed_out"),
        Fault::Close
        | Fault::Reset
        | Fault::Garbage
        | Fault::BadHeader
        | Fault::TwoLengths
        | Fault::LengthAndChunked
        | Fault::HeaderInject
        | Fault::HugeHeaders => Error(502, "upstream_broke_off"),
        // An answer that is passed on as it comes has its head out when the fault shows.
        Fault::Truncate | Fault::TruncateChunked | Fault::BadChunk => match way {
            Way::PassThrough => Cut,
            Way::Chat | Way::Messages => Error(502, "upstream_cut_answer"),
        },
        Fault::CutStream | Fault::StallStream => Cut,
        Fault::RateLimited(_)
        | Fault::RateLimitedUntilDate
        | Fault::Status(_)
        | Fault::WrongLength
        | Fault::CutClean
        | Fault::StreamError
        | Fault::BadJson
        | Fault::NanJson
        | Fault::BadUtf8
        | Fault::Html
        | Fault::Empty
        | Fault::ErrorIn200
        | Fault::Huge(_)
        | Fault::Gzip
        | Fault::Redirect => Own,
        // Right answers in the form of the chat API.
        Fault::Drip(_) | Fault::SetCookie if way == Way::Chat => OwnAndKept,
        Fault::Drip(_) | Fault::SetCookie => Own,
    }
}

/// Checks what the gateway answered while `provider` played `fault`.
#[track_caller]
pub fn check(fault: Fault, way: Way, request: &Request, answer: &Response) {
    match outcome(fault, way) {
        Outcome::Own | Outcome::OwnAndKept => {
            let direct = Provider::start();
            direct.next(fault);
            same_as_direct(&request.send(&direct.address()), answer, &format!("{fault:?} {way:?}"));
        }
        Outcome::Error(status, code) => {
            is_our_error(answer, way, status, code, &format!("{fault:?} {way:?}"));
        }
        Outcome::Cut => {
            assert_eq!(answer.status, 200, "{fault:?} {way:?}: {answer}");
            assert!(answer.cut.is_some(), "{fault:?} {way:?} seems whole: {answer}");
            assert!(!answer.body.is_empty(), "{fault:?} {way:?}: {answer}");
        }
    }
}

/// Headers that belong to one connection, or that the gateway adds.
const NOT_COMPARED: [&str; 10] = [
    "age",
    "cache-status",
    "connection",
    "content-length",
    "date",
    "etag",
    "server-timing",
    "transfer-encoding",
    "x-cache",
    "x-cache-level",
];

/// Checks that the gateway passed an answer on as the provider gave it: no header more, none less.
#[track_caller]
pub fn same_as_direct(direct: &Response, through: &Response, what: &str) {
    assert!(through.cut.is_none(), "{what}: {through}");
    assert_eq!(through.status, direct.status, "{what}: {through}");
    assert!(through.body == direct.body, "{what}: {through}\ninstead of {direct}");
    let compared = |response: &Response| {
        let lines = response.headers.0.iter();
        let mut lines: Vec<_> = lines
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str()))
            // The gateway's own: it would compress what is long enough for callers who take it.
            .filter(|(name, value)| (name.as_str(), value.as_str()) != ("vary", "Accept-Encoding"))
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(compared(through), compared(direct), "{what}");
}

/// Checks an error of the gateway's own: JSON in the form of the way's API, and no word of where
/// the provider is, what its certificate says, who asked, or what.
#[track_caller]
pub fn is_our_error(answer: &Response, way: Way, status: u16, code: &str, what: &str) {
    assert!(answer.cut.is_none(), "{what}: {answer}");
    assert_eq!(answer.status, status, "{what}: {answer}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}: {answer}");
    let body = answer.json();
    let error = &body["error"];
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{what}: {answer}");
    if way == Way::Messages {
        assert_eq!(body["type"], "error", "{what}: {answer}");
        let kind = if status == 504 { "timeout_error" } else { "api_error" };
        assert_eq!(error["type"], kind, "{what}: {answer}");
    } else {
        let form = (&error["type"], &error["code"], &error["param"]);
        let expected = (&Value::from("api_error"), &Value::from(code), &Value::Null);
        assert_eq!(form, expected, "{what}: {answer}");
    }
    let text = format!("{:?} {}", answer.headers.0, answer.text()).to_ascii_lowercase();
    for hidden in ["127.0.0.1", "localhost", "http://", "certificate", SECRET, "a question"] {
        assert!(!text.contains(hidden), "{what}: {hidden} in {answer}");
    }
}

/// Waits until nothing is under way: no flight, and no request that waits.
#[track_caller]
pub fn is_at_rest(gateway: &Gateway) {
    gateway.wait_until("at rest", |health| {
        let resolver = crate::support::gateway::actor(health, "resolver");
        let is_quiet = resolver.is_some_and(|actor| actor["counters"]["flights"] == 0);
        is_quiet && gateway.metric("anteroom_requests_waiting", &[]) == Some(0.0)
    });
}
