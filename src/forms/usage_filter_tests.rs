use proptest::prelude::*;

use super::super::chat_tests::chats;
use super::super::object_to_events;
use super::*;
use crate::canonical::Profile;

fn without(body: &str) -> String {
    String::from_utf8(without_usage(body.as_bytes())).unwrap()
}

fn in_pieces(body: &[u8], ends: &[usize]) -> Vec<u8> {
    let mut filter = UsageFilter::new();
    let (mut out, mut from) = (Vec::new(), 0);
    for end in ends.iter().copied().chain([body.len()]) {
        out.extend(filter.push(&body[from..end]));
        from = end;
    }
    out.extend(filter.finish());
    out
}

/// A-25: who did not ask for usage gets the stream as it would have been.
#[test]
fn usage_goes_and_every_other_byte_stays() {
    for (body, expected) in [
        ("data: {\"a\":1,\"usage\":null}\n\n", "data: {\"a\":1}\n\n"),
        ("data: {\"usage\": {\"x\":[1]} , \"a\":1}\n\n", "data: {\"a\":1}\n\n"),
        (
            "data: {\"a\":1 , \"usage\" : null ,\"b\":2 }\r\n\r\n",
            "data: {\"a\":1 ,\"b\":2 }\r\n\r\n",
        ),
        ("data: { \"usage\":null }\n\n", "data: {  }\n\n"),
        (
            "data: {\"usage\":1,\"usage\":2,\"a\":3,\"usage\":4,\"usage\":5}\n\n",
            "data: {\"a\":3}\n\n",
        ),
        ("data: {\"usage\":1,\"usage\":2}\n\n", "data: {}\n\n"),
        // The chunk of usage goes as a whole.
        ("data: {\"choices\":[ ],\"usage\":{\"x\":1}}\n\ndata: [DONE]\n\n", "data: [DONE]\n\n"),
        (
            "data: {\"choices\":[],\"usage\":{\"x\":1}}\r\n\r\ndata: [DONE]\r\n\r\n",
            "data: [DONE]\r\n\r\n",
        ),
        (
            "event: x\rid: 1\rdata: {\"choices\":null,\"usage\":{}}\r\rdata: [DONE]\r\r",
            "data: [DONE]\r\r",
        ),
        // A chunk of remarks stays, and so does one of choices.
        ("data: {\"choices\":[],\"p\":1,\"usage\":null}\n\n", "data: {\"choices\":[],\"p\":1}\n\n"),
        ("data: {\"choices\":[{}],\"usage\":{\"x\":1}}\n\n", "data: {\"choices\":[{}]}\n\n"),
        ("data: {\"usage\":{\"x\":1},\"x\":1}\n\n", "data: {\"x\":1}\n\n"),
        // Only the member at the top is meant.
        (
            "data: {\"a\":{\"usage\":null},\"b\":\"usage\"}\n\n",
            "data: {\"a\":{\"usage\":null},\"b\":\"usage\"}\n\n",
        ),
        (
            "data: [{\"usage\":1}]\n\ndata: {\"usage\":\n\n",
            "data: [{\"usage\":1}]\n\ndata: {\"usage\":\n\n",
        ),
        (": \"usage\"\n\nother: {\"usage\":1}\n\n", ": \"usage\"\n\nother: {\"usage\":1}\n\n"),
        // Data of several lines.
        (
            "id: 1\ndata: {\"a\":1,\ndata: \"usage\":\ndata:null,\nid: 2\ndata: \"b\":2}\n\n",
            "id: 1\ndata: {\"a\":1\ndata: \ndata:,\nid: 2\ndata: \"b\":2}\n\n",
        ),
        ("\u{feff}data: {\"usage\":1}\n\n", "\u{feff}data: {}\n\n"),
        // An event that no blank line ended.
        ("data: {\"a\":1,\"usage\":2}", "data: {\"a\":1}"),
        ("data: {\"a\":1,\"usage", "data: {\"a\":1,\"usage"),
        ("", ""),
    ] {
        assert_eq!(without(body), expected, "{body:?}");
        let one_by_one: Vec<_> = (0..body.len()).collect();
        assert_eq!(in_pieces(body.as_bytes(), &one_by_one), expected.as_bytes(), "{body:?}");
    }
}

/// A-26: an event passes with its last byte, a comment too.
#[test]
fn an_event_is_not_held_back() {
    let mut filter = UsageFilter::new();
    assert_eq!(filter.push(b": ping\n"), b"");
    assert_eq!(filter.push(b"\ndata: {\"a\":1}\n\ndata: {\"b\""), b": ping\n\ndata: {\"a\":1}\n\n");
    assert_eq!(filter.push(b":2,\"usage\":null}\r\n\r"), b"data: {\"b\":2}\r\n\r");
    assert_eq!(filter.push(b"\ndata: x\r\r"), b"\ndata: x\r\r");
    assert_eq!(filter.finish(), b"");
}

#[test]
fn an_event_above_the_bound_passes_untouched_and_the_next_does_not() {
    let event = |len: usize| format!("data: {{\"usage\":1,\"a\":\"{}\"}}\n\n", "x".repeat(len));
    let overhead = event(0).len();
    let next = "data: {\"b\":1,\"usage\":2}\n\n";
    for (len, is_looked_into) in
        [(MAX_HELD_BYTES - overhead, true), (MAX_HELD_BYTES - overhead + 1, false)]
    {
        let body = event(len) + next;
        let first =
            if is_looked_into { event(len).replace("\"usage\":1,", "") } else { event(len) };
        let expected = first + "data: {\"b\":1}\n\n";
        for step in [1 << 30, 100_000, MAX_HELD_BYTES, MAX_HELD_BYTES - 1] {
            let ends: Vec<_> = (0..body.len()).step_by(step).collect();
            assert!(in_pieces(body.as_bytes(), &ends) == expected.as_bytes(), "{len} {step}");
        }
    }
    let mut filter = UsageFilter::new();
    let mut num_passed = 0;
    for _ in 0..20 {
        num_passed += filter.push(&vec![b'x'; 100_000]).len();
        assert!(filter.held.len() <= MAX_HELD_BYTES);
    }
    assert_eq!(num_passed, 2_000_000, "past the bound nothing is held back");
}

proptest! {
    #[test]
    fn what_passes_does_not_depend_on_the_pieces(
        events in prop::collection::vec(
            prop::sample::select(vec![
                ": ping", "data: {\"a\":1,\"usage\":null}", "data: {\"choices\":[],\"usage\":{}}", "data: [DONE]",
                "data: {\"usage\":{},", "data: \"b\":2}", "event: x", "data", "data: {\"é\":\"usage\"}", "x",
            ]),
            0..12,
        ),
        ends in prop::collection::vec(prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\r\r"]), 12),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let lines = events.iter().zip(&ends).flat_map(|(line, end)| [*line, *end]);
        let body: String = lines.collect();
        let whole = without_usage(body.as_bytes());
        let mut places: Vec<_> = places.iter().map(|place| place.index(body.len() + 1)).collect();
        places.sort_unstable();
        prop_assert_eq!(in_pieces(body.as_bytes(), &places), whole.clone());
        let one_by_one: Vec<_> = (0..body.len()).collect();
        prop_assert_eq!(in_pieces(body.as_bytes(), &one_by_one), whole);
    }

    #[test]
    fn a_stream_without_usage_passes_byte_for_byte(
        mut object in chats(),
        places in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        object.members_mut().remove("usage");
        let body = object_to_events(Profile::Chat, object.print().as_bytes()).unwrap();
        let mut places: Vec<_> = places.iter().map(|place| place.index(body.len() + 1)).collect();
        places.sort_unstable();
        prop_assert_eq!(in_pieces(&body, &places), body);
    }
}
