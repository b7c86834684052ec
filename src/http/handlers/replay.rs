//! Sending a kept stream at a pace, where the route wants one.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, BoxBody};
use actix_web::http::StatusCode;
use anteroom_actors::model::Entry;
use bytes::Bytes;
use futures_util::stream;

use crate::forms::events;
use crate::http::routes::Route;

/// Gives `response`, whose body is a kept one, a pause between its events. Without an interval of the
/// route, or where the body is no stream, it is as it was.
pub(super) fn paced(response: HttpResponse, route: &Route, entry: &Entry) -> HttpResponse {
    if !is_paced(route, entry) || response.status() == StatusCode::NOT_MODIFIED {
        return response;
    }
    let body = entry.body.clone();
    let pieces: Vec<Bytes> = events(&body).map(|event| body.slice_ref(event)).collect();
    response.set_body(BoxBody::new(BodyStream::new(one_by_one(pieces, route.replay_interval))))
}

/// Tells whether `entry` is sent event by event; then it is sent as it is, without an encoding.
pub(super) const fn is_paced(route: &Route, entry: &Entry) -> bool {
    !route.replay_interval.is_zero() && entry.form.is_stream()
}

fn one_by_one(
    pieces: Vec<Bytes>,
    interval: Duration,
) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold((pieces.into_iter(), true), move |(mut pieces, is_first)| async move {
        let piece = pieces.next()?;
        if !is_first {
            tokio::time::sleep(interval).await;
        }
        Some((Ok(piece), (pieces, false)))
    })
}
