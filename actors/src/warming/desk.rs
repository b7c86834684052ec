//! What is warmed next: forecast, wishes and bounds put together. Plain decisions; the actor carries
//! out what comes of them.

use std::sync::Arc;

use super::budget::{Budget, BudgetSettings, Spent};
use super::errands::{Errands, Progress};
use super::forecast::{Forecast, ForecastSettings};
use super::gate::Source;
use super::proposal::{Done, Proposal, Seen};
use super::queue::{Lane, Queue, Urgency};
use super::requests::Requests;
use super::surroundings::Surroundings;
use super::upkeep::Upkeep;
use crate::model::{CacheKey, Usage};
use crate::origin::OriginCall;

/// Most tasks that wait in each lane.
const MOST_WAITING: usize = 1_024;

/// A guess that has waited for so long is of no use any more.
const GUESS_WAITS_MS: u64 = 20_000;

/// Lookups under way at a time.
const FREE_AT_ONCE: usize = 8;

/// The warm shelf's share moves in steps of one part in so many: L1 makes room at each.
const SHARE_STEPS: f64 = 100.0;

/// Bounds of the desk.
#[derive(Debug, Clone, PartialEq)]
pub struct DeskSettings {
    /// Of the forecast.
    pub forecast: ForecastSettings,
    /// Of calls.
    pub budget: BudgetSettings,
    /// Calls under way at a time.
    pub calls_at_once: usize,
    /// Most bytes of remembered requests.
    pub request_bytes: usize,
}

/// Why something is warmed.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// The forecast proposes it.
    Guessed(Proposal),
    /// The settings want it always; its number.
    Critical(usize),
    /// An operator has asked for it; the number of the errand.
    Asked(u64),
}

/// What is to be done.
#[derive(Debug, Clone)]
pub enum What {
    /// Bring it from a further level to L1; of a trial only look whether that could be.
    Promote {
        /// Which.
        key: CacheKey,
        /// Whether nothing is to be done where L1 holds it.
        unless_held: bool,
    },
    /// Fetch a new answer.
    Fetch(Arc<OriginCall>),
    /// Have it in L1: from a further level, else by a call.
    Ready(Arc<OriginCall>),
}

/// A task on its way.
#[derive(Debug, Clone)]
pub struct Task {
    /// Why.
    pub why: Why,
    /// What.
    pub what: What,
}

/// What came of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Is it there?
    pub done: Done,
    /// The usage of the call, where one was made.
    pub call: Option<Option<Usage>>,
}

/// Counts for health and metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests learned from.
    pub learned: u64,
    /// Trials watched.
    pub trials: u64,
    /// Entries brought from further levels.
    pub promoted: u64,
    /// Calls made.
    pub calls: u64,
    /// Calls not made: the request is not known, or not the gateway's to repeat.
    pub unknown: u64,
    /// Tasks given up: too late, too many, or the upstream's breaker open.
    pub given_up: u64,
    /// Tasks that brought nothing.
    pub failed: u64,
}

/// The desk.
#[derive(Debug)]
pub struct Desk {
    settings: DeskSettings,
    pub(super) forecast: Forecast,
    pub(super) requests: Requests,
    pub(super) upkeep: Upkeep,
    pub(super) errands: Errands,
    pub(super) budget: Budget,
    pub(super) counts: Counts,
    queue: Queue<Task>,
    surroundings: Arc<dyn Surroundings>,
    under_way: [usize; 2],
    /// Guesses under way that L1 keeps room for.
    arriving: usize,
    pub(super) paused: bool,
}

impl Desk {
    /// Creates a desk with nothing on it.
    pub fn new(settings: DeskSettings, surroundings: Arc<dyn Surroundings>) -> Self {
        Self {
            forecast: Forecast::new(settings.forecast.clone()),
            requests: Requests::new(settings.request_bytes),
            upkeep: Upkeep::default(),
            errands: Errands::default(),
            budget: Budget::new(settings.budget),
            counts: Counts::default(),
            queue: Queue::new(MOST_WAITING),
            surroundings,
            under_way: [0; 2],
            arriving: 0,
            paused: false,
            settings,
        }
    }

    /// Learns of a request.
    pub fn seen(&mut self, seen: &Seen) {
        self.counts.learned += 1;
        let proposals = self.forecast.seen(seen);
        self.take_up(proposals, seen.at_ms);
    }

    /// Looks what is due.
    pub fn look(&mut self, now_ms: u64) {
        let proposals = self.forecast.due(now_ms);
        self.take_up(proposals, now_ms);
        for (number, call) in self.upkeep.due(now_ms) {
            let task = Task { why: Why::Critical(number), what: What::Ready(Arc::clone(&call)) };
            self.add(Lane::Paid, Urgency::Critical, (call.key, u64::MAX, task), now_ms);
        }
    }

    /// Takes up what an operator has asked for.
    pub fn ask(&mut self, calls: Vec<Arc<OriginCall>>, now_ms: u64) -> Progress {
        let progress = self.errands.begin(u64::try_from(calls.len()).unwrap_or(u64::MAX));
        for call in calls {
            let key = call.key;
            let task = Task { why: Why::Asked(progress.number), what: What::Ready(call) };
            self.add(Lane::Paid, Urgency::Asked, (key, u64::MAX, task), now_ms);
        }
        progress
    }

    /// Stops warming, or goes on. What was learned of requests is let go of: memory is short.
    pub fn pause(&mut self, paused: bool) {
        if paused && !self.paused {
            self.requests.clear();
        }
        self.paused = paused;
    }

    /// Returns the next task, if one may begin now.
    pub fn next(&mut self, now_ms: u64) -> Option<Task> {
        if self.paused {
            return None;
        }
        self.next_free(now_ms).or_else(|| self.next_paid(now_ms))
    }

    fn next_free(&mut self, now_ms: u64) -> Option<Task> {
        let [under_way, _] = self.under_way;
        if under_way >= FREE_AT_ONCE {
            return None;
        }
        let task = self.take(Lane::Free, now_ms)?;
        self.begin(&task);
        Some(task)
    }

    fn next_paid(&mut self, now_ms: u64) -> Option<Task> {
        loop {
            let [_, under_way] = self.under_way;
            let urgency = self.queue.most_urgent(Lane::Paid)?;
            let is_guess = urgency < Urgency::Critical;
            // Always behind those who wait for an answer.
            if under_way >= self.settings.calls_at_once || self.surroundings.is_busy() {
                return None;
            }
            if is_guess && self.budget.forbids(now_ms).is_some() {
                return None;
            }
            let task = self.take(Lane::Paid, now_ms)?;
            let upstream = match &task.what {
                What::Fetch(call) | What::Ready(call) => Arc::clone(&call.upstream),
                What::Promote { .. } => return None,
            };
            if self.surroundings.is_called(&upstream) {
                self.budget.begin(now_ms);
                self.begin(&task);
                return Some(task);
            }
            self.give_up(&task, now_ms);
        }
    }

    fn take(&mut self, lane: Lane, now_ms: u64) -> Option<Task> {
        let mut late = Vec::new();
        let task = self.queue.next(lane, now_ms, |task| late.push(task));
        for task in late {
            self.give_up(&task, now_ms);
        }
        task
    }

    fn begin(&mut self, task: &Task) {
        let [free, paid] = &mut self.under_way;
        *(if is_free(task) { free } else { paid }) += 1;
        self.arriving += usize::from(arrives_unasked(task));
    }

    /// A task that began has come to its end.
    pub fn ended(&mut self, task: &Task, outcome: Outcome, now_ms: u64) {
        let [free, paid] = &mut self.under_way;
        let under_way = if is_free(task) { free } else { paid };
        *under_way = under_way.saturating_sub(1);
        self.arriving = self.arriving.saturating_sub(usize::from(arrives_unasked(task)));
        if let What::Fetch(call) | What::Ready(call) = &task.what {
            let cost = outcome.call.map(|usage| {
                self.counts.calls += 1;
                self.surroundings.cost_micros(call.model.as_deref(), usage)
            });
            self.budget.end(cost, now_ms);
        }
        self.counts.failed += u64::from(outcome.done == Done::Not && !is_trial(task));
        let is_loaded = matches!(outcome.done, Done::Loaded(_));
        self.counts.promoted += u64::from(is_loaded && outcome.call.is_none() && !is_trial(task));
        self.report(task, outcome, now_ms);
    }

    /// Returns the share of L1 that is to be there for what is warmed.
    pub fn warm_share(&self) -> f64 {
        let share =
            if self.arriving > 0 { self.forecast.worth() } else { self.forecast.warm_share() };
        (share * SHARE_STEPS).ceil() / SHARE_STEPS
    }

    /// Returns how many tasks wait: for lookups, for calls.
    pub fn waiting(&self) -> (usize, usize) {
        (self.queue.len(Lane::Free), self.queue.len(Lane::Paid))
    }

    /// Returns how many are under way: lookups, calls.
    pub const fn under_way(&self) -> (usize, usize) {
        let [free, paid] = self.under_way;
        (free, paid)
    }

    /// Returns which bound of the budget holds calls back now.
    pub fn held_back_by(&mut self, now_ms: u64) -> Option<Spent> {
        self.budget.forbids(now_ms)
    }

    fn take_up(&mut self, proposals: Vec<Proposal>, now_ms: u64) {
        for proposal in proposals {
            self.counts.trials += u64::from(proposal.is_trial);
            let Proposal { key, act, confidence, is_trial, .. } = proposal;
            let why = Why::Guessed(proposal);
            let urgency = if is_trial { Urgency::Trial } else { guessed(confidence) };
            let until_ms = now_ms.saturating_add(GUESS_WAITS_MS);
            if !act.calls() {
                // What leaves L1 in a moment is brought there anew.
                let unless_held = proposal.bucket.source() != Source::Popular;
                let task = Task { why, what: What::Promote { key, unless_held } };
                self.add(Lane::Free, urgency, (key, until_ms, task), now_ms);
                continue;
            }
            match self.requests.get(&key) {
                None => {
                    self.counts.unknown += 1;
                    self.forecast.done(&proposal, Done::Not, now_ms);
                }
                Some(call) if is_trial => {
                    let life_ms = u64::try_from(call.lifetimes.lifetime.as_millis());
                    self.forecast.done(&proposal, Done::Loaded(life_ms.ok()), now_ms);
                }
                Some(call) => {
                    let task = Task { why, what: What::Fetch(call) };
                    self.add(Lane::Paid, urgency, (key, until_ms, task), now_ms);
                }
            }
        }
    }

    fn add(&mut self, lane: Lane, urgency: Urgency, task: (CacheKey, u64, Task), now_ms: u64) {
        if let Some(lost) = self.queue.add(lane, urgency, task) {
            self.give_up(&lost, now_ms);
        }
    }

    fn give_up(&mut self, task: &Task, now_ms: u64) {
        self.counts.given_up += 1;
        self.report(task, Outcome { done: Done::Not, call: None }, now_ms);
    }

    /// Tells those who wanted it what became of a task.
    fn report(&mut self, task: &Task, outcome: Outcome, now_ms: u64) {
        let is_there = outcome.done != Done::Not;
        match &task.why {
            Why::Guessed(proposal) => self.forecast.done(proposal, outcome.done, now_ms),
            Why::Critical(number) => {
                let residence_ms = self.settings.forecast.residence_ms;
                let fresh_ms = match outcome.done {
                    Done::Loaded(fresh_ms) => fresh_ms.unwrap_or(u64::MAX),
                    Done::Present | Done::Not => u64::MAX,
                };
                let ready_ms = is_there.then_some(residence_ms.min(fresh_ms));
                self.upkeep.done(*number, ready_ms, now_ms);
            }
            Why::Asked(number) => self.errands.done(*number, is_there, outcome.call.is_some()),
        }
    }
}

fn guessed(confidence: f64) -> Urgency {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a confidence lies between 0 and 1"
    )]
    let permille = (confidence * 1_000.0) as u16;
    Urgency::Guessed(permille)
}

const fn is_free(task: &Task) -> bool {
    matches!(task.what, What::Promote { .. })
}

/// Tells whether a task is done for nobody but the ledger.
pub const fn is_trial(task: &Task) -> bool {
    matches!(&task.why, Why::Guessed(proposal) if proposal.is_trial)
}

const fn arrives_unasked(task: &Task) -> bool {
    matches!(&task.why, Why::Guessed(proposal) if !proposal.is_trial)
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
