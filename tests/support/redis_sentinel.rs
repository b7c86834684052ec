//! A private Redis with a replica, and sentinels that make it the master when the first one ends.

use std::io::{BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::deadline::{self, PATIENCE};
use super::listener::{Listener, free_port};
use super::process::{Process, lock, program, remove_at_end};
use super::redis::{self, Redis, Reply};

/// What the sentinels call the master.
pub const NAME: &str = "main";

const SENTINELS: usize = 3;
/// How many must agree that the master is away: of three, two also when one of them is.
const QUORUM: usize = 2;
/// Tries to start one before giving up: another process may take the free port first.
const TRIES: usize = 5;

/// Dropping it kills all of it and removes its folders.
pub struct Watched {
    /// The master at first.
    pub first: Redis,
    /// Its replica at first.
    pub second: Redis,
    sentinels: Vec<Sentinel>,
}

/// One sentinel. Dropping it kills it.
pub struct Sentinel {
    process: Process,
    port: u16,
    _folder: TempDir,
}

impl Watched {
    /// Starts them and waits until the sentinels know of each other and of the replica, whose copy
    /// is up to date.
    pub fn start() -> Self {
        let first = Redis::start();
        let second = Redis::start();
        let ok = Reply::Line("+OK".to_owned());
        // Or it waits seconds for more replicas to copy it.
        assert_eq!(first.command(&["CONFIG", "SET", "repl-diskless-sync-delay", "0"]), ok);
        assert_eq!(second.command(&["REPLICAOF", "127.0.0.1", port(&first.address())]), ok);
        let sentinels = (0..SENTINELS).map(|_| Sentinel::start(&first)).collect();
        let watched = Self { first, second, sentinels };
        watched.wait_for("linked", |watched| {
            let info = info(&watched.second.address(), &[b"INFO", b"replication"]);
            info.contains("master_link_status:up")
        });
        let all = format!("address={},slaves=1,sentinels={SENTINELS}", watched.first.address());
        watched.wait_for(&all, |watched| {
            let knows = |sentinel: &Sentinel| sentinel.info().contains(&all);
            watched.sentinels.iter().all(knows)
        });
        watched
    }

    /// Returns `redis+sentinel://host:port,…/NAME`.
    pub fn url(&self) -> String {
        let places: Vec<_> = self.sentinels.iter().map(Sentinel::address).collect();
        format!("redis+sentinel://{}/{NAME}", places.join(","))
    }

    /// Ends the sentinel that the URL names first.
    pub fn kill_first_sentinel(&mut self) {
        self.sentinels[0].process.kill();
    }

    /// Has the sentinels make the replica the master while the first one is there.
    pub fn fail_over(&self) {
        let said = self.sentinels[0].say(&[b"SENTINEL", b"FAILOVER", NAME.as_bytes()]);
        assert_eq!(said, Some(Reply::Line("+OK".to_owned())));
    }

    /// Waits until the last sentinel names the replica of the start as the master.
    pub fn wait_until_promoted(&self) {
        self.wait_for("promoted", |watched| {
            let address = format!("address={},", watched.second.address());
            watched.sentinels.last().is_some_and(|sentinel| sentinel.info().contains(&address))
        });
    }

    #[track_caller]
    fn wait_for(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let met = deadline::poll(PATIENCE, || is_so(self).then_some(()));
        met.unwrap_or_else(|| {
            let told: Vec<_> = self.sentinels.iter().map(Sentinel::info).collect();
            panic!("not {what}\n{}", told.join("\n"))
        });
    }
}

impl Sentinel {
    /// Starts one that speaks TLS alone, on `localhost`, with `cert.pem` and `key.pem` of `files`, and
    /// names `master` as on `localhost`.
    pub fn start_secured(files: &Path, master: &Redis) -> Self {
        let (cert, key) = (files.join("cert.pem"), files.join("key.pem"));
        let lines = format!(
            "port 0\ntls-auth-clients no\ntls-replication yes\ntls-cert-file {cert}\n\
             tls-ca-cert-file {cert}\ntls-key-file {key}\nsentinel resolve-hostnames yes\n\
             sentinel announce-hostnames yes\nsentinel monitor {NAME} localhost {} 1\n",
            port(&master.address()),
            cert = cert.display(),
            key = key.display(),
        );
        Self::start_with(|port| format!("tls-port {port}\n{lines}"))
    }

    fn start(master: &Redis) -> Self {
        let lines = format!(
            "sentinel monitor {NAME} 127.0.0.1 {} {QUORUM}\n\
             sentinel down-after-milliseconds {NAME} 500\nsentinel failover-timeout {NAME} 2000\n",
            port(&master.address())
        );
        Self::start_with(|port| format!("port {port}\n{lines}"))
    }

    fn start_with(lines: impl Fn(u16) -> String) -> Self {
        let folder = tempfile::tempdir().expect("a folder for a sentinel");
        remove_at_end(folder.path());
        let file = folder.path().join("sentinel.conf");
        for _ in 0..TRIES {
            let port = free_port();
            let common =
                format!("bind 127.0.0.1\nloglevel warning\ndir {}\n", folder.path().display());
            std::fs::write(&file, common + &lines(port)).expect("a file of settings");
            let mut command = Command::new(program("redis-server", &[], "redis-server"));
            command.arg(&file).arg("--sentinel");
            command.stdout(Stdio::null()).stderr(Stdio::inherit());
            let mut process = Process::start(&mut command);
            let opened = deadline::poll(PATIENCE, || match process.ended() {
                Some(_) => Some(false),
                None => TcpStream::connect(("127.0.0.1", port)).ok().map(|_| true),
            });
            if opened == Some(true) && process.ended().is_none() {
                return Self { process, port, _folder: folder };
            }
        }
        panic!("redis-server --sentinel did not start {TRIES} times: see its output above");
    }

    /// Returns the port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn info(&self) -> String {
        info(&self.address(), &[b"INFO", b"sentinel"])
    }

    fn say(&self, words: &[&[u8]]) -> Option<Reply> {
        redis::command(&self.address(), words).ok()
    }
}

/// Stands for a sentinel: it names the master that a test tells it, right or wrong.
pub struct Told {
    listener: Listener,
    says: Arc<Mutex<Says>>,
}

struct Says {
    master: String,
    heard: Vec<String>,
}

impl Told {
    /// Starts one that names `master`, a `host:port`.
    pub fn of(master: &str) -> Self {
        let says = Arc::new(Mutex::new(Says { master: master.to_owned(), heard: Vec::new() }));
        let answers = Arc::clone(&says);
        let listener = Listener::open(move |stream| {
            // Ends with the connection.
            let _ended: std::io::Result<()> = Self::serve(&stream, &answers);
        });
        Self { listener, says }
    }

    /// Returns its `host:port`.
    pub fn address(&self) -> String {
        self.listener.address().to_string()
    }

    /// Names another master from now on.
    pub fn name(&self, master: &str) {
        lock(&self.says).master = master.to_owned();
    }

    /// Returns the commands that came, their words in a row.
    pub fn heard(&self) -> Vec<String> {
        lock(&self.says).heard.clone()
    }

    fn serve(stream: &TcpStream, says: &Mutex<Says>) -> std::io::Result<()> {
        let mut input = BufReader::new(stream);
        loop {
            let words = words(redis::read_reply(&mut input)?).join(" ");
            let reply = {
                let mut says = lock(says);
                let reply = match says.master.rsplit_once(':') {
                    Some((host, port)) if words.starts_with("SENTINEL ") => {
                        format!("*2\r\n${}\r\n{host}\r\n${}\r\n{port}\r\n", host.len(), port.len())
                    }
                    _ => "+OK\r\n".to_owned(),
                };
                says.heard.push(words);
                reply
            };
            (&*stream).write_all(reply.as_bytes())?;
        }
    }
}

fn words(command: Reply) -> Vec<String> {
    let Reply::List(words) = command else { return Vec::new() };
    let text = |word| match word {
        Reply::Bytes(bytes) => String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned(),
        other => format!("{other:?}"),
    };
    words.into_iter().map(text).collect()
}

/// Returns the port of an address.
fn port(address: &str) -> &str {
    address.rsplit_once(':').expect("a port").1
}

/// Returns what a server tells of itself, or nothing where none answers.
fn info(address: &str, words: &[&[u8]]) -> String {
    match redis::command(address, words) {
        Ok(Reply::Bytes(Some(text))) => String::from_utf8_lossy(&text).into_owned(),
        _ => String::new(),
    }
}
