//! One process takes over from another while requests run: none fails.

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::load;
use crate::support::client::{Connection, Request, Response};
use crate::support::deadline::{self, PATIENCE};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::manager::Manager;
use crate::support::process::{Process, variable};
use crate::support::provider::{Call, Fault, Gate, Provider, Reply};

/// A provider whose streams wait at `gate` before each event.
fn gated(gate: &Gate) -> Provider {
    let gate = gate.clone();
    Provider::scripted(move |call: &Call| match call.text().contains("\"stream\"") {
        true => Reply::events(load::EVENTS).gated(&gate),
        false => load::echo_of(call).into(),
    })
}

/// Asks again and again until it is `over`: new things and old ones in turn, each on a connection of its
/// own, or on one for as long as the answers let it open.
fn ask(api: &str, name: &str, keeps: bool, over: &AtomicBool, answered: &AtomicUsize) {
    let mut kept = None;
    for number in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let said = format!("{name}-{}", if number % 3 == 0 { number } else { number % 3 });
        let request = load::new(&said);
        let response = if keeps {
            let connection = kept.get_or_insert_with(|| Connection::open(api));
            connection.send(&request)
        } else {
            request.send(api)
        };
        load::expect_echo(&response, &format!("new {said};"));
        if closes(&response) {
            kept = None;
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

fn closes(response: &Response) -> bool {
    response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
}

#[test]
fn no_request_fails_while_processes_take_over_one_after_another() {
    let gate = Gate::closed();
    let provider = gated(&gate);
    let mut gateway = load::builder(&provider).start();
    let api = gateway.api().to_owned();
    // scripts/soak has more of both.
    let soak = |name, short| variable(name).and_then(|text| text.parse().ok()).unwrap_or(short);
    let (turns, requests) =
        (soak("ANTEROOM_SOAK_RESTARTS", 3), soak("ANTEROOM_SOAK_REQUESTS", 100));
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let since = deadline::now();
    let opening = load::stream();
    let (mut streaming, mut left) = (None, Vec::new());
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| opening.open(&api));
        provider.wait_for_calls(1);
        let callers = [("a", true), ("b", true), ("c", false), ("d", false)];
        let callers = callers.map(|(name, keeps)| {
            let (api, over, answered) = (&api, &over, &answered);
            scope.spawn(move || ask(api, name, keeps, over, answered))
        });
        for turn in 1..=turns {
            left.push(gateway.hand_over());
            let enough = answered.load(Ordering::Relaxed) + requests;
            let went_on = deadline::poll(PATIENCE, || {
                let is_enough = answered.load(Ordering::Relaxed) >= enough;
                (is_enough || callers.iter().any(|caller| caller.is_finished())).then_some(())
            });
            assert!(went_on.is_some(), "{}", gateway.log());
            // What a caller said through one process the next one knows.
            let turned = chat(prompt(&format!("turn {turn}"))).header("X-Conversation-Id", "c");
            let turned = gateway.send(&turned).expect_status(200);
            assert_eq!(turned.header("x-conversation-turn"), Some(&*turn.to_string()), "{turned}");
        }
        let (answered, elapsed) = (answered.load(Ordering::Relaxed), since.elapsed());
        #[expect(clippy::print_stderr, reason = "what the run came to, read with --nocapture")]
        {
            eprintln!("{answered} requests over {turns} restarts in {elapsed:.1?}");
        }
        over.store(true, Ordering::Relaxed);
        for caller in callers {
            assert!(caller.join().is_ok(), "{}", gateway.log());
        }
        gate.open();
        streaming = waiting.join().ok();
    });
    let mut streaming = streaming.expect("the stream began");
    let mut events = Vec::new();
    while let Some(event) = streaming.next_event() {
        events.push(event);
    }
    assert_eq!(events, load::EVENTS, "a stream ends whole in the process that began it");
    for mut process in left {
        let status = process.wait(PATIENCE);
        assert!(status.is_some_and(|status| status.success()), "{status:?}\n{}", gateway.log());
    }
    gateway.chat(prompt("still here")).expect_status(200);
    assert!(gateway.terminate().success(), "{}", gateway.log());
    assert!(TcpStream::connect(&api).is_err(), "nobody holds the socket open");
}

/// `systemctl restart` under load: what comes between two processes waits in the manager's socket.
#[test]
fn no_request_fails_while_a_service_manager_restarts_it() {
    let provider = load::echo();
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let start = || {
        let [api, operations] = sockets.each_ref().map(|it| it.try_clone().expect("a handle"));
        load::builder(&provider).inherit(api, operations).start()
    };
    let mut gateway = start();
    let api = gateway.api().to_owned();
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let callers = [("a", true), ("b", true), ("c", true), ("d", false)];
        let callers = callers.map(|(name, keeps)| {
            let (api, over, answered) = (&api, &over, &answered);
            scope.spawn(move || ask(api, name, keeps, over, answered))
        });
        for turn in 0..3 {
            let enough = answered.load(Ordering::Relaxed) + 100;
            let went_on = deadline::poll(PATIENCE, || {
                let is_enough = answered.load(Ordering::Relaxed) >= enough;
                (is_enough || callers.iter().any(|caller| caller.is_finished())).then_some(())
            });
            assert!(went_on.is_some(), "{}", gateway.log());
            if turn < 2 {
                assert!(gateway.terminate().success(), "{}", gateway.log());
                gateway = start();
            }
        }
        over.store(true, Ordering::Relaxed);
        for caller in callers {
            assert!(caller.join().is_ok(), "{}", gateway.log());
        }
    });
}

/// A client may send at any moment on a connection that is kept alive: closing it would fail a request.
#[test]
fn an_idle_connection_is_answered_and_then_closed() {
    let provider = load::echo();
    let patient = load::builder(&provider).env("ANTEROOM__SERVER__HEAD_TIMEOUT", "1m");
    let mut gateway = patient.start();
    let mut idle = Connection::open(gateway.api());
    load::expect_echo(&idle.send(&load::new("before")), "new before;");
    let mut untouched = Connection::open(gateway.api());
    let ready = Request::get("/health/ready");
    let mut probes = [gateway.api(), gateway.operations()].map(Connection::open);
    for probe in &mut probes {
        assert!(!closes(&probe.send(&ready).expect_status(200)));
    }
    let mut before = gateway.hand_over();
    for probe in &mut probes {
        let told = probe.send(&ready).expect_status(200);
        assert!(closes(&told), "the gateway is ready, by another process: {told}");
    }
    for (connection, said) in [(&mut idle, "after"), (&mut untouched, "first")] {
        let answer = connection.send(&load::new(said));
        load::expect_echo(&answer, &format!("new {said};"));
        assert!(closes(&answer), "{answer}");
    }
    assert!(before.wait(PATIENCE).is_some_and(|status| status.success()), "{}", gateway.log());
}

#[test]
fn what_hangs_is_cut_at_the_handover_timeout() {
    let provider = Provider::start();
    provider.next(Fault::StallStream);
    let mut gateway = load::builder(&provider)
        .env("ANTEROOM__SERVER__HANDOVER_TIMEOUT", "200ms")
        .env("ANTEROOM__SERVER__DRAIN_TIMEOUT", "200ms")
        .start();
    let mut streaming = gateway.open(&load::stream());
    assert!(streaming.next_event().is_some());
    let mut before = gateway.hand_over();
    assert!(before.wait(PATIENCE).is_some_and(|status| status.success()), "{}", gateway.log());
    assert!(streaming.response().cut.is_some(), "a cut stream does not look whole");
    assert!(gateway.log().contains("connections are left at server.handover_timeout"));
}

#[test]
fn a_process_that_cannot_start_takes_nothing_over() {
    let provider = load::echo();
    let mut gateway = load::builder(&provider).config("server: {keep_alive: 60s}\n").start();
    gateway.write_config("server: {workers: many}\n");
    gateway.signal(libc::SIGUSR2);
    let told = deadline::poll(PATIENCE, || {
        gateway.log().contains("no other process takes over; this one goes on").then_some(())
    });
    assert!(told.is_some_and(|()| gateway.log().contains("workers")), "{}", gateway.log());
    let answer = Connection::open(gateway.api()).send(&load::new("goes on"));
    load::expect_echo(&answer, "new goes on;");
    assert!(!closes(&answer), "{answer}");
    gateway.write_config("server: {keep_alive: 50s}\n");
    let mut before = gateway.hand_over();
    assert!(before.wait(PATIENCE).is_some_and(|status| status.success()), "{}", gateway.log());
    load::expect_echo(&gateway.send(&load::new("another")), "new another;");
}

#[test]
fn a_signal_to_stop_ends_also_the_process_that_would_take_over() {
    // A Redis that never answers holds the other one's start up.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let redis = format!("redis://{}", silent.local_addr().expect("an address"));
    let mut gateway = Gateway::builder().config("l1: {max_entries: 8}\n").start();
    gateway.write_config(&format!("l2: {{url: \"{redis}\"}}\n"));
    gateway.signal(libc::SIGUSR2);
    let started = deadline::poll(PATIENCE, || started(&gateway));
    let started = started.unwrap_or_else(|| panic!("none was started\n{}", gateway.log()));
    let mut other = Process::adopt(started);
    assert!(gateway.terminate().success(), "{}", gateway.log());
    assert!(!gateway.log().contains("has taken over"), "{}", gateway.log());
    assert!(other.ended().is_some(), "it outlives the one that waited for it\n{}", gateway.log());
}

/// The process that was started to take over.
fn started(gateway: &Gateway) -> Option<u32> {
    let log = gateway.log();
    let line = log.lines().find(|line| line.contains("started a process"))?;
    line.split_once("process=")?.1.split(' ').next()?.parse().ok()
}

#[test]
fn the_service_manager_is_told_which_process_is_the_service() {
    let manager = Manager::listen();
    let mut gateway = Gateway::builder().env("NOTIFY_SOCKET", manager.path().display()).start();
    assert_eq!(manager.told(), "READY=1");
    for _ in 0..2 {
        let mut before = gateway.hand_over();
        assert_eq!(manager.told(), format!("MAINPID={}", gateway.id()));
        assert!(before.wait(PATIENCE).is_some(), "{}", gateway.log());
    }
    gateway.terminate();
    assert_eq!(manager.told(), "STOPPING=1");
}

/// Settings that wait for a restart hold from then on, the addresses too.
#[test]
fn another_address_holds_after_it() {
    let provider = load::echo();
    let builder = load::builder(&provider).env("ANTEROOM_LISTEN", "");
    let mut gateway = builder.config("server: {listen: \"127.0.0.1:0\"}\n").start();
    gateway.write_config("server: {listen: \"127.0.0.2:0\"}\n");
    let mut left = gateway.hand_over();
    let log = gateway.whole_log();
    let addresses: Vec<&str> = log
        .lines()
        .filter_map(|line| line.split_once("listening api=http://")?.1.split(' ').next())
        .collect();
    let [first, second] = addresses[..] else { panic!("{addresses:?}\n{log}") };
    assert!(second.starts_with("127.0.0.2:"), "{second}");
    load::expect_echo(&load::new("there").send(second), "new there;");
    assert!(left.wait(PATIENCE).is_some(), "{log}");
    assert!(TcpStream::connect(first).is_err(), "nobody answers at the address before");
}
