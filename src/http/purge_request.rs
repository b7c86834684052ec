//! What an operator wants purged.

use anteroom_actors::model::{CacheKey, Label, LabelKind};
use serde::Deserialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::routes::Routes;

/// Longest name of anything, in bytes.
const MAX_NAME_BYTES: usize = 1_024;

/// The scope of routes that all callers share, in words.
const SHARED: &str = "shared";

/// One name to purge by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// What kind of name.
    pub kind: LabelKind,
    /// The name as it was given; `*` for everything.
    pub value: String,
    /// What answers carry.
    pub label: Label,
}

/// A request that cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PurgeRequestError {
    /// The body is not what it has to be.
    #[error("{0}")]
    Body(String),
    /// A member's value is not one of its kind.
    #[error("`{member}` is {wanted}")]
    Value {
        /// The member.
        member: &'static str,
        /// What it has to be.
        wanted: &'static str,
    },
    /// There is no such route.
    #[error("`route`: there is no route {0:?} in the settings")]
    NoSuchRoute(String),
}

/// Names of what is to be purged, at least one; each works on its own. Null is as good as absent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Purge, min_properties = 1)]
pub(super) struct Body {
    /// An answer's key, as explain tells it.
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    key: Option<String>,
    /// A tag that callers gave, 1 to 1,024 bytes.
    #[schema(min_length = 1, max_length = 1024)]
    tag: Option<String>,
    /// A model, 1 to 1,024 bytes.
    #[schema(min_length = 1, max_length = 1024)]
    model: Option<String>,
    /// A namespace of callers, in any scope; 1 to 1,024 bytes.
    #[schema(min_length = 1, max_length = 1024)]
    namespace: Option<String>,
    /// Who shares the answers, as explain tells it; `shared` for the routes that all callers share.
    #[schema(pattern = "^([0-9A-Fa-f]{64}|shared)$")]
    scope: Option<String>,
    /// A route of the settings.
    route: Option<String>,
    /// Everything there is; true, or left out.
    #[schema(value_type = Option<IsTrue>, inline)]
    all: Option<bool>,
}

/// The truth value that `all` may have.
enum IsTrue {}

impl PartialSchema for IsTrue {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([true])).into()
    }
}

impl ToSchema for IsTrue {}

/// Reads the body of a purge.
///
/// # Errors
///
/// What is wrong with it, naming the member.
pub fn read(body: &[u8], routes: &Routes) -> Result<Vec<Named>, PurgeRequestError> {
    // A list would be read as the members in order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(PurgeRequestError::Body("the body has to be a JSON object".to_owned()));
    }
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| PurgeRequestError::Body(short(&error.to_string())))?;
    let mut purged = Vec::new();
    if let Some(key) = body.key {
        let digest = CacheKey::from_hex(&key)
            .ok_or(PurgeRequestError::Value { member: "key", wanted: "64 hexadecimal digits" })?;
        purged.push(Named { kind: LabelKind::Key, value: key, label: Label::of_key(&digest) });
    }
    for (kind, name) in [
        (LabelKind::Tag, body.tag),
        (LabelKind::Model, body.model),
        (LabelKind::Namespace, body.namespace),
    ] {
        purged.extend(name.map(|name| of_text(kind, name)).transpose()?);
    }
    if let Some(scope) = body.scope {
        let digest = scope_bytes(&scope).ok_or(PurgeRequestError::Value {
            member: "scope",
            wanted: "64 hexadecimal digits, or shared",
        })?;
        let label = Label::new(LabelKind::Scope, &digest);
        purged.push(Named { kind: LabelKind::Scope, value: scope, label });
    }
    if let Some(route) = body.route {
        if !routes.all().iter().any(|known| *known.name == *route) {
            return Err(PurgeRequestError::NoSuchRoute(short(&route)));
        }
        purged.push(of_text(LabelKind::Route, route)?);
    }
    match body.all {
        Some(true) => {
            let value = "*".to_owned();
            purged.push(Named { kind: LabelKind::All, value, label: Label::ALL });
        }
        Some(false) => {
            return Err(PurgeRequestError::Value { member: "all", wanted: "true, or left out" });
        }
        None => {}
    }
    if purged.is_empty() {
        let text = "nothing is named: give any of key, tag, model, namespace, scope, route, or all";
        return Err(PurgeRequestError::Body(text.to_owned()));
    }
    Ok(purged)
}

fn of_text(kind: LabelKind, value: String) -> Result<Named, PurgeRequestError> {
    if value.is_empty() || value.len() > MAX_NAME_BYTES {
        return Err(PurgeRequestError::Value {
            member: kind.as_str(),
            wanted: "1 to 1024 bytes of text",
        });
    }
    let label = Label::new(kind, value.as_bytes());
    Ok(Named { kind, value, label })
}

/// Returns a scope's bytes: none for the shared one.
fn scope_bytes(text: &str) -> Option<Vec<u8>> {
    if text == SHARED {
        return Some(Vec::new());
    }
    CacheKey::from_hex(text).map(|digest| digest.as_bytes().to_vec())
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn read_text(body: &str) -> Result<Vec<Named>, PurgeRequestError> {
        read(body.as_bytes(), &Routes::new(&Settings::default()))
    }

    fn labels(body: &str) -> Vec<Label> {
        let named = read_text(body).unwrap_or_else(|error| panic!("{body}: {error}"));
        named.into_iter().map(|named| named.label).collect()
    }

    #[test]
    fn each_member_is_purged_by_its_own_label() {
        let hex = "0A".repeat(32);
        for (body, label) in [
            (r#"{"tag":"a"}"#.to_owned(), Label::new(LabelKind::Tag, b"a")),
            (r#" {"model":"gpt-4o"}"#.to_owned(), Label::new(LabelKind::Model, b"gpt-4o")),
            (r#"{"namespace":"n"}"#.to_owned(), Label::new(LabelKind::Namespace, b"n")),
            (r#"{"route":"chat"}"#.to_owned(), Label::new(LabelKind::Route, b"chat")),
            (r#"{"scope":"shared"}"#.to_owned(), Label::new(LabelKind::Scope, b"")),
            (format!(r#"{{"scope":"{hex}"}}"#), Label::new(LabelKind::Scope, &[10; 32])),
            (format!(r#"{{"key":"{hex}"}}"#), Label::of_key(&CacheKey::new([10; 32]))),
            (r#"{"all":true}"#.to_owned(), Label::ALL),
        ] {
            assert_eq!(labels(&body), [label], "{body}");
        }
        let both = labels(r#"{"tag":"a","model":"m"}"#);
        assert_eq!(both, [Label::new(LabelKind::Tag, b"a"), Label::new(LabelKind::Model, b"m")]);
    }

    #[test]
    fn bounds_are_described_as_they_are() {
        let schema = serde_json::to_value(Body::schema()).unwrap();
        for name in ["tag", "model", "namespace"] {
            assert_eq!(schema["properties"][name]["maxLength"], MAX_NAME_BYTES, "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (body, named) in [
            ("", "object"),
            ("[]", "object"),
            (r#"["k"]"#, "object"),
            ("{}", "nothing is named"),
            (r#"{"tag":null}"#, "nothing is named"),
            (r#"{"tags":"a"}"#, "`tags`"),
            (r#"{"tag":"a","tag":"b"}"#, "`tag`"),
            (r#"{"tag":""}"#, "`tag`"),
            (r#"{"tag":7}"#, "integer `7`"),
            (r#"{"key":"abc"}"#, "`key`"),
            (r#"{"scope":"sk-abc"}"#, "`scope`"),
            (r#"{"route":"chats"}"#, "chats"),
            (r#"{"all":false}"#, "`all`"),
            (r#"{"all":true"#, "EOF"),
            (r#"{"all":true} x"#, "trailing"),
        ] {
            let error = read_text(body).unwrap_err().to_string();
            assert!(error.contains(named), "{body}: {error}");
        }
        let long = format!(r#"{{"tag":"{}"}}"#, "x".repeat(1_025));
        assert!(read_text(&long).unwrap_err().to_string().contains("`tag`"));
    }
}
