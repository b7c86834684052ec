use proptest::prelude::*;

use super::*;

fn rules(value: &str, sharing: Sharing) -> Rules {
    let fields = [("cache-control", value.as_bytes())];
    Rules::of(&ResponseDirectives::parse(fields.into_iter()), sharing)
}

fn life(received_ms: u64, initial_age_ms: u64, lifetime_ms: u64) -> Life {
    Life { received_ms, initial_age_ms, lifetime_ms, rules: Rules::default() }
}

/// RFC 9111 §4.2: fresh as long as the lifetime is longer than the age, not one moment more.
#[test]
fn an_answer_is_fresh_while_its_lifetime_exceeds_its_age() {
    let life = life(10_000, 2_000, 5_000);
    for (now, fresh, age, left, stale) in [
        (10_000, true, 2_000, 3_000, 0),
        (12_999, true, 4_999, 1, 0),
        (13_000, false, 5_000, 0, 0),
        (14_000, false, 6_000, 0, 1_000),
        (9_000, true, 2_000, 3_000, 0),
        (0, true, 2_000, 3_000, 0),
    ] {
        assert_eq!(life.is_fresh(now), fresh, "at {now}");
        assert_eq!(life.age_ms(now), age, "at {now}");
        assert_eq!(life.remaining_ms(now), left, "at {now}");
        assert_eq!(life.staleness_ms(now), stale, "at {now}");
    }
    assert_eq!(life.made_ms(), 8_000);
    assert_eq!(life.age_s(14_999), 6);
}

/// RFC 9111 §4.2.3: the time in this cache adds to the age that the answer came with.
#[test]
fn the_time_in_this_cache_adds_to_the_age() {
    let fields = [("age", b"7".as_slice()), ("cache-control", b"max-age=60")];
    let directives = ResponseDirectives::parse(fields.into_iter());
    let exchange = Exchange { requested_ms: 1_000_000, received_ms: 1_000_500 };
    let life =
        Life::of(fields.into_iter(), 200, &directives, Sharing::Private, exchange, Heuristic::NONE);
    assert_eq!(life.initial_age_ms, 7_500);
    assert_eq!(life.age_ms(1_003_500), 10_500);
    assert_eq!(life.remaining_ms(1_003_500), 49_500);
}

/// RFC 9111 §5.1, §1.2.2: an age that cannot be said is 2^31, and it keeps nothing fresh.
#[test]
fn an_age_beyond_all_bounds_is_stale() {
    let life = life(1_000, u64::MAX, 60_000);
    assert_eq!(life.age_s(5_000), 1 << 31);
    assert!(!life.is_fresh(0));
    assert_eq!(life.made_ms(), 0);
}

/// RFC 9111 §5.2.2.2, §5.2.2.4, §5.2.2.8, §5.2.2.10: who is bound by what.
#[test]
fn directives_bind_the_caches_they_are_meant_for() {
    for (value, private, shared) in [
        ("", (false, false), (false, false)),
        ("max-age=60", (false, false), (false, false)),
        ("no-cache", (true, false), (true, false)),
        ("no-cache=\"set-cookie\"", (false, false), (false, false)),
        ("must-revalidate", (false, true), (false, true)),
        ("proxy-revalidate", (false, false), (false, true)),
        ("s-maxage=60", (false, false), (false, true)),
    ] {
        for (sharing, expected) in [(Sharing::Private, private), (Sharing::Shared, shared)] {
            let found = rules(value, sharing);
            let found = (found.always_validate, found.never_stale);
            assert_eq!(found, expected, "{value} {sharing:?}");
        }
    }
    let found = rules("stale-while-revalidate=3, stale-if-error=5", Sharing::Private);
    assert_eq!(found.while_revalidate_ms, Some(3_000));
    assert_eq!(found.if_error_ms, Some(5_000));
}

/// RFC 9111 §4.4: an invalidated answer is in need of validation, whatever it was.
#[test]
fn an_invalidated_answer_needs_validation() {
    let life = life(1_000, 0, 60_000).invalidated();
    assert!(!life.is_fresh(1_000) && life.rules.always_validate);
    assert_eq!(life.received_ms, 1_000);
}

proptest! {
    /// RFC 9111 §4.2.3: an age is never negative, and time only adds to it.
    #[test]
    fn age_never_falls_below_the_initial_one_and_only_grows(
        received in any::<u64>(),
        initial in any::<u64>(),
        lifetime in any::<u64>(),
        now in any::<u64>(),
        later in any::<u64>(),
    ) {
        let life = life(received, initial, lifetime);
        let (now, later) = (now.min(later), now.max(later));
        prop_assert!(life.age_ms(now) >= initial);
        prop_assert!(life.age_ms(now) <= life.age_ms(later));
        prop_assert!(life.remaining_ms(now) >= life.remaining_ms(later));
    }

    /// RFC 9111 §4.2: what has turned stale stays so, and what is fresh has some time left.
    #[test]
    fn freshness_is_lost_once(
        received in any::<u32>(),
        initial in any::<u32>(),
        lifetime in any::<u32>(),
        now in any::<u64>(),
        later in any::<u64>(),
    ) {
        let life = life(u64::from(received), u64::from(initial), u64::from(lifetime));
        let (now, later) = (now.min(later), now.max(later));
        prop_assert!(life.is_fresh(now) || !life.is_fresh(later));
        prop_assert_eq!(life.is_fresh(now), life.remaining_ms(now) > 0);
        prop_assert!(life.remaining_ms(now) == 0 || life.staleness_ms(now) == 0);
    }
}
