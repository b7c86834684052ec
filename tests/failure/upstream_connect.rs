//! The provider cannot be reached: refused, unknown, or not who it should be.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::upstream_outcome::{Way, is_at_rest, is_our_error};
use crate::support::gateway::Gateway;
use crate::support::listener::{Listener, free_port};
use crate::support::provider::Provider;

const WAYS: [Way; 3] = [Way::Chat, Way::Messages, Way::PassThrough];

/// Checks that every way ends in the same error, and that the gateway lives on.
#[track_caller]
fn is_unreachable(url: &str, status: u16, code: &str) -> String {
    let gateway = Gateway::builder()
        .env("ANTEROOM_UPSTREAM_URL", url)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__CONNECT_TIMEOUT", "2s")
        .start();
    for way in WAYS {
        // Twice: the second must not find anything of the first.
        for _ in 0..2 {
            let answer = gateway.send(&way.call("a question"));
            is_our_error(&answer, way, status, code, url);
        }
    }
    is_at_rest(&gateway);
    assert_eq!(gateway.actor("l3")["counters"]["inserts"], 0, "{}", gateway.health());
    gateway.log()
}

#[test]
fn a_refused_connection_is_a_502_and_the_provider_s_return_is_noticed_at_once() {
    let mut provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    for way in WAYS {
        let (first, second) = (way.call("a question"), way.call("another question"));
        let kept = gateway.send(&first).expect_status(200);
        provider.stop();
        // It may be sent on a connection of before, whose end the gateway has not heard of yet.
        gateway.send(&second).expect_status(502);
        for _ in 0..3 {
            let answer = gateway.send(&second);
            is_our_error(&answer, way, 502, "upstream_unreachable", "refused");
        }
        if way != Way::PassThrough {
            let hit = gateway.send(&first).expect_status(200);
            assert_eq!((hit.cache().as_str(), &hit.body), ("HIT L1", &kept.body));
        }
        provider.resume();
        let before = provider.num_calls();
        gateway.send(&second).expect_status(200);
        assert_eq!(provider.num_calls(), before + 1, "{}", provider.log());
    }
    is_at_rest(&gateway);
}

#[test]
fn a_provider_that_never_was_there_is_a_502() {
    let url = format!("http://127.0.0.1:{}", free_port());
    let log = is_unreachable(&url, 502, "upstream_unreachable");
    assert!(log.contains("connection was refused"), "{log}");
}

#[test]
fn an_unknown_host_name_is_a_502() {
    let log = is_unreachable("http://no-such-host.invalid", 502, "upstream_unreachable");
    assert!(log.contains("host name is not known"), "{log}");
}

#[test]
fn a_server_without_tls_is_a_502() {
    let server = Listener::open(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 400 This is no TLS\r\nContent-Length: 0\r\n\r\n");
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    let url = format!("https://{}", server.address());
    is_unreachable(&url, 502, "upstream_unreachable");
}

#[test]
fn a_certificate_nobody_vouches_for_is_a_502_and_only_the_log_tells_why() {
    let server = tls_server();
    let url = format!("https://{}", server.address());
    let log = is_unreachable(&url, 502, "upstream_unreachable");
    assert!(log.to_ascii_lowercase().contains("certificate"), "{log}");
}

#[test]
fn a_server_that_accepts_and_never_speaks_tls_is_a_504() {
    let server = Listener::open(|mut stream| {
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    let gateway = Gateway::builder()
        .env("ANTEROOM_UPSTREAM_URL", format!("https://{}", server.address()))
        .env("ANTEROOM__UPSTREAMS__DEFAULT__CONNECT_TIMEOUT", "200ms")
        .start();
    for way in WAYS {
        let answer = gateway.send(&way.call("a question"));
        is_our_error(&answer, way, 504, "upstream_timed_out", "a silent handshake");
    }
    is_at_rest(&gateway);
}

#[test]
fn a_provider_that_hangs_is_a_504_and_others_are_served_meanwhile() {
    let provider = Provider::start();
    let gateway = Gateway::builder()
        .upstream(&provider)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__FIRST_BYTE_TIMEOUT", "400ms")
        .start();
    for way in WAYS {
        let before = provider.num_calls();
        provider.next(crate::support::provider::Fault::Hang);
        std::thread::scope(|scope| {
            let hanging = scope.spawn(|| gateway.send(&way.call("a question that hangs")));
            provider.wait_for_calls(before + 1);
            gateway.send(&way.call("another question")).expect_status(200);
            let answer = hanging.join().expect("an answer");
            is_our_error(&answer, way, 504, "upstream_timed_out", "hang");
        });
    }
    is_at_rest(&gateway);
}

/// A server whose certificate is signed by an authority of the tests' own.
fn tls_server() -> Listener {
    const CERTIFICATE: &[u8] = include_bytes!("../../src/upstream/tests/server.pem");
    const KEY: &[u8] = include_bytes!("../../src/upstream/tests/server.key");
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(KEY).expect("a key");
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("a key that fits");
    let config = Arc::new(config);
    Listener::open(move |tcp: TcpStream| {
        let connection = ServerConnection::new(config.clone()).expect("a connection");
        let _ = tcp.set_read_timeout(Some(Duration::from_secs(10)));
        // Ends with the handshake that the gateway breaks off.
        let _ = StreamOwned::new(connection, tcp).read(&mut [0; 1]);
    })
}
