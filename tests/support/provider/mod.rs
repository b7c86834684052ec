//! A scripted AI provider: counts calls, remembers them, answers as the test says.

mod answers;
mod faults;
mod reply;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

pub use self::answers::{answer, base64};
pub use self::faults::Fault;
use self::reply::Then;
pub use self::reply::{Gate, Reply};
use super::deadline::{Deadline, PATIENCE};
use super::listener::Listener;
use super::process::lock;
use super::wire::{Framing, Headers, Wire};

/// A call that arrived.
#[derive(Debug, Clone)]
pub struct Call {
    /// Place in the order of arrival, from 1. It is in the default answers, so that the answers
    /// to two calls differ.
    pub serial: usize,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

impl Call {
    /// Returns the path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

type Script = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

/// The provider. Dropping it closes its port and its connections.
pub struct Provider {
    listener: Listener,
    state: Arc<State>,
}

struct State {
    book: Mutex<Book>,
    arrived: Condvar,
}

struct Book {
    calls: Vec<Call>,
    next: VecDeque<Reply>,
    script: Script,
    /// Clones of the live connections, so that they can be closed from outside.
    connections: Vec<(SocketAddr, TcpStream)>,
}

impl Provider {
    /// Starts one that answers every API in its own format, objects and streams.
    pub fn start() -> Self {
        Self::scripted(answers::answer)
    }

    /// Starts one that answers each call as `script` says.
    pub fn scripted(script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let script: Script = Arc::new(script);
        let (calls, next, connections) = (Vec::new(), VecDeque::new(), Vec::new());
        let book = Mutex::new(Book { calls, next, script, connections });
        let state = Arc::new(State { book, arrived: Condvar::new() });
        let serving = state.clone();
        Self { listener: Listener::open(move |stream| serving.serve(stream)), state }
    }

    /// Returns `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Returns `127.0.0.1:port`.
    pub fn address(&self) -> String {
        self.listener.address().to_string()
    }

    /// Has the next call without a reply of its own answered by `reply`; queues.
    pub fn next(&self, reply: impl Into<Reply>) -> &Self {
        lock(&self.state.book).next.push_back(reply.into());
        self
    }

    /// Has all later calls answered as `script` says.
    pub fn script(&self, script: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> &Self {
        lock(&self.state.book).script = Arc::new(script);
        self
    }

    /// Has all later calls answered by the default answers again.
    pub fn answer_well(&self) -> &Self {
        self.script(answers::answer)
    }

    /// Closes the port and all connections: calls are refused.
    pub fn stop(&mut self) {
        self.listener.close();
        for (_, connection) in lock(&self.state.book).connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Opens the same port again.
    pub fn resume(&mut self) {
        self.listener.reopen();
    }

    /// Returns the calls so far, in order of arrival.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state.book).calls.clone()
    }

    /// Returns how many calls came.
    pub fn num_calls(&self) -> usize {
        lock(&self.state.book).calls.len()
    }

    /// Returns how many calls came to a path.
    pub fn num_calls_to(&self, path: &str) -> usize {
        self.calls().iter().filter(|call| call.path() == path).count()
    }

    /// Returns how many calls held `text` in their body.
    pub fn num_calls_with(&self, text: &str) -> usize {
        self.calls().iter().filter(|call| call.text().contains(text)).count()
    }

    /// Waits until `count` calls have come in all.
    #[track_caller]
    pub fn wait_for_calls(&self, count: usize) {
        let deadline = Deadline::after(PATIENCE);
        let mut book = lock(&self.state.book);
        while book.calls.len() < count {
            let left = deadline.left().unwrap_or_else(|| {
                panic!("{} of {count} calls came\n{}", book.calls.len(), describe(&book.calls))
            });
            book = self.state.arrived.wait_timeout(book, left).expect("no poison here").0;
        }
    }

    /// Returns the calls as text, for a panic.
    pub fn log(&self) -> String {
        describe(&self.calls())
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    /// Answers calls on one connection until either side ends it.
    fn serve(&self, stream: TcpStream) {
        let (Ok(peer), Ok(kept)) = (stream.peer_addr(), stream.try_clone()) else { return };
        lock(&self.book).connections.push((peer, kept));
        let mut wire = Wire::new(stream);
        let mut then = Then::Keep;
        while then == Then::Keep
            && let Ok(Some(head)) = wire.head()
        {
            if head.headers.get("expect").is_some() {
                let _ = reply::write(&wire.stream, b"HTTP/1.1 100 Continue\r\n\r\n");
            }
            let (body, end) = wire.body(Framing::of_request(&head.headers));
            if end.is_err() {
                break;
            }
            let mut words = head.first_line.split(' ').map(str::to_owned);
            let method = words.next().unwrap_or_default();
            let target = words.next().unwrap_or_default();
            let (call, queued, script) = self.book_in(method, target, head.headers, body);
            let reply = queued.unwrap_or_else(|| script(&call));
            then = reply.play(&wire.stream);
        }
        // Before the connection is dropped: a clone would hold it open.
        lock(&self.book).connections.retain(|kept| kept.0 != peer);
        if then != Then::Reset {
            let _ = wire.stream.shutdown(Shutdown::Both);
        }
    }

    fn book_in(
        &self,
        method: String,
        target: String,
        headers: Headers,
        body: Vec<u8>,
    ) -> (Call, Option<Reply>, Script) {
        let mut book = lock(&self.book);
        let call = Call { serial: book.calls.len() + 1, method, target, headers, body };
        book.calls.push(call.clone());
        self.arrived.notify_all();
        (call, book.next.pop_front(), book.script.clone())
    }
}

fn describe(calls: &[Call]) -> String {
    let mut text = format!("the provider saw {} calls\n", calls.len());
    for call in calls.iter().rev().take(20).rev() {
        let body: String = call.text().chars().take(300).collect();
        let _ = writeln!(text, "  {} {} {} {body}", call.serial, call.method, call.target);
    }
    text
}
