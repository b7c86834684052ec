//! The body of an error, in the forms of OpenAI's and Anthropic's APIs.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;

/// What an error answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ErrorBody<'a> {
    /// What is wrong.
    error: Told<'a>,
    /// `error`, in the form of Anthropic's API; left out in all others.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    kind: Option<&'static str>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ErrorTold)]
struct Told<'a> {
    /// Which error of the gateway's own it is; null in some of the provider's, left out where its API has no
    /// such member.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// In words.
    message: Cow<'a, str>,
    /// The field of the request that is wrong, where it is one; left out where the API has no such
    /// member.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    param: Option<Option<Cow<'a, str>>>,
    /// Who is at fault, in the API's words: `invalid_request_error`, `api_error` and the like.
    #[serde(rename = "type")]
    kind: &'static str,
}

impl<'a> ErrorBody<'a> {
    /// Returns an error of the operations listener: what the request has wrong.
    pub fn invalid(message: impl Into<Cow<'a, str>>) -> Self {
        Self::plain("invalid_request_error", message)
    }

    /// Returns an error of the operations listener: what does not work here.
    pub fn away(message: impl Into<Cow<'a, str>>) -> Self {
        Self::plain("api_error", message)
    }

    /// Returns an error of the operations listener: what one field has wrong.
    pub fn of_field(field: &'a str, reason: &str) -> Self {
        let mut body = Self::invalid(format!("{field}: {reason}"));
        body.error.param = Some(Some(Cow::Borrowed(field)));
        body
    }

    /// Returns an error in the form of OpenAI's API.
    pub fn open_ai(code: &'static str, kind: &'static str, message: String) -> Self {
        let mut body = Self::plain(kind, message);
        body.error.code = Some(code);
        body.error.param = Some(None);
        body
    }

    /// Returns an error in the form of Anthropic's API.
    pub fn anthropic(kind: &'static str, message: String) -> Self {
        Self { kind: Some("error"), ..Self::plain(kind, message) }
    }

    fn plain(kind: &'static str, message: impl Into<Cow<'a, str>>) -> Self {
        let error = Told { code: None, message: message.into(), param: None, kind };
        Self { error, kind: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_api_has_its_form() {
        for (body, text) in [
            (
                ErrorBody::invalid("no such page"),
                r#"{"error":{"message":"no such page","type":"invalid_request_error"}}"#,
            ),
            (
                ErrorBody::away("ask again"),
                r#"{"error":{"message":"ask again","type":"api_error"}}"#,
            ),
            (
                ErrorBody::of_field("path", "must be a text"),
                r#"{"error":{"message":"path: must be a text","param":"path","type":"invalid_request_error"}}"#,
            ),
            (
                ErrorBody::open_ai("shed", "api_error", "busy".to_owned()),
                r#"{"error":{"code":"shed","message":"busy","param":null,"type":"api_error"}}"#,
            ),
            (
                ErrorBody::anthropic("overloaded_error", "busy".to_owned()),
                r#"{"error":{"message":"busy","type":"overloaded_error"},"type":"error"}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&body).unwrap(), text);
        }
    }
}
