use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Without a tokenizer.
fn estimate(body: &[u8]) -> u64 {
    TokenCounter::new(None).estimate(None, body)
}

#[test]
fn a_call_is_estimated_by_its_length_and_the_longest_answer_it_allows() {
    let padded = |fields: &str| format!("{{\"messages\":[\"{}\"]{fields}}}", "x".repeat(400));
    for (fields, most) in [
        ("", 0),
        (r#","max_tokens":50"#, 50),
        (r#","max_completion_tokens" : 70 "#, 70),
        (r#","max_output_tokens":9,"n":2"#, 9),
        (r#","max_tokens":5,"max_completion_tokens":6"#, 6),
        (r#","max_tokens":null"#, 0),
        (r#","max_tokens":"50""#, 0),
        (r#","max_tokens":5.5"#, 0),
        (r#","max_tokens":-5"#, 0),
        (r#","max_tokens":99999999999999999999"#, 0),
        (r#","tools":[{"max_tokens":{"type":"integer"}}]"#, 0),
        (r#","x":"\"max_tokens\": 50,""#, 0),
        (r#","xmax_tokens":50"#, 0),
    ] {
        let body = padded(fields);
        let of_bytes = u64::try_from(body.len().div_ceil(4)).unwrap();
        assert_eq!(estimate(body.as_bytes()), of_bytes + most, "{fields}");
    }
    assert_eq!(estimate(b""), 0);
}

#[test]
fn of_a_large_body_the_ends_are_looked_through() {
    let middle = "y".repeat(100_000);
    for (body, most) in [
        (format!("{{\"max_tokens\":7,\"m\":\"{middle}\"}}"), 7),
        (format!("{{\"m\":\"{middle}\",\"max_tokens\":7}}"), 7),
        (format!("{{\"a\":\"{middle}\",\"max_tokens\":7,\"b\":\"{middle}\"}}"), 0),
    ] {
        assert_eq!(estimate(body.as_bytes()) - of_length(body.len()), most);
    }
}

fn tokens_of(answer: &str, piece: usize) -> Option<u64> {
    let mut usage = Usage::default();
    answer.as_bytes().chunks(piece).for_each(|piece| usage.observe(piece));
    usage.tokens()
}

const ANTHROPIC: &str = "event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":25,\
    \"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"text\":\"FILL\"}\n\n\
    event: message_delta\ndata: {\"usage\":{\"output_tokens\":15}}\n\n";

#[test]
fn what_an_answer_cost_is_read_from_each_apis_form() {
    let chat = json!({"choices": [{"message": {"content": "\"total_tokens\": 5, FILL"}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}});
    let stream = "data: {\"choices\":[],\"usage\":null}\n\ndata: {\"choices\":[],\"usage\":\
        {\"total_tokens\":4}}\n\ndata: {\"x\":\"FILL\",\"usage\":{\"total_tokens\":8}}\n\ndata: [DONE]\n\n";
    let pretty = "{\n \"usage\" : {\n  \"input_tokens\" : 3,\n  \"output_tokens\" : 4\n }\n}";
    for (answer, tokens) in [
        (chat.to_string().as_str(), Some(21)),
        (stream, Some(8)),
        (ANTHROPIC, Some(40)),
        (pretty, Some(7)),
        ("{\"usage\":{\"input_tokens\":3}}", None),
        ("{\"usage\":{\"total_tokens\":\"3\"}}", None),
        ("<html>", None),
        ("", None),
    ] {
        for fill in ["", &"z".repeat(100_000)] {
            let answer = answer.replace("FILL", fill);
            for piece in [1, 7, 4_096, usize::MAX] {
                assert_eq!(tokens_of(&answer, piece), tokens, "{piece} of {answer:.200}");
            }
        }
    }
}

proptest! {
    #[test]
    fn the_number_is_found_wherever_pieces_and_parts_meet(
        before in 0_usize..70_000, piece in 1_usize..5_000, tokens in 0_u64..1_000_000,
    ) {
        let answer = format!("{}{{\"usage\":{{\"total_tokens\":{tokens}}}}}", " ".repeat(before));
        prop_assert_eq!(tokens_of(&answer, piece), Some(tokens));
    }

    #[test]
    fn no_bytes_panic_and_little_is_held(bytes: Vec<u8>, times in 1_usize..200) {
        let mut usage = Usage::default();
        for _ in 0..times {
            usage.observe(&bytes);
            usage.observe(b"\"total_tokens\":1,");
        }
        let _ = (usage.tokens(), estimate(&bytes));
        prop_assert!(usage.start.len() <= LOOKED_THROUGH && usage.end.len() <= 3 * LOOKED_THROUGH);
    }
}
