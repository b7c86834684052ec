//! RFC 9111 §3.5, §5.2.2.7, §7: what one caller's answer may tell another.

use super::{BOTH, FRESH, OWN, Rig, SHARED};

const KEY: (&str, &str) = ("Authorization", "Bearer of-one");

/// §3.5: the answer to a credential is shared by leave only, and its owner's on a private route.
#[test]
fn an_answer_to_a_credential_is_shared_by_leave_only() {
    let rig = Rig::start();
    for (number, (control, shared)) in [
        ("max-age=600", false),
        ("public, max-age=600", true),
        ("s-maxage=600", true),
        ("max-age=600, must-revalidate", true),
        ("public, private, max-age=600", false),
    ]
    .into_iter()
    .enumerate()
    {
        for base in BOTH {
            let target = format!("{base}authorized/{number}");
            rig.says(200, &[("Cache-Control", control)], "one");
            rig.get_with(&target, &[KEY]).expect_status(200);
            let own = base == OWN || shared;
            assert_eq!(rig.is_kept(&target, &[KEY]), own, "{base} {control}");
            let stranger = [("Authorization", "Bearer of-another")];
            assert_eq!(
                rig.is_kept(&target, &stranger),
                base == SHARED && shared,
                "{base} {control}"
            );
        }
    }
}

/// §4.1, §3.5: a shared answer that varies by the credential is its owner's.
#[test]
fn a_shared_answer_that_varies_by_the_credential_is_its_owners() {
    let rig = Rig::start();
    let target = format!("{SHARED}varies");
    rig.says(200, &[("Cache-Control", "public, max-age=600"), ("Vary", "Authorization")], "one");
    rig.get_with(&target, &[KEY]).expect_status(200);
    assert!(rig.is_kept(&target, &[KEY]));
    assert!(rig.is_kept(&target, &[KEY]));
    assert!(!rig.is_kept(&target, &[("Authorization", "Bearer of-another")]));
    assert!(!rig.is_kept(&target, &[]));
}

/// §5.2.2.7: fields that private names are in no shared answer, nor do those who wait get them.
#[test]
fn fields_that_private_names_are_not_shared() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}fields");
        let control = ("Cache-Control", "max-age=600, private=\"X-Account\"");
        rig.keep(&target, &[control, ("X-Account", "of-one")]);
        rig.says(200, &[FRESH], "two");
        let answer = rig.get(&target).expect_status(200);
        let expected = (base == OWN).then_some("of-one");
        assert_eq!(answer.header("x-account"), expected, "{answer}");
        if base == OWN {
            // The reply nobody fetched.
            rig.get(&format!("{OWN}left"));
        }
    }
}
