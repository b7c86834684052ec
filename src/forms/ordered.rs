//! Members of an object that is being put together, in the order in which they came.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::json::Raw;

/// Named values in the order of their first mention.
pub(super) struct Ordered<'a, V> {
    by_name: BTreeMap<Cow<'a, str>, (usize, V)>,
}

impl<V> Default for Ordered<'_, V> {
    fn default() -> Self {
        Self { by_name: BTreeMap::new() }
    }
}

impl<'a, V> Ordered<'a, V> {
    /// Returns the place of a name, which holds `initial` at its first mention.
    pub(super) fn slot(&mut self, name: Cow<'a, str>, initial: V) -> &mut V {
        let order = self.by_name.len();
        &mut self.by_name.entry(name).or_insert((order, initial)).1
    }

    pub(super) fn get(&self, name: &str) -> Option<&V> {
        self.by_name.get(name).map(|(_, value)| value)
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn in_order(&self) -> impl Iterator<Item = (&str, &V)> {
        let mut members: Vec<_> = self.by_name.iter().collect();
        members.sort_unstable_by_key(|(_, (order, _))| *order);
        members.into_iter().map(|(name, (_, value))| (name.as_ref(), value))
    }

    /// Returns the values by their names as numbers, as far as they are written plainly.
    pub(super) fn into_numeric_order(self) -> impl Iterator<Item = V> {
        let mut members: Vec<_> = self.by_name.into_iter().collect();
        members.sort_by(|(one, _), (other, _)| (one.len(), one).cmp(&(other.len(), other)));
        members.into_iter().map(|(_, (_, value))| value)
    }
}

impl<'a> Ordered<'a, Raw<'a>> {
    /// Reads the members of an object; of two with one name the last counts.
    pub(super) fn of(object: Raw<'a>) -> Self {
        let mut members = Self::default();
        for member in object.members() {
            *members.slot(member.name, Raw::NULL) = member.value;
        }
        members
    }
}
