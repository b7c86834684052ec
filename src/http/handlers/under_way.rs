//! An answer under way to one caller: filtered and compressed piece by piece.

use anteroom_actors::error::OriginError;
use anteroom_actors::resolver::Reader;
use bytes::Bytes;

use crate::forms::UsageFilter;
use crate::http::access::Metering;
use crate::http::admission::Permit;
use crate::http::counted::Watched;
use crate::http::gateway::UnderWay;
use crate::http::shape::event_filter::EventFilter;
use crate::http::shape::live::LiveCompressor;
use crate::telemetry::SentCounters;

/// What a response under way holds on to.
pub(super) struct Holds {
    _permit: Permit,
    _under_way: UnderWay,
    pub(super) metering: Metering,
}

impl Holds {
    pub(super) const fn new(permit: Permit, under_way: UnderWay, metering: Metering) -> Self {
        Self { _permit: permit, _under_way: under_way, metering }
    }
}

/// An answer under way to one caller.
pub(super) struct Reading {
    pub(super) reader: Reader,
    /// Takes out the usage that only the gateway asked for.
    pub(super) filter: Option<UsageFilter>,
    /// Leaves of each event what is wanted.
    pub(super) mask: Option<EventFilter>,
    /// Compresses what is left; nothing once the answer has ended.
    pub(super) live: Option<LiveCompressor>,
    /// Counts the bytes.
    pub(super) sent: Option<SentCounters>,
    /// Set where it came by another's call.
    pub(super) watched: Option<Watched>,
    pub(super) holds: Holds,
}

impl Reading {
    /// Returns the next piece that has something in it.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, OriginError>> {
        while self.live.is_some() {
            let piece = match self.reader.next().await {
                Some(Ok(piece)) => piece,
                Some(Err(error)) => return Some(Err(error)),
                None => return self.end(),
            };
            self.holds.metering.observe(&piece);
            if let Some(watched) = &mut self.watched {
                watched.observe(&piece);
            }
            let piece = match &mut self.filter {
                Some(filter) => filter.push(&piece).into(),
                None => piece,
            };
            let piece = match &mut self.mask {
                Some(mask) => mask.push(&piece),
                None => piece,
            };
            let original_len = piece.len();
            match self.live.as_mut().map(|live| live.push_bytes(piece)) {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => {
                    self.count(original_len, piece.len());
                    return Some(Ok(piece));
                }
                Some(Err(_)) | None => return Some(Err(broken())),
            }
        }
        None
    }

    fn count(&self, original: usize, sent: usize) {
        if let Some(counters) = &self.sent {
            counters.add(original, sent);
        }
    }

    /// Returns what the filters still hold, and the end of the encoding.
    fn end(&mut self) -> Option<Result<Bytes, OriginError>> {
        let mut live = self.live.take()?;
        if let Some(watched) = self.watched.take() {
            watched.spared(self.reader.timings().whole.unwrap_or_default());
        }
        let filtered = self.filter.take().map(|mut filter| filter.finish()).unwrap_or_default();
        let masked = match self.mask.take() {
            Some(mask) => mask.finish(&filtered),
            None => filtered.into(),
        };
        let last = live.push(&masked).and_then(|piece| {
            let end = live.finish()?;
            Ok(if end.is_empty() { piece } else { [piece, end].concat().into() })
        });
        match last {
            Ok(last) => {
                self.count(masked.len(), last.len());
                (!last.is_empty()).then_some(Ok(last))
            }
            Err(_) => Some(Err(broken())),
        }
    }
}

/// The encoder failed: the answer cannot go on.
const fn broken() -> OriginError {
    OriginError::Internal { upstream: String::new() }
}
