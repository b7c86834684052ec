//! A request's body on its way up.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use awc::body::{BodySize, MessageBody};
use awc::http::Method;
use bytes::Bytes;
use futures_util::stream::{LocalBoxStream, Stream, StreamExt as _};

use super::wire::CallState;

/// Most bytes handed to awc at once: it copies each piece, so a prompt with images is never
/// copied as a whole.
const PIECE_BYTES: usize = 64 * 1024;

/// The caller did not send the whole of its body.
#[derive(Debug, thiserror::Error)]
#[error("the caller broke off its request")]
pub(super) struct CallerGone;

enum Source {
    Whole(Bytes),
    Pieces(LocalBoxStream<'static, Result<Bytes, CallerGone>>),
}

/// A request's body.
pub(super) struct Upload {
    source: Source,
    size: BodySize,
    call: Rc<CallState>,
}

impl Upload {
    /// A body that is there as a whole.
    pub(super) fn whole(body: Bytes, method: &Method, call: Rc<CallState>) -> Self {
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        Self::new(Source::Whole(body), Some(length), method, call)
    }

    /// A body that comes in pieces; `length` where the caller said it.
    pub(super) fn pieces<S, E>(
        pieces: S,
        length: Option<u64>,
        method: &Method,
        call: Rc<CallState>,
    ) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + 'static,
    {
        let pieces = pieces.map(|piece| piece.map_err(|_| CallerGone)).boxed_local();
        Self::new(Source::Pieces(pieces), length, method, call)
    }

    fn new(source: Source, length: Option<u64>, method: &Method, call: Rc<CallState>) -> Self {
        let size = match length {
            // A length of zero says something only where the method expects a body.
            Some(0) if !matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {
                BodySize::None
            }
            Some(length) => BodySize::Sized(length),
            None => BodySize::Stream,
        };
        call.is_uploaded.set(length == Some(0));
        Self { source, size, call }
    }
}

impl MessageBody for Upload {
    type Error = CallerGone;

    fn size(&self) -> BodySize {
        self.size
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let piece = match &mut this.source {
            Source::Whole(rest) => {
                let piece = rest.split_to(rest.len().min(PIECE_BYTES));
                (!piece.is_empty()).then_some(Ok(piece))
            }
            Source::Pieces(pieces) => {
                this.call.awaits_caller.set(true);
                let piece = ready!(pieces.poll_next_unpin(cx));
                this.call.awaits_caller.set(false);
                piece
            }
        };
        if piece.is_none() {
            this.call.is_uploaded.set(true);
        }
        Poll::Ready(piece)
    }
}
