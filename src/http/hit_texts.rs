//! The texts that hits have in common, each made once.
//!
//! A text of its own for every hit would cost an allocation and the formatting; one kept with every
//! answer would cost memory, and a look at memory that no other hit has just looked at.

use std::cell::RefCell;
use std::time::Duration;

use actix_web::http::header::HeaderValue;
use anteroom_actors::model::Level;

use super::respond::{Timing, timing_text, value};

/// One worker's texts: of `Server-Timing`, `Age` and `Cache-Status`.
#[derive(Debug)]
pub struct HitTexts {
    timings: Vec<HeaderValue>,
    ages: RefCell<Recent<u64>>,
    statuses: RefCell<Recent<(u64, Level)>>,
}

impl HitTexts {
    /// Times below so many microseconds have their texts ready: a hit takes some ten.
    const READY_BELOW_US: u64 = 256;

    /// Makes the texts that are ready from the start.
    pub fn new() -> Self {
        let times = (0..Self::READY_BELOW_US).map(Duration::from_micros);
        Self {
            timings: times.map(timing_of_hit).collect(),
            ages: RefCell::default(),
            statuses: RefCell::default(),
        }
    }

    /// Returns the `Server-Timing` of a hit that took `total`, all of it the cache's.
    pub fn timing(&self, total: Duration) -> HeaderValue {
        let micros = usize::try_from(total.as_micros());
        let ready = micros.ok().and_then(|micros| self.timings.get(micros));
        ready.cloned().unwrap_or_else(|| timing_of_hit(total))
    }

    /// Returns the `Age` of so many seconds.
    pub fn age(&self, age_s: u64) -> HeaderValue {
        self.ages.borrow_mut().get(age_s, age_s, || HeaderValue::from(age_s))
    }

    /// Returns the `Cache-Status` of a hit in `level` that stays fresh for `ttl_s` more seconds.
    pub fn cache_status(&self, ttl_s: u64, level: Level) -> HeaderValue {
        let make = || value(format!("anteroom; hit; ttl={ttl_s}; detail={level}"));
        self.statuses.borrow_mut().get((ttl_s, level), ttl_s, make)
    }
}

impl Default for HitTexts {
    fn default() -> Self {
        Self::new()
    }
}

fn timing_of_hit(total: Duration) -> HeaderValue {
    value(timing_text(Timing { cache: total, upstream: None, total }))
}

/// Texts made lately, at most one for each place.
#[derive(Debug)]
struct Recent<K>([Option<(K, HeaderValue)>; RECENT]);

/// Hot answers are made at about the same time, or have ages and lives left that a worker sees again
/// within a second: so many of them at once find their texts.
const RECENT: usize = 128;

impl<K> Default for Recent<K> {
    fn default() -> Self {
        Self([const { None }; RECENT])
    }
}

impl<K: PartialEq> Recent<K> {
    /// Returns the text of `key`, which `make` makes where it is not there; `number` says where it
    /// lies.
    fn get(&mut self, key: K, number: u64, make: impl FnOnce() -> HeaderValue) -> HeaderValue {
        let at = usize::try_from(number).unwrap_or(usize::MAX) % RECENT;
        let Some(place) = self.0.get_mut(at) else { return make() };
        match place {
            Some((kept, text)) if *kept == key => text.clone(),
            _ => place.insert((key, make())).1.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_that_of_its_own_numbers() {
        let texts = HitTexts::new();
        let many = u64::try_from(RECENT).unwrap();
        // Twice, so that each is made and found; the last ones have the places of the first.
        for number in (0..3 * many).flat_map(|number| [number, number]) {
            assert_eq!(texts.age(number), number.to_string());
            for level in [Level::L1, Level::L2] {
                let status = format!("anteroom; hit; ttl={number}; detail={level}");
                assert_eq!(texts.cache_status(number, level), status);
            }
        }
    }

    #[test]
    fn a_slow_hit_has_its_text_too() {
        let texts = HitTexts::new();
        for (micros, text) in [
            (0, "cache;dur=0.000, total;dur=0.000"),
            (255, "cache;dur=0.255, total;dur=0.255"),
            (12_345, "cache;dur=12.345, total;dur=12.345"),
        ] {
            assert_eq!(texts.timing(Duration::from_micros(micros)), text);
        }
    }
}
