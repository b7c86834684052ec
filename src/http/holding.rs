//! A response's body that holds something until it has been sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;

struct Holding<T> {
    body: BoxBody,
    _held: T,
}

/// Has `response` hold `held` until its body has been sent, or its connection is gone.
pub fn holding<T: Unpin + 'static>(response: HttpResponse, held: T) -> HttpResponse {
    response.map_body(|_, body| BoxBody::new(Holding { body, _held: held }))
}

impl<T: Unpin> MessageBody for Holding<T> {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
