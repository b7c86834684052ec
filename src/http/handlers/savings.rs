//! What the cache has saved, for operators.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde_json::{Value, json};

use crate::http::gateway::Gateway;
use crate::http::routes::Routes;
use crate::savings::{Line, Saved};

/// Sums by route and model since the gateway's start. Money is text, exact to the millionth.
pub async fn show(gateway: Data<Gateway>) -> HttpResponse {
    let book = &gateway.savings;
    let (lines, total) = book.read();
    let in_force = gateway.in_force();
    let models: Vec<Value> = lines.iter().map(|line| line_json(&in_force.routes, line)).collect();
    HttpResponse::Ok().json(json!({
        "since_unix_ms": book.since_wall_ms(),
        "currency": book.currency(),
        "total": {"saved": saved(&total), "spent": spent(&total)},
        "models": models,
    }))
}

fn line_json(routes: &Routes, line: &Line) -> Value {
    let route = routes.all().get(line.route).map_or("", |route| &route.name);
    json!({
        "route": route,
        "model": line.model,
        "saved": saved(&line.saved),
        "spent": spent(&line.saved),
    })
}

fn saved(sums: &Saved) -> Value {
    json!({
        "calls": sums.calls,
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "seconds": sums.upstream_time.as_secs_f64(),
        "money": sums.money.to_string(),
    })
}

fn spent(sums: &Saved) -> Value {
    json!({"calls": sums.spent_calls, "money": sums.spent.to_string()})
}
