use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Context, Handler};
use anteroom_actors::model::{CacheKey, Level, Outcome};
use parking_lot::Mutex;

use super::*;

/// Keeps what it is told.
#[derive(Default)]
struct Keeper(Arc<Mutex<Vec<SampleBatch>>>);

impl Actor for Keeper {
    type Context = Context<Self>;
}

impl Handler<SampleBatch> for Keeper {
    type Result = ();

    fn handle(&mut self, batch: SampleBatch, _ctx: &mut Self::Context) {
        self.0.lock().push(batch);
    }
}

fn sample(route: usize) -> Sample {
    Sample {
        route,
        outcome: Outcome::Miss,
        status: 200,
        total: Duration::ZERO,
        lookups: [None; 3],
        upstream: None,
        upstream_error: None,
        discarded: None,
    }
}

fn access(number: u8) -> Access {
    Access {
        key: CacheKey::new([number; 32]),
        scope: 1,
        session: 1,
        fresh_until_ms: 0,
        size_bytes: 2,
        outcome: Outcome::Hit(Level::L1),
    }
}

fn never() -> Access {
    panic!("nobody learns")
}

async fn told(keeper: &Arc<Mutex<Vec<SampleBatch>>>, batches: usize) -> Vec<SampleBatch> {
    while keeper.lock().len() < batches {
        tokio::task::yield_now().await;
    }
    std::mem::take(&mut *keeper.lock())
}

#[actix_web::test]
async fn who_is_away_misses_what_is_told_and_hears_how_much() {
    let (recorder, learner) = (Slot::empty(), Slot::empty());
    let mut samples = Samples::new(&recorder, std::slice::from_ref(&learner));
    let kept = Arc::new(Mutex::new(Vec::new()));
    recorder.put(Keeper(Arc::clone(&kept)).start().recipient());
    for number in 0..3 {
        assert!(!samples.record(sample(number)));
        samples.access(|| access(7));
    }
    samples.tell();
    let batch = told(&kept, 1).await.remove(0);
    assert_eq!(batch.samples.iter().map(|sample| sample.route).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!((batch.dropped, batch.dropped_accesses, batch.accesses.len()), (0, 0, 3));

    let learned = Arc::new(Mutex::new(Vec::new()));
    learner.put(Keeper(Arc::clone(&learned)).start().recipient());
    samples.access(|| access(8));
    samples.tell();
    let batch = told(&learned, 1).await.remove(0);
    assert_eq!((batch.dropped, batch.dropped_accesses), (3, 3));
    assert_eq!(*batch.accesses, [access(8)]);
    assert_eq!(told(&kept, 1).await.remove(0).dropped, 0);
}

#[actix_web::test]
async fn a_busy_moment_is_told_in_part_and_its_misses_come_first() {
    let (recorder, learner) = (Slot::empty(), Slot::empty());
    let mut samples = Samples::new(&recorder, std::slice::from_ref(&learner));
    let learned = Arc::new(Mutex::new(Vec::new()));
    learner.put(Keeper(Arc::clone(&learned)).start().recipient());
    for _ in 0..5_000 {
        samples.lease_hit(|| access(1));
    }
    samples.access(|| access(2));
    samples.tell();
    samples.lease_hit(|| access(3));
    samples.tell();
    let batches = told(&learned, 2).await;
    assert_eq!(batches[0].accesses.len(), MOST_LEASE_HITS + 1);
    assert_eq!(batches[0].accesses.last(), Some(&access(2)));
    assert_eq!(batches[0].dropped_accesses, 5_000 - 256);
    assert_eq!((batches[1].accesses.len(), batches[1].dropped_accesses), (1, 0));
}

#[actix_web::test]
async fn where_nobody_learns_nothing_is_taken_down() {
    let recorder = Slot::empty();
    let kept = Arc::new(Mutex::new(Vec::new()));
    recorder.put(Keeper(Arc::clone(&kept)).start().recipient());
    let mut samples = Samples::new(&recorder, &[]);
    samples.access(never);
    for _ in 0..1_000 {
        samples.lease_hit(never);
    }
    let fills = (0..BATCH).map(|number| samples.record(sample(number))).collect::<Vec<_>>();
    assert_eq!(fills.iter().position(|full| *full), Some(BATCH - 1));
    samples.tell();
    let batch = told(&kept, 1).await.remove(0);
    assert_eq!((batch.samples.len(), batch.accesses.len()), (BATCH, 0));
    assert_eq!((batch.dropped, batch.dropped_accesses), (0, 0));
}
