//! How long the first event of a streamed miss takes from leaving the provider to reaching the
//! client, while 50 other streams run: through the gateway, and without it for comparison.
//!
//! `cargo bench --bench first_byte` prints medians over the pairs of one interleaved run. Everything
//! lies on this machine's loopback; the provider and the clients take CPU, too.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints and may fail")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and waits for the gateway")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const OTHER_STREAMS: usize = 50;
const PAIRS: usize = 200;
const EVENT_EVERY: Duration = Duration::from_millis(20);

/// When the provider last sent the first event of a measured stream.
type Sent = Arc<Mutex<Option<Instant>>>;

fn main() {
    let sent: Sent = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let provider = provider(&sent, &stop);
    let (mut gateway, api) = gateway(provider);
    let others: Vec<_> = (0..OTHER_STREAMS)
        .map(|number| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || read_until_stopped(api, number, &stop))
        })
        .collect();
    thread::sleep(Duration::from_secs(1));

    let (mut through, mut direct) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        through.push(first_event(api, &format!("measured {pair}"), &sent));
        direct.push(first_event(provider, &format!("measured {pair}"), &sent));
    }
    stop.store(true, Ordering::Relaxed);
    for other in others {
        other.join().expect("a stream reads to its end");
    }
    gateway.kill().expect("the gateway is ours");
    gateway.wait().expect("it has ended");

    println!("first event, provider to client, {OTHER_STREAMS} other streams, {PAIRS} pairs, ms:");
    report("through the gateway", &mut through);
    report("without it", &mut direct);
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |share: usize| {
        let time = times.get(times.len() * share / 100).copied().unwrap_or_default();
        time.as_secs_f64() * 1_000.0
    };
    println!("{what:>20}: median {:.3}  p90 {:.3}  p99 {:.3}", at(50), at(90), at(99));
}

/// Starts the gateway in a folder of its own; returns its API's address.
fn gateway(provider: SocketAddr) -> (Child, SocketAddr) {
    let folder = tempfile::tempdir().expect("a folder").keep();
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_anteroom"))
        .current_dir(folder)
        .env("ANTEROOM_LISTEN", "127.0.0.1:0")
        .env("ANTEROOM_ADMIN_LISTEN", "127.0.0.1:0")
        .env("ANTEROOM_UPSTREAM_URL", format!("http://{provider}"))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gateway starts");
    let log = gateway.stderr.take().expect("its log");
    let mut lines = BufReader::new(log).lines().map_while(Result::ok);
    let api = lines
        .find_map(|line| line.split_once("api=http://")?.1.split(' ').next()?.parse().ok())
        .expect("the gateway tells its address");
    thread::spawn(move || lines.for_each(drop));
    (gateway, api)
}

/// Starts a provider whose streams send an event now and then; returns its address.
fn provider(sent: &Sent, stop: &Arc<AtomicBool>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (sent, stop) = (Arc::clone(sent), Arc::clone(stop));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (sent, stop) = (Arc::clone(&sent), Arc::clone(&stop));
            thread::spawn(move || provide(&stream, &sent, &stop));
        }
    });
    address
}

fn provide(mut stream: &TcpStream, sent: &Sent, stop: &AtomicBool) {
    stream.set_nodelay(true).expect("no delay");
    let Some(body) = read_request(stream) else { return };
    let is_measured = body.contains("measured");
    let opened = stream.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\
          Transfer-Encoding: chunked\r\n\r\n",
    );
    if opened.is_err() {
        return;
    }
    let mut event = |data: &str| {
        let event = format!("data: {data}\n\n");
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).is_ok()
    };
    let chunk = r#"{"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}"#;
    if is_measured {
        // The head has arrived by then: what is measured is the event.
        thread::sleep(EVENT_EVERY);
        *sent.lock().expect("no panic holds it") = Some(Instant::now());
        event(chunk);
    } else {
        while !stop.load(Ordering::Relaxed) && event(chunk) {
            thread::sleep(EVENT_EVERY);
        }
    }
    event(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#);
    event("[DONE]");
    let _ = stream.write_all(b"0\r\n\r\n");
}

fn read_request(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

fn ask(address: SocketAddr, prompt: &str) -> BufReader<TcpStream> {
    let body = format!(
        r#"{{"model":"m","stream":true,"messages":[{{"role":"user","content":"{prompt}"}}]}}"#
    );
    let mut stream = TcpStream::connect(address).expect("a connection");
    stream.set_nodelay(true).expect("no delay");
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("the request leaves");
    BufReader::new(stream)
}

/// Returns how long the first event of a stream took.
fn first_event(address: SocketAddr, prompt: &str, sent: &Sent) -> Duration {
    *sent.lock().expect("no panic holds it") = None;
    let mut answer = ask(address, prompt);
    let mut line = String::new();
    while !line.starts_with("data:") {
        line.clear();
        assert!(answer.read_line(&mut line).expect("an answer") > 0, "no event in the answer");
    }
    let arrived = Instant::now();
    let left = sent.lock().expect("no panic holds it").expect("the provider sent it");
    let mut rest = Vec::new();
    let _ = answer.read_to_end(&mut rest);
    arrived.duration_since(left)
}

fn read_until_stopped(address: SocketAddr, number: usize, stop: &AtomicBool) {
    let mut answer = ask(address, &format!("other {number}"));
    let mut line = String::new();
    while !stop.load(Ordering::Relaxed) && answer.read_line(&mut line).is_ok_and(|read| read > 0) {
        line.clear();
    }
    let _ = answer.read_to_end(&mut Vec::new());
}
