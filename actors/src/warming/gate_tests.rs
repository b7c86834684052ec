use proptest::prelude::*;

use super::*;

/// Lets guesses come, all of which end alike; returns how many were acted on and how many tried.
fn judged(gate: &mut Gate, bucket: Bucket, used: bool, guesses: usize) -> (usize, usize) {
    let (mut acted, mut tried) = (0, 0);
    for _ in 0..guesses {
        match gate.judge(bucket) {
            Judgement::Act => acted += 1,
            Judgement::Try => tried += 1,
            Judgement::Leave => continue,
        }
        gate.began(bucket);
        gate.ended(bucket, used);
    }
    (acted, tried)
}

fn gate() -> Gate {
    Gate::new((0.5, 0.6))
}

#[test]
fn what_pays_goes_through_once_it_was_tried() {
    let mut gate = gate();
    let bucket = Bucket::of(Source::Sequence, 0.9);
    assert_eq!(judged(&mut gate, bucket, true, 1_000), (990, 10));
    // The same confidence of another source has a record of its own.
    assert_eq!(judged(&mut gate, Bucket::of(Source::Popular, 0.9), true, 20), (10, 10));
}

#[test]
fn what_never_pays_is_never_acted_on_and_seldom_tried() {
    let mut gate = gate();
    let bucket = Bucket::of(Source::Sequence, 0.9);
    let (acted, tried) = judged(&mut gate, bucket, false, 1_010);
    assert_eq!((acted, tried), (0, 10 + 250));
}

#[test]
fn a_neighbour_speaks_for_a_bucket_without_a_record() {
    let mut gate = gate();
    judged(&mut gate, Bucket::of(Source::Sequence, 0.62), true, 60);
    let (acted, _) = judged(&mut gate, Bucket::of(Source::Sequence, 0.57), true, 5);
    assert_eq!(acted, 5);
    let (acted, _) = judged(&mut gate, Bucket::of(Source::Sequence, 0.42), true, 5);
    assert_eq!(acted, 0);
}

#[test]
fn what_may_cost_a_call_must_come_true_more_often() {
    for (source, acts) in [(Source::Sequence, true), (Source::Expiring, false)] {
        let mut gate = gate();
        let bucket = Bucket::of(source, 0.7);
        for turn in 0..40 {
            gate.began(bucket);
            gate.ended(bucket, turn % 20 < 11);
        }
        assert_eq!(gate.judge(bucket) == Judgement::Act, acts, "{source:?}");
    }
}

#[test]
fn no_more_than_the_free_tries_are_open_at_once_at_first() {
    let mut gate = gate();
    let bucket = Bucket::of(Source::Popular, 0.5);
    let mut tried = 0;
    for _ in 0..11 {
        if gate.judge(bucket) == Judgement::Try {
            gate.began(bucket);
            tried += 1;
        }
    }
    assert_eq!(tried, 10);
    gate.broken_off(bucket);
    assert_eq!(gate.judge(bucket), Judgement::Try);
}

#[test]
fn a_bucket_that_pays_again_opens_again() {
    let mut gate = gate();
    let bucket = Bucket::of(Source::Period, 0.95);
    judged(&mut gate, bucket, false, 10_000);
    judged(&mut gate, bucket, true, 4_000);
    assert_eq!(judged(&mut gate, bucket, true, 100), (100, 0));
}

#[test]
fn buckets_part_the_confidences_evenly() {
    for (confidence, from) in [
        (0.0, 0.0),
        (0.049, 0.0),
        (0.05, 0.05),
        (0.42, 0.4),
        (1.0, 0.95),
        (7.0, 0.95),
        (-1.0, 0.0),
        (f64::NAN, 0.0),
    ] {
        let bucket = Bucket::of(Source::Sequence, confidence);
        assert!((bucket.from() - from).abs() < 1e-9, "{confidence}");
    }
}

proptest! {
    #[test]
    fn where_nothing_comes_true_nothing_is_done(
        confidences in prop::collection::vec(0.0..1.0_f64, 1..3_000),
    ) {
        let mut gate = gate();
        for confidence in confidences {
            let bucket = Bucket::of(Source::Sequence, confidence);
            prop_assert_eq!(judged(&mut gate, bucket, false, 1).0, 0);
        }
    }

    #[test]
    fn a_record_stays_within_its_bound(used in prop::collection::vec(any::<bool>(), 0..2_000)) {
        let mut gate = gate();
        let bucket = Bucket::of(Source::Sequence, 0.7);
        for used in used {
            gate.began(bucket);
            gate.ended(bucket, used);
            let record = gate.record(bucket);
            prop_assert!(record.count() < HALVED_AT && record.used >= 0.0);
        }
        prop_assert_eq!(gate.num_open(bucket), 0);
        prop_assert!(gate.records().count() <= 1);
    }
}
