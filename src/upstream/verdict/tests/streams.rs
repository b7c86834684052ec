use super::*;

fn chunk(delta: Value, finish_reason: Value) -> Value {
    json!({"object": "chat.completion.chunk",
           "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})
}

fn call_chunk(index: u64, arguments: &str) -> Value {
    let call = json!({"index": index, "function": {"arguments": arguments}});
    chunk(json!({"tool_calls": [call]}), Value::Null)
}

#[test]
fn a_chat_stream_is_kept_only_when_every_choice_and_the_stream_itself_ended_well() {
    let role = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
    let word = chunk(json!({"content": "hi"}), Value::Null);
    let stop = |reason: &str| chunk(json!({}), json!(reason));
    let counted = json!({"choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 1}});
    let done = "data: [DONE]\n\n";
    let whole = |all: &[Value]| events(all) + done;
    let good = whole(&[role.clone(), word.clone(), stop("stop"), counted.clone()]);
    let discard = Verdict::Discard;
    let second =
        json!({"choices": [{"index": 1, "delta": {"content": "x"}, "finish_reason": null}]});
    for (body, expected) in [
        (good.clone(), keep(Some((2, 1)))),
        (good.replace('\n', "\r\n"), keep(Some((2, 1)))),
        (format!(": keep-alive\n\n\u{0}: 0\n\n{good}: bye\n\n"), keep(Some((2, 1)))),
        (format!("event: ping\ndata: {{}}\n\ndata:\n\n{good}"), keep(Some((2, 1)))),
        (
            whole(&[
                json!({"choices": [], "prompt_filter_results": []}),
                word.clone(),
                stop("stop"),
            ]),
            keep(None),
        ),
        (good.replace(done, ""), discard("no-terminal-event")),
        (good.replace(done, "data: [DONE]\n"), discard("no-terminal-event")),
        (good.trim_end().to_owned(), discard("no-terminal-event")),
        (format!("{good}data: tail"), discard("truncated")),
        (good.clone() + &events(std::slice::from_ref(&word)), discard("no-terminal-event")),
        (whole(&[role.clone(), word.clone()]), discard("truncated")),
        (whole(&[word.clone(), second, stop("stop")]), discard("truncated")),
        (whole(&[word.clone(), stop("length")]), discard("truncated")),
        (whole(&[word.clone(), stop("content_filter")]), discard("filtered")),
        (whole(&[role.clone(), stop("stop")]), discard("empty")),
        (whole(&[counted]), discard("no-choices")),
        (done.to_owned(), discard("no-choices")),
        (String::new(), discard("no-terminal-event")),
        (whole(&[word.clone(), json!({"error": {"message": "x"}})]), discard("error-event")),
        (format!("event: error\ndata: x\n\n{good}"), discard("error-event")),
        (format!("data: {{\"choices\":\n\n{good}"), discard("not-json")),
        (
            whole(&[
                call_chunk(0, "{\"a\""),
                call_chunk(1, "{"),
                call_chunk(0, ":1}"),
                call_chunk(1, "}"),
                stop("tool_calls"),
            ]),
            keep(None),
        ),
        (
            whole(&[call_chunk(0, "{\"a\""), call_chunk(1, "{}"), stop("tool_calls")]),
            discard("tool-arguments"),
        ),
        (
            whole(&[chunk(
                json!({"tool_calls": [{"index": 0, "custom": {"input": "{"}}]}),
                json!("tool_calls"),
            )]),
            keep(None),
        ),
        (
            whole(&[chunk(json!({"function_call": {"arguments": "{"}}), json!("function_call"))]),
            discard("tool-arguments"),
        ),
    ] {
        assert_eq!(stream(Profile::Chat, &body), expected, "{body}");
    }
    let text = json!({"choices": [{"index": 0, "text": "x", "finish_reason": "stop"}]});
    assert_eq!(stream(Profile::Completions, &whole(&[text])), keep(None));
}

#[test]
fn a_response_stream_is_kept_only_after_its_completion() {
    let delta = json!({"type": "response.output_text.delta", "delta": "x"});
    let response = |kind: &str, status: &str, arguments: &str| {
        json!({"type": kind, "response": {
            "status": status, "error": null, "usage": {"input_tokens": 3, "output_tokens": 4},
            "output": [{"type": "function_call", "arguments": arguments}],
        }})
    };
    let completed = response("response.completed", "completed", "{}");
    let discard = Verdict::Discard;
    for (last, expected) in [
        (vec![completed.clone()], keep(Some((3, 4)))),
        (vec![completed.clone(), json!({"type": "unheard.of"})], keep(Some((3, 4)))),
        (vec![], discard("no-terminal-event")),
        (vec![json!({"type": "response.completed"})], discard("no-terminal-event")),
        (vec![response("response.completed", "in_progress", "{}")], discard("unfinished")),
        (vec![response("response.completed", "completed", "{")], discard("tool-arguments")),
        (vec![response("response.incomplete", "incomplete", "{}")], discard("truncated")),
        (vec![json!({"type": "response.failed", "response": {}})], discard("error-event")),
        (vec![json!({"type": "error", "message": "x"}), completed.clone()], discard("error-event")),
    ] {
        let body = events(std::slice::from_ref(&delta)) + &events(&last);
        assert_eq!(stream(Profile::Responses, &body), expected, "{body}");
    }
    let with_done = events(&[completed]) + "data: [DONE]\n\n";
    assert_eq!(stream(Profile::Responses, &with_done), keep(Some((3, 4))));
    assert_eq!(stream(Profile::Responses, with_done.trim_end()), discard("truncated"));
}

#[test]
fn a_message_stream_is_kept_only_after_a_natural_stop() {
    let run = |pieces: &[&str], stop_reason: Value, rest: &[Value]| {
        let mut all = vec![
            json!({"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}}),
            json!({"type": "ping"}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}),
            json!({"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "input": {}}}),
        ];
        for piece in pieces {
            let delta = json!({"type": "input_json_delta", "partial_json": piece});
            all.push(json!({"type": "content_block_delta", "index": 1, "delta": delta}));
        }
        let delta = json!({"stop_reason": stop_reason});
        all.push(json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": 20}}));
        all.extend_from_slice(rest);
        stream(Profile::Messages, &events(&all))
    };
    let stop = [json!({"type": "message_stop"})];
    let error = [json!({"type": "error", "error": {"type": "overloaded_error"}})];
    let kept = keep(Some((7, 20)));
    let discard = Verdict::Discard;
    assert_eq!(run(&["", "{\"a\"", ":1}"], json!("tool_use"), &stop), kept);
    assert_eq!(run(&[""], json!("end_turn"), &stop), kept);
    assert_eq!(run(&[], json!("end_turn"), &stop), kept);
    assert_eq!(run(&["{\"a\""], json!("tool_use"), &stop), discard("tool-arguments"));
    assert_eq!(run(&["[]"], json!("tool_use"), &stop), discard("tool-arguments"));
    assert_eq!(run(&["{}"], json!("tool_use"), &[]), discard("no-terminal-event"));
    assert_eq!(run(&["{}"], Value::Null, &stop), discard("truncated"));
    assert_eq!(run(&["{}"], json!("max_tokens"), &stop), discard("truncated"));
    assert_eq!(run(&["{}"], json!("refusal"), &stop), discard("filtered"));
    assert_eq!(run(&["{}"], json!("pause_turn"), &stop), discard("unfinished"));
    assert_eq!(run(&["{}"], json!("end_turn"), &error), discard("error-event"));
    let bare =
        [json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}), stop[0].clone()];
    assert_eq!(stream(Profile::Messages, &events(&bare)), discard("empty"));
}

#[test]
fn any_other_stream_is_kept_when_it_ends_cleanly() {
    for (body, expected) in [
        ("data: anything\n\ndata: more\n\n", keep(None)),
        ("data: {\"error\":null}\n\n", keep(None)),
        ("data: a\n\ndata: b\n", Verdict::Discard("truncated")),
        ("data: a\n\nevent: error\ndata: b\n\n", Verdict::Discard("error-event")),
        ("data: {\"error\":\"x\"}\n\n", Verdict::Discard("error-event")),
        (": nothing\n\n", Verdict::Discard("empty")),
    ] {
        assert_eq!(stream(Profile::Generic, body), expected, "{body}");
    }
    // It need not have been asked for.
    let unasked = Judged {
        profile: Profile::Generic,
        streamed: false,
        status: 200,
        content_type: Some("text/event-stream"),
        content_encoding: None,
        body: b"data: a\n\n",
        lifetimes: LIFETIMES,
        policy: None,
    };
    assert_eq!(verdict(&unasked), keep(None));
}
