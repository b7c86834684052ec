//! RFC 9111 §4.4: what unsafe methods make of kept answers.

use super::{BOTH, FRESH, OWN, Rig};

/// §4.4: a non-error answer to an unsafe method invalidates its target, and no other.
#[test]
fn an_unsafe_method_that_succeeds_invalidates_its_target() {
    let rig = Rig::start();
    for base in BOTH {
        for (method, status, is_kept) in [
            ("POST", 200, false),
            ("PUT", 204, false),
            ("DELETE", 202, false),
            ("PATCH", 303, false),
            ("FOO", 200, false),
            ("POST", 404, true),
            ("DELETE", 500, true),
            ("OPTIONS", 200, true),
        ] {
            let target = format!("{base}thing/{method}{status}?a=1");
            let other = format!("{base}thing/{method}{status}?a=2");
            rig.keep(&target, &[FRESH]);
            rig.keep(&other, &[FRESH]);
            rig.says(status, &[], "");
            assert_eq!(rig.ask(method, &target, &[]).status, status);
            assert_eq!(rig.is_kept(&target, &[]), is_kept, "{method} {status}");
            assert!(rig.is_kept(&other, &[]), "{method} {status}");
        }
    }
}

/// §4.4: so are the targets of the same origin that Location and Content-Location name.
#[test]
fn targets_that_the_answer_names_are_invalidated_too() {
    let rig = Rig::start();
    let own = rig.provider.url();
    for base in BOTH {
        for (number, (name, value, is_kept)) in [
            ("Location", format!("{base}named/0"), false),
            ("Content-Location", format!("{own}{base}named/1"), false),
            ("Location", format!("http://elsewhere.example{base}named/2"), true),
        ]
        .into_iter()
        .enumerate()
        {
            let target = format!("{base}named/{number}");
            rig.keep(&target, &[FRESH]);
            rig.says(201, &[(name, &value)], "");
            rig.ask("POST", &format!("{base}named"), &[]).expect_status(201);
            assert_eq!(rig.is_kept(&target, &[]), is_kept, "{value}");
        }
    }
}

/// §4.4: of every credential's answers.
#[test]
fn answers_of_all_credentials_are_invalidated() {
    let rig = Rig::start();
    let target = format!("{OWN}everyone's");
    let (one, other) = ([("X-Api-Key", "one")], [("X-Api-Key", "other")]);
    for show in [&one, &other] {
        rig.says(200, &[FRESH], "one");
        rig.get_with(&target, show).expect_status(200);
        assert!(rig.is_kept(&target, show));
    }
    rig.says(204, &[], "");
    rig.ask("PUT", &target, &one).expect_status(204);
    for show in [&one, &other] {
        assert!(!rig.is_kept(&target, show));
    }
}
