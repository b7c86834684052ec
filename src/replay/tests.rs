use anteroom_actors::model::CacheKey;
use anteroom_actors::store::shelves::{Plan, Shelves};

use super::levels::Digests;
use super::lifetimes::Lifetimes;
use super::options::LogFile;
use super::*;

const NASA: &[u8] = include_bytes!("../../tests/data/traces/nasa_aug01.csv.gz");
const SHOP: &[u8] = include_bytes!("../../tests/data/traces/shop_web07.csv.gz");

fn options(l1_share: f64, lifetimes: Option<Lifetimes>) -> ReplayOptions {
    ReplayOptions {
        log: LogFile::default(),
        l1_entries: None,
        l1_share: Some(l1_share),
        no_lifetimes: lifetimes.is_none(),
        ttl: lifetimes,
        warming: Warming::Off,
        scaler: Switch::Off,
        curve: Switch::Off,
        seed: 1,
        json: false,
    }
}

fn of(trace: &Trace, l1_share: f64, lifetimes: Option<Lifetimes>) -> Report {
    replay(&options(l1_share, lifetimes), trace, &Progress::none())
}

#[track_caller]
fn assert_near(value: f64, expected: f64, what: &str) {
    assert!((value - expected).abs() < 0.000_6, "{what}: {value} is not {expected}");
}

/// The yardsticks against numbers that another program found.
#[test]
fn the_yardsticks_are_right() {
    let nasa = trace::read(NASA).unwrap();
    let without = of(&nasa, 0.10, None);
    assert_eq!((without.requests, without.keys), (30_297, 1_739));
    assert_near(without.l1.lru, 0.742, "LRU");
    assert_near(without.belady_l1, 0.853, "Belady");
    assert_near(without.ceiling, 0.943, "ceiling");
    let mut unbounded = Unbounded::new(Lifetimes::default());
    nasa.requests().iter().for_each(|request| {
        unbounded.ask(request);
    });
    let hits = unbounded.hits();
    for (level, expected) in [(hits.l1, 0.587), (hits.l2, 0.176), (hits.l3, 0.107)] {
        assert_near(report::ratio(level, without.requests), expected, "ceiling by level");
    }
}

/// Plain mini-moka loses up to four points to LRU on the second of them.
#[test]
fn l1_is_better_than_an_lru_and_not_far_from_the_optimum() {
    let mut of_optimum = Vec::new();
    for (log, least_gains) in [(NASA, [0.065, 0.045, 0.015]), (SHOP, [0.02, 0.01, 0.0])] {
        let trace = trace::read(log).unwrap();
        for (share, least_gain) in [0.05, 0.10, 0.25].into_iter().zip(least_gains) {
            let report = of(&trace, share, None);
            let gain = report.l1.hit_ratio - report.l1.lru;
            assert!(gain >= least_gain, "{share}: {gain}");
            of_optimum.push(report.l1.hit_ratio / report.belady_l1);
        }
    }
    let mean = of_optimum.iter().sum::<f64>() / 6.0;
    assert!(mean >= 0.885, "{mean} of the optimum: {of_optimum:?}");
}

#[test]
fn with_lifetimes_the_levels_reach_what_caches_without_bound_would() {
    let nasa = trace::read(NASA).unwrap();
    for share in [0.05, 0.25] {
        let report = of(&nasa, share, Some(Lifetimes::default()));
        let reached = report.hit_ratio / report.ceiling;
        assert!((0.995..=1.0).contains(&reached), "{reached}");
        assert_near(report.ceiling, 0.870, "ceiling");
        assert_eq!(report.hits.l1, (report.l1.hit_ratio * 30_297.0).round() as u64);
        assert!(report.l1.hit_ratio >= report.l1.lru - 0.02);
        assert!(report.l1.hit_ratio <= report.belady_l1);
    }
    // L1 alone, of a few entries: its bound is felt.
    let alone = Lifetimes { l2_ms: 0, l3_ms: 0, ..Lifetimes::default() };
    let report = of(&nasa, 0.02, Some(alone));
    assert!(report.hit_ratio < report.ceiling && report.hits.l2 + report.hits.l3 == 0);
}

#[test]
fn one_seed_one_result() {
    let nasa = trace::read(NASA).unwrap();
    let run = |seed| {
        let options = ReplayOptions { seed, ..options(0.05, None) };
        replay(&options, &nasa, &Progress::none()).hits.l1
    };
    assert_eq!(run(2), run(2));
    assert_ne!(run(2), run(3));
}

/// Against a cache that always had the smaller size; and a size that goes back and forth.
#[test]
fn resizing_costs_little() {
    let nasa = trace::read(NASA).unwrap();
    let digests = Digests::new(1);
    // The same memory of frequencies for both: it is laid out once.
    let plan = |capacity| Plan { capacity, ceiling: 600, entries: 300 };
    let hits = |shelves: &mut Shelves<CacheKey, ()>, places: std::ops::Range<usize>| {
        let asked = nasa.requests()[places].iter().filter(|request| {
            let key = digests.of(request.key);
            let is_hit = shelves.get(&key, |()| Some(())).is_some();
            if !is_hit {
                shelves.insert(key, (), 1);
            }
            is_hit
        });
        asked.count()
    };
    for (from, to) in [(300, 150), (300, 100), (150, 300), (300, 600)] {
        for begin in [8_000, 15_000, 25_000] {
            let mut resized = Shelves::new(plan(from));
            let mut always = Shelves::new(plan(from.min(to)));
            hits(&mut resized, 0..begin);
            hits(&mut always, 0..begin);
            resized.resize(to);
            let after = begin..begin + 1_000;
            let (resized, always) = (hits(&mut resized, after.clone()), hits(&mut always, after));
            assert!(resized + 10 > always, "{from} to {to} at {begin}: {resized}, not {always}");
        }
    }
}

#[test]
fn the_names_of_the_json_are_those_that_programs_know() {
    let log = "timestamp_ms,user,key,size_bytes\n0,,a,100\n1,,a,100\n2,,b,0\n";
    let options = ReplayOptions { curve: Switch::On, ..options(1.0, None) };
    let report = replay(&options, &trace::read(log.as_bytes()).unwrap(), &Progress::none());
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    let overhead = anteroom_actors::model::Entry::OVERHEAD_BYTES;
    let third = 1.0 / 3.0;
    let (each, ratios) = (50 + overhead, vec![third; 8]);
    assert_eq!(
        json,
        serde_json::json!({
            "requests": 3, "keys": 2, "hit_ratio": third, "hits": {"l1": 1, "l2": 0, "l3": 0},
            "ceiling": third, "belady_l1": third, "l1": {"lru": third, "hit_ratio": third},
            "warming": {
                "done": 0, "used": 0, "wasted": 0, "precision": 0.0, "coverage": 0.0,
                "uplift": 0.0, "refreshes": 0,
            },
            "scaler": {
                "final_bytes": 2 * each, "best_fixed_bytes": each, "decisions": [],
            },
            "curve": {
                "entries": [1, 1, 2, 3, 5, 7, 11, 16],
                "predicted": ratios, "real": ratios, "mean_error": 0.0,
            },
            "peak_bytes": 100 + 2 * overhead,
        })
    );
    let text = report.to_string();
    assert!(text.contains("ceiling") && text.contains("33.33 %"), "{text}");
    let empty = of(&trace::read(&log.as_bytes()[..33]).unwrap(), 1.0, None);
    assert_eq!((empty.requests, empty.hit_ratio), (0, 0.0));
}
