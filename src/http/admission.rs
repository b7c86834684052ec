//! A bound on requests that wait for a level or an upstream. Hits never wait, so they are never
//! shed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Gives out at most so many permits at a time.
#[derive(Debug, Clone)]
pub struct Admission {
    taken: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// A permit; given back when dropped.
#[derive(Debug)]
pub struct Permit(Arc<AtomicUsize>);

impl Admission {
    /// Creates a bound of `most`.
    pub fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most: Arc::new(AtomicUsize::new(most)) }
    }

    /// Takes a permit, or `None` when all are taken.
    pub fn enter(&self) -> Option<Permit> {
        let permit = Permit(Arc::clone(&self.taken));
        let before = self.taken.fetch_add(1, Ordering::Relaxed);
        (before < self.most()).then_some(permit)
    }

    /// Sets the bound for requests from now on; those that are in stay.
    pub fn bound(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Returns how many permits there are.
    pub fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }

    /// Tells whether at least half of the permits are taken.
    pub fn is_half_taken(&self) -> bool {
        self.taken() >= self.most().div_ceil(2)
    }

    /// Returns how many permits are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_end_at_the_bound_and_come_back() {
        let admission = Admission::new(2);
        assert!(!admission.is_half_taken());
        let first = admission.enter();
        let second = admission.enter();
        assert!(first.is_some() && second.is_some() && admission.is_half_taken());
        assert!(admission.enter().is_none());
        assert_eq!(admission.taken(), 2, "a refusal takes nothing");
        drop(first);
        assert!(admission.is_half_taken());
        assert!(admission.enter().is_some());
        admission.clone().bound(1);
        assert!(admission.enter().is_none(), "one is in");
        admission.bound(3);
        assert!(admission.enter().is_some() && !admission.is_half_taken());
    }
}
