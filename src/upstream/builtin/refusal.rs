//! Why a request gets an error, and the error in the form of its API.

use std::fmt;

use serde::Serialize;

use super::format::encode;
use super::{JSON, Prepared, header};

/// Where a reader is sent who asks for more than this model does.
const HOW_TO_CONNECT: &str = "Anteroom's built-in model only does chat completions and \
    completions. For everything else start Anteroom with ANTEROOM_UPSTREAM_URL set to your \
    provider's address";

/// An error that the caller gets instead of an answer.
///
/// Its texts name fields, never their values: they may end up in logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    kind: &'static str,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
    form: Form,
    allow: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    OpenAi,
    Anthropic,
}

impl Refusal {
    /// Says that the body or the field `param` of it is not what it should be.
    pub(super) fn invalid(param: Option<&str>, message: impl fmt::Display) -> Self {
        Self {
            status: 400,
            kind: "invalid_request_error",
            message: message.to_string(),
            param: param.map(str::to_owned),
            code: None,
            form: Form::OpenAi,
            allow: None,
        }
    }

    /// Says that `/v1/models` has no model of the name asked for.
    pub(super) fn unknown_model() -> Self {
        Self {
            status: 404,
            code: Some("model_not_found"),
            ..Self::invalid(Some("model"), "the only model here is anteroom-builtin")
        }
    }

    /// Says that there is nothing at this path.
    pub(super) fn unknown_path() -> Self {
        Self { status: 404, ..Self::invalid(None, "no such path; the API lies under /v1/") }
    }

    /// Says that the path takes `method` only.
    pub(super) fn wrong_method(method: &'static str) -> Self {
        Self {
            status: 405,
            code: Some("method_not_allowed"),
            allow: Some(method),
            ..Self::invalid(None, format_args!("this path takes {method} only"))
        }
    }

    /// Says that an OpenAI call is not done here, and how to get it done.
    pub(super) fn not_done() -> Self {
        Self {
            status: 501,
            kind: "not_implemented_error",
            code: Some("not_implemented"),
            ..Self::invalid(None, HOW_TO_CONNECT)
        }
    }

    /// Says that an Anthropic call is not done here, and how to get it done.
    pub(super) fn not_done_for_anthropic() -> Self {
        Self { kind: "api_error", form: Form::Anthropic, ..Self::not_done() }
    }

    /// Makes the answer.
    pub(super) fn prepared(self) -> Prepared {
        let message = self.message.as_str();
        let body = match self.form {
            Form::OpenAi => encode(&OpenAiError {
                error: OpenAiDetail {
                    message,
                    kind: self.kind,
                    param: self.param.as_deref(),
                    code: self.code,
                },
            }),
            Form::Anthropic => encode(&AnthropicError {
                kind: "error",
                error: AnthropicDetail { kind: self.kind, message },
            }),
        };
        let mut headers = vec![header("content-type", JSON)];
        headers.extend(self.allow.map(|method| header("allow", method)));
        if self.status == 501 {
            // The SDKs of both providers would try again otherwise, as after any 5xx.
            headers.push(header("x-should-retry", "false"));
        }
        Prepared::whole(self.status, headers, body)
    }
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    error: OpenAiDetail<'a>,
}

#[derive(Serialize)]
struct OpenAiDetail<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    error: AnthropicDetail<'a>,
}

#[derive(Serialize)]
struct AnthropicDetail<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
}
