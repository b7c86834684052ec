//! A service manager that is told of start and stop, as systemd is (sd_notify(3)).

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use tempfile::TempDir;

use super::deadline::PATIENCE;

/// The manager's side.
pub struct Manager {
    socket: UnixDatagram,
    folder: TempDir,
}

impl Manager {
    /// Begins to listen.
    pub fn listen() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let socket = UnixDatagram::bind(folder.path().join("notify")).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        Self { socket, folder }
    }

    /// Returns what `NOTIFY_SOCKET` has to say.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// Returns the next thing it is told.
    #[track_caller]
    pub fn told(&self) -> String {
        let mut bytes = [0; 256];
        let length = self.socket.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }
}
