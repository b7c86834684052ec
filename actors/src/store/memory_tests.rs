use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::model::{Encoding, Freshness};

fn settings(max_entries: u64, max_bytes: u64) -> L1Settings {
    L1Settings { max_entries, max_bytes, residence: Duration::from_secs(300) }
}

fn store_of(settings: L1Settings) -> MemoryStore {
    MemoryStore::new(settings, Purges::default(), Versions::default())
}

fn entry(number: u8, body_bytes: usize) -> Arc<Entry> {
    made_at(number, body_bytes, ManualClock::START_WALL_MS)
}

fn made_at(number: u8, body_bytes: usize, made_wall_ms: u64) -> Arc<Entry> {
    Arc::new(Entry {
        key: key(number),
        status: 200,
        body: Bytes::from(vec![b'x'; body_bytes]),
        freshness: Freshness {
            made_wall_ms,
            lifetime: Duration::from_secs(7_200).into(),
            ..Freshness::default()
        },
        ..Entry::default()
    })
}

fn key(number: u8) -> CacheKey {
    CacheKey::new([number; 32])
}

#[test]
fn an_entry_stays_for_its_residence_and_not_longer() {
    let clock = ManualClock::new();
    let mut store = store_of(settings(10, 1 << 20));
    assert_eq!(store.insert(entry(1, 100), clock.now()), Stored::Yes);
    clock.advance(Duration::from_millis(299_999));
    assert!(store.get(&key(1), Form::Object, clock.now(), clock.wall_ms()).is_some());
    clock.advance(Duration::from_millis(1));
    assert!(store.get(&key(1), Form::Object, clock.now(), clock.wall_ms()).is_none());
    assert_eq!((store.entries(), store.bytes(), store.expired()), (0, 0, 1));
}

#[test]
fn promotion_never_restarts_a_lifetime() {
    // the answer was made two hours less one second ago.
    let clock = ManualClock::new();
    let mut store = store_of(settings(10, 1 << 20));
    let made = ManualClock::START_WALL_MS - 7_199_000;
    store.insert(made_at(1, 100, made), clock.now());
    assert!(store.get(&key(1), Form::Object, clock.now(), clock.wall_ms()).is_some());
    clock.advance(Duration::from_secs(1));
    assert!(store.get(&key(1), Form::Object, clock.now(), clock.wall_ms()).is_none());
}

#[test]
fn expired_entries_leave_without_being_asked_for() {
    let clock = ManualClock::new();
    let mut store = store_of(settings(100, 1 << 20));
    for number in 0..50 {
        store.insert(entry(number, 100), clock.now());
    }
    clock.advance(Duration::from_secs(300));
    store.sweep(clock.now(), 20);
    assert_eq!(store.entries(), 30, "a sweep is bounded");
    store.sweep(clock.now(), 1_000);
    assert_eq!((store.entries(), store.bytes(), store.expired()), (0, 0, 50));
}

#[test]
fn a_replaced_entry_does_not_leave_with_its_forerunner() {
    let clock = ManualClock::new();
    let mut store = store_of(settings(10, 1 << 20));
    store.insert(entry(1, 100), clock.now());
    clock.advance(Duration::from_secs(200));
    store.insert(made_at(1, 200, clock.wall_ms()), clock.now());
    clock.advance(Duration::from_secs(150));
    store.sweep(clock.now(), 1_000);
    let held = store
        .get(&key(1), Form::Object, clock.now(), clock.wall_ms())
        .expect("the newer one stays");
    assert_eq!(held.body.len(), 200);
}

#[test]
fn an_older_answer_never_displaces_a_newer_one() {
    let clock = ManualClock::new();
    let mut store = store_of(settings(10, 1 << 20));
    store.insert(made_at(1, 100, ManualClock::START_WALL_MS), clock.now());
    let older = made_at(1, 200, ManualClock::START_WALL_MS - 1);
    assert_eq!(store.insert(older, clock.now()), Stored::Present);
    assert_eq!(
        store.get(&key(1), Form::Object, clock.now(), clock.wall_ms()).unwrap().body.len(),
        100
    );
}

#[test]
fn the_bound_on_entries_holds_for_small_ones_and_the_bound_on_bytes_for_large_ones() {
    // a bound in entries alone would let large answers fill the memory.
    let clock = ManualClock::new();
    let mut small = store_of(settings(8, 1 << 20));
    let mut large = store_of(settings(8, 1 << 20));
    for number in 0..100 {
        small.insert(entry(number, 10), clock.now());
        large.insert(entry(number, 300_000), clock.now());
    }
    assert_eq!(small.entries(), 8);
    assert_eq!(large.entries(), 3);
    assert!(large.bytes() <= 1 << 20);
    assert_eq!(large.insert(entry(200, 2 << 20), clock.now()), Stored::Refused);
}

proptest! {
    /// M2: whatever is done, the account is the sum of what is held, within the bounds.
    #[test]
    fn the_account_equals_the_sum_of_the_entries(
        steps in prop::collection::vec((0_u8..9, 0_u8..40, 0_usize..60_000), 1..200),
    ) {
        let clock = ManualClock::new();
        let mut store = store_of(settings(16, 1 << 19));
        for (what, number, size) in steps {
            match what {
                0 | 1 => {
                    store.insert(made_at(number, size, clock.wall_ms()), clock.now());
                }
                2 => {
                    store.get(&key(number), Form::Object, clock.now(), clock.wall_ms());
                }
                3 => clock.advance(Duration::from_secs(u64::from(number))),
                5 => {
                    store.warm(made_at(number, size, clock.wall_ms()), clock.now());
                }
                6 => store.set_warm_share(f64::from(number) / 100.0),
                7 => {
                    store.resize(u64::from(number) << 14);
                }
                8 => {
                    let target = u64::from(number) << 13;
                    while store.shed(target) > 0 {}
                    prop_assert!(store.bytes() <= target);
                }
                _ => store.sweep(clock.now(), usize::from(number)),
            }
            let held: Vec<usize> = (0..40)
                .filter_map(|number| {
                    store.shelves.peek(&key(number)).map(|held| held.entry.weight_bytes())
                })
                .collect();
            prop_assert_eq!(store.bytes(), held.iter().sum::<usize>() as u64);
            prop_assert_eq!(store.entries(), held.len() as u64);
            prop_assert!(store.bytes() <= store.shelves.capacity());
            prop_assert!(store.entries() <= store.shelves.capacity() >> 15);
            prop_assert!(store.leaving.len() as u64 <= 2 * store.entries() + 1_024);
        }
    }
}

/// a purge takes stale copies, too, and what was made before it does not come back.
#[test]
fn what_was_purged_is_not_served_and_not_taken() {
    let clock = ManualClock::new();
    let purges = Purges::default();
    let versions = Versions::default();
    let mut store = MemoryStore::new(settings(10, 1 << 20), purges.clone(), versions);
    store.insert(entry(1, 100), clock.now());
    store.insert(entry(2, 100), clock.now());
    purges.purge(crate::model::Label::of_key(&key(1)), clock.wall_ms());
    assert!(store.get(&key(1), Form::Object, clock.now(), clock.wall_ms()).is_none());
    assert!(store.get(&key(2), Form::Object, clock.now(), clock.wall_ms()).is_some());
    assert_eq!(store.insert(entry(1, 100), clock.now()), Stored::Refused);
    assert_eq!((store.purged(), store.entries()), (2, 1));
}

#[test]
fn an_answer_is_given_in_the_form_asked_for_where_it_is_held_in_several() {
    let clock = ManualClock::new();
    let mut store = store_of(settings(10, 1 << 20));
    let get = |store: &mut MemoryStore, form| {
        store.get(&key(1), form, clock.now(), clock.wall_ms()).map(|entry| entry.body.len())
    };
    store.insert(entry(1, 100), clock.now());
    assert_eq!(
        (get(&mut store, Form::Object), get(&mut store, Form::Stream)),
        (Some(100), Some(100))
    );
    let converted = Entry { form: Form::Stream, ..(*entry(1, 200)).clone() };
    store.insert_converted(Arc::new(converted), clock.now());
    assert_eq!(
        (get(&mut store, Form::Object), get(&mut store, Form::Stream)),
        (Some(100), Some(200))
    );
    // A new answer: what was made from the old one is not served for it.
    store.insert(made_at(1, 300, ManualClock::START_WALL_MS + 1), clock.now());
    assert_eq!(
        (get(&mut store, Form::Object), get(&mut store, Form::Stream)),
        (Some(300), Some(300))
    );
}

#[test]
fn a_replaced_entry_changes_the_version_of_its_key() {
    let clock = ManualClock::new();
    let versions = Versions::default();
    let watched = versions.clone();
    let mut store = MemoryStore::new(settings(10, 1 << 20), Purges::default(), versions);
    let first = watched.of(&key(1));
    store.insert(entry(1, 100), clock.now());
    assert_eq!(watched.of(&key(1)), first, "nothing was replaced");
    store.insert(made_at(1, 300, ManualClock::START_WALL_MS + 1), clock.now());
    assert_ne!(watched.of(&key(1)), first);
}

/// An answer that is asked for once is not worth a place beyond L1.
#[test]
fn an_entry_is_handed_on_once_at_the_use_it_waits_for() {
    let clock = ManualClock::new();
    let mut store = store_of(settings(10, 1 << 20));
    let waiting = Entry { min_uses: 3, ..Entry::clone(&entry(1, 100)) };
    store.insert(Arc::new(waiting), clock.now());
    store.insert(entry(2, 100), clock.now());
    let mut handed = Vec::new();
    for (number, hits, is_taken) in
        [(1, 1, true), (2, 9, true), (9, 9, true), (1, 1, false), (1, 1, true), (1, 5, true)]
    {
        store.touch(&key(number), hits, |entry| {
            handed.push((entry.key, is_taken));
            is_taken
        });
    }
    assert_eq!(handed, [(key(1), false), (key(1), true)]);
    // Another answer in its place begins anew.
    let new = Entry { min_uses: 2, ..Entry::clone(&made_at(1, 9, ManualClock::START_WALL_MS + 1)) };
    store.insert(Arc::new(new), clock.now());
    store.touch(&key(1), 1, |entry| {
        handed.push((entry.key, true));
        true
    });
    assert_eq!(handed.len(), 3);
}

#[test]
fn trouble_never_takes_the_place_of_a_success_that_is_of_use() {
    let clock = ManualClock::new();
    let made = |status: u16, later_ms: u64| {
        let entry = made_at(1, 10, ManualClock::START_WALL_MS + later_ms);
        Arc::new(Entry { status, min_uses: 2, ..Entry::clone(&entry) })
    };
    for (first, second, stored) in [
        (200, 500, Stored::Present),
        (200, 404, Stored::Yes),
        (404, 503, Stored::Yes),
        (500, 200, Stored::Yes),
    ] {
        let mut store = store_of(settings(10, 1 << 20));
        assert_eq!(store.insert(made(first, 0), clock.now()), Stored::Yes);
        assert_eq!(store.insert(made(second, 1), clock.now()), stored, "{first} {second}");
    }
    let mut store = store_of(settings(10, 1 << 20));
    store.insert(made(200, 0), clock.now());
    let over_ms = 7_200_000;
    assert_eq!(store.insert(made(500, over_ms), clock.now()), Stored::Yes, "its time was over");
    store.touch(&key(1), 9, |_| panic!("an error goes no further than L1"));
}

#[test]
fn an_entry_that_has_become_heavier_is_weighed_again_without_ending_leases() {
    let versions = Versions::default();
    let mut store = MemoryStore::new(settings(10, 1 << 20), Purges::default(), versions.clone());
    let clock = ManualClock::new();
    let (held, other) = (entry(1, 100), entry(1, 100));
    store.insert(Arc::clone(&held), clock.now());
    let (before, version) = (store.bytes(), versions.of(&key(1)));
    held.encodings.settle(Encoding::Gzip, || Some(Bytes::from_static(b"1234567")));
    assert_eq!(store.weigh_again(&held), Stored::Yes);
    assert_eq!(
        store.bytes(),
        before + 8 + 32,
        "as much as is set aside for seven, and for where they are"
    );
    assert_eq!(store.entries(), 1);
    // Another's encodings, even of one as new, change nothing; nor do those of one that is gone.
    assert_eq!(store.weigh_again(&other), Stored::Refused);
    assert_eq!(store.weigh_again(&entry(2, 100)), Stored::Refused);
    assert_eq!((store.bytes(), versions.of(&key(1))), (before + 8 + 32, version));
    // It leaves when it would have left.
    clock.advance(Duration::from_secs(300));
    store.sweep(clock.now(), 10);
    assert_eq!((store.entries(), store.bytes()), (0, 0));
}

#[test]
fn weighing_again_forgets_no_use() {
    let clock = ManualClock::new();
    let mut store = store_of(settings(10, 1 << 20));
    let waiting = Arc::new(Entry { min_uses: 3, ..Entry::clone(&entry(1, 100)) });
    store.insert(Arc::clone(&waiting), clock.now());
    let mut handed = 0;
    let mut touch = |store: &mut MemoryStore, hits| {
        store.touch(&key(1), hits, |_| {
            handed += 1;
            true
        });
        handed
    };
    assert_eq!(touch(&mut store, 1), 0);
    assert_eq!(store.weigh_again(&waiting), Stored::Yes);
    assert_eq!(touch(&mut store, 1), 1, "the third use");
    assert_eq!(store.weigh_again(&waiting), Stored::Yes);
    assert_eq!(touch(&mut store, 5), 1, "it has gone on once");
}

#[test]
fn what_was_refused_ends_no_leases() {
    let clock = ManualClock::new();
    let versions = Versions::default();
    let mut store = MemoryStore::new(settings(10, 1 << 20), Purges::default(), versions.clone());
    store.insert(entry(1, 100), clock.now());
    let first = versions.of(&key(1));
    let large = made_at(1, 2 << 20, ManualClock::START_WALL_MS + 1);
    assert_eq!(store.insert(large, clock.now()), Stored::Refused);
    assert_eq!(versions.of(&key(1)), first);
}

#[test]
fn a_warmed_entry_waits_for_its_use_and_takes_the_place_of_an_older_one() {
    let clock = ManualClock::new();
    let versions = Versions::default();
    let mut store = MemoryStore::new(settings(100, 1 << 20), Purges::default(), versions.clone());
    assert_eq!(store.warm(entry(1, 100), clock.now()), Stored::Refused, "no room is kept");
    store.set_warm_share(0.1);
    assert_eq!(store.warm(entry(1, 100), clock.now()), Stored::Yes);
    assert_eq!(store.weight_of(Shelf::Warm), (1 << 20) / 100);
    let get = |store: &mut MemoryStore, number| {
        let found = store.get(&key(number), Form::Object, clock.now(), clock.wall_ms());
        found.map(|entry| entry.body.len())
    };
    assert_eq!(get(&mut store, 1), Some(100));
    assert_eq!((store.weight_of(Shelf::Warm), store.weight_of(Shelf::Window)), (0, 10_485));
    // Refreshed before its end: its leases end, and an older one changes nothing.
    let version = versions.of(&key(1));
    let newer = made_at(1, 200, ManualClock::START_WALL_MS + 1);
    assert_eq!(store.warm(newer, clock.now()), Stored::Yes);
    assert_eq!(store.warm(entry(1, 300), clock.now()), Stored::Present);
    assert_eq!(get(&mut store, 1), Some(200));
    assert_ne!(versions.of(&key(1)), version);
}

#[test]
fn another_size_moves_both_bounds() {
    let clock = ManualClock::new();
    let mut store = store_of(settings(10, 1 << 20));
    let fill = |store: &mut MemoryStore| {
        for number in 0..200 {
            store.insert(made_at(number, 100, clock.wall_ms()), clock.now());
        }
        store.entries()
    };
    assert_eq!(fill(&mut store), 10);
    assert_eq!(store.resize(2 << 20), 2 << 20);
    assert_eq!(fill(&mut store), 20);
    store.resize(1 << 19);
    store.settle();
    assert_eq!((store.entries(), fill(&mut store)), (5, 5));
    assert_eq!(store.resize(u64::MAX), 16 << 20, "the most it may grow to");
}

#[test]
fn large_entries_that_nobody_asks_for_go_where_others_have_them() {
    let clock = ManualClock::new();
    let mut store = store_of(settings(16, 16 << 20));
    let of = |number, min_uses| {
        let entry = entry(number, 300 * 1024);
        Arc::new(Entry { min_uses, ..Entry::clone(&entry) })
    };
    store.insert(of(1, 1), clock.now());
    store.insert(of(2, 1), clock.now());
    // Not given to the further levels before its second use.
    store.insert(of(3, 2), clock.now());
    store.insert(entry(4, 100), clock.now());
    let bytes = store.bytes();
    clock.advance(Duration::from_secs(14));
    store.let_idle_go(clock.now());
    assert!(store.get(&key(2), Form::Object, clock.now(), clock.wall_ms()).is_some());
    assert_eq!((store.entries(), store.bytes()), (4, bytes));
    clock.advance(Duration::from_secs(1));
    store.let_idle_go(clock.now());
    assert_eq!((store.entries(), store.idled()), (3, 1));
    assert!(store.peek(&key(1), clock.now(), clock.wall_ms()).is_none());
    // Touched by the leases of others, which tell in batches.
    store.touch(&key(2), 3, |_| true);
    clock.advance(Duration::from_secs(15));
    store.let_idle_go(clock.now());
    assert_eq!(store.idled(), 1);
    clock.advance(Duration::from_secs(15));
    store.let_idle_go(clock.now());
    assert_eq!((store.entries(), store.idled()), (2, 2));
    assert!(store.bytes() < bytes / 2, "the bytes are free");
}

proptest! {
    /// what is found and what is held change together. Whatever was inserted, resized, shed
    /// or swept, each entry that is counted is found by its key, and no other is.
    #[test]
    fn what_is_found_is_what_is_held(
        steps in prop::collection::vec((0_u8..6, 0_u8..64, 0_usize..4_000), 0..100),
    ) {
        let clock = ManualClock::new();
        let mut store = store_of(settings(60, 64 * 1024));
        let last = steps.len().saturating_sub(1);
        for (at, (what, number, bytes)) in steps.into_iter().enumerate() {
            match what {
                0..=2 => {
                    store.insert(made_at(number, bytes, clock.wall_ms()), clock.now());
                }
                3 => {
                    store.shed(u64::try_from(bytes).unwrap() * 16);
                }
                4 => {
                    store.resize(u64::try_from(16 * (bytes + 1)).unwrap());
                    store.settle();
                }
                _ => {
                    clock.advance(Duration::from_secs(4 * u64::from(number)));
                    store.sweep(clock.now(), 1_000);
                }
            }
            if at % 10 != 0 && at != last {
                continue;
            }
            // Those whose time is over leave as they are asked for.
            let (now, wall_ms) = (clock.now(), clock.wall_ms());
            let found = (0..64)
                .filter(|number| store.get(&key(*number), Form::Object, now, wall_ms).is_some())
                .count();
            prop_assert_eq!(store.entries(), u64::try_from(found).unwrap());
            prop_assert_eq!(store.bytes() == 0, found == 0);
        }
    }
}
