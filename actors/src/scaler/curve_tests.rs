use std::collections::HashSet;

use super::super::copy::ENDLESS;
use super::*;
use crate::store::shelves::{Plan, Shelves};

/// Numbers that look like chance, the same at each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        digest(self.0)
    }

    fn part(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn digest(number: u64) -> u64 {
    let mut mixed = number;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Popularity by a power law: key n about as often as 1/n.
fn popular(dice: &mut Dice, keys: u64) -> u64 {
    digest((keys as f64).powf(dice.part()) as u64)
}

fn asked(key: u64, is_hit: bool) -> Asked {
    Asked { key, at_ms: 0, until_ms: ENDLESS, weight: Some(1), is_hit }
}

struct Run {
    curve: Curve,
    l1: Shelves<u64, ()>,
    requests: Vec<u64>,
}

/// An L1 with a curve beside it.
fn run(now: u64, keys: u64, requests: u64, seed: u64) -> Run {
    let bounds = CurveBounds { least: now / 8, most: now * 8, least_weight: 1, now };
    let mut run = Run {
        curve: Curve::new(bounds),
        l1: Shelves::new(Plan::of_entries(now)),
        requests: Vec::new(),
    };
    let mut dice = Dice(seed);
    for _ in 0..requests {
        let key = popular(&mut dice, keys);
        let is_hit = ask(&mut run.l1, key);
        run.curve.asked(&asked(key, is_hit));
        run.requests.push(key);
    }
    run
}

fn ask(l1: &mut Shelves<u64, ()>, key: u64) -> bool {
    let is_hit = l1.get(&key, |()| Some(())).is_some();
    if !is_hit {
        l1.insert(key, (), 1);
    }
    is_hit
}

fn real(size: u64, requests: &[u64]) -> f64 {
    let mut l1 = Shelves::new(Plan::of_entries(size));
    let hits = requests.iter().filter(|key| ask(&mut l1, **key)).count();
    ratio(hits as u64, requests.len() as u64)
}

#[test]
fn a_small_cache_is_copied_whole() {
    let run = run(50, 2_000, 4_000, 1);
    assert!((run.curve.rate() - 1.0).abs() < 1e-9);
    for point in run.curve.since_start() {
        let real = real(point.size, &run.requests);
        // Copies next to L1's own size stand in for it.
        assert!((point.hit_ratio - real).abs() < 0.005, "{point:?}: {real}");
    }
    assert_eq!(run.curve.recent()[0].size, 6);
    assert_eq!(run.curve.recent()[7].size, 400);
    assert_eq!(run.curve.evidence(), 4_000);
}

#[test]
fn a_sample_tells_what_a_large_cache_would_hit() {
    let run = run(4_000, 60_000, 60_000, 2);
    assert!((run.curve.rate() - 4_096.0 / 32_000.0).abs() < 1e-9);
    let errors = run
        .curve
        .since_start()
        .map(|point| (point.hit_ratio - real(point.size, &run.requests)).abs());
    let mean = errors.iter().sum::<f64>() / 8.0;
    assert!(mean < 0.02, "{mean}: {errors:?}");
}

/// Answers ten times as heavy as the least: more keys are needed for copies of as many entries.
#[test]
fn the_sample_follows_what_answers_weigh_and_how_many_requests_come() {
    let bounds = CurveBounds { least: 10_000, most: 800_000, least_weight: 10, now: 100_000 };
    let mut curve = Curve::new(bounds);
    let before = curve.rate();
    let mut dice = Dice(3);
    // So many a second that they take little time.
    let mut learn = |curve: &mut Curve, requests: u64, a_second: u64| {
        for number in 0..requests {
            let key = popular(&mut dice, 10_000_000);
            let at_ms = 1_000 * number / a_second;
            let asked = Asked { at_ms, weight: Some(100), ..asked(key, false) };
            curve.asked(&asked);
        }
    };
    learn(&mut curve, 200_000, 1_000);
    assert!(curve.rate() > 3.0 * before, "{} after {before}", curve.rate());
    let at_leisure = curve.rate();
    learn(&mut curve, 100_000, 1_000_000);
    assert!(curve.rate() < at_leisure / 2.0, "{} after {at_leisure}", curve.rate());
    assert!(curve.entries() <= 2 * 3 * COPY_ENTRIES);
}

#[test]
fn requests_that_are_not_seen_are_hits_at_any_size() {
    let mut run = run(50, 2_000, 2_000, 4);
    let before = run.curve.recent();
    run.curve.skipped(2_000);
    for (before, after) in before.iter().zip(run.curve.recent()) {
        assert!(((1.0 - before.hit_ratio) / 2.0 - (1.0 - after.hit_ratio)).abs() < 0.01);
    }
}

#[test]
fn what_was_long_ago_is_forgotten() {
    let mut run = run(50, 2_000, 3 * HALF_WINDOW, 5);
    // Traffic that any size can hold.
    for number in 0..2 * HALF_WINDOW {
        run.curve.asked(&asked(digest(number % 4), true));
    }
    assert!(run.curve.evidence() <= 2 * HALF_WINDOW);
    let [smallest, .., largest] = run.curve.recent();
    assert!(smallest.hit_ratio > 0.99 && largest.hit_ratio > 0.99, "{smallest:?}");
    let [smallest, .., largest] = run.curve.since_start();
    assert!(largest.hit_ratio - smallest.hit_ratio > 0.1);
}

#[test]
fn entries_whose_time_is_over_are_misses_and_make_room() {
    let bounds = CurveBounds { least: 4, most: 256, least_weight: 1, now: 32 };
    let mut curve = Curve::new(bounds);
    for second in 0..2_000_u64 {
        // One key every second that holds for ten, and new ones between.
        for key in [7, 1_000 + second] {
            let asked = Asked {
                key: digest(key),
                at_ms: second * 1_000,
                until_ms: second * 1_000 + 10_000,
                weight: None,
                is_hit: key == 7 && second % 10 > 0,
            };
            curve.asked(&asked);
        }
    }
    for point in curve.since_start() {
        assert!((point.hit_ratio - 0.45).abs() < 0.01, "{point:?}");
    }
    // What is over has gone: at most what ten seconds bring, in each copy.
    assert!(curve.entries() <= 8 * 12, "{}", curve.entries());
}

/// Many keys, and as many more: no more entries for it.
#[test]
fn memory_is_bounded_whatever_the_number_of_keys() {
    let bounds = CurveBounds { least: 500, most: 40_000, least_weight: 1, now: 5_000 };
    let mut curve = Curve::new(bounds);
    let mut sampled = HashSet::new();
    let mut after = Vec::new();
    for number in 0..120_000 {
        let key = digest(number);
        if curve.is_sampled(key) {
            sampled.insert(key);
        }
        curve.asked(&asked(key, false));
        if number % 60_000 == 59_999 {
            after.push(curve.entries());
        }
    }
    assert!(sampled.len() > 5_000, "{}", sampled.len());
    assert!(after[0] <= 3 * COPY_ENTRIES && after[1] <= after[0] + 8, "{after:?}");
}

#[test]
fn the_sizes_span_the_bounds_and_each_size_lies_between_its_neighbours() {
    assert_eq!(spread(100, 100), [100; SIZES]);
    let sizes = spread(1_000, 128_000);
    assert_eq!((sizes[0], sizes[1], sizes[7]), (1_000, 2_000, 128_000));
    for (size, first) in [(500, 0), (1_000, 0), (2_000, 1), (128_000, 7), (200_000, 7)] {
        let parts = between(sizes, size);
        assert!((parts[first] - 1.0).abs() < 1e-9, "{size}: {parts:?}");
        assert!((parts.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    }
    let parts = between(sizes, 2_828);
    assert!((parts[1] - 0.5).abs() < 0.01 && (parts[2] - 0.5).abs() < 0.01, "{parts:?}");
}
