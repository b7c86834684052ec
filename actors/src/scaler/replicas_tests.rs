use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::GateSettings;

const SETTINGS: ReplicaSettings =
    ReplicaSettings { target: 0.7, down_after: Duration::from_secs(300) };

fn busy(workers: f64) -> Saturation {
    Saturation { workers, ..Saturation::default() }
}

fn gate(limit: u32, under_way: u32, waiting: usize) -> GateReport {
    GateReport {
        upstream: "up".into(),
        limit,
        under_way,
        waiting: [waiting, 0],
        waits: 0,
        refused_full: 0,
        refused_late: 0,
        settings: GateSettings {
            least: 1,
            most: 10,
            wait: Duration::ZERO,
            queue: 0,
            one_credential: false,
        },
    }
}

#[test]
fn each_thing_that_can_run_out_counts_by_its_own_bound() {
    let load = GatewayLoad { in_flight: 30, most_in_flight: 100, busy: Duration::ZERO, workers: 2 };
    let memory =
        BudgetReport { total_bytes: 1_000, reserved_bytes: 100, ..BudgetReport::default() };
    let gates = [gate(10, 5, 0), gate(10, 10, 5), gate(4, 4, 90)];
    let seen = Saturation::of(&load, 0.5, &memory, gates.iter());
    // The last one's limit was lowered: it is what is short, not gateways.
    let expected = Saturation { requests: 0.3, workers: 0.5, memory: 0.1, calls: 1.5 };
    assert_eq!(seen, expected);
    assert_eq!(ReplicaPolicy::new(SETTINGS).look(seen, 0).bound_by, "calls");
    let idle = Saturation::of(&GatewayLoad::default(), 0.0, &BudgetReport::default(), [].iter());
    assert_eq!(idle, Saturation::default());
}

#[test]
fn what_is_used_over_what_should_be_is_what_is_wanted() {
    for (workers, wanted) in [(0.0, 0.0), (0.35, 0.5), (0.64, 1.0), (0.7, 1.0), (0.76, 1.0)] {
        assert_eq!(ReplicaPolicy::new(SETTINGS).look(busy(workers), 0).wanted, wanted, "{workers}");
    }
    assert!((ReplicaPolicy::new(SETTINGS).look(busy(1.4), 0).wanted - 2.0).abs() < 1e-9);
}

#[test]
fn more_are_wanted_soon_and_fewer_only_after_a_while() {
    let mut policy = ReplicaPolicy::new(SETTINGS);
    let mut at_ms = 0;
    let mut look = |policy: &mut ReplicaPolicy, workers, count| {
        let mut wanted = None;
        for _ in 0..count {
            at_ms += 10_000;
            wanted = Some(policy.look(busy(workers), at_ms));
        }
        wanted.unwrap()
    };
    assert!((look(&mut policy, 0.14, 10).wanted - 0.2).abs() < 1e-9);
    // One look alone is half believed.
    assert!((look(&mut policy, 0.98, 1).wanted - 0.8).abs() < 1e-9);
    let high = look(&mut policy, 0.98, 10).wanted;
    assert!((1.39..=1.4).contains(&high), "{high}");
    let later = look(&mut policy, 0.14, 29);
    assert!(later.wanted == high && later.now < 0.21, "{later:?}");
    assert!(look(&mut policy, 0.14, 6).wanted < 0.3);
}

proptest! {
    /// Never fewer than now, never more than the most of late, and nothing is kept for ever.
    #[test]
    fn what_is_wanted_lies_between_now_and_the_most_of_late(
        looks in proptest::collection::vec((0.0_f64..3.0, 0_u64..200_000), 1..200),
    ) {
        let mut policy = ReplicaPolicy::new(SETTINGS);
        let mut seen: Vec<(u64, f64)> = Vec::new();
        let mut now_ms = 0;
        for (workers, step_ms) in looks {
            now_ms += step_ms;
            let wanted = policy.look(busy(workers), now_ms);
            seen.push((now_ms, wanted.now));
            let recent = seen.iter().filter(|(at, _)| now_ms - at <= 300_000);
            let most = recent.map(|(_, now)| *now).fold(0.0, f64::max);
            prop_assert_eq!(wanted.wanted, most);
        }
    }
}
