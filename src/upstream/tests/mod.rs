//! A scripted upstream on a socket of its own, and what the tests of this folder share.

mod answers;
mod connections;
mod tries;
mod truncation;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anteroom_actors::clock::{SharedClock, SystemClock};
use anteroom_actors::error::OriginError;
use anteroom_actors::model::{CacheKey, Encoding, Form, Header, Labels, Lifetimes};
use anteroom_actors::origin::{Answer, Origin, OriginCall, Reply};
use bytes::Bytes;
use futures_util::StreamExt as _;
use parking_lot::Mutex;

use super::billing::Billing;
use super::origin::factory;
use super::prepared::Upstreams;
use super::spec::{BreakerSpec, HttpSpec, RetrySpec, RouteSpec, SpecKind, UpstreamSpec};
use crate::canonical::Profile;
use crate::savings::{Book, PriceTable};
use crate::tokens::TokenCounter;

/// One connection, as the script sees it.
pub(super) struct Peer {
    pub(super) tcp: TcpStream,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    /// Reads one request's head.
    pub(super) fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if self.tcp.read(&mut byte).ok()? == 0 {
                return None;
            }
            head.push(byte[0]);
        }
        String::from_utf8(head).ok()
    }

    /// Reads one request, records it and returns it; `None` when the client closed instead.
    pub(super) fn request(&mut self) -> Option<String> {
        let head = self.head()?;
        let mut text = head.clone().into_bytes();
        let mut byte = [0];
        let head = head.to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.tcp.read_exact(&mut body).ok()?;
        if head.contains("transfer-encoding: chunked") {
            while !body.ends_with(b"0\r\n\r\n") {
                if self.tcp.read(&mut byte).ok()? == 0 {
                    return None;
                }
                body.push(byte[0]);
            }
        }
        text.extend(body);
        let request = String::from_utf8_lossy(&text).into_owned();
        self.requests.lock().push(request.clone());
        Some(request)
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have gone: that is for the test to see on its side.
        let _ = self.tcp.write_all(bytes.as_ref());
        let _ = self.tcp.flush();
    }

    /// Waits until the client has closed.
    pub(super) fn wait_for_close(&mut self) {
        let _ = self.tcp.read_to_end(&mut Vec::new());
    }
}

/// A server that plays `script` on each connection, with the connection's number from 0.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Upstream {
    pub(super) fn plays(script: impl Fn(usize, Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let (script, log, count) =
            (Arc::new(script), Arc::clone(&requests), Arc::clone(&connections));
        std::thread::spawn(move || {
            for tcp in listener.incoming() {
                let number = {
                    let mut count = count.lock();
                    *count += 1;
                    *count - 1
                };
                let peer = Peer { tcp: tcp.unwrap(), requests: Arc::clone(&log) };
                let script = Arc::clone(&script);
                std::thread::spawn(move || script(number, peer));
            }
        });
        Self { address, requests, connections }
    }

    /// A server that reads one request a connection, sends `answer` and closes.
    pub(super) fn answers(answer: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::plays(move |_, mut peer| {
            if peer.request().is_some() {
                peer.send(&answer);
            }
        })
    }

    /// A server that answers each request on a connection alike.
    pub(super) fn keeps_answering(answer: &'static str) -> Self {
        Self::plays(move |_, mut peer| {
            while peer.request().is_some() {
                peer.send(answer);
            }
        })
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }

    pub(super) fn num_connections(&self) -> usize {
        *self.connections.lock()
    }

    pub(super) fn spec(&self) -> HttpSpec {
        http_spec(self.address.port())
    }
}

/// An upstream on this machine, with time-outs that no test should meet by chance, without a
/// breaker and without repeats.
pub(super) fn http_spec(port: u16) -> HttpSpec {
    let long = Duration::from_secs(30);
    HttpSpec {
        url: format!("http://127.0.0.1:{port}"),
        pass_credential: true,
        set_headers: Vec::new(),
        connect_timeout: long,
        first_byte_timeout: long,
        idle_timeout: long,
        total_timeout: long,
        max_answer_bytes: 1 << 20,
        connections: 8,
        keep_alive: long,
        ca_pem: None,
        proxy: None,
        breaker: BreakerSpec { failures: 0, open_for: long, open_at_most: long },
        retry: RetrySpec {
            attempts: 0,
            base: Duration::from_millis(1),
            at_most: Duration::from_millis(5),
            wait_at_most: Duration::ZERO,
            posts: false,
        },
    }
}

pub(super) fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

pub(super) fn prepared(spec: HttpSpec) -> Arc<Upstreams> {
    let kind = SpecKind::Http(Box::new(spec));
    Upstreams::prepare(&[UpstreamSpec { name: "up".into(), kind }], None).unwrap()
}

pub(super) fn origin(spec: HttpSpec) -> std::rc::Rc<dyn Origin> {
    let routes = [false, true].map(|shared| RouteSpec {
        profile: Profile::Generic,
        shared,
        heed_origin: None,
        policy: None,
    });
    factory(
        prepared(spec),
        Arc::new(move |route: usize| routes.get(route).cloned()),
        Arc::new(|_, _| Default::default()),
        clock(),
        billing(),
    )()
}

/// A call of the unshared route 0.
pub(super) fn call(method: &str, target: &str, body: &'static str) -> OriginCall {
    OriginCall {
        key: CacheKey::new([0; 32]),
        route: 0,
        upstream: "up".into(),
        scope: 0,
        method: method.into(),
        target: target.into(),
        headers: Vec::new(),
        presented: Vec::new(),
        validates: method == "GET",
        body: Bytes::from_static(body.as_bytes()),
        form: Form::Object,
        encoding: Encoding::Identity,
        lifetimes: LIFETIMES,
        may_keep: true,
        min_uses: 1,
        labels: Labels::default(),
        model: None,
        trace: Vec::new(),
        apart: None,
    }
}

/// Of what is kept.
pub(super) const LIFETIMES: Lifetimes = Lifetimes {
    lifetime: Duration::from_secs(60),
    stale_while_revalidate: Duration::ZERO,
    stale_if_error: Duration::ZERO,
    keep_to_validate: Duration::ZERO,
    never_stale: false,
};

/// Calls and returns the answer.
pub(super) async fn ask_origin(
    origin: &dyn Origin,
    call: impl Into<Arc<OriginCall>>,
) -> Result<Answer, OriginError> {
    match origin.call(call.into(), None).await? {
        Reply::Answer(answer) => Ok(answer),
        Reply::Unchanged { .. } => panic!("nothing was asked about"),
    }
}

pub(super) fn header(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: Bytes::copy_from_slice(value.as_bytes()) }
}

/// Calls and gathers the body; an error may come before the head or in the body.
pub(super) async fn fetch(spec: HttpSpec, call: OriginCall) -> Result<(u16, Bytes), OriginError> {
    gather(ask_origin(&*origin(spec), call).await?).await
}

pub(super) async fn gather(mut answer: Answer) -> Result<(u16, Bytes), OriginError> {
    let mut body = Vec::new();
    while let Some(piece) = answer.body.next().await {
        body.extend_from_slice(&piece?);
    }
    Ok((answer.head.status, body.into()))
}

/// A book that nobody reads.
pub(super) fn billing() -> Billing {
    let book = Book::new(PriceTable::new("USD", []).unwrap(), 0);
    Billing::new(Arc::new(book), TokenCounter::new(None))
}
