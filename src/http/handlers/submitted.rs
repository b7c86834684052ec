//! A request as JSON describes it: to be explained, or to be warmed.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, Uri};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::http::access::Client;
use crate::http::access::shown::{self, Shown};
use crate::http::in_force::InForce;

/// The members of a description.
const MEMBERS: [&str; 5] = ["method", "path", "headers", "body", "body_text"];

/// Most headers.
const MAX_HEADERS: usize = 256;

/// What is wrong with it. Holds nothing of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// Which field.
    pub(super) field: String,
    /// What it must be.
    pub(super) reason: String,
}

impl Mistake {
    pub(super) fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: field.into(), reason: reason.into() }
    }
}

/// A request, as it would come on the API listener.
// [`Submitted::read`] reads it member by member, to say which of them is wrong, and keeps the body's
// own bytes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "what is described; it is read by hand")]
pub(super) struct Described {
    /// Its method.
    #[schema(nullable = false, default = "POST")]
    method: Option<String>,
    /// Its path and query.
    #[schema(pattern = "^/")]
    path: String,
    /// Its headers, each with one value or several.
    #[schema(nullable = false)]
    headers: Option<BTreeMap<String, Values>>,
    /// Its body, as JSON; it goes as it is written.
    body: Option<serde_json::Value>,
    /// In place of the body, what is no JSON.
    #[schema(nullable = false)]
    body_text: Option<String>,
}

/// A request.
#[derive(Debug)]
pub(super) struct Submitted {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// One value or several of a header.
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = HeaderValues)]
enum Values {
    One(String),
    Several(Vec<String>),
}

impl Submitted {
    /// Reads the description.
    ///
    /// # Errors
    ///
    /// Which field is wrong, and what it must be.
    pub(super) fn read(text: &[u8]) -> Result<Self, Mistake> {
        let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(text).map_err(|_| {
            Mistake::new("the request", "must be a JSON object with path, method, headers, body")
        })?;
        if let Some(other) = fields.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
            let name: String = other.chars().take(64).collect();
            return Err(Mistake::new(name, format!("unknown; known are {}", MEMBERS.join(", "))));
        }
        let text_of = |name: &str| match fields.get(name) {
            None => Ok(None),
            Some(value) => serde_json::from_str::<String>(value.get())
                .map(Some)
                .map_err(|_| Mistake::new(name, "must be a text")),
        };
        let method = text_of("method")?.unwrap_or_else(|| "POST".to_owned());
        let path = text_of("path")?.filter(|path| path.starts_with('/'));
        let body = match (fields.get("body"), text_of("body_text")?) {
            (Some(_), Some(_)) => {
                return Err(Mistake::new("body_text", "must not stand beside body"));
            }
            (Some(body), None) => Bytes::copy_from_slice(body.get().as_bytes()),
            (None, text) => Bytes::from(text.unwrap_or_default()),
        };
        Ok(Self {
            method: Method::from_bytes(method.as_bytes())
                .map_err(|_| Mistake::new("method", "must be a method, such as POST"))?,
            uri: path
                .and_then(|path| path.parse().ok())
                .ok_or_else(|| Mistake::new("path", "must be a path, such as /v1/messages"))?,
            headers: headers(fields.get("headers").map(|value| value.get()))?,
            body,
        })
    }
}

fn headers(text: Option<&str>) -> Result<HeaderMap, Mistake> {
    let Some(text) = text else { return Ok(HeaderMap::new()) };
    let fields: BTreeMap<String, Values> = serde_json::from_str(text)
        .map_err(|_| Mistake::new("headers", "must be an object of texts, or of lists of texts"))?;
    let mut headers = HeaderMap::new();
    for (name, values) in fields {
        let field = || format!("headers.{}", name.chars().take(64).collect::<String>());
        let parsed = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| Mistake::new(field(), "not the name of a header"))?;
        let values = match values {
            Values::One(value) => vec![value],
            Values::Several(values) => values,
        };
        for value in values {
            let value = HeaderValue::from_str(&value)
                .map_err(|_| Mistake::new(field(), "not the value of a header"))?;
            headers.append(parsed.clone(), value);
        }
        if headers.len() > MAX_HEADERS {
            return Err(Mistake::new("headers", format!("at most {MAX_HEADERS}")));
        }
    }
    Ok(headers)
}

/// Finds who makes the request by its key, which is taken out as on the API listener.
pub(super) fn client_of(
    in_force: &InForce,
    submitted: &mut Submitted,
) -> Result<Option<Arc<Client>>, &'static str> {
    let Some(clients) = &in_force.clients else { return Ok(None) };
    match shown::take(&mut submitted.headers, |text| clients.keys.find(text)) {
        Shown::Key(position) => Ok(clients.get(position).map(Arc::clone)),
        Shown::Wrong | Shown::Nothing => Err("invalid_api_key"),
    }
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema as _;

    use super::*;

    #[test]
    fn a_request_is_read_as_it_is_written() {
        let text = br#"{"path":"/v1/x?b=1","headers":{"A":"1","b":["2","3"]},"body":{"n": 1.0}}"#;
        let read = Submitted::read(text).unwrap();
        assert_eq!((read.method.as_str(), read.uri.query()), ("POST", Some("b=1")));
        assert_eq!(read.body, "{\"n\": 1.0}", "byte for byte");
        assert_eq!(read.headers.len(), 3);
        let read = Submitted::read(br#"{"path":"/v1/x","method":"GET","body_text":"a\nb"}"#);
        assert_eq!(read.unwrap().body, "a\nb");
    }

    #[test]
    fn each_member_is_described() {
        let schema = serde_json::to_value(Described::schema()).unwrap();
        let described: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
        let mut members = MEMBERS;
        members.sort_unstable();
        assert_eq!(described, members);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, field) in [
            ("", "the request"),
            ("[]", "the request"),
            ("{}", "path"),
            (r#"{"path":1}"#, "path"),
            (r#"{"path":"v1"}"#, "path"),
            (r#"{"path":"/ x"}"#, "path"),
            (r#"{"path":"/","method":""}"#, "method"),
            (r#"{"path":"/","method":["GET"]}"#, "method"),
            (r#"{"path":"/","headers":[]}"#, "headers"),
            (r#"{"path":"/","headers":{"a":1}}"#, "headers"),
            (r#"{"path":"/","headers":{"a b":"1"}}"#, "headers.a b"),
            (r#"{"path":"/","headers":{"a":"\n"}}"#, "headers.a"),
            (r#"{"path":"/","body":1,"body_text":"1"}"#, "body_text"),
            (r#"{"path":"/","body_text":{}}"#, "body_text"),
            (r#"{"path":"/","boddy":1}"#, "boddy"),
        ] {
            assert_eq!(Submitted::read(text.as_bytes()).unwrap_err().field, field, "{text}");
        }
    }
}
