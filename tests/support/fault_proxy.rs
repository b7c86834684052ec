//! A TCP proxy that breaks on command.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::deadline::pause;
use super::listener::Listener;
use super::process::lock;

/// What the proxy does. It can be switched while connections are open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Passes everything on.
    Pass,
    /// Refuses new connections and cuts the open ones.
    Refuse,
    /// Packets vanish: open connections freeze until the mode changes; new ones are accepted,
    /// swallow what they are sent, and are cut once the mode changes.
    Blackhole,
    /// Passes requests on and holds the replies back; they come late, when the mode changes.
    NoReply,
    /// Holds each piece of a reply back for this long.
    Delay(Duration),
    /// Passes replies on at this many bytes a second.
    Slow(u32),
    /// Flips the byte at this place of each piece of a reply, where the piece is that long.
    Corrupt(usize),
    /// Cuts the open connections, and new ones at their first byte.
    Cut,
    /// Answers everything with these bytes and passes nothing on.
    Inject(Vec<u8>),
}

/// The proxy. Dropping it closes its port and its connections.
pub struct FaultProxy {
    listener: Listener,
    state: Arc<State>,
}

struct State {
    target: SocketAddr,
    control: Mutex<Control>,
    switched: Condvar,
}

struct Control {
    mode: Mode,
    num_accepted: usize,
    sockets: Vec<TcpStream>,
}

impl FaultProxy {
    /// Starts one in front of `host:port`, in [`Mode::Pass`].
    pub fn to(target: &str) -> Self {
        let target = target.parse().expect("host:port");
        let control = Control { mode: Mode::Pass, num_accepted: 0, sockets: Vec::new() };
        let control = Mutex::new(control);
        let state = Arc::new(State { target, control, switched: Condvar::new() });
        let accepting = state.clone();
        Self { listener: Listener::open(move |client| accepting.clone().serve(client)), state }
    }

    /// Returns `127.0.0.1:port`.
    pub fn address(&self) -> String {
        self.listener.address().to_string()
    }

    /// Switches.
    pub fn set(&mut self, mode: Mode) {
        let is_refusing = mode == Mode::Refuse;
        let is_cutting = is_refusing || mode == Mode::Cut;
        if is_refusing {
            self.listener.close();
        }
        let mut control = lock(&self.state.control);
        control.mode = mode;
        if is_cutting {
            cut(&mut control.sockets);
        }
        drop(control);
        self.state.switched.notify_all();
        if !is_refusing {
            self.listener.reopen();
        }
    }

    /// Returns how many connections were accepted so far.
    pub fn num_accepted(&self) -> usize {
        lock(&self.state.control).num_accepted
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.set(Mode::Refuse);
    }
}

impl State {
    fn serve(self: Arc<Self>, client: TcpStream) {
        let Ok(kept) = client.try_clone() else { return };
        let mut control = lock(&self.control);
        control.num_accepted += 1;
        // Connections that have ended have no peer; kept, they would use up the open files.
        control.sockets.retain(|socket| socket.peer_addr().is_ok());
        control.sockets.push(kept);
        let is_blackhole = control.mode == Mode::Blackhole;
        drop(control);
        if is_blackhole {
            let swallowing = client.try_clone();
            std::thread::spawn(move || {
                let _ = swallowing.map(|mut from| std::io::copy(&mut from, &mut std::io::sink()));
            });
            self.wait_while(|mode| *mode == Mode::Blackhole);
            let _ = client.shutdown(Shutdown::Both);
            return;
        }
        let Ok(server) = TcpStream::connect(self.target) else {
            let _ = client.shutdown(Shutdown::Both);
            return;
        };
        let _ = server.set_nodelay(true);
        let clones = (client.try_clone(), server.try_clone(), server.try_clone());
        let (Ok(to_client), Ok(from_server), Ok(kept)) = clones else { return };
        lock(&self.control).sockets.push(kept);
        let requests = self.clone();
        std::thread::spawn(move || requests.pass_requests(client, server));
        self.pass_replies(from_server, to_client);
    }

    fn pass_requests(&self, mut client: TcpStream, mut server: TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        while let Some(length) = read(&mut client, &mut buffer) {
            let mode = self.wait_while(|mode| *mode == Mode::Blackhole);
            let passed = match mode {
                Mode::Inject(bytes) => client.write_all(&bytes),
                Mode::Cut | Mode::Refuse => break,
                _ => server.write_all(&buffer[..length]),
            };
            if passed.is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Read);
        let _ = server.shutdown(Shutdown::Write);
    }

    fn pass_replies(&self, mut server: TcpStream, mut client: TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        while let Some(length) = read(&mut server, &mut buffer) {
            let piece = &mut buffer[..length];
            let held = |mode: &Mode| matches!(mode, Mode::Blackhole | Mode::NoReply);
            let passed = match self.wait_while(held) {
                Mode::Cut | Mode::Refuse => break,
                Mode::Inject(_) => Ok(()),
                Mode::Delay(length) => {
                    pause(length);
                    client.write_all(piece)
                }
                Mode::Slow(bytes_per_second) => drip(&mut client, piece, bytes_per_second),
                Mode::Corrupt(place) => {
                    if let Some(byte) = piece.get_mut(place) {
                        *byte ^= 0x55;
                    }
                    client.write_all(piece)
                }
                Mode::Pass | Mode::Blackhole | Mode::NoReply => client.write_all(piece),
            };
            if passed.is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    }

    /// Waits while the mode is one that holds; returns the mode that does not.
    fn wait_while(&self, holds: impl Fn(&Mode) -> bool) -> Mode {
        let mut control = lock(&self.control);
        while holds(&control.mode) {
            let woken = self.switched.wait(control);
            control = woken.unwrap_or_else(PoisonError::into_inner);
        }
        control.mode.clone()
    }
}

fn read(from: &mut TcpStream, buffer: &mut [u8]) -> Option<usize> {
    from.read(buffer).ok().filter(|length| *length > 0)
}

fn drip(to: &mut TcpStream, bytes: &[u8], bytes_per_second: u32) -> std::io::Result<()> {
    let each = Duration::from_secs(1) / bytes_per_second.max(1);
    for byte in bytes {
        pause(each);
        to.write_all(std::slice::from_ref(byte))?;
    }
    Ok(())
}

fn cut(sockets: &mut Vec<TcpStream>) {
    for socket in sockets.drain(..) {
        let _ = socket.shutdown(Shutdown::Both);
    }
}
