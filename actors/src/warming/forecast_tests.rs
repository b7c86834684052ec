use proptest::prelude::*;

use super::*;
use crate::model::CacheKey;

const RESIDENCE_MS: u64 = 300_000;
const SECOND: u64 = 1_000;

fn forecast() -> Forecast {
    Forecast::new(ForecastSettings::new(RESIDENCE_MS))
}

fn key(number: u32) -> CacheKey {
    let mut digest = [0; 32];
    for (byte, from) in digest.iter_mut().skip(8).zip(number.to_le_bytes()) {
        *byte = from;
    }
    CacheKey::new(digest)
}

fn seen(number: u32, session: u64, found: FoundIn, at_ms: u64) -> Seen {
    Seen { key: key(number), session, is_one_of_many: true, found, fresh_for_ms: None, at_ms }
}

/// Carries proposals out as an L1 would that has room for all; returns what was really done.
fn carry_out(forecast: &mut Forecast, proposals: &[Proposal], now_ms: u64) -> Vec<Proposal> {
    for proposal in proposals {
        forecast.done(proposal, Done::Loaded(None), now_ms);
    }
    proposals.iter().filter(|proposal| !proposal.is_trial).copied().collect()
}

/// A page and its picture, over and over, in sessions of their own; both have left L1 each time.
fn pages(forecast: &mut Forecast, from: u64, rounds: u64) -> Vec<Proposal> {
    let mut done = Vec::new();
    for round in from..from + rounds {
        let at_ms = 1 + round * 1_000 * SECOND;
        forecast.due(at_ms);
        let proposals = forecast.seen(&seen(1, round, FoundIn::Beyond, at_ms));
        let now = carry_out(forecast, &proposals, at_ms);
        let found = if now.is_empty() { FoundIn::Beyond } else { FoundIn::L1 };
        done.extend(now);
        forecast.seen(&seen(2, round, found, at_ms + SECOND));
    }
    done
}

#[test]
fn what_follows_is_promoted_once_the_guess_has_come_true_often_enough() {
    let mut forecast = forecast();
    assert_eq!(pages(&mut forecast, 0, 10), [], "guesses are watched first");
    let done = pages(&mut forecast, 10, 30);
    assert!(done.len() >= 15, "{}", done.len());
    let Proposal { act, bucket, .. } = done[0];
    assert_eq!((done[0].key, act, bucket.source()), (key(2), Act::Promote, Source::Sequence));
    let Tally { done, calls, used, wasted } = forecast.tally();
    assert_eq!((done, used, wasted, calls), (used, done, 0, 0));
    assert!(forecast.warm_share() < 1e-9, "all were used");
}

#[test]
fn a_guess_that_has_run_out_is_regenerated() {
    let mut forecast = forecast();
    for round in 0..3 {
        let at_ms = 1 + round * 1_000 * SECOND;
        for (number, later) in [(1, 0), (2, SECOND)] {
            let seen = Seen {
                fresh_for_ms: Some(600 * SECOND),
                ..seen(number, round, FoundIn::Nowhere, at_ms + later)
            };
            forecast.seen(&seen);
        }
    }
    let at_ms = 10_000 * SECOND;
    let proposals = forecast.seen(&seen(1, 99, FoundIn::Nowhere, at_ms));
    assert_eq!(proposals.len(), 1);
    assert_eq!((proposals[0].key, proposals[0].act), (key(2), Act::Regenerate));
}

#[test]
fn a_key_that_was_just_looked_for_is_not_proposed_again() {
    let mut forecast = forecast();
    pages(&mut forecast, 0, 5);
    let at_ms = 1_000_000 * SECOND;
    let proposals = forecast.seen(&seen(1, 50, FoundIn::Beyond, at_ms));
    assert_eq!(proposals.len(), 1);
    forecast.done(&proposals[0], Done::Present, at_ms);
    assert_eq!(forecast.seen(&seen(1, 51, FoundIn::L1, at_ms + 500)), []);
    assert_eq!(forecast.seen(&seen(1, 52, FoundIn::L1, at_ms + 1_500)).len(), 1);
}

/// Asks for a popular key every 20 s, found where the forecast's promotions have brought it.
fn popular(forecast: &mut Forecast, hours: u64, fresh_for_ms: Option<u64>) -> Vec<Proposal> {
    let mut done = Vec::new();
    let (mut leaves_ms, mut stale_ms) = (0, 0);
    for at_ms in (1..hours * 3_600 * SECOND).step_by(20_000) {
        // Some jitter: it has no rhythm.
        let at_ms = at_ms + (at_ms / 7_919) % 9_000;
        for proposal in forecast.due(at_ms) {
            if !proposal.is_trial {
                leaves_ms = at_ms + RESIDENCE_MS;
                if proposal.act.calls() {
                    stale_ms = fresh_for_ms.map_or(u64::MAX, |fresh| at_ms + fresh);
                }
                done.push(proposal);
            }
            let is_new = proposal.act.calls();
            let left = if is_new { fresh_for_ms } else { fresh_for_ms.map(|_| stale_ms - at_ms) };
            forecast.done(&proposal, Done::Loaded(left), at_ms);
        }
        let found = match (stale_ms > at_ms, leaves_ms.min(stale_ms) > at_ms) {
            (_, true) => FoundIn::L1,
            (true, false) => FoundIn::Beyond,
            (false, false) => FoundIn::Nowhere,
        };
        if found == FoundIn::Nowhere {
            stale_ms = fresh_for_ms.map_or(u64::MAX, |fresh| at_ms + fresh);
        }
        if found != FoundIn::L1 {
            leaves_ms = at_ms + RESIDENCE_MS;
        }
        let fresh_for_ms = fresh_for_ms.map(|_| stale_ms - at_ms);
        forecast.seen(&Seen { fresh_for_ms, ..seen(1, 1, found, at_ms) });
    }
    done
}

#[test]
fn what_is_popular_stays_in_l1() {
    let mut forecast = forecast();
    let done = popular(&mut forecast, 6, None);
    assert!(done.len() > 40, "{}", done.len());
    assert!(done.iter().all(|p| p.act == Act::Promote && p.bucket.source() == Source::Popular));
    assert_eq!(forecast.tally().wasted, 0);
}

#[test]
fn what_is_popular_is_fetched_before_it_runs_out() {
    let mut forecast = forecast();
    let done = popular(&mut forecast, 60, Some(7_200 * SECOND));
    let fetched = done.iter().filter(|proposal| proposal.act == Act::Refresh).count();
    assert!(fetched >= 15, "{fetched}");
    assert_eq!(u64::try_from(fetched), Ok(forecast.tally().calls));
}

#[test]
fn what_comes_by_the_clock_is_there_before_it_comes() {
    let mut forecast = forecast();
    let mut brought = 0;
    for beat in 1..60_u64 {
        let at_ms = beat * 3_600 * SECOND;
        let proposals = forecast.due(at_ms - 500);
        assert!(proposals.iter().all(|proposal| proposal.bucket.source() == Source::Period));
        let found = if carry_out(&mut forecast, &proposals, at_ms - 500).is_empty() {
            FoundIn::Beyond
        } else {
            brought += 1;
            FoundIn::L1
        };
        forecast.seen(&seen(1, 1, found, at_ms));
    }
    assert!(brought > 35, "{brought}");
}

/// Many answers that live for long may come; those that run out soon are still thought of.
#[test]
fn many_that_live_for_long_crowd_out_none_that_runs_out_soon() {
    let settings = ForecastSettings { keys: 64, ..ForecastSettings::new(RESIDENCE_MS) };
    let mut forecast = Forecast::new(settings);
    for number in 1_000..20_000 {
        let fresh_for_ms = Some(1_000_000 * SECOND);
        forecast.seen(&Seen { fresh_for_ms, ..seen(number, 2, FoundIn::Nowhere, 1) });
    }
    assert!(popular(&mut forecast, 6, None).len() > 40);
}

#[test]
fn each_half_can_be_off() {
    let settings = ForecastSettings::new(RESIDENCE_MS);
    let mut forecast = Forecast::new(ForecastSettings { sequences: false, ..settings.clone() });
    assert_eq!(pages(&mut forecast, 0, 100), []);
    let mut forecast = Forecast::new(ForecastSettings { renewals: false, ..settings });
    assert_eq!(popular(&mut forecast, 6, None), []);
}

/// Issue 4: predictor and curve together at most 16 MB at a million keys, and flat after.
#[test]
fn memory_is_bounded_at_a_million_keys() {
    let mut forecast = forecast();
    let mut state = 1_u64;
    let mut bytes = Vec::new();
    for step in 0..1_050_000_u64 {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        let number = u32::try_from(step).unwrap_or_default();
        let fresh_for_ms = Some(7_200 * SECOND);
        let seen = Seen { fresh_for_ms, ..seen(number, state >> 50, FoundIn::Nowhere, step * 10) };
        let proposals = forecast.seen(&seen);
        carry_out(&mut forecast, &proposals, step * 10);
        if step % 100 == 0 {
            let proposals = forecast.due(step * 10);
            carry_out(&mut forecast, &proposals, step * 10);
        }
        if step % 350_000 == 349_999 {
            bytes.push(forecast.bytes());
        }
    }
    assert!(bytes.iter().all(|bytes| *bytes < 13 * 1024 * 1024), "{bytes:?}");
    // Flat, but for what the generations' tables grow and shrink by.
    assert!(bytes[2] <= bytes[0].max(bytes[1]) + 512 * 1024, "{bytes:?}");
}

proptest! {
    #[test]
    fn proposals_are_of_known_keys_and_within_bounds(
        steps in prop::collection::vec((0_u32..12, 0_u64..3, 0_u8..3, 0_u64..400), 0..400),
    ) {
        let mut forecast = forecast();
        let mut now_ms = 0;
        for (number, session, found, step_s) in steps {
            now_ms += step_s * SECOND;
            let mut proposals = forecast.due(now_ms);
            let found = [FoundIn::L1, FoundIn::Beyond, FoundIn::Nowhere][usize::from(found)];
            proposals.extend(forecast.seen(&seen(number, session, found, now_ms)));
            for proposal in &proposals {
                prop_assert!((0.4..1.0).contains(&proposal.confidence));
                prop_assert!((0..12).any(|number| key(number) == proposal.key));
            }
            carry_out(&mut forecast, &proposals, now_ms);
            let Tally { done, used, wasted, calls } = forecast.tally();
            prop_assert!(used + wasted <= done && calls <= done);
            prop_assert!((0.0..=0.1).contains(&forecast.warm_share()));
        }
    }
}
