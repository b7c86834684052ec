//! What is held, counted by the birth and death of each value: nothing that mini-moka does silently
//! (it has no eviction listener, and its own weight can be wrong: DESIGN M2) makes the account wrong.

use std::cell::Cell;
use std::rc::Rc;

/// Weight and number of the values that are alive.
#[derive(Debug, Default)]
pub(super) struct Account {
    weight: Cell<u64>,
    entries: Cell<u64>,
    /// Uses of any of them.
    uses: Cell<u64>,
}

/// Uses of any value after which a use counts half, in values held: about as long as mini-moka's
/// sketch remembers.
const HALF_LIFE: f32 = 10.0;

impl Account {
    pub(super) fn weight(&self) -> u64 {
        self.weight.get()
    }

    pub(super) fn entries(&self) -> u64 {
        self.entries.get()
    }
}

/// A value, on the account while it lives.
#[derive(Debug)]
pub(super) struct Held<V> {
    pub(super) value: V,
    pub(super) weight: u64,
    account: Rc<Account>,
    /// Uses until `used_at`, older ones for less.
    uses: Cell<f32>,
    /// The low half of the account's uses at the last of them: four thousand million later it would be
    /// taken for a new one.
    used_at: Cell<u32>,
}

impl<V> Held<V> {
    pub(super) fn new(value: V, weight: u64, account: &Rc<Account>) -> Self {
        account.weight.set(account.weight.get().saturating_add(weight));
        account.entries.set(account.entries.get().saturating_add(1));
        let used_at = Cell::new(low_half(account.uses.get()));
        Self { value, weight, account: Rc::clone(account), uses: Cell::new(1.0), used_at }
    }

    /// Counts a use.
    pub(super) fn used(&self) {
        self.uses.set(self.warmth() + 1.0);
        let uses = self.account.uses.get() + 1;
        self.account.uses.set(uses);
        self.used_at.set(low_half(uses));
    }

    /// Returns how often it was used, older uses for less.
    pub(super) fn warmth(&self) -> f32 {
        let since = low_half(self.account.uses.get()).wrapping_sub(self.used_at.get());
        let half_life = HALF_LIFE * as_float(self.account.entries.get().max(1));
        self.uses.get() * (-as_float(since.into()) / half_life).exp2()
    }
}

impl<V> Drop for Held<V> {
    fn drop(&mut self) {
        self.account.weight.set(self.account.weight.get().saturating_sub(self.weight));
        self.account.entries.set(self.account.entries.get().saturating_sub(1));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is wanted")]
const fn low_half(number: u64) -> u32 {
    number as u32
}

#[expect(clippy::cast_precision_loss, reason = "one use in millions makes no difference")]
const fn as_float(number: u64) -> f32 {
    number as f32
}
