//! The sockets that listen: opened here, or inherited from whoever started the program.

mod activation;
mod backlog;

use std::fmt;
use std::net::{SocketAddr, TcpListener};

pub use self::activation::GivenError;
use crate::settings::{Settings, Taken, Told};

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on {address} ({key}): {source}")]
pub struct ListenError {
    /// Which key of the settings names it.
    pub key: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// The system's words.
    pub source: std::io::Error,
}

/// Who opened a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This process.
    Own,
    /// The process that this one takes over from, or one before it.
    Predecessor,
    /// A service manager, which keeps it: what waits on it is answered by the next process.
    Manager,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "opened",
            Self::Predecessor => "taken over",
            Self::Manager => "inherited",
        })
    }
}

/// A socket that listens.
#[derive(Debug)]
pub struct Socket {
    listener: TcpListener,
    /// Where it listens.
    pub address: SocketAddr,
    /// Who opened it.
    pub origin: Origin,
}

impl Socket {
    /// Knows an open socket.
    ///
    /// # Errors
    ///
    /// When the system does not know its address.
    pub fn new(listener: TcpListener, origin: Origin) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self { listener, address, origin })
    }

    fn open(key: &'static str, address: SocketAddr, backlog: u16) -> Result<Self, ListenError> {
        let opened = TcpListener::bind(address).and_then(|listener| {
            backlog::set(&listener, backlog)?;
            Self::new(listener, Origin::Own)
        });
        opened.map_err(|source| ListenError { key, address, source })
    }

    /// Tells whether a socket that is there already can be the one at `wanted`. Where a service manager
    /// wants it stands above the settings; a process before this one may have had others.
    fn is_for(&self, wanted: SocketAddr) -> bool {
        let is_there = self.address.ip() == wanted.ip()
            && (wanted.port() == 0 || self.address.port() == wanted.port());
        self.origin == Origin::Manager || is_there
    }

    /// Returns another handle of the same socket.
    ///
    /// # Errors
    ///
    /// When the system has no file left.
    pub fn listener(&self) -> std::io::Result<TcpListener> {
        self.listener.try_clone()
    }
}

/// Sockets that were there before this process.
#[derive(Debug, Default)]
pub struct Given {
    api: Option<Socket>,
    operations: Option<Socket>,
}

impl Given {
    /// Takes what was passed to this process. Before it opens any file: the numbers of those passed are
    /// fixed.
    ///
    /// # Errors
    ///
    /// [`GivenError`], when a socket has no use or cannot be used.
    pub fn take(told: &Told) -> Result<Self, GivenError> {
        activation::take(&told.socket_names)
    }

    /// Knows those of the process before this one: the API's and the operations listener's.
    pub fn of_predecessor(sockets: [Socket; 2]) -> Self {
        let [api, operations] = sockets.map(Some);
        Self { api, operations }
    }

    /// Returns the addresses that hold over the settings.
    pub fn taken(&self) -> Taken {
        let address = |socket: &Option<Socket>| {
            let socket = socket.as_ref();
            socket.filter(|socket| socket.origin == Origin::Manager).map(|socket| socket.address)
        };
        Taken { api: address(&self.api), operations: address(&self.operations) }
    }
}

/// The listeners' sockets, open and not yet answered.
#[derive(Debug)]
pub struct Listeners {
    /// The API's.
    pub api: Socket,
    /// The operations listener's.
    pub operations: Socket,
}

impl Listeners {
    /// Opens what is not `given`; port 0 picks a free one.
    ///
    /// # Errors
    ///
    /// [`ListenError`] naming the key and the address.
    pub fn open(settings: &Settings, given: Given) -> Result<Self, ListenError> {
        let (server, admin) = (&settings.server, &settings.admin);
        let open = |given: Option<Socket>, key, address| {
            let Some(socket) = given.filter(|given| given.is_for(address)) else {
                return Socket::open(key, address, server.backlog);
            };
            if socket.origin == Origin::Predecessor {
                let set = backlog::set(&socket.listener, server.backlog);
                set.map_err(|source| ListenError { key, address, source })?;
            }
            Ok(socket)
        };
        let opened = Self {
            api: open(given.api, "server.listen", server.listen)?,
            operations: open(given.operations, "admin.listen", admin.listen)?,
        };
        if opened.api.origin != Origin::Manager {
            backlog::check(server.backlog);
        }
        Ok(opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_serves_where_it_is_wanted() {
        for (origin, has, wanted, expected) in [
            (Origin::Predecessor, "127.0.0.1:80", "127.0.0.1:80", true),
            (Origin::Predecessor, "127.0.0.1:80", "127.0.0.1:0", true),
            (Origin::Predecessor, "127.0.0.1:80", "127.0.0.1:81", false),
            (Origin::Predecessor, "127.0.0.1:80", "0.0.0.0:80", false),
            (Origin::Predecessor, "[::1]:80", "[::1]:80", true),
            (Origin::Manager, "127.0.0.1:80", "0.0.0.0:81", true),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let socket = Socket { listener, address: has.parse().unwrap(), origin };
            assert_eq!(socket.is_for(wanted.parse().unwrap()), expected, "{has} {wanted}");
        }
    }

    /// What the file says of the addresses may have changed between two processes.
    #[test]
    fn a_socket_of_the_process_before_is_left_where_another_is_wanted() {
        let given = || {
            let socket = || TcpListener::bind("127.0.0.1:0").unwrap();
            let sockets = [socket(), socket()];
            sockets.map(|socket| Socket::new(socket, Origin::Predecessor).unwrap())
        };
        let mut settings = Settings::default();
        settings.server.listen.set_port(0);
        let sockets = given();
        let address = sockets.each_ref().map(|socket| socket.address);
        settings.admin.listen = address[1];
        let opened = Listeners::open(&settings, Given::of_predecessor(sockets)).unwrap();
        assert_eq!([opened.api.address, opened.operations.address], address);
        settings.admin.listen = "[::1]:0".parse().unwrap();
        let opened = Listeners::open(&settings, Given::of_predecessor(given())).unwrap();
        assert_eq!(opened.api.origin, Origin::Predecessor);
        assert_eq!(opened.operations.origin, Origin::Own);
    }
}
