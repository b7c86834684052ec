use serde_json::json;

use super::*;

#[test]
fn what_is_not_done_is_refused_in_the_form_of_its_api() {
    let openai = [
        ("POST", "/v1/embeddings", 501, "not_implemented"),
        ("POST", "/v1/responses", 501, "not_implemented"),
        ("GET", "/v1/files/x?y=z", 501, "not_implemented"),
        ("POST", "/v1/messagesx", 501, "not_implemented"),
        ("GET", "/v1/models/gpt-x", 404, "model_not_found"),
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models/anteroom-builtin", 405, "method_not_allowed"),
    ];
    for (method, path, status, code) in openai {
        let got = call(Duration::ZERO, method, path, b"{}");
        let error = &got.json()["error"];
        assert_eq!((got.status, error["code"].as_str()), (status, Some(code)), "{path}");
        let members: Vec<&String> = error.as_object().unwrap().keys().collect();
        assert_eq!(members, ["code", "message", "param", "type"]);
        let names_the_way = error["message"].as_str().unwrap().contains("ANTEROOM_UPSTREAM_URL");
        assert_eq!(names_the_way, status == 501, "{path}");
        assert_eq!(got.header("x-should-retry").is_some(), status == 501, "{path}");
        assert_eq!(got.header("allow").is_some(), status == 405, "{path}");
        assert_eq!(got.think_first, Duration::ZERO);
    }
    for path in ["/v1/messages", "/v1/messages/count_tokens", "/v1/messages?beta=true"] {
        let got = call(Duration::ZERO, "POST", path, b"{}");
        let message = got.json()["error"]["message"].take();
        assert!(message.as_str().unwrap().contains("ANTEROOM_UPSTREAM_URL"));
        let form = json!({"type": "error", "error": {"type": "api_error", "message": message}});
        assert_eq!((got.status, got.json()), (501, form));
    }
    assert_eq!(call(Duration::ZERO, "GET", "/elsewhere", b"").status, 404);
}

#[test]
fn a_bad_request_is_told_which_field_is_wrong_and_never_its_value() {
    let chat = "/v1/chat/completions";
    let text = "/v1/completions";
    let table: [(&str, &str, Option<&str>); 30] = [
        (chat, "", None),
        (chat, "secret", None),
        (chat, "{\"messages\": [\"secret", None),
        (chat, "[]", None),
        (chat, "{} secret", None),
        (chat, "{}", Some("messages")),
        (chat, r#"{"messages": null}"#, Some("messages")),
        (chat, r#"{"messages": []}"#, Some("messages")),
        (chat, r#"{"messages": "secret"}"#, Some("messages")),
        (chat, r#"{"messages": {"secret": 1}}"#, Some("messages")),
        (chat, r#"{"messages": ["secret, expected secret"]}"#, Some("messages[0]")),
        (chat, r#"{"messages": [["user", "secret"]]}"#, Some("messages[0]")),
        (chat, r#"{"messages": [{"content": "secret"}]}"#, Some("messages[0].role")),
        (chat, r#"{"messages": [{"role": 1}]}"#, Some("messages[0].role")),
        (chat, r#"{"messages": [{"role": "user"}]}"#, Some("messages[0].content")),
        (chat, r#"{"messages": [{"role": "user", "content": " "}]}"#, Some("messages[0].content")),
        (chat, r#"{"messages": [{"role": "user", "content": 7}]}"#, Some("messages[0].content")),
        (
            chat,
            r#"{"messages": [{"role": "user", "content": [{"type": "text", "text": {"secret": 1}}]}]}"#,
            Some("messages[0].content[0].text"),
        ),
        (text, "{}", Some("prompt")),
        (text, r#"{"prompt": ""}"#, Some("prompt")),
        (text, r#"{"prompt": []}"#, Some("prompt")),
        (text, r#"{"prompt": [1, 2]}"#, Some("prompt[0]")),
        (text, r#"{"prompt": ["a","a","a","a","a","a","a","a","a"]}"#, Some("prompt")),
        (text, r#"{"prompt": "a", "n": 0}"#, Some("n")),
        (text, r#"{"prompt": ["a", "b"], "n": 5}"#, Some("n")),
        (text, r#"{"prompt": "a", "max_tokens": -1}"#, Some("max_tokens")),
        (text, r#"{"prompt": "a", "max_tokens": 1.5}"#, Some("max_tokens")),
        (text, r#"{"prompt": "a", "max_completion_tokens": 0}"#, Some("max_completion_tokens")),
        (text, r#"{"prompt": "a", "stream": "secret"}"#, Some("stream")),
        (text, r#"{"prompt": "a", "stop": ["1", "2", "3", "4", "5"]}"#, Some("stop")),
    ];
    for (path, body, param) in table {
        let got = call(Duration::ZERO, "POST", path, body.as_bytes());
        let error = got.json()["error"].take();
        assert_eq!((got.status, error["param"].as_str()), (400, param), "{body}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(!got.streamed);
        let message = error["message"].as_str().unwrap();
        assert!(!message.contains("secret"), "{message}");
        assert!(param.is_none_or(|param| message.contains(param)), "{message}");
    }
}
