//! Which key a session asks for next.
//!
//! Prediction by partial matching: what followed the session's last three, two and one keys, in its
//! own history and in everybody's. After J. Cleary, I. Witten: "Data Compression Using Adaptive
//! Coding and Partial String Matching", IEEE Transactions on Communications 32 (1984); for requests
//! of the web as T. Palpanas, A. Mendelzon: "Web Prefetching Using Partial Match Prediction", Web
//! Caching Workshop 1999.

use super::Tag;
use super::contexts::Contexts;
use super::generations::Generations;

/// Longest context, in keys.
const ORDER: usize = 3;

/// A context says something once it was followed so often.
const SUPPORT: u16 = 2;

/// Most keys named at a time.
pub const MOST_NAMED: usize = 3;

/// A session that was silent for so long begins anew.
const RESTARTS_AFTER_MS: u64 = 30 * 60 * 1_000;

/// A key that may be asked for next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// Which.
    pub tag: Tag,
    /// How sure the contexts are of it, from 0 to 1. Not a probability: it wants calibration.
    pub confidence: f64,
}

/// The last keys of a session, latest first.
#[derive(Debug, Clone, Copy, Default)]
struct History {
    keys: [Tag; ORDER],
    num: u8,
    at_ms: u64,
}

/// What is known of the order of requests.
#[derive(Debug)]
pub struct Sequences {
    contexts: Contexts,
    sessions: Generations<u64, History>,
}

impl Sequences {
    /// Creates an empty memory of at most `contexts` contexts and about `sessions` sessions.
    pub fn new(contexts: usize, sessions: usize) -> Self {
        Self { contexts: Contexts::new(contexts), sessions: Generations::new(sessions) }
    }

    /// Learns that `session` asks for `key`, at `now_ms` of any clock that does not go back. A session
    /// whose keys are nobody else's has no `own` contexts: they would repeat everybody's.
    pub fn learn(&mut self, session: u64, own: bool, key: Tag, now_ms: u64) {
        let history = self.sessions.touch(session, History::default);
        if now_ms.saturating_sub(history.at_ms) > RESTARTS_AFTER_MS {
            history.num = 0;
        }
        // A longer context is of use where a shorter one has seen the same before: what comes but once
        // takes the room of one context, not of all.
        let (mut of_all, mut of_own) = (true, true);
        for (digest, is_own) in digests(history, session, own) {
            let grows = if is_own { &mut of_own } else { &mut of_all };
            *grows = *grows && self.contexts.learn(digest, key);
        }
        let [first, second, _] = history.keys;
        history.keys = [key, first, second];
        history.num = (history.num + 1).min(3);
        history.at_ms = now_ms;
    }

    /// Returns what `session` may ask for next, the surest first: at most [`MOST_NAMED`] keys other
    /// than the one it has just asked for, none less sure than `floor`.
    pub fn next(&self, session: u64, own: bool, floor: f64) -> Vec<Guess> {
        let mut guesses: Vec<Guess> = Vec::new();
        let Some(history) = self.sessions.peek(&session) else { return guesses };
        let [latest, ..] = history.keys;
        for (digest, _) in digests(history, session, own) {
            for followed in self.contexts.after(digest) {
                let confidence = f64::from(followed.times) / (f64::from(followed.total) + 1.0);
                if followed.total < SUPPORT || followed.by == latest || confidence < floor {
                    continue;
                }
                match guesses.iter_mut().find(|guess| guess.tag == followed.by) {
                    Some(guess) => guess.confidence = guess.confidence.max(confidence),
                    None => guesses.push(Guess { tag: followed.by, confidence }),
                }
            }
        }
        guesses.sort_by(|one, other| other.confidence.total_cmp(&one.confidence));
        guesses.truncate(MOST_NAMED);
        guesses
    }

    /// Returns how many contexts are known.
    pub fn num_contexts(&self) -> usize {
        self.contexts.len()
    }

    /// Returns about how many bytes of memory are taken.
    pub fn bytes(&self) -> usize {
        self.contexts.bytes() + self.sessions.bytes()
    }
}

/// Returns the digests of the contexts that a history ends in, shortest first: everybody's, and the
/// session's own, which are marked so.
fn digests(
    history: &History,
    session: u64,
    own: bool,
) -> impl Iterator<Item = (u64, bool)> + use<> {
    let (keys, num) = (history.keys, usize::from(history.num));
    (1..=num).flat_map(move |order| {
        let seed = u64::try_from(order).unwrap_or_default();
        let of_all = keys
            .iter()
            .take(order)
            .fold(mix(seed), |digest, key| mix(digest ^ u64::from(key.as_u32())));
        let of_own = own.then(|| (mix(of_all ^ mix(session)), true));
        std::iter::once((of_all, false)).chain(of_own)
    })
}

/// The finaliser of SplitMix64: every bit of the input stirs every bit of the output.
const fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
#[path = "sequences_tests.rs"]
mod tests;
