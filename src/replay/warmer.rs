//! The levels with what a forecast brings to L1 beforehand, and what came of it.

use std::collections::HashSet;

use anteroom_actors::model::CacheKey;
use anteroom_actors::warming::{
    Act, Done, Forecast, ForecastSettings, FoundIn, Proposal, SOON_MS, Seen,
};
use serde::Serialize;

use super::levels::{Digests, Levels};
use super::lifetimes::{Found, Lifetimes};
use super::options::Warming;
use super::report::{percent, ratio};
use super::trace::Request;

/// What came of warming. Ratios are fractions of 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct WarmingReport {
    /// Entries brought to L1 or fetched anew beforehand.
    pub done: u64,
    /// Of these, asked for by anybody while they were in L1 and within their lifetime.
    pub used: u64,
    /// The others: evicted, expired, warmed again unused, or left at the end.
    pub wasted: u64,
    /// Share of them that was used.
    pub precision: f64,
    /// Those used, as a share of those and of L1's misses of keys that were asked for before.
    pub coverage: f64,
    /// L1's hit ratio above that without warming.
    pub uplift: f64,
    /// Those that cost a call of the origin.
    pub refreshes: u64,
}

impl WarmingReport {
    /// Returns what people are told, line by line: nothing where nothing was warmed.
    pub fn lines(&self) -> Option<[(&'static str, String, &'static str); 5]> {
        (self.done > 0).then(|| {
            [
                ("warmings", self.done.to_string(), ""),
                ("  calls of the origin", self.refreshes.to_string(), "the others moved up"),
                ("  precision", percent(self.precision), "of them were used in time"),
                ("  coverage", percent(self.coverage), "of what else L1 would have missed again"),
                ("  uplift", percent(self.uplift), "of all requests, in L1"),
            ]
        })
    }
}

/// Levels warmed by the gateway's own forecast.
pub struct Warmer {
    levels: Levels,
    forecast: Forecast,
    warm_share: f64,
    /// What was warmed and not asked for since.
    unused: HashSet<u32>,
    asked_before: HashSet<u32>,
    missed_again: u64,
    counted: WarmingReport,
}

impl Warmer {
    /// Warms `levels`, which are empty, by a forecast that knows nothing yet.
    pub fn new(levels: Levels, lifetimes: Lifetimes, warming: Warming) -> Self {
        let settings = ForecastSettings {
            sequences: warming == Warming::On,
            ..ForecastSettings::new(lifetimes.l1_ms)
        };
        Self {
            levels,
            forecast: Forecast::new(settings),
            warm_share: 0.0,
            unused: HashSet::new(),
            asked_before: HashSet::new(),
            missed_again: 0,
            counted: WarmingReport::default(),
        }
    }

    /// Does what is due, answers a request, and does what the request makes likely; tells where the
    /// answer was found.
    pub fn ask(&mut self, request: &Request) -> Found {
        let at_ms = request.at_ms;
        while let Some(due_ms) = self.forecast.next_due_ms().filter(|due_ms| *due_ms <= at_ms) {
            let due = self.forecast.due(due_ms);
            self.carry_out(&due, due_ms);
        }
        let found = self.levels.ask(request);
        self.count(request.key, found);
        let key = self.levels.name_of(request.key);
        let seen = Seen {
            key,
            session: request.user.map_or(0, |user| u64::from(user.get())),
            is_one_of_many: request.user.is_some(),
            found: match found {
                Found::L1 => FoundIn::L1,
                Found::L2 | Found::L3 => FoundIn::Beyond,
                Found::Nowhere => FoundIn::Nowhere,
            },
            fresh_for_ms: self.levels.fresh_for_ms(&key, at_ms),
            at_ms,
        };
        let follows = self.forecast.seen(&seen);
        self.carry_out(&follows, at_ms);
        self.set_warm_share(self.forecast.warm_share());
        found
    }

    /// Gives L1 another size, in entries.
    pub fn resize(&mut self, entries: u64) {
        self.levels.resize(entries);
    }

    /// Returns what came of it, against what L1 hit without.
    pub fn report(&self, requests: u64, l1_hits_without: u64) -> WarmingReport {
        let left = self.unused.len() as u64;
        let WarmingReport { done, used, wasted, refreshes, .. } = self.counted;
        let l1 = ratio(self.levels.hits().l1, requests);
        WarmingReport {
            done,
            used,
            wasted: wasted + left,
            precision: ratio(used, done),
            coverage: ratio(used, used + self.missed_again),
            uplift: l1 - ratio(l1_hits_without, requests),
            refreshes,
        }
    }

    /// Returns the levels.
    pub const fn levels(&self) -> &Levels {
        &self.levels
    }

    fn count(&mut self, key: u32, found: Found) {
        if self.unused.remove(&key) {
            self.counted.used += u64::from(found == Found::L1);
            self.counted.wasted += u64::from(found != Found::L1);
        }
        let is_again = !self.asked_before.insert(key);
        self.missed_again += u64::from(is_again && found != Found::L1);
    }

    fn carry_out(&mut self, proposals: &[Proposal], now_ms: u64) {
        for proposal in proposals {
            let done = self.done(proposal, now_ms);
            self.forecast.done(proposal, done, now_ms);
        }
    }

    /// As the gateway does: a trial only looks whether there would be something to do.
    fn done(&mut self, proposal: &Proposal, now_ms: u64) -> Done {
        let (key, calls) = (&proposal.key, proposal.act.calls());
        if !calls && self.levels.is_in_l1(key, now_ms.saturating_add(SOON_MS)) {
            return Done::Present;
        }
        if !calls && !self.levels.is_below(key, now_ms) {
            return Done::Not;
        }
        if proposal.is_trial && calls {
            return Done::Loaded(self.levels.life_ms());
        }
        if !proposal.is_trial && !self.act(key, proposal.act, now_ms) {
            return Done::Not;
        }
        Done::Loaded(self.levels.fresh_for_ms(key, now_ms))
    }

    /// Warms the key, and tells whether L1 holds it.
    fn act(&mut self, key: &CacheKey, act: Act, now_ms: u64) -> bool {
        self.set_warm_share(self.forecast.worth());
        let is_kept = match act {
            Act::Promote => self.levels.promote(key, now_ms),
            Act::Refresh | Act::Regenerate => self.levels.renew(key, now_ms),
        };
        self.counted.refreshes += u64::from(act.calls());
        if is_kept {
            self.counted.done += 1;
            let is_new = self.unused.insert(Digests::number_of(key));
            self.counted.wasted += u64::from(!is_new);
        }
        is_kept
    }

    /// Only a change is told: L1 makes room at each.
    fn set_warm_share(&mut self, share: f64) {
        if (share - self.warm_share).abs() > f64::EPSILON {
            self.warm_share = share;
            self.levels.set_warm_share(share);
        }
    }
}
