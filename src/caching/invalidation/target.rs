//! Which target of this origin does a reference mean? (RFC 3986 §5, RFC 9110 §4.3.1)

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// Reads the origin of an absolute address; `None` where it is none, or names a user.
    pub(super) fn parse(address: &str) -> Option<Self> {
        let (scheme, rest) = split_scheme(address)?;
        let (authority, _) = split_authority(rest)?;
        Self::of(scheme, authority)
    }

    fn of(scheme: &str, authority: &str) -> Option<Self> {
        let scheme = scheme.to_ascii_lowercase();
        let default = match &*scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        // The last colon, but none within the brackets of an IPv6 address.
        let bracket = authority.rfind(']').unwrap_or(0);
        let colon = authority.rfind(':').filter(|at| *at >= bracket);
        let (host, port) = match colon.and_then(|at| authority.split_at_checked(at)) {
            Some((host, port)) => match port.strip_prefix(':')? {
                "" => (host, default),
                digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                    (host, Some(digits.parse().ok()?))
                }
                _ => return None,
            },
            None => (authority, default),
        };
        let is_plain = !host.is_empty() && !authority.contains('@');
        is_plain.then(|| Self { scheme, host: host.to_ascii_lowercase(), port })
    }
}

/// Returns path and query of a reference as seen from `base`; `None` where it is of another origin
/// or cannot be read.
pub(super) fn resolve(own: &Origin, base: &str, reference: &str) -> Option<String> {
    if !reference.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
        return None;
    }
    let reference = reference.split('#').next().unwrap_or_default();
    let (scheme, rest) = match split_scheme(reference) {
        Some((scheme, rest)) => (scheme, rest),
        None => (&*own.scheme, reference),
    };
    if let Some((authority, target)) = split_authority(rest) {
        let is_own = Origin::of(scheme, authority).as_ref() == Some(own);
        return is_own.then(|| normal(target, None));
    }
    // A scheme without an authority names nothing of ours.
    if rest.len() != reference.len() {
        return None;
    }
    let (base_path, base_query) = split_query(base);
    let (path, query) = split_query(rest);
    Some(if path.is_empty() {
        normal(base_path, query.or(base_query))
    } else if path.starts_with('/') {
        normal(path, query)
    } else {
        let folder = base_path.rsplit_once('/').map_or("", |(folder, _)| folder);
        normal(&format!("{folder}/{path}"), query)
    })
}

/// Splits `scheme:rest` (RFC 3986 §3.1).
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme =
        scheme.starts_with(|sign: char| sign.is_ascii_alphabetic()) && scheme.bytes().all(is_sign);
    is_scheme.then_some((scheme, rest))
}

/// Splits `//authority` and what follows it.
fn split_authority(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix("//")?;
    let end = text.find(['/', '?', '#']).unwrap_or(text.len());
    text.split_at_checked(end)
}

fn split_query(target: &str) -> (&str, Option<&str>) {
    target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)))
}

/// Returns path and query without dot segments (RFC 3986 §5.2.4); `query` is used where the path
/// brings none.
fn normal(target: &str, query: Option<&str>) -> String {
    let (path, own_query) = split_query(target);
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            segment => {
                kept.push(segment);
                continue;
            }
        }
        if is_last {
            // A dot segment at the end leaves its slash.
            kept.push("");
        }
    }
    let mut text = format!("/{}", kept.join("/"));
    if let Some(query) = own_query.or(query) {
        text.push('?');
        text.push_str(query);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 3986 §5.4: references seen from `http://a/b/c/d;p?q`.
    #[test]
    fn references_are_resolved_as_in_the_examples() {
        let own = Origin::parse("http://a").unwrap();
        for (reference, expected) in [
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            ("#s", "/b/c/d;p?q"),
            ("g#s", "/b/c/g"),
            ("g?y#s", "/b/c/g?y"),
            (";x", "/b/c/;x"),
            ("g;x", "/b/c/g;x"),
            ("", "/b/c/d;p?q"),
            (".", "/b/c/"),
            ("./", "/b/c/"),
            ("..", "/b/"),
            ("../", "/b/"),
            ("../g", "/b/g"),
            ("../..", "/"),
            ("../../g", "/g"),
            ("../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("g.", "/b/c/g."),
            ("..g", "/b/c/..g"),
            ("./../g", "/b/g"),
            ("g/./h", "/b/c/g/h"),
            ("g/../h", "/b/c/h"),
            ("g?y/../x", "/b/c/g?y/../x"),
            ("http://a/x/../y", "/y"),
            ("//a?z", "/?z"),
        ] {
            let found = resolve(&own, "/b/c/d;p?q", reference);
            assert_eq!(found.as_deref(), Some(expected), "{reference}");
        }
        for reference in ["g:h", "//g", "http:g", "http:///x", "http://a:x/", "\\\\a"] {
            assert_eq!(resolve(&own, "/b/c/d;p?q", reference), None, "{reference}");
        }
    }

    /// RFC 9110 §4.3.1: two origins are the same by scheme, host and port, defaults filled in.
    #[test]
    fn origins_are_compared_by_scheme_host_and_port() {
        for (one, other, same) in [
            ("http://a", "http://A:80/x", true),
            ("https://a", "https://a:443", true),
            ("https://a:", "https://a", true),
            ("http://a", "https://a", false),
            ("http://a:8080", "http://a", false),
            ("http://[::1]", "http://[::1]:80", true),
            ("http://[::1]", "http://[::2]", false),
        ] {
            let (one, other) = (Origin::parse(one), Origin::parse(other));
            assert!(one.is_some() && other.is_some());
            assert_eq!(one == other, same, "{one:?} {other:?}");
        }
        for address in ["", "a", "http:", "http://", "http://:80", "http://u@a", "http://a:99999"] {
            assert_eq!(Origin::parse(address), None, "{address}");
        }
    }

    proptest! {
        /// RFC 3986 §5.2: whatever the reference, what comes out is a target without dot segments.
        #[test]
        fn a_resolved_reference_is_a_target(reference in "\\PC{0,40}", base in "(/[a-z.]{0,3}){1,4}") {
            let own = Origin::parse("http://a").unwrap();
            if let Some(target) = resolve(&own, &base, &reference) {
                prop_assert!(target.starts_with('/'));
                let (path, _) = split_query(&target);
                prop_assert!(path.split('/').all(|segment| segment != "." && segment != ".."));
            }
        }

        /// RFC 3986 §5.2: nor does anything made of the signs of references.
        #[test]
        fn a_reference_of_signs_is_a_target_or_none(reference in "[a.:/?#@\\[\\]0-9]{0,30}") {
            let own = Origin::parse("http://a").unwrap();
            let target = resolve(&own, "/b/c?q", &reference);
            prop_assert!(target.is_none_or(|target| target.starts_with('/')));
        }
    }
}
