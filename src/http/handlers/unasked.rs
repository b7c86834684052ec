//! Calls that no caller waits for: which can be repeated, and how one is made of a description.

use std::fmt;
use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, Uri};
use anteroom_actors::model::{Encoding, Header};
use anteroom_actors::origin::OriginCall;
use anteroom_actors::warming::Remember;
use bytes::Bytes;

use super::asked::Question;
use super::call::origin_call;
use super::directives::Directives;
use super::proxy;
use super::reading::{Reading, Understood};
use super::submitted::{Mistake, Submitted};
use crate::canonical::{CREDENTIAL_HEADERS, Profile};
use crate::embeddings::{Split, split};
use crate::http::access::Client;
use crate::http::gateway::Gateway;
use crate::http::in_force::InForce;
use crate::http::routes::Route;
use crate::settings::CriticalRequest;

/// Returns the call as the gateway may repeat it, without any caller's credential; nothing where the
/// provider may want one, or where it is not kept whole.
fn repeatable(route: &Route, call: &Arc<OriginCall>) -> Option<Arc<OriginCall>> {
    if !call.may_keep || call.apart.is_some() {
        return None;
    }
    let shows = |headers: &[Header]| headers.iter().any(is_credential);
    let shows_any = shows(&call.headers) || shows(&call.presented);
    if !shows_any && call.trace.is_empty() {
        return Some(Arc::clone(call));
    }
    if shows_any && route.wants_credential {
        return None;
    }
    let mut call = OriginCall::clone(call);
    call.headers.retain(|header| !is_credential(header));
    call.presented.retain(|header| !is_credential(header));
    // That trace is over.
    call.trace.clear();
    Some(Arc::new(call))
}

fn is_credential(header: &Header) -> bool {
    CREDENTIAL_HEADERS.contains(&&*header.name)
}

/// Lets warming repeat the call of a request whose answer is kept, if it may.
pub(super) fn remember(question: &Question<'_>, call: &Arc<OriginCall>) {
    let warming = &question.asked.in_force.settings.warming;
    // A turn is asked once.
    if question.asked.conversation.is_some() || !warming.enabled || warming.requests.as_usize() == 0
    {
        return;
    }
    if let Some(call) = repeatable(question.asked.route, call) {
        question.asked.worker.gateway.topology.warming.remember.tell(Remember { call });
    }
}

/// Returns the call that answers a described request of `client`.
pub(super) async fn described(
    gateway: &Gateway,
    in_force: &InForce,
    submitted: &Submitted,
    client: Option<Arc<Client>>,
) -> Result<Arc<OriginCall>, Mistake> {
    let Submitted { method, uri, headers, body } = submitted;
    let route = proxy::find(&in_force.routes, method, uri.path())
        .map_err(|error| Mistake::new("path", error.to_string()))?;
    if !route.cached {
        return Err(Mistake::new("path", format!("answers of route {} are not kept", route.name)));
    }
    let reading = Reading { gateway, route, method: method.as_str(), uri, headers, client, body };
    let directives = Directives::in_headers(headers, uri.query(), route)
        .map_err(|error| Mistake::new("headers", error.to_string()))?;
    if directives.no_store {
        return Err(Mistake::new("headers", "no-store: its answer is not kept"));
    }
    let (understood, _) = reading
        .understand(&directives)
        .await
        .map_err(|error| Mistake::new("body", error.to_string()))?;
    let meaning = match understood {
        Understood::Keyed(meaning) => meaning,
        Understood::Bypass(reason) => {
            return Err(Mistake::new("body", format!("{reason}: its answer is not kept")));
        }
    };
    if route.profile == Profile::Embeddings && matches!(split(body), Split::List(_)) {
        return Err(Mistake::new("body", "a list of inputs is kept item by item: one at a time"));
    }
    Ok(Arc::new(origin_call(&reading, &meaning, &directives, Encoding::Identity)))
}

/// Why a critical request cannot be kept ready. Holds nothing of its body.
#[derive(Debug, thiserror::Error)]
pub struct CriticalError {
    position: usize,
    mistake: Mistake,
}

impl fmt::Display for CriticalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, mistake: Mistake { field, reason } } = self;
        write!(f, "warming.critical[{position}].{field}: {reason}")
    }
}

/// Returns the calls of the settings' critical requests.
///
/// # Errors
///
/// The first that cannot be kept ready, and why.
pub async fn critical(gateway: &Gateway) -> Result<Vec<Arc<OriginCall>>, CriticalError> {
    let mut calls = Vec::new();
    let in_force = gateway.in_force();
    for (position, critical) in in_force.settings.warming.critical.iter().enumerate() {
        let call = of_critical(gateway, &in_force, critical).await;
        calls.push(call.map_err(|mistake| CriticalError { position, mistake })?);
    }
    Ok(calls)
}

async fn of_critical(
    gateway: &Gateway,
    in_force: &InForce,
    critical: &CriticalRequest,
) -> Result<Arc<OriginCall>, Mistake> {
    let client = match (&in_force.clients, critical.client.as_str()) {
        (_, "") => None,
        (Some(clients), name) => Some(
            clients
                .named(name)
                .map(Arc::clone)
                .ok_or_else(|| Mistake::new("client", "not a name in auth.keys"))?,
        ),
        (None, _) => return Err(Mistake::new("client", "there are no auth.keys")),
    };
    let submitted = Submitted {
        method: Method::from_bytes(critical.method.as_bytes())
            .map_err(|_| Mistake::new("method", "must be a method, such as POST"))?,
        uri: critical.path.parse::<Uri>().map_err(|_| Mistake::new("path", "must be a path"))?,
        headers: HeaderMap::new(),
        body: Bytes::copy_from_slice(critical.body.expose().as_bytes()),
    };
    described(gateway, in_force, &submitted, client).await
}
