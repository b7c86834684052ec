//! What the forecast is worth, on real logs: it runs here as it does in the gateway.

use super::lifetimes::{ENDLESS, Lifetimes};
use super::trace::{Request, Trace};
use super::*;

const NASA: &[u8] = include_bytes!("../../tests/data/traces/nasa_aug01.csv.gz");
const SHOP: &[u8] = include_bytes!("../../tests/data/traces/shop_web07.csv.gz");

/// L1 of five minutes over levels that hold all that was asked for before.
const L1_RUNS_OUT: Lifetimes = Lifetimes { l1_ms: 300_000, l2_ms: ENDLESS, l3_ms: ENDLESS };

/// No level below L1.
const L1_ALONE: Lifetimes = Lifetimes { l1_ms: 300_000, l2_ms: 0, l3_ms: 0 };

fn run(trace: &Trace, l1_share: f64, ttl: Lifetimes, warming: Warming, seed: u64) -> Report {
    let options = ReplayOptions {
        log: super::options::LogFile::default(),
        l1_entries: None,
        l1_share: Some(l1_share),
        no_lifetimes: false,
        ttl: Some(ttl),
        warming,
        scaler: Switch::Off,
        curve: Switch::Off,
        seed,
        json: false,
    };
    replay(&options, trace, &Progress::none())
}

/// Returns the median of three seeds.
fn median(of_seed: impl Fn(u64) -> f64) -> f64 {
    let mut all = [1, 2, 3].map(of_seed);
    all.sort_by(f64::total_cmp);
    all[1]
}

/// The same keys, users and times; which of them comes when is chance.
fn shuffled(trace: &Trace) -> Trace {
    let mut requests = trace.requests().to_vec();
    let times: Vec<u64> = requests.iter().map(|request| request.at_ms).collect();
    let mut state = 7_u64;
    for last in (1..requests.len()).rev() {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        requests.swap(last, (state >> 33) as usize % (last + 1));
    }
    let at = times.into_iter().zip(requests);
    Trace::of(at.map(|(at_ms, request)| Request { at_ms, ..request }))
}

#[test]
fn most_of_what_runs_out_in_l1_is_there_again_before_it_is_asked_for() {
    let nasa = trace::read(NASA).unwrap();
    let reports = [1, 2, 3].map(|seed| run(&nasa, 0.10, L1_RUNS_OUT, Warming::On, seed).warming);
    let median = |part: fn(&WarmingReport) -> f64| {
        median(|seed| part(&reports[usize::try_from(seed - 1).unwrap()]))
    };
    let uplift = median(|report| report.uplift);
    assert!(uplift >= 0.17, "{uplift}");
    assert!(median(|report| report.precision) >= 0.70, "{reports:?}");
    assert!(median(|report| report.coverage) >= 0.50, "{reports:?}");
    for WarmingReport { done, used, wasted, refreshes, .. } in reports {
        assert_eq!((done, refreshes), (used + wasted, 0));
    }
}

#[test]
fn fetching_anew_before_the_end_pays_for_itself() {
    let nasa = trace::read(NASA).unwrap();
    let report = run(&nasa, 1.0, L1_ALONE, Warming::Refresh, 1);
    let WarmingReport { done, precision, uplift, refreshes, .. } = report.warming;
    assert!(precision >= 0.80 && uplift >= 0.05, "{:?}", report.warming);
    assert_eq!(refreshes, done);
}

#[test]
fn with_refreshes_more_is_hit_than_caches_without_bound_would() {
    let nasa = trace::read(NASA).unwrap();
    let report = run(&nasa, 0.10, Lifetimes::default(), Warming::On, 1);
    assert!(report.hit_ratio > report.ceiling + 0.02, "{}", report.hit_ratio);
    assert!(report.warming.uplift >= 0.17, "{:?}", report.warming);
}

#[test]
fn where_nothing_can_be_foretold_nothing_is_done() {
    let shop = trace::read(SHOP).unwrap();
    let shuffled = shuffled(&trace::read(NASA).unwrap());
    for log in [&shop, &shuffled] {
        let report = run(log, 0.10, Lifetimes::NONE, Warming::On, 1);
        let a_request = report::ratio(report.warming.done, report.requests);
        assert!(a_request <= 0.000_5, "{a_request}");
        assert!(report.warming.uplift.abs() <= 0.001, "{:?}", report.warming);
    }
}
