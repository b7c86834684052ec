//! Counts tasks under way on one thread, and says when there are none.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

/// A count of tasks. Clones count together.
#[derive(Debug, Clone, Default)]
pub(super) struct InFlight(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    count: Cell<u64>,
    none: Notify,
}

/// One task, counted while this lives.
#[derive(Debug)]
pub(super) struct Counted(Rc<Inner>);

impl InFlight {
    /// Counts a task.
    pub(super) fn enter(&self) -> Counted {
        self.0.count.set(self.0.count.get() + 1);
        Counted(Rc::clone(&self.0))
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> u64 {
        self.0.count.get()
    }

    /// Resolves when there are none. The asker's deadline bounds the wait.
    pub(super) async fn none(&self) {
        while self.count() > 0 {
            self.0.none.notified().await;
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let left = self.0.count.get().saturating_sub(1);
        self.0.count.set(left);
        if left == 0 {
            self.0.none.notify_waiters();
        }
    }
}
