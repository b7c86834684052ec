use super::super::options::{ReplayOptions, Switch, Warming};
use super::super::progress::Progress;
use super::super::{Report, replay, trace};
use super::*;

const NASA: &[u8] = include_bytes!("../../tests/data/traces/nasa_aug01.csv.gz");
const SHOP: &[u8] = include_bytes!("../../tests/data/traces/shop_web07.csv.gz");

fn of(trace: &Trace, entries: u64, scaler: Switch, seed: u64) -> Report {
    let options = ReplayOptions {
        log: crate::replay::options::LogFile::default(),
        l1_entries: Some(entries),
        l1_share: None,
        no_lifetimes: true,
        ttl: None,
        warming: Warming::Off,
        scaler,
        curve: Switch::On,
        seed,
        json: false,
    };
    replay(&options, trace, &Progress::none())
}

fn median(mut values: [f64; 3]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[1]
}

/// All keys of the first are looked at, a tenth of those of the second.
#[test]
fn the_curve_is_near_what_other_sizes_hit() {
    let logs = [(NASA, 174), (SHOP, 5_121)];
    for (log, entries) in logs {
        // The first ten thousand: enough of the large one for a test.
        let requests =
            trace::read(log).unwrap().requests().iter().copied().take(10_000).collect::<Vec<_>>();
        let trace = Trace::of(requests);
        let reports = [1, 2, 3].map(|seed| of(&trace, entries, Switch::Off, seed));
        let errors = reports.clone().map(|report| report.curve.unwrap().mean_error);
        assert!(median(errors) <= 0.02, "{errors:?}");
        let [report, ..] = reports;
        let curve = report.curve.unwrap();
        assert!(curve.real.windows(2).all(|pair| pair[0] <= pair[1] + 0.005));
        // What L1 itself hit lies on the curve.
        let [.., below, above, _, _, _] = curve.real;
        assert!((below..=above).contains(&report.l1.hit_ratio), "{curve:?}");
    }
}

#[test]
fn from_an_eighth_of_the_right_size_it_comes_near_the_best_and_stays() {
    let trace = trace::read(NASA).unwrap();
    let reports = [1, 2, 3].map(|seed| of(&trace, 87, Switch::On, seed));
    let behind = reports.clone().map(|report| {
        let best = report.curve.unwrap().real.iter().copied().fold(0.0, f64::max);
        best - report.l1.hit_ratio
    });
    assert!(median(behind) <= 0.02, "{behind:?}");
    for report in reports {
        let scaler = report.scaler.unwrap();
        let decisions = &scaler.decisions;
        assert!(!decisions.is_empty() && decisions.len() <= 4, "{decisions:?}");
        // It goes one way, and each can be decided again.
        assert!(decisions.iter().all(|it| it.after > it.before && it.again() == it.after));
        let after = decisions.last().map_or(0, |decision| decision.after);
        assert_eq!(scaler.final_bytes, after * mean_bytes(&trace));
        assert!(scaler.final_bytes <= scaler.best_fixed_bytes);
    }
}

#[test]
fn after_a_change_of_traffic_it_follows() {
    let request = |number: u64, key: u64| Request {
        at_ms: number * 100,
        key: u32::try_from(key).unwrap(),
        user: None,
        size_bytes: 1_000,
    };
    // Forty keys, then twelve hundred, then forty again.
    let keys = |number: u64| match number {
        0..10_000 | 22_000.. => number % 40,
        _ => number % 1_200,
    };
    let trace = Trace::of((0..34_000).map(|number| request(number, keys(number))));
    let report = of(&trace, 400, Switch::On, 1);
    let sizes = report.scaler.unwrap().decisions.iter().map(|it| it.after).collect::<Vec<_>>();
    assert!(sizes.first().is_some_and(|size| *size <= 200), "{sizes:?}");
    assert!(sizes.iter().any(|size| *size >= 1_200), "{sizes:?}");
    let most = sizes.iter().max().copied().unwrap_or(0);
    assert!(sizes.last().is_some_and(|size| *size <= most / 2), "{sizes:?}");
}
