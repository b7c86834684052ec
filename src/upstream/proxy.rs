//! The way through a forward proxy: CONNECT (RFC 9110 §9.3.6), before TLS begins.

use std::io;

use awc::http::Uri;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::spec::{ProxySpec, SpecError};

/// Longest answer head taken from a proxy.
const MAX_HEAD_BYTES: usize = 8 * 1024;

impl ProxySpec {
    /// Reads `http://[user:password@]host[:port]`; the port defaults to 80.
    ///
    /// Errors: another scheme (TLS to the proxy itself is not spoken), or no host.
    pub fn parse(url: &str) -> Result<Self, SpecError> {
        let refused = |reason| SpecError::Proxy { reason };
        let uri: Uri = url.parse().map_err(|_| refused("not a URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(refused("its scheme must be http"));
        }
        let authority = uri.authority().ok_or_else(|| refused("no host"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(refused("no host"));
        }
        let credential = authority.as_str().rsplit_once('@').map(|(user, _)| unescape(user));
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self { host: host.to_owned(), port, credential })
    }
}

/// Undoes percent encoding; what is not encoded properly stays as it is.
fn unescape(text: &str) -> String {
    let mut bytes = text.as_bytes().iter();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(&byte) = bytes.next() {
        let rest = bytes.as_slice();
        let digits = (byte == b'%').then(|| rest.get(..2)).flatten();
        let decoded = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if decoded.is_some() {
            bytes.nth(1);
        }
        plain.push(decoded.unwrap_or(byte));
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// Asks the proxy at the other end of `io` for a tunnel to `authority` (`host:port`).
///
/// Errors: the proxy's refusal as `PermissionDenied`, nonsense as `InvalidData`.
pub(super) async fn open_tunnel<Io>(
    io: &mut Io,
    authority: &str,
    proxy: &ProxySpec,
) -> io::Result<()>
where
    Io: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n");
    if let Some(credential) = &proxy.credential {
        request.push_str("proxy-authorization: Basic ");
        request.push_str(&base64(credential.as_bytes()));
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    io.write_all(request.as_bytes()).await?;
    io.flush().await?;

    // Byte by byte: what follows the head belongs to TLS. Once a connection, so its cost is small.
    let mut head = Vec::with_capacity(256);
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "head of proxy too long"));
        }
        head.push(io.read_u8().await?);
    }
    match status_of(&head) {
        Some(200..=299) => Ok(()),
        Some(status) => {
            let text = format!("proxy answered {status}");
            Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
        }
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "proxy speaks no HTTP/1")),
    }
}

fn status_of(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    std::str::from_utf8(rest.get(2..5)?).ok()?.parse().ok()
}

/// Encodes with the standard alphabet and padding (RFC 4648 §4).
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |group: u32, shift: u32| {
        let index = usize::try_from((group >> shift) & 63).unwrap_or(0);
        char::from(ALPHABET.get(index).copied().unwrap_or(b'='))
    };
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let group = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        text.push(digit(group, 18));
        text.push(digit(group, 12));
        text.push(if chunk.len() > 1 { digit(group, 6) } else { '=' });
        text.push(if chunk.len() > 2 { digit(group, 0) } else { '=' });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (plain, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("user:p?ss~word", "dXNlcjpwP3NzfndvcmQ="),
        ] {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn a_proxy_url_gives_host_port_and_credential() {
        for (url, host, port, credential) in [
            ("http://proxy.local:3128", "proxy.local", 3128, None),
            ("http://proxy.local", "proxy.local", 80, None),
            ("http://me:a%40b@10.0.0.1:8080/", "10.0.0.1", 8080, Some("me:a@b")),
            ("http://[::1]:3128", "::1", 3128, None),
        ] {
            let proxy = ProxySpec::parse(url).unwrap();
            assert_eq!((proxy.host.as_str(), proxy.port), (host, port), "{url}");
            assert_eq!(proxy.credential.as_deref(), credential, "{url}");
        }
    }

    #[test]
    fn a_proxy_url_that_cannot_be_used_is_refused_and_its_credential_never_shown() {
        for url in ["https://proxy:3128", "socks5://proxy", "proxy", "http://", ""] {
            assert!(ProxySpec::parse(url).is_err(), "{url}");
        }
        let proxy = ProxySpec::parse("http://me:hidden@proxy:1").unwrap();
        assert!(!format!("{proxy:?}").contains("hidden"));
    }

    #[test]
    fn broken_percent_signs_stay() {
        for (escaped, plain) in [("a%2Fb", "a/b"), ("100%", "100%"), ("%zz", "%zz"), ("%4", "%4")] {
            assert_eq!(unescape(escaped), plain);
        }
    }
}
