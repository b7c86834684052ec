//! Telling the service manager how far start and stop are (systemd's protocol, sd_notify(3)).

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Longest wait for a manager that does not read.
const WITHIN: Duration = Duration::from_secs(1);

/// The service manager, where there is one.
#[derive(Debug, Clone, Default)]
pub struct Supervisor {
    address: Option<SocketAddr>,
}

impl Supervisor {
    /// Knows the manager by `NOTIFY_SOCKET`: the path of a socket, or `@` and an abstract name.
    pub fn at(notify_socket: &str) -> Self {
        let address = match notify_socket.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name).ok(),
            None if notify_socket.starts_with('/') => SocketAddr::from_pathname(notify_socket).ok(),
            None => None,
        };
        Self { address }
    }

    /// Says that the gateway answers.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// Says that the gateway ends.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Says which process is the service from now on.
    pub fn main_process(&self, id: u32) {
        self.tell(&format!("MAINPID={id}"));
    }

    fn tell(&self, state: &str) {
        let Some(address) = &self.address else { return };
        let told = UnixDatagram::unbound().and_then(|socket| {
            socket.set_write_timeout(Some(WITHIN))?;
            socket.send_to_addr(state.as_bytes(), address)
        });
        if let Err(error) = told {
            tracing::warn!(%error, state, "the service manager (NOTIFY_SOCKET) could not be told");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_told_at_a_path_or_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("anteroom-test-{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        let at_path = UnixDatagram::bind(&path).unwrap();
        let at_name = UnixDatagram::bind_addr(&abstract_name).unwrap();
        for (text, socket) in [(path.to_str().unwrap(), at_path), (&format!("@{name}"), at_name)] {
            Supervisor::at(text).ready();
            Supervisor::at(text).stopping();
            let mut bytes = [0; 64];
            for expected in ["READY=1", "STOPPING=1"] {
                let length = socket.recv(&mut bytes).unwrap();
                assert_eq!(&bytes[..length], expected.as_bytes(), "{text}");
            }
        }
    }

    #[test]
    fn without_a_manager_nobody_is_told() {
        for text in ["", "vsock:2:9999", "relative", "/nowhere/at/all"] {
            Supervisor::at(text).ready();
        }
    }
}
