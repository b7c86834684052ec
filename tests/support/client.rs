//! A small blocking HTTP/1.1 client that shows what came over the wire, piece by piece.

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::deadline::PATIENCE;
use super::wire::{Framing, Head, Headers, Wire};

/// A request as it will be written.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header lines beside `Host` and `Content-Length`.
    pub headers: Headers,
    /// The body; its length is sent where there is one, and with every POST.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without a body.
    pub fn new(method: &str, target: &str) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { method, target, headers: Headers::default(), body: Vec::new() }
    }

    /// `GET target`.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// `POST target` with a JSON body, given as text or as a `serde_json::Value`.
    pub fn post(target: &str, json: impl Display) -> Self {
        let request = Self::new("POST", target).header("Content-Type", "application/json");
        request.body(json.to_string())
    }

    /// Adds a header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.0.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds `Authorization: Bearer key`.
    pub fn bearer(self, key: &str) -> Self {
        self.header("Authorization", &format!("Bearer {key}"))
    }

    /// Sets the body, as it is.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it on a connection of its own and reads the whole answer.
    pub fn send(&self, address: &str) -> Response {
        self.open(address).response()
    }

    /// Sends it on a connection of its own; the body of the answer is read piece by piece.
    pub fn open(&self, address: &str) -> Incoming {
        self.try_open(address).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// As [`Request::open`], for tests that expect the connection to fail.
    pub fn try_open(&self, address: &str) -> io::Result<Incoming> {
        let mut connection = Connection::try_open(address)?;
        connection.wire.stream.write_all(&self.bytes("close"))?;
        connection.incoming(self)
    }

    fn bytes(&self, connection: &str) -> Vec<u8> {
        let Self { method, target, headers, body } = self;
        let mut head = format!("{method} {target} HTTP/1.1\r\nConnection: {connection}\r\n");
        if headers.get("host").is_none() {
            head.push_str("Host: localhost\r\n");
        }
        let framed = ["content-length", "transfer-encoding"];
        let is_framed = framed.iter().any(|name| headers.get(name).is_some());
        if !is_framed && (!body.is_empty() || method == "POST") {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        for (name, value) in &headers.0 {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        [head.as_bytes(), body].concat()
    }
}

impl Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request: {} {} ", self.method, self.target)?;
        write!(f, "{:?}\n{}", self.headers.0, String::from_utf8_lossy(&self.body))
    }
}

/// A connection that may carry several requests.
pub struct Connection {
    wire: Wire,
}

impl Connection {
    /// Connects; reads and writes on it wait for at most [`PATIENCE`].
    pub fn open(address: &str) -> Self {
        Self::try_open(address).unwrap_or_else(|error| panic!("no connection: {error}"))
    }

    fn try_open(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { wire: Wire::new(stream) })
    }

    /// Sets the longest wait of a read.
    pub fn read_timeout(self, wait: Duration) -> Self {
        self.wire.stream.set_read_timeout(Some(wait)).expect("a wait above zero");
        self
    }

    /// Sends `request`, reads its whole answer, and keeps the connection.
    pub fn send(&mut self, request: &Request) -> Response {
        let sent = self.ask(request).and_then(|()| self.answer(request));
        sent.unwrap_or_else(|error| panic!("{error}\n{request}"))
    }

    /// Sends `request` and leaves its answer for later.
    pub fn ask(&mut self, request: &Request) -> io::Result<()> {
        self.write(&request.bytes("keep-alive"))
    }

    /// Writes bytes as they are: half a request, two at once, or nonsense.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.stream.write_all(bytes)
    }

    /// Reads the next whole answer; `request` says how its body ends.
    pub fn answer(&mut self, request: &Request) -> io::Result<Response> {
        let (head, status) = self.head(request)?;
        let framing = Framing::of_answer(status, &request.method, &head.headers);
        let (body, end) = self.wire.body(framing);
        Ok(Response {
            status,
            headers: head.headers,
            body,
            cut: end.err().map(|error| error.to_string()),
            request: request.to_string(),
        })
    }

    /// Reads the head of the next answer and leaves the body to the caller.
    pub fn incoming(mut self, request: &Request) -> io::Result<Incoming> {
        let (head, status) = self.head(request)?;
        let framing = Framing::of_answer(status, &request.method, &head.headers);
        let request = request.to_string();
        let headers = head.headers;
        Ok(Incoming { status, headers, wire: self.wire, framing, unread: Vec::new(), request })
    }

    fn head(&mut self, request: &Request) -> io::Result<(Head, u16)> {
        let head = self.wire.head()?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer")
        })?;
        let status = head.first_line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| {
            io::Error::other(format!("not a status line: {:?}\n{request}", head.first_line))
        })?;
        Ok((head, status))
    }
}

/// An answer whose head has come. Dropping it hangs up.
pub struct Incoming {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    wire: Wire,
    framing: Framing,
    unread: Vec<u8>,
    request: String,
}

impl Incoming {
    /// Returns the next piece of the body as it arrives, `None` at its end; a cut body panics.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        let next = self.try_next();
        next.unwrap_or_else(|error| panic!("the body failed: {error}\n{}", self.request))
    }

    /// As [`Incoming::next`], for tests that expect a cut.
    pub fn try_next(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.unread.is_empty() {
            return self.wire.piece(&mut self.framing);
        }
        Ok(Some(std::mem::take(&mut self.unread)))
    }

    /// Returns the next server-sent event without its blank line, as soon as it is whole.
    pub fn next_event(&mut self) -> Option<String> {
        let mut text = Vec::new();
        loop {
            if let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
                self.unread = text.split_off(end + 2);
                text.truncate(end);
                return Some(String::from_utf8(text).expect("an event is UTF-8"));
            }
            match self.next() {
                Some(piece) => text.extend_from_slice(&piece),
                None if text.is_empty() => return None,
                None => panic!("ended within an event: {:?}", String::from_utf8_lossy(&text)),
            }
        }
    }

    /// Reads what is left of the body.
    pub fn response(mut self) -> Response {
        let mut body = std::mem::take(&mut self.unread);
        let (rest, end) = self.wire.body(self.framing);
        body.extend_from_slice(&rest);
        Response {
            status: self.status,
            headers: self.headers,
            body,
            cut: end.err().map(|error| error.to_string()),
            request: self.request,
        }
    }

    /// Hangs up now.
    pub fn hang_up(self) {
        let _ = self.wire.stream.shutdown(Shutdown::Both);
    }
}

/// An answer that was read to its end.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// Why the body is not whole, where it is not.
    pub cut: Option<String>,
    request: String,
}

impl Response {
    /// Returns the first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// Returns the body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("no JSON: {error}\n{self}"))
    }

    /// Returns `X-Cache` and, on a hit, the level: `MISS`, `HIT L1`, `COALESCED`.
    pub fn cache(&self) -> String {
        let words = [self.header("x-cache"), self.header("x-cache-level")];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Panics unless the answer is whole and has this status.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert!(self.cut.is_none(), "a whole answer was expected\n{self}");
        assert_eq!(self.status, status, "{self}");
        self
    }
}

impl Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\nanswer: {} {:?}", self.request, self.status, self.headers.0)?;
        if let Some(cut) = &self.cut {
            writeln!(f, "cut: {cut}")?;
        }
        let text: String = self.text().chars().take(4000).collect();
        f.write_str(&text)
    }
}
