use proptest::prelude::*;

use super::*;

fn sequences() -> Sequences {
    Sequences::new(1_000, 100)
}

fn tag(number: u32) -> Tag {
    Tag::new(number)
}

fn learn(sequences: &mut Sequences, session: u64, keys: &[u32], from_ms: u64) {
    for (at_ms, key) in (from_ms..).step_by(1_000).zip(keys) {
        sequences.learn(session, true, tag(*key), at_ms);
    }
}

fn named(sequences: &Sequences, session: u64, floor: f64) -> Vec<u32> {
    let guesses = sequences.next(session, true, floor);
    guesses.iter().map(|guess| guess.tag.as_u32()).collect()
}

#[test]
fn what_others_asked_for_next_is_named() {
    let mut sequences = sequences();
    for session in 0..5 {
        learn(&mut sequences, session, &[1, 2, 3], 0);
    }
    learn(&mut sequences, 9, &[1], 0);
    assert_eq!(named(&sequences, 9, 0.4), [2]);
    learn(&mut sequences, 9, &[2], 0);
    assert_eq!(named(&sequences, 9, 0.4), [3]);
    assert_eq!(named(&sequences, 77, 0.0), []);
}

#[test]
fn a_longer_context_is_surer_than_a_shorter_one() {
    let mut sequences = sequences();
    for session in 0..6 {
        learn(&mut sequences, 10 + session, &[1, 5, 7], 0);
        learn(&mut sequences, 20 + session, &[2, 5, 8], 0);
    }
    learn(&mut sequences, 1, &[2, 5], 0);
    let guesses = sequences.next(1, true, 0.4);
    assert_eq!((guesses[0].tag, guesses.len()), (tag(8), 2));
    assert!(guesses[0].confidence > 0.8 && guesses[1].confidence < 0.5);
    assert_eq!(named(&sequences, 1, 0.7), [8]);
}

#[test]
fn a_sessions_own_habit_counts_where_others_differ() {
    let mut sequences = sequences();
    for other in 0..40 {
        learn(&mut sequences, 100 + u64::from(other), &[1, 50 + other], 0);
    }
    for round in 0..3 {
        learn(&mut sequences, 1, &[1, 2], round * 2 * RESTARTS_AFTER_MS);
    }
    learn(&mut sequences, 1, &[1], 6 * RESTARTS_AFTER_MS);
    assert_eq!(named(&sequences, 1, 0.4), [2]);
    assert_eq!(sequences.next(1, false, 0.4), []);
}

#[test]
fn one_observation_is_no_support_and_the_latest_key_is_never_named() {
    let mut sequences = sequences();
    learn(&mut sequences, 1, &[1, 2], 0);
    learn(&mut sequences, 2, &[1], 0);
    assert_eq!(named(&sequences, 2, 0.0), []);
    learn(&mut sequences, 3, &[4, 4, 4, 4, 4, 4], 0);
    assert_eq!(named(&sequences, 3, 0.0), []);
}

#[test]
fn a_session_that_was_silent_for_long_begins_anew() {
    let mut sequences = sequences();
    for round in 0..6 {
        let at = round * (RESTARTS_AFTER_MS + 5_000);
        sequences.learn(1, true, tag(1), at);
        sequences.learn(1, true, tag(2), at + 1_000);
    }
    // 2 was never followed within a session.
    assert_eq!(named(&sequences, 1, 0.0), []);
    sequences.learn(1, true, tag(1), 100 * RESTARTS_AFTER_MS);
    assert_eq!(named(&sequences, 1, 0.4), [2]);
}

/// DESIGN K1, issue 4: whatever comes, the memory is bounded.
#[test]
fn memory_is_flat_after_a_million_keys() {
    let mut sequences = Sequences::new(100_000, 8_192);
    let mut bytes = Vec::new();
    let mut state = 1_u64;
    for step in 0..600_000_u64 {
        state = mix(state);
        let key = u32::try_from(state >> 44).unwrap_or_default();
        sequences.learn(step % 50_000, true, tag(key), step);
        if step % 200_000 == 199_999 {
            bytes.push((sequences.bytes(), sequences.contexts.bytes()));
        }
    }
    assert!(bytes.iter().all(|(bytes, _)| *bytes < 8 * 1024 * 1024), "{bytes:?}");
    // The sessions' tables grow and shrink by turns.
    assert_eq!(bytes[1].1, bytes[2].1, "{bytes:?}");
    assert!(sequences.num_contexts() <= 100_000);
}

proptest! {
    #[test]
    fn guesses_are_few_sure_and_in_order(
        steps in prop::collection::vec((0_u64..4, 0_u32..6), 0..300), floor in 0.0..1.0_f64,
    ) {
        let mut sequences = Sequences::new(64, 4);
        for (step, (session, key)) in (0..).zip(steps) {
            sequences.learn(session, true, tag(key), step);
            let guesses = sequences.next(session, true, floor);
            prop_assert!(guesses.len() <= MOST_NAMED);
            prop_assert!(guesses.is_sorted_by(|one, other| one.confidence >= other.confidence));
            for guess in guesses {
                prop_assert!(guess.confidence >= floor && guess.confidence < 1.0);
                prop_assert!(guess.tag != tag(key));
            }
        }
    }
}
