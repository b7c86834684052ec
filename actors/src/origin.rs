//! The border to where answers come from. The gateway package implements it over HTTP and
//! for the built-in provider; this package only calls.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::LocalBoxStream;

use crate::error::OriginError;
use crate::model::{
    CacheKey, Encoding, Entry, Form, Header, Labels, Lifetimes, Selection, Verdict,
};

/// One call to an origin: all that goes upstream, and what is needed to judge the answer.
#[derive(Debug, Clone)]
pub struct OriginCall {
    /// The key its answer would be kept under.
    pub key: CacheKey,
    /// Position of the route in the settings.
    pub route: usize,
    /// Name of the upstream in the settings.
    pub upstream: Arc<str>,
    /// Who shares its answer; zero for all callers.
    pub scope: u64,
    /// Request method.
    pub method: Box<str>,
    /// Path and query, as received.
    pub target: Box<str>,
    /// Headers to send: the caller's credential and those that are keyed.
    pub headers: Vec<Header>,
    /// All headers of the request as the caller presented them, where the origin's word decides over
    /// the answer: its Vary may name any of them (RFC 9111 §4.1). Not sent.
    pub presented: Vec<Header>,
    /// The caller's trace, which the call is a part of (W3C Trace Context). Sent; it has no say in the
    /// answer, so it is not keyed.
    pub trace: Vec<Header>,
    /// Whether the origin can be asked if a kept answer is still right (RFC 9111 §4.3).
    pub validates: bool,
    /// Request body, byte for byte as keyed.
    pub body: Bytes,
    /// The form that is asked for.
    pub form: Form,
    /// How the caller likes the body best: the kept answer is made ready in it.
    pub encoding: Encoding,
    /// How long the answer may be served, if it is kept and says nothing of its own that counts.
    pub lifetimes: Lifetimes,
    /// Whether the answer may be kept, as far as the request goes.
    pub may_keep: bool,
    /// From which use on the answer is kept beyond L1.
    pub min_uses: u8,
    /// What the answer can be purged by.
    pub labels: Labels,
    /// The model that is asked, where the request names one.
    pub model: Option<Box<str>>,
    /// Where its answer is not kept whole: makes the entries that are kept in its place.
    pub apart: Option<Apart>,
}

/// Takes an answer that may be kept apart into the entries that are kept in its place, each with a
/// key of its own. Where there are none, nothing is kept.
///
/// Called on a fetching thread, whoever still waits for the answer.
#[derive(Clone)]
pub struct Apart {
    max_bytes: usize,
    take: Arc<TakeApart>,
}

type TakeApart = dyn Fn(&Entry) -> Vec<Entry> + Send + Sync;

impl Apart {
    /// Wraps what takes apart answers of at most `max_bytes`, which may be more than is kept of one
    /// answer.
    pub fn new(
        max_bytes: usize,
        take: impl Fn(&Entry) -> Vec<Entry> + Send + Sync + 'static,
    ) -> Self {
        Self { max_bytes, take: Arc::new(take) }
    }

    /// Returns the size of the largest answer that is taken apart, in bytes.
    pub const fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Returns the entries that are kept in the place of `whole`.
    pub fn take(&self, whole: &Entry) -> Vec<Entry> {
        (self.take)(whole)
    }
}

impl fmt::Debug for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Apart")
    }
}

/// Status and headers of an answer, hop-by-hop headers removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case; those of one name in the order received.
    pub headers: Vec<Header>,
    /// Whether the body is to be passed on piece by piece as it comes (an event stream).
    pub streamed: bool,
}

/// Decides over the whole body whether the answer may be kept. Called once an answer, also where it
/// is not kept whatever this says: the origin learns that the call has come to its end.
pub type Judge = Box<dyn FnOnce(&Bytes) -> Verdict>;

/// Returns what is kept and sent in place of a whole body; `None` for the body itself. Runs on any
/// thread.
pub type Reshape = Box<dyn FnOnce(&Bytes) -> Option<Bytes> + Send>;

/// An answer that has begun.
pub struct Answer {
    /// Status and headers.
    pub head: Head,
    /// Those of `head.headers` that a stored copy keeps.
    pub stored_headers: Vec<Header>,
    /// What of the request selects the answer beside its key.
    pub selection: Selection,
    /// Whether others than the first asker may have it.
    pub shareable: bool,
    /// The body. It ends by `None` only where the protocol said that it was whole; time-outs
    /// of the upstream's settings are applied inside.
    pub body: LocalBoxStream<'static, Result<Bytes, OriginError>>,
    /// Judges the whole body.
    pub judge: Judge,
    /// Reshapes the whole body, once it is judged; not one that is passed on as it comes.
    pub reshape: Option<Reshape>,
}

/// What an origin says to a call.
pub enum Reply {
    /// An answer.
    Answer(Answer),
    /// The kept answer that was asked about is still right.
    Unchanged {
        /// It, with its headers and its life from now on.
        entry: Box<Entry>,
        /// Whether it may be kept on.
        keep: bool,
    },
}

/// Where answers come from. Lives on one thread, with its own connections.
pub trait Origin {
    /// Starts `call`; resolves when the answer's head is there. `kept` is an answer that is kept
    /// and was not served: where it can, the origin is asked whether it is still right.
    fn call(
        &self,
        call: Arc<OriginCall>,
        kept: Option<Arc<Entry>>,
    ) -> LocalBoxFuture<'static, Result<Reply, OriginError>>;
}

/// Makes an [`Origin`] on the thread that will use it.
pub type OriginFactory = Arc<dyn Fn() -> Rc<dyn Origin> + Send + Sync>;
