//! Values that many have alike, held once.

use std::collections::VecDeque;

/// Most values that are known at a time.
const MOST: usize = 32;

/// The latest different values. Behind a shared pointer, equal ones take the room of one.
#[derive(Debug)]
pub struct Alike<T> {
    values: VecDeque<T>,
}

impl<T> Default for Alike<T> {
    fn default() -> Self {
        Self { values: VecDeque::new() }
    }
}

impl<T: Clone + PartialEq> Alike<T> {
    /// Returns the equal value that is known, else `value`, which is known from now on.
    pub fn one(&mut self, value: T) -> T {
        if let Some(known) = self.values.iter().find(|known| **known == value) {
            return known.clone();
        }
        if self.values.len() >= MOST {
            self.values.pop_front();
        }
        self.values.push_back(value.clone());
        value
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn equal_values_are_one_and_the_latest_are_known() {
        let mut alike = Alike::default();
        let first = alike.one(Rc::new(0));
        assert!(Rc::ptr_eq(&first, &alike.one(Rc::new(0))));
        for other in 1..=MOST {
            alike.one(Rc::new(other));
        }
        assert!(!Rc::ptr_eq(&first, &alike.one(Rc::new(0))), "it was the oldest");
        assert_eq!(alike.values.len(), MOST);
    }
}
