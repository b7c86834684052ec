//! RFC 9111 §4.2.3, §5.1: how old is an answer?

use super::{BOTH, FRESH, Rig, date};

/// §4, §4.2.3, §5.1: a kept answer says its age, once: the larger of what clocks and caches on the way
/// say, in place of the age it came with.
#[test]
fn a_kept_answer_says_its_age_in_place_of_any_it_came_with() {
    let rig = Rig::start();
    let minute_ago = date(-60);
    let dated = ("Date", minute_ago.as_str());
    for (number, (headers, least)) in [
        (vec![FRESH], 0),
        (vec![FRESH, ("Age", "7")], 7),
        (vec![FRESH, dated], 60),
        (vec![FRESH, dated, ("Age", "120")], 120),
        (vec![FRESH, ("Age", "x")], 0),
        (vec![FRESH, ("Age", "-5")], 0),
    ]
    .into_iter()
    .enumerate()
    {
        for base in BOTH {
            let target = format!("{base}age/{number}");
            rig.keep(&target, &headers);
            let hit = rig.get(&target).expect_status(200);
            let ages = hit.headers.all("age");
            let age: u64 = ages[0].parse().expect("seconds");
            assert!(ages.len() == 1 && (least..least + 30).contains(&age), "{hit}");
        }
    }
}

/// §4.2.3: an age too large to write down is none that is fresh.
#[test]
fn an_answer_older_than_any_lifetime_is_stale() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}ancient");
        rig.keep(&target, &[FRESH, ("Age", "99999999999999999999")]);
        assert!(!rig.is_kept(&target, &[]), "{base}");
    }
}
