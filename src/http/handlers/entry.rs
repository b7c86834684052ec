//! What operators see of one answer.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use anteroom_actors::message::{LevelHandle, Lookup, ask};
use anteroom_actors::model::{CacheKey, Entry, Form, Standing};
use futures_util::future::join3;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::error_body::ErrorBody;
use crate::http::gateway::Gateway;
use crate::http::openapi::shared;
use crate::http::operations::error;

/// Longest wait for a level that is asked for an entry.
const LOOKUP_WITHIN: Duration = Duration::from_secs(1);

/// Where an answer lies.
#[derive(Serialize, ToSchema)]
#[schema(as = Entry)]
struct EntryShown {
    /// Its key, as 64 hexadecimal digits.
    key: String,
    l1: InLevel,
    l2: InLevel,
    l3: InLevel,
}

/// What a level says of an answer.
#[derive(Serialize, ToSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
enum InLevel {
    /// It has it.
    Held(Box<Held>),
    /// It has none.
    Absent,
    /// It did not say.
    Unknown {
        /// Why.
        reason: String,
    },
    /// It is off by the settings.
    Off,
}

/// An answer in a level: nothing of its body, nor of its headers' values.
#[derive(Serialize, ToSchema)]
struct Held {
    /// Its status code.
    status: u16,
    /// Whether it is a stream of events.
    streamed: bool,
    /// Whether it may be served.
    standing: StandingShown,
    /// Milliseconds since it was made.
    #[schema(extensions(("x-performance" = json!({"of": "cache", "unit": "milliseconds"}))))]
    age_ms: u64,
    /// Milliseconds for which it is still fresh.
    #[schema(extensions(("x-performance" = json!({"of": "cache", "unit": "milliseconds"}))))]
    ttl_ms: u64,
    /// Milliseconds for which it is of any use, stale or not.
    #[schema(extensions(("x-performance" = json!({"of": "cache", "unit": "milliseconds"}))))]
    useful_for_ms: u64,
    /// Length of its body as it is kept, in bytes.
    #[schema(extensions(("x-performance" = json!({"of": "cache", "unit": "bytes"}))))]
    body_bytes: usize,
    /// The number of the last purge before it was asked for.
    generation: u64,
    /// How many names it can be purged by, beside its key.
    labels: usize,
    /// The model that was asked; null where none was named.
    #[schema(required)]
    model: Option<Box<str>>,
    /// Tokens, where the provider told them.
    #[schema(required)]
    usage: Option<UsageShown>,
    /// How long its call took, in milliseconds.
    #[schema(extensions(("x-performance" = json!({"of": "cache", "unit": "milliseconds"}))))]
    upstream_ms: u64,
    /// Names of its headers.
    headers: Vec<String>,
}

/// Whether an answer may be served.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = EntryStanding)]
enum StandingShown {
    /// It may.
    Fresh,
    /// It may, while a new one is fetched behind it.
    StaleWhileRevalidate,
    /// It may, in place of an error.
    StaleIfError,
    /// Only once its provider was asked whether it still holds.
    Validate,
    /// No more.
    Over,
}

/// Tokens of a call.
#[derive(Serialize, ToSchema)]
#[schema(as = Usage)]
struct UsageShown {
    /// Of the request.
    input_tokens: u64,
    /// Of the answer.
    output_tokens: u64,
}

/// What there is instead of an answer: what the levels say, or no such page.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "described here, and answered as either")]
enum NoEntry {
    Entry(EntryShown),
    Error(ErrorBody<'static>),
}

/// Where an answer lies, and how it stands.
#[utoipa::path(
    get, path = "/api/v1/cache/entry/{key}", operation_id = "entry", tag = "cache",
    params((
        "key" = String, Path, description = "The answer's key, as explain tells it.",
        pattern = "^[0-9a-f]{64}$",
        example = "0000000000000000000000000000000000000000000000000000000000000000",
    )),
    responses(
        (status = 200, description = "Some level holds it. Never its body.", body = EntryShown),
        (status = 400, response = shared::Error),
        (
            status = 404, description = "No level is known to hold it; or no such page.",
            body = NoEntry,
        ),
    ),
)]
pub async fn entry(gateway: Data<Gateway>, key: Path<String>) -> HttpResponse {
    let Some(key) = CacheKey::from_hex(&key) else {
        return error(HttpResponse::BadRequest(), "a key is 64 hexadecimal digits");
    };
    let topology = &gateway.topology;
    let wall_ms = gateway.clock.wall_ms();
    let look = async |level: &LevelHandle| {
        if !level.enabled {
            return InLevel::Off;
        }
        let lookup = Lookup { key, form: Form::Object };
        match ask(&level.lookup, lookup, LOOKUP_WITHIN).await {
            Ok(Ok(Some(entry))) => InLevel::Held(Box::new(Held::of(&entry, wall_ms))),
            Ok(Ok(None)) => InLevel::Absent,
            Ok(Err(failure)) => InLevel::Unknown { reason: failure.to_string() },
            Err(failure) => InLevel::Unknown { reason: failure.to_string() },
        }
    };
    let (l1, l2, l3) = join3(look(&topology.l1), look(&topology.l2), look(&topology.l3)).await;
    let is_held = [&l1, &l2, &l3].iter().any(|level| matches!(level, InLevel::Held(_)));
    let body = EntryShown { key: key.to_hex(), l1, l2, l3 };
    if is_held { HttpResponse::Ok().json(body) } else { HttpResponse::NotFound().json(body) }
}

impl Held {
    fn of(entry: &Entry, wall_ms: u64) -> Self {
        let freshness = &entry.freshness;
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            status: entry.status,
            streamed: entry.form.is_stream(),
            standing: StandingShown::of(freshness.standing(wall_ms)),
            age_ms: freshness.age_ms(wall_ms),
            ttl_ms: millis(freshness.remaining(wall_ms)),
            useful_for_ms: millis(freshness.useful_for(wall_ms)),
            body_bytes: entry.body.len(),
            generation: entry.labels.generation,
            labels: entry.labels.names.len(),
            model: entry.model.as_deref().map(Box::from),
            usage: entry.usage.map(|usage| UsageShown {
                input_tokens: usage.input_tokens,
                output_tokens: usage.output_tokens,
            }),
            upstream_ms: millis(entry.upstream_latency),
            headers: entry.headers.iter().map(|header| header.name.to_string()).collect(),
        }
    }
}

impl StandingShown {
    const fn of(standing: Standing) -> Self {
        match standing {
            Standing::Fresh => Self::Fresh,
            Standing::WhileRevalidate => Self::StaleWhileRevalidate,
            Standing::IfError => Self::StaleIfError,
            Standing::Validate => Self::Validate,
            Standing::Over => Self::Over,
        }
    }
}
