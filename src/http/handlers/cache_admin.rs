//! What operators do with what is kept: purge it.

use std::time::Duration;

use actix_web::http::header::{ALLOW, CONTENT_TYPE};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use anteroom_actors::message::{Place, Purge, Purged, ask};
use anteroom_actors::model::LabelKind;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::body;
use crate::http::error_body::ErrorBody;
use crate::http::gateway::Gateway;
use crate::http::openapi::{shared, words};
use crate::http::operations::error;
use crate::http::purge_request::{self, Named, PurgeRequestError};

/// Largest body of a purge.
const MAX_BODY: usize = 64 * 1024;
/// Longest wait for it.
const BODY_WITHIN: Duration = Duration::from_secs(10);

/// Purge answers that carry any of the names.
///
/// It holds in this gateway when the answer leaves; the answer says where else.
#[utoipa::path(
    post, path = "/api/v1/cache/purge", operation_id = "purge", tag = "cache",
    request_body(
        content = purge_request::Body, content_type = "application/json",
        example = json!({"model": "example"}),
    ),
    responses(
        (
            status = 200, body = PurgedShown,
            description = "It holds in this gateway now; status says whether every level has recorded it.",
        ),
        (status = 400, response = shared::Error),
        (status = 404, response = shared::Error),
        (status = 408, response = shared::Error),
        (status = 413, response = shared::Error),
        (status = 415, response = shared::Error),
        (status = 503, response = shared::Away),
    ),
)]
pub async fn purge(
    gateway: Data<Gateway>,
    request: HttpRequest,
    mut payload: Payload,
) -> HttpResponse {
    if !is_json(&request) {
        let text = "a purge has to be application/json";
        return error(HttpResponse::UnsupportedMediaType(), text);
    }
    let body = match body::read(&request, &mut payload, MAX_BODY, BODY_WITHIN).await {
        Ok(body) => body,
        Err(failure) => {
            let text = format!("the body did not come whole, within 10 s and {MAX_BODY} bytes");
            return error(HttpResponseBuilder::new(failure.status()), &text);
        }
    };
    let named = match purge_request::read(&body, &gateway.in_force().routes) {
        Ok(named) => named,
        Err(failure @ PurgeRequestError::NoSuchRoute(_)) => {
            return error(HttpResponse::NotFound(), &failure.to_string());
        }
        Err(failure) => return error(HttpResponse::BadRequest(), &failure.to_string()),
    };
    let labels = named.iter().map(|named| named.label).collect();
    // Two rounds, where another gateway's clock is ahead.
    let timeout = gateway.in_force().settings.purge.record_timeout.get();
    let deadline = timeout.saturating_mul(2).saturating_add(Duration::from_secs(1));
    let purging = &gateway.topology.purging.purge;
    match ask(purging, Purge { labels }, deadline).await {
        Ok(purged) => {
            audit(&gateway, &named, &purged);
            HttpResponse::Ok().json(PurgedShown::of(&named, &purged))
        }
        Err(failure) => {
            tracing::warn!(%failure, "a purge was asked for and not answered");
            let text = format!("it is not known whether the purge holds, ask again: {failure}");
            HttpResponse::ServiceUnavailable().json(ErrorBody::away(text))
        }
    }
}

/// Another method than POST.
pub async fn only_post() -> HttpResponse {
    let mut response = HttpResponse::MethodNotAllowed();
    response.insert_header((ALLOW, "POST"));
    error(response, "this page takes a POST")
}

pub(super) fn is_json(request: &HttpRequest) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

/// One line for each change. What callers chose to call their answers is not told in words.
fn audit(gateway: &Gateway, named: &[Named], purged: &Purged) {
    let what: Vec<String> = named
        .iter()
        .map(|Named { kind, value, label }| match kind {
            LabelKind::All => "all".to_owned(),
            LabelKind::Route | LabelKind::Model => format!("{} {value:?}", kind.as_str()),
            LabelKind::Key
            | LabelKind::Tag
            | LabelKind::Namespace
            | LabelKind::Scope
            | LabelKind::Target => {
                format!("{} #{:08x}", kind.as_str(), label.as_u64() >> 32)
            }
        })
        .collect();
    tracing::info!(
        with_token = !gateway.in_force().settings.admin.token.is_empty(),
        purged = what.join(", "),
        generation = purged.generation,
        complete = purged.is_complete(),
        "purged"
    );
}

/// What was purged, and where it is recorded.
#[derive(Serialize, ToSchema)]
#[schema(as = Purged)]
struct PurgedShown<'a> {
    /// What was named.
    purged: Vec<NamedShown<'a>>,
    /// The number of the purge: what was kept before it is gone.
    generation: u64,
    /// Whether every place that is on has recorded it.
    status: HowFar,
    /// The places, one by one.
    places: Places<'a>,
}

/// A name that answers were purged by.
#[derive(Serialize, ToSchema)]
#[schema(as = PurgedName)]
struct NamedShown<'a> {
    /// What kind of name.
    #[schema(value_type = words::PurgedBy)]
    kind: &'static str,
    /// The name; `*` for everything.
    value: &'a str,
}

/// Whether every place that is on has recorded a purge.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PurgeStatus)]
enum HowFar {
    /// All.
    Complete,
    /// Not all: it holds in this gateway, and is told to the others when they are back.
    Partial,
}

/// Where a purge is recorded.
#[derive(Serialize, ToSchema)]
#[schema(as = PurgePlaces)]
struct Places<'a> {
    memory: PlaceShown<'a>,
    redis: PlaceShown<'a>,
    database: PlaceShown<'a>,
}

/// What became of a purge in one place.
#[derive(Serialize, ToSchema)]
#[schema(as = PurgePlace)]
struct PlaceShown<'a> {
    state: PlaceState,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<&'a str>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = PurgePlaceState)]
enum PlaceState {
    /// It is recorded.
    Seen,
    /// The level is off.
    Off,
    /// It could not be recorded.
    Failed,
}

impl<'a> PurgedShown<'a> {
    fn of(named: &'a [Named], purged: &'a Purged) -> Self {
        let name = |named: &'a Named| NamedShown { kind: named.kind.as_str(), value: &named.value };
        Self {
            purged: named.iter().map(name).collect(),
            generation: purged.generation,
            status: if purged.is_complete() { HowFar::Complete } else { HowFar::Partial },
            places: Places {
                memory: PlaceShown::of(&Place::Seen),
                redis: PlaceShown::of(&purged.l2),
                database: PlaceShown::of(&purged.l3),
            },
        }
    }
}

impl<'a> PlaceShown<'a> {
    fn of(place: &'a Place) -> Self {
        match place {
            Place::Seen => Self { state: PlaceState::Seen, reason: None },
            Place::Off => Self { state: PlaceState::Off, reason: None },
            Place::Failed(reason) => Self { state: PlaceState::Failed, reason: Some(reason) },
        }
    }
}
