use proptest::prelude::*;

use super::*;

const MIB: u64 = 1 << 20;

/// Sizes from 1 MiB to 128 MiB, each twice the one before.
fn curve(hit_ratios: [f64; SIZES]) -> [CurvePoint; SIZES] {
    let mut size = MIB / 2;
    hit_ratios.map(|hit_ratio| {
        size *= 2;
        CurvePoint { size, hit_ratio }
    })
}

fn evidence(hit_ratios: [f64; SIZES], now_bytes: u64) -> SizingEvidence {
    SizingEvidence {
        curve: curve(hit_ratios),
        requests: 10_000,
        now_bytes,
        least_bytes: MIB,
        most_bytes: 128 * MIB,
    }
}

fn decide(evidence: &SizingEvidence) -> Option<(u64, SizingReason)> {
    let sizing = sized(evidence)?;
    Some((sizing.bytes, sizing.reason))
}

/// Flat from 32 MiB on.
const KNEE: [f64; SIZES] = [0.10, 0.20, 0.35, 0.50, 0.62, 0.70, 0.7005, 0.701];

#[test]
fn it_goes_where_the_next_step_no_longer_pays_and_stays_there() {
    for (now_mib, expected) in [
        (1, Some((2, SizingReason::GrowthPays))),
        (8, Some((16, SizingReason::GrowthPays))),
        (20, Some((32, SizingReason::GrowthPays))),
        (31, None),
        (32, None),
        (40, None),
        (42, None),
        (43, Some((32, SizingReason::RoomIsUnused))),
        (128, Some((64, SizingReason::RoomIsUnused))),
        (129, Some((128, SizingReason::OverBound))),
    ] {
        let found = decide(&evidence(KNEE, now_mib * MIB));
        let expected = expected.map(|(mib, reason)| (mib * MIB, reason));
        assert_eq!(found, expected, "from {now_mib} MiB");
    }
    assert_eq!(decide(&evidence(KNEE, MIB / 2)), Some((MIB, SizingReason::UnderBound)));
}

#[test]
fn memory_lowers_the_bound_at_once_and_the_best_that_is_aimed_at() {
    let tight = |now_mib: u64| SizingEvidence {
        most_bytes: 8 * MIB,
        requests: 0,
        ..evidence(KNEE, now_mib * MIB)
    };
    assert_eq!(decide(&tight(32)), Some((8 * MIB, SizingReason::OverBound)));
    assert_eq!(decide(&tight(8)), None);
    let informed = SizingEvidence { requests: 9_000, ..tight(4) };
    assert_eq!(decide(&informed), Some((8 * MIB, SizingReason::GrowthPays)));
    // Less than the least size is what memory allows.
    let starved = SizingEvidence { most_bytes: MIB / 4, ..tight(8) };
    assert_eq!(decide(&starved), Some((MIB / 4, SizingReason::OverBound)));
}

#[test]
fn little_evidence_moves_nothing_and_shrinking_wants_more_of_it() {
    for (requests, now_mib, moves) in
        [(0, 1, false), (499, 1, false), (500, 1, true), (7_999, 128, false), (8_000, 128, true)]
    {
        let seen = SizingEvidence { requests, ..evidence(KNEE, now_mib * MIB) };
        assert_eq!(decide(&seen).is_some(), moves, "{requests} {now_mib}");
    }
}

#[test]
fn after_a_move_it_rests_for_a_time_and_for_some_requests() {
    let mut policy = SizingPolicy::new(Duration::from_secs(60));
    let at = |mib| evidence(KNEE, mib * MIB);
    let mut moves = |evidence: &SizingEvidence, requests_ever, now_ms| {
        policy.decide(evidence, requests_ever, now_ms).is_some()
    };
    assert!(moves(&at(1), 1_000, 5));
    assert!(!moves(&at(2), 9_000, 60_004));
    assert!(!moves(&at(2), 1_499, 60_005));
    assert!(moves(&at(2), 1_500, 60_005));
    // Shrinking rests longer.
    assert!(!moves(&at(128), 9_499, 500_000));
    assert!(moves(&at(128), 9_500, 500_000));
    // Bounds do not wait.
    assert!(moves(&SizingEvidence { most_bytes: MIB, ..at(4) }, 9_500, 500_000));
}

#[test]
fn the_curve_is_read_between_its_points() {
    let curve = curve(KNEE);
    for (size, expected) in
        [(0, 0.10), (MIB, 0.10), (2 * MIB, 0.20), (1 << 40, 0.701), (64 * MIB, 0.7005)]
    {
        assert!((hit_ratio_at(&curve, size) - expected).abs() < 1e-9, "{size}");
    }
    let half_way = hit_ratio_at(&curve, (as_float(MIB) * 2.0_f64.sqrt()) as u64);
    assert!((half_way - 0.15).abs() < 1e-3, "{half_way}");
    assert!(hit_ratio_at(&[], 5).abs() < 1e-9);
}

/// A curve that rises, somehow.
fn rising() -> impl Strategy<Value = [f64; SIZES]> {
    proptest::array::uniform8(0.0_f64..0.2).prop_map(|steps| {
        let mut ratio = 0.0;
        steps.map(|step| {
            ratio = f64::min(ratio + step * step * 5.0, 1.0);
            ratio
        })
    })
}

proptest! {
    /// Under traffic that does not change it comes near the best and then never moves again.
    #[test]
    fn it_settles_near_the_best(ratios in rising(), start in 20_u32..28, most in 20_u32..28) {
        let mut policy = SizingPolicy::new(Duration::from_secs(60));
        let mut now = evidence(ratios, 1 << start);
        now.most_bytes = 1 << most;
        let mut moves = Vec::new();
        for minute in 1..40 {
            if let Some(sizing) = policy.decide(&now, minute * 10_000, minute * 60_000) {
                prop_assert!(sizing.bytes != now.now_bytes);
                prop_assert!(sizing.bytes <= now.most_bytes);
                moves.push(sizing.reason);
                now.now_bytes = sizing.bytes;
            }
        }
        prop_assert!(moves.len() <= 8, "{:?}", moves);
        let turns = moves.windows(2).filter(|pair| pair[0] != pair[1]).count();
        prop_assert!(turns <= 1, "{:?}", moves);
        let best = hit_ratio_at(&now.curve, now.most_bytes);
        prop_assert!(best - hit_ratio_at(&now.curve, now.now_bytes) <= GROW_FOR + 1e-9);
    }
}
