//! What became of warmings: which were used, which were wasted, and what follows from that.

use std::collections::{HashMap, VecDeque};

use super::Tag;
use super::due::{Due, Event};
use super::gate::{Bucket, Gate, Source};
use super::proposal::{FoundIn, Proposal, Tally};

/// Most warmings whose end is not known yet.
const MOST_OPEN: usize = 8_192;

/// How many requests what was guessed to follow may wait for its own, and for how long: both must have
/// passed. In a busy gateway the first is over at once, in a quiet one the second.
const PATIENCE: (u64, u64) = (512, 60_000);

/// The most of L1 that is worth giving to what was warmed and waits.
const MOST_SHARE: f64 = 0.1;

/// The share that it is given where warming fails.
const LEAST_SHARE: f64 = 0.01;

/// Where at most so large a part of the latest warmings was used, warming fails.
const FAILS_AT: f64 = 0.35;

/// Where at least so large a part was, it is given the most.
const WORKS_AT: f64 = 0.6;

/// Weight of the latest warming in the success of late.
const LATEST: f64 = 0.02;

/// A warming whose end is not known yet.
#[derive(Debug, Clone, Copy)]
struct Open {
    bucket: Bucket,
    /// Nothing was done: it is only watched.
    is_trial: bool,
    /// Only a hit in L1 is a use of it.
    in_l1: bool,
    until_ms: u64,
    /// Number of the warming.
    number: u64,
}

/// A warming of what was guessed to follow.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    tag: Tag,
    number: u64,
    at_request: u64,
    since_ms: u64,
}

/// The ledger.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) gate: Gate,
    pub(super) tally: Tally,
    open: HashMap<Tag, Open>,
    /// Those of them that are no trials.
    num_done: u64,
    ends: Due,
    waiting: VecDeque<Waiting>,
    requests: u64,
    warmings: u64,
    /// Part of the latest warmings that was used.
    success: f64,
}

impl Ledger {
    pub(super) fn new(gate: Gate) -> Self {
        Self {
            gate,
            tally: Tally::default(),
            open: HashMap::new(),
            num_done: 0,
            ends: Due::new(4 * MOST_OPEN),
            waiting: VecDeque::new(),
            requests: 0,
            warmings: 0,
            success: FAILS_AT,
        }
    }

    /// Tells whether one more can be followed to its end.
    pub(super) fn has_room(&self) -> bool {
        self.open.len() < MOST_OPEN && self.waiting.len() < 4 * MOST_OPEN
    }

    /// A proposal was carried out; it may be used until `until_ms`.
    pub(super) fn began(&mut self, tag: Tag, proposal: &Proposal, until_ms: u64, now_ms: u64) {
        if proposal.is_trial && self.open.contains_key(&tag) {
            // What is watched already, or was really warmed, is judged by its own time.
            return;
        }
        self.replaced(tag);
        self.warmings = self.warmings.saturating_add(1);
        let Proposal { act, bucket, is_trial, .. } = *proposal;
        let number = self.warmings;
        let open = Open { bucket, is_trial, in_l1: !act.calls(), until_ms, number };
        self.open.insert(tag, open);
        self.gate.began(bucket);
        if until_ms < u64::MAX {
            let open = &self.open;
            let is_open =
                |at_ms: u64, tag: &Tag| open.get(tag).is_some_and(|it| it.until_ms == at_ms);
            self.ends.add(until_ms, Event::Unused, tag, |at_ms, _, tag| is_open(at_ms, tag));
        }
        if bucket.source() == Source::Sequence {
            let at_request = self.requests;
            self.waiting.push_back(Waiting { tag, number, at_request, since_ms: now_ms });
        }
        if !is_trial {
            self.num_done += 1;
            self.tally.done += 1;
            self.tally.calls += u64::from(act.calls());
        }
    }

    /// A request tells whether a warming was of use.
    pub(super) fn asked(&mut self, tag: Tag, found: FoundIn) {
        self.requests = self.requests.saturating_add(1);
        let Some(open) = self.open.get(&tag) else { return };
        match (open.is_trial, found) {
            // Somebody else has brought it there.
            (true, FoundIn::L1) if open.in_l1 => self.broken_off(tag),
            (true, _) | (false, FoundIn::L1) => self.ended(tag, true),
            (false, FoundIn::Beyond) => self.ended(tag, !open.in_l1),
            (false, FoundIn::Nowhere) => self.ended(tag, false),
        }
    }

    /// What was not used in time, or has waited for too long, was of no use.
    pub(super) fn give_up(&mut self, now_ms: u64) {
        while let Some((at_ms, _, tag)) = self.ends.next(now_ms) {
            if self.open.get(&tag).is_some_and(|open| open.until_ms == at_ms) {
                self.ended(tag, false);
            }
        }
        while let Some(Waiting { tag, number, at_request, since_ms }) =
            self.waiting.front().copied()
            && self.requests.saturating_sub(at_request) > PATIENCE.0
            && now_ms.saturating_sub(since_ms) > PATIENCE.1
        {
            self.waiting.pop_front();
            if self.open.get(&tag).is_some_and(|open| open.number == number) {
                self.ended(tag, false);
            }
        }
    }

    /// Returns the share of L1 that is to be there for what was warmed and waits: nothing where
    /// nothing waits.
    pub(super) fn warm_share(&self) -> f64 {
        if self.num_done == 0 { 0.0 } else { self.worth() }
    }

    /// Returns the part of the latest warmings that was used.
    pub(super) const fn success(&self) -> f64 {
        self.success
    }

    /// Returns the share of L1 that what is warmed is worth.
    pub(super) fn worth(&self) -> f64 {
        let works = ((self.success - FAILS_AT) / (WORKS_AT - FAILS_AT)).clamp(0.0, 1.0);
        works.mul_add(MOST_SHARE - LEAST_SHARE, LEAST_SHARE)
    }

    /// Returns about how many bytes of memory are taken.
    pub(super) fn bytes(&self) -> usize {
        self.open.capacity() / 7 * 8 * (size_of::<(Tag, Open)>() + 1)
            + self.ends.bytes()
            + self.waiting.capacity() * size_of::<Waiting>()
    }

    /// What is warmed again was of no use before; what was only watched is watched no longer.
    fn replaced(&mut self, tag: Tag) {
        match self.open.get(&tag) {
            Some(open) if open.is_trial => self.broken_off(tag),
            Some(_) => self.ended(tag, false),
            None => {}
        }
    }

    fn broken_off(&mut self, tag: Tag) {
        if let Some(open) = self.open.remove(&tag) {
            self.gate.broken_off(open.bucket);
        }
    }

    fn ended(&mut self, tag: Tag, used: bool) {
        let Some(open) = self.open.remove(&tag) else { return };
        self.gate.ended(open.bucket, used);
        if !open.is_trial {
            self.num_done = self.num_done.saturating_sub(1);
            self.tally.used += u64::from(used);
            self.tally.wasted += u64::from(!used);
            self.success += (f64::from(u8::from(used)) - self.success) * LATEST;
        }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
