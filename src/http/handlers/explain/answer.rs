//! What is told of a request.

use std::fmt::Write as _;

use anteroom_actors::model::Form;
use serde::Serialize;
use serde_json::{Value, json};

use super::super::directives::Directives;
use super::kept::{KeptAnswer, NearestMiss};
use crate::canonical::{Canonical, Profile};
use crate::http::routes::Route;
use crate::settings;

/// All that is told; times in seconds.
#[derive(Debug, Default, Serialize)]
pub(super) struct Explanation {
    /// Name of the route.
    route: String,
    profile: &'static str,
    upstream: String,
    /// Who shares the answer, as hexadecimal digits; empty where all do.
    pub(super) scope: Option<String>,
    pub(super) namespace: Option<String>,
    /// What the settings say of the route.
    pub(super) policy: Option<settings::Route>,
    pub(super) directives: Option<Value>,
    pub(super) key: Option<String>,
    /// Why it bypasses the cache or is refused; a token.
    reason: Option<String>,
    pub(super) form: Option<&'static str>,
    pub(super) model: Option<String>,
    /// The top-level members of the body that count.
    pub(super) counted: Vec<String>,
    pub(super) left_out: Vec<LeftOut>,
    /// The headers of the request that count.
    pub(super) keyed_headers: Vec<String>,
    /// What the answer can be purged by.
    pub(super) labels: Vec<&'static str>,
    /// What would come: `hit L1`, `hit L2`, `hit L3`, `stale`, `miss`, `bypass`, `refused`.
    would: String,
    /// Where the stale answer lies.
    level: Option<&'static str>,
    status: Option<u16>,
    age: Option<u64>,
    /// Negative where the answer is stale.
    ttl: Option<i64>,
    pub(super) nearest_miss: Option<NearestMiss>,
}

/// A member that does not count.
#[derive(Debug, Serialize)]
pub(super) struct LeftOut {
    pointer: String,
    why: &'static str,
}

impl Explanation {
    /// Begins with what the route says.
    pub(super) fn of(route: &Route) -> Self {
        Self {
            route: route.name.to_string(),
            profile: route.profile.as_str(),
            upstream: route.upstream.to_string(),
            ..Self::default()
        }
    }

    /// Says what would come of a request that is not looked into, and why.
    pub(super) fn ended(route: &Route, would: &str, reason: &str) -> Self {
        Self::of(route).because(would, reason)
    }

    /// Says what would come, and why.
    pub(super) fn because(self, would: &str, reason: &str) -> Self {
        Self { would: would.to_owned(), reason: Some(reason.to_owned()), ..self }
    }

    /// Says what would come of a request that has a key.
    pub(super) fn found(self, kept: Option<KeptAnswer>, only_kept: bool) -> Self {
        let Some(KeptAnswer { entry, level, wall_ms }) = kept else {
            return if only_kept {
                self.because("refused", "only_if_cached")
            } else {
                Self { would: "miss".to_owned(), ..self }
            };
        };
        let age_ms = entry.freshness.age_ms(wall_ms);
        let lifetime_ms = u64::try_from(entry.freshness.lifetime.as_millis()).unwrap_or(u64::MAX);
        let ttl_ms = i128::from(lifetime_ms) - i128::from(age_ms);
        let is_fresh = entry.freshness.is_fresh(wall_ms);
        Self {
            would: if is_fresh { format!("hit {level}") } else { "stale".to_owned() },
            level: Some(level.as_str()),
            status: Some(entry.status),
            age: Some(age_ms / 1_000),
            ttl: i64::try_from(ttl_ms.div_euclid(1_000)).ok(),
            ..self
        }
    }
}

/// Returns the pointers of the top-level members that count, and those that do not.
pub(super) fn members(canonical: &Canonical, profile: Profile) -> (Vec<String>, Vec<LeftOut>) {
    let (mut counted, mut left_out) = (Vec::new(), Vec::new());
    for (name, counts) in canonical.members() {
        let name = String::from_utf8_lossy(name);
        let name: String = serde_json::from_str(&format!("\"{name}\"")).unwrap_or(name.into());
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        if counts {
            counted.push(pointer);
        } else {
            left_out.push(LeftOut { pointer, why: why_left_out(&name, profile) });
        }
    }
    (counted, left_out)
}

/// Returns why a member does not count; README has the list.
fn why_left_out(name: &str, profile: Profile) -> &'static str {
    match (name, profile) {
        ("stream" | "stream_options", Profile::Chat | Profile::Completions) => {
            "one answer is kept for both forms"
        }
        ("stream", _) => "false is the same as absent",
        ("user" | "metadata" | "safety_identifier", _) => {
            "tells the provider who asks; the model never sees it"
        }
        ("prompt_cache_key" | "prompt_cache_retention" | "service_tier", _) => {
            "changes cost and speed, not the answer"
        }
        ("store", _) => "changes what the provider lists afterwards, not the answer",
        // The route has `leave_out_defaults`.
        _ => "is what the API takes where it is left out",
    }
}

/// Returns what the request asks of the cache; members that say nothing are left out.
pub(super) fn directives(directives: &Directives<'_>) -> Value {
    let wants = &directives.wants;
    let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs());
    json!({
        "max_age": seconds(wants.max_age),
        "min_fresh": seconds(wants.min_fresh),
        "max_stale": seconds(wants.max_stale),
        "no_cache": wants.reload,
        "only_if_cached": wants.only_kept,
        "no_store": directives.no_store,
        "ttl": seconds(directives.ttl),
        "tags": directives.tags,
    })
}

/// Returns the word for a form.
pub(super) const fn form(form: Form) -> &'static str {
    match form {
        Form::Object => "object",
        Form::Stream => "stream",
        Form::StreamWithoutUsage => "stream without usage",
    }
}

/// Returns bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
