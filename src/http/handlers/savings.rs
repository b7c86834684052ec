//! What the cache has saved, for operators.

use actix_web::HttpResponse;
use actix_web::web::Data;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::gateway::Gateway;
use crate::http::routes::Routes;
use crate::savings::{Line, Saved};

/// What was saved and spent since the start.
#[derive(Serialize, ToSchema)]
#[schema(as = SavingsPage)]
struct Page<'a> {
    /// The start, in milliseconds since the Unix epoch.
    since_unix_ms: u64,
    /// Currency of all money.
    currency: &'a str,
    /// All of it.
    total: Sums,
    /// By route and model.
    models: Vec<LineShown<'a>>,
}

/// What was saved and spent by one route and model.
#[derive(Serialize, ToSchema)]
#[schema(as = SavingsLine)]
struct LineShown<'a> {
    /// Name of the route.
    route: &'a str,
    /// Name of the model; empty where requests named none, `other` for the rest.
    model: &'a str,
    #[serde(flatten)]
    sums: Sums,
}

#[derive(Serialize, ToSchema)]
#[schema(as = SavingsSums)]
struct Sums {
    saved: SavedSums,
    spent: SpentSums,
}

/// What the cache spared.
#[derive(Serialize, ToSchema)]
struct SavedSums {
    /// Upstream calls that were not made.
    calls: u64,
    /// Tokens of requests that were not charged.
    input_tokens: u64,
    /// Tokens of answers that were not charged.
    output_tokens: u64,
    /// Seconds that those calls would have taken.
    seconds: f64,
    /// Money that was not charged: a text, exact to the millionth.
    money: String,
}

/// What it could not.
#[derive(Serialize, ToSchema)]
struct SpentSums {
    /// Upstream calls that were made.
    calls: u64,
    /// Money that was charged: a text, exact to the millionth.
    money: String,
}

/// What the cache has saved since the start, by route and model.
#[utoipa::path(
    get, path = "/api/v1/savings", operation_id = "savings",
    responses((
        status = 200, body = Page,
        description = "Calls, tokens, seconds and money; money is a text, exact to the millionth.",
    )),
)]
pub async fn show(gateway: Data<Gateway>) -> HttpResponse {
    let book = &gateway.savings;
    let (lines, total) = book.read();
    let in_force = gateway.in_force();
    HttpResponse::Ok().json(Page {
        since_unix_ms: book.since_wall_ms(),
        currency: book.currency(),
        total: Sums::of(&total),
        models: lines.iter().map(|line| LineShown::of(&in_force.routes, line)).collect(),
    })
}

impl<'a> LineShown<'a> {
    fn of(routes: &'a Routes, line: &'a Line) -> Self {
        let route = routes.all().get(line.route).map_or("", |route| &route.name);
        Self { route, model: &line.model, sums: Sums::of(&line.saved) }
    }
}

impl Sums {
    fn of(sums: &Saved) -> Self {
        Self {
            saved: SavedSums {
                calls: sums.calls,
                input_tokens: sums.input_tokens,
                output_tokens: sums.output_tokens,
                seconds: sums.upstream_time.as_secs_f64(),
                money: sums.money.to_string(),
            },
            spent: SpentSums { calls: sums.spent_calls, money: sums.spent.to_string() },
        }
    }
}
