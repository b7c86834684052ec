//! The connection beneath awc, and what it has seen of the call that is being polled.
//!
//! awc ends a body cleanly when the connection closes before its last byte or its last chunk,
//! takes a 1xx for the answer, and drops the body of an answer that only the close ends
//! (awc 3.11, `h1proto.rs`; actix-http 3.20, `h1/decoder.rs`). So the connection itself is
//! watched: it notes a close in the call under way, hides interim heads, marks answers without a
//! length as HTTP/1.0 (whose bodies awc does read to the close), and never gives a sized answer
//! more bytes than it has: spare ones are found when the connection is next taken from the pool.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_rt::net::{ActixStream, Ready, TcpStream};
use actix_tls::connect::rustls_0_23::reexports::AsyncTlsStream;
use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::head::{Scan, scan};

/// Longest head taken from an upstream, interim heads included; awc's own bound is the same.
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// What the wire has seen of one call.
#[derive(Debug, Default)]
pub(super) struct CallState {
    /// The call had its turn: it waits for no other call's connection any more.
    pub(super) is_dialled: Cell<bool>,
    /// A connection was there: the request began to be written.
    pub(super) is_connected: Cell<bool>,
    /// That connection had carried a call before.
    pub(super) is_reused: Cell<bool>,
    /// Bytes of the request written.
    pub(super) written: Cell<u64>,
    /// Bytes of the answer received.
    pub(super) received: Cell<u64>,
    /// The upstream closed the connection.
    pub(super) is_closed: Cell<bool>,
    /// Idle connections are not to be used.
    pub(super) wants_fresh: Cell<bool>,
    /// The request's body has been handed over whole.
    pub(super) is_uploaded: Cell<bool>,
    /// The caller has not sent the rest of its body yet.
    pub(super) awaits_caller: Cell<bool>,
}

/// Names the call that is being polled, for the connection that is polled within it. One a client.
#[derive(Clone, Default)]
pub(super) struct Scope(Rc<RefCell<Option<Rc<CallState>>>>);

impl Scope {
    /// Runs `poll` on behalf of `call`.
    pub(super) fn on_behalf<T>(&self, call: &Rc<CallState>, poll: impl FnOnce() -> T) -> T {
        let outer = self.0.replace(Some(Rc::clone(call)));
        let result = poll();
        self.0.replace(outer);
        result
    }

    /// Notes something about the call that is being polled.
    pub(super) fn note(&self, note: impl FnOnce(&CallState)) {
        if let Some(call) = self.0.borrow().as_deref() {
            note(call);
        }
    }

    /// Tells whether a call that has no connection yet refuses idle ones.
    fn refuses_idle(&self) -> bool {
        let call = self.0.borrow();
        call.as_deref().is_some_and(|call| call.wants_fresh.get() && !call.is_connected.get())
    }
}

/// A connection, plain or encrypted.
pub(super) enum Transport {
    Plain(TcpStream),
    Tls(Box<AsyncTlsStream<TcpStream>>),
}

impl Transport {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }
}

/// Where a connection stands.
#[derive(Clone, Copy)]
enum Phase {
    /// No call has used it.
    New,
    /// A request is being written, or its answer's head is awaited.
    Request,
    /// The head has passed. At most this many bytes of it and its body may still be handed over.
    Answer(u64),
    /// All that the answer has was handed over.
    Done,
}

/// A connection that is watched.
pub(super) struct Wire {
    io: Transport,
    scope: Scope,
    phase: Phase,
    /// Received, not handed over.
    held: BytesMut,
}

impl Wire {
    pub(super) fn new(io: Transport, scope: Scope) -> Self {
        Self { io, scope, phase: Phase::New, held: BytesMut::new() }
    }

    fn poll_inner(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match &mut self.io {
            Transport::Plain(tcp) => ready!(Pin::new(tcp).poll_read(cx, buf))?,
            Transport::Tls(tls) => ready!(Pin::new(tls).poll_read(cx, buf))?,
        }
        let count = u64::try_from(buf.filled().len() - before).unwrap_or(u64::MAX);
        self.scope.note(|call| {
            call.received.set(call.received.get().saturating_add(count));
            if count == 0 {
                call.is_closed.set(true);
            }
        });
        Poll::Ready(Ok(()))
    }

    /// Gathers the answer's head. Ready once it is whole, or the upstream closed.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match scan(&self.held) {
                Scan::Interim(len) => {
                    self.held.advance(len);
                    continue;
                }
                Scan::Foreign => {
                    self.phase = Phase::Answer(u64::MAX);
                    return Poll::Ready(Ok(()));
                }
                Scan::Whole { len, sized, until_close } => {
                    // Reads to the close are what awc does for HTTP/1.0 alone.
                    if let Some(minor) = self.held.get_mut(7).filter(|_| until_close) {
                        *minor = b'0';
                    }
                    let head = u64::try_from(len).unwrap_or(u64::MAX);
                    let all = sized.map_or(u64::MAX, |body| body.saturating_add(head));
                    self.phase = Phase::Answer(all);
                    return Poll::Ready(Ok(()));
                }
                Scan::Partial if self.held.len() >= MAX_HEAD_BYTES => {
                    let text = "the head of the answer is too large";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
                }
                Scan::Partial => {}
            }
            let mut room = [0; 4096];
            let mut buf = ReadBuf::new(&mut room);
            ready!(self.poll_inner(cx, &mut buf))?;
            if buf.filled().is_empty() {
                // What there is of a head is no answer: awc sees the close.
                self.held.clear();
                self.phase = Phase::Done;
                return Poll::Ready(Ok(()));
            }
            self.held.extend_from_slice(buf.filled());
        }
    }

    /// Hands over at most `limit` bytes: held ones first.
    fn poll_limited(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        limit: u64,
    ) -> Poll<io::Result<u64>> {
        let most = usize::try_from(limit).unwrap_or(usize::MAX).min(buf.remaining());
        let before = buf.filled().len();
        if !self.held.is_empty() {
            let piece = self.held.split_to(most.min(self.held.len()));
            buf.put_slice(&piece);
        } else if most == buf.remaining() {
            ready!(self.poll_inner(cx, buf))?;
        } else {
            let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
            ready!(self.poll_inner(cx, &mut part))?;
            let count = part.filled().len();
            buf.advance(count);
        }
        Poll::Ready(Ok(u64::try_from(buf.filled().len() - before).unwrap_or(u64::MAX)))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.scope.refuses_idle() {
            // The pool asks whether this connection still lives: the call takes it for dead.
            return Poll::Ready(Ok(()));
        }
        if matches!(this.phase, Phase::Request) {
            ready!(this.poll_head(cx))?;
        }
        match this.phase {
            Phase::Answer(left) => {
                let count = ready!(this.poll_limited(cx, buf, left))?;
                let left = if left == u64::MAX { left } else { left - count };
                this.phase = if left == 0 { Phase::Done } else { Phase::Answer(left) };
            }
            Phase::New | Phase::Request | Phase::Done => {
                ready!(this.poll_limited(cx, buf, u64::MAX))?;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !matches!(this.phase, Phase::Request) {
            let is_reused = !matches!(this.phase, Phase::New);
            this.scope.note(|call| {
                call.is_connected.set(true);
                call.is_reused.set(is_reused);
            });
            this.phase = Phase::Request;
        }
        let count = match &mut this.io {
            Transport::Plain(tcp) => ready!(Pin::new(tcp).poll_write(cx, bytes))?,
            Transport::Tls(tls) => ready!(Pin::new(tls).poll_write(cx, bytes))?,
        };
        let written = u64::try_from(count).unwrap_or(u64::MAX);
        this.scope.note(|call| call.written.set(call.written.get().saturating_add(written)));
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Transport::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Transport::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Transport::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Transport::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}

impl ActixStream for Wire {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.io.tcp(), cx)
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.io.tcp(), cx)
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("held_bytes", &self.held.len()).finish_non_exhaustive()
    }
}
