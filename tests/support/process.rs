//! Processes that the tests start, and that never outlive them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::deadline;

/// A process. Dropping it kills it by its id and waits for its end.
pub struct Process {
    id: u32,
    /// `None` where a process of the test run has started it, and left it.
    child: Option<Child>,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`; it ends with the test run even where no `Drop` runs.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// As [`Process::start`], with something on its standard input.
    pub fn start_with(command: &mut Command, stdin: Stdio) -> Self {
        let child = command
            .stdin(stdin)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        reaper(&format!("add {}", child.id()));
        Self { id: child.id(), child: Some(child), ended: None }
    }

    /// Takes charge of a process that one of the test run has started; its status is not known.
    pub fn adopt(id: u32) -> Self {
        reaper(&format!("add {id}"));
        Self { id, child: None, ended: None }
    }

    /// Returns the child, to take its pipes.
    pub fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("a child of this process")
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Returns the status if the process has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = match &mut self.child {
                Some(child) => child.try_wait().expect("a child of this process"),
                None => (!is_alive(self.id)).then(ExitStatus::default),
            };
            if self.ended.is_some() {
                reaper(&format!("remove {}", self.id));
            }
        }
        self.ended
    }

    /// Sends a signal, unless the process has ended.
    pub fn signal(&mut self, signal: i32) {
        if self.ended().is_none() {
            send_signal(self.id, signal);
        }
    }

    /// Waits for the end, for at most `wait`.
    pub fn wait(&mut self, wait: Duration) -> Option<ExitStatus> {
        deadline::poll(wait, || self.ended())
    }

    /// Ends the process at once and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        self.wait(deadline::PATIENCE);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Tells whether a process is there, and more than an entry that nobody has asked for.
pub fn is_alive(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Sends `signal` to one process; that it is gone is no error.
pub fn send_signal(id: u32, signal: i32) {
    let id = libc::pid_t::try_from(id).expect("a process id");
    assert!(id > 1, "never a group, never init");
    #[expect(unsafe_code, reason = "std sends SIGKILL only; kill(2) takes two numbers")]
    unsafe {
        libc::kill(id, signal);
    }
}

/// Returns the ids of a process and all that descend from it.
pub fn family(id: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let name = entry.file_name();
        let Some(child) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name in parentheses may hold spaces; state and parent come after it.
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let parent = after_name.split_whitespace().nth(1).and_then(|text| text.parse().ok());
        parents.push((child, parent.unwrap_or(0)));
    }
    let mut found = vec![id];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(parents.iter().filter(|pair| pair.1 == parent).map(|pair| pair.0));
        next += 1;
    }
    found
}

/// Returns the resident memory of a process in bytes.
pub fn rss_bytes(id: u32) -> u64 {
    status_bytes(id, "VmRSS:")
}

/// Returns the most resident memory that a process has ever had, in bytes.
pub fn peak_bytes(id: u32) -> u64 {
    status_bytes(id, "VmHWM:")
}

fn status_bytes(id: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a running process");
    let line = status.lines().find(|line| line.starts_with(name)).expect("its line");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("KiB");
    kib * 1024
}

/// Finds a program in `PATH` and in `folders`, or panics with the Debian package that has it.
pub fn program(name: &str, folders: &[PathBuf], package: &str) -> PathBuf {
    let path = variable("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(folders.iter().cloned())
        .map(|folder| folder.join(name))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is missing: it is in Debian's package {package}; scripts/test installs it")
    })
}

/// Reads a variable of the run's environment.
#[expect(clippy::disallowed_methods, reason = "the run is steered by its environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Locks, also after a test panicked while it held the lock: others still need to clean up.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has `folder` removed when the test run ends.
pub fn remove_at_end(folder: &Path) {
    reaper(&format!("folder {}", folder.display()));
}

/// Tells the reaper: a shell that outlives the test run by a moment, also a killed one, and ends
/// what the run has left. It learns of the run's end by the end of its input.
fn reaper(line: &str) {
    static REAPER: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    const SCRIPT: &str = r#"
        trap '' INT TERM HUP
        ids=' ' folders=''
        while read -r word rest; do
            case $word in
                add) ids="$ids$rest " ;;
                remove) ids="${ids%% $rest *} ${ids#* $rest }" ;;
                folder) folders="$folders$rest
" ;;
            esac
        done
        # PostgreSQL takes its children along on QUIT.
        for id in $ids; do kill -CONT "$id"; kill -QUIT "$id"; done 2>/dev/null
        [ -z "${ids# }" ] || sleep 0.3
        for id in $ids; do kill -KILL "$id"; done 2>/dev/null
        printf '%s' "$folders" | while IFS= read -r folder; do rm -rf -- "$folder"; done
    "#;
    #[expect(clippy::zombie_processes, reason = "it outlives this process; init waits for it")]
    let input = REAPER.get_or_init(|| {
        let mut shell = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        Mutex::new(shell.stdin.take().expect("a pipe"))
    });
    writeln!(lock(input), "{line}").expect("the reaper lives as long as the run");
}
