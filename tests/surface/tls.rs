//! The API listener over TLS.

use std::path::PathBuf;

use tempfile::TempDir;

use crate::support::client::Request;
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Builder, Gateway};
use crate::support::tls::{Certificate, TlsConnection};

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// What the answer to [`LIVE`] ends with.
const ANSWER: &str = "{\"status\":\"live\"}";

fn secured(folder: &TempDir) -> Builder {
    let file = |name: &str| -> String {
        let path: PathBuf = folder.path().join(name);
        path.display().to_string()
    };
    Gateway::patient()
        .env("ANTEROOM__SERVER__TLS__CERT_FILE", file("cert.pem"))
        .env("ANTEROOM__SERVER__TLS__KEY_FILE", file("key.pem"))
        .env("ANTEROOM__UPSTREAMS__DEFAULT__THINK_TIME_PER_TOKEN", "0s")
}

/// The program is built with HTTP/2, and must not offer it.
#[test]
fn over_tls_http_1_1_is_spoken_whatever_else_is_offered() {
    let (folder, certificate) = (TempDir::new().expect("a folder"), Certificate::make());
    certificate.write(folder.path());
    let gateway = secured(&folder).start();
    assert!(gateway.log().contains("api=https://"), "{}", gateway.log());
    for (offered, agreed) in [
        (&["h2", "http/1.1"][..], Some("http/1.1")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
    ] {
        let mut connection =
            TlsConnection::open(gateway.api(), &certificate, offered).expect("a handshake");
        assert_eq!(connection.protocol().as_deref(), agreed, "{offered:?}");
        for _ in 0..2 {
            let answer = connection.exchange(LIVE, ANSWER);
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
    }
    let only_h2 = TlsConnection::open(gateway.api(), &certificate, &["h2"]);
    assert!(only_h2.is_err());
    let body = r#"{"model":"m","messages":[{"role":"user","content":"Over TLS. Cats sleep."}]}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    for cache in ["x-cache: MISS", "x-cache: HIT"] {
        let mut connection =
            TlsConnection::open(gateway.api(), &certificate, &[]).expect("a handshake");
        let answer = connection.exchange(&request, "nothing ends like this");
        assert!(answer.to_lowercase().contains(&cache.to_lowercase()), "{answer}");
    }
    // Plain HTTP is no way around it, and harms nobody.
    let plain = Request::get("/health/live").try_open(gateway.api());
    assert!(plain.is_err() || plain.is_ok_and(|answer| answer.status != 200));
    TlsConnection::open(gateway.api(), &certificate, &[]).expect("a handshake");
}

#[test]
fn a_renewed_certificate_is_used_and_open_connections_stay() {
    let folder = TempDir::new().expect("a folder");
    let (first, second) = (Certificate::make(), Certificate::make());
    first.write(folder.path());
    let gateway = secured(&folder).start();
    let mut open = TlsConnection::open(gateway.api(), &first, &[]).expect("a handshake");
    assert!(open.exchange(LIVE, ANSWER).contains("200 OK"));

    // A certificate without its key: said once, and the old one stays.
    second.write_cert(folder.path());
    let said = || gateway.whole_log().contains("not the key of the certificate");
    poll(PATIENCE, || said().then_some(())).unwrap_or_else(|| panic!("{}", gateway.log()));
    TlsConnection::open(gateway.api(), &first, &[]).expect("the old certificate stays");
    assert!(TlsConnection::open(gateway.api(), &second, &[]).is_err());

    second.write(folder.path());
    let renewed = || TlsConnection::open(gateway.api(), &second, &[]).ok();
    let mut new = poll(PATIENCE, renewed).unwrap_or_else(|| panic!("{}", gateway.log()));
    assert!(new.exchange(LIVE, ANSWER).contains("200 OK"));
    assert!(TlsConnection::open(gateway.api(), &first, &[]).is_err(), "the old one is gone");
    assert!(open.exchange(LIVE, ANSWER).contains("200 OK"), "the connection was kept");
    assert!(!gateway.whole_log().contains("PRIVATE"), "{}", gateway.log());
}

#[test]
fn files_that_cannot_be_used_end_the_start_with_their_key_and_path() {
    let (one, other) = (Certificate::make(), Certificate::make());
    let folder = TempDir::new().expect("a folder");
    one.write(folder.path());
    other.write_cert(folder.path());
    let failure = secured(&folder).try_start().err().expect("no start");
    for word in ["server.tls.key_file", "key.pem", "not the key of the certificate"] {
        assert!(failure.contains(word), "{failure}");
    }
    std::fs::remove_file(folder.path().join("cert.pem")).expect("a file");
    let failure = secured(&folder).try_start().err().expect("no start");
    assert!(failure.contains("server.tls.cert_file"), "{failure}");
}

#[test]
fn an_idle_connection_over_tls_does_not_hold_up_the_end() {
    let (folder, certificate) = (TempDir::new().expect("a folder"), Certificate::make());
    certificate.write(folder.path());
    let mut gateway = secured(&folder).start();
    let mut idle = TlsConnection::open(gateway.api(), &certificate, &[]).expect("a handshake");
    assert!(idle.exchange(LIVE, ANSWER).contains("200 OK"));
    assert!(gateway.terminate().success(), "{}", gateway.log());
}
