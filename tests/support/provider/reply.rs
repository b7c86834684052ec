//! What the provider sends: bytes, pauses and gates, one after another.

use std::io::{self, Write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::support::deadline::{self, Deadline, PATIENCE};
use crate::support::process::lock;

/// Holds replies until the test lets them go.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<Passes>, Condvar)>);

#[derive(Debug, Default)]
struct Passes {
    is_open: bool,
    left: usize,
    waiting: usize,
}

impl Gate {
    /// A closed gate.
    pub fn closed() -> Self {
        Self::default()
    }

    /// Lets everyone through, from now on.
    pub fn open(&self) {
        lock(&self.0.0).is_open = true;
        self.0.1.notify_all();
    }

    /// Makes everyone wait again who comes from now on.
    pub fn close(&self) {
        lock(&self.0.0).is_open = false;
    }

    /// Lets one more through.
    pub fn pass_one(&self) {
        lock(&self.0.0).left += 1;
        self.0.1.notify_all();
    }

    /// Waits until someone stands at the gate.
    pub fn wait_for_someone(&self) {
        drop(self.wait_until(|passes| passes.waiting > 0));
    }

    fn pass(&self) {
        lock(&self.0.0).waiting += 1;
        self.0.1.notify_all();
        let mut passes = self.wait_until(|passes| passes.is_open || passes.left > 0);
        passes.waiting -= 1;
        passes.left = passes.left.saturating_sub(1);
    }

    fn wait_until(&self, is_done: impl Fn(&Passes) -> bool) -> MutexGuard<'_, Passes> {
        let deadline = Deadline::after(PATIENCE);
        let mut passes = lock(&self.0.0);
        while let Some(left) = deadline.left().filter(|_| !is_done(&passes)) {
            let woken = self.0.1.wait_timeout(passes, left);
            passes = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        passes
    }
}

/// One step of a reply.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Send bytes.
    Write(Vec<u8>),
    /// Send bytes that many replies have in common.
    Shared(Arc<[u8]>),
    /// Be slow.
    Pause(Duration),
    /// Wait at a gate.
    Wait(Gate),
    /// Send nothing more until the caller hangs up.
    Hang,
    /// Close with RST instead of FIN.
    Reset,
    /// Close.
    Close,
}

/// What becomes of a connection after a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It carries the next call.
    Keep,
    /// It is closed with FIN.
    Close,
    /// It is dropped, which sends RST.
    Reset,
}

/// What the provider does with one call. After the last step the connection is kept.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(super) steps: Vec<Step>,
    /// Where the body begins in `steps`, for what is put between its events.
    body_from: usize,
}

impl Reply {
    /// An answer with a length. `Content-Type` is JSON unless `headers` say otherwise.
    pub fn new(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut all = vec![("Content-Length", body.len().to_string())];
        if !headers.iter().any(|line| line.0.eq_ignore_ascii_case("content-type")) {
            all.push(("Content-Type", "application/json".to_owned()));
        }
        all.extend(headers.iter().map(|line| (line.0, line.1.to_owned())));
        let lines: String =
            all.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!("HTTP/1.1 {status} {}\r\n{lines}\r\n", reason(status));
        Self::raw([head.as_bytes(), body].concat())
    }

    /// An answer whose body begins with `start`, has `middle` in common with others, which is not copied,
    /// and ends with `end`.
    pub fn large(start: &str, middle: &Arc<[u8]>, end: &str) -> Self {
        let length = start.len() + middle.len() + end.len();
        let mut reply = Self::raw(format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{start}"
        ));
        reply.steps.extend([Step::Shared(middle.clone()), Step::Write(end.as_bytes().to_vec())]);
        reply
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, &[], body.to_string())
    }

    /// A stream of server-sent events, one chunk each, ended properly. Each event is given with
    /// its `event:` and `data:` lines and without the blank line.
    pub fn events<S: AsRef<str>>(events: impl IntoIterator<Item = S>) -> Self {
        let mut reply = Self::raw(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\
             Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        let chunks = events.into_iter().map(|event| chunk(&format!("{}\n\n", event.as_ref())));
        reply.steps.extend(chunks.map(Step::Write));
        reply.steps.push(Step::Write(b"0\r\n\r\n".to_vec()));
        reply
    }

    /// Bytes as they are, head included.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { steps: vec![Step::Write(bytes.into())], body_from: 1 }
    }

    /// Waits at `gate` before the first byte.
    pub fn held_by(mut self, gate: &Gate) -> Self {
        self.steps.insert(0, Step::Wait(gate.clone()));
        self.body_from += 1;
        self
    }

    /// Waits for `delay` before the first byte.
    pub fn after(mut self, delay: Duration) -> Self {
        self.steps.insert(0, Step::Pause(delay));
        self.body_from += 1;
        self
    }

    /// Waits at `gate` before each event, and before the end of the stream.
    pub fn gated(self, gate: &Gate) -> Self {
        self.between(&Step::Wait(gate.clone()))
    }

    /// Waits for `pause` before each event.
    pub fn paced(self, pause: Duration) -> Self {
        self.between(&Step::Pause(pause))
    }

    /// Keeps the first `count` events and goes on with `step` in place of the others.
    pub(super) fn broken_after(mut self, count: usize, step: Step) -> Self {
        self.steps.truncate(self.body_from + count);
        self.steps.push(step);
        self
    }

    /// Closes the connection after the answer.
    pub fn then_close(mut self) -> Self {
        self.steps.push(Step::Close);
        self
    }

    fn between(mut self, step: &Step) -> Self {
        let body = self.steps.split_off(self.body_from);
        self.steps.extend(body.into_iter().flat_map(|write| [step.clone(), write]));
        self
    }

    /// Plays the steps; returns what becomes of the connection.
    pub(super) fn play(self, mut stream: &TcpStream) -> Then {
        for step in self.steps {
            match step {
                Step::Write(bytes) => {
                    if write(stream, &bytes).is_err() {
                        return Then::Close;
                    }
                }
                Step::Shared(bytes) => {
                    if write(stream, &bytes).is_err() {
                        return Then::Close;
                    }
                }
                Step::Pause(length) => deadline::pause(length),
                Step::Wait(gate) => gate.pass(),
                Step::Hang => {
                    // Returns when the caller hangs up or the provider is dropped.
                    let _ = io::copy(&mut stream, &mut io::sink());
                    return Then::Close;
                }
                Step::Reset => {
                    reset(stream);
                    return Then::Reset;
                }
                Step::Close => return Then::Close,
            }
        }
        Then::Keep
    }
}

impl From<Value> for Reply {
    fn from(body: Value) -> Self {
        Self::json(200, &body)
    }
}

/// Writes all of `bytes` at once, so that an event is one segment.
pub(super) fn write(mut stream: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)
}

/// Frames `text` as one chunk.
pub(super) fn chunk(text: &str) -> Vec<u8> {
    format!("{:x}\r\n{text}\r\n", text.len()).into_bytes()
}

/// Makes the close of `stream` a reset.
fn reset(stream: &TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let length = libc::socklen_t::try_from(size_of::<libc::linger>()).expect("a small struct");
    #[expect(unsafe_code, reason = "std cannot set SO_LINGER; the struct outlives the call")]
    let outcome = unsafe {
        let option = std::ptr::from_ref(&linger).cast();
        let socket = stream.as_raw_fd();
        libc::setsockopt(socket, libc::SOL_SOCKET, libc::SO_LINGER, option, length)
    };
    assert_eq!(outcome, 0, "SO_LINGER");
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
