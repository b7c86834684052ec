//! How much the worker threads have to do, as the scaler is told.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anteroom_actors::scaler::{GatewayLoad, Workload};
use parking_lot::Mutex;
use tokio::runtime::{Handle, RuntimeMetrics};

use super::admission::Admission;

/// The requests that wait, and the worker threads.
pub struct Workers {
    admission: Admission,
    threads: Mutex<Vec<Weak<RuntimeMetrics>>>,
}

impl Workers {
    /// Creates an account of no thread.
    pub fn new(admission: Admission) -> Self {
        Self { admission, threads: Mutex::default() }
    }

    /// Takes down the thread this is called on, until what is returned is dropped.
    pub fn enter(&self) -> Arc<RuntimeMetrics> {
        let thread = Arc::new(Handle::current().metrics());
        let mut threads = self.threads.lock();
        threads.retain(|thread| thread.strong_count() > 0);
        threads.push(Arc::downgrade(&thread));
        thread
    }
}

impl Workload for Workers {
    fn load(&self) -> GatewayLoad {
        let threads: Vec<_> = self.threads.lock().iter().filter_map(Weak::upgrade).collect();
        // Each thread has a runtime of its own, with one worker.
        let busy = threads.iter().map(|thread| thread.worker_total_busy_duration(0));
        GatewayLoad {
            in_flight: self.admission.taken(),
            most_in_flight: self.admission.most(),
            busy: busy.fold(Duration::ZERO, Duration::saturating_add),
            workers: threads.len(),
        }
    }
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_count_while_they_are_there_and_are_busy_when_they_work() {
        let admission = Admission::new(5);
        let workers = Workers::new(admission.clone());
        let permit = admission.enter();
        assert_eq!(workers.load().workers, 0);
        actix_rt::System::new().block_on(async {
            let thread = workers.enter();
            let before = workers.load();
            assert_eq!((before.in_flight, before.most_in_flight, before.workers), (1, 5, 1));
            let mut work = 0_u64;
            while workers.load().busy == before.busy {
                work = (0..100_000).fold(work, u64::wrapping_add);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            drop(thread);
        });
        drop(permit);
        assert_eq!((workers.load().workers, workers.load().in_flight), (0, 0));
    }
}
