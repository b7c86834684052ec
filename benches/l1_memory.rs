//! Whether the bytes that L1 accounts for are those that the process grows by: at 100,000 entries of
//! several sizes, within a tenth. Each size in a process of its own, so that none reuses the memory
//! of another. Run by `cargo bench --bench l1_memory`, or, sooner built, `cargo test --bench l1_memory`.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark prints, waits for the allocator, and ends by a panic that says what it saw"
)]

#[path = "../src/allocator.rs"]
mod allocator;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anteroom_actors::clock::{Clock as _, SystemClock};
use anteroom_actors::model::{CacheKey, Entry, Freshness, Header, Purges, Versions};
use anteroom_actors::settings::L1Settings;
use anteroom_actors::store::memory::MemoryStore;
use bytes::Bytes;

const ENTRIES: u64 = 100_000;
const BODIES: [usize; 4] = [100, 1_600, 5_000, 20_000];

fn main() {
    // The process of one size is told it; anything else is what cargo passes on.
    let size = std::env::args().nth(1).and_then(|size| size.parse().ok());
    if let Some(body_bytes) = size {
        println!("{}", measure(body_bytes));
        return;
    }
    println!("{:>10} {:>14} {:>14} {:>8}", "body", "accounted", "RSS growth", "ratio");
    let mut are_near = true;
    for body_bytes in BODIES {
        let own = std::env::current_exe().unwrap();
        let output = Command::new(own).arg(body_bytes.to_string()).output().unwrap();
        let words = String::from_utf8(output.stdout).unwrap();
        let numbers: Vec<f64> =
            words.split_whitespace().map(|word| word.parse().unwrap()).collect();
        let [accounted, grown] = numbers[..] else { panic!("{words}") };
        let ratio = accounted / grown;
        are_near &= (0.9..=1.1).contains(&ratio);
        println!("{body_bytes:>10} {accounted:>14} {grown:>14} {ratio:>8.3}");
    }
    assert!(are_near, "the account is off by more than a tenth");
}

fn measure(body_bytes: usize) -> String {
    let (clock, wall_ms) = (SystemClock, SystemClock.wall_ms());
    let settings = L1Settings {
        max_entries: 2 * ENTRIES,
        max_bytes: 64 << 30,
        residence: Duration::from_secs(3_600),
    };
    let mut store = MemoryStore::new(settings, Purges::default(), Versions::default());
    // What the store needs for itself, whatever it holds, is there by now.
    store.insert(entry(u64::MAX, body_bytes, wall_ms), clock.now());
    let before = rss_bytes();
    for number in 0..ENTRIES - 1 {
        store.insert(entry(number, body_bytes, wall_ms), clock.now());
    }
    let grown = rss_bytes().saturating_sub(before);
    assert_eq!(store.entries(), ENTRIES);
    format!("{} {grown}", store.bytes())
}

/// As the gateway keeps one: a body of its own and the headers of a provider's answer.
fn entry(number: u64, body_bytes: usize, made_wall_ms: u64) -> Arc<Entry> {
    let header = |name: &str, value: &str| Header {
        name: name.into(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    Arc::new(Entry {
        key: CacheKey::new(*blake3::hash(&number.to_le_bytes()).as_bytes()),
        status: 200,
        headers: [
            header("content-type", "application/json"),
            header("openai-version", "2020-10-01"),
            header("etag", "\"0123456789abcdef0123456789abcdef\""),
        ]
        .into(),
        body: Bytes::from(vec![b'x'; body_bytes]),
        freshness: Freshness {
            made_wall_ms,
            lifetime: Duration::from_secs(7_200).into(),
            ..Freshness::default()
        },
        model: Some("gpt-4o-mini".into()),
        ..Entry::default()
    })
}

/// Once what was freed has gone back to the system.
fn rss_bytes() -> u64 {
    std::thread::sleep(Duration::from_secs(3));
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1_024
}
