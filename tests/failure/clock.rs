//! The machine's clock is set while the gateway runs, or before it starts. FAULTS "clock jump": time-outs
//! go by a clock that is never set; no answer lives longer than its lifetime, no age is negative.

use std::path::{Path, PathBuf};

use super::load;
use crate::support::client::Response;
use crate::support::gateway::{Builder, Gateway, actor};
use crate::support::provider::Provider;

/// The library that sets a process's clock.
fn library() -> PathBuf {
    let folders = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime"];
    let found = folders.iter().map(|folder| Path::new(folder).join("libfaketimeMT.so.1"));
    found.into_iter().find(|file| file.is_file()).unwrap_or_else(|| {
        panic!(
            "libfaketime is missing: it is in Debian's package faketime; scripts/test installs it"
        )
    })
}

/// The clock of one gateway.
struct Clock(tempfile::TempDir);

impl Clock {
    fn new() -> Self {
        let clock = Self(tempfile::tempdir().expect("a folder"));
        clock.set("+0");
        clock
    }

    /// Sets it so far from the real time, such as `+1d`.
    fn set(&self, offset: &str) {
        // In one step: it is read all the time.
        std::fs::write(self.0.path().join("new"), offset).expect("a file");
        std::fs::rename(self.0.path().join("new"), self.file()).expect("a file");
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("offset")
    }

    fn of(&self, builder: Builder) -> Gateway {
        builder
            .env("LD_PRELOAD", library().display())
            .env("FAKETIME_TIMESTAMP_FILE", self.file().display())
            .env("FAKETIME_NO_CACHE", 1)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", 1)
            .start()
    }
}

#[track_caller]
fn ask(gateway: &Gateway, cache: &str) -> Response {
    let answer = gateway.send(&load::new("asked")).expect_status(200);
    load::expect_echo(&answer, "new asked;");
    assert_eq!(answer.cache(), cache, "{answer}\n{}", gateway.log());
    let age = answer.header("age").and_then(|age| age.parse::<u64>().ok()).expect("an age");
    assert!(age < 7_200, "{answer}");
    answer
}

fn builder(provider: &Provider) -> Builder {
    Gateway::patient().upstream(provider).sqlite()
}

#[test]
fn a_clock_that_jumps_ahead_ends_what_was_kept_and_nothing_else() {
    let (provider, clock) = (load::echo(), Clock::new());
    let gateway = clock.of(builder(&provider));
    ask(&gateway, "MISS");
    ask(&gateway, "HIT L1");
    clock.set("+1d");
    ask(&gateway, "MISS");
    ask(&gateway, "HIT L1");
    gateway.wait_for_state("l3", "running");
    assert_eq!(provider.num_calls(), 2, "{}", provider.log());
}

#[test]
fn a_clock_that_is_set_back_lets_nothing_live_longer() {
    let (provider, clock) = (load::echo(), Clock::new());
    let gateway = clock.of(builder(&provider));
    ask(&gateway, "MISS");
    ask(&gateway, "HIT L1");
    // A little: clocks are set all the time.
    clock.set("-20s");
    let hit = ask(&gateway, "HIT L1");
    assert_eq!(hit.header("age"), Some("0"), "{hit}");
    // While it is still being kept, its call may be joined.
    gateway.wait_until("no call under way", |health| {
        actor(health, "resolver").is_some_and(|it| it["counters"]["flights"] == 0)
    });
    // What was made a day ahead of the clock might be of any age.
    clock.set("-1d");
    ask(&gateway, "MISS");
    ask(&gateway, "HIT L1");
    for actor in gateway.health()["actors"].as_array().expect("a list") {
        assert_eq!(actor["restarts"], 0, "{actor}\n{}", gateway.log());
    }
}

/// The same on disk: what was kept is not there in another time, and is there again in its own.
#[test]
fn a_gateway_that_starts_in_another_time_serves_what_is_right_there() {
    let (provider, clock) = (load::echo(), Clock::new());
    let mut gateway = clock.of(builder(&provider));
    ask(&gateway, "MISS");
    gateway.wait_for_writes();
    gateway.restart();
    ask(&gateway, "HIT L3");
    for offset in ["-1d", "+1d"] {
        clock.set(offset);
        gateway.restart();
        gateway.wait_for_state("l3", "running");
        ask(&gateway, "MISS");
        ask(&gateway, "HIT L1");
        gateway.wait_for_writes();
    }
}
