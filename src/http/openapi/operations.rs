//! The description of the operations listener.

use utoipa::{Modify, OpenApi};

use super::shared::{self, Away, Error, Forbidden, Unauthorised};
use crate::http::error_body::ErrorBody;
use crate::http::handlers::{
    cache_admin, config, dashboard, entry, explain, health, metrics, performance, savings, scaling,
    warming,
};

/// All that the operations listener serves.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Anteroom, operations listener",
        description = "For operators: health, numbers, settings, and what is kept. With admin.token \
                       set every page but /health/live and /health/ready wants \
                       `Authorization: Bearer <admin.token>`; without, the listener answers \
                       requests for loopback addresses only. Changes are asked for as \
                       application/json.",
    ),
    servers((url = "/")),
    security((), ("token" = [])),
    paths(
        health::live,
        health::ready,
        health::actors,
        metrics::show,
        performance::show,
        savings::show,
        scaling::show,
        config::show,
        config::reload,
        warming::show,
        warming::warm,
        entry::entry,
        explain::explain,
        cache_admin::purge,
        dashboard::live,
        dashboard::page,
        dashboard::part,
        dashboard::session,
        dashboard::sign_in,
        dashboard::sign_out,
        super::description,
        super::page,
    ),
    components(schemas(ErrorBody), responses(Error, Away, Unauthorised, Forbidden)),
    modifiers(&Guarded),
)]
pub(super) struct Operations;

struct Guarded;

impl Modify for Guarded {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        shared::show_token(document, "admin.token of the settings");
        let guards =
            [("401", shared::refer::<Unauthorised>()), ("403", shared::refer::<Forbidden>())];
        shared::guard(document, &guards);
    }
}
