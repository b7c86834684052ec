//! What whoever started the program has given it, beside settings.

use std::ffi::OsString;
use std::net::SocketAddr;

use serde_json::Value;

use super::sources::{Source, Sources};
use super::tree::{KeyPath, put};

/// The variable with the id of the process that this one is to take over from.
pub const PREDECESSOR: &str = "ANTEROOM_PREDECESSOR";

/// What the environment and the command line tell this process of the one that started it; empty where
/// they do not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// `LISTEN_FDNAMES`: names of the sockets that systemd passes, with colons between.
    pub socket_names: String,
    /// `NOTIFY_SOCKET`: where systemd is told of start and stop.
    pub notify_socket: String,
    /// [`PREDECESSOR`].
    pub predecessor: String,
    /// Program and arguments, as this process was started.
    pub command: Vec<OsString>,
}

/// Addresses of listeners that a service manager has opened: they hold over the settings, so that what
/// the settings allow at an address is asked of the real one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Taken {
    /// Of the API.
    pub api: Option<SocketAddr>,
    /// Of the operations listener.
    pub operations: Option<SocketAddr>,
}

impl Taken {
    /// Lays the addresses over `tree`.
    pub(super) fn lay(self, tree: &mut Value, sources: &mut Sources) {
        for (section, address) in [("server", self.api), ("admin", self.operations)] {
            let Some(address) = address else { continue };
            let path = KeyPath::of_names([section, "listen"]);
            sources.set(&path.to_string(), Source::Socket);
            put(tree, &path, Value::String(address.to_string()));
        }
    }
}
