use std::time::Duration;

use super::super::concurrency::{ConcurrencyLimit, ConcurrencySettings};
use super::super::{Asked, ENDLESS, L1Sizer};
use super::*;
use crate::model::{CallCounts, CallEnd};
use crate::settings::SizerSettings;

/// Keys that all come again after `keys` others.
fn sizer_after(keys: u64, requests: u64) -> L1Sizer {
    let settings = SizerSettings {
        least_bytes: 1_000,
        most_bytes: 64_000,
        least_weight: 100,
        cool_down: Duration::from_secs(60),
    };
    let mut sizer = L1Sizer::new(settings, 8_000);
    for number in 0..requests {
        let key = (number % keys + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let (at_ms, weight) = (number, Some(100));
        sizer.asked(&Asked { key, at_ms, until_ms: ENDLESS, weight, is_hit: false });
    }
    sizer
}

#[test]
fn a_decision_can_be_made_again_from_its_evidence() {
    let mut sizer = sizer_after(150, 3_000);
    let decision = sizer.decide(u64::MAX, 3_000).unwrap();
    assert_eq!((decision.before, decision.after), (8_000, 16_000));
    assert_eq!((decision.reason(), decision.again()), ("growth_pays", 16_000));
    // Not before it is told does it believe in the new size.
    assert_eq!(sizer.now_bytes(), 8_000);
    sizer.resized(16_000);
    let bounded = sizer.decide(2_000, 3_001).unwrap();
    assert_eq!((bounded.after, bounded.again(), bounded.reason()), (2_000, 2_000, "over_bound"));

    let mut limit = ConcurrencyLimit::new(ConcurrencySettings { least: 1, most: 100 }, 100);
    let mut decisions = 0;
    for number in 0..100 {
        let seconds = if number < 25 { 1 } else { 9 };
        let mut counts = CallCounts::default();
        for _ in 0..60 {
            counts.add(CallEnd::Answered(Duration::from_secs(seconds)), Some(0), 60);
        }
        if let Some(change) = limit.learn(&counts) {
            decisions += 1;
            let decision = Decision::of_calls("default", change, true, 0);
            assert_eq!(decision.again(), decision.after);
        }
    }
    assert!(decisions > 0);
}

#[test]
fn the_log_keeps_the_latest() {
    let decision = sizer_after(150, 3_000).decide(u64::MAX, 0).unwrap();
    let mut log = DecisionLog::default();
    for at_ms in 0..300 {
        log.add(Decision { at_ms, ..decision.clone() });
    }
    assert_eq!((log.count(), log.latest().count()), (300, KEPT));
    assert_eq!(log.latest().next_back().map(|decision| decision.at_ms), Some(299));
    assert_eq!(log.latest().next().map(|decision| decision.at_ms), Some(172));
    // Those of another kind have their own room.
    let bounds = ConcurrencySettings { least: 1, most: 100 };
    let mut counts = CallCounts::default();
    (0..20).for_each(|_| counts.add(CallEnd::Refused, Some(0), 50));
    let change = ConcurrencyLimit::new(bounds, 100).learn(&counts).unwrap();
    log.add(Decision::of_calls("default", change, true, 300));
    assert_eq!(log.latest().count(), KEPT + 1);
    for at_ms in 301..600 {
        log.add(Decision { at_ms, ..decision.clone() });
    }
    assert_eq!(log.latest().next().map(|decision| decision.at_ms), Some(300));
}
