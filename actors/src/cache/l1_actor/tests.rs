//! The level as its askers see it.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::clock::{Clock as _, ManualClock};
use crate::message::ask;
use crate::model::{Freshness, Level};

const DEADLINE: Duration = Duration::from_secs(20);

fn entry(number: u16, made_wall_ms: u64) -> Arc<Entry> {
    let [high, low] = number.to_be_bytes();
    let mut key = [low; CacheKey::LEN];
    key[0] = high;
    Arc::new(Entry {
        key: CacheKey::new(key),
        status: 200,
        body: Bytes::from_static(b"an answer"),
        freshness: Freshness {
            made_wall_ms,
            lifetime: Duration::from_secs(7_200).into(),
            ..Freshness::default()
        },
        ..Entry::default()
    })
}

/// A started level, asked as everyone asks it.
struct Asked {
    addr: Addr<L1Actor>,
    handle: LevelHandle,
    made_wall_ms: u64,
}

impl Asked {
    fn start(max_entries: u64) -> Self {
        let settings = L1Settings {
            max_entries,
            max_bytes: max_entries * 10_000,
            residence: Duration::from_secs(300),
        };
        let further = [Level::L2, Level::L3].map(|level| LevelHandle::new(level, false));
        let clock = ManualClock::new();
        let made_wall_ms = clock.wall_ms();
        let (purges, versions) = (Purges::default(), Versions::default());
        let addr = L1Actor::new(settings, further, purges, versions, clock).start();
        let handle = LevelHandle::new(Level::L1, true);
        L1Actor::connect(&addr, &handle, &Slot::empty());
        Self { addr, handle, made_wall_ms }
    }

    async fn insert(&self, number: u16, kind: InsertKind) -> InsertOutcome {
        let insert = Insert { entry: entry(number, self.made_wall_ms), kind };
        ask(&self.handle.insert, insert, DEADLINE).await.unwrap().unwrap()
    }

    async fn has(&self, number: u16) -> bool {
        let lookup = Lookup { key: entry(number, 0).key, form: Form::Object };
        ask(&self.handle.lookup, lookup, DEADLINE).await.unwrap().unwrap().is_some()
    }

    async fn count(&self, name: &str) -> u64 {
        let report = self.addr.send(Ping).await.unwrap();
        report.counters.iter().find(|(own, _)| *own == name).unwrap().1
    }
}

#[actix::test]
async fn its_size_is_moved_while_it_runs() {
    let l1 = Asked::start(1_000);
    for number in 0..1_500 {
        l1.insert(number, InsertKind::New).await;
    }
    assert_eq!(l1.count("entries").await, 1_000);
    let resize = |max_bytes| ask(&l1.handle.resize, Resize { max_bytes }, DEADLINE);
    assert_eq!(resize(5_000_000).await, Ok(5_000_000));
    // A heartbeat goes the steps that no request has gone.
    assert_eq!((l1.count("entries").await, l1.count("max_bytes").await), (500, 5_000_000));
    assert_eq!(resize(u64::MAX).await, Ok(160_000_000));
    assert_eq!(l1.count("evictions").await, 1_000);
}

#[actix::test]
async fn under_pressure_it_sheds_step_by_step() {
    let l1 = Asked::start(2_000);
    for number in 0..2_000 {
        l1.insert(number, InsertKind::New).await;
    }
    let held = l1.count("bytes").await;
    // Tidying up finds nothing: all are fresh.
    assert_eq!(ask(&l1.handle.clean_up, CleanUp { target_bytes: 0 }, DEADLINE).await, Ok(0));
    let (mut steps, mut left) = (0, held / 4 * 3);
    loop {
        let clean_up = CleanUp { target_bytes: left };
        let freed = ask(&l1.handle.clean_up, clean_up, DEADLINE).await.unwrap();
        assert!(freed < held / 2, "a step is bounded");
        left = left.saturating_sub(freed);
        steps += 1;
        if left == 0 {
            break;
        }
        assert!(freed > 0, "as long as something is to go, something goes");
    }
    let rest = l1.count("bytes").await;
    assert!(rest <= held / 4 && rest > held / 5, "as much as was asked, and little more: {rest}");
    assert!((3..=4).contains(&steps), "{steps}");
    assert_eq!(l1.count("max_bytes").await, 20_000_000, "the room stays");
}

#[actix::test]
async fn warmed_entries_have_the_room_they_are_given() {
    let l1 = Asked::start(100);
    assert_eq!(l1.insert(1, InsertKind::Warmed).await, InsertOutcome::Refused);
    l1.handle.warm_room.tell(WarmRoom { share: 0.05 });
    for number in 1..10 {
        assert_eq!(l1.insert(number, InsertKind::Warmed).await, InsertOutcome::Stored);
    }
    assert_eq!(l1.count("warm_bytes").await, 50_000);
    assert!(l1.has(9).await && !l1.has(1).await);
    assert_eq!((l1.count("warm_bytes").await, l1.count("window_bytes").await), (40_000, 10_000));
    l1.handle.warm_room.tell(WarmRoom { share: 0.0 });
    assert_eq!((l1.count("warm_bytes").await, l1.count("entries").await), (0, 1));
}
