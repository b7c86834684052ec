//! The fault proxy, mode by mode, in front of the provider.

use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::support::client::{Connection, Request};
use crate::support::fault_proxy::{FaultProxy, Mode};
use crate::support::provider::Provider;

const SHORT: Duration = Duration::from_millis(200);

fn pair() -> (Provider, FaultProxy) {
    let provider = Provider::start();
    let proxy = FaultProxy::to(&provider.address());
    (provider, proxy)
}

fn get(proxy: &FaultProxy) -> io::Result<u16> {
    Request::get("/v1/models").try_open(&proxy.address()).map(|incoming| incoming.response().status)
}

fn wait_in_vain(connection: &mut Connection) {
    let answer = connection.answer(&Request::get("/"));
    let kind = answer.err().map(|error| error.kind());
    assert_eq!(kind, Some(ErrorKind::WouldBlock));
}

const CALL: &[u8] = b"GET /v1/models HTTP/1.1\r\n\r\n";

#[test]
fn refuse_and_cut_end_open_connections() {
    let (provider, mut proxy) = pair();
    for (mode, kinds) in [
        (Mode::Refuse, vec![ErrorKind::ConnectionRefused]),
        (Mode::Cut, vec![ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset]),
    ] {
        let mut open = Connection::open(&proxy.address());
        open.send(&Request::get("/v1/models")).expect_status(200);
        proxy.set(mode.clone());
        assert!(open.write(CALL).and_then(|()| open.answer(&Request::get("/"))).is_err());
        let kind = get(&proxy).expect_err("no answer").kind();
        assert!(kinds.contains(&kind), "{mode:?}: {kind:?}");
        proxy.set(Mode::Pass);
        assert_eq!(get(&proxy).expect("it is back"), 200);
    }
    assert_eq!(provider.num_calls(), 4);
}

#[test]
fn a_black_hole_freezes_what_is_open_and_swallows_what_is_new() {
    let (provider, mut proxy) = pair();
    let mut open = Connection::open(&proxy.address()).read_timeout(SHORT);
    open.send(&Request::get("/v1/models")).expect_status(200);
    proxy.set(Mode::Blackhole);
    let mut new = Connection::open(&proxy.address()).read_timeout(SHORT);
    for connection in [&mut open, &mut new] {
        connection.write(CALL).expect("it looks open");
        wait_in_vain(connection);
    }
    assert_eq!(provider.num_calls(), 1);
    proxy.set(Mode::Pass);
    provider.wait_for_calls(2);
    assert!(open.answer(&Request::get("/")).is_ok(), "the frozen call went on");
    assert!(new.answer(&Request::get("/")).is_err(), "the swallowed one did not");
}

#[test]
fn replies_that_were_held_back_come_late() {
    let (provider, mut proxy) = pair();
    proxy.set(Mode::NoReply);
    let mut connection = Connection::open(&proxy.address()).read_timeout(SHORT);
    connection.write(CALL).expect("it looks open");
    provider.wait_for_calls(1);
    wait_in_vain(&mut connection);
    proxy.set(Mode::Pass);
    assert_eq!(connection.answer(&Request::get("/")).expect("late").status, 200);
}

#[test]
fn slow_modes_bring_whole_answers() {
    let (_provider, mut proxy) = pair();
    for mode in [Mode::Delay(Duration::from_millis(20)), Mode::Slow(20_000)] {
        proxy.set(mode);
        assert_eq!(get(&proxy).expect("a slow answer"), 200);
    }
}

#[test]
fn a_corrupted_reply_differs_in_one_byte() {
    let (_provider, mut proxy) = pair();
    let right = Request::get("/v1/models").send(&proxy.address());
    proxy.set(Mode::Corrupt(9));
    // Byte 9 is the first digit of the status.
    let wrong = get(&proxy).expect_err("no status").to_string();
    assert!(wrong.contains("not a status line"), "{wrong}");
    assert_eq!(right.status, 200);
}

#[test]
fn injected_bytes_answer_in_place_of_the_target() {
    let (provider, mut proxy) = pair();
    proxy.set(Mode::Inject(b"HTTP/1.1 204 Loading\r\n\r\n".to_vec()));
    assert_eq!(get(&proxy).expect("the injected answer"), 204);
    assert_eq!(provider.num_calls(), 0);
    assert_eq!(proxy.num_accepted(), 1);
}
