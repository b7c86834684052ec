//! Working out the encodings of kept answers, off the path of any response.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::lookup::Levels;
use crate::codec;
use crate::model::{Encoding, Entry};
use crate::settings::EncodingSettings;

/// Most entries of one thread that are worked on at once: callers need the same processors.
const AT_ONCE: usize = 1;

/// Most bytes of bodies that wait for their turn on one thread. What comes when so many wait is sent as
/// it is: answers come faster than they can be encoded, and those that wait are held in memory.
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// Bodies from this size on have their digest made on another thread.
const TAG_ELSEWHERE_FROM: usize = 64 * 1024;

/// Works out encodings. Lives on one thread; clones share the bound.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    settings: EncodingSettings,
    places: Rc<Semaphore>,
    waiting_bytes: Rc<Cell<usize>>,
}

/// A body that waits, counted while this lives.
struct Waiting {
    bytes: usize,
    all: Rc<Cell<usize>>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.all.set(self.all.get().saturating_sub(self.bytes));
    }
}

impl Encoder {
    pub(super) fn new(settings: EncodingSettings) -> Self {
        Self { settings, places: Rc::new(Semaphore::new(AT_ONCE)), waiting_bytes: Rc::default() }
    }

    /// Works out `entry`, which L1 holds, in the encoding its caller wants, and tells L1 what it weighs
    /// then. What nobody asks for is not worked out: it would take half as much memory again.
    pub(super) async fn encode(&self, entry: &Arc<Entry>, encoding: Encoding, levels: &Levels) {
        if entry.encodings.is_settled(encoding) && entry.encodings.is_tagged() {
            return;
        }
        if !codec::is_worth(entry, &self.settings) && entry.encodings.is_tagged() {
            // Noted as such, in no time.
            codec::prepare(entry, encoding, &self.settings);
            return;
        }
        let Some(waiting) = self.wait_with(entry.body.len()) else {
            entry.encodings.settle(encoding, || None);
            return;
        };
        let Ok(_place) = self.places.acquire().await else { return };
        drop(waiting);
        if entry.encodings.is_settled(encoding) && entry.encodings.is_tagged() {
            return;
        }
        let (worked_on, settings) = (Arc::clone(entry), self.settings);
        let work = move || codec::prepare(&worked_on, encoding, &settings);
        if tokio::task::spawn_blocking(work).await.is_ok() {
            levels.encoded(entry).await;
        }
    }

    /// Tells whether others wait for their turn.
    pub(super) fn is_busy(&self) -> bool {
        self.waiting_bytes.get() > 0
    }

    /// Takes a place among those that wait, if there is one for so many bytes.
    fn wait_with(&self, bytes: usize) -> Option<Waiting> {
        let all = self.waiting_bytes.get();
        if all > 0 && all.saturating_add(bytes) > MOST_WAITING_BYTES {
            return None;
        }
        self.waiting_bytes.set(all.saturating_add(bytes));
        Some(Waiting { bytes, all: Rc::clone(&self.waiting_bytes) })
    }
}

/// Makes the digest of an entry's body, which its answers carry.
pub(super) async fn tag(entry: &Arc<Entry>) {
    if entry.body.len() < TAG_ELSEWHERE_FROM {
        entry.encodings.tag(&entry.body);
        return;
    }
    let tagged = Arc::clone(entry);
    let work = move || {
        tagged.encodings.tag(&tagged.body);
    };
    // Fails only where the runtime ends; then it is made when it is needed.
    let _ = tokio::task::spawn_blocking(work).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_and_one_body_always_may() {
        let encoder = Encoder::new(EncodingSettings::default());
        let large = encoder.wait_with(2 * MOST_WAITING_BYTES);
        assert!(large.is_some(), "alone, whatever its size");
        assert!(encoder.wait_with(1).is_none());
        drop(large);
        let one = encoder.wait_with(MOST_WAITING_BYTES - 1);
        let other = encoder.wait_with(1);
        assert!(one.is_some() && other.is_some() && encoder.wait_with(1).is_none());
        drop((one, other));
        assert_eq!(encoder.waiting_bytes.get(), 0);
    }
}
