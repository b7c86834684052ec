//! A dry run of a request: what it means, what of it counts, whether it would hit, and if not, which
//! kept answer is nearest.
//!
//! Nothing goes upstream and nothing is kept. It works in the scope of the credentials it is given:
//! who shows none of a caller's learns nothing of that caller's requests.

mod answer;
mod kept;

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};

use self::answer::{Explanation, hex};
use self::kept::{find_kept, nearest_miss};
use super::call::own_labels;
use super::directives::Directives;
use super::proxy;
use super::reading::{Reading, Understood};
use super::submitted::{Described, Mistake, Submitted, client_of};
use crate::canonical::Profile;
use crate::embeddings::{Split, split};
use crate::http::body;
use crate::http::error_body::ErrorBody;
use crate::http::gateway::Gateway;
use crate::http::in_force::InForce;
use crate::http::openapi::shared;
use crate::http::operations::EXPLAIN_PATH;
use crate::http::recall::Meaning;

/// A request in JSON is longer than the request.
const MOST_TIMES_THE_BODY: usize = 2;

/// What a request would get, and why.
///
/// A dry run in the scope of the credentials it is given: nothing goes upstream, nothing is kept.
#[utoipa::path(
    post, path = EXPLAIN_PATH, operation_id = "explain", tag = "cache",
    request_body(content = Described, content_type = "application/json", example = json!({
        "path": "/v1/chat/completions",
        "headers": {"authorization": "Bearer sk-example"},
        "body": {"model": "example", "messages": [{"role": "user", "content": "Hello"}]},
    })),
    responses(
        (
            status = 200, body = Explanation,
            description = "Route, scope, key, what counts and what does not, and what would come.",
        ),
        (status = 400, response = shared::Error),
        (status = 408, response = shared::Error),
        (status = 413, response = shared::Error),
    ),
)]
pub async fn explain(
    gateway: Data<Gateway>,
    request: HttpRequest,
    mut payload: Payload,
) -> HttpResponse {
    let in_force = gateway.in_force();
    let server = &in_force.settings.server;
    let most = server.max_body.as_usize().saturating_mul(MOST_TIMES_THE_BODY);
    let text = match body::read(&request, &mut payload, most, server.body_timeout.get()).await {
        Ok(text) => text,
        Err(error) => return error.response(crate::canonical::ErrorForm::OpenAi),
    };
    let explained = match Submitted::read(&text) {
        Ok(submitted) => dry_run(&gateway, &in_force, submitted).await,
        Err(mistake) => Err(mistake),
    };
    match explained {
        Ok(explanation) => HttpResponse::Ok().json(explanation),
        Err(Mistake { field, reason }) => {
            HttpResponse::BadRequest().json(ErrorBody::of_field(&field, &reason))
        }
    }
}

async fn dry_run(
    gateway: &Gateway,
    in_force: &InForce,
    mut submitted: Submitted,
) -> Result<Explanation, Mistake> {
    let path = submitted.uri.path();
    let route = proxy::find(&in_force.routes, &submitted.method, path)
        .map_err(|error| Mistake::new("path", error.to_string()))?;
    let client = match client_of(in_force, &mut submitted) {
        Ok(client) => client,
        Err(reason) => return Ok(Explanation::ended(route, "refused", reason)),
    };
    if !route.cached {
        return Ok(Explanation::ended(route, "bypass", "route-not-cached"));
    }
    let Submitted { method, uri, headers, body } = &submitted;
    let method = method.as_str();
    let reading = Reading { gateway, route, method, uri, headers, client, body };
    let directives = Directives::in_headers(headers, uri.query(), route)
        .map_err(|error| Mistake::new("headers", error.to_string()))?;
    let (understood, canonical) = reading
        .understand(&directives)
        .await
        .map_err(|error| Mistake::new("body", error.to_string()))?;

    let mut explanation = Explanation::of(route);
    explanation.scope = Some(hex(reading.scope().as_bytes()));
    explanation.namespace = Some(directives.namespace.to_owned());
    explanation.policy = in_force.settings.routes.get(route.index).cloned();
    explanation.directives = Some(answer::directives(&directives));
    let keyed = reading.keyed_headers();
    explanation.keyed_headers = keyed.iter().map(|(name, _)| name.to_string()).collect();
    if let Some(canonical) = &canonical {
        (explanation.counted, explanation.left_out) = answer::members(canonical, route.profile);
    }
    let meaning = match understood {
        Understood::Keyed(_) if gateway.revoked.holds(|| reading.scope()) => {
            return Ok(explanation.because("bypass", "credential-refused"));
        }
        Understood::Bypass(reason) => return Ok(explanation.because("bypass", reason)),
        Understood::Keyed(meaning) => meaning,
    };
    describe(&mut explanation, &reading, &meaning, &directives);
    if route.profile == Profile::Embeddings && matches!(split(body), Split::List(_)) {
        return Ok(explanation.because("in items", "each-input-is-kept-on-its-own"));
    }
    let kept = find_kept(gateway, &meaning, &directives).await;
    if kept.is_none() {
        let outlined = reading.outlined(gateway.sketches.hash_key(), canonical.as_ref());
        let place = reading.place(gateway.sketches.hash_key(), &directives);
        explanation.nearest_miss = match outlined {
            Some(outlined) => nearest_miss(&reading, &meaning, (&place, &outlined)).await,
            None => None,
        };
    }
    Ok(explanation.found(kept, directives.wants.only_kept))
}

fn describe(
    explanation: &mut Explanation,
    reading: &Reading<'_>,
    meaning: &Meaning,
    directives: &Directives<'_>,
) {
    explanation.key = Some(meaning.key.to_hex());
    explanation.form = Some(answer::form(meaning.form));
    explanation.model = meaning.model.as_deref().map(str::to_owned);
    let scope = reading.scope();
    let own = own_labels(&scope, meaning, directives);
    explanation.labels =
        std::iter::once("route").chain(own.iter().map(|(kind, _)| kind.as_str())).collect();
}
