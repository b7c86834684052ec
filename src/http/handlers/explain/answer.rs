//! What is told of a request.

use std::fmt::Write as _;

use anteroom_actors::model::Form;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::directives::Directives;
use super::kept::{KeptAnswer, NearestMiss};
use crate::canonical::{Canonical, Profile};
use crate::http::routes::Route;
use crate::settings;

/// What a request means and would get; times in seconds.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct Explanation {
    /// Name of the route.
    route: String,
    /// Its API profile.
    profile: &'static str,
    /// Its upstream.
    upstream: String,
    /// Who shares the answer, as hexadecimal digits; empty where all do.
    #[schema(required)]
    pub(super) scope: Option<String>,
    /// The part of the scope; empty for the whole.
    #[schema(required)]
    pub(super) namespace: Option<String>,
    /// What the settings say of the route.
    #[schema(required, value_type = Option<Object>)]
    pub(super) policy: Option<settings::Route>,
    /// What the request asks of the cache.
    #[schema(required)]
    pub(super) directives: Option<DirectivesTold>,
    /// The answer's key, as 64 hexadecimal digits.
    #[schema(required)]
    pub(super) key: Option<String>,
    /// Why it bypasses the cache or is refused; a token.
    #[schema(required)]
    reason: Option<String>,
    /// `object`, `stream`, or `stream without usage`.
    #[schema(required)]
    pub(super) form: Option<&'static str>,
    /// The model that is asked.
    #[schema(required)]
    pub(super) model: Option<String>,
    /// The top-level members of the body that count.
    pub(super) counted: Vec<String>,
    /// Those that do not, and why.
    pub(super) left_out: Vec<LeftOut>,
    /// The headers of the request that count.
    pub(super) keyed_headers: Vec<String>,
    /// What the answer can be purged by.
    pub(super) labels: Vec<&'static str>,
    /// What would come; `in items`: each input of the list on its own.
    #[schema(value_type = Would)]
    would: String,
    /// Where the stale answer lies.
    #[schema(required)]
    level: Option<&'static str>,
    /// The kept answer's status code.
    #[schema(required)]
    status: Option<u16>,
    /// Its age.
    #[schema(required, extensions(("x-performance" = json!({"of": "cache", "unit": "seconds"}))))]
    age: Option<u64>,
    /// How long it is still fresh; negative where it is stale.
    #[schema(required, extensions(("x-performance" = json!({"of": "cache", "unit": "seconds"}))))]
    ttl: Option<i64>,
    /// Where nothing would be served, the kept answer whose request differs least.
    #[schema(required)]
    pub(super) nearest_miss: Option<NearestMiss>,
}

/// A member that does not count.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LeftOut {
    /// The member, as a JSON pointer.
    pointer: String,
    /// Why.
    why: &'static str,
}

/// What a request asks of the cache; times in seconds, null where it says nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Directives)]
pub(super) struct DirectivesTold {
    /// The oldest answer that it takes.
    #[schema(required)]
    max_age: Option<u64>,
    /// How long the answer has to be fresh still.
    #[schema(required)]
    min_fresh: Option<u64>,
    /// How stale the answer may be.
    #[schema(required)]
    max_stale: Option<u64>,
    /// Whether it takes nothing that is kept.
    no_cache: bool,
    /// Whether it takes nothing else.
    only_if_cached: bool,
    /// Whether nothing of it is to be kept.
    no_store: bool,
    /// How long its answer is to be fresh.
    #[schema(required)]
    ttl: Option<u64>,
    /// What its answer can be purged by.
    tags: Vec<String>,
}

/// What would come of a request.
#[derive(ToSchema)]
#[expect(dead_code, reason = "described here, and written as a text with its level")]
enum Would {
    #[schema(rename = "hit L1")]
    HitL1,
    #[schema(rename = "hit L2")]
    HitL2,
    #[schema(rename = "hit L3")]
    HitL3,
    #[schema(rename = "stale")]
    Stale,
    #[schema(rename = "miss")]
    Miss,
    #[schema(rename = "bypass")]
    Bypass,
    #[schema(rename = "refused")]
    Refused,
    #[schema(rename = "in items")]
    InItems,
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
        let lifetime_ms = entry.freshness.lifetime.as_u64();
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
pub(super) fn directives(directives: &Directives<'_>) -> DirectivesTold {
    let wants = &directives.wants;
    let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs());
    DirectivesTold {
        max_age: seconds(wants.max_age),
        min_fresh: seconds(wants.min_fresh),
        max_stale: seconds(wants.max_stale),
        no_cache: wants.reload,
        only_if_cached: wants.only_kept,
        no_store: directives.no_store,
        ttl: seconds(directives.ttl),
        tags: directives.tags.iter().map(|&tag| tag.to_owned()).collect(),
    }
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
