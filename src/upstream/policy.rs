//! Which answers of a route are kept, as its deployer says.

use std::collections::BTreeMap;
use std::time::Duration;

use regex::Regex;
use serde_json::Value;

use super::sse::Events;
use crate::canonical::Profile;
use crate::forms::events_to_object;
use crate::settings::{Reject, Route};

/// A route's word on answers, ready for use.
#[derive(Debug, Default)]
pub struct AnswerPolicy {
    negative: BTreeMap<u16, Duration>,
    reject: Vec<Rule>,
    /// Largest body, in bytes.
    max_entry: Option<usize>,
}

/// An answer that is not kept: `pattern` finds something at `pointer`.
#[derive(Debug)]
struct Rule {
    pointer: String,
    pattern: Regex,
}

impl AnswerPolicy {
    /// Compiles what `route` says; `None` where it says nothing. Rules that do not compile, which
    /// checked settings do not hold, are left out.
    pub fn of(route: &Route) -> Option<Self> {
        let negative = route.negative.iter().filter_map(|(status, lifetime)| {
            status.parse().ok().map(|status| (status, lifetime.get()))
        });
        let policy = Self {
            negative: negative.collect(),
            reject: route.reject.iter().filter_map(Rule::of).collect(),
            max_entry: route.max_entry.map(|size| size.as_usize()),
        };
        let says_nothing =
            policy.negative.is_empty() && policy.reject.is_empty() && policy.max_entry.is_none();
        (!says_nothing).then_some(policy)
    }

    /// Returns how long an answer of `status`, which is no success, is kept.
    pub fn negative(&self, status: u16) -> Option<Duration> {
        self.negative.get(&status).copied()
    }

    /// Tells whether `body` is larger than what is kept.
    pub fn is_too_large(&self, body: &[u8]) -> bool {
        self.max_entry.is_some_and(|most| body.len() > most)
    }

    /// Tells whether a rule refuses a whole body. A stream of an API whose forms convert is looked at
    /// as the object it makes, so that a text cut into pieces is found; any other event by event.
    pub fn rejects(&self, profile: Profile, is_stream: bool, body: &[u8]) -> bool {
        if self.reject.is_empty() {
            return false;
        }
        if !is_stream {
            return self.rejects_value(body);
        }
        match events_to_object(profile, body) {
            Ok(object) => self.rejects_value(object.as_ref()),
            Err(_) => Events::new(body).any(|event| self.rejects_value(&event.data)),
        }
    }

    /// Looks into one JSON value; what is none has a whole, and no parts.
    fn rejects_value(&self, bytes: &[u8]) -> bool {
        let whole = self.reject.iter().filter(|rule| rule.pointer.is_empty());
        let text = String::from_utf8_lossy(bytes);
        if whole.into_iter().any(|rule| rule.pattern.is_match(&text)) {
            return true;
        }
        let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return false };
        self.reject.iter().filter(|rule| !rule.pointer.is_empty()).any(|rule| rule.finds_in(&value))
    }
}

impl Rule {
    fn of(reject: &Reject) -> Option<Self> {
        let pattern = reject.compile().ok()?;
        Some(Self { pointer: reject.pointer.clone(), pattern })
    }

    fn finds_in(&self, value: &Value) -> bool {
        match value.pointer(&self.pointer) {
            None => false,
            Some(Value::String(text)) => self.pattern.is_match(text),
            Some(other) => self.pattern.is_match(&other.to_string()),
        }
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
