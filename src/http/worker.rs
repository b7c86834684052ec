//! What one HTTP thread owns: its recall, its samples, its upstream connections.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anteroom_actors::message::Touched;
use anteroom_actors::model::{CacheKey, Sample, SampleBatch};

use super::gateway::{Gateway, UnderWay};
use super::recall::Recall;
use crate::upstream::Forwarder;

/// Samples and touches leave when so many have come together.
const BATCH: usize = 512;

/// And at least so often.
const FLUSH_EVERY: Duration = Duration::from_millis(50);

/// One HTTP thread.
pub struct Worker {
    /// What all threads share.
    pub gateway: Arc<Gateway>,
    /// Recent requests.
    pub recall: RefCell<Recall>,
    /// Calls that pass the cache by.
    pub forwarder: Forwarder,
    /// Keys the recall digest: nobody outside knows it or sees a digest, so nobody can aim at a
    /// collision, and a keyed hash much faster than the key's own will do.
    pub digest_key: [u64; 4],
    under_way: Arc<AtomicUsize>,
    samples: RefCell<Vec<Sample>>,
    dropped: RefCell<u64>,
    touched: RefCell<Vec<CacheKey>>,
}

impl Worker {
    /// Creates the thread's state and starts its regular flush.
    pub fn start(gateway: Arc<Gateway>, digest_key: [u64; 4]) -> Rc<Self> {
        let cache = &gateway.settings.cache;
        let recall = Recall::new(cache.recall_entries, cache.recall_lease.get());
        let forwarder = Forwarder::new(&gateway.upstreams, &gateway.clock);
        let under_way = Arc::new(AtomicUsize::new(0));
        gateway.under_way.lock().push(Arc::clone(&under_way));
        let worker = Rc::new(Self {
            gateway,
            recall: RefCell::new(recall),
            forwarder,
            digest_key,
            under_way,
            samples: RefCell::default(),
            dropped: RefCell::default(),
            touched: RefCell::default(),
        });
        let flushed = Rc::downgrade(&worker);
        #[expect(clippy::disallowed_methods, reason = "ends with its thread; only counts")]
        actix_web::rt::spawn(async move {
            let mut every = tokio::time::interval(FLUSH_EVERY);
            while let Some(worker) = flushed.upgrade() {
                worker.flush();
                drop(worker);
                every.tick().await;
            }
        });
        worker
    }

    /// Counts a request until its response has been sent.
    pub fn enter(&self) -> UnderWay {
        UnderWay::enter(&self.under_way)
    }

    /// Takes down how a request was answered.
    pub fn record(&self, sample: Sample) {
        let mut samples = self.samples.borrow_mut();
        samples.push(sample);
        if samples.len() >= BATCH {
            drop(samples);
            self.flush();
        }
    }

    /// Notes a hit that L1 has not seen.
    pub fn touch(&self, key: CacheKey) {
        let mut touched = self.touched.borrow_mut();
        touched.push(key);
        if touched.len() >= BATCH {
            let keys = mem::take(&mut *touched);
            drop(touched);
            self.gateway.topology.touched.tell(Touched { keys });
        }
    }

    /// Sends what has come together. What the receivers cannot take is dropped: counting never
    /// waits.
    pub fn flush(&self) {
        let keys = mem::take(&mut *self.touched.borrow_mut());
        if !keys.is_empty() {
            self.gateway.topology.touched.tell(Touched { keys });
        }
        let samples = mem::take(&mut *self.samples.borrow_mut());
        if samples.is_empty() {
            return;
        }
        let num = u64::try_from(samples.len()).unwrap_or(u64::MAX);
        let dropped = mem::take(&mut *self.dropped.borrow_mut());
        if !self.gateway.recorder.tell(SampleBatch { samples, dropped }) {
            *self.dropped.borrow_mut() += dropped + num;
        }
    }
}
