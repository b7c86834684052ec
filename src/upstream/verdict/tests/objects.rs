use super::*;

fn chat(finish_reason: Value, message: Value) -> Value {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "error": null,
        "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21},
    })
}

fn chat_call(arguments: Value) -> Value {
    let call =
        json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}});
    chat(json!("tool_calls"), json!({"role": "assistant", "content": null, "tool_calls": [call]}))
}

#[test]
fn an_answer_must_be_a_plain_success() {
    let body = chat(json!("stop"), json!({"content": "hi"})).to_string();
    let good = Judged {
        profile: Profile::Chat,
        streamed: false,
        status: 200,
        content_type: Some("application/json"),
        content_encoding: None,
        body: body.as_bytes(),
        lifetimes: LIFETIMES,
        policy: None,
    };
    let generic = Judged { profile: Profile::Generic, ..good };
    for status in [201, 202, 203, 204, 206, 301, 304, 400, 401, 403, 404, 429, 500, 503, 529] {
        assert_eq!(verdict(&Judged { status, ..good }), Verdict::Discard("status"), "{status}");
        let is_kept = verdict(&Judged { status, ..generic }) == keep(None);
        assert_eq!(is_kept, status == 203, "{status}");
    }
    for encoding in ["gzip", "br", "zstd", "identity, gzip", ""] {
        let encoded = Judged { content_encoding: Some(encoding), ..good };
        assert_eq!(verdict(&encoded), Verdict::Discard("encoding"), "{encoding}");
    }
    for judged in [
        good,
        Judged { content_encoding: Some("Identity"), ..good },
        Judged { content_type: None, ..good },
        Judged { content_type: Some("text/plain"), ..good },
        // Asked for a stream, answered with an object.
        Judged { streamed: true, ..good },
    ] {
        assert_eq!(verdict(&judged), keep(Some((9, 12))), "{judged:?}");
    }
    let unasked = Judged { content_type: Some("text/event-stream"), ..good };
    assert_eq!(verdict(&unasked), Verdict::Discard("form"));
}

#[test]
fn an_object_is_kept_only_when_its_api_calls_it_complete() {
    let said = |text: &str| json!({"role": "assistant", "content": text});
    let usage = keep(Some((9, 12)));
    let discard = Verdict::Discard;
    for (body, expected) in [
        (chat(json!("stop"), said("hi")), usage.clone()),
        (chat(json!("eos"), said("hi")), usage.clone()),
        (chat(json!("stop"), json!({"content": null, "refusal": "no"})), usage.clone()),
        (chat(json!("stop"), json!({"content": "", "reasoning_content": "hm"})), usage.clone()),
        (chat(json!("stop"), json!({"content": null, "audio": {"id": "a"}})), usage.clone()),
        (chat_call(json!("{\"a\":1}")), usage.clone()),
        (chat_call(json!("{\"a\":1")), discard("tool-arguments")),
        (chat_call(json!("")), discard("tool-arguments")),
        (chat_call(json!({"a": 1})), discard("tool-arguments")),
        (chat_call(Value::Null), discard("tool-arguments")),
        (
            chat(
                json!("tool_calls"),
                json!({"tool_calls": [{"type": "custom", "custom": {"input": "{"}}]}),
            ),
            usage.clone(),
        ),
        (
            chat(
                json!("function_call"),
                json!({"function_call": {"name": "f", "arguments": "{}"}}),
            ),
            usage.clone(),
        ),
        (
            chat(json!("function_call"), json!({"function_call": {"name": "f", "arguments": "{"}})),
            discard("tool-arguments"),
        ),
        (chat(json!("length"), said("hi")), discard("truncated")),
        (chat(json!("content_filter"), said("hi")), discard("filtered")),
        (chat(Value::Null, said("hi")), discard("truncated")),
        (chat(json!("error"), said("hi")), discard("error-in-200")),
        (chat(json!("stop"), said("")), discard("empty")),
        (chat(json!("stop"), json!({"content": null, "tool_calls": []})), discard("empty")),
        (chat(json!("stop"), Value::Null), discard("empty")),
        (json!({"choices": []}), discard("no-choices")),
        (json!({"choices": {}}), discard("no-choices")),
        (json!({}), discard("no-choices")),
        (json!([]), discard("not-json")),
        (json!({"error": {"message": "overloaded"}}), discard("error-in-200")),
        (
            json!({"error": "", "choices": [{"finish_reason": "stop", "message": said("x")}]}),
            discard("error-in-200"),
        ),
        (
            json!({"choices": [
                {"finish_reason": "stop", "message": said("x")},
                {"finish_reason": "length", "message": said("x")},
            ]}),
            discard("truncated"),
        ),
    ] {
        assert_eq!(object(Profile::Chat, &body), expected, "{body}");
    }
}

#[test]
fn objects_of_the_other_apis_are_judged_by_their_own_words() {
    use Profile::{Completions, Embeddings, Generic, Messages, Models, Responses};
    let discard = Verdict::Discard;
    let response = |status: &str, output: Value| {
        json!({"object": "response", "status": status, "error": null, "output": output,
               "usage": {"input_tokens": 3, "output_tokens": 4}})
    };
    let text_item = json!([{"type": "message", "content": [{"type": "output_text", "text": "x"}]}]);
    let call =
        |arguments: &str| json!([{"type": "function_call", "name": "f", "arguments": arguments}]);
    let message = |stop_reason: Value, content: Value| {
        json!({"type": "message", "stop_reason": stop_reason, "content": content,
               "usage": {"input_tokens": 5, "output_tokens": 6}})
    };
    let text = json!([{"type": "text", "text": "x"}]);
    let mut filtered = response("incomplete", text_item.clone());
    filtered["incomplete_details"] = json!({"reason": "content_filter"});
    let mut failed = response("failed", json!([]));
    failed["error"] = json!({"code": "server_error"});
    let choice = |reason: &str| json!({"choices": [{"text": "", "finish_reason": reason}]});
    for (profile, body, expected) in [
        (Completions, choice("stop"), keep(None)),
        (Completions, choice("length"), discard("truncated")),
        (Completions, json!({"choices": []}), discard("no-choices")),
        (Responses, response("completed", text_item.clone()), keep(Some((3, 4)))),
        (Responses, response("completed", call("{}")), keep(Some((3, 4)))),
        (Responses, response("completed", call("{")), discard("tool-arguments")),
        (Responses, response("completed", json!([])), discard("empty")),
        (Responses, response("incomplete", text_item.clone()), discard("truncated")),
        (Responses, filtered, discard("filtered")),
        (Responses, failed, discard("error-in-200")),
        (Responses, response("cancelled", text_item.clone()), discard("error-in-200")),
        (Responses, response("in_progress", text_item.clone()), discard("unfinished")),
        (Responses, response("queued", text_item.clone()), discard("unfinished")),
        (Responses, json!({"output": text_item}), discard("unfinished")),
        (Messages, message(json!("end_turn"), text.clone()), keep(Some((5, 6)))),
        (Messages, message(json!("stop_sequence"), text.clone()), keep(Some((5, 6)))),
        (Messages, message(json!("max_tokens"), text.clone()), discard("truncated")),
        (Messages, message(Value::Null, text.clone()), discard("truncated")),
        (Messages, message(json!("refusal"), text.clone()), discard("filtered")),
        (Messages, message(json!("pause_turn"), text.clone()), discard("unfinished")),
        (Messages, message(json!("end_turn"), json!([])), discard("empty")),
        (
            Messages,
            message(json!("tool_use"), json!([{"type": "tool_use", "input": {}}])),
            keep(Some((5, 6))),
        ),
        (
            Messages,
            message(json!("tool_use"), json!([{"type": "tool_use", "input": "{}"}])),
            discard("tool-arguments"),
        ),
        (
            Messages,
            message(json!("tool_use"), json!([{"type": "tool_use"}])),
            discard("tool-arguments"),
        ),
        (
            Messages,
            json!({"type": "error", "error": {"type": "overloaded_error"}}),
            discard("error-in-200"),
        ),
        (Messages, json!({"stop_reason": "end_turn", "content": text}), discard("not-json")),
        (
            Embeddings,
            json!({"data": [{"embedding": [0.1]}], "usage": {"prompt_tokens": 8}}),
            keep(Some((8, 0))),
        ),
        (Embeddings, json!({"data": []}), discard("empty")),
        (Models, json!({"object": "list", "data": []}), keep(None)),
        (Models, json!([{"id": "m"}]), keep(None)),
        (Models, json!("m"), discard("not-json")),
        (Generic, json!([1]), keep(None)),
        (Generic, json!({"error": null}), keep(None)),
        (Generic, json!({"error": "x"}), discard("error-in-200")),
    ] {
        assert_eq!(object(profile, &body), expected, "{profile} {body}");
    }
}

#[test]
fn what_is_not_json_is_kept_only_where_something_else_may_come() {
    for (profile, content_type, body, expected) in [
        (Profile::Chat, "application/json", "", Verdict::Discard("empty")),
        (Profile::Chat, "application/json", "{\"choices\":", Verdict::Discard("not-json")),
        (Profile::Chat, "application/json", "{\"a\":NaN}", Verdict::Discard("not-json")),
        (Profile::Chat, "text/html", "<html>", Verdict::Discard("not-json")),
        (Profile::Generic, "application/json", "<html>", Verdict::Discard("not-json")),
        (
            Profile::Generic,
            "application/problem+json; charset=utf-8",
            "{",
            Verdict::Discard("not-json"),
        ),
        (Profile::Models, "Application/JSON", "[1,]", Verdict::Discard("not-json")),
        (Profile::Generic, "text/html", "<html>", keep(None)),
        (Profile::Generic, "image/png", "\u{1}", keep(None)),
        (Profile::Generic, "", "", keep(None)),
    ] {
        assert_eq!(
            judge_as(profile, content_type, body),
            expected,
            "{profile} {content_type} {body}"
        );
    }
}
