//! Texts that are never printed, and URLs that are printed without what they hide.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

const MASK: &str = "***";

/// Parts of a query that are worth hiding, as words within the name of a parameter.
const HIDDEN_PARAMETERS: &[&str] = &["pass", "secret", "token", "key", "auth", "credential"];

/// A text that prints as `***`, or as nothing when it is empty.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text itself. Not for logs, errors or answers.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Tells whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn shown(&self) -> &'static str {
        if self.is_empty() { "" } else { MASK }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

/// Returns `url` with its password and the hidden parameters of its query as `***`.
///
/// What is not a URL at all is masked whole: a password in the wrong place is still one.
pub fn mask_url(url: &str) -> String {
    if url.is_empty() {
        return String::new();
    }
    if let Some(path) = url.strip_prefix("sqlite:").filter(|path| !path.contains('@')) {
        return format!("sqlite:{}", mask_query(path));
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return MASK.to_owned();
    };
    // The last `@`: a password with `/`, `?` or `@` in it breaks the URL, and must not show.
    match rest.rsplit_once('@') {
        None => format!("{scheme}://{}", mask_query(rest)),
        Some((user, place)) => {
            let user = user.split_once(':').map_or("", |(name, _)| name);
            let colon = if user.is_empty() { "" } else { ":" };
            format!("{scheme}://{user}{colon}{MASK}@{}", mask_query(place))
        }
    }
}

fn mask_query(place: &str) -> String {
    let Some((path, query)) = place.split_once('?') else {
        return place.to_owned();
    };
    let shown: Vec<String> = query.split('&').map(mask_parameter).collect();
    format!("{path}?{}", shown.join("&"))
}

fn mask_parameter(parameter: &str) -> String {
    let name = parameter.split_once('=').map_or(parameter, |(name, _)| name);
    let lower = name.to_ascii_lowercase();
    // An escaped name could spell any of them.
    if lower.contains('%') || HIDDEN_PARAMETERS.iter().any(|word| lower.contains(word)) {
        format!("{name}={MASK}")
    } else {
        parameter.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_stars_and_an_empty_one_as_nothing() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** \"***\"");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert_eq!(secret.expose(), "hunter2");
        assert_eq!(format!("{} {:?}", Secret::default(), Secret::default()), " \"\"");
    }

    #[test]
    fn a_url_shows_where_and_not_with_what() {
        for (url, shown) in [
            ("", ""),
            ("redis://host:6379/0", "redis://host:6379/0"),
            ("redis://:hunter2@host:6379", "redis://***@host:6379"),
            ("redis://anna:hunter2@host", "redis://anna:***@host"),
            ("redis://anna:hun@ter2@host", "redis://anna:***@host"),
            ("redis://anna:hun/ter?2@host", "redis://anna:***@host"),
            ("http://hunter2@proxy:3128", "http://***@proxy:3128"),
            ("postgres:///db?host=/run&password=hunter2", "postgres:///db?host=/run&password=***"),
            (
                "redis+unix:///run/r.sock?pass=hunter2&db=1",
                "redis+unix:///run/r.sock?pass=***&db=1",
            ),
            (
                "rediss+sentinel://anna:hunter2@a:1,b/main?sentinel_user=s&sentinel_password=hunter2",
                "rediss+sentinel://anna:***@a:1,b/main?sentinel_user=s&sentinel_password=***",
            ),
            ("postgres://h/db?%70assword=hunter2", "postgres://h/db?%70assword=***"),
            ("sqlite:data/a.db", "sqlite:data/a.db"),
            ("hunter2", "***"),
        ] {
            assert_eq!(mask_url(url), shown);
        }
    }
}
