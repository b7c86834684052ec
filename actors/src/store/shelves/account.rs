//! What is held, counted by the birth and death of each value: nothing that mini-moka does silently
//! (it has no eviction listener, and its own weight can be wrong: DESIGN M2) makes the account wrong.

use std::cell::Cell;
use std::rc::Rc;

/// Weight and number of the values that are alive.
#[derive(Debug, Default)]
pub(super) struct Account {
    weight: Cell<u64>,
    entries: Cell<u64>,
}

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
}

impl<V> Held<V> {
    pub(super) fn new(value: V, weight: u64, account: &Rc<Account>) -> Self {
        account.weight.set(account.weight.get().saturating_add(weight));
        account.entries.set(account.entries.get().saturating_add(1));
        Self { value, weight, account: Rc::clone(account) }
    }
}

impl<V> Drop for Held<V> {
    fn drop(&mut self) {
        self.account.weight.set(self.account.weight.get().saturating_sub(self.weight));
        self.account.entries.set(self.account.entries.get().saturating_sub(1));
    }
}
