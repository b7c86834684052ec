use proptest::prelude::*;

use super::*;
use crate::model::CacheKey;
use crate::warming::Act;

const RESIDENCE_MS: u64 = 300_000;

fn ledger() -> Ledger {
    Ledger::new(Gate::new((0.5, 0.6)))
}

fn proposal(act: Act, source: Source, is_trial: bool) -> Proposal {
    let bucket = Bucket::of(source, 0.7);
    Proposal { key: CacheKey::default(), act, bucket, confidence: 0.7, is_trial }
}

fn tag(number: u32) -> Tag {
    Tag::new(number)
}

/// Returns used and wasted of the bucket.
fn recorded(ledger: &Ledger, source: Source) -> (f64, f64) {
    let record = ledger.gate.record(Bucket::of(source, 0.7));
    (record.used, record.wasted)
}

/// TRACES 3.2: used is what is asked for while it is still in L1.
#[test]
fn a_promotion_is_used_only_where_it_is_found_in_l1() {
    for (found, used) in [(FoundIn::L1, 1), (FoundIn::Beyond, 0), (FoundIn::Nowhere, 0)] {
        let mut ledger = ledger();
        ledger.began(tag(1), &proposal(Act::Promote, Source::Popular, false), RESIDENCE_MS, 0);
        ledger.asked(tag(1), found);
        ledger.asked(tag(1), FoundIn::L1);
        let Tally { done, calls, used: counted, wasted } = ledger.tally;
        assert_eq!((done, calls, counted, wasted), (1, 0, used, 1 - used), "{found:?}");
    }
}

#[test]
fn an_answer_fetched_anew_is_used_wherever_it_is_found() {
    for (found, used) in [(FoundIn::L1, 1), (FoundIn::Beyond, 1), (FoundIn::Nowhere, 0)] {
        let mut ledger = ledger();
        ledger.began(tag(1), &proposal(Act::Refresh, Source::Expiring, false), 7_200_000, 0);
        ledger.asked(tag(1), found);
        assert_eq!((ledger.tally.used, ledger.tally.calls), (used, 1), "{found:?}");
    }
}

#[test]
fn what_nobody_asks_for_in_time_is_wasted_and_so_is_what_is_warmed_again() {
    let mut ledger = ledger();
    let popular = proposal(Act::Promote, Source::Popular, false);
    ledger.began(tag(1), &popular, 1_000, 0);
    ledger.began(tag(2), &popular, 2_000, 0);
    ledger.give_up(1_000);
    assert_eq!((ledger.tally.wasted, ledger.tally.used), (1, 0));
    ledger.began(tag(2), &popular, 3_000, 1_500);
    assert_eq!(ledger.tally.wasted, 2);
    // The end of the first one does not end the second.
    ledger.give_up(2_500);
    ledger.asked(tag(2), FoundIn::L1);
    assert_eq!((ledger.tally.wasted, ledger.tally.used), (2, 1));
}

#[test]
fn a_trial_moves_the_gate_and_nothing_else() {
    let mut ledger = ledger();
    let trial = proposal(Act::Promote, Source::Sequence, true);
    for (number, found) in [(1, FoundIn::Beyond), (2, FoundIn::Nowhere), (3, FoundIn::L1)] {
        ledger.began(tag(number), &trial, RESIDENCE_MS, 0);
        assert!(ledger.warm_share() <= 0.0);
        ledger.asked(tag(number), found);
    }
    ledger.began(tag(4), &trial, 5_000, 0);
    ledger.give_up(5_000);
    assert_eq!(ledger.tally, Tally::default());
    assert_eq!(recorded(&ledger, Source::Sequence), (2.0, 1.0));
    // What is really warmed meanwhile says nothing of the trial.
    ledger.began(tag(5), &trial, 5_000, 0);
    ledger.began(tag(5), &proposal(Act::Promote, Source::Popular, false), 9_000, 0);
    assert_eq!(recorded(&ledger, Source::Sequence), (2.0, 1.0));
}

/// Else what is guessed over and over, and never comes, would never count as wrong.
#[test]
fn a_trial_that_is_repeated_keeps_its_time() {
    let mut ledger = ledger();
    for at_ms in 0..5 {
        let trial = proposal(Act::Promote, Source::Popular, true);
        ledger.began(tag(1), &trial, 1_000 + at_ms, at_ms);
    }
    ledger.give_up(1_000);
    assert_eq!(recorded(&ledger, Source::Popular), (0.0, 1.0));
}

#[test]
fn what_was_guessed_to_follow_waits_for_some_requests_and_some_time() {
    for (requests, after_ms, wasted) in
        [(PATIENCE.0 + 1, PATIENCE.1 + 1, 1), (PATIENCE.0 + 1, 10, 0), (5, PATIENCE.1 + 1, 0)]
    {
        let mut ledger = ledger();
        ledger.began(tag(1), &proposal(Act::Promote, Source::Sequence, false), u64::MAX, 0);
        for _ in 0..requests {
            ledger.asked(tag(9), FoundIn::L1);
        }
        ledger.give_up(after_ms);
        assert_eq!(ledger.tally.wasted, wasted, "{requests} {after_ms}");
    }
}

#[test]
fn room_in_l1_follows_success() {
    let mut ledger = ledger();
    let popular = proposal(Act::Promote, Source::Popular, false);
    let mut end_all = |found| {
        for number in 0..200 {
            ledger.began(tag(number), &popular, RESIDENCE_MS, 0);
            ledger.asked(tag(number), found);
        }
        assert!(ledger.warm_share() <= 0.0, "nothing waits");
        ledger.began(tag(0), &popular, RESIDENCE_MS, 0);
        ledger.warm_share()
    };
    let works = end_all(FoundIn::L1);
    let fails = end_all(FoundIn::Beyond);
    assert!((works - MOST_SHARE).abs() < 1e-9 && (fails - LEAST_SHARE).abs() < 1e-9);
}

proptest! {
    #[test]
    fn every_warming_ends_once_and_memory_is_bounded(
        steps in prop::collection::vec((0_u32..30, 0_u8..7, 1_u64..5_000), 0..400),
    ) {
        let mut ledger = ledger();
        let mut now_ms = 0;
        for (number, what, step_ms) in steps {
            now_ms += step_ms;
            ledger.give_up(now_ms);
            match what {
                0 => ledger.asked(tag(number), FoundIn::L1),
                1 => ledger.asked(tag(number), FoundIn::Beyond),
                2 => ledger.asked(tag(number), FoundIn::Nowhere),
                what => {
                    let source = Source::ALL[usize::from(what) % 4];
                    let proposal = proposal(Act::Promote, source, what == 6);
                    ledger.began(tag(number), &proposal, now_ms + 20_000, now_ms);
                }
            }
            let Tally { done, used, wasted, .. } = ledger.tally;
            prop_assert_eq!(done, used + wasted + ledger.num_done);
            prop_assert!(ledger.open.len() <= 30);
        }
        ledger.give_up(u64::MAX - 1);
        prop_assert_eq!((ledger.open.len(), ledger.num_done), (0, 0));
    }
}
