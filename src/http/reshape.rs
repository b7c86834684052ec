//! What becomes of whole answers before they are kept and sent: hits and misses have the same bytes.

use std::sync::Arc;

use anteroom_actors::origin::{Head, Reshape};
use bytes::Bytes;

use super::shape::minify::minify;
use super::shape::nulls::drop_nulls;
use super::shape::redact::{DEFAULT_NAMES, DEFAULT_PATTERNS, RedactError, Redactor};
use crate::settings::Settings;

/// Reshapes the answers of all routes.
#[derive(Debug)]
pub struct Reshaper {
    redactor: Arc<Redactor>,
    minifies: bool,
    routes: Vec<Rules>,
}

/// What is done to a route's answers beside that.
#[derive(Debug, Clone, Copy)]
struct Rules {
    drops_nulls: bool,
    redacts_all: bool,
}

/// What is done to one answer.
#[derive(Debug, Clone, Copy, Default)]
struct Work {
    redacts: bool,
    drops_nulls: bool,
    minifies: bool,
}

impl Reshaper {
    /// Prepares the settings' rules.
    ///
    /// # Errors
    ///
    /// When what is declared sensitive cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, RedactError> {
        let owned = |built_in: &[&str]| built_in.iter().map(|&text| text.to_owned()).collect();
        let redact = &settings.response.redact;
        let names = redact.names.clone().unwrap_or_else(|| owned(&DEFAULT_NAMES));
        let patterns = redact.patterns.clone().unwrap_or_else(|| owned(&DEFAULT_PATTERNS));
        let routes = settings
            .routes
            .iter()
            .map(|route| Rules { drops_nulls: route.drop_nulls, redacts_all: route.redact_bodies });
        Ok(Self {
            redactor: Arc::new(Redactor::new(&names, &patterns)?),
            minifies: settings.response.optimize_json,
            routes: routes.collect(),
        })
    }

    /// Returns how a whole answer with this `head` is reshaped, if it is: an error loses what is
    /// declared sensitive, JSON its white space. What is encoded, or says `no-transform`
    /// (RFC 9111 §5.2.2.6), is left alone.
    pub fn of(&self, route: usize, head: &Head) -> Option<Reshape> {
        let work = self.work(route, head)?;
        let redactor = Arc::clone(&self.redactor);
        Some(Box::new(move |body: &Bytes| work.on(body, &redactor)))
    }

    fn work(&self, route: usize, head: &Head) -> Option<Work> {
        let values = |name: &'static str| {
            let named = head.headers.iter().filter(move |header| &*header.name == name);
            named.map(|header| &*header.value)
        };
        let mut directives = values("cache-control").flat_map(|value| value.split(|b| *b == b','));
        let is_no_transform =
            |directive: &[u8]| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform");
        let is_encoded = values("content-encoding").next().is_some();
        if head.streamed || is_encoded || directives.any(is_no_transform) {
            return None;
        }
        let rules = self.routes.get(route)?;
        let is_json = values("content-type").next().is_some_and(is_json);
        let work = Work {
            redacts: head.status >= 400 || rules.redacts_all,
            drops_nulls: is_json && rules.drops_nulls && head.status < 400,
            minifies: is_json && self.minifies,
        };
        (work.redacts || work.drops_nulls || work.minifies).then_some(work)
    }
}

impl Work {
    fn on(self, body: &Bytes, redactor: &Redactor) -> Option<Bytes> {
        let mut changed: Option<Vec<u8>> = None;
        let mut step = |filter: &dyn Fn(&[u8]) -> Option<Vec<u8>>| {
            let next = filter(changed.as_deref().unwrap_or(body));
            changed = next.or(changed.take());
        };
        if self.redacts {
            step(&|body| redactor.apply(body));
        }
        if self.drops_nulls {
            step(&drop_nulls);
        }
        if self.minifies {
            step(&minify);
        }
        changed.map(Bytes::from)
    }
}

/// Tells whether a `Content-Type` is that of JSON.
fn is_json(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    let essence = essence.trim_ascii().to_ascii_lowercase();
    essence == b"application/json" || essence.ends_with(b"+json")
}

#[cfg(test)]
mod tests {
    use anteroom_actors::model::Header;

    use super::*;

    const BODY: &str = r#"{ "a": null, "token": "t", "key": "sk-proj-0123456789abcdef" }"#;

    fn reshaped(settings: &Settings, status: u16, headers: &[(&str, &'static str)]) -> String {
        let header = |(name, value): &(&str, &'static str)| Header {
            name: (*name).into(),
            value: Bytes::from_static(value.as_bytes()),
        };
        let headers = headers.iter().map(header).collect();
        let head = Head { status, headers, streamed: false };
        let reshape = Reshaper::new(settings).unwrap().of(0, &head);
        let body = Bytes::from_static(BODY.as_bytes());
        let body = reshape.and_then(|reshape| reshape(&body)).unwrap_or(body);
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn json_is_minified_and_only_errors_are_redacted_by_default() {
        let json = ("content-type", "application/json; charset=utf-8");
        let compact = r#"{"a":null,"token":"t","key":"sk-proj-0123456789abcdef"}"#;
        let redacted = r#"{"a":null,"token":"[redacted]","key":"[redacted]"}"#;
        let settings = Settings::default();
        assert_eq!(reshaped(&settings, 200, &[json]), compact);
        assert_eq!(reshaped(&settings, 401, &[json]), redacted);
        assert_eq!(reshaped(&settings, 200, &[("content-type", "text/plain")]), BODY);
        assert!(!reshaped(&settings, 500, &[("content-type", "text/plain")]).contains("sk-proj"));
        for left_alone in [("content-encoding", "gzip"), ("cache-control", "a, no-transform")] {
            assert_eq!(reshaped(&settings, 401, &[json, left_alone]), BODY);
        }
    }

    #[test]
    fn a_route_and_the_settings_say_what_else_is_done() {
        let json = ("content-type", "application/json");
        let mut settings = Settings::default();
        settings.response.optimize_json = false;
        assert_eq!(reshaped(&settings, 200, &[json]), BODY);
        settings.routes[0].drop_nulls = true;
        settings.routes[0].redact_bodies = true;
        settings.response.redact.patterns = Some(Vec::new());
        let expected = r#"{"token":"[redacted]","key":"sk-proj-0123456789abcdef"}"#;
        assert_eq!(reshaped(&settings, 200, &[json]), expected);
        settings.response.redact.patterns = Some(vec!["(".to_owned()]);
        assert_eq!(Reshaper::new(&settings).unwrap_err().label(), "bad_pattern");
    }
}
