//! What befalls the process itself. FAULTS "Process": a panic, a busy processor, no descriptors left, a
//! log that nobody reads, no home.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::load;
use crate::support::client::{Connection, Request};
use crate::support::deadline::{self, PATIENCE};
use crate::support::gateway::{Gateway, actor, chat, prompt};
use crate::support::listener::free_port;
use crate::support::process::{Process, program};
use crate::support::provider::{Gate, Provider, Reply};

/// A handler that panics is an error of its request alone: nothing it held is lost for those after it.
#[test]
fn a_handler_that_panics_answers_500_and_the_next_request_is_served() {
    let provider = load::echo();
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("ANTEROOM__SERVER__WORKERS", 1)
        .env("ANTEROOM__SERVER__MAX_IN_FLIGHT", 2)
        .env("RUST_BACKTRACE", 0)
        .start();
    for number in 0..5 {
        // A miss that is under way, and a hit.
        for said in [format!("new {number};"), "hot;".to_owned()] {
            let request = chat(prompt(&said));
            let failed = gateway.send(&request.clone().header("X-Test-Panic", "1"));
            let failed = failed.expect_status(500);
            assert_eq!(failed.json()["error"]["code"], "internal", "{failed}");
            load::expect_echo(&gateway.send(&request), &said);
        }
    }
    let anthropic = Request::post("/v1/messages", prompt("x")).header("X-Test-Panic", "1");
    assert_eq!(gateway.send(&anthropic).expect_status(500).json()["type"], "error");
    assert_eq!(gateway.metric("anteroom_handler_panics_total", &[]), Some(11.0));
    assert_eq!(gateway.metric("anteroom_requests_waiting", &[]), Some(0.0));
    // A call is paid and kept though who led it has panicked.
    assert!(provider.num_calls() <= 7, "{}", provider.log());
}

/// Who follows a call gets its answer though its leader's handler panics.
#[test]
fn followers_outlive_a_leader_whose_handler_panics() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| Reply::from(load::echo_of(call)).held_by(&held));
    let gateway = Gateway::patient().upstream(&provider).env("RUST_BACKTRACE", 0).start();
    let gateway = &gateway;
    std::thread::scope(|scope| {
        let request = chat(prompt("shared;")).header("X-Test-Panic", "late");
        let leader = scope.spawn(move || gateway.send(&request).expect_status(500));
        provider.wait_for_calls(1);
        let followers = scope.spawn(|| gateway.send_at_once(5, &chat(prompt("shared;"))));
        gateway.wait_until("five who follow", |health| {
            actor(health, "resolver").is_some_and(|it| it["counters"]["joined"] == 5)
        });
        gate.open();
        leader.join().expect("its panic stands above");
        for response in followers.join().expect("its panic stands above") {
            load::expect_echo(&response, "shared;");
        }
    });
    assert_eq!(provider.num_calls(), 1, "{}", provider.log());
}

/// One core, and four others who want all of it: slower, but nothing times out, is asked twice or is
/// called ill.
#[test]
fn a_busy_processor_makes_it_slow_and_nothing_else() {
    let taskset = program("taskset", &[], "util-linux");
    let pinned = |id: u32| {
        let done = Command::new(&taskset)
            .args(["--all-tasks", "--cpu-list", "--pid", "0", &id.to_string()])
            .stdout(Stdio::null())
            .status();
        assert!(done.expect("taskset runs").success());
    };
    let provider = load::echo();
    let gateway = Gateway::patient().upstream(&provider).start();
    pinned(gateway.id());
    let others: Vec<_> = (0..4)
        .map(|_| {
            let busy = Process::start(Command::new("/bin/sh").args(["-c", "while :; do :; done"]));
            pinned(busy.id());
            busy
        })
        .collect();
    std::thread::scope(|scope| {
        for caller in 0..3 {
            let gateway = &gateway;
            scope.spawn(move || {
                for number in 0..20 {
                    let said = format!("{caller}-{number};");
                    for _ in 0..2 {
                        load::expect_echo(&gateway.send(&chat(prompt(&said))), &said);
                    }
                }
            });
        }
        for _ in 0..10 {
            gateway.operate(&Request::get("/health/live")).expect_status(200);
        }
    });
    drop(others);
    assert_eq!(provider.num_calls(), 60, "{}", provider.log());
    for actor in gateway.health()["actors"].as_array().expect("a list") {
        assert_eq!(actor["restarts"], 0, "{actor}");
        if let Some(opened) = actor["counters"].get("breaker_opened") {
            assert_eq!(opened, 0, "{actor}");
        }
    }
}

/// Returns how many descriptors a process has open.
fn descriptors(id: u32) -> usize {
    std::fs::read_dir(format!("/proc/{id}/fd")).expect("a running process").count()
}

/// Returns the processor time that a process has used, in ticks of a hundredth of a second.
fn processor_ticks(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).expect("a running process");
    let after_name = stat.rsplit_once(')').expect("a name").1;
    let number = |at: usize| after_name.split_whitespace().nth(at).and_then(|it| it.parse().ok());
    number(11).unwrap_or(0_u64) + number(12).unwrap_or(0)
}

/// No descriptor is left for another connection: those that are open are served, accepting pauses and
/// costs nothing, and goes on when there are some again.
#[test]
fn without_descriptors_accepting_pauses_and_goes_on_later() {
    let prlimit = program("prlimit", &[], "util-linux");
    let provider = load::echo();
    let gateway = Gateway::patient().upstream(&provider).start();
    let mut open = Connection::open(gateway.api());
    load::expect_echo(&open.send(&load::new("before")), "new before;");
    let most = descriptors(gateway.id()) + 8;
    let limited = Command::new(&prlimit)
        .args([&format!("--nofile={most}:{most}"), "--pid", &gateway.id().to_string()])
        .status();
    assert!(limited.expect("prlimit runs").success());
    let crowd: Vec<_> =
        (0..40).map(|_| TcpStream::connect(gateway.api()).expect("the kernel takes it")).collect();
    let is_full = || gateway.log().contains("Too many open files").then_some(());
    assert!(deadline::poll(PATIENCE, is_full).is_some(), "of {most}\n{}", gateway.log());
    let before = processor_ticks(gateway.id());
    deadline::pause(Duration::from_secs(1));
    let spent = processor_ticks(gateway.id()) - before;
    assert!(spent < 50, "{spent} hundredths of a second in one: it spins");
    let hit = open.send(&load::new("before"));
    load::expect_echo(&hit, "new before;");
    assert_eq!(hit.cache(), "HIT L1");
    drop(crowd);
    let after = deadline::poll(PATIENCE, || load::new("after").try_open(gateway.api()).ok());
    load::expect_echo(&after.expect("a connection").response(), "new after;");
}

/// Who reads the log goes away: it is lost, and nothing else is.
#[test]
fn a_log_that_nobody_reads_any_more_ends_nothing() {
    let provider = load::echo();
    let folder = tempfile::tempdir().expect("a folder");
    let address = format!("127.0.0.1:{}", free_port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_anteroom"));
    command.arg("serve").current_dir(folder.path()).env_clear();
    command.env("ANTEROOM_LISTEN", &address).env("ANTEROOM_ADMIN_LISTEN", "127.0.0.1:0");
    command.env("ANTEROOM_UPSTREAM_URL", provider.url()).env("ANTEROOM__LOG__LEVEL", "trace");
    let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    drop((process.child().stdout.take(), process.child().stderr.take()));
    let ask = |said: &str| {
        let answered = deadline::poll(PATIENCE, || load::new(said).try_open(&address).ok());
        let response = answered.unwrap_or_else(|| panic!("no answer to {said}")).response();
        load::expect_echo(&response, &format!("new {said};"));
    };
    for number in 0..50 {
        ask(&number.to_string());
    }
    // A panic writes there, too.
    let panics = load::new("panics").header("X-Test-Panic", "1").send(&address);
    panics.expect_status(500);
    ask("the last");
    assert!(process.ended().is_none());
    process.signal(libc::SIGTERM);
    let status = process.wait(PATIENCE).expect("an end");
    assert_eq!(status.code(), Some(0));
}

#[test]
fn it_needs_no_home_directory() {
    let provider = load::echo();
    for home in [None, Some(""), Some("/nonexistent")] {
        let builder = Gateway::patient().upstream(&provider);
        let gateway = match home {
            Some(home) => builder.env("HOME", home).start(),
            None => builder.start(),
        };
        load::expect_echo(&gateway.send(&load::new("homeless")), "new homeless;");
    }
}

/// The limit of open files is raised to what the settings may need; where the system does not let it,
/// the log says so, and it serves with what there is.
#[test]
fn the_limit_of_open_files_is_raised_or_told() {
    let prlimit = program("prlimit", &[], "util-linux");
    for (limits, connections, expected, is_told) in
        [("300:4096", 100, 356, false), ("300:400", 1_000, 400, true)]
    {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(&prlimit);
        command.args([&format!("--nofile={limits}"), env!("CARGO_BIN_EXE_anteroom"), "serve"]);
        command.current_dir(folder.path()).env_clear();
        command.env("ANTEROOM_LISTEN", "127.0.0.1:0").env("ANTEROOM_ADMIN_LISTEN", "127.0.0.1:0");
        command.env("ANTEROOM__SERVER__MAX_CONNECTIONS", connections.to_string());
        let mut process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
        let log = BufReader::new(process.child().stderr.take().expect("a pipe"));
        let (tell, told) = channel();
        std::thread::spawn(move || {
            log.lines().map_while(Result::ok).try_for_each(|line| tell.send(line))
        });
        let mut said = String::new();
        while !said.contains("operations=") {
            let line = told.recv_timeout(PATIENCE);
            said.push_str(&line.unwrap_or_else(|_| panic!("it does not start: {said}")));
        }
        assert_eq!(said.contains("too few open files"), is_told, "{said}");
        let told = std::fs::read_to_string(format!("/proc/{}/limits", process.id()));
        let told = told.expect("the limits of a process that runs");
        let line = told.lines().find(|line| line.starts_with("Max open files")).expect("a line");
        let current = line.split_whitespace().nth(3).expect("a number");
        assert_eq!(current, expected.to_string(), "{line}");
    }
}
