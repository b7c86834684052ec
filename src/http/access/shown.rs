//! Which key does a request show, and how are its headers without it?

use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};

static X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
static API_KEY: HeaderName = HeaderName::from_static("api-key");

/// What a request shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The key at this position.
    Key(usize),
    /// Something, and no key.
    Wrong,
    /// Nothing.
    Nothing,
}

/// Takes the client keys out of `headers` and returns the first: of `Authorization: Bearer`, then
/// `x-api-key`, then `api-key`. `find` tells whether a text is one.
///
/// A header whose value is a key goes whole, so that no key of ours goes upstream, also where two
/// are shown. Credentials that are no keys stay.
pub fn take(headers: &mut HeaderMap, mut find: impl FnMut(&[u8]) -> Option<usize>) -> Shown {
    let mut shown = Shown::Nothing;
    for name in [&AUTHORIZATION, &X_API_KEY, &API_KEY] {
        let mut key = None;
        for value in headers.get_all(name) {
            let value = value.as_bytes();
            let text =
                if *name == AUTHORIZATION { bearer(value) } else { Some(value.trim_ascii()) };
            key = key.or_else(|| text.and_then(&mut find));
            if shown == Shown::Nothing {
                shown = Shown::Wrong;
            }
        }
        if let Some(position) = key {
            headers.remove(name);
            if !matches!(shown, Shown::Key(_)) {
                shown = Shown::Key(position);
            }
        }
    }
    shown
}

/// Returns the token of `Bearer <token>`; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn taken(shown: &[(&str, &str)]) -> (Shown, Vec<String>) {
        let mut headers = HeaderMap::new();
        for (name, value) in shown {
            headers.append(
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let found = take(&mut headers, |text| match text {
            b"one" => Some(1),
            b"two" => Some(2),
            _ => None,
        });
        let mut left: Vec<_> = headers.iter().map(|(name, _)| name.to_string()).collect();
        left.sort_unstable();
        (found, left)
    }

    #[test]
    fn a_key_is_found_in_each_of_its_headers_and_taken_out() {
        for (shown, found, left) in [
            (&[("authorization", "Bearer one")][..], Shown::Key(1), &[][..]),
            (&[("authorization", "bEARER  one ")], Shown::Key(1), &[]),
            (&[("x-api-key", "two")], Shown::Key(2), &[]),
            (&[("api-key", "one")], Shown::Key(1), &[]),
            (&[("authorization", "one")], Shown::Wrong, &["authorization"]),
            (&[("authorization", "Basic one")], Shown::Wrong, &["authorization"]),
            (&[("authorization", "Bearer")], Shown::Wrong, &["authorization"]),
            (&[("authorization", "")], Shown::Wrong, &["authorization"]),
            (&[("x-api-key", "Bearer one")], Shown::Wrong, &["x-api-key"]),
            (&[("x-api-key", "three")], Shown::Wrong, &["x-api-key"]),
            (&[("x-other", "one")], Shown::Nothing, &["x-other"]),
            (&[], Shown::Nothing, &[]),
            // A provider's credential beside the key goes on.
            (
                &[("authorization", "Bearer sk-provider"), ("x-api-key", "one")],
                Shown::Key(1),
                &["authorization"],
            ),
            // Two keys: the first counts, neither goes on.
            (&[("api-key", "two"), ("authorization", "Bearer one")], Shown::Key(1), &[]),
            (
                &[("x-api-key", "wrong"), ("x-api-key", "two"), ("openai-project", "p")],
                Shown::Key(2),
                &["openai-project"],
            ),
        ] {
            let left: Vec<_> = left.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(taken(shown), (found, left), "{shown:?}");
        }
    }
}
