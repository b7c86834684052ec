//! Requests that go on while something fails: hits in L1, hits further down, misses.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Request, Response};
use crate::support::deadline::{self, Deadline, PATIENCE};
use crate::support::gateway::{Builder, Gateway, actor, chat, prompt};
use crate::support::over::Over;
use crate::support::process::lock;
use crate::support::provider::{Call, Provider};

/// How many answers lie in the levels below L1 when the load begins.
const KEPT: usize = 40;

/// Longest time a request may spend in the gateway itself. Coarse: the budget of the levels is less
/// than half of it, and the machine may be busy; what hangs takes longer.
const OWN_MS: f64 = 1_000.0;

/// Longest wait until a level is used again after its server's return.
pub const BACK_WITHIN: Duration = Duration::from_secs(10);

/// The events of a short stream.
pub const EVENTS: [&str; 3] = [
    r#"data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}"#,
    r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
    "data: [DONE]",
];

/// A request for a stream.
pub fn stream() -> Request {
    chat(json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "s"}]}))
}

/// A provider that repeats the prompt, so that an answer shows whose it is.
pub fn echo() -> Provider {
    Provider::scripted(|call| echo_of(call).into())
}

/// The answer to a chat completion: its prompt and the number of the call.
pub fn echo_of(call: &Call) -> Value {
    let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
    let said = body["messages"][0]["content"].as_str().unwrap_or_default();
    let text = format!("echo of {said}, call {}", call.serial);
    json!({
        "id": format!("chatcmpl-{}", call.serial), "object": "chat.completion", "model": "test-model",
        "created": 1_750_000_000,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text},
            "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
    })
}

/// Begins a gateway for the load: L1 is so small that most kept answers are found further down.
pub fn builder(provider: &Provider) -> Builder {
    // All gateways of a test share answers, also when Redis has lost what they agreed on.
    let secret = "a secret of at least thirty-two bytes for tests";
    Gateway::builder()
        .upstream(provider)
        .env("L1_CACHE_SIZE", 8)
        .env("ANTEROOM_SECRET", secret)
        // So long that a busy machine does not look like a fault.
        .env("ANTEROOM__CACHE__LEVEL_BUDGET", "400ms")
        .env("ANTEROOM__L2__TIMEOUT", "150ms")
        .env("ANTEROOM__L3__TIMEOUT", "250ms")
        // Panics are part of these tests; their backtraces would fill the log.
        .env("RUST_BACKTRACE", 0)
}

/// Has answers kept that the load asks for again.
#[track_caller]
pub fn seed(gateway: &Gateway) {
    for number in 0..KEPT {
        gateway.send(&kept(number)).expect_status(200);
    }
    gateway.wait_for_writes();
}

/// One of the requests whose answers are kept.
pub fn kept(number: usize) -> Request {
    chat(prompt(&format!("kept {number};")))
}

/// A request without an answer so far.
pub fn new(name: &str) -> Request {
    chat(prompt(&format!("new {name};")))
}

/// Panics unless `response` is the whole answer to its own prompt.
#[track_caller]
pub fn expect_echo(response: &Response, said: &str) {
    if let Some(wrong) = wrong(response, said) {
        panic!("{wrong}\n{response}");
    }
}

/// The running load.
pub struct Load<'a> {
    gateway: &'a Gateway,
    over: AtomicBool,
    asked: AtomicUsize,
    book: Mutex<Book>,
    came: Condvar,
}

#[derive(Default)]
struct Book {
    /// Numbers of the requests under way.
    under_way: BTreeSet<usize>,
    /// Number of each answered request, with `X-Cache` and level.
    answers: Vec<(usize, String)>,
    failures: Vec<String>,
}

impl Book {
    /// Returns the answers to requests from number `first` on.
    fn since(&self, first: usize) -> Vec<String> {
        let answers = self.answers.iter().filter(|answer| answer.0 >= first);
        answers.map(|answer| answer.1.clone()).collect()
    }
}

/// Does `work` while requests run. Panics where one of them failed, was cut, took too long in the
/// gateway or got another's answer.
#[track_caller]
pub fn under_load<T>(gateway: &Gateway, work: impl FnOnce(&Load<'_>) -> T) -> T {
    let load = Load {
        gateway,
        over: AtomicBool::new(false),
        asked: AtomicUsize::new(0),
        book: Mutex::default(),
        came: Condvar::new(),
    };
    let done = std::thread::scope(|scope| {
        scope.spawn(|| load.run(|_| ("hot;".to_owned(), chat(prompt("hot;")))));
        scope.spawn(|| load.run(|turn| (format!("kept {};", turn % KEPT), kept(turn % KEPT))));
        scope.spawn(|| load.run(|turn| (format!("new {turn};"), new(&turn.to_string()))));
        let _over = Over(&load.over);
        work(&load)
    });
    load.expect_no_failure();
    done
}

impl Load<'_> {
    /// Waits until all requests under way and `count` later ones have been answered; returns the
    /// later ones' `X-Cache` and levels.
    #[track_caller]
    pub fn wait_for_more(&self, count: usize) -> Vec<String> {
        let first = self.asked.load(Ordering::SeqCst);
        let answers = self.wait_until(PATIENCE, |book| {
            let is_settled = book.under_way.first().is_none_or(|oldest| *oldest >= first);
            Some(book.since(first)).filter(|answers| is_settled && answers.len() >= count)
        });
        answers.unwrap_or_else(|| panic!("no {count} answers\n{}", self.gateway.log()))
    }

    /// Waits until a request from now on is answered with this `X-Cache` and level, at most
    /// [`BACK_WITHIN`].
    #[track_caller]
    pub fn wait_for(&self, cache: &str) {
        let first = self.asked.load(Ordering::SeqCst);
        let is_there = |book: &Book| book.since(first).iter().any(|answer| answer == cache);
        let met = self.wait_until(BACK_WITHIN, |book| is_there(book).then_some(()));
        met.unwrap_or_else(|| {
            panic!("no {cache}\n{:#}\n{}", self.gateway.health(), self.gateway.log())
        });
    }

    /// Waits until `look` returns something, or a request has failed, which panics.
    #[track_caller]
    fn wait_until<T>(&self, wait: Duration, look: impl Fn(&Book) -> Option<T>) -> Option<T> {
        let deadline = Deadline::after(wait);
        let mut book = lock(&self.book);
        loop {
            let found = look(&book);
            let left = deadline.left();
            if found.is_some() || left.is_none() || !book.failures.is_empty() {
                drop(book);
                self.expect_no_failure();
                return found;
            }
            let woken = self.came.wait_timeout(book, left.unwrap_or_default());
            book = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn run(&self, request: impl Fn(usize) -> (String, Request)) {
        while !self.over.load(Ordering::Relaxed) {
            let mut book = lock(&self.book);
            let number = self.asked.fetch_add(1, Ordering::SeqCst);
            book.under_way.insert(number);
            drop(book);
            let (said, request) = request(number);
            let answer = request.try_open(self.gateway.api()).map(|incoming| incoming.response());
            let mut book = lock(&self.book);
            book.under_way.remove(&number);
            match answer {
                Ok(response) => {
                    if let Some(wrong) = wrong(&response, &said) {
                        book.failures.push(format!("{wrong}\n{response}"));
                    }
                    book.answers.push((number, response.cache()));
                }
                Err(error) => book.failures.push(format!("no answer: {error}\n{request}")),
            }
            drop(book);
            self.came.notify_all();
            // A load, not a benchmark: the machine runs other tests too.
            deadline::pause(Duration::from_millis(2));
        }
    }

    #[track_caller]
    fn expect_no_failure(&self) {
        let book = lock(&self.book);
        if let Some(first) = book.failures.first() {
            let (failed, all) = (book.failures.len(), book.answers.len());
            panic!("{failed} of {all} failed, the first: {first}\n{}", self.gateway.log());
        }
    }
}

fn wrong(response: &Response, said: &str) -> Option<String> {
    if response.status != 200 || response.cut.is_some() {
        return Some("not a whole answer".to_owned());
    }
    if !response.text().contains(&format!("echo of {said}")) {
        return Some(format!("not the answer to {said:?}"));
    }
    let own = own_ms(response);
    (own > OWN_MS).then(|| format!("{own} ms in the gateway itself"))
}

/// Returns how long a request was in the gateway beside its upstream call, as it says itself.
fn own_ms(response: &Response) -> f64 {
    part_ms(response, "total") - part_ms(response, "upstream")
}

/// Returns one part of our `Server-Timing`, in milliseconds; 0 where there is none.
pub fn part_ms(response: &Response, part: &str) -> f64 {
    let text = response.header("server-timing").unwrap_or_default();
    let parts = text.split(", ").filter_map(|entry| entry.split_once(";dur="));
    let found = parts.into_iter().find(|(name, _)| *name == part);
    found.and_then(|(_, millis)| millis.parse().ok()).unwrap_or(0.0)
}

/// Returns a counter of an actor.
#[track_caller]
pub fn counter(gateway: &Gateway, name: &str, counter: &str) -> u64 {
    let actor = gateway.actor(name);
    actor["counters"][counter].as_u64().unwrap_or_else(|| panic!("no {counter} in {actor}"))
}

/// Waits until a level is left out, and says why.
#[track_caller]
pub fn wait_until_degraded(gateway: &Gateway, level: &str) -> String {
    let health = gateway.wait_for_state(level, "degraded");
    let error = actor(&health, level).map(|level| level["last_error"].clone());
    let error = error.and_then(|error| error.as_str().map(str::to_owned)).unwrap_or_default();
    assert!(!error.is_empty(), "{health:#}");
    let ready = gateway.send(&Request::get("/health/ready")).expect_status(200).json();
    let named = ready["degraded"].as_array().is_some_and(|names| names.contains(&json!(level)));
    assert!(named, "a degraded level is named and does not make the gateway unready: {ready}");
    error
}

/// Waits until a level is used again, at most [`BACK_WITHIN`].
#[track_caller]
pub fn wait_until_back(gateway: &Gateway, level: &str) {
    let since = deadline::now();
    gateway.wait_for_state(level, "running");
    assert!(since.elapsed() < BACK_WITHIN, "{:?}\n{}", since.elapsed(), gateway.log());
}

/// Asserts that answers came from each of `sources`.
#[track_caller]
pub fn expect_each(answers: &[String], sources: &[&str]) {
    for source in sources {
        assert!(answers.iter().any(|answer| answer == source), "no {source} in {answers:?}");
    }
}

/// Asserts that nobody waits for a level that is left out, and that answers come from elsewhere.
#[track_caller]
pub fn expect_left_out(gateway: &Gateway, load: &Load<'_>, level: &str, sources: &[&str]) {
    let skipped = counter(gateway, level, "skipped");
    gateway.wait_until("lookups skipped", |health| {
        actor(health, level).is_some_and(|l| l["counters"]["skipped"].as_u64() > Some(skipped))
    });
    // What was asked before that has ended by then, and is counted.
    load.wait_for_more(30);
    let before = gateway.actor(level)["counters"].clone();
    let answers = load.wait_for_more(90);
    let after = gateway.actor(level)["counters"].clone();
    expect_each(&answers, sources);
    let hit = format!("HIT {}", level.to_uppercase());
    assert!(!answers.contains(&hit), "{answers:?}");
    assert_eq!(before["errors"], after["errors"], "no lookup is sent: {before} {after}");
    assert!(before["skipped"].as_u64() < after["skipped"].as_u64(), "{before} {after}");
    // What could not be written is dropped and counted; no answer depends on it (A-53).
    assert!(before["insert_drops"].as_u64() < after["insert_drops"].as_u64(), "{before} {after}");
}
