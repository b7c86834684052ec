use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::yield_now;

use super::*;
use crate::model::MemoryBudget;
use crate::resolver::reader::{FlightHead, Whole};
use crate::resolver::writer::NobodyReads;
use crate::settings::{EncodingSettings, FlightSettings};

fn settings() -> FlightSettings {
    FlightSettings {
        level_budget: Duration::from_millis(45),
        l2_timeout: Duration::from_millis(20),
        fetch_threads: 1,
        finish_after_disconnect: Duration::from_secs(60),
        max_orphans: 2,
        max_entry_bytes: 100,
        window_bytes: 50,
        reader_timeout: Duration::from_secs(30),
        unshareable_for: Duration::from_secs(60),
        replica_lease: Duration::from_secs(5),
        replica_wait: Duration::from_secs(30),
        max_unshareable: 16,
        encoding: EncodingSettings::default(),
    }
}

fn head(streamed: bool) -> Head {
    Head { status: 200, headers: Vec::new(), streamed }
}

fn lead() -> (FlightWriter, Reader) {
    Flight::lead(CacheKey::new([1; 32]), Labels::default())
}

async fn read_all(reader: &mut Reader) -> (Vec<u8>, Option<OriginError>) {
    let mut read = Vec::new();
    while let Some(piece) = reader.next().await {
        match piece {
            Ok(piece) => read.extend_from_slice(&piece),
            Err(error) => return (read, Some(error)),
        }
    }
    (read, None)
}

fn on_one_thread(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(test);
}

#[test]
fn a_late_follower_reads_from_the_first_byte() {
    // streams are shared too.
    on_one_thread(async {
        let (writer, mut leader) = lead();
        writer.open(head(true), true);
        writer.push(Bytes::from_static(b"one "), &settings()).await.unwrap();
        let mut follower = writer.flight().join().expect("still joinable");
        assert_eq!(follower.role(), Role::Follows);
        writer.push(Bytes::from_static(b"two"), &settings()).await.unwrap();
        let whole = writer.whole();
        writer.land(Kept::For(Duration::from_secs(1)), whole);
        for reader in [&mut leader, &mut follower] {
            assert!(matches!(reader.head().await, FlightHead::Open(_)));
            assert_eq!(read_all(reader).await, (b"one two".to_vec(), None));
            assert!(matches!(reader.whole().await, Whole::Complete(body, _) if body == "one two"));
        }
    });
}

#[test]
fn a_leader_that_leaves_disturbs_nobody() {
    // the answer is finished and kept for the others and the next.
    on_one_thread(async {
        let (writer, leader) = lead();
        let mut follower = writer.flight().join().unwrap();
        drop(leader);
        writer.open(head(true), true);
        writer.push(Bytes::from_static(b"all of it"), &settings()).await.unwrap();
        let whole = writer.whole();
        writer.land(Kept::Not("test"), whole);
        assert_eq!(read_all(&mut follower).await, (b"all of it".to_vec(), None));
    });
}

#[test]
fn a_flight_dropped_without_a_word_is_dangling_for_everyone() {
    on_one_thread(async {
        let (writer, mut leader) = lead();
        let mut follower = writer.flight().join().unwrap();
        let flight = Arc::clone(writer.flight());
        drop(writer);
        assert!(matches!(leader.head().await, FlightHead::Dangling { called: false }));
        assert!(matches!(follower.head().await, FlightHead::Dangling { called: false }));
        assert!(flight.join().is_none());
    });
}

#[test]
fn a_failure_reaches_everyone_and_nobody_joins_after_it() {
    on_one_thread(async {
        let (writer, mut leader) = lead();
        let mut follower = writer.flight().join().unwrap();
        let flight = Arc::clone(writer.flight());
        let error = OriginError::Internal { upstream: "u".to_owned() };
        writer.fail(error.clone());
        for reader in [&mut leader, &mut follower] {
            assert!(matches!(reader.head().await, FlightHead::Failed(seen) if seen == error));
        }
        assert!(flight.join().is_none());
    });
}

#[test]
fn a_failure_after_the_head_cuts_the_body() {
    on_one_thread(async {
        let (writer, mut leader) = lead();
        writer.open(head(true), true);
        writer.push(Bytes::from_static(b"half"), &settings()).await.unwrap();
        let error = OriginError::Cut { upstream: "u".to_owned(), reason: "test" };
        writer.fail(error.clone());
        assert!(matches!(leader.head().await, FlightHead::Open(_)));
        assert_eq!(read_all(&mut leader).await, (b"half".to_vec(), Some(error)));
    });
}

#[test]
fn followers_of_what_cannot_be_shared_go_alone_and_the_leader_goes_on() {
    // a private answer never reaches a follower.
    on_one_thread(async {
        let (writer, mut leader) = lead();
        let mut follower = writer.flight().join().unwrap();
        writer.open(head(true), false);
        assert!(matches!(follower.head().await, FlightHead::GoAlone));
        assert!(matches!(leader.head().await, FlightHead::Open(_)));
        assert!(writer.flight().join().is_none());
    });
}

#[test]
fn past_the_cap_a_flight_passes_on_and_the_slowest_reader_presses_back() {
    // a huge answer passes in bounded memory.
    on_one_thread(async {
        let (writer, mut leader) = lead();
        let flight = Arc::clone(writer.flight());
        writer.open(head(false), true);
        let writing = tokio::task::LocalSet::new();
        let written = std::rc::Rc::new(std::cell::Cell::new(0));
        let count = std::rc::Rc::clone(&written);
        writing.spawn_local(async move {
            for _ in 0..20 {
                writer.push(Bytes::from(vec![b'x'; 30]), &settings()).await.unwrap();
                count.set(count.get() + 1);
            }
            assert_eq!(writer.whole(), None, "too large to keep");
            writer.land(Kept::Not("too-large"), None);
        });
        writing
            .run_until(async {
                for _ in 0..50 {
                    yield_now().await;
                }
                assert_eq!(written.get(), 3, "waits for the reader, with the cap in memory");
                assert!(flight.join().is_none(), "its first bytes may be gone soon");
                let (body, error) = read_all(&mut leader).await;
                assert_eq!((body.len(), error), (600, None));
            })
            .await;
        assert_eq!(written.get(), 20);
    });
}

#[test]
fn an_answer_for_which_there_is_no_memory_passes_on_in_what_there_is() {
    on_one_thread(async {
        const PIECE: usize = 32 * 1024;
        let budget = MemoryBudget::new(256 * 1024);
        let settings =
            FlightSettings { max_entry_bytes: 1 << 20, window_bytes: 1 << 20, ..settings() };
        let (writer, mut leader) = lead();
        let flight = Arc::clone(writer.flight());
        writer.account_to(&budget);
        writer.open(head(false), true);
        // Twice what is above the first 32 KiB, within three quarters of the budget: 128 KiB.
        for _ in 0..4 {
            writer.push(Bytes::from(vec![b'x'; PIECE]), &settings).await.unwrap();
        }
        assert_eq!(budget.report().reserved_bytes, 192 * 1024);
        assert!(flight.join().is_some());
        assert_eq!(writer.only_passes_on(), None);
        writer.push(Bytes::from(vec![b'x'; PIECE]), &settings).await.unwrap();
        assert_eq!(writer.only_passes_on(), Some("memory-short"));
        assert!(flight.join().is_none(), "its first bytes may be gone soon");
        assert!(matches!(leader.whole().await, Whole::PassingOn("memory-short")));
        assert_eq!(budget.report().reserved_bytes, 128 * 1024, "no second copy to come");

        let others = budget.try_reserve(128 * 1024).expect("what is left");
        let mut last = Box::pin(writer.push(Bytes::from(vec![b'x'; PIECE]), &settings));
        assert!(last.as_mut().now_or_never().is_none(), "the reader has to make room");
        for _ in 0..6 {
            assert_eq!(leader.next().await.unwrap().unwrap().len(), PIECE);
        }
        assert_eq!(last.as_mut().now_or_never(), Some(Ok(())));
        drop(last);
        assert_eq!(budget.report().reserved_bytes, others.bytes());
        writer.land(Kept::Not("memory-short"), None);
        assert!(leader.next().await.is_none());
    });
}

#[test]
fn the_memory_of_an_answer_is_reserved_until_nobody_holds_it() {
    on_one_thread(async {
        let budget = MemoryBudget::new(1 << 20);
        let settings = FlightSettings { max_entry_bytes: 1 << 20, ..settings() };
        let (writer, leader) = lead();
        writer.account_to(&budget);
        writer.open(head(false), true);
        writer.push(Bytes::from(vec![b'x'; 64 * 1024]), &settings).await.unwrap();
        let whole = writer.whole();
        writer.land(Kept::For(Duration::from_secs(1)), whole);
        let hold = leader.hold();
        drop(leader);
        assert_eq!(budget.report().reserved_bytes, 64 * 1024);
        drop(hold);
        assert_eq!(budget.report().reserved_bytes, 0);
    });
}

#[test]
fn a_reader_that_reads_no_more_is_cut_and_the_others_go_on() {
    on_one_thread(async {
        let (writer, mut leader) = lead();
        let mut stuck = writer.flight().join().unwrap();
        writer.open(head(false), true);
        let writing = tokio::task::LocalSet::new();
        writing.spawn_local(async move {
            for _ in 0..20 {
                writer.push(Bytes::from(vec![b'x'; 30]), &settings()).await.unwrap();
            }
            writer.land(Kept::Not("too-large"), None);
        });
        writing
            .run_until(async {
                let (body, error) = read_all(&mut leader).await;
                assert_eq!((body.len(), error), (600, None));
            })
            .await;
        let cut = stuck.next().await;
        assert!(matches!(cut, Some(Err(OriginError::TooLarge { .. }))), "{cut:?}");
    });
}

#[test]
fn a_flight_that_only_passes_on_ends_with_its_last_reader() {
    on_one_thread(async {
        let (writer, leader) = lead();
        writer.open(head(false), true);
        drop(leader);
        let pushed = writer.push(Bytes::from(vec![b'x'; 101]), &settings()).await;
        assert_eq!(pushed, Err(NobodyReads));
    });
}

#[test]
fn desertion_and_return_are_noticed() {
    on_one_thread(async {
        let (writer, leader) = lead();
        let deserted = tokio::time::timeout(Duration::from_secs(1), writer.until_deserted());
        assert!(deserted.await.is_err(), "somebody reads");
        drop(leader);
        writer.until_deserted().await;
        let _back = writer.flight().join().unwrap();
        writer.until_read().await;
    });
}
