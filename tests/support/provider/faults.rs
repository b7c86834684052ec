//! The ways in which a provider fails, each as one reply.

use std::time::Duration;

use serde_json::json;

use super::answers;
use super::reply::{Reply, Step, chunk};

/// What goes wrong. A refused connection is `Provider::stop`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The call is read and nothing comes.
    Hang,
    /// 429 with `Retry-After` in seconds.
    RateLimited(u32),
    /// 429 with `Retry-After` as a date.
    RateLimitedUntilDate,
    /// An error of this status in the API's own form.
    Status(u16),
    /// Closed without a byte.
    Close,
    /// Reset without a byte.
    Reset,
    /// Bytes that are no HTTP.
    Garbage,
    /// A header line without a colon.
    BadHeader,
    /// `Content-Length` larger than the body, then closed.
    Truncate,
    /// Closed before the last chunk.
    TruncateChunked,
    /// A chunk size that is no number.
    BadChunk,
    /// `Content-Length` smaller than the body.
    WrongLength,
    /// Two different `Content-Length` lines.
    TwoLengths,
    /// `Content-Length` beside `Transfer-Encoding`.
    LengthAndChunked,
    /// A stream reset after its second event.
    CutStream,
    /// A stream that ends properly without its terminal event.
    CutClean,
    /// A stream with an error event, then its proper end.
    StreamError,
    /// A stream that stops after its second event and stays open.
    StallStream,
    /// A body that is cut JSON, with a right length.
    BadJson,
    /// `NaN` where a number belongs.
    NanJson,
    /// JSON with a byte that is no UTF-8.
    BadUtf8,
    /// A page of HTML with status 200.
    Html,
    /// An empty body with status 200.
    Empty,
    /// An error object with status 200.
    ErrorIn200,
    /// A right answer of at least this many bytes.
    Huge(usize),
    /// A right answer, byte by byte, over about this many milliseconds.
    Drip(u64),
    /// A right answer, compressed.
    Gzip,
    /// A redirect to another host.
    Redirect,
    /// A header value with a bare CR, as if it were two headers.
    HeaderInject,
    /// 256 KiB of headers.
    HugeHeaders,
    /// A right answer that sets a cookie.
    SetCookie,
}

impl Fault {
    /// Every fault, for tests by table.
    pub const ALL: [Self; 31] = [
        Self::Hang,
        Self::RateLimited(3),
        Self::RateLimitedUntilDate,
        Self::Status(500),
        Self::Close,
        Self::Reset,
        Self::Garbage,
        Self::BadHeader,
        Self::Truncate,
        Self::TruncateChunked,
        Self::BadChunk,
        Self::WrongLength,
        Self::TwoLengths,
        Self::LengthAndChunked,
        Self::CutStream,
        Self::CutClean,
        Self::StreamError,
        Self::StallStream,
        Self::BadJson,
        Self::NanJson,
        Self::BadUtf8,
        Self::Html,
        Self::Empty,
        Self::ErrorIn200,
        Self::Huge(8 << 20),
        Self::Drip(300),
        Self::Gzip,
        Self::Redirect,
        Self::HeaderInject,
        Self::HugeHeaders,
        Self::SetCookie,
    ];
}

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Self {
        let chat = answers::chat_object(0, "a right answer").to_string();
        let length = chat.len();
        let half = &chat[..length / 2];
        match fault {
            Fault::Hang => only(Step::Hang),
            Fault::RateLimited(seconds) => limited(&seconds.to_string()),
            Fault::RateLimitedUntilDate => limited("Fri, 31 Dec 2100 23:59:59 GMT"),
            Fault::Status(status) => {
                Self::json(status, &answers::error("the provider failed", "api_error"))
            }
            Fault::Close => only(Step::Close),
            Fault::Reset => only(Step::Reset),
            Fault::Garbage => Self::raw(&b"\x16\x03\x01 this is no HTTP\r\n\r\n"[..]).then_close(),
            Fault::BadHeader => head(&format!("no colon here\r\nContent-Length: {length}"), &chat),
            Fault::Truncate => head(&format!("Content-Length: {length}"), half).then_close(),
            Fault::TruncateChunked => chunked(half).then_close(),
            Fault::BadChunk => {
                let reply = chunked(half);
                reply.broken_after(1, Step::Write(b"xyz\r\nno size\r\n".to_vec())).then_close()
            }
            Fault::WrongLength => head(&format!("Content-Length: {}", length - 20), &chat),
            Fault::TwoLengths => {
                let lengths = format!("Content-Length: {length}\r\nContent-Length: {}", length - 5);
                head(&lengths, &chat)
            }
            Fault::LengthAndChunked => {
                let body = [chunk(&chat), b"0\r\n\r\n".to_vec()].concat();
                let body = String::from_utf8_lossy(&body).into_owned();
                head("Content-Length: 5\r\nTransfer-Encoding: chunked", &body)
            }
            Fault::CutStream => chat_stream().broken_after(2, Step::Reset),
            Fault::CutClean => chat_stream().broken_after(2, Step::Write(b"0\r\n\r\n".to_vec())),
            Fault::StreamError => Self::events([
                format!("data: {}", answers::chat_delta(0, "before the error")),
                format!("data: {}", answers::error("the model failed", "server_error")),
            ]),
            Fault::StallStream => chat_stream().broken_after(2, Step::Hang),
            Fault::BadJson => Self::new(200, &[], half),
            Fault::NanJson => Self::new(200, &[], chat.replace("\"index\":0", "\"index\":NaN")),
            Fault::BadUtf8 => {
                let at = chat.find("right").expect("a word of the answer");
                let mut body = chat.into_bytes();
                body[at] = 0xff;
                Self::new(200, &[], body)
            }
            Fault::Html => {
                let page = "<!doctype html><title>Bad gateway</title><p>Try again.";
                Self::new(200, &[("Content-Type", "text/html")], page)
            }
            Fault::Empty => Self::new(200, &[], ""),
            Fault::ErrorIn200 => {
                Self::json(200, &answers::error("the model is overloaded", "server_error"))
            }
            Fault::Huge(bytes) => answers::chat_object(0, &"x".repeat(bytes)).into(),
            Fault::Drip(millis) => drip(&chat, Duration::from_millis(millis)),
            Fault::Gzip => Self::new(200, &[("Content-Encoding", "gzip")], gzip(chat.as_bytes())),
            Fault::Redirect => {
                let location = [("Location", "http://203.0.113.1/elsewhere")];
                Self::new(302, &location, json!({}).to_string())
            }
            Fault::HeaderInject => {
                head(&format!("X-Note: one\rX-Injected: two\r\nContent-Length: {length}"), &chat)
            }
            Fault::HugeHeaders => {
                let line = format!("X-Filler: {}\r\n", "f".repeat(1024));
                head(&format!("{}Content-Length: {length}", line.repeat(256)), &chat)
            }
            Fault::SetCookie => Self::new(200, &[("Set-Cookie", "session=secret; HttpOnly")], chat),
        }
    }
}

fn only(step: Step) -> Reply {
    Reply::raw("").broken_after(0, step)
}

fn limited(retry_after: &str) -> Reply {
    let body = answers::error("slow down", "rate_limit_exceeded").to_string();
    Reply::new(429, &[("Retry-After", retry_after)], body)
}

fn head(lines: &str, body: &str) -> Reply {
    Reply::raw(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{lines}\r\n\r\n{body}"
    ))
}

/// One chunk of `body`; the end is left to the caller.
fn chunked(body: &str) -> Reply {
    head("Transfer-Encoding: chunked", "").broken_after(0, Step::Write(chunk(body)))
}

fn chat_stream() -> Reply {
    Reply::events(answers::chat_events(0, "a right answer in a stream", false))
}

fn drip(body: &str, over: Duration) -> Reply {
    let mut reply = head(&format!("Content-Length: {}", body.len()), "");
    let each = over / u32::try_from(body.len()).expect("a short body");
    for byte in body.bytes() {
        reply.steps.extend([Step::Pause(each), Step::Write(vec![byte])]);
    }
    reply
}

/// Wraps `body` as gzip with one stored block (RFC 1951 section 3.2.4, RFC 1952 section 2.3).
fn gzip(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("a stored block holds 64 KiB");
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&(!length).to_le_bytes());
    bytes.extend_from_slice(body);
    bytes.extend_from_slice(&crc32(body).to_le_bytes());
    bytes.extend_from_slice(&u32::from(length).to_le_bytes());
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, &byte| (0..8).fold(sum ^ u32::from(byte), step))
}
