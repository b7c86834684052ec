//! Counts of bytes: as they left, and before they were encoded.

use anteroom_actors::model::Encoding;
use prometheus::local::LocalIntCounter;
use prometheus::{IntCounter, IntCounterVec, Registry};

use super::metrics::counter;
use super::names;

/// The counters of one route and one encoding.
#[derive(Debug, Clone)]
pub struct SentCounters {
    original: IntCounter,
    sent: IntCounter,
}

impl SentCounters {
    /// Returns those of `route`, one for each of [`Encoding::ALL`].
    pub(super) fn of(route: &str, original: &IntCounterVec, sent: &IntCounterVec) -> Vec<Self> {
        let labels = Encoding::ALL.map(|encoding| [route, encoding.as_str()]);
        let counters = labels.iter().map(|labels| Self {
            original: original.with_label_values(labels),
            sent: sent.with_label_values(labels),
        });
        counters.collect()
    }

    /// Counts bytes.
    pub fn add(&self, original: usize, sent: usize) {
        self.original.inc_by(number(original));
        self.sent.inc_by(number(sent));
    }

    /// Returns the bytes so far: before they were encoded, and as they left.
    pub(super) fn so_far(&self) -> (u64, u64) {
        (self.original.get(), self.sent.get())
    }

    fn local(&self) -> LocalSent {
        LocalSent { original: self.original.local(), sent: self.sent.local() }
    }
}

/// Bytes of whole answers before and after they were reshaped. Cheap to clone.
#[derive(Debug, Clone)]
pub struct PayloadCounters {
    original: IntCounter,
    kept: IntCounter,
}

impl PayloadCounters {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            original: counter(registry, &names::PAYLOAD_ORIGINAL_BYTES)?,
            kept: counter(registry, &names::PAYLOAD_BYTES)?,
        })
    }

    /// Counts an answer.
    pub fn add(&self, original: usize, kept: usize) {
        self.original.inc_by(number(original));
        self.kept.inc_by(number(kept));
    }

    /// Returns the bytes so far: as they came, and as they were kept.
    pub(super) fn so_far(&self) -> (u64, u64) {
        (self.original.get(), self.kept.get())
    }
}

struct LocalSent {
    original: LocalIntCounter,
    sent: LocalIntCounter,
}

/// What one worker sent on one route, until it is flushed into the metrics.
pub struct SentBytes(Vec<LocalSent>);

impl SentBytes {
    pub(super) fn new(counters: &[SentCounters]) -> Self {
        Self(counters.iter().map(SentCounters::local).collect())
    }

    /// Counts a body.
    pub fn record(&self, encoding: Encoding, original: usize, sent: usize) {
        if let Some(counts) = self.0.get(encoding.index()) {
            counts.original.inc_by(number(original));
            counts.sent.inc_by(number(sent));
        }
    }

    /// Brings what was counted into the metrics.
    pub fn flush(&self) {
        for counts in &self.0 {
            counts.original.flush();
            counts.sent.flush();
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
