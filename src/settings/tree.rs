//! Settings before they have types: a tree of maps, lists and scalars.

use std::fmt;

use serde_json::{Map, Value};

/// One step from a map or a list to what lies in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// Into a map.
    Name(String),
    /// Into a list, from 0.
    Index(usize),
}

/// The way from the root to a value; prints as `routes[0].path`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KeyPath(pub Vec<Step>);

impl KeyPath {
    /// Makes a path of map keys.
    pub fn of_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self(names.into_iter().map(|name| Step::Name(name.to_owned())).collect())
    }

    /// Returns the path one step further.
    pub fn then(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// Returns the path one step less, if there is one.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_last().map(|(_, way)| Self(way.to_vec()))
    }

    /// Tells whether the path goes through a list.
    pub fn is_in_list(&self) -> bool {
        self.0.iter().any(|step| matches!(step, Step::Index(_)))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Name(name) if position == 0 => f.write_str(name)?,
                Step::Name(name) => write!(f, ".{name}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// Returns the value at `path`.
pub(super) fn get<'t>(tree: &'t Value, path: &KeyPath) -> Option<&'t Value> {
    path.0.iter().try_fold(tree, |here, step| match step {
        Step::Name(name) => here.get(name),
        Step::Index(index) => here.get(index),
    })
}

/// Puts `value` at `path`, merged into the map that may be there. Where the way is barred by
/// something that is no map, nothing is put: that something is a mistake to be told.
pub(super) fn put(tree: &mut Value, path: &KeyPath, value: Value) {
    let mut here = tree;
    for step in &path.0 {
        let Step::Name(name) = step else { return };
        if here.is_null() {
            *here = Value::Object(Map::new());
        }
        let Value::Object(map) = here else { return };
        here = map.entry(name.clone()).or_insert(Value::Null);
    }
    merge(here, value);
}

/// Lays `over` on `base`: maps member by member, anything else whole.
fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (name, value) in over {
                merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, over) => *base = over,
    }
}

/// Removes the member of a map at `path`; tells whether it was there.
pub(super) fn remove(tree: &mut Value, path: &KeyPath) -> bool {
    let Some((Step::Name(last), way)) = path.0.split_last() else { return false };
    let map = way.iter().try_fold(tree, |here, step| match step {
        Step::Name(name) => here.get_mut(name),
        Step::Index(index) => here.get_mut(index),
    });
    map.and_then(Value::as_object_mut).is_some_and(|map| map.remove(last).is_some())
}

/// Removes map members without a value (`l2:` with nothing below it): they mean "as if absent".
pub(super) fn prune(tree: &mut Value) {
    match tree {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(prune);
        }
        Value::Array(list) => list.iter_mut().for_each(prune),
        _ => {}
    }
}

/// Calls `visit` for every scalar, empty map and empty list, with its path.
pub(super) fn leaves(tree: &Value, visit: &mut impl FnMut(&KeyPath, &Value)) {
    walk(tree, &KeyPath::default(), true, visit);
}

/// Calls `visit` for every value that is set as one: scalars, empty maps, and lists whole.
pub(super) fn values_set(tree: &Value, base: &KeyPath, visit: &mut impl FnMut(&KeyPath, &Value)) {
    walk(tree, base, false, visit);
}

fn walk(here: &Value, at: &KeyPath, into: bool, visit: &mut impl FnMut(&KeyPath, &Value)) {
    match here {
        Value::Object(map) if !map.is_empty() => {
            for (name, value) in map {
                walk(value, &at.then(Step::Name(name.clone())), into, visit);
            }
        }
        Value::Array(list) if into && !list.is_empty() => {
            for (index, value) in list.iter().enumerate() {
                walk(value, &at.then(Step::Index(index)), into, visit);
            }
        }
        value => visit(at, value),
    }
}
