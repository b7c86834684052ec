//! A private Redis server on a socket in a scratch folder.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use deadpool_redis::redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisResult, cmd};
use tempfile::TempDir;
use tokio::sync::oneshot;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// One server; ended when dropped.
pub struct Server {
    folder: TempDir,
    process: Option<Child>,
    password: Option<&'static str>,
}

impl Server {
    /// Prepares a server that does not run yet.
    pub fn prepared() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        Self { folder, process: None, password: None }
    }

    /// Starts a server and waits until it answers.
    pub async fn started() -> Self {
        let mut server = Self::prepared();
        server.start().await;
        server
    }

    /// Starts the program in its folder and waits until it answers.
    pub async fn start(&mut self) {
        let mut process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(self.socket())
            .arg("--dir")
            .arg(self.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(
                "these tests need the program redis-server (Debian: apt-get install redis-server)",
            );
        let log = process.stdout.take().expect("its log");
        self.process = Some(process);
        let (tell, told) = oneshot::channel();
        thread::spawn(move || follow(log, tell));
        let up = tokio::time::timeout(PATIENCE, told).await.map_err(|_late| "nothing in time");
        let up = up.and_then(|told| told.map_err(|_ended| "the end of its log"));
        up.expect("redis-server says that it is ready");
        self.run::<String>(&cmd("PING")).await;
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("the server can be killed");
            process.wait().expect("the server ends");
        }
        drop(fs::remove_file(self.socket()));
    }

    /// Stops it: connections stay, nothing is answered.
    pub fn stop(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.process.as_ref().expect("a running server").id().to_string();
        let status = Command::new("kill").args([signal, &id]).status().expect("the program kill");
        assert!(status.success(), "kill {signal} {id}");
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Returns the URL for a gateway, which knows no password.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    /// Sets a password and cuts all clients off.
    pub async fn lock(&mut self, password: &'static str) {
        let mut config = cmd("CONFIG");
        self.run::<()>(config.arg("SET").arg("requirepass").arg(password)).await;
        self.password = Some(password);
        let mut kill = cmd("CLIENT");
        self.run::<i64>(kill.arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes")).await;
    }

    /// Runs `command` over a connection of its own; fails loudly.
    pub async fn run<T: FromRedisValue>(&self, command: &Cmd) -> T {
        self.try_run(command).await.expect("the server does as a test says")
    }

    /// Runs the command of these words.
    pub async fn say<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = Cmd::new();
        self.run(command.arg(words)).await
    }

    async fn try_run<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        let password = self.password.map(|password| format!("?pass={password}"));
        let url = format!("{}{}", self.url(), password.unwrap_or_default());
        let patient = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = Client::open(url)?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&patient).await?;
        command.query_async(&mut connection).await
    }
}

/// Reads a server's log to its end, so that it can go on writing, and tells when it is ready.
fn follow(log: ChildStdout, tell: oneshot::Sender<()>) {
    let mut tell = Some(tell);
    for line in BufReader::new(log).lines().map_while(Result::ok) {
        if line.to_ascii_lowercase().contains("ready to accept connections")
            && let Some(tell) = tell.take()
        {
            let _ = tell.send(());
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }
}
