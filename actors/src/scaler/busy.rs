//! How busy the worker threads were between two looks.

use std::time::{Duration, Instant};

use super::workload::GatewayLoad;

/// Remembers the last look.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BusyShare {
    last: Option<(Instant, Duration)>,
}

impl BusyShare {
    /// Returns the part of the time since the last look that the threads were busy; 0 at the first.
    pub(super) fn look(&mut self, load: &GatewayLoad, now: Instant) -> f64 {
        let last = self.last.replace((now, load.busy));
        let Some((then, before)) = last else { return 0.0 };
        let passed = now.saturating_duration_since(then).as_secs_f64();
        let threads = u32::try_from(load.workers).unwrap_or(u32::MAX);
        if passed <= 0.0 || threads == 0 {
            return 0.0;
        }
        let busy = load.busy.saturating_sub(before).as_secs_f64();
        (busy / (passed * f64::from(threads))).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, ManualClock};

    #[test]
    fn it_is_the_part_of_the_time_since_the_last_look() {
        let (mut share, clock) = (BusyShare::default(), ManualClock::new());
        let load = |busy_s| GatewayLoad {
            busy: Duration::from_secs(busy_s),
            workers: 2,
            ..GatewayLoad::default()
        };
        assert_eq!(share.look(&load(100), clock.now()), 0.0);
        clock.advance(Duration::from_secs(10));
        assert_eq!(share.look(&load(105), clock.now()), 0.25);
        assert_eq!(share.look(&load(106), clock.now()), 0.0, "no time has passed");
        clock.advance(Duration::from_secs(10));
        assert_eq!(share.look(&load(200), clock.now()), 1.0, "never more than all");
        clock.advance(Duration::from_secs(10));
        assert_eq!(share.look(&load(0), clock.now()), 0.0, "other threads");
        clock.advance(Duration::from_secs(10));
        assert_eq!(share.look(&GatewayLoad::default(), clock.now()), 0.0, "none at all");
    }
}
