//! Carrying a task out, through the resolver.

use std::sync::Arc;
use std::time::Duration;

use super::desk::{Outcome, Task, What, Why, is_trial};
use super::proposal::Done;
use crate::clock::SharedClock;
use crate::message::{InsertKind, LevelHandle, Peek, Promote, Readiness, Slot, Warm, ask};
use crate::model::{CacheKey, Use, Wants};
use crate::origin::OriginCall;

/// Longest wait for a promotion: the levels' budget is much shorter, encoding may take longer.
const PROMOTION_DEADLINE: Duration = Duration::from_secs(10);

/// Longest wait for a flight: the upstream's own time-outs are shorter.
const FLIGHT_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// Longest wait for L1.
const L1_DEADLINE: Duration = Duration::from_secs(1);

/// Whom warming speaks to. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WarmingPorts {
    /// L1.
    pub l1: LevelHandle,
    /// The resolver's, for what costs no call.
    pub promote: Slot<Promote>,
    /// The resolver's, for what does.
    pub warm: Slot<Warm>,
    /// The time.
    pub clock: SharedClock,
}

impl WarmingPorts {
    /// Carries `task` out.
    pub(super) async fn carry_out(self, task: Task) -> Outcome {
        let in_l1 = match task.why {
            Why::Guessed(_) => InsertKind::Warmed,
            Why::Critical(_) | Why::Asked(_) => InsertKind::New,
        };
        match &task.what {
            What::Promote { key, unless_held } => {
                let promote = Promote {
                    key: *key,
                    wants: Wants::FRESH,
                    unless_held: *unless_held,
                    in_l1: (!is_trial(&task)).then_some(in_l1),
                };
                Outcome { done: self.promote(promote).await, call: None }
            }
            What::Fetch(call) => self.fetch(call, in_l1).await,
            What::Ready(call) => self.ready(call, matches!(task.why, Why::Asked(_))).await,
        }
    }

    /// Brings the answer of `key` from a further level to L1.
    pub(super) async fn bring(&self, key: CacheKey) -> Done {
        let in_l1 = Some(InsertKind::New);
        self.promote(Promote { key, wants: Wants::FRESH, unless_held: false, in_l1 }).await
    }

    /// Has an answer in L1. What is critical is brought anew: it may be about to leave.
    async fn ready(&self, call: &Arc<OriginCall>, may_be_held: bool) -> Outcome {
        let wants = half_fresh(call);
        if may_be_held && self.l1_has(call, &wants).await {
            return Outcome { done: Done::Present, call: None };
        }
        let in_l1 = Some(InsertKind::New);
        let promote = Promote { key: call.key, wants, unless_held: false, in_l1 };
        let done = self.promote(promote).await;
        if matches!(done, Done::Loaded(_)) {
            return Outcome { done, call: None };
        }
        self.fetch(call, InsertKind::New).await
    }

    async fn l1_has(&self, call: &OriginCall, wants: &Wants) -> bool {
        match ask(&self.l1.peek, Peek { key: call.key }, L1_DEADLINE).await {
            Ok(Some(entry)) => wants.judge(&entry.freshness, self.clock.wall_ms()) == Use::Serve,
            Ok(None) | Err(_) => false,
        }
    }

    async fn promote(&self, promote: Promote) -> Done {
        let readiness = ask(&self.promote, promote, PROMOTION_DEADLINE).await;
        done(readiness.unwrap_or(Readiness::Absent))
    }

    async fn fetch(&self, call: &Arc<OriginCall>, in_l1: InsertKind) -> Outcome {
        let warm = Warm { call: Arc::clone(call), wants: half_fresh(call), in_l1 };
        match ask(&self.warm, warm, FLIGHT_DEADLINE).await {
            Ok(warmed) => Outcome { done: done(warmed.readiness), call: warmed.call },
            Err(_gone) => Outcome { done: Done::Not, call: None },
        }
    }
}

fn done(readiness: Readiness) -> Done {
    match readiness {
        Readiness::Ready(fresh) => Done::Loaded(u64::try_from(fresh.as_millis()).ok()),
        Readiness::Present => Done::Present,
        Readiness::Absent => Done::Not,
    }
}

/// What is kept makes a call needless where half of its life is left: another gateway has fetched it.
fn half_fresh(call: &OriginCall) -> Wants {
    Wants { min_fresh: Some(call.lifetimes.lifetime / 2), ..Wants::FRESH }
}
