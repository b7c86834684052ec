//! The process stays below its threshold while far more is asked of it than would fit, answers all it
//! can and sheds the rest cleanly, and is small again afterwards. `scripts/soak memory` runs it long.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::load;
use crate::support::client::Request;
use crate::support::deadline::{self, Deadline, pause};
use crate::support::gateway::{Gateway, chat};
use crate::support::over::Over;
use crate::support::process::{lock, peak_bytes, variable};
use crate::support::provider::{Call, Provider, Reply};

const MIB: u64 = 1 << 20;

/// How many ask at once, and how large each answer is: 2 GiB together.
const CALLERS: u64 = 500;
const ANSWER: usize = 4 << 20;

/// What the process may have.
const THRESHOLD_MIB: u64 = 512;

/// Within so long after the load the process is small again.
const SMALL_WITHIN: Duration = Duration::from_secs(30);

/// Answers of [`ANSWER`] bytes, each its own: the prompt stands at the beginning.
fn large() -> Provider {
    let filler: Arc<[u8]> = vec![b'x'; ANSWER].into();
    Provider::scripted(move |call: &Call| {
        let answer = load::echo_of(call).to_string();
        let (start, end) = answer.split_once(", call").expect("an echo");
        Reply::large(&format!("{start} "), &filler, &format!(", call{end}"))
    })
}

/// What became of the requests.
#[derive(Debug, Default)]
struct Tally {
    whole: AtomicU64,
    shed: AtomicU64,
    wrong: Mutex<Vec<String>>,
}

impl Tally {
    /// Asks for one answer and reads it piece by piece: the test's own memory is no matter here.
    fn ask(&self, address: &str, said: &str) {
        let request = chat(json!({"model": "m", "messages": [{"role": "user", "content": said}]}));
        match outcome(address, &request, said) {
            Ok(200) => self.whole.fetch_add(1, Ordering::Relaxed),
            Ok(_) => {
                // As its client would.
                pause(Duration::from_secs(1));
                self.shed.fetch_add(1, Ordering::Relaxed)
            }
            Err(wrong) => {
                lock(&self.wrong).push(wrong);
                0
            }
        };
    }
}

/// Returns 200 for a whole answer to this very request, 503 for a clean refusal.
fn outcome(address: &str, request: &Request, said: &str) -> Result<u16, String> {
    let mut incoming = request.try_open(address).map_err(|error| format!("{said}: {error}"))?;
    if incoming.status != 200 {
        let response = incoming.response();
        let is_clean = response.status == 503
            && response.header("retry-after").is_some()
            && response.json()["error"]["code"] == "shed";
        return if is_clean { Ok(503) } else { Err(format!("{said}: {response}")) };
    }
    let (mut start, mut length) = (Vec::new(), 0);
    while let Some(piece) = incoming.try_next().map_err(|error| format!("{said}: {error}"))? {
        length += piece.len();
        if start.len() < 512 {
            start.extend_from_slice(&piece);
        }
    }
    let is_own = String::from_utf8_lossy(&start).contains(&format!("echo of {said} xxx"));
    let is_whole = length > ANSWER;
    if is_own && is_whole { Ok(200) } else { Err(format!("{said}: {length} bytes, own: {is_own}")) }
}

/// Has [`CALLERS`] ask for `length`; returns the most memory seen meanwhile.
fn load_for(length: Duration, gateway: &Gateway, tally: &Tally) -> u64 {
    let is_over = AtomicBool::new(false);
    let mut highest = 0;
    std::thread::scope(|scope| {
        for caller in 0..CALLERS {
            let (is_over, address) = (&is_over, gateway.api());
            scope.spawn(move || {
                for number in 0.. {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    tally.ask(address, &format!("{caller}-{number};"));
                }
            });
        }
        let _over = Over(&is_over);
        let deadline = Deadline::after(length);
        while deadline.left().is_some() {
            pause(Duration::from_millis(50));
            highest = highest.max(gateway.rss_bytes());
        }
    });
    highest
}

/// The numbers of a long run are of interest also where it passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// FAULTS "memory limit".
#[test]
#[ignore = "takes all processors; scripts/test runs it by itself"]
fn the_process_stays_below_its_threshold_and_is_small_again_afterwards() {
    let seconds =
        variable("ANTEROOM_SOAK_SECONDS").map_or(60, |text| text.parse().expect("seconds"));
    let provider = large();
    let gateway = Gateway::builder()
        .upstream(&provider)
        .sqlite()
        .env("MEMORY_THRESHOLD_MB", THRESHOLD_MIB)
        .start();
    let tally = Tally::default();
    tally.ask(gateway.api(), "before;");
    gateway.wait_for_writes();
    let start = gateway.rss_bytes();

    let highest = load_for(Duration::from_secs(seconds), &gateway, &tally);
    let (peak, at_the_end) = (peak_bytes(gateway.id()), gateway.rss_bytes());
    let numbers = || gateway.actor("memory")["counters"].clone();
    let Tally { whole, shed, wrong } = tally;
    let (whole, shed, wrong) = (whole.into_inner(), shed.into_inner(), lock(&wrong).clone());
    say(&format!(
        "{seconds} s: {whole} whole answers, {shed} shed, {} wrong; MiB: {} at the start, {} seen, \
         {} at most, {} at the end; {}",
        wrong.len(),
        start / MIB,
        highest / MIB,
        peak / MIB,
        at_the_end / MIB,
        numbers(),
    ));
    let goal = start + start / 5;
    let small = deadline::poll(SMALL_WITHIN, || (gateway.rss_bytes() <= goal).then_some(()));
    say(&format!("afterwards {} MiB; {}", gateway.rss_bytes() / MIB, numbers()));
    assert!(wrong.is_empty(), "{} requests failed, the first: {}", wrong.len(), wrong[0]);
    assert!(peak < THRESHOLD_MIB * MIB, "{peak} bytes; {:#}", numbers());
    assert!(whole > 0, "somebody has to be answered");
    assert!(small.is_some(), "{start} at the start, {:#}", gateway.health());
}
