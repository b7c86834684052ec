//! Large kept answers on their way to callers: each counts once, however many callers it goes to, and
//! for as long as one of them reads, also when L1 holds it no more.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use anteroom_actors::model::{MemoryBudget, Reservation};
use bytes::Bytes;
use parking_lot::Mutex;

/// Those that are being sent. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct SentEntries {
    budget: MemoryBudget,
    all: Arc<Mutex<HashMap<Place, Sent>>>,
}

/// Where a body lies and how long it is: as long as it is held, no other lies there.
type Place = (usize, usize);

struct Sent {
    callers: usize,
    _reserved: Reservation,
}

/// One caller's hold on an answer.
pub struct SentEntry {
    all: Arc<Mutex<HashMap<Place, Sent>>>,
    body: Bytes,
}

impl SentEntries {
    /// Creates an empty list, whose bytes are of `budget`.
    pub fn new(budget: MemoryBudget) -> Self {
        Self { budget, all: Arc::default() }
    }

    /// Adds a caller of `body`, whether its bytes are there or not.
    pub fn enter(&self, body: &Bytes) -> SentEntry {
        let mut all = self.all.lock();
        let sent = all.entry(place(body)).or_insert_with(|| Sent {
            callers: 0,
            _reserved: self.budget.reserve_anyway(bytes(body)),
        });
        sent.callers += 1;
        drop(all);
        self.held(body)
    }

    /// Adds a caller of `body`, unless that is the first one and its bytes are not there.
    pub fn try_enter(&self, body: &Bytes) -> Option<SentEntry> {
        let mut all = self.all.lock();
        match all.entry(place(body)) {
            Entry::Occupied(mut sent) => sent.get_mut().callers += 1,
            Entry::Vacant(vacant) => {
                let _reserved = self.budget.try_reserve(bytes(body))?;
                vacant.insert(Sent { callers: 1, _reserved });
            }
        }
        drop(all);
        Some(self.held(body))
    }

    fn held(&self, body: &Bytes) -> SentEntry {
        SentEntry { all: Arc::clone(&self.all), body: body.clone() }
    }
}

impl Drop for SentEntry {
    fn drop(&mut self) {
        let gone = {
            let mut all = self.all.lock();
            let Entry::Occupied(mut sent) = all.entry(place(&self.body)) else { return };
            sent.get_mut().callers -= 1;
            (sent.get().callers == 0).then(|| sent.remove())
        };
        // Its bytes go back outside the lock.
        drop(gone);
    }
}

fn place(body: &Bytes) -> Place {
    (body.as_ptr().addr(), body.len())
}

fn bytes(body: &Bytes) -> u64 {
    u64::try_from(body.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once_until_its_last_caller_has_it() {
        let budget = MemoryBudget::new(1_000);
        let sent = SentEntries::new(budget.clone());
        let reserved = || budget.report().reserved_bytes;
        let body = Bytes::from(vec![b'x'; 600]);
        let first = sent.enter(&body);
        let second = sent.try_enter(&body.clone()).unwrap();
        assert_eq!(reserved(), 600, "the same bytes");

        let other = Bytes::from(vec![b'x'; 600]);
        assert!(sent.try_enter(&other).is_none(), "equal, but others, for which there is no room");
        let anyway = sent.enter(&other);
        assert_eq!(reserved(), 1_200, "what is in memory counts");
        drop((first, anyway));
        assert_eq!(reserved(), 600);
        drop((body, second));
        assert_eq!(reserved(), 0);
        assert!(sent.all.lock().is_empty());
        assert!(sent.try_enter(&other).is_some());
    }
}
