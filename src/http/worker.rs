//! What one HTTP thread owns: its recall, its samples, its upstream connections.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anteroom_actors::message::Touched;
use anteroom_actors::model::{Access, Encoding, Entry, Sample};
use tokio::runtime::RuntimeMetrics;

use super::access::Memo;
use super::gateway::{Gateway, UnderWay};
use super::hit_texts::HitTexts;
use super::in_force::Held;
use super::nudges::Nudges;
use super::recall::Recall;
use super::samples::Samples;
use crate::savings::Ledger;
use crate::telemetry::{LeaseHits, LeaseHitsTold, LeaseTimes, SentBytes};
use crate::upstream::Forwarder;

/// What there is to tell is told at least so often.
const FLUSH_EVERY: Duration = Duration::from_millis(50);

/// L1 hears of hits by leases at every so many flushes: keys asked for often then come once, with
/// their number.
const FLUSHES_A_TELLING: u8 = 5;

/// One HTTP thread.
pub struct Worker {
    /// What all threads share.
    pub gateway: Arc<Gateway>,
    in_force: RefCell<Rc<Held>>,
    /// Recent requests.
    pub recall: RefCell<Recall>,
    /// Texts that hits have in common.
    pub hit_texts: HitTexts,
    /// Bodies that have no timer yet.
    pub nudges: Nudges,
    /// Client keys seen.
    pub keys_seen: RefCell<Memo>,
    /// Calls that pass the cache by.
    pub forwarder: Forwarder,
    /// Keys the recall digest: nobody outside knows it or sees a digest, so nobody can aim at a
    /// collision, and a keyed hash much faster than the key's own will do.
    pub digest_key: [u64; 4],
    /// Room in which a request's digest is put together.
    pub digest_parts: RefCell<Vec<u8>>,
    under_way: Arc<AtomicUsize>,
    _thread: Arc<RuntimeMetrics>,
    samples: RefCell<Samples>,
    lease_hits: RefCell<Vec<LeaseHits>>,
    sent: Vec<SentBytes>,
    savings: RefCell<Ledger>,
}

impl Worker {
    /// Creates the thread's state and starts its regular flush.
    pub fn start(gateway: Arc<Gateway>, digest_key: [u64; 4]) -> Rc<Self> {
        let in_force = gateway.in_force();
        let cache = &in_force.settings.cache;
        let recall = Recall::new(
            cache.recall_entries,
            cache.recall_lease.get(),
            gateway.topology.purges.clone(),
            gateway.topology.versions.clone(),
        );
        let forwarder = Forwarder::new(&gateway.upstreams, &gateway.clock);
        let under_way = Arc::new(AtomicUsize::new(0));
        gateway.under_way.lock().push(Arc::clone(&under_way));
        let lease_hits = RefCell::new(gateway.metrics.lease_hits());
        let sent = gateway.metrics.sent_bytes();
        let samples = Samples::new(&gateway.recorder.samples, &gateway.topology.learners);
        let thread = gateway.workers.enter();
        let worker = Rc::new(Self {
            gateway,
            in_force: RefCell::new(Rc::new(Held(in_force))),
            recall: RefCell::new(recall),
            hit_texts: HitTexts::new(),
            nudges: Nudges::default(),
            keys_seen: RefCell::new(Memo::new(digest_key)),
            forwarder,
            digest_key,
            digest_parts: RefCell::default(),
            under_way,
            _thread: thread,
            samples: RefCell::new(samples),
            lease_hits,
            sent,
            savings: RefCell::default(),
        });
        let flushed = Rc::downgrade(&worker);
        #[expect(clippy::disallowed_methods, reason = "ends with its thread; only counts")]
        actix_web::rt::spawn(async move {
            let mut every = tokio::time::interval(FLUSH_EVERY);
            for turn in (0..FLUSHES_A_TELLING).cycle() {
                let Some(worker) = flushed.upgrade() else { return };
                worker.nudges.nudge_all();
                worker.flush();
                if turn == 0 {
                    worker.tell_l1();
                }
                drop(worker);
                every.tick().await;
            }
        });
        worker
    }

    /// Returns what is in force. Who asks keeps it to the end of what it does for a request.
    pub fn in_force(&self) -> Rc<Held> {
        let mut held = self.in_force.borrow_mut();
        if self.gateway.current.has_moved_on(&held) {
            *held = Rc::new(Held(self.gateway.in_force()));
            let cache = &held.settings.cache;
            self.recall.borrow_mut().bound(cache.recall_entries, cache.recall_lease.get());
            // Where a key stands in the settings may be where another stood.
            self.keys_seen.replace(Memo::new(self.digest_key));
        }
        Rc::clone(&held)
    }

    /// Counts a request until its response has been sent.
    pub fn enter(&self) -> UnderWay {
        UnderWay::enter(&self.under_way)
    }

    /// Takes down how a request was answered.
    pub fn record(&self, sample: Sample) {
        let is_full = self.samples.borrow_mut().record(sample);
        if is_full {
            self.flush();
        }
    }

    /// Takes down what was asked for, if somebody learns from it.
    pub fn record_access(&self, access: impl FnOnce() -> Access) {
        self.samples.borrow_mut().access(access);
    }

    /// Takes down a hit by a lease, the most frequent answer of all: summed up here, because a
    /// sample of its own would cost more than the rest of its accounting.
    pub fn record_lease_hit(&self, route: usize, total: Duration, access: impl FnOnce() -> Access) {
        if let Some(hits) = self.lease_hits.borrow_mut().get_mut(route) {
            hits.record(total);
        }
        self.samples.borrow_mut().lease_hit(access);
    }

    /// Takes down how many bytes a body has, and before it was encoded.
    pub fn record_sent(&self, route: usize, encoding: Encoding, original: usize, sent: usize) {
        if let Some(bytes) = self.sent.get(route) {
            bytes.record(encoding, original, sent);
        }
    }

    /// Takes down what a hit of `entry` saved: all its call cost, or, where the origin was asked and
    /// the kept answer was served in place of its own, what that would have cost.
    pub fn spare(&self, route: usize, entry: &Entry, was_asked: bool) {
        let model = entry.model.as_deref().unwrap_or_default();
        let call = self.gateway.savings.call_of(entry);
        let mut savings = self.savings.borrow_mut();
        if was_asked {
            savings.hit_in_part(route, model, &call);
        } else {
            savings.hit(route, model, &call);
        }
    }

    fn flush_lease_hits(&self) {
        let mut routes = self.lease_hits.borrow_mut();
        routes.iter_mut().for_each(LeaseHits::flush);
        let untold = routes.iter().enumerate();
        let times: LeaseTimes =
            untold.filter_map(|(route, hits)| Some((route, hits.untold()?))).collect();
        if !times.is_empty() && self.gateway.recorder.lease_hits.tell(LeaseHitsTold { times }) {
            routes.iter_mut().for_each(LeaseHits::told);
        }
    }

    /// Brings what was saved to the gateway's book.
    fn flush_savings(&self) {
        let mut savings = self.savings.borrow_mut();
        self.recall.borrow_mut().write_savings(&mut savings);
        self.gateway.savings.take(&mut savings);
    }

    /// Tells L1 of the hits by leases, so that its recency and frequency stay true.
    fn tell_l1(&self) {
        let hits = self.recall.borrow_mut().take_untold();
        if !hits.is_empty() {
            self.gateway.topology.touched.tell(Touched { hits });
        }
    }

    /// Sends what has come together. What the receivers cannot take is dropped: counting never
    /// waits.
    pub fn flush(&self) {
        self.flush_lease_hits();
        for bytes in &self.sent {
            bytes.flush();
        }
        self.flush_savings();
        self.samples.borrow_mut().tell();
    }
}
