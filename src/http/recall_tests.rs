use anteroom_actors::clock::{Clock, ManualClock};
use anteroom_actors::model::{Encoding, Freshness, Header};
use anteroom_actors::settings::EncodingSettings;
use bytes::Bytes;

use super::*;
use crate::http::shape::negotiate::Accepted;
use crate::savings::{Book, PriceTable};

fn digest(number: u8) -> Digest {
    Digest::new([number.into(), 0])
}

fn meaning(number: u8) -> Meaning {
    Meaning { key: CacheKey::new([number; 32]), scope: 0, form: Form::Object, model: None }
}

fn recall_of(most: usize) -> Recall {
    Recall::new(most, Duration::from_secs(1), Purges::default(), Versions::default())
}

fn entry(lifetime: Duration) -> Arc<Entry> {
    Arc::new(Entry {
        key: CacheKey::new([1; 32]),
        status: 200,
        body: Bytes::from_static(b"{}"),
        freshness: Freshness {
            made_wall_ms: ManualClock::START_WALL_MS,
            lifetime: lifetime.into(),
            ..Freshness::default()
        },
        ..Entry::default()
    })
}

fn spared(entry: &Entry) -> Spared {
    Spared::by(0, entry, &book())
}

fn book() -> Book {
    Book::new(PriceTable::new("USD", []).unwrap(), 0)
}

fn recall_with_lease(lifetime: Duration) -> (Recall, Arc<ManualClock>, Arc<Entry>) {
    let clock = ManualClock::new();
    let mut recall = recall_of(4);
    recall.remember(digest(1), meaning(1));
    let entry = entry(lifetime);
    let head = StoredHead::of(&entry, Accepted::default(), &EncodingSettings::default());
    let known = recall.known(&meaning(1).key);
    recall.lease(&digest(1), (&entry, known), (head, spared(&entry)), clock.now(), clock.wall_ms());
    (recall, clock, entry)
}

fn answers(recall: &mut Recall, clock: &ManualClock) -> bool {
    matches!(recall.get(&digest(1), clock.now(), clock.wall_ms()), Some(Recalled::Answer(..)))
}

#[test]
fn a_lease_lasts_a_second_and_its_meaning_longer() {
    let (mut recall, clock, _entry) = recall_with_lease(Duration::from_secs(60));
    clock.advance(Duration::from_millis(999));
    assert!(answers(&mut recall, &clock));
    clock.advance(Duration::from_millis(1));
    assert!(matches!(
        recall.get(&digest(1), clock.now(), clock.wall_ms()),
        Some(Recalled::Meaning(_))
    ));
}

/// What a lease holds goes with it, also where its request never comes again.
#[test]
fn leases_share_their_headers_and_end_unasked() {
    let clock = ManualClock::new();
    let entry = entry(Duration::from_secs(60));
    let mut recall = recall_of(8);
    let give = |recall: &mut Recall, number: u8| {
        recall.remember(digest(number), meaning(number));
        let head = StoredHead::of(&entry, Accepted::default(), &EncodingSettings::default());
        let leased = (&entry, recall.known(&meaning(number).key));
        let shown = (head, spared(&entry));
        recall.lease(&digest(number), leased, shown, clock.now(), clock.wall_ms());
    };
    let leases = |recall: &Recall| -> Vec<Rc<Lease>> {
        recall.remembered.values().filter_map(|it| it.lease.clone()).collect()
    };
    (1..=4).for_each(|number| give(&mut recall, number));
    let all = leases(&recall);
    let [first, ..] = all.as_slice() else { panic!("no lease") };
    let is_shared = |it: &Rc<Lease>| Rc::ptr_eq(&it.head.headers, &first.head.headers);
    assert!(all.len() == 4 && all.iter().all(is_shared));
    clock.advance(Duration::from_secs(1));
    (0..4).for_each(|_| give(&mut recall, 5));
    assert_eq!(leases(&recall).len(), 1, "the others are over");
}

#[test]
fn a_lease_ends_when_the_entry_turns_stale() {
    let (mut recall, clock, _entry) = recall_with_lease(Duration::from_millis(300));
    clock.advance(Duration::from_millis(299));
    assert!(answers(&mut recall, &clock));
    clock.advance(Duration::from_millis(1));
    assert!(!answers(&mut recall, &clock));
}

#[test]
fn life_ends_in_wall_time_whatever_the_lease_says() {
    let (mut recall, clock, _entry) = recall_with_lease(Duration::from_millis(300));
    let stale_at_ms = clock.wall_ms() + 300;
    let found = recall.get(&digest(1), clock.now(), stale_at_ms);
    assert!(matches!(found, Some(Recalled::Meaning(_))));
}

#[test]
fn a_lease_does_not_keep_what_l1_let_go_of() {
    let (mut recall, clock, entry) = recall_with_lease(Duration::from_secs(60));
    assert!(answers(&mut recall, &clock));
    drop(entry);
    assert!(!answers(&mut recall, &clock));
}

#[test]
fn a_stale_entry_gets_no_lease() {
    let (mut recall, clock, _entry) = recall_with_lease(Duration::ZERO);
    assert!(!answers(&mut recall, &clock));
}

#[test]
fn the_memory_is_bounded_and_spares_what_is_asked_for() {
    let clock = ManualClock::new();
    let mut recall = recall_of(4);
    for number in 0..100 {
        recall.remember(digest(number), meaning(number));
        assert!(
            recall.get(&digest(0), clock.now(), clock.wall_ms()).is_some(),
            "asked for before each new one"
        );
        assert!(recall.remembered.len() <= 4 && recall.order.len() <= 4);
    }
    assert!(recall.get(&digest(50), clock.now(), clock.wall_ms()).is_none());
    let mut off = recall_of(0);
    off.remember(digest(1), meaning(1));
    assert!(off.get(&digest(1), clock.now(), clock.wall_ms()).is_none());
}

#[test]
fn hits_by_leases_are_told_once_with_their_number() {
    let (mut recall, clock, _entry) = recall_with_lease(Duration::from_secs(60));
    assert!(recall.take_untold().is_empty());
    for _ in 0..3 {
        assert!(answers(&mut recall, &clock));
    }
    assert_eq!(recall.take_untold(), [(meaning(1).key, 3)]);
    assert!(recall.take_untold().is_empty());
    assert!(answers(&mut recall, &clock));
    assert_eq!(recall.take_untold(), [(meaning(1).key, 1)]);
}

#[test]
fn hits_of_what_was_forgotten_are_told() {
    let (mut recall, clock, _entry) = recall_with_lease(Duration::from_secs(60));
    assert!(answers(&mut recall, &clock));
    for number in 2..20 {
        recall.remember(digest(number), meaning(number));
    }
    assert!(recall.get(&digest(1), clock.now(), clock.wall_ms()).is_none());
    assert_eq!(recall.take_untold(), [(meaning(1).key, 1)]);
}

/// A purge or another entry ends a lease at once, also one that came while the entry was asked for.
#[test]
fn a_lease_ends_with_a_purge_and_with_a_replacement() {
    let purge: fn(&Recall) = |recall| {
        let _record = recall.purges.purge(anteroom_actors::model::Label::ALL, 1);
    };
    let replace: fn(&Recall) = |recall| recall.versions.changed(&meaning(1).key);
    for change in [purge, replace] {
        let (mut recall, clock, entry) = recall_with_lease(Duration::from_secs(60));
        assert!(answers(&mut recall, &clock));
        let before = recall.known(&meaning(1).key);
        change(&recall);
        assert!(!answers(&mut recall, &clock));
        let head = || StoredHead::of(&entry, Accepted::default(), &EncodingSettings::default());
        recall.lease(
            &digest(1),
            (&entry, before),
            (head(), spared(&entry)),
            clock.now(),
            clock.wall_ms(),
        );
        assert!(!answers(&mut recall, &clock), "asked for before the change");
        let since = recall.known(&meaning(1).key);
        recall.lease(
            &digest(1),
            (&entry, since),
            (head(), spared(&entry)),
            clock.now(),
            clock.wall_ms(),
        );
        assert!(answers(&mut recall, &clock));
    }
}

#[test]
fn a_lease_is_short_while_a_shorter_form_is_being_worked_out() {
    let (mut recall, clock, plain) = recall_with_lease(Duration::from_secs(60));
    let headers =
        vec![Header { name: "content-type".into(), value: Bytes::from_static(b"text/plain") }];
    let entry = Arc::new(Entry {
        headers: headers.into(),
        body: "a ".repeat(600).into(),
        ..(*plain).clone()
    });
    let accepted = Accepted::parse([&b"gzip"[..]].into_iter());
    let head_now = || StoredHead::of(&entry, accepted, &EncodingSettings::default());
    let known = recall.known(&meaning(1).key);
    for (lasts_ms, is_ready) in [(100, false), (1_000, true)] {
        if is_ready {
            entry.encodings.settle(Encoding::Gzip, || Some(Bytes::from_static(b"short")));
        }
        let shown = (head_now(), spared(&entry));
        recall.lease(&digest(1), (&entry, known), shown, clock.now(), clock.wall_ms());
        clock.advance(Duration::from_millis(lasts_ms - 1));
        assert!(answers(&mut recall, &clock), "{lasts_ms}");
        clock.advance(Duration::from_millis(1));
        assert!(!answers(&mut recall, &clock), "{lasts_ms}");
    }
}

/// every hit by a lease is written down once, also where the lease has ended by then.
#[test]
fn hits_by_leases_are_written_down_once_whatever_became_of_the_lease() {
    let (mut recall, clock, entry) = recall_with_lease(Duration::from_secs(60));
    let mut ledger = Ledger::default();
    let mut written = |recall: &mut Recall| {
        recall.write_savings(&mut ledger);
        ledger.total().calls
    };
    assert!(answers(&mut recall, &clock) && answers(&mut recall, &clock));
    assert_eq!(written(&mut recall), 2);
    assert_eq!(written(&mut recall), 2);
    assert!(answers(&mut recall, &clock));
    let head = StoredHead::of(&entry, Accepted::default(), &EncodingSettings::default());
    let known = recall.known(&meaning(1).key);
    let shown = (head, spared(&entry));
    recall.lease(&digest(1), (&entry, known), shown, clock.now(), clock.wall_ms());
    assert!(answers(&mut recall, &clock));
    (2..9).for_each(|number| recall.remember(digest(number), meaning(number)));
    assert_eq!(written(&mut recall), 4, "one by the old lease, one by the new one");
}
