//! The parts of a URL that settings are checked by.

use std::net::Ipv6Addr;

/// A URL in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Url<'u> {
    /// What stands before `://`.
    pub scheme: &'u str,
    /// Whether a user or a password is in it.
    pub has_user: bool,
    /// The host, empty where there is none; IPv6 addresses in brackets.
    pub host: &'u str,
    /// The port, where one is named.
    pub port: Option<u16>,
    /// Path, query and fragment.
    pub rest: &'u str,
}

impl<'u> Url<'u> {
    /// Takes a URL apart; nothing where it is none.
    pub fn parse(text: &'u str) -> Option<Self> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (scheme, after) = text.split_once("://")?;
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        let (authority, rest) = after.split_at_checked(end)?;
        let (has_user, place) = match authority.rsplit_once('@') {
            Some((_, place)) => (true, place),
            None => (false, authority),
        };
        let (host, port) = if place.starts_with('[') {
            let end = place.find(']')?.checked_add(1)?;
            place.split_at_checked(end)?
        } else {
            place.split_at_checked(place.find(':').unwrap_or(place.len()))?
        };
        let port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok().filter(|port| *port != 0)?)
            }
            None if port.is_empty() => None,
            _ => return None,
        };
        is_host(host).then_some(Self { scheme, has_user, host, port, rest })
    }
}

fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = Url::parse("https://u:p@[::1]:8443/v1?a=b").unwrap();
        assert_eq!((url.scheme, url.host, url.port), ("https", "[::1]", Some(8443)));
        assert_eq!((url.has_user, url.rest), (true, "/v1?a=b"));
        let url = Url::parse("redis+unix:///run/redis.sock").unwrap();
        assert_eq!((url.host, url.port, url.rest), ("", None, "/run/redis.sock"));
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "host:80",
            "http:/host",
            "http://ho st",
            "http://host:0",
            "http://host:70000",
            "http://host:",
            "http://host:8a",
            "http://[::1",
            "http://[no]:80",
            "http://hö.de",
            "http://a,b:80",
            "http://host:+80",
            "http://host\r\n",
        ] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(http://)?[a-z:@/\\[\\]?#0-9é]{0,20}") {
            let _ = Url::parse(&text);
        }
    }
}
