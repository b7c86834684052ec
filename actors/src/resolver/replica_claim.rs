//! What a flight does while gateways on one Redis ask for the same: plain decisions.
//!
//! Claimed → ask the origin. Held by another → wait for its answer in L2, look again after growing
//! pauses, take over what became free. Not known, not kept, or waited for too long → ask the origin
//! without a claim: nobody fails because of a claim.

use std::time::Duration;

use crate::message::Claimed;
use crate::model::Wants;

/// First pause between two looks.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// Longest pause, but for a quarter that is random.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// What a flight has to do with claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// It claims, and waits where another has.
    Waits,
    /// It claims, and has nothing to do where another has: the stale answer was served.
    Refreshes,
    /// It neither claims nor waits: its answer is wanted new, young, or for its asker alone.
    Apart,
}

impl Manner {
    /// Returns the manner of a flight that others may join. Who names an age or a freshness takes
    /// what a call brings, and hardly what it has left in L2: waiting would put gateways in a row.
    pub const fn of(wants: &Wants) -> Self {
        if wants.reload || wants.max_age.is_some() || wants.min_fresh.is_some() {
            Self::Apart
        } else {
            Self::Waits
        }
    }
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask the origin, and hold the claim.
    Hold,
    /// The claim is granted, but something is kept: look at it first.
    LookThenHold,
    /// Ask the origin without a claim.
    GoAlone,
    /// Pause so long, look in L2, and claim again.
    Pause(Duration),
    /// End without a call.
    Leave,
}

/// One flight's dealings with its claim.
#[derive(Debug, Clone)]
pub struct ReplicaClaim {
    refreshes: bool,
    patience: Duration,
    pause: Duration,
    waited: bool,
}

impl ReplicaClaim {
    /// Begins for a flight of `manner` that waits for `patience` at most; `None` where it makes no
    /// claims.
    pub const fn begin(manner: Manner, patience: Duration) -> Option<Self> {
        let refreshes = match manner {
            Manner::Apart => return None,
            Manner::Refreshes => true,
            Manner::Waits => false,
        };
        Some(Self { refreshes, patience, pause: FIRST_PAUSE, waited: false })
    }

    /// Tells whether another flight's call was waited for.
    pub const fn has_waited(&self) -> bool {
        self.waited
    }

    /// Decides what follows the answer to a claim, `None` where none came; `elapsed` is how long ago
    /// the first claim was made, `random` spreads those who wait.
    pub fn heard(&mut self, claimed: Option<Claimed>, elapsed: Duration, random: u64) -> Step {
        match claimed {
            Some(Claimed::Granted { kept: false }) => Step::Hold,
            Some(Claimed::Granted { kept: true }) => Step::LookThenHold,
            Some(Claimed::Alone) | None => Step::GoAlone,
            Some(Claimed::Held) if self.refreshes => Step::Leave,
            Some(Claimed::Held) => {
                let left = self.patience.saturating_sub(elapsed);
                if left.is_zero() {
                    return Step::GoAlone;
                }
                self.waited = true;
                let pause = spread(self.pause, random).min(left);
                self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
                Step::Pause(pause)
            }
        }
    }
}

/// Returns `pause`, a quarter shorter or up to a quarter longer.
fn spread(pause: Duration, random: u64) -> Duration {
    let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
    let half = (micros / 2).max(1);
    Duration::from_micros(micros - micros / 4 + random % half)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn begin(manner: Manner) -> ReplicaClaim {
        ReplicaClaim::begin(manner, PATIENCE).expect("a manner that claims")
    }

    #[test]
    fn each_answer_has_its_step() {
        let (granted, there) = (Claimed::Granted { kept: false }, Claimed::Granted { kept: true });
        let soon = Duration::from_secs(1);
        let pause = Step::Pause(Duration::from_millis(15));
        for (manner, heard, elapsed, step) in [
            (Manner::Waits, Some(granted), soon, Step::Hold),
            (Manner::Waits, Some(there), soon, Step::LookThenHold),
            (Manner::Waits, Some(Claimed::Held), soon, pause),
            (Manner::Waits, Some(Claimed::Held), PATIENCE, Step::GoAlone),
            (Manner::Waits, Some(Claimed::Alone), soon, Step::GoAlone),
            (Manner::Waits, None, soon, Step::GoAlone),
            (Manner::Waits, Some(granted), PATIENCE * 2, Step::Hold),
            (Manner::Refreshes, Some(granted), soon, Step::Hold),
            (Manner::Refreshes, Some(there), soon, Step::LookThenHold),
            (Manner::Refreshes, Some(Claimed::Held), soon, Step::Leave),
            (Manner::Refreshes, Some(Claimed::Alone), soon, Step::GoAlone),
            (Manner::Refreshes, None, soon, Step::GoAlone),
        ] {
            let mut claim = begin(manner);
            assert_eq!(claim.heard(heard, elapsed, 0), step, "{manner:?} {heard:?} {elapsed:?}");
            assert_eq!(claim.has_waited(), matches!(step, Step::Pause(_)));
        }
        assert!(ReplicaClaim::begin(Manner::Apart, PATIENCE).is_none());
    }

    #[test]
    fn who_wants_a_new_or_a_young_answer_stays_apart() {
        let (none, second) = (Wants::default(), Some(Duration::from_secs(1)));
        for (wants, manner) in [
            (none, Manner::Waits),
            (Wants { max_stale: second, ..none }, Manner::Waits),
            (Wants { reload: true, ..none }, Manner::Apart),
            (Wants { max_age: second, ..none }, Manner::Apart),
            (Wants { min_fresh: second, ..none }, Manner::Apart),
        ] {
            assert_eq!(Manner::of(&wants), manner, "{wants:?}");
        }
    }

    #[test]
    fn pauses_grow_up_to_their_bound_and_end_with_the_patience() {
        let mut claim = begin(Manner::Waits);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            match claim.heard(Some(Claimed::Held), Duration::ZERO, 0) {
                Step::Pause(pause) => pauses.push(pause.as_micros()),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(pauses, [15_000, 30_000, 60_000, 120_000, 187_500, 187_500]);
        let left = Duration::from_millis(3);
        let step = claim.heard(Some(Claimed::Held), PATIENCE - left, 0);
        assert_eq!(step, Step::Pause(left));
    }

    proptest! {
        #[test]
        fn no_pause_is_empty_or_past_its_bound(random: u64, looks in 1_usize..20) {
            let mut claim = begin(Manner::Waits);
            for _ in 0..looks {
                let step = claim.heard(Some(Claimed::Held), Duration::ZERO, random);
                let Step::Pause(pause) = step else { panic!("{step:?}") };
                prop_assert!(pause >= FIRST_PAUSE * 3 / 4 && pause <= LONGEST_PAUSE * 5 / 4);
            }
        }
    }
}
