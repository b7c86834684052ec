//! Started by a service manager, which opens the sockets and is told of start and stop.

use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;

use crate::support::client::{Connection, Request};
use crate::support::gateway::{Builder, Gateway, chat, prompt};
use crate::support::manager::Manager;
use crate::support::provider::Provider;

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

fn address(socket: &TcpListener) -> String {
    socket.local_addr().expect("an address").to_string()
}

/// Starts a gateway with these sockets, as long as they are kept here, too.
fn with(api: &TcpListener, operations: &TcpListener) -> Builder {
    let clone = |socket: &TcpListener| socket.try_clone().expect("another handle");
    Gateway::patient().inherit(clone(api), clone(operations))
}

#[test]
fn it_answers_on_sockets_that_are_open_already() {
    let provider = Provider::start();
    let (api, operations) = (listener(), listener());
    let gateway = with(&operations, &api)
        .env("LISTEN_FDNAMES", "operations:api")
        .env("ANTEROOM_LISTEN", "127.0.0.1:1")
        .upstream(&provider)
        .start();
    assert_eq!(gateway.api(), address(&api));
    assert_eq!(gateway.operations(), address(&operations));
    assert!(gateway.log().contains("socket=inherited"), "{}", gateway.log());
    gateway.chat(prompt("a")).expect_status(200);
    let settings = gateway.operate(&Request::get("/api/v1/config")).expect_status(200).json();
    assert_eq!(settings["settings"]["server"]["listen"], address(&api), "{settings:#}");
    let reload = Request::post("/api/v1/config/reload", "{}");
    let reloaded = gateway.operate(&reload).expect_status(200).json();
    assert_eq!(reloaded["outcome"], "unchanged", "{reloaded:#}");
}

/// `systemctl restart` loses nothing: the manager keeps the sockets.
#[test]
fn what_comes_between_two_processes_is_answered_by_the_second() {
    let provider = Provider::start();
    let (api, operations) = (listener(), listener());
    let mut first = with(&api, &operations).upstream(&provider).start();
    first.chat(prompt("a")).expect_status(200);
    assert!(first.terminate().success(), "{}", first.log());
    let mut waiting = Connection::open(&address(&api));
    let asked = chat(prompt("b"));
    waiting.ask(&asked).expect("the system holds it");
    let second = with(&api, &operations).upstream(&provider).start();
    waiting.answer(&asked).expect("an answer").expect_status(200);
    assert_eq!(second.api(), first.api());
}

#[test]
fn what_cannot_be_used_is_refused_with_its_place() {
    let fails = |first: OwnedFd, second: OwnedFd, env: &[(&str, &str)]| {
        let mut builder = Gateway::builder().inherit(first, second);
        for (name, value) in env {
            builder = builder.env(name, value);
        }
        builder.try_start().err().expect("it does not start")
    };
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let told = fails(listener().into(), udp.into(), &[]);
    assert!(told.contains("socket 2 (operations) cannot be used"), "{told}");
    let open = listener();
    let connected = TcpStream::connect(open.local_addr().expect("an address")).expect("connected");
    let told = fails(connected.into(), open.into(), &[]);
    assert!(told.contains("socket 1 (api)") && told.contains("does not listen"), "{told}");
    let null = std::fs::File::open("/dev/null").expect("a file");
    let told = fails(null.into(), listener().into(), &[]);
    assert!(told.contains("socket 1 (api)") && told.contains("not a socket"), "{told}");
    let names = [("LISTEN_FDNAMES", "api:metrics")];
    let told = fails(listener().into(), listener().into(), &names);
    assert!(told.contains("socket 2 (metrics) has no use"), "{told}");
}

/// The rule about loopback is about where a socket really is.
#[test]
fn an_open_socket_is_held_to_the_rules_of_its_own_address() {
    let wide = TcpListener::bind("0.0.0.0:0").expect("a free port");
    let narrow = listener();
    let builder = with(&narrow, &wide).env("ANTEROOM_ADMIN_LISTEN", "127.0.0.1:0");
    let told = builder.try_start().err().expect("it does not start");
    assert!(told.contains("admin.listen") && told.contains("from the inherited socket"), "{told}");
    let token = with(&narrow, &wide).env("ANTEROOM__ADMIN__TOKEN", "a-token-of-some-length");
    token.start();
}

#[test]
fn the_service_manager_is_told_of_start_and_stop() {
    let manager = Manager::listen();
    let mut gateway = Gateway::builder().env("NOTIFY_SOCKET", manager.path().display()).start();
    assert_eq!(manager.told(), "READY=1");
    gateway.send(&Request::get("/health/ready")).expect_status(200);
    gateway.terminate();
    assert_eq!(manager.told(), "STOPPING=1");
}
