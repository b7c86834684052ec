//! What becomes of whole answers before they are kept and sent: hits and misses have the same bytes.

use std::sync::Arc;

use anteroom_actors::origin::{Head, Reshape};
use bytes::Bytes;

use super::shape::event_filter::EventFilter;
use super::shape::minify::minify;
use super::shape::nulls::{drop_nulls, drop_nulls_in_events};
use super::shape::redact::{DEFAULT_NAMES, DEFAULT_PATTERNS, RedactError, Redactor};
use crate::settings::Settings;
use crate::telemetry::PayloadCounters;
use crate::upstream::origin::OnPieces;

/// Reshapes the answers of all routes.
#[derive(Debug)]
pub struct Reshaper {
    redactor: Arc<Redactor>,
    minifies: bool,
    routes: Vec<Rules>,
    counters: Option<PayloadCounters>,
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
            counters: None,
        })
    }

    /// Counts the bytes of whole answers in `counters`.
    #[must_use]
    pub fn counting(self, counters: PayloadCounters) -> Self {
        Self { counters: Some(counters), ..self }
    }

    /// Returns how a whole answer with this `head` is reshaped, if it is: an error loses what is
    /// declared sensitive, JSON its white space. What is encoded, or says `no-transform`
    /// (RFC 9111 §5.2.2.6), is left alone.
    pub fn whole(&self, route: usize, head: &Head) -> Option<Reshape> {
        let work = self.work(route, head).filter(|_| !head.streamed)?;
        let (redactor, counters) = (Arc::clone(&self.redactor), self.counters.clone());
        Some(Box::new(move |body: &Bytes| {
            let changed = work.on(body, &redactor);
            if let Some(counters) = &counters {
                counters.add(body.len(), changed.as_ref().unwrap_or(body).len());
            }
            changed
        }))
    }

    /// Returns how a stream with this `head` is reshaped event by event, if it is. Its white space
    /// stays.
    pub fn events(&self, route: usize, head: &Head) -> Option<OnPieces> {
        let work = self.work(route, head).filter(|_| head.streamed)?;
        let redactor = Arc::clone(&self.redactor);
        let on_events = move |events: &[u8]| work.on_events(events, &redactor);
        let mut filter = Some(EventFilter::new(Box::new(on_events)));
        Some(Box::new(move |piece| match piece {
            Some(piece) => filter.as_mut().map(|filter| filter.push(piece)).unwrap_or_default(),
            None => filter.take().map(|filter| filter.finish(b"")).unwrap_or_default(),
        }))
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
        if is_encoded || directives.any(is_no_transform) {
            return None;
        }
        let rules = self.routes.get(route)?;
        let is_json = values("content-type").next().is_some_and(is_json);
        let work = Work {
            redacts: head.status >= 400 || rules.redacts_all,
            drops_nulls: (is_json || head.streamed) && rules.drops_nulls && head.status < 400,
            minifies: is_json && self.minifies && !head.streamed,
        };
        (work.redacts || work.drops_nulls || work.minifies).then_some(work)
    }
}

impl Work {
    fn on_events(self, events: &[u8], redactor: &Redactor) -> Option<Vec<u8>> {
        let redacted = if self.redacts { redactor.apply_events(events) } else { None };
        let dropped = if self.drops_nulls {
            drop_nulls_in_events(redacted.as_deref().unwrap_or(events))
        } else {
            None
        };
        dropped.or(redacted)
    }

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
        let reshape = Reshaper::new(settings).unwrap().whole(0, &head);
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

    #[test]
    fn events_are_reshaped_where_the_route_says_so_and_keep_their_white_space() {
        let head = Head { status: 200, headers: Vec::new(), streamed: true };
        let mut settings = Settings::default();
        assert!(Reshaper::new(&settings).unwrap().events(0, &head).is_none());
        settings.routes[0].drop_nulls = true;
        settings.routes[0].redact_bodies = true;
        let reshaper = Reshaper::new(&settings).unwrap();
        assert!(reshaper.whole(0, &head).is_none());
        let mut events = reshaper.events(0, &head).unwrap();
        let stream = format!("data: {BODY}\n\ndata: {{ \"a\": 1 }}\n\ndata: [DONE]\n\n");
        let mut out = Vec::new();
        for piece in stream.as_bytes().chunks(7) {
            out.extend_from_slice(&events(Some(&Bytes::copy_from_slice(piece))));
        }
        out.extend_from_slice(&events(None));
        let expected = "data: {\"token\":\"[redacted]\",\"key\":\"[redacted]\"}\n\n\
            data: { \"a\": 1 }\n\ndata: [DONE]\n\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
