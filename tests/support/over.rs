//! The end of what threads of a test go on with until they are told.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sets what it holds when it is dropped: also where the test panics, or the threads would go on for ever.
pub struct Over<'a>(pub &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
