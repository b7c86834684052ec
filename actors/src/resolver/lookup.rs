//! The levels on the way to the origin: asked nearest first, under one budget.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};

use super::claiming::HeldClaim;
use super::fetch_actor::Fallback;
use crate::clock::SharedClock;
use crate::message::{
    Claim, Claimed, Holds, Insert, InsertKind, InsertOutcome, LevelHandle, Lookup, LookupMany, ask,
};
use crate::model::{CacheKey, Entry, Form, Level, Use, Wants};

/// How long a level may take to accept an entry. Off the response path; L2 waits for its server.
const INSERT_DEADLINE: Duration = Duration::from_secs(5);

/// Keys of one question that are asked for at a time. A level's own deadline begins when it is asked:
/// a long queue in front of few database threads would look like a server that hangs.
const AT_ONCE: usize = 32;

/// Keys of one question that are asked of L1 by one message, and that have one budget.
const A_BUDGET: usize = 256;

/// The three levels, seen from a flight.
#[derive(Debug, Clone)]
pub struct Levels {
    handles: [LevelHandle; 3],
    clock: SharedClock,
    budget: Duration,
    l2_timeout: Duration,
}

/// What the levels had.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// An entry to serve, and where it was.
    pub entry: Option<(Arc<Entry>, Level)>,
    /// Whether a new one is to be fetched behind it.
    pub refresh: bool,
    /// Where there is nothing to serve: an entry for the case that the origin fails, or says that it
    /// is still right.
    pub fallback: Option<Fallback>,
    /// How long each level took that was asked.
    pub lookups: [Option<Duration>; 3],
    /// Whether L2 was asked and has answered: only then is it worth a claim.
    pub l2_answered: bool,
}

/// The time for asking levels.
#[derive(Debug, Clone, Copy)]
struct Budget {
    began: Instant,
    lasts: Duration,
}

impl Budget {
    fn left(self, now: Instant) -> Duration {
        self.lasts.saturating_sub(now.duration_since(self.began))
    }
}

impl Found {
    /// Takes an entry for what `wants` let it be, unless what is there was made later; tells whether
    /// nothing better can be found.
    fn consider(&mut self, found: (Arc<Entry>, Level), wants: &Wants, wall_ms: u64) -> bool {
        let freshness = found.0.freshness;
        let served = self.entry.iter().map(|(entry, _)| entry);
        let mut known = served.chain(self.fallback.iter().map(|fallback| &fallback.entry));
        if known.any(|other| other.freshness.made_wall_ms >= freshness.made_wall_ms) {
            return false;
        }
        let use_made = wants.judge(&freshness, wall_ms);
        match use_made {
            Use::Serve | Use::ServeAndRefresh => {
                self.entry = Some(found);
                self.refresh = use_made == Use::ServeAndRefresh;
            }
            Use::Fallback | Use::Validate => {
                let stands_in = use_made == Use::Fallback;
                let (entry, level) = found;
                self.fallback = Some(Fallback { entry, level, stands_in });
            }
            Use::Leave => {}
        }
        // To a request that takes nothing unasked, one to ask about is enough.
        use_made == Use::Serve || (wants.reload && use_made == Use::Validate)
    }
}

impl Levels {
    /// Creates the view: `handles` are L1, L2, L3; `budget` bounds all of them together.
    pub const fn new(
        handles: [LevelHandle; 3],
        clock: SharedClock,
        budget: Duration,
        l2_timeout: Duration,
    ) -> Self {
        Self { handles, clock, budget, l2_timeout }
    }

    /// Asks L1, L2, L3 for `key` until one has what `wants` takes or the budget is spent. A level
    /// that fails is a miss: it counted and logged its failure itself. Where one has a stale entry,
    /// a further one may have a fresh one: another gateway fetched it.
    ///
    /// Where the origin can be asked if an entry is still right (`validates`), one that is not to be
    /// served is found to be asked about.
    pub async fn find(&self, key: CacheKey, form: Form, wants: &Wants, validates: bool) -> Found {
        if wants.reload && !validates {
            return Found::default();
        }
        let budget = Budget { began: self.clock.now(), lasts: self.budget };
        self.find_in(&self.handles, Found::default(), budget, (key, form), wants).await
    }

    /// Asks for many keys, as [`Self::find`] does for each, and answers in the order of `keys`. L1 is
    /// asked for all at once, the others for some at a time. Each `A_BUDGET` keys have a budget, which
    /// are one together: keys whose turn comes after it is spent are not found.
    pub async fn find_many(&self, keys: &[CacheKey], form: Form, wants: &Wants) -> Vec<Found> {
        if wants.reload {
            return keys.iter().map(|_| Found::default()).collect();
        }
        let num_budgets = u32::try_from(keys.len().div_ceil(A_BUDGET)).unwrap_or(u32::MAX);
        let lasts = self.budget.saturating_mul(num_budgets);
        let budget = Budget { began: self.clock.now(), lasts };
        let [l1, further @ ..] = &self.handles;
        let known = self.find_in_l1(l1, budget, (keys, form), wants).await;
        let finds = keys.iter().zip(known).map(|(key, found)| async move {
            if found.entry.is_some() && !found.refresh {
                return found;
            }
            self.find_in(further, found, budget, (*key, form), wants).await
        });
        stream::iter(finds).buffered(AT_ONCE).collect().await
    }

    /// Asks L1 for all keys, in messages of some each.
    async fn find_in_l1(
        &self,
        l1: &LevelHandle,
        budget: Budget,
        (keys, form): (&[CacheKey], Form),
        wants: &Wants,
    ) -> Vec<Found> {
        let mut all = Vec::with_capacity(keys.len());
        for keys in keys.chunks(A_BUDGET) {
            let asked = self.clock.now();
            let lookup = LookupMany { keys: keys.to_vec(), form };
            let entries = ask(&l1.lookup_many, lookup, budget.left(asked)).await;
            let now = self.clock.now();
            let mut entries = entries.unwrap_or_default().into_iter();
            all.extend(keys.iter().map(|_| {
                let mut found = Found::default();
                let [first, ..] = &mut found.lookups;
                *first = Some(now.duration_since(asked));
                if let Some(entry) = entries.next().flatten() {
                    found.consider((entry, Level::L1), wants, self.clock.wall_ms());
                }
                found
            }));
        }
        all
    }

    /// Asks the levels of `handles` in turn for what is better than `found`.
    async fn find_in(
        &self,
        handles: &[LevelHandle],
        mut found: Found,
        budget: Budget,
        (key, form): (CacheKey, Form),
        wants: &Wants,
    ) -> Found {
        for handle in handles {
            let asked = self.clock.now();
            let left = budget.left(asked);
            if !handle.enabled || left.is_zero() {
                continue;
            }
            let deadline = if handle.level == Level::L2 { left.min(self.l2_timeout) } else { left };
            let answer = ask(&handle.lookup, Lookup { key, form }, deadline).await;
            if handle.level == Level::L2 {
                found.l2_answered = matches!(answer, Ok(Ok(_)));
            }
            if let Some(took) = found.lookups.get_mut(handle.level.index()) {
                *took = Some(self.clock.now().duration_since(asked));
            }
            let Ok(Ok(Some(entry))) = answer else { continue };
            if found.consider((entry, handle.level), wants, self.clock.wall_ms()) {
                break;
            }
        }
        found
    }

    /// Returns milliseconds since the Unix epoch.
    pub(super) fn wall_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    /// Asks L2 alone for what `wants` takes and is not to be refreshed.
    pub async fn look_in_l2(
        &self,
        key: CacheKey,
        form: Form,
        wants: &Wants,
    ) -> Option<(Arc<Entry>, Level)> {
        let [_, l2, _] = &self.handles;
        let answer = ask(&l2.lookup, Lookup { key, form }, self.l2_timeout).await;
        let Ok(Ok(Some(entry))) = answer else { return None };
        let is_taken = wants.judge(&entry.freshness, self.clock.wall_ms()) == Use::Serve;
        is_taken.then_some((entry, Level::L2))
    }

    /// Claims a key in L2; `None` where it does not say in time.
    pub async fn claim(&self, claim: Claim) -> Option<Claimed> {
        let [_, l2, _] = &self.handles;
        ask(&l2.claim, claim, self.l2_timeout).await.ok()?.ok()
    }

    /// Holds a claim, which L2 is about to be asked for or has granted.
    pub fn hold(&self, claim: Claim) -> HeldClaim {
        let [_, l2, _] = &self.handles;
        HeldClaim::new(claim, l2.renew.clone(), l2.release.clone())
    }

    /// As [`Self::find`], in the levels beyond L1 alone.
    pub async fn find_beyond(&self, key: CacheKey, wants: &Wants) -> Found {
        let budget = Budget { began: self.clock.now(), lasts: self.budget };
        let [_, further @ ..] = &self.handles;
        self.find_in(further, Found::default(), budget, (key, Form::Object), wants).await
    }

    /// Tells whether L1 holds something under `key`; no use of it. `None` where it does not say.
    pub async fn l1_holds(&self, key: CacheKey) -> Option<bool> {
        let [l1, _, _] = &self.handles;
        ask(&l1.holds, Holds { key }, self.budget).await.ok()
    }

    /// Gives `entry` to `level`; resolves to whether it is there then. It is in the level's mailbox
    /// when this returns: a heartbeat asked for later sees it as pending. What is to be used more often
    /// first is for L1, which hands it on; an error is for L1 alone.
    pub fn insert(&self, level: Level, entry: &Arc<Entry>) -> impl Future<Output = bool> + use<> {
        self.give(level, entry, InsertKind::New)
    }

    /// As [`Self::insert`]; what nobody has asked for is that to L1 as `in_l1` says.
    pub fn insert_as(
        &self,
        level: Level,
        entry: &Arc<Entry>,
        in_l1: InsertKind,
    ) -> impl Future<Output = bool> + use<> {
        self.give(level, entry, if level == Level::L1 { in_l1 } else { InsertKind::New })
    }

    /// Tells L1, which holds `entry`, that its encodings are there; resolves to whether it took them.
    pub fn encoded(&self, entry: &Arc<Entry>) -> impl Future<Output = bool> + use<> {
        self.give(Level::L1, entry, InsertKind::Encoded)
    }

    fn give(
        &self,
        level: Level,
        entry: &Arc<Entry>,
        kind: InsertKind,
    ) -> impl Future<Output = bool> + use<> {
        let is_due = level == Level::L1 || entry.min_uses <= 1 && !entry.is_negative();
        let handle = self.handles.get(level.index()).filter(|handle| handle.enabled && is_due);
        let asked = handle.map(|handle| {
            let insert = Insert { entry: Arc::clone(entry), kind };
            ask(&handle.insert, insert, INSERT_DEADLINE)
        });
        async move {
            // The level counts refusals and failures itself.
            let Some(asked) = asked else { return false };
            matches!(asked.await, Ok(Ok(InsertOutcome::Stored)))
        }
    }
}
