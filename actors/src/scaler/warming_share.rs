//! How much of its budget warming may use.
//!
//! All of it, while the origin has room and what was warmed is asked for. As an origin fills up, calls on
//! a guess stand back for those of users: from half of its limit on, to none at nine tenths of it or where
//! users wait. Where less than half of what was warmed is of use, as much less; a tenth stays, so that it
//! is seen when that changes. It falls at once and rises by a fifth a look.

use serde::Serialize;

use crate::message::WarmingWorth;
use crate::model::GateReport;

/// Up to this part of an origin's limit it has room.
const ROOM_TO: f64 = 0.5;

/// From this part on it has none.
const FULL_FROM: f64 = 0.9;

/// The part of what was warmed that has to be of use, of late.
const PAYS_FROM: f64 = 0.5;

/// The least that its worth leaves.
const LEAST_WORTH: f64 = 0.1;

/// Warmings whose end has to be known before they are judged.
const KNOWN_FROM: u64 = 20;

/// Hundredths by which it rises at most, and differs at least where it is another one.
const STEP: u64 = 20;

/// What a decision rests on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ShareEvidence {
    /// The share before, in hundredths.
    pub now: u64,
    /// Calls of the fullest origin, those that wait too, as a part of its limit.
    pub load: f64,
    /// Users' calls that wait.
    pub users_waiting: u64,
    /// Warmings that were of use, and that were not.
    pub used: u64,
    /// See [`Self::used`].
    pub wasted: u64,
    /// The part of the latest ones that was.
    pub success: f64,
}

impl ShareEvidence {
    /// Gathers it: the share before, what `gates` have before them, and what warming came to.
    pub fn of(now: u64, gates: &[GateReport], worth: &WarmingWorth) -> Self {
        let WarmingWorth { used, wasted, success } = *worth;
        let load = gates.iter().map(super::load_of).fold(0.0, f64::max);
        let users_waiting =
            gates.iter().map(GateReport::users_waiting).fold(0, u64::saturating_add);
        Self { now, load, users_waiting, used, wasted, success }
    }
}

/// Why warming may use another part of its budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShareReason {
    /// An origin has little room.
    OriginBusy,
    /// Too little of what is warmed is asked for.
    Wasted,
    /// Neither: there may be more.
    Well,
}

impl ShareReason {
    /// Returns the word in logs.
    pub const fn label(self) -> &'static str {
        match self {
            Self::OriginBusy => "origin_busy",
            Self::Wasted => "wasted",
            Self::Well => "well",
        }
    }
}

/// Returns the share that `evidence` speaks for, in hundredths, if it is another one.
pub fn shared(evidence: &ShareEvidence) -> Option<(u64, ShareReason)> {
    let room = if evidence.users_waiting > 0 {
        0.0
    } else {
        ((FULL_FROM - evidence.load) / (FULL_FROM - ROOM_TO)).clamp(0.0, 1.0)
    };
    let worth = if evidence.used.saturating_add(evidence.wasted) < KNOWN_FROM {
        1.0
    } else {
        (evidence.success / PAYS_FROM).clamp(LEAST_WORTH, 1.0)
    };
    let wanted = hundredths(room.min(worth));
    let now = evidence.now.min(100);
    if wanted > now {
        let is_far = wanted - now >= STEP || wanted == 100;
        return is_far.then(|| (wanted.min(now + STEP), ShareReason::Well));
    }
    let reason = if room < worth { ShareReason::OriginBusy } else { ShareReason::Wasted };
    let is_far = now - wanted >= STEP || (wanted == 0 && now > 0);
    is_far.then_some((wanted, reason))
}

fn hundredths(part: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
    let hundredths = (part.clamp(0.0, 1.0) * 100.0).round() as u64;
    hundredths
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WELL: ShareEvidence =
        ShareEvidence { now: 100, load: 0.1, users_waiting: 0, used: 0, wasted: 0, success: 0.0 };

    #[test]
    fn it_falls_at_once_and_rises_step_by_step() {
        use ShareReason::{OriginBusy, Wasted, Well};
        for (evidence, expected) in [
            (WELL, None),
            (ShareEvidence { load: 0.5, ..WELL }, None),
            (ShareEvidence { load: 0.55, ..WELL }, None),
            (ShareEvidence { load: 0.7, ..WELL }, Some((50, OriginBusy))),
            (ShareEvidence { load: 7.0, ..WELL }, Some((0, OriginBusy))),
            (ShareEvidence { users_waiting: 1, ..WELL }, Some((0, OriginBusy))),
            (ShareEvidence { users_waiting: 1, now: 5, ..WELL }, Some((0, OriginBusy))),
            (ShareEvidence { users_waiting: 1, now: 0, ..WELL }, None),
            (ShareEvidence { wasted: 19, ..WELL }, None),
            (ShareEvidence { wasted: 20, ..WELL }, Some((10, Wasted))),
            (ShareEvidence { wasted: 20, now: 10, ..WELL }, None),
            (ShareEvidence { used: 10, wasted: 10, success: 0.3, ..WELL }, Some((60, Wasted))),
            (ShareEvidence { used: 10, wasted: 10, success: 0.5, ..WELL }, None),
            (ShareEvidence { now: 0, ..WELL }, Some((20, Well))),
            (ShareEvidence { now: 90, ..WELL }, Some((100, Well))),
            (ShareEvidence { now: 40, load: 0.7, ..WELL }, None),
        ] {
            assert_eq!(shared(&evidence), expected, "{evidence:?}");
        }
    }

    proptest! {
        #[test]
        fn it_comes_to_rest_within_its_bounds(
            now in 0_u64..=100,
            load in 0.0_f64..2.0,
            success in 0.0_f64..=1.0,
            known in 0_u64..100,
        ) {
            let mut evidence = ShareEvidence {
                now, load, users_waiting: 0, used: known, wasted: 0, success,
            };
            for _ in 0..6 {
                let Some((share, reason)) = shared(&evidence) else { break };
                prop_assert!(share <= 100 && share != evidence.now);
                prop_assert_eq!(share > evidence.now, reason == ShareReason::Well);
                evidence.now = share;
            }
            prop_assert_eq!(shared(&evidence), None);
            if load >= FULL_FROM {
                prop_assert_eq!(evidence.now, 0);
            }
        }
    }
}
