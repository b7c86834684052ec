//! The process that is to take over.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncReadExt as _;

use super::channel;
use crate::listening::Socket;
use crate::settings::PREDECESSOR;

/// Longest wait until it answers. A start waits for actors, purges and the hottest answers, each for
/// some seconds and the last for at most a minute.
const ANSWERS_WITHIN: Duration = Duration::from_secs(90);

/// Longest wait until one that was told to end has ended; then it is killed.
const ENDS_WITHIN: Duration = Duration::from_secs(10);

/// Pause between two looks whether it has.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What is for one process alone: the next one has its sockets from this one.
const NOT_FOR_IT: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// Why another process does not take over.
#[derive(Debug, thiserror::Error)]
pub enum SuccessorError {
    /// The end of this process would end all others.
    #[error("this is the first process of its container, which would end with it")]
    First,
    /// It is not known how this process was started.
    #[error("the command of this process is not known")]
    NoCommand,
    /// It cannot be started.
    #[error("failed to start {program}: {source}")]
    Start {
        /// What was to be started.
        program: String,
        /// The system's words.
        source: io::Error,
    },
    /// The sockets cannot be passed.
    #[error("failed to pass the sockets: {0}")]
    Pass(#[source] io::Error),
    /// It has ended; its own words stand in the log before.
    #[error("the new process ended before it answered")]
    Ended,
    /// It does not come to answer.
    #[error("the new process does not answer after {0:?}")]
    Late(Duration),
}

impl SuccessorError {
    /// Returns a name for the kind of error.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::First => "first_process",
            Self::NoCommand => "no_command",
            Self::Start { .. } => "start",
            Self::Pass(_) => "pass",
            Self::Ended => "ended",
            Self::Late(_) => "late",
        }
    }
}

/// A process that was started to take over.
#[derive(Debug)]
pub struct Successor {
    child: Child,
    channel: tokio::net::UnixStream,
}

impl Successor {
    /// Starts `command` (program and arguments, as this process was) with the API's and the operations
    /// listener's socket.
    ///
    /// # Errors
    ///
    /// [`SuccessorError`]; then there is no other process.
    pub fn start(command: &[OsString], sockets: [&Socket; 2]) -> Result<Self, SuccessorError> {
        let own_id = std::process::id();
        if own_id == 1 {
            return Err(SuccessorError::First);
        }
        let (program, arguments) = command.split_first().ok_or(SuccessorError::NoCommand)?;
        let (ours, theirs) = UnixStream::pair().map_err(SuccessorError::Pass)?;
        channel::send(&ours, sockets).map_err(SuccessorError::Pass)?;
        ours.set_nonblocking(true).map_err(SuccessorError::Pass)?;
        let channel = tokio::net::UnixStream::from_std(ours).map_err(SuccessorError::Pass)?;
        let mut starting = Command::new(program);
        starting.args(arguments).env(PREDECESSOR, own_id.to_string());
        for name in NOT_FOR_IT {
            starting.env_remove(name);
        }
        let child = starting.stdin(OwnedFd::from(theirs)).spawn().map_err(|source| {
            SuccessorError::Start { program: program.display().to_string(), source }
        })?;
        Ok(Self { child, channel })
    }

    /// Returns its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it answers.
    ///
    /// # Errors
    ///
    /// When it has ended, or takes too long.
    pub async fn answers(&mut self) -> Result<(), SuccessorError> {
        let mut said = [0];
        match tokio::time::timeout(ANSWERS_WITHIN, self.channel.read_exact(&mut said)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(SuccessorError::Ended),
            Err(_) => Err(SuccessorError::Late(ANSWERS_WITHIN)),
        }
    }

    /// Has it end: what it may have begun to answer it finishes, for some seconds.
    pub async fn end(mut self) {
        // It was not waited for: the number is still its own.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let ended = async {
            while matches!(self.child.try_wait(), Ok(None)) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        if tokio::time::timeout(ENDS_WITHIN, ended).await.is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
