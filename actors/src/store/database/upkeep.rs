//! Keeping the table within its bounds, in small steps between batches.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Core;
use super::connection::Connection;
use super::crew::Job;
use super::failure::Failure;
use super::purges;
use super::queries::{self, Amount};

/// Down to this part of the bound, so that eviction does not run after each batch.
const DOWN_TO_PERCENT: u64 = 95;
/// Pages of a SQLite file given back in one step: at the usual page size 1 MiB.
const PAGES_A_STEP: u32 = 256;
/// What a statement of the upkeep is said to have waited for.
const WAITED: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Count,
    Expired,
    Oldest,
    /// Purged rows, behind this key; how much of the purges the walk began with.
    Purged {
        after: Vec<u8>,
        changes: u64,
    },
    GiveBack,
}

/// One step; its end queues the next one behind what has come meanwhile.
pub(super) struct Upkeep {
    core: Arc<Core>,
    step: Step,
    next: Option<Step>,
}

impl Upkeep {
    /// Begins with the first step, if no upkeep is under way.
    pub(super) fn begin(core: &Arc<Core>) {
        if core.tally.upkeep_begins() {
            Self::queue(core, Step::Count);
        }
    }

    /// Tells whether the table is larger than allowed.
    pub(super) fn is_too_much(core: &Core) -> bool {
        bytes_over(core, 100) > 0
    }

    /// Tells whether there are purges that the rows have not been held against.
    pub(super) fn has_to_erase(core: &Core) -> bool {
        core.erased_for.load(Ordering::Relaxed) != core.ground.purges.changes()
    }

    /// Returns the step after expired and oldest rows have gone.
    fn erase_or_give_back(core: &Core) -> Step {
        if !Self::has_to_erase(core) {
            return Step::GiveBack;
        }
        Step::Purged { after: Vec::new(), changes: core.ground.purges.changes() }
    }

    fn queue(core: &Arc<Core>, step: Step) {
        core.writer.push(Box::new(Self { core: Arc::clone(core), step, next: None }));
    }

    /// Does the step; returns the next one.
    fn step(&self, open: &mut Connection) -> diesel::QueryResult<Option<Step>> {
        let (core, tally) = (&self.core, &self.core.tally);
        let limit = core.settings.sweep_batch.max(1);
        let count = |amount: Amount| u64::try_from(amount.rows).unwrap_or(0);
        Ok(match &self.step {
            Step::Count => {
                tally.set_totals(queries::totals(open)?);
                Some(Step::Expired)
            }
            Step::Expired => {
                let gone = queries::remove_expired(open, core.ground.clock.wall_ms(), limit)?;
                tally.shrink(gone);
                tally.expired.fetch_add(count(gone), Ordering::Relaxed);
                let is_full = usize::try_from(gone.rows).is_ok_and(|rows| rows >= limit);
                match (is_full, Self::is_too_much(core)) {
                    (true, _) => Some(Step::Expired),
                    (false, true) => Some(Step::Oldest),
                    (false, false) => Some(Self::erase_or_give_back(core)),
                }
            }
            Step::Oldest => {
                let gone = queries::remove_oldest(open, bytes_over(core, DOWN_TO_PERCENT), limit)?;
                tally.shrink(gone);
                tally.evicted.fetch_add(count(gone), Ordering::Relaxed);
                let goes_on = gone.rows > 0 && bytes_over(core, DOWN_TO_PERCENT) > 0;
                Some(if goes_on { Step::Oldest } else { Self::erase_or_give_back(core) })
            }
            Step::Purged { after, changes } => {
                let (gone, last) = purges::erase(open, &core.ground.purges, after, limit)?;
                tally.shrink(gone);
                tally.erased.fetch_add(count(gone), Ordering::Relaxed);
                Some(match last {
                    Some(after) => Step::Purged { after, changes: *changes },
                    None => {
                        core.erased_for.store(*changes, Ordering::Relaxed);
                        Step::GiveBack
                    }
                })
            }
            Step::GiveBack => queries::give_back(open, PAGES_A_STEP)?.then_some(Step::GiveBack),
        })
    }
}

impl Job for Upkeep {
    fn run(
        mut self: Box<Self>,
        connection: Result<&mut Connection, Failure>,
    ) -> Result<(), Failure> {
        let outcome = connection.and_then(|open| {
            self.step(open).map_err(|error| Failure::of_statement(&error, WAITED))
        });
        match outcome {
            Ok(next) => {
                self.next = next;
                Ok(())
            }
            Err(failure) => {
                self.core.writes_fail(&failure);
                Err(failure)
            }
        }
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        match self.next.take() {
            Some(next) => Self::queue(&self.core, next),
            None => self.core.tally.upkeep_ended(),
        }
    }
}

/// Returns by how much the table is larger than `percent` of its bound; not above zero if it
/// is not.
fn bytes_over(core: &Core, percent: u64) -> i64 {
    let bound = core.settings.max_bytes / 100 * percent;
    core.tally.totals().bytes.saturating_sub(i64::try_from(bound).unwrap_or(i64::MAX))
}
