use anteroom_actors::model::Level;
use proptest::prelude::*;

use super::*;

const CALL: Call = Call {
    usage: Usage { input_tokens: 9, output_tokens: 12 },
    upstream_time: Duration::from_millis(800),
    cost: Money::from_micros(143),
};

fn hits(calls: u64, times: u32) -> Saved {
    Saved {
        calls,
        input_tokens: 9 * u64::from(times),
        output_tokens: 12 * u64::from(times),
        upstream_time: Duration::from_millis(800) * u32::try_from(calls).unwrap(),
        money: Money::from_micros(143 * u64::from(times)),
        ..Saved::default()
    }
}

/// what was answered without a call saves its cost and is not charged; what was called is
/// charged and saves nothing.
#[test]
fn each_outcome_is_either_saved_or_spent_and_never_both() {
    let spent = Saved { spent: Money::from_micros(143), spent_calls: 1, ..Saved::default() };
    for (outcome, expected) in [
        (Outcome::Hit(Level::L1), hits(1, 1)),
        (Outcome::Hit(Level::L2), hits(1, 1)),
        (Outcome::Hit(Level::L3), hits(1, 1)),
        (Outcome::Coalesced, hits(1, 1)),
        (Outcome::Miss, spent),
        (Outcome::Bypass, spent),
        (Outcome::Error, Saved::default()),
    ] {
        let mut ledger = Ledger::default();
        ledger.count(1, "m", outcome, &CALL);
        assert_eq!(ledger.total(), expected, "{outcome:?}");
    }
}

/// one miss, three coalesced with it and ten hits cost one call.
#[test]
fn however_often_an_answer_is_given_it_is_paid_once() {
    let mut ledger = Ledger::default();
    ledger.count(0, "m", Outcome::Miss, &CALL);
    for outcome in [[Outcome::Coalesced; 3].as_slice(), &[Outcome::Hit(Level::L1); 10]].concat() {
        ledger.count(0, "m", outcome, &CALL);
    }
    let total = ledger.total();
    assert_eq!((total.spent, total.spent_calls), (CALL.cost, 1));
    assert_eq!((total.calls, total.money), (13, Money::from_micros(13 * 143)));
}

/// however hits are summed up on the way, they come to the same.
#[test]
fn many_hits_at_once_are_as_many_hits() {
    for times in [0, 1, 7] {
        let (mut one_by_one, mut at_once) = (Ledger::default(), Ledger::default());
        let mut sum = Saved::default();
        for _ in 0..times {
            one_by_one.hit(1, "m", &CALL);
            sum.add(&Saved::of_hit(&CALL));
        }
        at_once.add(1, "m", &sum);
        assert_eq!(at_once.total(), one_by_one.total());
    }
}

/// the known part of a list saves tokens and money, the call for the rest is charged.
#[test]
fn a_list_known_in_part_saves_that_part_and_no_call() {
    let mut ledger = Ledger::default();
    ledger.hit_in_part(0, "m", &CALL);
    ledger.charged(0, "m", Money::from_micros(7));
    let spent = Saved { spent: Money::from_micros(7), spent_calls: 1, ..hits(0, 1) };
    assert_eq!(ledger.total(), spent);
}

#[test]
fn a_snapshot_is_sorted_by_route_and_model_with_the_rest_last() {
    let mut ledger = Ledger::default();
    let long = "m".repeat(MAX_MODEL_BYTES + 1);
    for (route, model) in [(2, "b"), (2, OTHER), (1, "z"), (2, &long), (2, "p"), (1, ""), (2, "b")]
    {
        ledger.hit(route, model, &CALL);
    }
    let lines: Vec<_> = ledger
        .snapshot()
        .into_iter()
        .map(|line| (line.route, line.model, line.saved.calls))
        .collect();
    let expected = [(1, "", 1), (1, "z", 1), (2, "b", 2), (2, "p", 1), (2, OTHER, 2)];
    assert_eq!(lines, expected.map(|(route, model, calls)| (route, model.to_owned(), calls)));
}

#[test]
fn the_number_of_pairs_is_bounded_and_nothing_is_lost() {
    let mut ledger = Ledger::default();
    for number in 0..3_000_usize {
        ledger.hit(number % 2, &format!("model-{number}"), &CALL);
    }
    ledger.hit(0, "model-0", &CALL);
    let lines = ledger.snapshot();
    assert_eq!(lines.len(), MAX_PAIRS + 2);
    let calls_of = |model: &str| -> u64 {
        lines.iter().filter(|line| line.model == model).map(|line| line.saved.calls).sum()
    };
    assert_eq!((calls_of("model-0"), calls_of("model-1000")), (2, 0));
    assert_eq!((calls_of(OTHER), ledger.total().calls), (2_000, 3_001));

    let mut merged = ledger.clone();
    merged.merge(&ledger);
    assert_eq!(merged.snapshot().len(), MAX_PAIRS + 2);
    assert_eq!(merged.total().calls, 6_002);
}

#[test]
fn sums_stop_at_their_greatest_values() {
    let most = Call {
        usage: Usage { input_tokens: u64::MAX, output_tokens: u64::MAX },
        upstream_time: Duration::MAX,
        cost: Money::MAX,
    };
    let mut ledger = Ledger::default();
    for _ in 0..2 {
        ledger.hit(0, "m", &most);
        ledger.charged(0, "m", Money::MAX);
    }
    ledger.merge(&ledger.clone());
    let expected = Saved {
        calls: 4,
        input_tokens: u64::MAX,
        output_tokens: u64::MAX,
        upstream_time: Duration::MAX,
        money: Money::MAX,
        spent: Money::MAX,
        spent_calls: 4,
    };
    assert_eq!(ledger.total(), expected);
}

fn ledger() -> impl Strategy<Value = Ledger> {
    let number = || prop_oneof![0_u64..100, any::<u64>()];
    let call = (number(), number(), number(), number()).prop_map(|(input, output, time, cost)| {
        let usage = Usage { input_tokens: input, output_tokens: output };
        let upstream_time = Duration::from_secs(time);
        Call { usage, upstream_time, cost: Money::from_micros(cost) }
    });
    let model = prop_oneof!["[ab]{0,2}", Just(OTHER.to_owned()), Just("m".repeat(200))];
    let outcome = prop::sample::select(Outcome::ALL.to_vec());
    prop::collection::vec((0_usize..3, model, outcome, call), 0..12).prop_map(|counted| {
        let mut ledger = Ledger::default();
        for (route, model, outcome, call) in &counted {
            ledger.count(*route, model, *outcome, call);
        }
        ledger
    })
}

/// A ledger with more models than fit into one beside others.
fn crowded() -> impl Strategy<Value = Ledger> {
    (0_usize..2_000, 0_usize..900).prop_map(|(first, num_models)| {
        let mut ledger = Ledger::default();
        for number in first..first + num_models {
            ledger.hit(number % 3, &number.to_string(), &CALL);
        }
        ledger
    })
}

fn merged(one: &Ledger, other: &Ledger) -> Ledger {
    let mut sum = one.clone();
    sum.merge(other);
    sum
}

fn calls_by_route(ledger: &Ledger) -> [u64; 3] {
    let mut calls = [0; 3];
    for line in ledger.snapshot() {
        calls[line.route] += line.saved.calls;
    }
    calls
}

proptest! {
    #[test]
    fn ledgers_merge_in_any_order_and_grouping(a in ledger(), b in ledger(), c in ledger()) {
        let left = merged(&merged(&a, &b), &c).snapshot();
        prop_assert_eq!(&left, &merged(&a, &merged(&b, &c)).snapshot());
        prop_assert_eq!(&left, &merged(&c, &merged(&b, &a)).snapshot());
        prop_assert_eq!(merged(&a, &Ledger::default()).snapshot(), a.snapshot());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn crowded_ledgers_keep_each_routes_sums_in_any_grouping(
        a in crowded(), b in crowded(), c in crowded(),
    ) {
        let left = merged(&merged(&a, &b), &c);
        let right = merged(&a, &merged(&b, &c));
        prop_assert_eq!(calls_by_route(&left), calls_by_route(&right));
        prop_assert_eq!(left.total(), right.total());
        prop_assert!(left.snapshot().len() <= MAX_PAIRS + 3);
    }
}
