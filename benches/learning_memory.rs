//! How much memory it takes to learn from requests: L1's curve and the predictor together, in bytes that
//! the allocator has given out, at 1,000,000 distinct keys and after. At most 16 MB, and flat from then on.
//! Run by `cargo bench --bench learning_memory`.

#![allow(
    clippy::print_stdout,
    clippy::indexing_slicing,
    missing_docs,
    unsafe_code,
    reason = "a benchmark prints, and ends by a panic that says what it saw; an allocator is unsafe"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anteroom_actors::model::CacheKey;
use anteroom_actors::scaler::{Asked, L1Sizer};
use anteroom_actors::settings::SizerSettings;
use anteroom_actors::warming::{Done, Forecast, ForecastSettings, FoundIn, Seen};

/// Numbers of keys at which it is measured.
const KEYS: [u64; 3] = [500_000, 1_000_000, 1_500_000];

/// What may be held, in bytes.
const MOST: usize = 16_000_000;

/// Growth after the first million of keys that is none: tables double and halve.
const FLAT_WITHIN: usize = 1_000_000;

/// The system's allocator, and how many bytes it has given out.
struct Counting;

static GIVEN_OUT: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the system's allocator does the work; counting changes nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        GIVEN_OUT.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller vouches.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        GIVEN_OUT.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller vouches.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn given_out() -> usize {
    GIVEN_OUT.load(Ordering::Relaxed)
}

/// Requests of which every third asks for something again, by many sessions.
struct Requests {
    state: u64,
    asked: u64,
}

impl Requests {
    const fn new() -> Self {
        Self { state: 1, asked: 0 }
    }

    /// Returns the next request: its key, its session and its time.
    fn next(&mut self) -> (CacheKey, u64, u64) {
        self.state =
            self.state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let random = self.state >> 33;
        let is_again = self.asked % 3 == 2;
        let number = if is_again { self.asked.saturating_sub(random % 1_000) } else { self.asked };
        let mut digest = [0; CacheKey::LEN];
        let word = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        digest[..8].copy_from_slice(&word.to_le_bytes());
        digest[8..16].copy_from_slice(&number.to_le_bytes());
        self.asked += 1;
        (CacheKey::new(digest), random % 100_000, self.asked * 10 + 1_000_000)
    }
}

/// Has `learn` take in requests until they had so many keys, and returns the bytes held at each number.
fn held(mut learn: impl FnMut(CacheKey, u64, u64)) -> [usize; KEYS.len()] {
    let mut requests = Requests::new();
    KEYS.map(|keys| {
        // Two of three requests bring a new key.
        while requests.asked < keys / 2 * 3 {
            let (key, session, at_ms) = requests.next();
            learn(key, session, at_ms);
        }
        given_out()
    })
}

/// L1's curve, as the scaler has it at the default size.
fn curve() -> [usize; KEYS.len()] {
    let before = given_out();
    let l1_bytes = 128 << 20;
    let settings = SizerSettings {
        least_bytes: l1_bytes / 8,
        most_bytes: l1_bytes * 8,
        least_weight: l1_bytes / 1_000,
        cool_down: Duration::from_secs(60),
    };
    let mut sizer = L1Sizer::new(settings, l1_bytes);
    let held = held(|key, _, at_ms| {
        let weight = Some(3_000);
        let until_ms = at_ms + 300_000;
        sizer.asked(&Asked { key: key.word(), at_ms, until_ms, weight, is_hit: false });
    });
    held.map(|bytes| bytes - before)
}

/// The predictor with its default bounds. Everything that it proposes is done: its ledger has most to
/// follow.
fn predictor() -> [usize; KEYS.len()] {
    let before = given_out();
    let mut forecast = Forecast::new(ForecastSettings::new(300_000));
    let mut asked = 0_u64;
    let held = held(|key, session, at_ms| {
        asked += 1;
        let fresh_for_ms = Some(7_200_000);
        let found = FoundIn::Nowhere;
        let seen = Seen { key, session, is_one_of_many: true, found, fresh_for_ms, at_ms };
        let mut proposals = forecast.seen(&seen);
        if asked.is_multiple_of(100) {
            proposals.extend(forecast.due(at_ms));
        }
        for proposal in proposals {
            forecast.done(&proposal, Done::Loaded(None), at_ms);
        }
    });
    println!("the predictor's own account: {}", forecast.bytes());
    held.map(|bytes| bytes - before)
}

fn main() {
    let (curve, predictor) = (curve(), predictor());
    println!("{:>10} {:>12} {:>12} {:>12}", "keys", "curve", "predictor", "together");
    let together = [0, 1, 2].map(|at| curve[at] + predictor[at]);
    for at in [0, 1, 2] {
        println!("{:>10} {:>12} {:>12} {:>12}", KEYS[at], curve[at], predictor[at], together[at]);
    }
    let most = together.into_iter().max().unwrap_or_default();
    assert!(most <= MOST, "{most} bytes are more than {MOST}");
    let [before, then, after] = together;
    assert!(after <= before.max(then) + FLAT_WITHIN, "{together:?}: not flat");
}
