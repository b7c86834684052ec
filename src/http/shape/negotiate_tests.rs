use proptest::prelude::*;

use super::Encoding::{Brotli, Gzip, Identity};
use super::*;

const ALL: [Encoding; 3] = [Identity, Gzip, Brotli];

fn accepted(lines: &[&str]) -> Accepted {
    Accepted::parse(lines.iter().map(|line| line.as_bytes()))
}

/// Everything the caller accepts, best first.
fn order(accepted: Accepted) -> Vec<Encoding> {
    let mut left = ALL.to_vec();
    let mut order = Vec::new();
    while let Some(chosen) = accepted.choose(&left) {
        order.push(chosen);
        left.retain(|encoding| *encoding != chosen);
    }
    order
}

/// RFC 9110 §12.5.3: its examples first, then each of its rules.
#[test]
fn encodings_are_ordered_by_the_rules_of_the_standard() {
    let cases: [(&[&str], &[Encoding]); 45] = [
        (&["compress, gzip"], &[Gzip, Identity]),
        (&[""], &[Identity]),
        (&["*"], &[Brotli, Gzip, Identity]),
        (&["compress;q=0.5, gzip;q=1.0"], &[Gzip, Identity]),
        (&["gzip;q=1.0, identity; q=0.5, *;q=0"], &[Gzip, Identity]),
        // No line at all.
        (&[], &[Identity]),
        // What clients send.
        (&["gzip, deflate, br, zstd"], &[Brotli, Gzip, Identity]),
        (&["gzip, deflate"], &[Gzip, Identity]),
        (&["gzip,deflate,br"], &[Brotli, Gzip, Identity]),
        (&["br"], &[Brotli, Identity]),
        (&["identity"], &[Identity]),
        // Weights.
        (&["br;q=0.1, gzip;q=0.2"], &[Gzip, Brotli, Identity]),
        (&["gzip;q=0.5, br;q=0.5, identity;q=0.5"], &[Brotli, Gzip, Identity]),
        (&["gzip;q=0.001, identity;q=0.002"], &[Identity, Gzip]),
        (&["gzip;q=0.4, identity"], &[Identity, Gzip]),
        (&["br;q=0, gzip"], &[Gzip, Identity]),
        (&["gzip;q=0"], &[Identity]),
        (&["gzip;q=0.000, br;q=1.000"], &[Brotli, Identity]),
        // identity, named or not.
        (&["identity;q=0"], &[]),
        (&["identity;q=0, gzip"], &[Gzip]),
        (&["br, identity;q=0.0"], &[Brotli]),
        (&["*;q=0"], &[]),
        (&["*;q=0, gzip"], &[Gzip]),
        (&["*;q=0, identity"], &[Identity]),
        (&["*;q=0.5, gzip;q=0.1"], &[Brotli, Identity, Gzip]),
        (&["identity;q=0, *;q=0.1"], &[Brotli, Gzip]),
        (&["*, br;q=0"], &[Gzip, Identity]),
        (&["gzip;q=0.5, *;q=0"], &[Gzip]),
        // Names.
        (&["x-gzip"], &[Gzip, Identity]),
        (&["X-GZIP;Q=0.5, BR;q=0.4"], &[Gzip, Brotli, Identity]),
        (&["gzip2, bro, brotli, zstd"], &[Identity]),
        (&["gzip, x-gzip;q=0"], &[Identity]),
        // Spacing.
        (&[" \t gzip \t ;\t q=0.5 \t , \t br ; q=0.6 "], &[Brotli, Gzip, Identity]),
        (&[",, ,gzip,,"], &[Gzip, Identity]),
        // Several lines are one list.
        (&["gzip", "br"], &[Brotli, Gzip, Identity]),
        (&["gzip;q=1", "", "identity;q=0"], &[Gzip]),
        // A malformed item is passed over.
        (&["gzip;q=1.001, br"], &[Brotli, Identity]),
        (&["gzip;q=2, br;q=0.5"], &[Brotli, Identity]),
        (&["gzip;q=0.1234, gzip;q=.5, gzip;q=-1, gzip;q=0,5"], &[Identity]),
        (&["gzip;q=, gzip;, gzip;q, gzip;x=1, gzip;q=1;q=1"], &[Identity]),
        (&["gzip q=1, g zip, gzip;q = 1, gzip;q=\"1\""], &[Identity]),
        (&["identity;q=x, gzip"], &[Gzip, Identity]),
        (&["*;q=x, gzip"], &[Gzip, Identity]),
        (&["gzip;q=1., br;q=0."], &[Gzip, Identity]),
        (&["\u{e9}, gzip\0, br"], &[Brotli, Identity]),
    ];
    for (lines, expected) in cases {
        assert_eq!(order(accepted(lines)), expected, "{lines:?}");
    }
}

#[test]
fn the_choice_is_among_what_is_there() {
    let any = accepted(&["br, gzip;q=0.5"]);
    assert_eq!(any.choose(&[Identity, Gzip]), Some(Gzip));
    assert_eq!(any.choose(&[Identity]), Some(Identity));
    assert_eq!(any.choose(&[]), None);
    assert_eq!(accepted(&["gzip, identity;q=0"]).choose(&[Identity, Brotli]), None);
    assert_eq!(accepted(&[]), Accepted::default());
}

#[test]
fn callers_of_one_taste_are_equal() {
    assert_eq!(accepted(&["gzip, deflate, br"]), accepted(&["br;q=0.9,gzip;q=0.8"]));
    assert_eq!(accepted(&["*"]).code(), accepted(&["br", "gzip"]).code());
    assert_ne!(accepted(&["br"]).code(), accepted(&["gzip"]).code());
}

proptest! {
    #[test]
    fn a_heavier_coding_goes_first(brotli in 0_u16..=1_000, gzip in 0_u16..=1_000) {
        let weight = |weight: u16| format!("{}.{:03}", weight / 1_000, weight % 1_000);
        let line = format!("gzip;q={}, br;q={}", weight(gzip), weight(brotli));
        let mut expected = vec![(brotli, Brotli), (gzip, Gzip)];
        expected.retain(|(weight, _)| *weight > 0);
        expected.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let expected = expected.into_iter().map(|(_, encoding)| encoding).chain([Identity]);
        prop_assert_eq!(order(accepted(&[&line])), expected.collect::<Vec<_>>());
    }

    #[test]
    fn any_bytes_are_read_without_harm(
        lines in prop::collection::vec("[gzipbr*;q=0-9., \t-]{0,30}|\\PC{0,10}", 0..4),
    ) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let accepted = accepted(&lines);
        prop_assert_eq!(accepted.choose(&ALL).is_none(), accepted.code() == 0);
        let ranks: std::collections::HashSet<u8> =
            ALL.iter().map(|encoding| accepted.rank(*encoding)).filter(|rank| *rank > 0).collect();
        let num_accepted = ALL.iter().filter(|encoding| accepted.accepts(**encoding)).count();
        prop_assert_eq!(ranks.len(), num_accepted);
    }
}
