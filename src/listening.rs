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
    /// This program.
    Own,
    /// A service manager, which keeps it: what waits on it is answered by the next process.
    Manager,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "opened",
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
    fn new(listener: TcpListener, origin: Origin) -> std::io::Result<Self> {
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
        if given.api.is_none() {
            backlog::check(server.backlog);
        }
        let open = |given: Option<Socket>, key, address| match given {
            Some(socket) => Ok(socket),
            None => Socket::open(key, address, server.backlog),
        };
        Ok(Self {
            api: open(given.api, "server.listen", server.listen)?,
            operations: open(given.operations, "admin.listen", admin.listen)?,
        })
    }
}
