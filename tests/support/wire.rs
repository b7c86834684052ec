//! HTTP/1.1 as bytes: heads and bodies read from a socket, for the client and the provider.

use std::io::{self, Read};
use std::net::TcpStream;

/// Largest head accepted; above what any test sends.
const MAX_HEAD_BYTES: usize = 4 << 20;

/// Header lines in the order they came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// Returns the first value of `name`, in any case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Returns every value of `name`, in any case.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = |line: &&(String, String)| line.0.eq_ignore_ascii_case(name);
        self.0.iter().filter(same).map(|line| line.1.as_str()).collect()
    }
}

/// The first line and the headers of a request or an answer.
#[derive(Debug, Clone)]
pub struct Head {
    /// `POST /v1/… HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub first_line: String,
    /// The header lines.
    pub headers: Headers,
}

/// How the end of a body is told, and what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// This many bytes are left.
    Length(usize),
    /// Chunks follow.
    Chunked,
    /// The body ends with the connection.
    UntilClose,
    /// All was read.
    Done,
}

impl Framing {
    /// Returns the framing of a request's body.
    pub fn of_request(headers: &Headers) -> Self {
        Self::named(headers).unwrap_or(Self::Done)
    }

    /// Returns the framing of an answer's body.
    pub fn of_answer(status: u16, method: &str, headers: &Headers) -> Self {
        if method == "HEAD" || status < 200 || status == 204 || status == 304 {
            return Self::Done;
        }
        Self::named(headers).unwrap_or(Self::UntilClose)
    }

    fn named(headers: &Headers) -> Option<Self> {
        if headers.get("transfer-encoding").is_some_and(|value| value.contains("chunked")) {
            return Some(Self::Chunked);
        }
        match headers.get("content-length")?.trim().parse() {
            Ok(0) => Some(Self::Done),
            Ok(length) => Some(Self::Length(length)),
            Err(_) => None,
        }
    }
}

/// A connection and the bytes read ahead of what was asked for.
pub struct Wire {
    /// The socket.
    pub stream: TcpStream,
    ahead: Vec<u8>,
}

impl Wire {
    /// Reads from `stream`.
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    /// Returns the next head, or `None` when the peer closed before its first byte.
    pub fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&self.ahead[..end]).into_owned();
                self.ahead.drain(..end + 4);
                return Ok(Some(parse_head(&text)));
            }
            if self.ahead.len() > MAX_HEAD_BYTES {
                return Err(io::Error::other("the head is too long"));
            }
            if self.fill()? == 0 {
                return match self.ahead.is_empty() {
                    true => Ok(None),
                    false => Err(cut("in the head")),
                };
            }
        }
    }

    /// Returns the next piece of a body as soon as it is there, `None` at its proper end.
    ///
    /// A body cut short is an error of kind `UnexpectedEof`.
    pub fn piece(&mut self, framing: &mut Framing) -> io::Result<Option<Vec<u8>>> {
        match *framing {
            Framing::Done => Ok(None),
            Framing::UntilClose => {
                if self.ahead.is_empty() && self.fill()? == 0 {
                    *framing = Framing::Done;
                    return Ok(None);
                }
                Ok(Some(std::mem::take(&mut self.ahead)))
            }
            Framing::Length(left) => {
                if self.ahead.is_empty() && self.fill()? == 0 {
                    return Err(cut(&format!("{left} bytes before the end of the body")));
                }
                let take = left.min(self.ahead.len());
                *framing = if take == left { Framing::Done } else { Framing::Length(left - take) };
                Ok(Some(self.ahead.drain(..take).collect()))
            }
            Framing::Chunked => self.chunk(framing),
        }
    }

    /// Reads a whole body; what came before an error is kept in the first part.
    pub fn body(&mut self, mut framing: Framing) -> (Vec<u8>, io::Result<()>) {
        let mut body = Vec::new();
        loop {
            match self.piece(&mut framing) {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => return (body, Ok(())),
                Err(error) => return (body, Err(error)),
            }
        }
    }

    fn chunk(&mut self, framing: &mut Framing) -> io::Result<Option<Vec<u8>>> {
        let line = self.line()?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let length = usize::from_str_radix(digits, 16)
            .map_err(|_| io::Error::other(format!("not a chunk size: {line:?}")))?;
        if length == 0 {
            while !self.line()?.is_empty() {}
            *framing = Framing::Done;
            return Ok(None);
        }
        while self.ahead.len() < length + 2 {
            if self.fill()? == 0 {
                return Err(cut("in a chunk"));
            }
        }
        let chunk = self.ahead.drain(..length).collect();
        match self.ahead.drain(..2).eq(*b"\r\n") {
            true => Ok(Some(chunk)),
            false => Err(io::Error::other("a chunk is longer than its size")),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(&self.ahead, b"\r\n") {
                let line = String::from_utf8_lossy(&self.ahead[..end]).into_owned();
                self.ahead.drain(..end + 2);
                return Ok(line);
            }
            if self.fill()? == 0 {
                return Err(cut("between chunks"));
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let length = self.stream.read(&mut buffer)?;
        self.ahead.extend_from_slice(&buffer[..length]);
        Ok(length)
    }
}

fn parse_head(text: &str) -> Head {
    let mut lines = text.split("\r\n");
    let first_line = lines.next().unwrap_or_default().to_owned();
    let headers = lines
        .map(|line| line.split_once(':').unwrap_or((line, "")))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    Head { first_line, headers: Headers(headers) }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn cut(place: &str) -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, format!("the connection ended {place}"))
}
