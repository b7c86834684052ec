//! A listening socket that can be closed and opened again on the same port.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::JoinHandle;

/// Accepts connections on a thread of its own until it is closed.
pub struct Listener {
    address: SocketAddr,
    accepting: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
    accept: Arc<dyn Fn(TcpStream) + Send + Sync>,
}

impl Listener {
    /// Opens a free port; `accept` is called for each connection, each on its own thread.
    pub fn open(accept: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let socket = bind_free();
        let address = socket.local_addr().expect("a bound socket has an address");
        let mut listener = Self { address, accepting: None, accept: Arc::new(accept) };
        listener.run(socket);
        listener
    }

    /// Returns `127.0.0.1:port`; it stays the same for the listener's life.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port: new connections are refused. Accepted ones are not touched.
    pub fn close(&mut self) {
        let Some((stopping, thread)) = self.accepting.take() else { return };
        stopping.store(true, Ordering::SeqCst);
        // Wakes the blocking accept.
        let _ = TcpStream::connect(self.address);
        let _ = thread.join();
    }

    /// Opens the same port again.
    pub fn reopen(&mut self) {
        if self.accepting.is_none() {
            let socket = TcpListener::bind(self.address)
                .unwrap_or_else(|error| panic!("cannot listen on {} again: {error}", self.address));
            self.run(socket);
        }
    }

    fn run(&mut self, socket: TcpListener) {
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, accept) = (stopping.clone(), self.accept.clone());
        let thread = std::thread::spawn(move || {
            for stream in socket.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(stream) = stream else { continue };
                let _ = stream.set_nodelay(true);
                let accept = accept.clone();
                std::thread::spawn(move || accept(stream));
            }
        });
        self.accepting = Some((stopping, thread));
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

/// Binds a free loopback port below the range the system gives to outgoing connections, so that
/// a port that is closed for a while is still free when it is opened again.
pub fn bind_free() -> TcpListener {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let offset = (std::process::id().wrapping_mul(97) + step) % COUNT;
        let port = u16::try_from(FIRST + offset).expect("below 32,000");
        if let Ok(socket) = TcpListener::bind(("127.0.0.1", port)) {
            return socket;
        }
    }
    panic!("no free loopback port from {FIRST} to {}", FIRST + COUNT);
}

/// Returns a port that was free a moment ago, for a server that binds it itself.
pub fn free_port() -> u16 {
    bind_free().local_addr().expect("a bound socket has an address").port()
}
