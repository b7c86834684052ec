//! A private Redis on a free port.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::deadline::{self, PATIENCE};
use super::listener::free_port;
use super::process::{Process, program, remove_at_end};

/// Tries to start before giving up: another process may take the free port first.
const TRIES: usize = 5;

/// A running Redis. Dropping it kills it and removes its folder.
pub struct Redis {
    process: Process,
    port: u16,
    folder: TempDir,
}

/// A reply of Redis (RESP2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A status line or an error line, the sign of its kind included: `+OK`, `-ERR …`.
    Line(String),
    /// A number.
    Integer(i64),
    /// A string of bytes, or nothing.
    Bytes(Option<Vec<u8>>),
    /// A list.
    List(Vec<Reply>),
}

impl Redis {
    /// Starts one, empty, that saves nothing.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for Redis");
        remove_at_end(folder.path());
        for _ in 0..TRIES {
            let port = free_port();
            if let Some(process) = launch(port, &folder) {
                return Self { process, port, folder };
            }
        }
        panic!("redis-server did not start {TRIES} times: see its output above");
    }

    /// Starts one that speaks TLS alone, on `localhost`, with `cert.pem` and `key.pem` of `files`, and
    /// lets in whom the lines of `users` describe (`user NAME …`), beside a default user who may do
    /// nothing. Its commands are not at hand: `redis://` is closed.
    pub fn start_secured(files: &Path, users: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder for Redis");
        remove_at_end(folder.path());
        let acl = folder.path().join("users.acl");
        std::fs::write(&acl, format!("user default off\n{users}\n")).expect("a file of users");
        for _ in 0..TRIES {
            let port = free_port();
            let mut command = command_line(0, &folder);
            command.args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
            command.arg("--tls-cert-file").arg(files.join("cert.pem"));
            command.arg("--tls-key-file").arg(files.join("key.pem"));
            command.arg("--tls-ca-cert-file").arg(files.join("cert.pem"));
            command.arg("--aclfile").arg(&acl);
            let mut process = Process::start(&mut command);
            let opened = deadline::poll(PATIENCE, || match process.ended() {
                Some(_) => Some(false),
                None => TcpStream::connect(("127.0.0.1", port)).ok().map(|_| true),
            });
            if opened == Some(true) && process.ended().is_none() {
                return Self { process, port, folder };
            }
        }
        panic!("redis-server did not start with TLS {TRIES} times: see its output above");
    }

    /// Returns `rediss://user:password@localhost:port`.
    pub fn secured_url(&self, user: &str, password: &str) -> String {
        format!("rediss://{user}:{password}@localhost:{}", self.port)
    }

    /// Returns `redis://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Returns `127.0.0.1:port`; it stays over restarts.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends one command and returns its reply; panics when there is none.
    #[track_caller]
    pub fn command(&self, words: &[&str]) -> Reply {
        let bytes: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
        self.command_bytes(&bytes)
    }

    /// As [`Redis::command`], with words that need not be text.
    #[track_caller]
    pub fn command_bytes(&self, words: &[&[u8]]) -> Reply {
        let reply = command(&self.address(), words);
        reply.unwrap_or_else(|error| panic!("redis {words:?}: {error}"))
    }

    /// Returns the keys that match a pattern, in order.
    pub fn keys(&self, pattern: &str) -> Vec<String> {
        let Reply::List(keys) = self.command(&["KEYS", pattern]) else { return Vec::new() };
        let mut keys: Vec<_> = keys
            .into_iter()
            .filter_map(|key| match key {
                Reply::Bytes(bytes) => bytes.and_then(|bytes| String::from_utf8(bytes).ok()),
                _ => None,
            })
            .collect();
        keys.sort();
        keys
    }

    /// Ends it with SIGKILL.
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    /// Stops it: connections stay open and nothing answers.
    pub fn stop(&mut self) {
        self.process.signal(libc::SIGSTOP);
    }

    /// Lets it go on after [`Redis::stop`].
    pub fn resume(&mut self) {
        self.process.signal(libc::SIGCONT);
    }

    /// Starts it again on the same port, empty, after SIGKILL where it still runs.
    pub fn restart(&mut self) {
        self.process.kill();
        let started = (0..TRIES).find_map(|_| launch(self.port, &self.folder));
        self.process = started.expect("redis-server starts on the port it had");
    }
}

fn command_line(port: u16, folder: &TempDir) -> Command {
    let mut command = Command::new(program("redis-server", &[], "redis-server"));
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
    command.args([
        "--appendonly",
        "no",
        "--enable-debug-command",
        "local",
        "--loglevel",
        "warning",
    ]);
    command.arg("--dir").arg(folder.path());
    // Only its complaints; a failing test shows them.
    command.stdout(Stdio::null()).stderr(Stdio::inherit());
    command
}

fn launch(port: u16, folder: &TempDir) -> Option<Process> {
    let mut process = Process::start(&mut command_line(port, folder));
    let answers = deadline::poll(PATIENCE, || match process.ended() {
        Some(_) => Some(false),
        None => self::command(&format!("127.0.0.1:{port}"), &[b"PING"]).ok().map(|_| true),
    });
    // It must be this process that answers, not another one on the same port.
    (answers == Some(true) && process.ended().is_none()).then_some(process)
}

/// Sends one command to whatever speaks the protocol at an address.
pub fn command(address: &str, words: &[&[u8]]) -> std::io::Result<Reply> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut request = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        request.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        request.extend_from_slice(word);
        request.extend_from_slice(b"\r\n");
    }
    stream.write_all(&request)?;
    read_reply(&mut BufReader::new(stream))
}

/// Reads one reply; a command has the form of one, too.
pub fn read_reply(input: &mut impl BufRead) -> std::io::Result<Reply> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let line = line.trim_end();
    let number = || {
        let digits = line.get(1..).and_then(|text| text.parse::<i64>().ok());
        digits.ok_or_else(|| std::io::Error::other(format!("not a reply: {line:?}")))
    };
    match line.as_bytes().first() {
        Some(b'+' | b'-') => Ok(Reply::Line(line.to_owned())),
        Some(b':') => Ok(Reply::Integer(number()?)),
        Some(b'$') => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Reply::Bytes(None)) };
            let mut bytes = vec![0; length + 2];
            input.read_exact(&mut bytes)?;
            bytes.truncate(length);
            Ok(Reply::Bytes(Some(bytes)))
        }
        Some(b'*') => {
            let list: Result<_, _> = (0..number()?).map(|_| read_reply(input)).collect();
            Ok(Reply::List(list?))
        }
        _ => Err(std::io::Error::other(format!("not a reply: {line:?}"))),
    }
}
