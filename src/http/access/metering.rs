//! From the estimate of a call to what it cost.

use std::sync::Arc;

use prometheus::IntCounter;

use super::Limit;
use super::limit::Timer;
use super::tokens::Usage;

/// Tokens taken for a call, until it is known what it cost. Settles when it is dropped.
///
/// A call costs nothing until it [`Self::pays`]; then its estimate, or what the answer says.
#[derive(Default)]
pub struct Metering(Option<Running>);

struct Running {
    limit: Arc<Limit>,
    timer: Timer,
    counter: IntCounter,
    taken: u64,
    pays: bool,
    usage: Usage,
}

impl Metering {
    /// Begins with `taken` tokens of `limit`; what is settled is counted by `counter`.
    pub(super) fn begin(limit: Arc<Limit>, timer: Timer, counter: IntCounter, taken: u64) -> Self {
        let usage = Usage::default();
        Self(Some(Running { limit, timer, counter, taken, pays: false, usage }))
    }

    /// Says whether the call costs something: it was made for this request, and did not fail.
    pub const fn pays(&mut self, pays: bool) {
        if let Some(running) = &mut self.0 {
            running.pays = pays;
        }
    }

    /// Looks at a piece of the answer, as the upstream sent it.
    pub fn observe(&mut self, piece: &[u8]) {
        if let Some(running) = self.0.as_mut().filter(|running| running.pays) {
            running.usage.observe(piece);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let used = match self.usage.tokens() {
            _ if !self.pays => 0,
            known => known.unwrap_or(self.taken),
        };
        self.limit.settle(self.timer.now(), self.taken, used);
        self.counter.inc_by(used);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use anteroom_actors::clock::ManualClock;

    use super::super::Quota;
    use super::*;

    #[test]
    fn a_call_costs_what_it_says_or_its_estimate_or_nothing() {
        let clock = ManualClock::new();
        let limit = Arc::new(Limit::new(Quota::per_minute(NonZeroU64::new(6_000).unwrap())));
        let counter = IntCounter::new("tokens", "tokens").unwrap();
        let timer = Timer::start(clock);
        for (pays, pieces, cost) in [
            (&[][..], &["{\"total_tokens\":7}"][..], 0),
            (&[true], &[], 100),
            (&[true], &["{\"total_tokens\":7}"], 7),
            (&[true], &["{\"total_tok", "ens\":2500}"], 2_500),
            (&[true, false], &["{\"total_tokens\":7}"], 0),
            (&[true], &["data: [DONE]"], 100),
        ] {
            let (before, counted) = (limit.left(timer.now()).units, counter.get());
            let taken = limit.take(timer.now(), 100).unwrap();
            let mut metering =
                Metering::begin(Arc::clone(&limit), timer.clone(), counter.clone(), taken);
            assert_eq!(limit.left(timer.now()).units, before - 100, "taken while it runs");
            for pays in pays {
                metering.pays(*pays);
            }
            pieces.iter().for_each(|piece| metering.observe(piece.as_bytes()));
            drop(metering);
            assert_eq!(before - limit.left(timer.now()).units, cost, "{pays:?} {pieces:?}");
            assert_eq!(counter.get() - counted, cost);
        }
    }

    #[test]
    fn without_a_limit_nothing_is_looked_at() {
        let mut metering = Metering::default();
        metering.pays(true);
        metering.observe(b"{\"total_tokens\":7}");
        assert!(metering.0.is_none());
    }
}
