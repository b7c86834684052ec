//! The metrics, in the form that the scraper likes best.

use std::time::Duration;

use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, VARY};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use anteroom_actors::message::ask;
use anteroom_actors::scaler::ObserveReplicas;

use crate::http::gateway::Gateway;
use crate::http::openapi::shared;
use crate::http::operations::{METRICS_PATH, error};
use crate::telemetry::Exposition;

/// Longest wait for the scaler, which answers at once.
const REPLICAS_WITHIN: Duration = Duration::from_millis(500);

/// All metrics, for Prometheus.
#[utoipa::path(
    get, path = METRICS_PATH, operation_id = "metrics",
    responses(
        (
            status = 200, description = "In the text form, or in OpenMetrics where that is accepted.",
            content((String = "text/plain"), (String = "application/openmetrics-text")),
        ),
        (status = 500, response = shared::Away),
    ),
)]
pub async fn show(gateway: Data<Gateway>, request: HttpRequest) -> HttpResponse {
    // The actors' and the upstreams' numbers are brought into the registry first.
    for upstream in gateway.upstreams.health() {
        gateway.metrics.refresh_upstream(upstream.name, upstream.retries, upstream.is_open);
    }
    for (_, gate) in gateway.topology.gates.iter() {
        gateway.metrics.refresh_gate(&gate.report());
    }
    let replicas = &gateway.topology.scaler.replicas;
    if let Ok(Some(seen)) = ask(replicas, ObserveReplicas, REPLICAS_WITHIN).await {
        gateway.metrics.refresh_replicas(&seen);
    }
    let in_force = gateway.in_force();
    let routes: Vec<&str> = in_force.routes.all().iter().map(|route| &*route.name).collect();
    gateway.metrics.refresh_savings(&gateway.savings.read().0, &routes, gateway.savings.currency());
    if let Ok(health) = gateway.topology.observe().await {
        gateway.metrics.refresh(&health, gateway.admission.taken());
    }
    let form = form_of(request.headers());
    match form.write(gateway.metrics.registry().gather(), gateway.metrics.exemplars()) {
        Ok(text) => HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, form.media_type()))
            .insert_header((VARY, "Accept"))
            .body(text),
        Err(failure) => {
            tracing::error!(%failure, "the metrics could not be written");
            error(HttpResponse::InternalServerError(), "the metrics could not be written")
        }
    }
}

fn form_of(headers: &HeaderMap) -> Exposition {
    let lines = headers.get_all(ACCEPT).filter_map(|line| line.to_str().ok());
    preferred(lines.flat_map(|line| line.split(',')))
}

/// Returns OpenMetrics where the scraper takes it at least as gladly as text. Who says nothing gets
/// text, and so does who takes neither: it is what scrapers read that ask for nothing.
fn preferred<'a>(ranges: impl Iterator<Item = &'a str>) -> Exposition {
    let larger = |own: Option<f32>, other: f32| Some(own.map_or(other, |own| own.max(other)));
    let (mut open_metrics, mut text) = (None, None);
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        let (mut quality, mut version) = (1.0, None);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            if name.eq_ignore_ascii_case("q") {
                quality = value.parse::<f32>().unwrap_or(0.0);
            } else if name.eq_ignore_ascii_case("version") {
                version = Some(value.trim_matches('"'));
            }
        }
        if media.eq_ignore_ascii_case("application/openmetrics-text")
            && version.is_none_or(|version| version == "1.0.0")
        {
            open_metrics = larger(open_metrics, quality);
        } else if media.eq_ignore_ascii_case("text/plain") {
            text = larger(text, quality);
        }
    }
    match (open_metrics, text) {
        (Some(open_metrics), text) if open_metrics > 0.0 && open_metrics >= text.unwrap_or(0.0) => {
            Exposition::OpenMetrics
        }
        _ => Exposition::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scraper_chooses_the_form() {
        use Exposition::{OpenMetrics, Text};
        for (accept, form) in [
            ("", Text),
            ("*/*", Text),
            ("text/html", Text),
            ("text/plain;version=0.0.4", Text),
            ("application/openmetrics-text", OpenMetrics),
            ("Application/OpenMetrics-Text; version=1.0.0; charset=utf-8", OpenMetrics),
            ("application/openmetrics-text; version=\"1.0.0\"", OpenMetrics),
            ("application/openmetrics-text;version=0.0.1", Text),
            ("application/openmetrics-text;q=0", Text),
            ("application/openmetrics-text;q=nonsense", Text),
            ("application/openmetrics-text;q=0.5,text/plain;q=0.9", Text),
            // As Prometheus 2 and 3 ask.
            (
                "application/openmetrics-text;version=1.0.0,\
                 application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,\
                 */*;q=0.1",
                OpenMetrics,
            ),
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,*/*;q=0.2",
                OpenMetrics,
            ),
        ] {
            assert_eq!(preferred(accept.split(',')), form, "{accept}");
        }
    }
}
