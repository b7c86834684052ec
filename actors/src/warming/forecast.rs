//! What will be asked for soon and would be missed: learned from what was asked for.
//!
//! A pure decider: it is told of requests, of the passing of time and of what became of its
//! proposals, and proposes. The gateway's actor and the replay run this same code.

use super::Tag;
use super::due::{Due, Event};
use super::gate::{Bucket, Gate, Judgement, Source};
use super::generations::Generations;
use super::known::Known;
use super::ledger::Ledger;
use super::proposal::{Act, Done, FoundIn, Proposal, Seen, Tally};
use super::sequences::Sequences;
use crate::model::CacheKey;

/// A key that was just found in L1, or not to be had, is not proposed again so soon.
const CHECKED_FOR_MS: u64 = 1_000;

/// Bounds of what is remembered, and what is worth a proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastSettings {
    /// Most contexts of sequences.
    pub contexts: usize,
    /// At least so many sessions used last are remembered, at most twice as many.
    pub sessions: usize,
    /// The same for keys.
    pub keys: usize,
    /// Least confidence of a guess of what follows that is acted on, between 0 and 1.
    pub floor: f64,
    /// The same of a guess that something is asked for again.
    pub renewal_floor: f64,
    /// Least share of guesses of what follows that come true, for them to be acted on, between 0
    /// and 1.
    pub target: f64,
    /// The same of guesses that something is asked for again, which may cost a call.
    pub renewal_target: f64,
    /// How long L1 keeps an answer from its fill on, in milliseconds.
    pub residence_ms: u64,
    /// Whether it is guessed what follows.
    pub sequences: bool,
    /// Whether it is guessed what is asked for again.
    pub renewals: bool,
}

impl ForecastSettings {
    /// The settings for an L1 of this residence.
    pub const fn new(residence_ms: u64) -> Self {
        Self {
            contexts: 100_000,
            sessions: 7_168,
            keys: 14_336,
            floor: 0.4,
            renewal_floor: 0.5,
            target: 0.5,
            renewal_target: 0.6,
            residence_ms,
            sequences: true,
            renewals: true,
        }
    }
}

/// The forecast.
#[derive(Debug)]
pub struct Forecast {
    settings: ForecastSettings,
    sequences: Sequences,
    known: Generations<Tag, Known>,
    due: Due,
    ledger: Ledger,
}

impl Forecast {
    /// Creates a forecast that knows nothing yet.
    pub fn new(settings: ForecastSettings) -> Self {
        Self {
            sequences: Sequences::new(settings.contexts, settings.sessions),
            known: Generations::new(settings.keys),
            due: Due::new(settings.keys.saturating_mul(4)),
            ledger: Ledger::new(Gate::new((settings.target, settings.renewal_target))),
            settings,
        }
    }

    /// Learns of a request and returns what is to be done because of it, the surest first.
    pub fn seen(&mut self, seen: &Seen) -> Vec<Proposal> {
        let tag = Tag::of(&seen.key);
        self.ledger.asked(tag, seen.found);
        self.note(tag, seen);
        let Seen { session, is_one_of_many: own, at_ms, .. } = *seen;
        let mut proposals = Vec::new();
        if !self.settings.sequences {
            return proposals;
        }
        self.sequences.learn(session, own, tag, at_ms);
        for guess in self.sequences.next(session, own, self.settings.floor) {
            let Some(known) = self.known.peek(&guess.tag) else { continue };
            if !known.was_checked(at_ms, CHECKED_FOR_MS) {
                let act = if known.is_stale(at_ms) { Act::Regenerate } else { Act::Promote };
                proposals.extend(self.propose(guess.tag, act, Source::Sequence, guess.confidence));
            }
        }
        proposals
    }

    /// Returns what is to be done because its time has come.
    pub fn due(&mut self, now_ms: u64) -> Vec<Proposal> {
        self.ledger.give_up(now_ms);
        let mut proposals = Vec::new();
        while let Some((at_ms, event, tag)) = self.due.next(now_ms) {
            if self.known.peek(&tag).is_some_and(|known| known.expects(event, at_ms)) {
                proposals.extend(match event {
                    Event::Unused => None,
                    Event::Leaves => self.before_it_leaves(tag, now_ms),
                    Event::RunsOut => self.before_it_runs_out(tag, now_ms),
                    Event::Beat => self.before_beat(tag),
                });
            }
        }
        proposals
    }

    /// Returns when [`Self::due`] has something to look at next.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.due.next_ms()
    }

    /// Learns what became of a proposal.
    pub fn done(&mut self, proposal: &Proposal, done: Done, now_ms: u64) {
        let tag = Tag::of(&proposal.key);
        let Done::Loaded(fresh_for_ms) = done else {
            if let Some(known) = self.known.peek_mut(&tag) {
                known.checked_ms = now_ms;
            }
            return;
        };
        let leaves_ms = now_ms.saturating_add(self.settings.residence_ms);
        let stale_ms = fresh_for_ms.map_or(u64::MAX, |fresh| now_ms.saturating_add(fresh));
        let until_ms = if proposal.act.calls() { stale_ms } else { leaves_ms.min(stale_ms) };
        self.ledger.began(tag, proposal, until_ms, now_ms);
        if !proposal.is_trial {
            self.filled(tag, fresh_for_ms, now_ms);
        }
    }

    /// Returns what became of all warmings.
    pub const fn tally(&self) -> Tally {
        self.ledger.tally
    }

    /// Returns the part of the latest warmings that was of use.
    pub const fn success(&self) -> f64 {
        self.ledger.success()
    }

    /// Returns the gate, which holds what became of each kind of guess.
    pub const fn gate(&self) -> &Gate {
        &self.ledger.gate
    }

    /// Returns the share of L1 that is to be there for what was warmed and waits: nothing where
    /// nothing waits.
    pub fn warm_share(&self) -> f64 {
        self.ledger.warm_share()
    }

    /// Returns the share of L1 that what is warmed is worth, for who is about to warm something.
    pub fn worth(&self) -> f64 {
        self.ledger.worth()
    }

    /// Returns the `most` keys asked for most of late, the first the most, and how many requests
    /// there were: each counts half after ten minutes.
    pub fn hottest(&self, most: usize, now_ms: u64) -> Vec<(CacheKey, f64)> {
        let mut all: Vec<_> =
            self.known.values().map(|known| (known.key, known.popularity(now_ms))).collect();
        // Alike ones in the order of their keys: the same traffic, the same list.
        all.sort_by(|(key, count), (other_key, other)| {
            other.total_cmp(count).then_with(|| key.as_bytes().cmp(other_key.as_bytes()))
        });
        all.truncate(most);
        all
    }

    /// Returns how many keys and how many contexts are known.
    pub fn num_known(&self) -> (usize, usize) {
        (self.known.len(), self.sequences.num_contexts())
    }

    /// Returns about how many bytes of memory are taken.
    pub fn bytes(&self) -> usize {
        self.sequences.bytes() + self.known.bytes() + self.due.bytes() + self.ledger.bytes()
    }

    fn note(&mut self, tag: Tag, seen: &Seen) {
        let known = self.known.touch(tag, || Known::new(seen.key));
        if known.key != seen.key {
            *known = Known::new(seen.key);
        }
        known.asked(seen.at_ms);
        known.checked_ms = seen.at_ms;
        if let Some(beat_ms) = known.looked_at_before_beat_ms() {
            self.expect(beat_ms, Event::Beat, tag);
        }
        if seen.found == FoundIn::L1 {
            self.is_fresh(tag, seen.fresh_for_ms, seen.at_ms);
        } else {
            self.filled(tag, seen.fresh_for_ms, seen.at_ms);
        }
    }

    /// L1 holds it from now on.
    fn filled(&mut self, tag: Tag, fresh_for_ms: Option<u64>, now_ms: u64) {
        let Some(known) = self.known.peek_mut(&tag) else { return };
        known.checked_ms = now_ms;
        known.filled(now_ms, self.settings.residence_ms);
        self.is_fresh(tag, fresh_for_ms, now_ms);
        let known = self.known.peek(&tag);
        if let Some(leaves_ms) = known.and_then(Known::looked_at_before_it_leaves_ms) {
            self.expect(leaves_ms, Event::Leaves, tag);
        }
    }

    /// Its answer is fresh for so long.
    fn is_fresh(&mut self, tag: Tag, fresh_for_ms: Option<u64>, now_ms: u64) {
        let (Some(known), Some(fresh_for_ms)) = (self.known.peek_mut(&tag), fresh_for_ms) else {
            return;
        };
        if known.is_fresh_until(now_ms.saturating_add(fresh_for_ms), now_ms) {
            let looked_at_ms = known.looked_at_before_it_runs_out_ms();
            self.expect(looked_at_ms, Event::RunsOut, tag);
        }
    }

    fn expect(&mut self, at_ms: u64, event: Event, tag: Tag) {
        let known = &self.known;
        self.due.add(at_ms, event, tag, |at_ms, event, tag| {
            known.peek(tag).is_some_and(|known| known.expects(event, at_ms))
        });
    }

    /// What is popular stays in L1.
    fn before_it_leaves(&mut self, tag: Tag, now_ms: u64) -> Option<Proposal> {
        let known = self.known.peek(&tag)?;
        let span_ms = self.settings.residence_ms.min(known.fresh_for_ms(now_ms));
        let confidence = known.confidence_within(span_ms, now_ms);
        self.propose(tag, Act::Promote, Source::Popular, confidence)
    }

    /// What is popular stays fresh.
    fn before_it_runs_out(&mut self, tag: Tag, now_ms: u64) -> Option<Proposal> {
        let known = self.known.peek(&tag)?;
        let confidence = known.confidence_within(known.life_ms, now_ms);
        self.propose(tag, Act::Refresh, Source::Expiring, confidence)
    }

    /// What is due by its rhythm is to be there.
    fn before_beat(&mut self, tag: Tag) -> Option<Proposal> {
        let known = self.known.peek(&tag)?;
        let (next_ms, off_ms) = known.next_beat()?;
        let last_ms = next_ms.saturating_add(off_ms);
        if known.leaves_ms > last_ms {
            return None;
        }
        let act = if known.is_stale(last_ms) { Act::Regenerate } else { Act::Promote };
        let confidence = known.confidence_of_beat();
        self.propose(tag, act, Source::Period, confidence)
    }

    fn propose(&mut self, tag: Tag, act: Act, source: Source, confidence: f64) -> Option<Proposal> {
        let floor = match source {
            Source::Sequence => self.settings.floor,
            Source::Popular | Source::Expiring | Source::Period => self.settings.renewal_floor,
        };
        let is_wanted = source == Source::Sequence || self.settings.renewals;
        if !is_wanted || confidence < floor || !self.ledger.has_room() {
            return None;
        }
        let key = self.known.peek(&tag)?.key;
        let bucket = Bucket::of(source, confidence);
        let judgement = self.ledger.gate.judge(bucket);
        let is_trial = judgement == Judgement::Try;
        let proposal = Proposal { key, act, bucket, confidence, is_trial };
        (judgement != Judgement::Leave).then_some(proposal)
    }
}

#[cfg(test)]
#[path = "forecast_tests.rs"]
mod tests;
