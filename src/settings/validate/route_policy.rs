//! Which answers a route keeps: statuses, patterns and sizes.

use super::Check;
use crate::settings::{ByteSize, Reject, Route};

/// What may be kept though it is no success, in words.
const STATUSES: &str = "a status 300–599, but 304, 401, 403, 407 and 429";

impl Check<'_> {
    pub(super) fn route_policy(
        &mut self,
        key: &dyn Fn(&str) -> String,
        route: &Route,
        max_entry: ByteSize,
    ) {
        for status in route.negative.keys() {
            if !may_be_negative(status) {
                let reason = "a status whose answers cannot be kept";
                self.refuse(&key(&format!("negative.{status}")), "", reason, STATUSES);
            }
        }
        if let Some(own) = route.max_entry {
            self.at_most((&key("max_entry"), own), ("cache.max_entry", max_entry));
        }
        if route.reject.len() > Route::MAX_REJECTS {
            let allowed = format!("at most {} rules", Route::MAX_REJECTS);
            self.refuse(&key("reject"), route.reject.len(), "too many rules", &allowed);
        }
        for (position, rule) in route.reject.iter().enumerate() {
            let key = |field: &str| key(&format!("reject[{position}].{field}"));
            if !is_pointer(&rule.pointer) {
                let allowed = "a JSON pointer of at most 512 bytes: empty, or /name/0/name";
                self.refuse(&key("pointer"), &rule.pointer, "not a JSON pointer", allowed);
            }
            if let Err(reason) = rule.compile() {
                let allowed = "a regular expression of 1–1024 bytes";
                self.refuse(&key("pattern"), &rule.pattern, reason, allowed);
            }
        }
    }
}

/// Tells whether answers of a status can be kept as what they are: 304 has no body; 401, 403 and 407
/// are about who asks, and 429 about the moment.
fn may_be_negative(status: &str) -> bool {
    let is_plain = status.len() == 3 && status.bytes().all(|digit| digit.is_ascii_digit());
    let status: Option<u16> = status.parse().ok().filter(|_| is_plain);
    status.is_some_and(|status| {
        (300..=599).contains(&status) && !matches!(status, 304 | 401 | 403 | 407 | 429)
    })
}

fn is_pointer(text: &str) -> bool {
    let mut escapes = text.split('~').skip(1);
    text.len() <= Reject::MAX_POINTER
        && (text.is_empty() || text.starts_with('/'))
        && escapes.all(|rest| rest.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_about_the_caller_or_the_moment_are_never_kept() {
        for (status, may) in [
            ("404", true),
            ("300", true),
            ("599", true),
            ("500", true),
            ("200", false),
            ("304", false),
            ("401", false),
            ("403", false),
            ("407", false),
            ("429", false),
            ("600", false),
            ("+04", false),
            ("0404", false),
            ("4xx", false),
            ("", false),
        ] {
            assert_eq!(may_be_negative(status), may, "{status}");
        }
    }

    #[test]
    fn pointers_are_told_from_other_texts() {
        for (text, is) in [
            ("", true),
            ("/", true),
            ("/a/0/b~1c~0", true),
            ("a", false),
            ("/a~", false),
            ("/a~2", false),
        ] {
            assert_eq!(is_pointer(text), is, "{text}");
        }
    }
}
