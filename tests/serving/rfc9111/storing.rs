//! RFC 9111 §3: what is kept?

use super::{BOTH, FRESH, OWN, Rig, SHARED};

/// §3, §5.2.2.3 to §5.2.2.7: what the answer says of being kept.
#[test]
fn what_an_answer_says_decides_whether_it_is_kept() {
    let rig = Rig::start();
    for (number, (control, own, shared)) in [
        ("no-store", false, false),
        ("max-age=600, No-Store", false, false),
        ("private, max-age=600", true, false),
        ("public, max-age=600", true, true),
        ("max-age=600, unknown-one", true, true),
        ("no-store, must-understand, max-age=600", true, true),
        ("no-cache", false, false),
    ]
    .into_iter()
    .enumerate()
    {
        for (base, expected) in [(OWN, own), (SHARED, shared)] {
            let target = format!("{base}control/{number}");
            rig.keep(&target, &[("Cache-Control", control)]);
            assert_eq!(rig.is_kept(&target, &[]), expected, "{base} {control}");
        }
    }
}

/// §3, §3.3, RFC 9110 §15.1: which statuses are kept: with a lifetime of their own, or by themselves.
/// Refusals and failures never are.
#[test]
fn which_statuses_are_kept() {
    let rig = Rig::start();
    for (number, (status, headers, is_kept)) in [
        (203, vec![], true),
        (204, vec![], true),
        (301, vec![], true),
        (302, vec![], false),
        (302, vec![FRESH], true),
        (404, vec![], false),
        (404, vec![FRESH], true),
        (410, vec![FRESH], true),
        (418, vec![], false),
        (206, vec![FRESH, ("Content-Range", "bytes 0-2/9")], false),
        (200, vec![FRESH, ("Content-Range", "bytes 0-2/9")], false),
        (401, vec![FRESH], false),
        (403, vec![FRESH], false),
        (500, vec![FRESH], false),
        (503, vec![FRESH], false),
    ]
    .into_iter()
    .enumerate()
    {
        for base in BOTH {
            // A credential that was refused goes past the cache for a while: each status has its own.
            let owner = format!("Bearer {number}");
            let show: &[(&str, &str)] =
                if base == OWN { &[("Authorization", owner.as_str())] } else { &[] };
            if base == SHARED && matches!(status, 401 | 403) {
                continue;
            }
            let target = format!("{base}status/{number}");
            let body = if status == 204 { "" } else { "one" };
            rig.says(status, &headers, body).says(status, &headers, body);
            let calls = rig.provider.num_calls();
            for _ in 0..2 {
                assert_eq!(rig.get_with(&target, show).status, status);
            }
            let answered = rig.provider.num_calls() == calls + 1;
            assert_eq!(answered, is_kept, "{base} {status} {headers:?}");
            if answered {
                // The reply nobody fetched.
                rig.get(&format!("{base}left/{number}"));
            }
        }
    }
}

/// §3: an answer to another method than GET is not kept.
#[test]
fn answers_to_other_methods_are_not_kept() {
    let rig = Rig::start();
    for base in BOTH {
        for method in ["OPTIONS", "PUT", "PATCH"] {
            let target = format!("{base}method/{method}");
            for body in ["one", "two"] {
                rig.says(200, &[FRESH], body);
                assert_eq!(rig.ask(method, &target, &[]).expect_status(200).text(), body);
            }
        }
    }
}
