//! A worker's memory of recent requests: a byte-identical repeat parses no JSON, and a hot one asks
//! nobody.
//!
//! A digest over everything of a request that counts leads to its cache key; for the time of a lease
//! it also leads to the entry itself. A lease holds a weak pointer: what L1 lets go of is freed, and
//! the next request asks L1 again. A purge, or another entry in the place of the leased one, ends a
//! lease at once: it holds the numbers that would have grown. One thread, no lock.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use anteroom_actors::model::{Alike, BuildKeyHasher, CacheKey, Entry, Form, Purges, Versions};

use super::counted::{Spared, Tab};
use super::stored::{Shared, StoredHead};
use super::untold::{Mark, Untold};
use crate::savings::Ledger;

/// Longest lease on an answer of which a shorter form is being worked out.
const UNTIL_BETTER: Duration = Duration::from_millis(100);

/// Requests looked at, whenever a lease is given, for one that is over: its request may never come again.
const LOOKED_AT: usize = 2;

/// A keyed digest of a request as it came: nobody outside knows the key, which no other process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// Takes the two words of a digest.
    pub fn new([low, high]: [u64; 2]) -> Self {
        Self((u128::from(low) | u128::from(high) << 64).to_le_bytes())
    }
}

/// What a request as it came was found to mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// The key of its answer.
    pub key: CacheKey,
    /// Who shares the answer, as [`Scope::short`](crate::canonical::Scope::short).
    pub scope: u64,
    /// The form it asks for.
    pub form: Form,
    /// The model it asks, where it names one.
    pub model: Option<Arc<str>>,
}

/// When what is known of an entry was known: a lease holds while neither number has grown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The latest purge, read before the entry was asked for.
    pub generation: u64,
    /// The version of the entry's key, read before the entry was asked for.
    pub version: u32,
}

/// An entry that may be served without asking L1, for a moment, and all that its hits need beside it:
/// in one piece, because what lies apart costs each hit a look at memory of its own.
#[derive(Debug)]
pub struct Lease {
    entry: Weak<Entry>,
    known: Known,
    until: Instant,
    /// Status and headers of its hits.
    pub head: StoredHead,
    spared: Spared,
}

#[derive(Debug)]
struct Remembered {
    meaning: Meaning,
    lease: Option<Rc<Lease>>,
    /// Asked for since it was last spared.
    used: bool,
    /// Where its hits by the lease that L1 was not told of yet are.
    untold: Mark,
}

/// What is remembered of a request.
pub enum Recalled {
    /// Its answer, which is fresh, and who shares it.
    Answer(Arc<Entry>, Rc<Lease>, u64),
    /// What it means.
    Meaning(Meaning),
}

/// The requests one worker remembers, in bounds.
pub struct Recall {
    purges: Purges,
    versions: Versions,
    remembered: HashMap<Digest, Remembered, BuildKeyHasher>,
    /// The digests, in the order in which they will be looked at for forgetting.
    order: VecDeque<Digest>,
    /// Hits by leases that L1 was not told of.
    untold: Untold,
    /// What hits by leases saved that is not written down yet, each once.
    unwritten: Vec<Rc<Tab>>,
    /// Headers of leases: answers differ in their bodies, hardly in these.
    headers: Alike<Shared>,
    /// What leases count on.
    tabs: Alike<Rc<Tab>>,
    /// Models that are asked.
    models: Alike<Arc<str>>,
    /// Where in `order` the last look for a lease that is over was.
    looked_at: usize,
    most: usize,
    lease: Duration,
}

impl Recall {
    /// Creates a memory of at most `most` requests, with leases of `lease` that end at once when
    /// `purges` or `versions` say so.
    pub fn new(most: usize, lease: Duration, purges: Purges, versions: Versions) -> Self {
        Self {
            purges,
            versions,
            remembered: HashMap::default(),
            order: VecDeque::new(),
            untold: Untold::default(),
            unwritten: Vec::new(),
            headers: Alike::default(),
            tabs: Alike::default(),
            models: Alike::default(),
            looked_at: 0,
            most,
            lease,
        }
    }

    /// Sets how many requests are remembered and how long leases are from now on.
    pub fn bound(&mut self, most: usize, lease: Duration) {
        (self.most, self.lease) = (most, lease);
        while self.remembered.len() > most {
            self.forget_one();
        }
    }

    /// Returns what is remembered of `digest`. Life runs in wall time, which a lease's end is only
    /// an estimate of.
    pub fn get(&mut self, digest: &Digest, now: Instant, wall_ms: u64) -> Option<Recalled> {
        let remembered = self.remembered.get_mut(digest)?;
        remembered.used = true;
        if let Some(lease) = &remembered.lease {
            let key = &remembered.meaning.key;
            if lease.until > now
                && lease.known.generation == self.purges.generation()
                && lease.known.version == self.versions.of(key)
                && let Some(entry) = lease.entry.upgrade()
                && entry.freshness.is_fresh(wall_ms)
            {
                self.untold.count(&mut remembered.untold, key);
                if lease.spared.hit() {
                    self.unwritten.push(Rc::clone(&lease.spared.tab));
                }
                let scope = remembered.meaning.scope;
                return Some(Recalled::Answer(entry, Rc::clone(lease), scope));
            }
            remembered.lease = None;
        }
        Some(Recalled::Meaning(remembered.meaning.clone()))
    }

    /// Remembers what `digest` means.
    pub fn remember(&mut self, digest: Digest, mut meaning: Meaning) {
        if self.most == 0 {
            return;
        }
        meaning.model = meaning.model.map(|model| self.models.one(model));
        let new = Remembered { meaning, lease: None, used: false, untold: Mark::default() };
        if self.remembered.insert(digest, new).is_none() {
            self.order.push_back(digest);
        }
        while self.remembered.len() > self.most {
            self.forget_one();
        }
    }

    /// Returns the hits by leases since the last call, for L1: keys and how often each was asked for.
    pub fn take_untold(&mut self) -> Vec<(CacheKey, u32)> {
        self.untold.take()
    }

    /// Writes down what hits by leases saved since the last call, also by leases that have ended.
    pub fn write_savings(&mut self, ledger: &mut Ledger) {
        for tab in self.unwritten.drain(..) {
            tab.write(ledger);
        }
    }

    /// Second chance: what was asked for since the last look is spared once.
    fn forget_one(&mut self) {
        while let Some(oldest) = self.order.pop_front() {
            match self.remembered.get_mut(&oldest) {
                Some(remembered) if remembered.used => {
                    remembered.used = false;
                    self.order.push_back(oldest);
                }
                _ => {
                    self.remembered.remove(&oldest);
                    return;
                }
            }
        }
    }

    /// Returns what is known of `key` now; to be asked before its entry is asked for.
    pub fn known(&self, key: &CacheKey) -> Known {
        Known { generation: self.purges.generation(), version: self.versions.of(key) }
    }

    /// Gives `digest` a lease on a fresh entry: until the lease's time is over, the entry turns
    /// stale, or is purged or replaced, whichever comes first.
    pub fn lease(
        &mut self,
        digest: &Digest,
        (entry, known): (&Arc<Entry>, Known),
        (mut head, mut spared): (StoredHead, Spared),
        now: Instant,
        wall_ms: u64,
    ) {
        // Shorter while something better is being worked out, so that it is noticed.
        let longest = if head.is_final { self.lease } else { self.lease.min(UNTIL_BETTER) };
        let lasts = longest.min(entry.freshness.remaining(wall_ms));
        if lasts.is_zero() {
            return;
        }
        self.end_leases(now);
        head.headers = self.headers.one(head.headers);
        spared.tab = self.tabs.one(spared.tab);
        if let Some(remembered) = self.remembered.get_mut(digest) {
            let (entry, until) = (Arc::downgrade(entry), now + lasts);
            remembered.lease = Some(Rc::new(Lease { entry, known, until, head, spared }));
        }
    }

    /// Looks at the next few requests in turn, and ends their leases if their time is over.
    fn end_leases(&mut self, now: Instant) {
        for _ in 0..LOOKED_AT {
            self.looked_at = (self.looked_at + 1) % self.order.len().max(1);
            let next = self.order.get(self.looked_at);
            let remembered = next.and_then(|digest| self.remembered.get_mut(digest));
            if let Some(remembered) = remembered {
                remembered.lease.take_if(|lease| lease.until <= now);
            }
        }
    }
}

#[cfg(test)]
#[path = "recall_tests.rs"]
mod tests;
