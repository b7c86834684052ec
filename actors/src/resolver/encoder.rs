//! Working out the encodings of kept answers, off the path of any response.

use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::lookup::Levels;
use crate::codec;
use crate::model::{Encoding, Entry};
use crate::settings::EncodingSettings;

/// Most entries of one thread that are worked on at once: callers need the same processors.
const AT_ONCE: usize = 1;

/// Bodies from this size on have their digest made on another thread.
const TAG_ELSEWHERE_FROM: usize = 64 * 1024;

/// Works out encodings. Lives on one thread; clones share the bound.
#[derive(Debug, Clone)]
pub(super) struct Encoder {
    settings: EncodingSettings,
    places: Rc<Semaphore>,
}

impl Encoder {
    pub(super) fn new(settings: EncodingSettings) -> Self {
        Self { settings, places: Rc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Works out the encodings of `entry`, which L1 holds, and tells L1 what it weighs then.
    pub(super) async fn encode(&self, entry: &Arc<Entry>, levels: &Levels) {
        if !codec::is_worth(entry, &self.settings) {
            // Noted as such, in no time.
            codec::prepare(entry, &self.settings);
            return;
        }
        let is_done = |encoding| entry.encodings.is_settled(encoding);
        if is_done(Encoding::Gzip) && is_done(Encoding::Brotli) {
            return;
        }
        let Ok(_place) = self.places.acquire().await else { return };
        let (worked_on, settings) = (Arc::clone(entry), self.settings);
        let work = move || codec::prepare(&worked_on, &settings);
        if tokio::task::spawn_blocking(work).await.is_ok() {
            levels.encoded(entry).await;
        }
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
