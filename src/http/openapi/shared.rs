//! What both descriptions have: error answers, what guards a listener, how its credential is shown.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::Ref;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, RefOr, Response, ResponseBuilder};
use utoipa::{ToResponse, ToSchema as _};

use crate::http::error_body::ErrorBody;

macro_rules! errors {
    ($($(#[doc = $doc:literal])+ $name:ident;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub enum $name {}

        impl<'r> ToResponse<'r> for $name {
            fn response() -> (&'r str, RefOr<Response>) {
                (stringify!($name), error(concat!($($doc),+)).into())
            }
        }
    )+};
}

errors! {
    /// The request cannot be served as it is; in the form of the route's API.
    Error;
    /// Something that is needed does not answer now; ask again.
    Away;
    /// No credential, or one that is not known.
    Unauthorised;
    /// Without a token, requests for loopback addresses alone are answered.
    Forbidden;
}

/// Returns an answer with an error as its body.
pub(super) fn error(description: &str) -> Response {
    let body = Ref::from_schema_name(ErrorBody::name());
    let body = ContentBuilder::new().schema(Some(body)).build();
    ResponseBuilder::new().description(description.trim()).content("application/json", body).build()
}

/// Returns a reference to the answer that `T` describes.
pub(super) fn refer<'r, T: ToResponse<'r>>() -> RefOr<Response> {
    RefOr::Ref(Ref::from_response_name(T::response().0))
}

/// Adds to every operation that does not say otherwise what guards the listener.
pub(super) fn guard(document: &mut OpenApi, guards: &[(&str, RefOr<Response>)]) {
    let items = document.paths.paths.values_mut();
    for operation in items.flat_map(operations).filter(|one| one.security.is_none()) {
        let responses = &mut operation.responses.responses;
        for (status, response) in guards {
            responses.entry((*status).to_owned()).or_insert_with(|| response.clone());
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
}

/// Says how the listener's credential is shown.
pub(super) fn show_token(document: &mut OpenApi, description: &str) {
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.description = Some(description.to_owned());
    document
        .components
        .get_or_insert_with(Components::new)
        .add_security_scheme("token", SecurityScheme::Http(token));
}
