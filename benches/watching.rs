//! What it costs a gateway under 5,000 requests a second to be watched: by a scrape of `/metrics`, and by the
//! operators' page.
//!
//! `cargo bench --bench watching` asks for 200 prompts of 20 models, scrapes 200 times, then compares the
//! gateway's processor time with the page's stream of live numbers open and without it, in turns. The load
//! and the gateway share this machine.
//! `ANTEROOM_BENCH_SECONDS` is how long each of the six turns is (default 10).

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints and may fail")]
#![expect(clippy::disallowed_methods, reason = "it measures real time, and paces a load")]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const RATE: u32 = 5_000;
const CALLERS: u32 = 4;
const PROMPTS: u32 = 200;
const MODELS: u32 = 20;
const SCRAPES: usize = 200;
const TURNS: usize = 6;

/// What a scrape may be, in bytes and in time.
const MOST_SCRAPED: (usize, Duration) = (200_000, Duration::from_millis(5));

/// What the page may cost, in parts of a core.
const MOST_WATCHED: f64 = 0.02;

fn main() {
    let (mut gateway, api, operations) = gateway();
    (0..PROMPTS).for_each(|number| {
        let mut caller = Caller::connect(api);
        assert_eq!(caller.ask(number), 200, "the prompts are answered");
    });
    let load = Load::start(api);
    thread::sleep(Duration::from_secs(1));
    let scraped = scrapes(operations);
    let watched = watched(&gateway, operations);
    let rate = load.stop();
    gateway.kill().expect("the gateway is ours");
    gateway.wait().expect("it has ended");
    println!("requests a second: {rate:.0}");
    let (bytes, median, slowest) = scraped;
    println!("a scrape: {bytes} bytes, median {median:?}, 99 of 100 within {slowest:?}");
    let (alone, with_page) = watched;
    println!("cores taken: {alone:.4} alone, {with_page:.4} with the page's live numbers");
    assert!(bytes <= MOST_SCRAPED.0 && median <= MOST_SCRAPED.1, "a scrape costs too much");
    assert!(with_page - alone <= MOST_WATCHED, "the page costs too much");
}

/// Returns the size of `/metrics`, and how long it takes: the median and the 99th percentile.
fn scrapes(operations: SocketAddr) -> (usize, Duration, Duration) {
    let mut bytes = 0;
    let mut times: Vec<Duration> = (0..SCRAPES)
        .map(|_| {
            thread::sleep(Duration::from_millis(20));
            let began = Instant::now();
            let mut stream = TcpStream::connect(operations).expect("a connection");
            let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(request).expect("the request leaves");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("an answer");
            bytes = answer.len();
            began.elapsed()
        })
        .collect();
    times.sort();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    (bytes, at(50), at(99))
}

/// Returns how much of a core the gateway takes without the page and with it, in turns: medians.
fn watched(gateway: &Child, operations: SocketAddr) -> (f64, f64) {
    let seconds = env::var("ANTEROOM_BENCH_SECONDS").ok().and_then(|text| text.parse().ok());
    let turn = Duration::from_secs(seconds.unwrap_or(10));
    let mut cores = [Vec::new(), Vec::new()];
    for number in 0..TURNS {
        let page = (number % 2 == 1).then(|| Page::open(operations));
        let (began, before) = (Instant::now(), processor_time(gateway.id()));
        thread::sleep(turn);
        let taken = processor_time(gateway.id()).saturating_sub(before);
        let events = page.map(Page::close);
        assert!(events.is_none_or(|events| events > 0), "the page hears nothing");
        if let Some(of) = cores.get_mut(number % 2) {
            of.push(taken.as_secs_f64() / began.elapsed().as_secs_f64());
        }
    }
    let [alone, with_page] = cores.map(|mut of| {
        of.sort_by(f64::total_cmp);
        of.get(of.len() / 2).copied().unwrap_or_default()
    });
    (alone, with_page)
}

/// Returns the processor time a process has taken, to a hundredth of a second (proc(5)).
fn processor_time(process: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("it runs");
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    // The 14th and 15th of all; the first two end with the name's parenthesis.
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// The live numbers, read as the page reads them.
struct Page {
    stream: TcpStream,
    reader: thread::JoinHandle<usize>,
}

impl Page {
    fn open(operations: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(operations).expect("a connection");
        stream
            .write_all(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .expect("the request leaves");
        let lines = BufReader::new(stream.try_clone().expect("a handle")).lines();
        let reader = thread::spawn(move || {
            lines.map_while(Result::ok).filter(|line| line.starts_with("data:")).count()
        });
        Self { stream, reader }
    }

    /// Returns how many events came.
    fn close(self) -> usize {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
        self.reader.join().expect("it counts")
    }
}

/// Callers who ask at a steady pace for what is known.
struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
    began: Instant,
    callers: Vec<thread::JoinHandle<()>>,
}

impl Load {
    fn start(api: SocketAddr) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let callers = (0..CALLERS).map(|caller| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            thread::spawn(move || ask_until_stopped(api, caller, &stop, &asked))
        });
        Self { callers: callers.collect(), stop, asked, began: Instant::now() }
    }

    /// Returns how many were answered a second.
    fn stop(self) -> f64 {
        let elapsed = self.began.elapsed();
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.join().expect("every answer is a hit");
        }
        let asked = u32::try_from(self.asked.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        f64::from(asked) / elapsed.as_secs_f64()
    }
}

fn ask_until_stopped(api: SocketAddr, caller: u32, stop: &AtomicBool, asked: &AtomicU64) {
    let mut connection = Caller::connect(api);
    // Some at a time: a timer is not that fine.
    let burst = 10;
    let pause = Duration::from_secs(1) * burst * CALLERS / RATE;
    let (mut next, mut number) = (Instant::now(), caller);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..burst {
            number = (number + CALLERS) % PROMPTS;
            assert_eq!(connection.ask(number), 200, "a hit");
        }
        asked.fetch_add(u64::from(burst), Ordering::Relaxed);
        next += pause;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// One connection.
struct Caller {
    reader: BufReader<TcpStream>,
}

impl Caller {
    fn connect(api: SocketAddr) -> Self {
        let stream = TcpStream::connect(api).expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        Self { reader: BufReader::new(stream) }
    }

    /// Asks, and returns the answer's status.
    fn ask(&mut self, number: u32) -> u16 {
        let model = number % MODELS;
        let body = format!(
            r#"{{"model":"model-{model}","messages":[{{"role":"user","content":"{number}"}}]}}"#
        );
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.reader.get_mut().write_all(request.as_bytes()).expect("the request leaves");
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            assert!(self.reader.read_line(&mut line).expect("an answer") > 0, "no answer");
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.get(..3).and_then(|code| code.parse().ok()).unwrap_or_default();
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        self.reader.read_exact(&mut body).expect("a whole answer");
        status
    }
}

/// Starts the gateway in a folder of its own; returns its listeners' addresses.
fn gateway() -> (Child, SocketAddr, SocketAddr) {
    let folder = tempfile::tempdir().expect("a folder").keep();
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_anteroom"))
        .current_dir(folder)
        .env("ANTEROOM_LISTEN", "127.0.0.1:0")
        .env("ANTEROOM_ADMIN_LISTEN", "127.0.0.1:0")
        .stderr(Stdio::piped())
        .spawn()
        .expect("the gateway starts");
    let log = gateway.stderr.take().expect("its log");
    let mut lines = BufReader::new(log).lines().map_while(Result::ok);
    let mut address = |name: &str| {
        let found = lines.find_map(|line| {
            let rest = line.split_once(name)?.1;
            rest.split_whitespace().next()?.parse().ok()
        });
        found.expect("the gateway tells its addresses, the API's first")
    };
    let (api, operations) = (address("api=http://"), address("operations=http://"));
    thread::spawn(move || lines.for_each(drop));
    (gateway, api, operations)
}
