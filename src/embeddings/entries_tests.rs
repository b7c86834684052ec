use std::time::Duration;

use anteroom_actors::model::{Label, LabelKind, Labels};
use proptest::prelude::*;

use super::super::{Split, split};
use super::*;

fn list(body: &'static str) -> List {
    match split(&Bytes::from_static(body.as_bytes())) {
        Split::List(list) => list,
        Split::Single => panic!("{body}"),
    }
}

fn header(name: &str, value: &'static str) -> Header {
    Header { name: name.into(), value: Bytes::from_static(value.as_bytes()) }
}

fn whole(body: &'static str) -> Entry {
    Entry {
        key: CacheKey::new([9; 32]),
        status: 200,
        headers: [header("content-type", "application/json"), header("etag", "\"1\"")].into(),
        body: Bytes::from_static(body.as_bytes()),
        freshness: Freshness { made_wall_ms: 7, ..Freshness::default() },
        labels: Labels { generation: 3, names: [Label::new(LabelKind::Tag, b"t")].into() },
        model: Some("m".into()),
        usage: Some(Usage { input_tokens: 4, output_tokens: 0 }),
        upstream_latency: Duration::from_secs(1),
        ..Entry::default()
    }
}

const LIST: &str = r#"{"model":"m","input":["a","b","c"]}"#;
const ANSWER: &str = r#"{"data":[{"index":0,"embedding":[1]},{"index":1,"embedding":[2]}],"usage":{"prompt_tokens":4,"total_tokens":4}}"#;

fn keys(numbers: &[u8]) -> Vec<(usize, CacheKey)> {
    numbers.iter().map(|number| (usize::from(*number), CacheKey::new([*number; 32]))).collect()
}

#[test]
fn each_item_is_kept_with_its_share_and_all_else_of_the_whole() {
    let whole = whole(ANSWER);
    let kept = entries(&list(LIST), &keys(&[0, 2]), &whole);
    let bodies = [
        r#"{"data":[{"index":0,"embedding":[1]}],"usage":{"prompt_tokens":2,"total_tokens":2}}"#,
        r#"{"data":[{"index":0,"embedding":[2]}],"usage":{"prompt_tokens":2,"total_tokens":2}}"#,
    ];
    assert_eq!(kept.len(), 2);
    for ((entry, body), number) in kept.iter().zip(bodies).zip([0, 2]) {
        let expected = Entry {
            key: CacheKey::new([number; 32]),
            headers: [header("content-type", "application/json")].into(),
            body: Bytes::from_static(body.as_bytes()),
            usage: Some(Usage { input_tokens: 2, output_tokens: 0 }),
            ..whole.clone()
        };
        assert_eq!(*entry, expected);
        assert!(embedding_of(entry).is_some());
    }
    assert!(embedding_of(&whole).is_none(), "two embeddings");
    assert!(embedding_of(&Entry { status: 203, ..kept[0].clone() }).is_none());
    assert!(embedding_of(&Entry { form: Form::Stream, ..kept[0].clone() }).is_none());
}

#[test]
fn what_cannot_be_taken_apart_is_kept_for_the_callers_own_list_only() {
    let odd = whole(r#"{"vectors":[[1],[2],[3]]}"#);
    assert_eq!(entries(&list(LIST), &keys(&[0, 1, 2]), &odd), std::slice::from_ref(&odd));
    assert_eq!(entries(&list(LIST), &keys(&[0, 1]), &odd), []);
    assert_eq!(entries(&list(LIST), &keys(&[0, 1, 2]), &whole(ANSWER)).len(), 1, "one too few");
}

#[test]
fn no_items_make_no_entry() {
    let merged = Merged {
        body: Vec::new(),
        charged: super::super::Tokens::default(),
        saved: super::super::Tokens::default(),
        num_saved: 0,
    };
    assert_eq!(as_one(CacheKey::new([1; 32]), &[], merged), None);
}

proptest! {
    /// At every moment the whole may be used for what each of its parts may be used for.
    #[test]
    fn what_is_made_of_parts_lives_as_long_as_all_of_them(
        parts in prop::collection::vec((0_u64..50, 0_u64..50, 0_u64..50, 0_u64..50), 1..6),
        at in 0_u64..200,
    ) {
        let secs = Duration::from_secs;
        let parts: Vec<Freshness> = parts
            .into_iter()
            .map(|(made, lifetime, revalidate, error)| Freshness {
                made_wall_ms: made * 1_000,
                lifetime: secs(lifetime).into(),
                stale_while_revalidate: secs(revalidate).into(),
                stale_if_error: secs(error).into(),
                ..Freshness::default()
            })
            .collect();
        let whole = together(parts.iter()).unwrap();
        let oldest = parts.iter().map(|part| part.age_ms(at * 1_000)).max();
        prop_assert_eq!(Some(whole.age_ms(at * 1_000)), oldest);
        let end = |part: &Freshness, more: Duration| secs(part.made_wall_ms / 1_000) + part.lifetime.get() + more;
        let until = |more: fn(&Freshness) -> Duration| {
            let ends = parts.iter().map(|part| end(part, more(part))).min();
            (Some(end(&whole, more(&whole))), ends)
        };
        for more in [
            |_: &Freshness| Duration::ZERO,
            |part: &Freshness| part.stale_while_revalidate.get(),
            |part: &Freshness| part.stale_if_error.get(),
        ] {
            let (own, of_parts) = until(more);
            prop_assert_eq!(own, of_parts);
        }
    }
}
