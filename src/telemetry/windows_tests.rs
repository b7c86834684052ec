use anteroom_actors::clock::{Clock as _, ManualClock};
use anteroom_actors::model::{Level, Outcome, Sample};
use proptest::prelude::*;

use super::*;
use crate::savings::Saved;
use crate::telemetry::histogram::Histogram;

fn batch(outcome: Outcome, count: usize) -> SampleBatch {
    let sample = Sample {
        route: 1,
        outcome,
        status: 200,
        total: Duration::from_millis(1),
        lookups: [Some(Duration::from_micros(3)), None, None],
        upstream: (outcome == Outcome::Miss).then_some(Duration::from_millis(900)),
        upstream_error: (outcome == Outcome::Error).then_some("cut"),
        discarded: (outcome == Outcome::Miss).then_some("truncated"),
    };
    SampleBatch {
        samples: vec![sample; count].into(),
        accesses: [].into(),
        dropped: 1,
        dropped_accesses: 0,
    }
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_window_holds_what_its_name_says_and_lets_go_of_it() {
    for (window, name, spare) in
        [(Window::Minute, 60, 5), (Window::FiveMinutes, 300, 30), (Window::Hour, 3_600, 300)]
    {
        let clock = ManualClock::new();
        let mut windows = Windows::new(clock.now(), Flows::default());
        clock.advance(seconds(7));
        windows.turn(clock.now(), Flows::default());
        windows.take(&batch(Outcome::Miss, 1));
        let still =
            |windows: &Windows| windows.look(window, clock.now()).stretch.num(Outcome::Miss);
        assert_eq!(still(&windows), 1, "{window:?}");
        clock.advance(seconds(name));
        windows.turn(clock.now(), Flows::default());
        assert_eq!(still(&windows), 1, "{window:?}");
        clock.advance(seconds(spare));
        windows.turn(clock.now(), Flows::default());
        assert_eq!(still(&windows), 0, "{window:?}");
    }
}

#[test]
fn a_window_says_how_long_it_is() {
    let clock = ManualClock::new();
    let mut windows = Windows::new(clock.now(), Flows::default());
    for (after, minute, hour) in
        [(0, 0, 0), (3, 3, 3), (61, 61, 61), (64, 64, 64), (65, 60, 65), (90, 60, 90)]
    {
        let now = clock.now() + seconds(after);
        windows.turn(now, Flows::default());
        assert_eq!(windows.look(Window::Minute, now).lasted, seconds(minute), "{after}");
        assert_eq!(windows.look(Window::Hour, now).lasted, seconds(hour), "{after}");
    }
}

#[test]
fn samples_are_counted_by_route_outcome_level_and_failure() {
    let clock = ManualClock::new();
    let mut windows = Windows::new(clock.now(), Flows::default());
    for (outcome, count) in [(Outcome::Miss, 2), (Outcome::Hit(Level::L2), 3), (Outcome::Error, 1)]
    {
        windows.take(&batch(outcome, count));
    }
    let mut times = Histogram::default();
    times.record(Duration::from_micros(20));
    windows.take_leases(&vec![(1, times)]);
    let stretch = windows.look(Window::Minute, clock.now()).stretch;
    let num = |outcome| stretch.num(outcome);
    assert_eq!(
        [Outcome::Miss, Outcome::Hit(Level::L2), Outcome::Error, Outcome::Hit(Level::L1)].map(num),
        [2, 3, 1, 1]
    );
    assert_eq!(stretch.lookups.each_ref().map(Histogram::count), [6, 0, 0]);
    assert_eq!((stretch.lease_hits, stretch.calls[&1].count(), stretch.dropped), (1, 2, 3));
    assert_eq!((stretch.failures["cut"], stretch.discards["truncated"]), (1, 2));
}

#[test]
fn what_grows_elsewhere_is_there_by_what_it_grew() {
    let flows = |bytes, calls| Flows {
        bodies: [(bytes, bytes / 2), (0, 0), (0, 0)],
        reshaped: (bytes, bytes),
        saved: Saved { calls, ..Saved::default() },
    };
    let clock = ManualClock::new();
    let mut windows = Windows::new(clock.now(), flows(100, 10));
    for grown in 1..=14 {
        clock.advance(seconds(5));
        windows.turn(clock.now(), flows(100 + grown * 10, 10 + grown));
    }
    let seen = |window| {
        let flows = windows.look(window, clock.now()).stretch.flows;
        (flows.bodies[0], flows.reshaped, flows.saved.calls)
    };
    // The first two steps are over and too old.
    assert_eq!(seen(Window::Minute), ((120, 60), (120, 120), 12));
    assert_eq!(seen(Window::Hour), ((140, 70), (140, 140), 14));
}

proptest! {
    /// Whatever comes when: nothing is counted twice, what is younger than the window is there, and
    /// what is older than it by a stretch of its ring is not.
    #[test]
    fn each_request_is_in_the_windows_of_its_age(
        comes in proptest::collection::vec((0_u64..400, 1_usize..4), 1..60),
        window in proptest::sample::select(Window::ALL.to_vec()),
    ) {
        let clock = ManualClock::new();
        let mut windows = Windows::new(clock.now(), Flows::default());
        let (mut at, mut came) = (0, Vec::new());
        for (pause, count) in comes {
            at += pause;
            clock.advance(seconds(pause));
            windows.turn(clock.now(), Flows::default());
            windows.take(&batch(Outcome::Miss, count));
            came.push((at, u64::try_from(count).unwrap()));
        }
        let (steps, most) = window.shape();
        let (length, spare) = (5 * steps * most, 5 * steps);
        let younger = |than: u64| -> u64 {
            came.iter().filter(|(when, _)| at - when < than).map(|(_, count)| count).sum()
        };
        let seen = windows.look(window, clock.now()).stretch.num(Outcome::Miss);
        prop_assert!(younger(length) <= seen && seen <= younger(length + spare), "{}", seen);
        for ring in &windows.rings {
            prop_assert!(u64::try_from(ring.stretches.len()).unwrap() <= ring.most + 1);
        }
    }
}
