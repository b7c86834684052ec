//! The URL of a Redis whose address Redis Sentinel tells.

use deadpool_redis::redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

/// The schemes, and those of the servers behind them.
const SCHEMES: [(&str, &str); 2] =
    [("redis+sentinel://", "redis"), ("rediss+sentinel://", "rediss")];
/// Where a sentinel listens unless its port is named.
const DEFAULT_PORT: u16 = 26_379;

/// `redis+sentinel://[user:password@]host[:port][,host[:port]…]/NAME[/DB]`, in parts; with
/// `rediss+sentinel` sentinels and server are reached over TLS.
///
/// The addresses are the sentinels'; NAME is what they call the master; user, password and DB are
/// those of the Redis server. `?sentinel_user=…&sentinel_password=…` are for the sentinels.
pub struct SentinelUrl {
    sentinels: Vec<ConnectionInfo>,
    name: String,
    /// As whom to use the server. Its address is none.
    server: ConnectionInfo,
}

impl SentinelUrl {
    /// Takes a URL apart; nothing where it is none of this form.
    pub fn parse(text: &str) -> Option<Self> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains('#') {
            return None;
        }
        let (scheme, rest) = SCHEMES
            .iter()
            .find_map(|(long, scheme)| text.strip_prefix(long).map(|rest| (*scheme, rest)))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/')?;
        let (user, places) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (name, db) = path.split_once('/').unwrap_or((path, "0"));
        if !is_name(name) || db.is_empty() || !db.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let server = info(&format!("{scheme}://{user}@localhost/{db}"))?;
        let login = login(query)?;
        let sentinels: Option<Vec<_>> =
            places.split(',').map(|place| sentinel(scheme, &login, place)).collect();
        Some(Self { sentinels: sentinels?, name: name.to_owned(), server })
    }

    /// Returns where the sentinels are, at least one, and as whom to ask them.
    pub(super) fn sentinels(&self) -> &[ConnectionInfo] {
        &self.sentinels
    }

    /// Returns what the sentinels call the master.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Returns how to reach the server at an address that a sentinel named.
    pub(super) fn server_at(&self, host: String, port: u16) -> ConnectionInfo {
        let address = match self.server.addr().clone() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure, tls_params }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        self.server.clone().set_addr(address)
    }
}

/// Sentinel itself takes no other names.
fn is_name(name: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !name.is_empty() && name.bytes().all(is_fit)
}

/// Returns `user:password@` for the sentinels, as it stands in a URL; nothing for a query that has
/// something else in it.
fn login(query: &str) -> Option<String> {
    let (mut user, mut password) = ("", "");
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=')? {
            ("sentinel_user", value) => user = value,
            ("sentinel_password", value) => password = value,
            _ => return None,
        }
    }
    let breaks_the_url = user.contains(':') || [user, password].concat().contains(['/', '?', '@']);
    if breaks_the_url || (password.is_empty() && !user.is_empty()) {
        return None;
    }
    Some(if password.is_empty() { String::new() } else { format!("{user}:{password}@") })
}

fn sentinel(scheme: &str, login: &str, place: &str) -> Option<ConnectionInfo> {
    let after_host = place.rsplit_once(']').map_or(place, |(_, after)| after);
    let port = match after_host.split_once(':') {
        Some((_, port)) => port.parse().ok().filter(|port| *port != 0)?,
        None => DEFAULT_PORT,
    };
    let host = place.strip_suffix(&format!(":{port}")).unwrap_or(place);
    info(&format!("{scheme}://{login}{host}:{port}"))
}

/// What the library makes of a URL; it also undoes the escapes in user and password.
fn info(url: &str) -> Option<ConnectionInfo> {
    url.into_connection_info().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(info: &ConnectionInfo) -> String {
        let redis = info.redis_settings();
        let (user, password) = (redis.username(), redis.password());
        format!("{} {user:?} {password:?} {}", info.addr(), redis.db())
    }

    #[test]
    fn a_url_is_taken_apart() {
        for (url, sentinels, name, server) in [
            ("redis+sentinel://a/main", vec!["a:26379 None None 0"], "main", "h:1 None None 0"),
            (
                "redis+sentinel://u:p%40%2f@a:1,b,[::1]:3,[::2]/my.main-1_x/7",
                vec![
                    "a:1 None None 0",
                    "b:26379 None None 0",
                    "::1:3 None None 0",
                    "::2:26379 None None 0",
                ],
                "my.main-1_x",
                "h:1 Some(\"u\") Some(\"p@/\") 7",
            ),
            (
                "rediss+sentinel://:p@a.example,10.0.0.1/m?sentinel_user=s&sentinel_password=q%20q",
                vec![
                    "a.example:26379 Some(\"s\") Some(\"q q\") 0",
                    "10.0.0.1:26379 Some(\"s\") Some(\"q q\") 0",
                ],
                "m",
                "h:1 None Some(\"p\") 0",
            ),
            (
                "redis+sentinel://a/m?sentinel_password=q",
                vec!["a:26379 None Some(\"q\") 0"],
                "m",
                "h:1 None None 0",
            ),
        ] {
            let parsed = SentinelUrl::parse(url).unwrap_or_else(|| panic!("{url}"));
            let found: Vec<_> = parsed.sentinels().iter().map(text).collect();
            assert_eq!(
                (found, parsed.name()),
                (sentinels.iter().map(|it| (*it).to_owned()).collect(), name),
                "{url}"
            );
            let there = parsed.server_at("h".to_owned(), 1);
            assert_eq!(text(&there), server, "{url}");
            let is_tls = |info: &ConnectionInfo| {
                matches!(info.addr(), ConnectionAddr::TcpTls { insecure: false, .. })
            };
            let wanted = url.starts_with("rediss");
            assert!(parsed.sentinels().iter().chain([&there]).all(|it| is_tls(it) == wanted));
        }
    }

    #[test]
    fn what_has_another_form_is_refused() {
        for rest in [
            "",
            "a",
            "a/",
            "/main",
            ":1/main",
            "a,/main",
            ",a/main",
            "a:/main",
            "a:0/main",
            "a:65536/main",
            "a:1:2/main",
            "a b/main",
            "a,u:p@/main",
            "[::1/main",
            "::1/main",
            "a/ma in",
            "a/m%61in",
            "a/main/",
            "a/main/x",
            "a/main/-1",
            "a/main/0/1",
            "a/main/99999999999999999999",
            "a/main#insecure",
            "a/main?db=1",
            "a/main?sentinel_user=s",
            "a/main?sentinel_password",
            "a/main?sentinel_password=p@b",
            "a/main?sentinel_user=s:t&sentinel_password=p",
        ] {
            let url = format!("redis+sentinel://{rest}");
            assert!(SentinelUrl::parse(&url).is_none(), "{url}");
        }
        for url in ["", "redis://a/main", "sentinel://a/main", "redis+sentinel:/a/main"] {
            assert!(SentinelUrl::parse(url).is_none(), "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(rest in "[a-z:@/,\\[\\]?&=%#0-9é]{0,24}") {
            let _ = SentinelUrl::parse(&format!("redis+sentinel://{rest}"));
        }
    }
}
