//! Streams as providers send them, and what each of them adds up to.

use super::assemble_tests::check_message;
use super::tree_tests::Tree;
use super::{events_to_object, object_to_events};
use crate::canonical::Profile;

/// Checks what a stream adds up to, and that its object can be streamed and heard again.
pub(super) fn check(profile: Profile, events: &str, expected: &str) {
    let object = events_to_object(profile, events.as_bytes()).expect(events);
    assert_eq!(Tree::read(&object), Tree::read(expected.as_bytes()), "{events}");
    let again = object_to_events(profile, &object).expect("events");
    let again = events_to_object(profile, &again).expect("an object");
    assert_eq!(Tree::read(&again), Tree::read(expected.as_bytes()), "{events}");
}

/// A-25, A-26: the role alone comes first, usage alone last.
#[test]
fn a_chat_of_openai() {
    let chunk = r#"data: {"id":"chatcmpl-B9","object":"chat.completion.chunk","created":1741570283,"model":"gpt-4o-2024-08-06","service_tier":"default","system_fingerprint":"fp_fc9f1d7035","#;
    let events = [
        r#""choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"Nk"}"#,
        r#""choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":{"content":[{"token":"Hello","logprob":-0.31725305,"bytes":[72,101],"top_logprobs":[]}],"refusal":null},"finish_reason":null}],"usage":null,"obfuscation":"4b"}"#,
        r#""choices":[{"index":0,"delta":{"content":"!"},"logprobs":{"content":[{"token":"!","logprob":-1e-07,"bytes":[33],"top_logprobs":[]}],"refusal":null},"finish_reason":null}],"usage":null,"obfuscation":""}"#,
        r#""choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null,"obfuscation":"yF5"}"#,
        r#""choices":[],"usage":{"prompt_tokens":19,"completion_tokens":2,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":0}},"obfuscation":"x"}"#,
    ];
    let body: String = events.iter().map(|event| format!("{chunk}{event}\n\n")).collect();
    let expected = r#"{"id":"chatcmpl-B9","object":"chat.completion","created":1741570283,"model":"gpt-4o-2024-08-06","choices":[{"index":0,"message":{"role":"assistant","content":"Hello!","refusal":null},"logprobs":{"content":[{"token":"Hello","logprob":-0.31725305,"bytes":[72,101],"top_logprobs":[]},{"token":"!","logprob":-1e-07,"bytes":[33],"top_logprobs":[]}],"refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":2,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":0}},"service_tier":"default","system_fingerprint":"fp_fc9f1d7035"}"#;
    check(Profile::Chat, &format!("{body}data: [DONE]\n\n"), expected);
}

/// A-26: remarks on the prompt come in a chunk without choices, made by nobody at no time.
#[test]
fn a_chat_of_azure() {
    let events = r#"data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}

data: {"choices":[{"content_filter_results":{},"delta":{"content":"","refusal":null,"role":"assistant"},"finish_reason":null,"index":0,"logprobs":null}],"created":1741,"id":"chatcmpl-A","model":"gpt-4o","object":"chat.completion.chunk","system_fingerprint":"fp_1"}

data: {"choices":[{"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}},"delta":{"content":"Hi"},"finish_reason":null,"index":0,"logprobs":null}],"created":1741,"id":"chatcmpl-A","model":"gpt-4o","object":"chat.completion.chunk","system_fingerprint":"fp_1"}

data: {"choices":[{"content_filter_results":{},"delta":{},"finish_reason":"stop","index":0,"logprobs":null}],"created":1741,"id":"chatcmpl-A","model":"gpt-4o","object":"chat.completion.chunk","system_fingerprint":"fp_1"}

data: {"choices":[{"content_filter_offsets":{"check_offset":44},"content_filter_results":{"self_harm":{"filtered":false}},"finish_reason":null,"index":0}],"created":0,"id":"","model":"","object":""}

data: [DONE]

"#;
    let expected = r#"{"choices":[{"content_filter_results":{"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false}},"content_filter_offsets":{"check_offset":44},"message":{"content":"Hi","refusal":null,"role":"assistant"},"finish_reason":"stop","index":0,"logprobs":null}],"created":1741,"id":"chatcmpl-A","model":"gpt-4o","object":"chat.completion","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}],"system_fingerprint":"fp_1"}"#;
    check(Profile::Chat, events, expected);
}

/// A-23: what the model thought is kept.
#[test]
fn a_chat_of_deepseek() {
    let events = r#": keep-alive

data: {"id":"d","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","choices":[{"index":0,"delta":{"role":"assistant","content":null,"reasoning_content":""},"logprobs":null,"finish_reason":null}]}

data: {"id":"d","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"Hm"},"logprobs":null,"finish_reason":null}]}

: keep-alive

data: {"id":"d","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","choices":[{"index":0,"delta":{"content":null,"reasoning_content":"m.\n"},"logprobs":null,"finish_reason":null}]}

data: {"id":"d","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","choices":[{"index":0,"delta":{"content":"Yes","reasoning_content":null},"logprobs":null,"finish_reason":null}]}

data: {"id":"d","object":"chat.completion.chunk","created":1,"model":"deepseek-reasoner","choices":[{"index":0,"delta":{"content":"","reasoning_content":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"prompt_cache_hit_tokens":0}}

data: [DONE]

"#;
    let expected = r#"{"id":"d","object":"chat.completion","created":1,"model":"deepseek-reasoner","choices":[{"index":0,"message":{"role":"assistant","content":"Yes","reasoning_content":"Hmm.\n"},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"prompt_cache_hit_tokens":0}}"#;
    check(Profile::Chat, events, expected);
}

/// Content comes in parts while the model thinks, then as text.
#[test]
fn a_chat_of_mistral() {
    check_message(
        &[
            r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]"#,
            r#"[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Let me"}]}]},"finish_reason":null}]"#,
            r#"[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":" see."}]}]},"finish_reason":null}]"#,
            r#"[{"index":0,"delta":{"content":"Fo"},"finish_reason":null}]"#,
            r#"[{"index":0,"delta":{"content":"ur"},"finish_reason":null}]"#,
            r#"[{"index":0,"delta":{"content":[{"type":"reference","reference_ids":[1]},{"type":"text","text":"."}]},"finish_reason":null}]"#,
            r#"[{"index":0,"delta":{"content":"","tool_calls":[{"id":"D681PevKs","function":{"name":"add","arguments":"{\"a\":2}"},"index":0}]},"finish_reason":"stop"}]"#,
        ],
        r#"{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"Let me see."}]},{"type":"text","text":"Four"},{"type":"reference","reference_ids":[1]},{"type":"text","text":"."}],"tool_calls":[{"id":"D681PevKs","function":{"name":"add","arguments":"{\"a\":2}"}}]}"#,
    );
}

/// A-25: usage comes with the last choice, or grows with each chunk.
#[test]
fn a_chat_of_vllm() {
    let events = r#"data: {"id":"v","object":"chat.completion.chunk","created":1,"model":"q","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":[1,2],"usage":{"prompt_tokens":2,"total_tokens":2,"completion_tokens":0}}

data: {"id":"v","object":"chat.completion.chunk","created":1,"model":"q","choices":[{"index":0,"delta":{"content":"A"},"logprobs":null,"finish_reason":null,"token_ids":[32]}],"prompt_token_ids":null,"usage":{"prompt_tokens":2,"total_tokens":3,"completion_tokens":1}}

data: {"id":"v","object":"chat.completion.chunk","created":1,"model":"q","choices":[{"index":0,"delta":{"content":"A"},"logprobs":null,"finish_reason":"stop","stop_reason":null,"token_ids":[32]}],"usage":{"prompt_tokens":2,"total_tokens":4,"completion_tokens":2}}

data: [DONE]

"#;
    let expected = r#"{"id":"v","object":"chat.completion","created":1,"model":"q","choices":[{"index":0,"message":{"role":"assistant","content":"AA"},"logprobs":null,"finish_reason":"stop","token_ids":[32,32],"stop_reason":null}],"prompt_token_ids":[1,2],"usage":{"prompt_tokens":2,"total_tokens":4,"completion_tokens":2}}"#;
    check(Profile::Chat, events, expected);
}

/// A-26: comments hold the line, each delta says who speaks.
#[test]
fn a_chat_of_openrouter() {
    let events = r#": OPENROUTER PROCESSING

: OPENROUTER PROCESSING

data: {"id":"gen-1","provider":"Anthropic","model":"a/b","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":"I","reasoning_details":[{"type":"reasoning.text","text":"I","format":"anthropic-claude-v1","index":0}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}

data: {"id":"gen-1","provider":"Anthropic","model":"a/b","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":" see","reasoning_details":[{"type":"reasoning.text","text":" see","format":"anthropic-claude-v1","index":0}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}

data: {"id":"gen-1","provider":"Anthropic","model":"a/b","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":"","reasoning":null,"reasoning_details":[{"type":"reasoning.text","signature":"c2ln","format":"anthropic-claude-v1","index":0}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}

data: {"id":"gen-1","provider":"Anthropic","model":"a/b","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":"Yes.","annotations":[{"type":"url_citation","url_citation":{"url":"https://a.example"}}]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}]}

data: {"id":"gen-1","provider":"Anthropic","model":"a/b","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":"","annotations":[{"type":"url_citation","url_citation":{"url":"https://b.example"}}]},"finish_reason":"stop","native_finish_reason":"end_turn","logprobs":null}]}

data: {"id":"gen-1","provider":"Anthropic","model":"a/b","object":"chat.completion.chunk","created":1,"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,"native_finish_reason":null,"logprobs":null}],"usage":{"prompt_tokens":3,"cost":0.00014}}

data: [DONE]

"#;
    let expected = r#"{"id":"gen-1","provider":"Anthropic","model":"a/b","object":"chat.completion","created":1,"choices":[{"index":0,"message":{"role":"assistant","content":"Yes.","reasoning":"I see","reasoning_details":[{"type":"reasoning.text","text":"I see","signature":"c2ln","format":"anthropic-claude-v1","index":0}],"annotations":[{"type":"url_citation","url_citation":{"url":"https://a.example"}},{"type":"url_citation","url_citation":{"url":"https://b.example"}}]},"finish_reason":"stop","native_finish_reason":"end_turn","logprobs":null}],"usage":{"prompt_tokens":3,"cost":0.00014}}"#;
    check(Profile::Chat, events, expected);
}

/// The message so far comes with each delta; citations with each chunk.
#[test]
fn a_chat_of_perplexity() {
    let events = "data: {\"id\":\"p\",\"citations\":[\"https://a.example\"],\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"A\"},\"delta\":{\"role\":\"assistant\",\"content\":\"A\"}}]}\r\n\r\n\
        data: {\"id\":\"p\",\"citations\":[\"https://a.example\"],\"choices\":[{\"index\":0,\"finish_reason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":\"AB\"},\"delta\":{\"role\":\"assistant\",\"content\":\"B\"}}]}\r\n\r\n\
        data: [DONE]\r\n\r\n";
    let expected = r#"{"id":"p","object":"chat.completion","citations":["https://a.example"],"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"AB"}}]}"#;
    check(Profile::Chat, events, expected);
}

/// Members of a remark of the provider's own are united.
#[test]
fn a_chat_of_groq() {
    let events = r#"data: {"id":"g","choices":[{"index":0,"delta":{"role":"assistant","content":"A"},"finish_reason":null}],"x_groq":{"id":"req_1"}}

data: {"id":"g","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":{"queue_time":0.05}}}

data: [DONE]

"#;
    let expected = r#"{"id":"g","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"A"},"finish_reason":"stop"}],"x_groq":{"id":"req_1","usage":{"queue_time":0.05}}}"#;
    check(Profile::Chat, events, expected);
}

#[test]
fn a_completion_of_openai() {
    let events = r#"data: {"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":"Say","index":0,"logprobs":{"tokens":["Say"],"token_logprobs":[null],"top_logprobs":[{}],"text_offset":[0]},"finish_reason":null}],"model":"gpt-3.5-turbo-instruct"}

data: {"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":" it","index":0,"logprobs":{"tokens":[" it"],"token_logprobs":[-0.50],"top_logprobs":[{}],"text_offset":[3]},"finish_reason":null}],"model":"gpt-3.5-turbo-instruct"}

data: {"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":"","index":0,"logprobs":null,"finish_reason":"stop"}],"model":"gpt-3.5-turbo-instruct"}

data: {"id":"cmpl-1","object":"text_completion","created":1,"model":"gpt-3.5-turbo-instruct","usage":{"prompt_tokens":5},"choices":[]}

data: [DONE]

"#;
    let expected = r#"{"id":"cmpl-1","object":"text_completion","created":1,"choices":[{"text":"Say it","index":0,"logprobs":{"tokens":["Say"," it"],"token_logprobs":[null,-0.50],"top_logprobs":[{},{}],"text_offset":[0,3]},"finish_reason":"stop"}],"model":"gpt-3.5-turbo-instruct","usage":{"prompt_tokens":5}}"#;
    check(Profile::Completions, events, expected);
}
