//! Which request goes where, and whether its answer is kept. Unit, range and default of each key
//! stand in `config.yaml`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::units::{ByteSize, HumanDuration};
use crate::canonical::Profile;

/// One route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Name in metrics and logs; must be given.
    pub name: String,
    /// Methods in upper case, or `*` alone for any; must be given.
    pub methods: Vec<String>,
    /// Path, exact or ending in `/*`; must be given.
    pub path: String,
    /// Which API's rules hold.
    pub profile: Profile,
    /// Name of the upstream.
    pub upstream: String,
    /// Whether answers are kept.
    pub cache: bool,
    /// How long an answer may be served, from its making.
    pub lifetime: HumanDuration,
    /// How much longer it may be served while a new one is fetched.
    pub stale_while_revalidate: HumanDuration,
    /// How much longer it may be served where the upstream fails.
    pub stale_if_error: HumanDuration,
    /// Longest lifetime that a caller may ask for by `X-Cache-TTL`.
    pub max_ttl: HumanDuration,
    /// Whether `Cache-Control` and `Pragma` of callers count for nothing.
    pub ignore_client_cache_control: bool,
    /// Whether the origin's caching headers decide over answers; null: over those to GET.
    pub heed_origin: Option<bool>,
    /// Whether members that spell out the API's defaults do not count.
    pub leave_out_defaults: bool,
    /// Hottest request whose answer is kept; null for any.
    pub max_temperature: Option<f64>,
    /// Most choices (`n`) of a request whose answer is kept; null for any number.
    pub max_choices: Option<u64>,
    /// Whether answers to requests with tools are kept.
    pub keep_tools: bool,
    /// Whether answers that are drawn by chance are kept without a `seed`.
    pub keep_unseeded: bool,
    /// How long answers of a status that is no success are kept, by status; others are not.
    pub negative: BTreeMap<String, HumanDuration>,
    /// Answers that are not kept; at most [`Self::MAX_REJECTS`].
    pub reject: Vec<Reject>,
    /// Largest body that is kept; null for what `cache.max_entry` says.
    pub max_entry: Option<ByteSize>,
    /// From which use on an answer is kept in L2 and L3, its making counted as the first.
    pub min_uses: u64,
    /// Pause between two events of a kept stream.
    pub replay_interval: HumanDuration,
    /// Whether members that are `null` are left out of JSON answers.
    pub drop_nulls: bool,
    /// Whether `response.redact` holds for all answers, not for errors alone.
    pub redact_bodies: bool,
    /// Whether `fields` in the query says which part of an answer is wanted, as `X-Fields` does.
    pub fields_query: bool,
    /// Who shares answers.
    pub scope: Scope,
    /// Request headers forwarded and keyed beside the profile's own, in lower case.
    pub forward_headers: Vec<String>,
}

impl Default for Route {
    fn default() -> Self {
        Self {
            name: String::new(),
            methods: Vec::new(),
            path: String::new(),
            profile: Profile::Generic,
            upstream: "default".to_owned(),
            cache: false,
            lifetime: HumanDuration::from_secs(7200),
            stale_while_revalidate: HumanDuration::from_secs(60),
            stale_if_error: HumanDuration::from_secs(86_400),
            max_ttl: HumanDuration::from_secs(30 * 86_400),
            ignore_client_cache_control: false,
            heed_origin: None,
            leave_out_defaults: false,
            max_temperature: None,
            max_choices: None,
            keep_tools: true,
            keep_unseeded: true,
            negative: BTreeMap::new(),
            reject: Vec::new(),
            max_entry: None,
            min_uses: 1,
            replay_interval: HumanDuration::from_millis(0),
            drop_nulls: false,
            redact_bodies: false,
            fields_query: false,
            scope: Scope::Credential,
            forward_headers: Vec::new(),
        }
    }
}

/// What an answer holds that is not kept: a text that `pattern` finds, at `pointer`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reject {
    /// JSON pointer (RFC 6901) into the answer; empty for the whole of it.
    pub pointer: String,
    /// Regular expression, found anywhere in the text; at most [`Self::MAX_PATTERN`] bytes.
    pub pattern: String,
}

impl Reject {
    /// Longest pattern, in bytes.
    pub const MAX_PATTERN: usize = 1_024;
    /// Longest pointer, in bytes.
    pub const MAX_POINTER: usize = 512;
    /// Memory that one compiled pattern may take, in bytes.
    const MAX_COMPILED: usize = 1 << 20;

    /// Compiles the pattern.
    ///
    /// # Errors
    ///
    /// In plain words, without the pattern.
    pub fn compile(&self) -> Result<regex::Regex, &'static str> {
        if self.pattern.is_empty() || self.pattern.len() > Self::MAX_PATTERN {
            return Err("empty, or too long");
        }
        let built = regex::RegexBuilder::new(&self.pattern).size_limit(Self::MAX_COMPILED).build();
        built.map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "too large when compiled",
            _ => "not a regular expression",
        })
    }
}

impl Route {
    /// Most rules that reject answers.
    pub const MAX_REJECTS: usize = 32;

    fn cached(name: &str, method: &str, path: &str, profile: Profile) -> Self {
        Self {
            name: name.to_owned(),
            methods: vec![method.to_owned()],
            path: path.to_owned(),
            profile,
            cache: true,
            ..Self::default()
        }
    }

    fn fresh_for(self, lifetime: HumanDuration) -> Self {
        Self { lifetime, ..self }
    }

    /// Lowers header names.
    pub(super) fn normalise(&mut self) {
        for name in &mut self.forward_headers {
            name.make_ascii_lowercase();
        }
    }
}

/// Who shares a route's answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Those who show the same credential.
    #[default]
    Credential,
    /// Everyone who reaches the listener.
    Shared,
}

/// Returns the routes that are there when nobody names any, in the order they are tried.
pub(super) fn default_routes() -> Vec<Route> {
    let day = HumanDuration::from_secs(86_400);
    let five_minutes = HumanDuration::from_secs(300);
    vec![
        Route::cached("chat", "POST", "/v1/chat/completions", Profile::Chat),
        Route::cached("completions", "POST", "/v1/completions", Profile::Completions),
        Route::cached("embeddings", "POST", "/v1/embeddings", Profile::Embeddings).fresh_for(day),
        Route::cached("responses", "POST", "/v1/responses", Profile::Responses),
        Route::cached("messages", "POST", "/v1/messages", Profile::Messages),
        Route::cached("models", "GET", "/v1/models", Profile::Models).fresh_for(five_minutes),
        Route::cached("model", "GET", "/v1/models/*", Profile::Models).fresh_for(five_minutes),
        Route {
            name: "passthrough".to_owned(),
            methods: vec!["*".to_owned()],
            path: "/v1/*".to_owned(),
            ..Route::default()
        },
    ]
}
