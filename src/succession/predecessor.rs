//! The process whose sockets this one has taken.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Pid, getppid};
use rustix::stdio::{dup2_stdin, stdin};

use super::channel;
use crate::listening::Socket;

/// The least number of a file that is not standard input, output or error.
const FIRST_FREE: i32 = 3;

/// The process before this one, which waits to hear that this one answers.
#[derive(Debug)]
pub struct Predecessor {
    id: Pid,
    channel: UnixStream,
}

impl Predecessor {
    /// Takes the sockets of the process `id`, where that is the one that started this one. The variable
    /// that tells of it is also seen by processes further down, for which it is not meant.
    ///
    /// # Errors
    ///
    /// When standard input is not the channel that it should be.
    pub fn take(id: &str) -> io::Result<Option<(Self, [Socket; 2])>> {
        let named = id.parse().ok().and_then(Pid::from_raw);
        let Some(id) = named.filter(|id| getppid() == Some(*id)) else { return Ok(None) };
        let channel = fcntl_dupfd_cloexec(stdin(), FIRST_FREE)?;
        dup2_stdin(File::open("/dev/null")?)?;
        let sockets = channel::receive(&channel)?;
        Ok(Some((Self { id, channel: UnixStream::from(channel) }, sockets)))
    }

    /// Says that this process answers: the other one may go.
    ///
    /// # Errors
    ///
    /// When it has gone already.
    pub fn may_go(&mut self) -> io::Result<()> {
        self.channel.write_all(b"\n")
    }

    /// Returns whether it is still there, and may answer on the same sockets.
    pub fn is_there(&self) -> bool {
        getppid() == Some(self.id)
    }
}
