//! The description of the API listener: of its own pages, and of the default routes to upstreams, which
//! one handler answers.

use std::collections::BTreeMap;

use anteroom_actors::model::{Labels, Level};
use serde_json::{Value, json};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::header::{Header, HeaderBuilder};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, RefOr, Required, Response, ResponseBuilder};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use super::shared::{self, Away, Error, Unauthorised};
use crate::http::error_body::ErrorBody;
use crate::http::handlers::{MAX_NAMESPACE, MAX_TAG, conversations, health};

/// All that the API listener serves with the default routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Anteroom, API listener",
        description = "The provider's own API, answered from three cache levels where that is \
                       possible. These are the default routes; routes of the settings decide which \
                       there are. Bodies are the provider's and are described by it: what is here \
                       is what Anteroom adds. Where auth.keys are set, every page but /health wants \
                       a key.",
    ),
    servers((url = "/")),
    security((), ("token" = [])),
    paths(
        health::live,
        health::ready,
        routes::chat,
        routes::completions,
        routes::embeddings,
        routes::responses,
        routes::messages,
        routes::models,
        routes::model,
        conversations::show,
        conversations::forget,
        super::description,
        super::page,
    ),
    components(schemas(ErrorBody), responses(Error, Away, Unauthorised)),
    modifiers(&Guarded),
)]
pub(super) struct Api;

struct Guarded;

impl Modify for Guarded {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        shared::show_token(document, "A key of auth.keys, or the provider's own");
        shared::guard(document, &[("401", shared::refer::<Unauthorised>())]);
    }
}

/// The default routes, each as it is described; `proxy::handle` answers them all.
mod routes {
    #![expect(dead_code, reason = "they are described here; one handler answers all of them")]

    use serde_json::Value;
    use utoipa::ToSchema;

    use super::{Answers, Steering};

    /// What Anteroom reads of a request for a chat completion; all else is the provider's.
    #[derive(ToSchema)]
    struct ChatRequest {
        /// The messages so far.
        messages: Vec<Value>,
    }

    /// What Anteroom reads of a request for a completion; all else is the provider's.
    #[derive(ToSchema)]
    struct CompletionRequest {
        /// A text, or a list.
        prompt: Value,
    }

    /// What Anteroom reads of a request for embeddings or a response; all else is the provider's.
    #[derive(ToSchema)]
    struct InputRequest {
        /// A text, or a list.
        input: Value,
    }

    /// A chat completion; with stream true, as events.
    #[utoipa::path(
        post, path = "/v1/chat/completions", operation_id = "chat", tag = "upstream",
        params(Steering), responses(Answers),
        request_body(content = ChatRequest, content_type = "application/json", example = json!({
            "model": "example",
            "messages": [{"role": "user", "content": "What is an anteroom?"}],
        })),
    )]
    pub fn chat() {}

    /// A completion.
    #[utoipa::path(
        post, path = "/v1/completions", operation_id = "completions", tag = "upstream",
        params(Steering), responses(Answers),
        request_body(content = CompletionRequest, content_type = "application/json", example = json!({
            "model": "example", "prompt": "An anteroom is",
        })),
    )]
    pub fn completions() {}

    /// Embeddings; each input of a list is kept on its own.
    #[utoipa::path(
        post, path = "/v1/embeddings", operation_id = "embeddings", tag = "upstream",
        params(Steering), responses(Answers),
        request_body(content = InputRequest, content_type = "application/json", example = json!({
            "model": "example", "input": ["first", "second"],
        })),
    )]
    pub fn embeddings() {}

    /// A response.
    #[utoipa::path(
        post, path = "/v1/responses", operation_id = "responses", tag = "upstream",
        params(Steering), responses(Answers),
        request_body(content = InputRequest, content_type = "application/json", example = json!({
            "model": "example", "input": "What is an anteroom?",
        })),
    )]
    pub fn responses() {}

    /// A message of Anthropic's API.
    #[utoipa::path(
        post, path = "/v1/messages", operation_id = "messages", tag = "upstream",
        params(Steering), responses(Answers),
        request_body(content = ChatRequest, content_type = "application/json", example = json!({
            "model": "example", "max_tokens": 100,
            "messages": [{"role": "user", "content": "What is an anteroom?"}],
        })),
    )]
    pub fn messages() {}

    /// The models.
    #[utoipa::path(
        get,
        path = "/v1/models",
        operation_id = "models",
        tag = "upstream",
        params(Steering),
        responses(Answers)
    )]
    pub fn models() {}

    /// One model.
    #[utoipa::path(
        get, path = "/v1/models/{model}", operation_id = "model", tag = "upstream",
        params((
            "model" = String, Path, description = "The model's name.",
            pattern = "^[a-z0-9-]+$", example = "anteroom-builtin",
        )),
        responses(Answers),
    )]
    pub fn model() {}
}

/// The headers that steer the cache.
enum Steering {}

impl IntoParams for Steering {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let matching = |pattern: String| text().pattern(Some(pattern));
        let header = |name: &str, about: &str, schema: ObjectBuilder, example: &str| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(about))
                .schema(Some(schema))
                .example(Some(json!(example)))
                .build()
        };
        let most_tags = Labels::MAX_TAGS;
        let tag = format!("[!-~]{{1,{MAX_TAG}}}");
        vec![
            header(
                "X-Cache-TTL",
                "How long the answer may be served, in seconds, up to the route's max_ttl.",
                matching("^[0-9]+$".to_owned()),
                "3600",
            ),
            header(
                "X-Cache-Namespace",
                "Answers of one namespace are apart from all others of the same caller.",
                matching(format!("^[!-~]{{1,{MAX_NAMESPACE}}}$")),
                "experiment-1",
            ),
            header(
                "X-Cache-Tags",
                &format!(
                    "Names to purge the answer by, separated by commas; at most {most_tags}, of at \
                     most {MAX_TAG} bytes each."
                ),
                matching(format!("^{tag}(,{tag}){{0,{}}}$", most_tags - 1)),
                "docs,release-7",
            ),
            header(
                "X-Fields",
                "The part of the answer that is wanted: paths of members, separated by commas.",
                text(),
                "choices.message.content,usage",
            ),
            header(
                "Cache-Control",
                "RFC 9111's request directives.",
                text().enum_values(Some([
                    "no-cache",
                    "no-store",
                    "only-if-cached",
                    "max-age=60",
                    "max-stale",
                ])),
                "max-age=60",
            ),
        ]
    }
}

/// What a route to an upstream answers.
enum Answers {}

impl IntoResponses for Answers {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let refused = ["400", "404", "408", "413", "415", "422", "429", "431"];
        let refused = refused.map(|status| (status, shared::refer::<Error>()));
        let away = ["502", "503", "504"].map(|status| (status, shared::refer::<Away>()));
        let not_done = shared::error("The built-in model does not do that.");
        let known = ResponseBuilder::new()
            .description("The caller has it already (If-None-Match).")
            .build();
        let others = [("200", answer().into()), ("304", known.into()), ("501", not_done.into())];
        let all = others.into_iter().chain(refused).chain(away);
        all.map(|(status, response)| (status.to_owned(), response)).collect()
    }
}

fn answer() -> Response {
    let object = ObjectBuilder::new().schema_type(Type::Object).build();
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    let response = ResponseBuilder::new()
        .description("The provider's answer.")
        .content("application/json", ContentBuilder::new().schema(Some(object)).build())
        .content("text/event-stream", ContentBuilder::new().schema(Some(text)).build());
    let headers = of_the_cache().into_iter();
    headers.fold(response, |response, (name, header)| response.header(name, header)).build()
}

/// Returns the headers that say where an answer comes from and how long it took. The extension
/// `x-performance` says what each measures.
fn of_the_cache() -> [(&'static str, Header); 6] {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let header = |about: &str, schema: ObjectBuilder, measures: Value| {
        let extensions = Extensions::from_iter([("x-performance", measures)]);
        HeaderBuilder::new()
            .schema(Some(schema))
            .description(Some(about))
            .extensions(Some(extensions))
            .build()
    };
    let levels = Level::ALL.map(Level::as_str);
    [
        (
            "Cache-Status",
            header(
                "RFC 9211: hit or why not, remaining freshness, level.",
                text(),
                json!({"of": "cache", "members": {"ttl": "seconds", "hit": "boolean"}}),
            ),
        ),
        (
            "X-Cache",
            header(
                "HIT, MISS, COALESCED, STALE or BYPASS.",
                text().enum_values(Some(["HIT", "MISS", "COALESCED", "STALE", "BYPASS"])),
                json!({"of": "cache"}),
            ),
        ),
        (
            "X-Cache-Level",
            header(
                "L1, L2 or L3, for hits.",
                text().enum_values(Some(levels)),
                json!({"of": "cache"}),
            ),
        ),
        (
            "Age",
            header(
                "Seconds since the answer was made.",
                text(),
                json!({"of": "cache", "unit": "seconds"}),
            ),
        ),
        (
            "Server-Timing",
            header(
                "Milliseconds of the cache, the upstream and all.",
                text(),
                json!({
                    "of": "time",
                    "unit": "milliseconds",
                    "members": ["cache", "upstream", "total"],
                }),
            ),
        ),
        ("ETag", header("Of the body as it is sent.", text(), json!({"of": "body"}))),
    ]
}
