//! Connections: refused, reused, stale, limited, through a proxy, encrypted.

use std::sync::mpsc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::spec::ProxySpec;
use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn reason(result: Result<(u16, Bytes), OriginError>) -> (&'static str, &'static str) {
    match result.unwrap_err() {
        OriginError::Connect { reason, .. } => ("connect", reason),
        OriginError::NoAnswer { reason, .. } => ("no_answer", reason),
        OriginError::TimedOut { awaited, .. } => ("timed_out", awaited),
        other => panic!("{other}"),
    }
}

#[actix_rt::test]
async fn no_connection_is_told_without_addresses() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let result = fetch(http_spec(free), call("POST", "/v1/x", "{}")).await;
    assert!(!result.as_ref().unwrap_err().to_string().contains("127"));
    assert_eq!(reason(result), ("connect", "the connection was refused"));

    let spec = HttpSpec { url: "http://no.such.host.invalid".into(), ..http_spec(0) };
    let result = fetch(spec, call("POST", "/v1/x", "{}")).await;
    assert_eq!(reason(result), ("connect", "its host name is not known"));
}

#[actix_rt::test]
async fn a_connection_is_kept_and_used_again() {
    let upstream = Upstream::keeps_answering(OK);
    let origin = origin(upstream.spec());
    for _ in 0..5 {
        let answer = ask_origin(&*origin, call("POST", "/v1/x", "{}")).await.unwrap();
        assert_eq!(gather(answer).await.unwrap(), (200, Bytes::from_static(b"ok")));
    }
    assert_eq!((upstream.requests().len(), upstream.num_connections()), (5, 1));
}

/// A server that closes its first two connections when the second request on one arrives.
fn stale() -> Upstream {
    Upstream::plays(|number, mut peer| {
        for _ in 0..if number < 2 { 1 } else { usize::MAX } {
            if peer.request().is_none() {
                return;
            }
            peer.send(OK);
        }
        peer.request();
    })
}

/// Makes two idle connections.
async fn warm(origin: &std::rc::Rc<dyn Origin>) {
    let first = ask_origin(&**origin, call("POST", "/v1/x", "{}")).await.unwrap();
    let second = ask_origin(&**origin, call("POST", "/v1/x", "{}")).await.unwrap();
    gather(first).await.unwrap();
    gather(second).await.unwrap();
}

#[actix_rt::test]
async fn a_get_on_a_stale_connection_is_repeated_once_on_a_new_one() {
    let upstream = stale();
    let origin = origin(upstream.spec());
    warm(&origin).await;
    let answer = ask_origin(&*origin, call("GET", "/v1/x", "")).await.unwrap();
    assert_eq!(gather(answer).await.unwrap().1, "ok");
    // Two to warm, the one that failed, its repeat; the other idle connection was not tried.
    assert_eq!((upstream.requests().len(), upstream.num_connections()), (4, 3));
}

#[actix_rt::test]
async fn a_post_is_never_repeated_once_sent() {
    let upstream = stale();
    let origin = origin(upstream.spec());
    warm(&origin).await;
    let error = ask_origin(&*origin, call("POST", "/v1/x", "{}")).await.err().unwrap();
    assert_eq!(error.label(), "no_answer");
    assert_eq!((upstream.requests().len(), upstream.num_connections()), (3, 2));
}

#[actix_rt::test]
async fn a_get_that_fails_on_a_new_connection_is_not_repeated_where_no_attempts_are_set() {
    let upstream = Upstream::answers("");
    let result = fetch(upstream.spec(), call("GET", "/v1/x", "")).await;
    assert_eq!(reason(result), ("no_answer", "it closed the connection"));
    assert_eq!(upstream.num_connections(), 1);
}

#[actix_rt::test]
async fn a_connection_closed_while_idle_is_not_used_again() {
    let (closed, was_closed) = mpsc::channel();
    let upstream = Upstream::plays(move |_, mut peer| {
        peer.request();
        peer.send(OK);
        drop(peer);
        closed.send(()).unwrap();
    });
    let origin = origin(upstream.spec());
    for _ in 0..3 {
        let answer = ask_origin(&*origin, call("POST", "/v1/x", "{}")).await.unwrap();
        gather(answer).await.unwrap();
        was_closed.recv().unwrap();
        // The close has happened; the runtime learns of it when it next looks at its sockets.
        actix_rt::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(upstream.num_connections(), 3);
}

#[actix_rt::test]
async fn a_call_waits_for_a_free_connection_no_longer_than_for_a_connection() {
    let upstream = Upstream::keeps_answering(OK);
    let connect_timeout = Duration::from_millis(300);
    let origin = origin(HttpSpec { connections: 1, connect_timeout, ..upstream.spec() });
    let held = ask_origin(&*origin, call("POST", "/v1/x", "{}")).await.unwrap();
    let late = match ask_origin(&*origin, call("POST", "/v1/x", "{}")).await {
        Ok(answer) => gather(answer).await,
        Err(error) => Err(error),
    };
    assert_eq!(reason(late), ("timed_out", "connection"));
    gather(held).await.unwrap();
    let answer = ask_origin(&*origin, call("POST", "/v1/x", "{}")).await.unwrap();
    gather(answer).await.unwrap();
    assert_eq!(upstream.num_connections(), 1);
}

/// Speaks TLS as `localhost` and plays `answer` to one request.
fn encrypted(tcp: TcpStream, answer: &str) {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let connection = ServerConnection::new(Arc::new(config)).unwrap();
    let mut stream = StreamOwned::new(connection, tcp);
    // A client that does not trust the certificate never sends a request.
    if stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0) {
        stream.write_all(answer.as_bytes()).unwrap();
    }
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn encrypted_spec(upstream: &Upstream) -> HttpSpec {
    HttpSpec {
        url: format!("https://localhost:{}", upstream.address.port()),
        ca_pem: Some(include_bytes!("ca.pem").to_vec()),
        ..upstream.spec()
    }
}

#[actix_rt::test]
async fn a_private_authority_is_trusted_only_where_it_is_named() {
    let upstream = Upstream::plays(|_, peer| encrypted(peer.tcp, OK));
    let trusted = encrypted_spec(&upstream);
    let result = fetch(trusted.clone(), call("GET", "/v1/x", "")).await;
    assert_eq!(result.unwrap(), (200, Bytes::from_static(b"ok")));

    let no_secure = ("connect", "no secure connection could be agreed");
    let untrusted = HttpSpec { ca_pem: None, ..trusted.clone() };
    assert_eq!(reason(fetch(untrusted, call("GET", "/v1/x", "")).await), no_secure);
    let plain = Upstream::plays(|_, mut peer| {
        let _ = peer.tcp.read(&mut [0; 64]);
        peer.send(OK);
    });
    assert_eq!(reason(fetch(encrypted_spec(&plain), call("GET", "/v1/x", "")).await), no_secure);
}

#[actix_rt::test]
async fn a_body_cut_inside_tls_is_seen_too() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        // The upstream closes TLS properly: only the framing tells.
        let upstream = Upstream::plays(move |_, peer| encrypted(peer.tcp, answer));
        let error = fetch(encrypted_spec(&upstream), call("GET", "/v1/x", "")).await.unwrap_err();
        assert_eq!(error.label(), "cut", "{answer:?}");
    }
}

#[actix_rt::test]
async fn an_encrypted_upstream_is_reached_through_a_proxy() {
    let (told, asked) = mpsc::channel();
    let proxy = Upstream::plays(move |_, mut peer| {
        told.send(peer.head().unwrap()).unwrap();
        peer.send("HTTP/1.1 200 Connection established\r\nvia: proxy\r\n\r\n");
        encrypted(peer.tcp, OK);
    });
    let spec = HttpSpec {
        url: "https://localhost:4430".into(),
        proxy: Some(ProxySpec::parse(&format!("http://me:word@{}", proxy.address)).unwrap()),
        ..encrypted_spec(&proxy)
    };
    let result = fetch(spec, call("GET", "/v1/x", "")).await;
    assert_eq!(result.unwrap(), (200, Bytes::from_static(b"ok")));
    let connect = asked.recv().unwrap();
    assert!(connect.starts_with("CONNECT localhost:4430 HTTP/1.1\r\nhost: localhost:4430\r\n"));
    assert!(connect.contains("proxy-authorization: Basic bWU6d29yZA==\r\n"), "{connect}");
}

#[actix_rt::test]
async fn a_proxy_that_refuses_or_hangs_is_a_failure_to_connect() {
    let refusing = Upstream::plays(|_, mut peer| {
        peer.head();
        peer.send("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    });
    let hanging = Upstream::plays(|_, mut peer| peer.wait_for_close());
    let through = |proxy: &Upstream, connect_timeout| HttpSpec {
        url: "https://localhost:4430".into(),
        connect_timeout,
        proxy: Some(ProxySpec::parse(&format!("http://{}", proxy.address)).unwrap()),
        ..http_spec(0)
    };
    let result = fetch(through(&refusing, Duration::from_secs(30)), call("GET", "/", "")).await;
    assert_eq!(reason(result), ("connect", "the proxy gave no tunnel"));
    let result = fetch(through(&hanging, Duration::from_millis(60)), call("GET", "/", "")).await;
    assert_eq!(reason(result), ("timed_out", "connection"));
}
