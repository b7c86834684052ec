//! RFC 9111 §4.1: whose request does a kept answer answer?

use super::{BOTH, FRESH, Rig};

/// §4.1: all nominated fields must be as they were; absent matches absent.
#[test]
fn nominated_fields_must_be_as_they_were() {
    let rig = Rig::start();
    for base in BOTH {
        for (number, (vary, first, second, is_kept)) in [
            ("X-Tier", vec![("X-Tier", "a")], vec![("X-Tier", "a")], true),
            ("X-Tier", vec![("X-Tier", "a")], vec![("X-Tier", "b")], false),
            ("X-Tier", vec![("X-Tier", "a")], vec![], false),
            ("X-Tier", vec![], vec![("X-Tier", "a")], false),
            ("X-Tier", vec![], vec![("X-Other", "a")], true),
            (
                "x-tier, X-Region",
                vec![("X-Tier", "a")],
                vec![("X-Tier", "a"), ("X-Region", "b")],
                false,
            ),
            ("*", vec![], vec![], false),
            // The gateway asks for plain bytes, whatever its caller takes.
            ("Accept-Encoding", vec![("Accept-Encoding", "gzip")], vec![], true),
        ]
        .into_iter()
        .enumerate()
        {
            let target = format!("{base}vary/{number}");
            rig.says(200, &[FRESH, ("Vary", vary)], "one");
            assert_eq!(rig.get_with(&target, &first).expect_status(200).text(), "one");
            // Twice, so that a lease would show.
            if is_kept || vary == "X-Tier" {
                assert!(rig.is_kept(&target, &first), "{base} {vary} {first:?}");
            }
            assert_eq!(rig.is_kept(&target, &second), is_kept, "{base} {vary} {second:?}");
        }
    }
}

/// §4.1, §4.3.1: where the fields do not match, the origin may call the kept answer right all the same.
#[test]
fn an_answer_of_another_selection_may_be_called_right() {
    let rig = Rig::start();
    for base in BOTH {
        let target = format!("{base}select");
        let headers = [FRESH, ("Vary", "X-Tier"), ("ETag", "\"one\"")];
        rig.says(200, &headers, "one");
        rig.get_with(&target, &[("X-Tier", "a")]).expect_status(200);
        rig.says(304, &headers, "");
        let answer = rig.get_with(&target, &[("X-Tier", "b")]).expect_status(200);
        assert_eq!(answer.text(), "one", "{answer}");
        assert_eq!(rig.last().headers.get("if-none-match"), Some("\"one\""));
        assert!(rig.is_kept(&target, &[("X-Tier", "b")]), "{base}");
    }
}
