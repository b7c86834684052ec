//! How much is saved, on answers as providers send them. Sizes only: they are the same each run.
//!
//! `cargo test --lib shape::sizes -- --nocapture` prints them.

#![expect(clippy::print_stderr, reason = "the numbers are asked for")]

use super::compress::compress;
use super::corpus;
use super::live::LiveCompressor;
use super::minify::minify;
use super::negotiate::Encoding;

const GZIP_LEVEL: u8 = 6;
const BROTLI_LEVEL: u8 = 5;

/// Bytes of bodies as they came, minified, and minified in each encoding.
#[derive(Debug, Default, Clone, Copy)]
struct Sizes {
    original: usize,
    minified: usize,
    gzip: usize,
    brotli: usize,
}

/// Least parts of the original that must be saved, in percent.
struct Saved {
    minified: usize,
    gzip: usize,
    brotli: usize,
}

impl Sizes {
    fn of<'a>(bodies: impl IntoIterator<Item = &'a String>) -> Self {
        bodies.into_iter().fold(Self::default(), |sizes, body| sizes.and(Self::of_one(body)))
    }

    fn of_one(body: &str) -> Self {
        let minified = minify(body.as_bytes()).unwrap_or_else(|| body.as_bytes().to_vec());
        let size = |encoding, level| {
            compress(encoding, level, &minified).map_or(minified.len(), |smaller| smaller.len())
        };
        Self {
            original: body.len(),
            minified: minified.len(),
            gzip: size(Encoding::Gzip, GZIP_LEVEL),
            brotli: size(Encoding::Brotli, BROTLI_LEVEL),
        }
    }

    fn and(self, other: Self) -> Self {
        Self {
            original: self.original + other.original,
            minified: self.minified + other.minified,
            gzip: self.gzip + other.gzip,
            brotli: self.brotli + other.brotli,
        }
    }

    #[track_caller]
    fn must_save(self, what: &str, least: &Saved) {
        let saved = |bytes: usize| 100.0 - bytes as f64 * 100.0 / self.original as f64;
        let told = format!(
            "{what}: {} bytes; minified {:.1} % smaller, then gzip {:.1} %, br {:.1} %",
            self.original,
            saved(self.minified),
            saved(self.gzip),
            saved(self.brotli),
        );
        eprintln!("{told}");
        let is_kept =
            [(self.minified, least.minified), (self.gzip, least.gzip), (self.brotli, least.brotli)];
        assert!(is_kept.iter().all(|(bytes, least)| saved(*bytes) >= *least as f64), "{told}");
    }
}

#[test]
fn chats_and_model_lists_lose_more_than_the_bars_of_60_and_70_percent() {
    let chats = corpus::chats().map(|(_, bodies)| Sizes::of(&bodies));
    let chats = chats.into_iter().fold(Sizes::default(), Sizes::and);
    let lists = Sizes::of(&corpus::model_lists());
    let bars = Saved { minified: 20, gzip: 60, brotli: 70 };
    chats.must_save("chats of all kinds", &bars);
    lists.must_save("model lists", &bars);
    chats.and(lists).must_save("all of the corpus", &bars);
}

/// Text is what a chat is least likely to repeat: brotli at its slowest level saves 61 % of it.
#[test]
fn each_kind_of_chat_loses_what_is_in_it_to_lose() {
    let bars = [
        Saved { minified: 10, gzip: 50, brotli: 54 },
        Saved { minified: 30, gzip: 65, brotli: 68 },
        Saved { minified: 5, gzip: 70, brotli: 75 },
        Saved { minified: 20, gzip: 65, brotli: 70 },
        Saved { minified: 60, gzip: 90, brotli: 90 },
    ];
    for ((kind, bodies), bars) in corpus::chats().iter().zip(&bars) {
        Sizes::of(bodies).must_save(kind, bars);
    }
}

#[test]
fn embeddings_as_floats_lose_more_than_55_percent() {
    let bars = Saved { minified: 30, gzip: 55, brotli: 55 };
    Sizes::of_one(&corpus::float_embeddings()).must_save("float embeddings", &bars);
}

/// Six of eight bits of a sign say something: more than a quarter cannot be saved, and that pays.
#[test]
fn embeddings_in_base64_lose_a_quarter() {
    let body = corpus::base64_embeddings();
    Sizes::of_one(&body)
        .must_save("base64 embeddings", &Saved { minified: 0, gzip: 24, brotli: 24 });
    assert!(body.len() * 3 < corpus::float_embeddings().len());
}

#[test]
fn live_events_lose_nine_tenths_though_each_is_flushed() {
    let events = corpus::streamed_chat();
    let original: usize = events.iter().map(String::len).sum();
    for encoding in [Encoding::Gzip, Encoding::Brotli] {
        for level in 0..=6 {
            let mut live = LiveCompressor::new(encoding, level);
            let push = |event: &String| live.push(event.as_bytes()).unwrap().len();
            let sent = events.iter().map(push).sum::<usize>() + live.finish().unwrap().len();
            let num_events = events.len();
            eprintln!(
                "{num_events} live events, {encoding:?} {level}: {original} bytes, {sent} sent"
            );
            assert!(sent * 10 < original, "{encoding:?} {level}: {sent} of {original}");
        }
    }
}
