//! A private PostgreSQL on a free port, its data made once a run.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};

use tempfile::TempDir;

use super::deadline::{self, PATIENCE};
use super::listener::free_port;
use super::process::{Process, family, lock, program, remove_at_end, send_signal};
use super::tls::{CERT_FILE, Certificate, KEY_FILE};

/// Tries to start before giving up: another process may take the free port first.
const TRIES: usize = 5;

/// A running PostgreSQL. Dropping it ends the whole of it and removes its folder.
pub struct Postgres {
    process: Process,
    port: u16,
    folder: TempDir,
}

/// Returns the run's PostgreSQL, for tests that do not harm it.
///
/// It ends with the run: a static is never dropped, but the reaper knows it.
pub fn shared() -> MutexGuard<'static, Postgres> {
    static SHARED: OnceLock<Mutex<Postgres>> = OnceLock::new();
    lock(SHARED.get_or_init(|| Mutex::new(Postgres::start())))
}

impl Postgres {
    /// Starts one of the test's own, to be stopped and killed.
    pub fn start() -> Self {
        Self::start_in(tempfile::tempdir().expect("a folder for PostgreSQL"))
    }

    /// As [`Postgres::start`]; it takes TLS, with `certificate`, beside plain connections.
    pub fn start_with(certificate: &Certificate) -> Self {
        let folder = tempfile::tempdir().expect("a folder for PostgreSQL");
        certificate.write(folder.path());
        let key = folder.path().join(KEY_FILE);
        fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("a key of one's own");
        give_to_server(&key);
        Self::start_in(folder)
    }

    fn start_in(folder: TempDir) -> Self {
        remove_at_end(folder.path());
        give_to_server(folder.path());
        let mut initdb = server_command("initdb");
        initdb.arg("--pgdata").arg(data(&folder)).args(["--username", "anteroom"]);
        initdb.args(["--auth", "trust", "--no-sync", "--encoding", "UTF8", "--locale", "C"]);
        let made = initdb.output().expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        for _ in 0..TRIES {
            let port = free_port();
            if let Some(process) = launch(port, &folder) {
                return Self { process, port, folder };
            }
        }
        panic!("PostgreSQL did not start {TRIES} times\n{}", server_log(&folder));
    }

    /// Makes a fresh database and returns its URL.
    pub fn create_database(&self) -> String {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.query("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgres://anteroom@{}/{name}", self.address())
    }

    /// Returns `127.0.0.1:port`; it stays over restarts.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Runs SQL in a database and returns the rows, one a line, columns parted by `|`.
    #[track_caller]
    pub fn query(&self, database: &str, sql: &str) -> String {
        let answer = psql(self.port, database, sql);
        answer.unwrap_or_else(|error| panic!("{sql}: {error}\n{}", server_log(&self.folder)))
    }

    /// Stops every process of it: connections stay open and nothing answers.
    pub fn stop(&self) {
        self.signal_all(libc::SIGSTOP);
    }

    /// Lets it go on after [`Postgres::stop`].
    pub fn resume(&self) {
        self.signal_all(libc::SIGCONT);
    }

    /// Ends every process of it with SIGKILL.
    pub fn kill9(&mut self) {
        self.signal_all(libc::SIGKILL);
        self.process.kill();
    }

    /// Starts it again on the same port and data, after SIGKILL where it still runs.
    pub fn restart(&mut self) {
        self.kill9();
        // The next postmaster refuses to start while processes of the last one hold its memory.
        let started = (0..TRIES).find_map(|_| launch(self.port, &self.folder));
        self.process = started
            .unwrap_or_else(|| panic!("PostgreSQL stays down\n{}", server_log(&self.folder)));
    }

    fn signal_all(&self, signal: i32) {
        for id in family(self.process.id()) {
            send_signal(id, signal);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill9();
    }
}

fn launch(port: u16, folder: &TempDir) -> Option<Process> {
    let log = fs::File::options()
        .create(true)
        .append(true)
        .open(folder.path().join("server.log"))
        .expect("a log file");
    let mut command = server_command("postgres");
    command.arg("-D").arg(data(folder)).args(["-p", &port.to_string()]);
    // Nothing survives the run, so nothing waits for the disk.
    let settings = [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "fsync=off",
        "full_page_writes=off",
        "shared_buffers=32MB",
        "max_connections=300",
        "autovacuum=off",
    ];
    command.args(settings.iter().flat_map(|setting| ["-c", setting]));
    if folder.path().join(KEY_FILE).exists() {
        let file = |name: &str| folder.path().join(name).display().to_string();
        command.args(["-c", "ssl=on", "-c", &format!("ssl_cert_file={}", file(CERT_FILE))]);
        command.args(["-c", &format!("ssl_key_file={}", file(KEY_FILE))]);
    }
    let mut process = Process::start(command.stdout(Stdio::null()).stderr(log));
    let answers = deadline::poll(PATIENCE, || match process.ended() {
        Some(_) => Some(false),
        None => psql(port, "postgres", "SELECT 1").ok().map(|_| true),
    });
    (answers == Some(true) && process.ended().is_none()).then_some(process)
}

fn psql(port: u16, database: &str, sql: &str) -> Result<String, String> {
    let output = Command::new(program("psql", &folders(), "postgresql"))
        .args(["--no-psqlrc", "--no-password", "-qAt", "-h", "127.0.0.1", "-U", "anteroom"])
        .args(["-v", "ON_ERROR_STOP=1", "-p", &port.to_string(), "-d", database, "-c", sql])
        .env("PGCONNECT_TIMEOUT", "10")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A program of the server: under its own user where the run is root, which it refuses.
fn server_command(name: &str) -> Command {
    let mut command = Command::new(program(name, &folders(), "postgresql"));
    // The folder of the run may be closed to the server's user.
    command.current_dir("/").env("LC_ALL", "C").stdin(Stdio::null());
    if let Some((user, group)) = server_user() {
        command.uid(user).gid(group);
    }
    command
}

fn give_to_server(path: &Path) {
    if let Some((user, group)) = server_user() {
        chown(path, Some(user), Some(group)).expect("root may give things away");
    }
}

/// Returns the ids of the user `postgres` where the run is root.
fn server_user() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").expect("/proc").uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("/etc/passwd");
    let line = users.lines().find(|line| line.starts_with("postgres:"));
    let mut fields = line.map(|line| line.split(':').skip(2)).unwrap_or_else(|| {
        panic!("no user postgres: Debian's package postgresql makes it; scripts/test installs it")
    });
    let mut id = || fields.next().and_then(|id| id.parse().ok()).expect("a number in passwd");
    Some((id(), id()))
}

/// Where Debian keeps the server's programs, the newest version first.
fn folders() -> Vec<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    folders.sort();
    folders.reverse();
    folders
}

fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

fn server_log(folder: &TempDir) -> String {
    let path: &Path = folder.path();
    let log = fs::read_to_string(path.join("server.log")).unwrap_or_default();
    let lines: Vec<_> = log.lines().rev().take(30).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
