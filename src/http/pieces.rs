//! A whole body that is sent in pieces.
//!
//! The server copies what it is given into the connection's buffer: given all at once, a large answer
//! would lie in memory twice, for each of its callers (actix-http 3.20, `h1/dispatcher.rs`).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::StatusCode;
use bytes::Bytes;

/// Bytes of a piece: the server keeps a buffer of twice as many for the next answer.
const PIECE: usize = 64 * 1024;

/// What is left of a body.
struct Pieces(Bytes);

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(u64::try_from(self.0.len()).unwrap_or(u64::MAX))
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let length = self.0.len().min(PIECE);
        Poll::Ready((length > 0).then(|| Ok(self.0.split_to(length))))
    }
}

/// Returns a response with a whole body.
pub fn response(status: StatusCode, body: Bytes) -> HttpResponse {
    if body.len() <= PIECE {
        return HttpResponse::with_body(status, body).map_into_boxed_body();
    }
    HttpResponse::with_body(status, BoxBody::new(Pieces(body)))
}

#[cfg(test)]
mod tests {
    use futures_util::future::poll_fn;

    use super::*;

    #[actix_web::test]
    async fn a_body_comes_whole_with_its_length_and_no_piece_is_large() {
        for length in [0, 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7] {
            let whole: Bytes = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
            let mut body = response(StatusCode::OK, whole.clone()).into_body();
            assert_eq!(body.size(), BodySize::Sized(u64::try_from(length).unwrap()));
            let mut seen = Vec::new();
            while let Some(piece) = poll_fn(|cx| Pin::new(&mut body).poll_next(cx)).await {
                let piece = piece.unwrap();
                assert!(piece.len() <= PIECE && !piece.is_empty());
                seen.extend_from_slice(&piece);
            }
            assert_eq!(seen, whole, "{length}");
        }
    }
}
