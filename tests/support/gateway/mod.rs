//! The gateway under test: the real binary in a folder of its own.

mod builder;
mod metrics;
mod running;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Barrier;

use serde_json::Value;
use tempfile::TempDir;

pub use self::builder::Builder;
use self::running::Running;
use super::client::{Connection, Incoming, Request, Response};
use super::deadline::{self, PATIENCE};
use super::process::{self, Process};

/// A running gateway. Dropping it kills it and removes its folder.
pub struct Gateway {
    env: BTreeMap<String, String>,
    has_config: bool,
    running: Running,
    folder: TempDir,
}

impl Gateway {
    /// Begins to describe a gateway.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// As [`Gateway::builder`], with much time for the levels: for tests that are not about time
    /// and run on a busy machine.
    pub fn patient() -> Builder {
        Builder::new()
            .env("ANTEROOM__CACHE__LEVEL_BUDGET", "1s")
            .env("ANTEROOM__L2__TIMEOUT", "1s")
            .env("ANTEROOM__L3__TIMEOUT", "1s")
    }

    /// Returns `127.0.0.1:port` of the API.
    pub fn api(&self) -> &str {
        &self.running.api
    }

    /// Returns `127.0.0.1:port` of the operations listener.
    pub fn operations(&self) -> &str {
        &self.running.operations
    }

    /// Returns its data folder; it stays over restarts.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Puts another `config.yaml` in the place of the one it was started with, in one step.
    pub fn write_config(&self, yaml: &str) {
        let (new, place) = (self.folder.path().join("new.yaml"), self.folder.path());
        std::fs::write(&new, yaml).expect("a config file");
        std::fs::rename(new, place.join("config.yaml")).expect("a config file in its place");
    }

    /// Returns its `DATABASE_URL`, `None` with SQLite.
    pub fn database_url(&self) -> Option<&str> {
        self.env.get("DATABASE_URL").map(String::as_str)
    }

    /// Sends a request to the API and reads the whole answer.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Response {
        self.open(request).response()
    }

    /// Sends a request to the API and returns once the head of the answer is there.
    #[track_caller]
    pub fn open(&self, request: &Request) -> Incoming {
        let incoming = request.try_open(self.api());
        incoming.unwrap_or_else(|error| panic!("no answer: {error}\n{request}\n{}", self.log()))
    }

    /// Sends a chat completion, given as JSON.
    #[track_caller]
    pub fn chat(&self, body: impl std::fmt::Display) -> Response {
        self.send(&chat(body))
    }

    /// Sends the same request `count` times at once, each on a connection of its own.
    #[track_caller]
    pub fn send_at_once(&self, count: usize, request: &Request) -> Vec<Response> {
        let start = Barrier::new(count);
        std::thread::scope(|scope| {
            let call = || {
                start.wait();
                self.send(request)
            };
            let callers: Vec<_> = (0..count).map(|_| scope.spawn(call)).collect();
            let answers = callers.into_iter().map(|caller| caller.join());
            answers.map(|answer| answer.expect("its panic stands above")).collect()
        })
    }

    /// Asks for each of `requests` on a connection of its own, and reads no answer yet.
    #[track_caller]
    pub fn ask_all(&self, requests: &[Request]) -> Vec<Connection> {
        let ask = |request| {
            let mut connection = Connection::open(self.api());
            connection.ask(request).expect("an open connection");
            connection
        };
        requests.iter().map(ask).collect()
    }

    /// Returns `/health/actors`.
    #[track_caller]
    pub fn health(&self) -> Value {
        self.operate(&Request::get("/health/actors")).json()
    }

    /// Returns one actor of `/health/actors` by its name.
    #[track_caller]
    pub fn actor(&self, name: &str) -> Value {
        let health = self.health();
        actor(&health, name).unwrap_or_else(|| panic!("no actor {name} in {health}")).clone()
    }

    /// Returns the sum of the series of a metric that carry all of `labels`.
    #[track_caller]
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        metrics::metric(&self.operate(&Request::get("/metrics")).text(), name, labels)
    }

    /// Sends a request to the operations listener.
    #[track_caller]
    pub fn operate(&self, request: &Request) -> Response {
        let incoming = request.try_open(self.operations());
        let incoming = incoming
            .unwrap_or_else(|error| panic!("no answer: {error}\n{request}\n{}", self.log()));
        incoming.response()
    }

    /// Makes an actor panic; for builds with the feature `fault-injection`.
    #[track_caller]
    pub fn make_panic(&self, actor: &str) {
        let response = self.operate(&Request::post(&format!("/debug/panic/{actor}"), "{}"));
        assert!(response.status < 300, "{response}\n{}", self.log());
    }

    /// Asks for `/health/actors` until `is_met` holds for it.
    #[track_caller]
    pub fn wait_until(&self, what: &str, is_met: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let met = deadline::poll(PATIENCE, || {
            last = self.health();
            is_met(&last).then(|| last.clone())
        });
        met.unwrap_or_else(|| panic!("never {what}\n{last:#}\n{}", self.log()))
    }

    /// Waits until an actor is in `state`: running, degraded, restarting or disabled.
    #[track_caller]
    pub fn wait_for_state(&self, name: &str, state: &str) -> Value {
        self.wait_until(&format!("{name} {state}"), |health| {
            actor(health, name).is_some_and(|actor| actor["state"] == state)
        })
    }

    /// Waits until everything stored so far is in the database.
    #[track_caller]
    pub fn wait_for_writes(&self) {
        self.wait_until("l3 running with nothing pending", |health| {
            actor(health, "l3").is_some_and(|l3| l3["state"] == "running" && l3["pending"] == 0)
        });
    }

    /// Returns its resident memory in bytes.
    pub fn rss_bytes(&self) -> u64 {
        process::rss_bytes(self.running.process.id())
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.running.process.id()
    }

    /// Sends it a signal.
    pub fn signal(&mut self, signal: i32) {
        self.running.process.signal(signal);
    }

    /// Ends it with SIGKILL.
    pub fn kill9(&mut self) {
        self.running.process.kill();
    }

    /// Sends SIGTERM and waits for its end.
    #[track_caller]
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(libc::SIGTERM);
        self.wait_for_end()
    }

    /// Has another process take over, and is that one from then on; returns the one before, which ends
    /// when its connections have ended.
    #[track_caller]
    pub fn hand_over(&mut self) -> Process {
        let before = self.successors().len();
        self.signal(libc::SIGUSR2);
        let id = deadline::poll(PATIENCE, || self.successors().get(before).copied());
        let id = id.unwrap_or_else(|| panic!("no process takes over\n{}", self.log()));
        std::mem::replace(&mut self.running.process, Process::adopt(id))
    }

    /// Returns the processes that have taken over, by its log.
    fn successors(&self) -> Vec<u32> {
        let log = self.whole_log();
        let lines = log.lines().filter(|line| line.contains("another process has taken over"));
        let ids = lines.filter_map(|line| line.split_once("process=")?.1.split(' ').next());
        ids.filter_map(|id| id.parse().ok()).collect()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let status = self.running.process.wait(PATIENCE);
        status.unwrap_or_else(|| panic!("the gateway did not end\n{}", self.log()))
    }

    /// Starts it again on the same data, after SIGKILL where it still runs; its ports change.
    #[track_caller]
    pub fn restart(&mut self) {
        self.kill9();
        let started = Running::start(&self.env, self.folder.path(), self.has_config, None);
        self.running = started.unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// Sets a variable for the next [`Gateway::restart`].
    pub fn set_env(&mut self, name: &str, value: impl ToString) {
        self.env.insert(name.to_owned(), value.to_string());
    }

    /// Returns its log, but for lines beyond some thousands.
    pub fn whole_log(&self) -> String {
        self.running.log.whole()
    }

    /// Returns what it wrote on standard output, all its runs.
    pub fn stdout(&self) -> String {
        let path = self.folder.path().join(running::STDOUT);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    /// Returns the end of its log.
    pub fn log(&self) -> String {
        self.running.log.tail()
    }
}

/// A chat completion as a request, given as JSON, with a credential.
pub fn chat(body: impl std::fmt::Display) -> Request {
    Request::post("/v1/chat/completions", body).bearer("sk-test")
}

/// The body of a chat completion with one user message.
pub fn prompt(text: &str) -> Value {
    serde_json::json!({"model": "test-model", "messages": [{"role": "user", "content": text}]})
}

/// Returns one actor of `/health/actors` by its name.
pub fn actor<'a>(health: &'a Value, name: &str) -> Option<&'a Value> {
    health["actors"].as_array()?.iter().find(|actor| actor["name"] == name)
}
