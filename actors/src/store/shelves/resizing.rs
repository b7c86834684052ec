//! Another capacity while the shelves are in use, and less weight at once: in bounded steps, the coldest
//! first.

use std::hash::Hash;

use super::{Shelf, Shelves, part};

/// Entries that one step of shrinking lets go of, about: keeps every operation short.
pub(super) const STEP_ENTRIES: u64 = 512;

impl<K: Copy + Eq + Hash, V> Shelves<K, V> {
    /// Gives the shelves another capacity, at most the plan's ceiling. More is there at once; less is
    /// reached in steps, one with each operation or [`Self::step`], the coldest going first.
    pub fn resize(&mut self, capacity: u64) {
        self.goal = capacity.min(self.plan.ceiling);
        if self.goal > self.plan.capacity {
            self.set_capacity(self.goal);
        }
    }

    /// Goes one bounded step towards the capacity wanted; tells whether it is reached.
    pub fn step(&mut self) -> bool {
        if self.plan.capacity > self.goal {
            let next = self.cool_down(self.goal);
            self.set_capacity(next);
        }
        self.plan.capacity == self.goal
    }

    /// Lets go of what is above `target`, in one bounded step: what nobody has asked for first, then
    /// the coldest of window and main shelf. Returns the weight freed; 0 means that it is done. The
    /// capacity stays as it is.
    pub fn shed(&mut self, target: u64) -> u64 {
        let before = self.weight();
        let floor = self.cool_down(target);
        if self.weight() > floor {
            let capacity = std::mem::replace(&mut self.plan.capacity, floor);
            self.make_room();
            self.plan.capacity = capacity;
        }
        self.make_room();
        before.saturating_sub(self.weight())
    }

    fn set_capacity(&mut self, capacity: u64) {
        self.plan.capacity = capacity;
        if let Some(adaptive) = &mut self.adaptive {
            adaptive.resized(capacity);
        }
        self.make_room();
    }

    /// Lets go of the coldest of the warm and of the main shelf, one step on the way to `target`;
    /// returns the weight that is to be reached by this step.
    fn cool_down(&mut self, target: u64) -> u64 {
        let before = self.entries();
        let floor = self.weight().saturating_sub(self.step_weight()).max(target);
        while self.weight() > floor && self.warm.pop_coldest().is_some() {}
        let all = self.weight().saturating_sub(target);
        let step = self.weight().saturating_sub(floor);
        if step > 0 {
            let rest = target.saturating_sub(self.warm.weight());
            let window = part(rest, self.window_share()).min(self.window.weight());
            let main = self.weight_of(Shelf::Main);
            let of_main = main.saturating_sub(rest.saturating_sub(window));
            let of_step = u128::from(step) * u128::from(of_main) / u128::from(all.max(1));
            self.main.drop_coldest(u64::try_from(of_step).unwrap_or(step), of_main);
        }
        self.evictions += before.saturating_sub(self.entries());
        floor
    }

    /// About what the entries of one step weigh.
    fn step_weight(&self) -> u64 {
        let each = self.weight() / self.entries().max(1);
        each.saturating_mul(STEP_ENTRIES).max(1)
    }
}
