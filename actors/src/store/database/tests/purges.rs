//! Purges in either database, and the erasing of rows.

use super::*;
use crate::model::{Label, LabelKind, Labels};

fn tag(name: &str) -> Label {
    Label::new(LabelKind::Tag, name.as_bytes())
}

fn record(name: &str, generation: u64) -> PurgeRecord {
    PurgeRecord { label: tag(name), generation }
}

async fn all(database: &Database) -> Vec<PurgeRecord> {
    let mut all = database.purges_since(0).await.unwrap().0;
    all.sort_by_key(|record| record.generation);
    all
}

/// Tends the database, as its level does a few times a second, until `holds`.
async fn erased(database: &Database, holds: impl Fn(&DatabaseSnapshot) -> bool) {
    until(database, |now| {
        database.tend();
        holds(now)
    })
    .await;
}

#[tokio::test]
async fn a_reader_sees_each_record_once_however_late_it_comes() {
    on_each(async |settings| {
        let database = Database::start(&settings, Purges::default(), ManualClock::new());
        let put = async |records: &[PurgeRecord], forget_before| {
            database.record_purges(records.into(), forget_before).await.unwrap()
        };
        assert_eq!(database.purges_since(0).await, Ok((Vec::new(), 0)));
        assert_eq!(put(&[record("a", 500), record("b", 510)], 0).await, 510);
        let (seen, read) = database.purges_since(0).await.unwrap();
        assert_eq!(seen.len(), 2);
        // Below what was seen already.
        assert_eq!(put(&[record("c", 400)], 0).await, 510);
        let (seen, read) = database.purges_since(read).await.unwrap();
        assert_eq!(seen, [record("c", 400)]);
        // No news: the later one stays.
        assert_eq!(put(&[record("a", 300)], 0).await, 510);
        assert_eq!(database.purges_since(read).await, Ok((Vec::new(), read)));
        assert_eq!(put(&[record("a", 520)], 505).await, 520);
        assert_eq!(all(&database).await, [record("b", 510), record("a", 520)]);
        // All are too old: the last change stays, and later ones are still later.
        assert_eq!(put(&[], 1_000).await, 520);
        let (seen, read) = database.purges_since(read).await.unwrap();
        assert_eq!(seen, [record("a", 520)]);
        put(&[record("d", 2_000)], 1_000).await;
        assert_eq!(database.purges_since(read).await.unwrap().0, [record("d", 2_000)]);
        drop(database);

        // known before the first lookup of a later start is answered.
        let purges = Purges::default();
        let database = Database::start(&settings, purges.clone(), ManualClock::new());
        assert_eq!(get(&database, 1).await, None);
        assert_eq!(purges.generation(), 2_000);
    })
    .await;
}

#[tokio::test]
async fn rows_are_erased_by_label_by_key_and_all_in_small_steps() {
    on_each(async |settings| {
        let (purges, clock) = (Purges::default(), ManualClock::new());
        let database = Database::start(&settings, purges.clone(), clock.clone());
        let put_tagged = |numbers: std::ops::Range<u8>, generation| {
            for number in numbers {
                let name = if number % 2 == 0 { "even" } else { "odd" };
                let labels = Labels { generation, names: (vec![tag("each"), tag(name)]).into() };
                let made = Entry { labels, ..(*entry(number, HOUR)).clone() };
                database.put(Arc::new(made)).unwrap();
            }
        };
        put_tagged(0..40, 0);
        database.flushed().await;
        let record = purges.purge(tag("odd"), 1_000);
        // Made since, in the place of one that was purged.
        put_tagged(1..2, record.generation);
        database.flushed().await;
        erased(&database, |now| (now.erased, now.entries) == (19, 21)).await;
        assert!(get(&database, 1).await.is_some() && get(&database, 3).await.is_none());
        assert!(get(&database, 2).await.is_some());

        purges.purge(Label::of_key(&CacheKey::new([2; 32])), 1_000);
        erased(&database, |now| (now.erased, now.entries) == (20, 20)).await;
        assert_eq!(get(&database, 2).await, None);

        purges.purge(Label::ALL, 1_000);
        erased(&database, |now| (now.erased, now.entries, now.bytes) == (40, 0, 0)).await;
    })
    .await;
}
