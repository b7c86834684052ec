//! Which browsers' pages may call, and what are they told? (Fetch standard, «HTTP-CORS protocol».)
//!
//! Credentials in the standard's sense (cookies) are never allowed: a page sends its key by itself,
//! so an origin that is allowed gets nothing but what its key may have.

use crate::settings;

/// Response headers that scripts may read beside the few that they always may.
const EXPOSED: &str = "age, cache-status, etag, ratelimit, ratelimit-policy, retry-after, \
    server-timing, x-cache, x-cache-level, x-original-size, x-request-id, request-id";

/// Longest list of asked-for headers that is repeated, in bytes.
const MOST_ASKED: usize = 4_096;

/// Decides over origins.
#[derive(Debug)]
pub struct Cors {
    /// Lower case; empty = any.
    origins: Vec<String>,
    headers: Option<String>,
    methods: Option<String>,
    max_age_s: String,
}

/// What a preflight asks for.
#[derive(Debug, Clone, Copy)]
pub struct Preflight<'a> {
    /// `Access-Control-Request-Method`.
    pub method: &'a str,
    /// `Access-Control-Request-Headers`; empty for none.
    pub headers: &'a str,
}

/// A response header by name; the name is lower case.
pub type Field = (&'static str, String);

impl Cors {
    /// Prepares the settings; `None` where no origin may call.
    pub fn new(settings: &settings::Cors) -> Option<Self> {
        if settings.origins.is_empty() {
            return None;
        }
        let list = |names: &[String]| (!names.is_empty()).then(|| names.join(", "));
        let is_any = settings.origins.iter().any(|origin| origin == "*");
        Some(Self {
            origins: if is_any { Vec::new() } else { settings.origins.clone() },
            headers: list(&settings.headers),
            methods: list(&settings.methods),
            max_age_s: settings.max_age.get().as_secs().to_string(),
        })
    }

    /// Returns the headers of an answer to a preflight from `origin`. Without the first of them the
    /// browser does not send the request itself.
    pub fn preflight(&self, origin: &str, asked: Preflight<'_>) -> Vec<Field> {
        let mut fields = vec![(
            "vary",
            "origin, access-control-request-method, access-control-request-headers".to_owned(),
        )];
        let Some(allowed) = self.allowed(origin) else { return fields };
        fields.push(("access-control-allow-origin", allowed));
        let methods = self.methods.clone().or_else(|| names(asked.method));
        fields.extend(methods.map(|names| ("access-control-allow-methods", names)));
        let headers = self.headers.clone().or_else(|| names(asked.headers));
        fields.extend(headers.map(|names| ("access-control-allow-headers", names)));
        fields.push(("access-control-max-age", self.max_age_s.clone()));
        fields
    }

    /// Returns the headers of any other answer to `origin`, where the request names one.
    pub fn answer(&self, origin: Option<&str>) -> Vec<Field> {
        let mut fields = Vec::new();
        if !self.origins.is_empty() {
            fields.push(("vary", "origin".to_owned()));
        }
        if let Some(allowed) = origin.and_then(|origin| self.allowed(origin)) {
            fields.push(("access-control-allow-origin", allowed));
            fields.push(("access-control-expose-headers", EXPOSED.to_owned()));
        }
        fields
    }

    fn allowed(&self, origin: &str) -> Option<String> {
        if self.origins.is_empty() {
            return Some("*".to_owned());
        }
        // Browsers write an origin in lower case; it is repeated as it came.
        let is_known = self.origins.iter().any(|own| own.eq_ignore_ascii_case(origin));
        is_known.then(|| origin.to_owned())
    }
}

/// Returns a list of header or method names, where it is one and not too long.
fn names(asked: &str) -> Option<String> {
    let is_sign = |sign: char| sign.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~, ".contains(sign);
    let is_list = !asked.is_empty() && asked.len() <= MOST_ASKED && asked.chars().all(is_sign);
    is_list.then(|| asked.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str], headers: &[&str], methods: &[&str]) -> Cors {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let settings = settings::Cors {
            origins: list(origins),
            headers: list(headers),
            methods: list(methods),
            ..settings::Cors::default()
        };
        Cors::new(&settings).unwrap()
    }

    fn text(fields: &[Field]) -> String {
        let lines: Vec<_> = fields
            .iter()
            .filter(|(name, _)| *name != "access-control-expose-headers")
            .map(|(name, value)| format!("{}: {value}", name.trim_start_matches("access-control-")))
            .collect();
        lines.join("; ")
    }

    const VARY: &str =
        "vary: origin, access-control-request-method, access-control-request-headers";

    #[test]
    fn a_preflight_is_told_what_its_origin_may_do() {
        let asked = Preflight { method: "POST", headers: "authorization,x-stainless-os" };
        let own = cors(&["https://a.example", "http://b:8080"], &[], &[]);
        let listed = cors(&["https://a.example"], &["authorization", "x-a"], &["GET", "POST"]);
        let any = cors(&["*"], &[], &[]);
        for (cors, origin, told) in [
            (
                &own,
                "https://a.example",
                "; allow-origin: https://a.example; allow-methods: POST; \
                 allow-headers: authorization,x-stainless-os; max-age: 600",
            ),
            (
                &listed,
                "https://a.example",
                "; allow-origin: https://a.example; allow-methods: GET, POST; \
                 allow-headers: authorization, x-a; max-age: 600",
            ),
            (
                &any,
                "https://else.example",
                "; allow-origin: *; allow-methods: POST; \
                 allow-headers: authorization,x-stainless-os; max-age: 600",
            ),
            (&own, "https://a.example.evil", ""),
            (&own, "http://a.example", ""),
            (&own, "https://a.example:443", ""),
            (&own, "http://b", ""),
            (&own, "null", ""),
            (&own, "", ""),
        ] {
            let fields = cors.preflight(origin, asked);
            assert_eq!(text(&fields), format!("{VARY}{told}"), "{origin}");
        }
    }

    #[test]
    fn what_is_no_list_of_names_is_not_repeated() {
        let any = cors(&["*"], &[], &[]);
        for headers in ["", "a:b", "a\u{e4}", "a;b", &"a".repeat(MOST_ASKED + 1)] {
            let fields = any.preflight("https://a", Preflight { method: "POST", headers });
            assert!(!text(&fields).contains("allow-headers"), "{headers:.20}");
        }
    }

    #[test]
    fn other_answers_are_readable_for_known_origins_alone() {
        let own = cors(&["https://a.example"], &[], &[]);
        for (cors, origin, told) in [
            (&own, Some("https://a.example"), "vary: origin; allow-origin: https://a.example"),
            (&own, Some("https://b.example"), "vary: origin"),
            (&own, None, "vary: origin"),
            (&cors(&["*"], &[], &[]), Some("https://b.example"), "allow-origin: *"),
            (&cors(&["*"], &[], &[]), None, ""),
        ] {
            assert_eq!(text(&cors.answer(origin)), told, "{origin:?}");
        }
        let fields = own.answer(Some("https://a.example"));
        let exposed = fields.iter().find(|(name, _)| *name == "access-control-expose-headers");
        assert!(exposed.unwrap().1.contains("cache-status"));
        assert!(Cors::new(&settings::Cors::default()).is_none());
    }
}
