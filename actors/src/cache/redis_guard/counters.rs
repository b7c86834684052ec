//! What L2 counts.

use std::cell::Cell;

/// What L2 has done. Every lookup is one of hits, misses, errors and skipped; every insert that
/// is not refused is one of inserts and insert_drops.
#[derive(Debug, Default)]
pub(in crate::cache) struct Counters {
    pub(in crate::cache) lookups: Cell<u64>,
    pub(in crate::cache) hits: Cell<u64>,
    pub(in crate::cache) misses: Cell<u64>,
    pub(in crate::cache) errors: Cell<u64>,
    pub(in crate::cache) skipped: Cell<u64>,
    pub(in crate::cache) inserts: Cell<u64>,
    pub(in crate::cache) insert_refusals: Cell<u64>,
    pub(in crate::cache) insert_drops: Cell<u64>,
    pub(in crate::cache) damaged: Cell<u64>,
    pub(in crate::cache) purged: Cell<u64>,
}

/// Adds one.
pub(super) fn count(counter: &Cell<u64>) {
    counter.set(counter.get().saturating_add(1));
}
