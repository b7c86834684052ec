use std::time::Duration;

use anteroom_actors::message::{ActorState, MemoryReport};
use anteroom_actors::model::{
    BudgetReport, Level as CacheLevel, MemoryReading, Outcome, PressureState, Sample, SampleBatch,
};
use anteroom_actors::wiring::{ActorHealth, SystemHealth};
use serde_json::json;

use super::*;
use crate::savings::Saved;
use crate::telemetry::{Histogram, Looked, Stretch};

fn actor(name: &str, state: ActorState) -> ActorHealth {
    ActorHealth {
        name: name.to_owned(),
        state,
        pending: 0,
        restarts: 0,
        heartbeat_age: Some(Duration::from_millis(12)),
        last_error: (state == ActorState::Degraded).then(|| "connection refused".to_owned()),
        counters: vec![("entries", 7), ("hits", 3)],
    }
}

fn well() -> Gathered<'static> {
    let names = ["l1", "l2", "l3", "resolver"];
    let actors = names.map(|name| actor(name, ActorState::Running)).to_vec();
    Gathered {
        routes: vec!["chat", "models"],
        wall_ms: 5,
        is_stopping: false,
        looked: Some(Looked::default()),
        health: Some(SystemHealth { actors }),
        memory: Some(MemoryReport {
            reading: MemoryReading { resident_bytes: 50, virtual_bytes: 900, limit_bytes: 200 },
            ..MemoryReport::default()
        }),
        budget: BudgetReport { total_bytes: u64::MAX, ..BudgetReport::default() },
        warming: Found::There(WarmingShown::default(), None),
        scaling: Found::There(ScalingShown { mode: "on", ..ScalingShown::default() }, None),
        saved: Saved { calls: 9, ..Saved::default() },
        since_ms: 1,
        currency: "USD",
        upstreams: vec![UpstreamShown { name: "default".into(), breaker_open: false, retries: 2 }],
        compresses: true,
        minifies: true,
    }
}

fn made(change: impl FnOnce(&mut Gathered<'static>)) -> Performance {
    let mut gathered = well();
    change(&mut gathered);
    Performance::of(&gathered, Window::Minute)
}

fn set(gathered: &mut Gathered<'_>, name: &str, state: ActorState) {
    let actors = &mut gathered.health.as_mut().unwrap().actors;
    let place = actors.iter_mut().find(|actor| actor.name == name).unwrap();
    *place = actor(name, state);
}

#[test]
fn what_is_ill_is_named_and_the_rest_goes_on() {
    type Change = fn(&mut Gathered<'static>);
    let table: &[(Change, &[&str], Status)] = &[
        (|_| {}, &[], Status::Ok),
        (|it| set(it, "l2", ActorState::Disabled), &[], Status::Ok),
        (|it| it.warming = Found::Off, &[], Status::Ok),
        (|it| it.scaling = Found::Off, &[], Status::Ok),
        (|it| (it.compresses, it.minifies) = (false, false), &[], Status::Ok),
        (|it| set(it, "l2", ActorState::Degraded), &["l2"], Status::Degraded),
        (|it| set(it, "l3", ActorState::Restarting), &["l3"], Status::Degraded),
        (|it| set(it, "resolver", ActorState::Restarting), &["resolver"], Status::Degraded),
        (|it| it.warming = Found::Away, &["warming"], Status::Degraded),
        (|it| it.scaling = Found::Away, &["scaling"], Status::Degraded),
        (
            |it| it.warming = Found::There(WarmingShown::default(), Some("paused".to_owned())),
            &["warming"],
            Status::Degraded,
        ),
        (|it| it.memory = None, &["memory"], Status::Degraded),
        (
            |it| it.memory.as_mut().unwrap().state = PressureState::Critical,
            &["memory"],
            Status::Degraded,
        ),
        (|it| it.upstreams[0].breaker_open = true, &["upstream"], Status::Degraded),
        (|it| it.looked.as_mut().unwrap().stretch.dropped = 3, &["requests"], Status::Degraded),
        (
            |it| it.looked = None,
            &["compression", "payload", "requests", "savings", "upstream"],
            Status::Degraded,
        ),
        (|it| it.health = None, &["l1", "l2", "l3", "sentinel"], Status::Degraded),
        (|it| it.is_stopping = true, &[], Status::Unavailable),
    ];
    for (row, (change, ill, status)) in table.iter().enumerate() {
        let document = made(*change);
        let named: Vec<String> = ill.iter().map(|&name| name.to_owned()).collect();
        assert_eq!((document.status, document.ill), (*status, named), "{row}");
    }
}

#[test]
fn a_part_that_is_off_or_ill_says_why() {
    let document = made(|it| {
        set(it, "l2", ActorState::Disabled);
        set(it, "l3", ActorState::Degraded);
        it.warming = Found::Off;
        it.memory.as_mut().unwrap().state = PressureState::Elevated;
    });
    let shown = serde_json::to_value(&document).unwrap();
    for (pointer, value) in [
        ("/levels/l2", json!({"status": "disabled", "reason": "l2.url is not set"})),
        ("/levels/l3/status", json!("degraded")),
        ("/levels/l3/reason", json!("connection refused")),
        ("/levels/l3/counters/entries", json!(7)),
        ("/warming", json!({"status": "disabled", "reason": "warming.enabled is false"})),
        ("/memory/reason", json!("memory is short: elevated")),
        ("/memory/used_ratio", json!(0.25)),
        ("/memory/bands", json!({"elevated_from": 0.8, "critical_from": 0.95})),
        ("/memory/under_way/total_bytes", json!(null)),
        ("/scaling/status", json!("ok")),
        ("/scaling/mode", json!("on")),
        ("/ill", json!(["l3", "memory"])),
        ("/savings/total/calls", json!(9)),
        ("/upstream/upstreams/0/retries", json!(2)),
    ] {
        assert_eq!(shown.pointer(pointer), Some(&value), "{pointer}\n{shown:#}");
    }
}

fn sample(outcome: Outcome, millis: u64) -> Sample {
    Sample {
        route: 0,
        outcome,
        status: 200,
        total: Duration::from_millis(millis),
        lookups: [Some(Duration::from_micros(10)), None, None],
        upstream: (outcome == Outcome::Miss).then_some(Duration::from_millis(millis)),
        upstream_error: None,
        discarded: None,
    }
}

#[test]
fn traffic_is_shown_by_route_outcome_and_level() {
    let mut stretch = Stretch::default();
    let l1 = Outcome::Hit(CacheLevel::L1);
    let samples = [l1, Outcome::Miss, Outcome::Stale, Outcome::Bypass, Outcome::Error];
    stretch.take(&SampleBatch {
        samples: samples.map(|outcome| sample(outcome, 100)).into(),
        accesses: [].into(),
        dropped: 0,
        dropped_accesses: 0,
    });
    let mut leased = Histogram::default();
    leased.record(Duration::from_micros(20));
    stretch.take_leases(&vec![(1, leased)]);
    stretch.flows.bodies = [(100, 100), (300, 100), (0, 0)];
    stretch.flows.reshaped = (200, 150);
    let lasted = Duration::from_secs(3);
    let document = made(|it| it.looked = Some(Looked { stretch, lasted }));
    let shown = serde_json::to_value(&document).unwrap();
    for (pointer, value) in [
        ("/window", json!({"name": "1m", "seconds": 3.0})),
        ("/requests/total", json!(6)),
        ("/requests/per_second", json!(2.0)),
        ("/requests/hit_ratio", json!(0.75)),
        ("/requests/outcomes/hit_l1", json!(2)),
        ("/requests/outcomes/coalesced", json!(0)),
        ("/response_times/all/count", json!(6)),
        ("/response_times/all/max_ms", json!(100.0)),
        ("/levels/l1/asked", json!(6)),
        ("/levels/l1/hits", json!(2)),
        ("/levels/l2/hit_ratio", json!(null)),
        ("/upstream/answered", json!(1)),
        ("/upstream/times/count", json!(1)),
        ("/compression/spared_ratio", json!(0.5)),
        ("/compression/encodings/gzip/sent_bytes", json!(100)),
        ("/payload/spared_ratio", json!(0.25)),
    ] {
        assert_eq!(shown.pointer(pointer), Some(&value), "{pointer}\n{shown:#}");
    }
    let rows: Vec<_> = document.response_times.numbers.unwrap().by_route;
    let row = |row: &RouteTimes| (row.route.clone(), row.outcome, row.times.count);
    let rows: Vec<_> = rows.iter().map(row).collect();
    assert_eq!(rows.len(), 5 + 6, "{rows:?}");
    assert!(rows.contains(&(None, "hit_l1", 2)), "{rows:?}");
    assert!(rows.contains(&(Some("models".to_owned()), "hit_l1", 1)), "{rows:?}");
}
