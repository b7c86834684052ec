use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use proptest::prelude::*;

use super::super::testing::{call, key};
use super::*;
use crate::warming::FoundIn;

const RESIDENCE_MS: u64 = 300_000;
const SECOND: u64 = 1_000;

#[derive(Debug, Default)]
struct Around {
    busy: AtomicBool,
    broken: AtomicBool,
    cost_micros: AtomicU64,
}

impl Surroundings for Around {
    fn is_called(&self, _upstream: &str) -> bool {
        !self.broken.load(Ordering::Relaxed)
    }

    fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed)
    }

    fn cost_micros(&self, _model: Option<&str>, _usage: Option<Usage>) -> u64 {
        self.cost_micros.load(Ordering::Relaxed)
    }
}

fn desk(calls_a_minute: u64) -> (Desk, Arc<Around>) {
    let around = Arc::new(Around::default());
    let settings = DeskSettings {
        forecast: ForecastSettings::new(RESIDENCE_MS),
        budget: BudgetSettings { calls_a_minute, calls_a_day: 100, micros_a_day: 1_000 },
        calls_at_once: 2,
        request_bytes: 1 << 20,
    };
    let surroundings: Arc<dyn Surroundings> = Arc::<Around>::clone(&around);
    (Desk::new(settings, surroundings), around)
}

fn seen(number: u32, found: FoundIn, fresh_for_ms: Option<u64>, at_ms: u64) -> Seen {
    Seen { key: key(number), session: 1, is_one_of_many: false, found, fresh_for_ms, at_ms }
}

const LOADED: Outcome = Outcome { done: Done::Loaded(Some(600 * SECOND)), call: None };
const CALLED: Outcome = Outcome { call: Some(None), ..LOADED };

/// Asks for a popular answer of ten minutes' life over and over; returns the calls that were begun.
fn popular(desk: &mut Desk, hours: u64) -> u64 {
    let (mut stale_ms, mut calls) = (0, 0);
    for at_ms in (SECOND..hours * 3_600 * SECOND).step_by(5_000) {
        // Without a rhythm.
        let at_ms = at_ms + (at_ms / 7_919) % 4_000;
        desk.look(at_ms);
        while let Some(task) = desk.next(at_ms) {
            let outcome = if matches!(task.what, What::Fetch(_)) {
                calls += 1;
                stale_ms = at_ms + 600 * SECOND;
                CALLED
            } else {
                Outcome { done: Done::Present, call: None }
            };
            desk.ended(&task, outcome, at_ms);
        }
        let found = if stale_ms > at_ms { FoundIn::L1 } else { FoundIn::Nowhere };
        if found == FoundIn::Nowhere {
            stale_ms = at_ms + 600 * SECOND;
        }
        desk.seen(&seen(1, found, Some(stale_ms - at_ms), at_ms));
    }
    calls
}

#[test]
fn what_is_popular_is_fetched_anew_if_its_request_is_known() {
    let (mut without, _) = desk(100);
    assert_eq!(popular(&mut without, 6), 0);
    assert!(without.counts.unknown > 20);
    let (mut desk, _) = desk(100);
    desk.requests.remember(call(1, 10));
    let calls = popular(&mut desk, 6);
    // One in ten minutes; ten guesses were only watched.
    assert!((20..=26).contains(&calls), "{calls}");
    assert_eq!((desk.counts.calls, desk.counts.failed), (calls, 0));
    assert_eq!(desk.budget.spent(6 * 3_600 * SECOND).1, calls);
}

#[test]
fn guesses_wait_behind_users_bounds_and_pressure() {
    type Arrange = fn(&mut Desk, &Around);
    let cases: [(u64, Arrange); 4] = [
        (100, |_, around| around.busy.store(true, Ordering::Relaxed)),
        (100, |_, around| around.broken.store(true, Ordering::Relaxed)),
        (100, |desk, _| desk.pause(true)),
        (0, |_, _| {}),
    ];
    for (calls_a_minute, arrange) in cases {
        let (mut desk, around) = desk(calls_a_minute);
        arrange(&mut desk, &around);
        desk.requests.remember(call(1, 10));
        assert_eq!(popular(&mut desk, 6), 0);
        assert_eq!(desk.counts.calls, 0);
    }
}

#[test]
fn under_pressure_requests_are_let_go_of_and_afterwards_it_goes_on() {
    let (mut desk, _) = desk(100);
    desk.requests.remember(call(1, 10));
    desk.pause(true);
    assert!(desk.requests.is_empty());
    desk.ask(vec![call(2, 0)], SECOND);
    assert!(desk.next(SECOND).is_none());
    desk.pause(false);
    assert!(desk.next(SECOND).is_some());
}

#[test]
fn few_calls_are_under_way_at_a_time_and_operators_come_first() {
    let (mut desk, _) = desk(0);
    desk.upkeep = Upkeep::new([call(1, 0)]);
    desk.look(SECOND);
    let progress = desk.ask(vec![call(2, 0), call(3, 0)], SECOND);
    assert_eq!((progress.total, progress.is_over()), (2, false));
    let (first, second) = (desk.next(SECOND).unwrap(), desk.next(SECOND).unwrap());
    assert_eq!((&first.why, &second.why), (&Why::Asked(1), &Why::Asked(1)));
    assert!(desk.next(SECOND).is_none(), "two are under way");
    desk.ended(&first, CALLED, SECOND);
    let third = desk.next(SECOND).unwrap();
    assert_eq!(third.why, Why::Critical(0));
    desk.ended(&second, Outcome { done: Done::Not, call: Some(None) }, SECOND);
    desk.ended(&third, LOADED, SECOND);
    let errand = desk.errands.all().next().unwrap();
    assert_eq!((errand.ready, errand.called, errand.failed), (1, 1, 1));
    let (_, standing) = desk.upkeep.standings(SECOND).next().unwrap();
    assert!(standing.is_ready);
    // It leaves L1 after five minutes: before its answer runs out.
    assert_eq!(standing.next_in_ms, 295 * SECOND);
}

#[test]
fn what_calls_cost_ends_guesses_for_the_day() {
    let (mut desk, around) = desk(100);
    around.cost_micros.store(300, Ordering::Relaxed);
    desk.requests.remember(call(1, 10));
    assert_eq!(popular(&mut desk, 20), 4);
    assert_eq!(desk.held_back_by(20 * 3_600 * SECOND), Some(Spent::Money));
}

proptest! {
    #[test]
    fn every_task_ends_and_bounds_hold(
        steps in prop::collection::vec((0_u32..12, 0_u8..8, 0_u64..60), 0..300),
    ) {
        let (mut desk, around) = desk(5);
        let (mut now_ms, mut under_way) = (SECOND, Vec::new());
        for (number, what, step_s) in steps {
            now_ms += step_s * SECOND;
            desk.look(now_ms);
            match what {
                0 => desk.requests.remember(call(number, 10)),
                1 => { desk.ask(vec![call(number, 0)], now_ms); }
                2 => around.busy.store(number > 6, Ordering::Relaxed),
                3 => desk.pause(number > 9),
                4 => desk.seen(&seen(number, FoundIn::Nowhere, Some(60 * SECOND), now_ms)),
                _ => desk.seen(&seen(number, FoundIn::L1, None, now_ms)),
            }
            while let Some(task) = desk.next(now_ms) {
                under_way.push(task);
            }
            let (free, paid) = desk.under_way();
            prop_assert!(free <= 8 && paid <= 2);
            prop_assert_eq!(free + paid, under_way.len());
            prop_assert!((0.0..=0.1).contains(&desk.warm_share()));
            for task in under_way.drain(..usize::from(what > 3) * under_way.len()) {
                desk.ended(&task, if what > 5 { CALLED } else { LOADED }, now_ms);
            }
        }
        for task in under_way {
            desk.ended(&task, LOADED, now_ms);
        }
        prop_assert_eq!(desk.under_way(), (0, 0));
    }
}
