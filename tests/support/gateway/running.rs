//! A running gateway: its process, and its log, which says where it listens.

use std::collections::{BTreeMap, VecDeque};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::support::deadline::{Deadline, PATIENCE};
use crate::support::process::{Process, lock};

/// Lines of the log that are kept; older ones are dropped.
const LOG_LINES: usize = 5_000;

/// The file in its folder that has its standard output.
pub(super) const STDOUT: &str = "stdout.txt";

/// Starts the program `$0` as systemd does: its sockets come as standard input and output, which are the
/// only numbers that a test can give without `unsafe`.
const ACTIVATE: &str =
    "exec 3<&0 4<&1 0</dev/null 1>>stdout.txt; export LISTEN_PID=$$; exec \"$0\" \"$@\"";

/// The process and what it said at its start.
pub(super) struct Running {
    pub(super) process: Process,
    pub(super) log: Arc<Log>,
    pub(super) api: String,
    pub(super) operations: String,
}

impl Running {
    /// Starts the binary in `folder` and waits for the addresses in its log.
    pub(super) fn start(
        env: &BTreeMap<String, String>,
        folder: &Path,
        has_config: bool,
        inherited: Option<[OwnedFd; 2]>,
    ) -> Result<Self, String> {
        let binary = env!("CARGO_BIN_EXE_anteroom");
        let mut command = Command::new(if inherited.is_some() { "/bin/sh" } else { binary });
        if inherited.is_some() {
            command.args(["-c", ACTIVATE, binary]);
        }
        command.arg("serve").current_dir(folder).env_clear().envs(env).stderr(Stdio::piped());
        if has_config {
            command.args(["--config", "config.yaml"]);
        }
        let path = folder.join(STDOUT);
        let stdout = OpenOptions::new().create(true).append(true).open(path);
        let stdout = stdout.map_err(|error| format!("{STDOUT}: {error}"))?;
        let (stdin, stdout): (Stdio, Stdio) = match inherited {
            Some([first, second]) => (first.into(), second.into()),
            None => (Stdio::null(), stdout.into()),
        };
        let mut process = Process::start_with(command.stdout(stdout), stdin);
        let stderr = process.child().stderr.take().expect("a piped stderr");
        let log = Arc::new(Log::default());
        let reading = log.clone();
        std::thread::spawn(move || reading.read(BufReader::new(stderr)));
        match log.wait_for_addresses() {
            Some((api, operations)) => Ok(Self { process, log, api, operations }),
            None => {
                let status = process.wait(Duration::from_secs(1));
                Err(format!("the gateway did not start: {status:?}\n{}", log.tail()))
            }
        }
    }
}

/// The lines of its stderr, and whether it was closed.
#[derive(Default)]
pub(super) struct Log {
    lines: Mutex<(VecDeque<String>, bool)>,
    grown: Condvar,
}

impl Log {
    fn read(&self, lines: impl BufRead) {
        for line in lines.split(b'\n').map_while(Result::ok) {
            let mut log = lock(&self.lines);
            log.0.push_back(plain(&String::from_utf8_lossy(&line)));
            if log.0.len() > LOG_LINES {
                log.0.pop_front();
            }
            self.grown.notify_all();
        }
        lock(&self.lines).1 = true;
        self.grown.notify_all();
    }

    /// Returns the API's and the operations' address; `None` when the log ended without them.
    fn wait_for_addresses(&self) -> Option<(String, String)> {
        let deadline = Deadline::after(PATIENCE);
        let mut log = lock(&self.lines);
        loop {
            let find = |token| log.0.iter().find_map(|line| address(line, token));
            if let (Some(api), Some(operations)) = (find("api="), find("operations=")) {
                return Some((api, operations));
            }
            let left = deadline.left().filter(|_| !log.1)?;
            let woken = self.grown.wait_timeout(log, left);
            log = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Returns all lines that are kept.
    pub(super) fn whole(&self) -> String {
        Vec::from(lock(&self.lines).0.clone()).join("\n")
    }

    /// Returns its end, for a panic.
    pub(super) fn tail(&self) -> String {
        let log = lock(&self.lines);
        let tail: Vec<_> = log.0.iter().rev().take(60).rev().cloned().collect();
        format!("--- the gateway's log ends ---\n{}\n---", tail.join("\n"))
    }
}

/// Returns `host:port` after `token` in a line that says `listening`.
fn address(line: &str, token: &str) -> Option<String> {
    let rest = line.contains("listening").then(|| line.split_once(token))??.1;
    let url = rest.trim_start_matches('"');
    let url = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
    Some(url.chars().take_while(|sign| sign.is_ascii_digit() || ".:".contains(*sign)).collect())
}

/// Removes the colours of a terminal.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn the_addresses_are_found_in_plain_and_coloured_lines() {
    let line = "INFO \u{1b}[1mlistening\u{1b}[0m api=http://127.0.0.1:8080 workers=2";
    assert_eq!(address(&plain(line), "api=").as_deref(), Some("127.0.0.1:8080"));
    assert_eq!(
        address("listening api=\"http://127.0.0.1:1\"", "api=").as_deref(),
        Some("127.0.0.1:1")
    );
    assert_eq!(address("calling api=http://127.0.0.1:1", "api="), None);
}
