//! Answers as providers send them, for measuring: pretty-printed.
//!
//! Built from a seed, so that every run measures the same bytes.

use serde_json::{Value, json};

/// Answers as models write them, long and short.
const ANSWERS: [&str; 10] = [
    include_str!("corpus/pool.md"),
    include_str!("corpus/plants.md"),
    include_str!("corpus/letter.md"),
    include_str!("corpus/sql.md"),
    include_str!("corpus/lisbon.md"),
    include_str!("corpus/sum.md"),
    include_str!("corpus/meeting.md"),
    include_str!("corpus/rust.md"),
    include_str!("corpus/slogans.md"),
    include_str!("corpus/short.md"),
];

const PLACES: [&str; 6] =
    ["Zürich, CH", "Paris, France", "São Paulo", "Osaka", "Lagos", "Wellington"];
const SLOGANS: &str = include_str!("corpus/slogans.md");
const SHORT: &str = include_str!("corpus/short.md");

/// A generator of even, repeatable numbers (splitmix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    /// Even in 0..1.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal with a deviation of 1, or nearly (the sum of twelve even ones).
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.part()).sum::<f64>() - 6.0
    }

    fn id(&mut self, prefix: &str, length: usize) -> String {
        let signs = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let id = (0..length).map(|_| char::from(signs[self.below(signs.len())]));
        prefix.chars().chain(id).collect()
    }
}

fn completion(dice: &mut Dice, choices: Vec<Value>) -> String {
    let (prompt, answer) = (dice.between(20, 3_000), dice.between(50, 900));
    let body = json!({
        "id": dice.id("chatcmpl-", 29),
        "object": "chat.completion",
        "created": 1_741_569_952 + dice.below(1_000_000),
        "model": "gpt-4o-mini-2024-07-18",
        "choices": choices,
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "total_tokens": prompt + answer,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0
            }
        },
        "service_tier": "default",
        "system_fingerprint": dice.id("fp_", 10)
    });
    serde_json::to_string_pretty(&body).unwrap() + "\n"
}

fn choice(index: usize, message: Value, logprobs: Value, end: &str) -> Value {
    json!({"index": index, "message": message, "logprobs": logprobs, "finish_reason": end})
}

fn said(content: &str) -> Value {
    json!({"role": "assistant", "content": content, "refusal": null, "annotations": []})
}

/// An answer in text.
fn text_chat(dice: &mut Dice, text: &str) -> String {
    completion(dice, vec![choice(0, said(text), Value::Null, "stop")])
}

/// An answer that calls tools.
fn tool_chat(dice: &mut Dice) -> String {
    let num_calls = dice.between(1, 4);
    let calls: Vec<Value> = (0..num_calls)
        .map(|_| {
            let place = PLACES[dice.below(PLACES.len())];
            let days = dice.between(1, 14);
            let arguments =
                format!("{{\"location\":\"{place}\",\"days\":{days},\"unit\":\"celsius\"}}");
            json!({
                "id": dice.id("call_", 24),
                "type": "function",
                "function": {"name": "get_weather_forecast", "arguments": arguments}
            })
        })
        .collect();
    let message = json!({
        "role": "assistant",
        "content": null,
        "tool_calls": calls,
        "refusal": null,
        "annotations": []
    });
    completion(dice, vec![choice(0, message, Value::Null, "tool_calls")])
}

/// An answer in JSON by a schema: data taken out of a text.
fn structured_chat(dice: &mut Dice) -> String {
    let goods = ["Pallet jack", "Safety gloves, box of 100", "LED panel 60×60", "Cable drum 50 m"];
    let items: Vec<Value> = (0..12)
        .map(|line| {
            json!({
                "line": line + 1,
                "sku": dice.id("SKU-", 8),
                "description": goods[dice.below(4)],
                "quantity": dice.between(1, 40),
                "unit_price": format!("{}.{:02}", dice.between(3, 900), dice.below(100)),
                "currency": "EUR"
            })
        })
        .collect();
    let invoice = json!({"number": dice.id("INV-", 8), "items": items, "is_paid": false});
    let text = serde_json::to_string_pretty(&invoice).unwrap();
    completion(dice, vec![choice(0, said(&text), Value::Null, "stop")])
}

/// Several choices for one question.
fn wide_chat(dice: &mut Dice) -> String {
    let mut lines: Vec<&str> = SLOGANS.lines().collect();
    let choices = (0..3).map(|index| {
        lines.rotate_left(3);
        choice(index, said(&lines[..5].join("\n")), Value::Null, "stop")
    });
    let choices = choices.collect();
    completion(dice, choices)
}

/// A short answer with the likelihood of each of its tokens.
fn logprobs_chat(dice: &mut Dice) -> String {
    let tokens: Vec<Value> = SHORT
        .split_inclusive(' ')
        .map(|token| {
            let mut likely = |token: &str| {
                let logprob = (-dice.part().abs() * 9.0) as f32;
                json!({"token": token, "logprob": logprob, "bytes": token.as_bytes()})
            };
            let mut first = likely(token);
            first["top_logprobs"] = json!([likely(token), likely(token.trim()), likely("the")]);
            first
        })
        .collect();
    completion(
        dice,
        vec![choice(0, said(SHORT), json!({"content": tokens, "refusal": null}), "stop")],
    )
}

/// Chats by their kind.
pub(super) fn chats() -> [(&'static str, Vec<String>); 5] {
    let mut dice = Dice::new(1);
    [
        ("text", ANSWERS.iter().map(|text| text_chat(&mut dice, text)).collect()),
        ("tool calls", (0..4).map(|_| tool_chat(&mut dice)).collect()),
        ("structured", (0..4).map(|_| structured_chat(&mut dice)).collect()),
        ("several choices", vec![wide_chat(&mut dice)]),
        ("logprobs", vec![logprobs_chat(&mut dice)]),
    ]
}

/// Lists of models: a provider's bare one, and a broker's with prices.
pub(super) fn model_lists() -> Vec<String> {
    let mut dice = Dice::new(2);
    let bare: Vec<Value> = (0..70)
        .map(|_| {
            json!({
                "id": model(&mut dice),
                "object": "model",
                "created": 1_650_000_000 + dice.below(100_000_000),
                "owned_by": "system"
            })
        })
        .collect();
    let lines = ANSWERS.iter().flat_map(|text| text.lines()).filter(|line| line.len() > 60);
    let priced: Vec<Value> = lines
        .map(|description| {
            json!({
                "id": model(&mut dice),
                "name": model(&mut dice),
                "created": 1_650_000_000 + dice.below(100_000_000),
                "description": description,
                "context_length": 1 << dice.between(12, 20),
                "architecture": {
                    "modality": "text->text",
                    "tokenizer": "GPT",
                    "instruct_type": null
                },
                "pricing": {
                    "prompt": format!("0.0000{:02}", dice.below(100)),
                    "completion": format!("0.0000{:02}", dice.below(100)),
                    "image": "0",
                    "request": "0"
                },
                "per_request_limits": null
            })
        })
        .collect();
    [bare, priced]
        .map(|data| serde_json::to_string_pretty(&json!({"object": "list", "data": data})).unwrap())
        .to_vec()
}

fn model(dice: &mut Dice) -> String {
    let family =
        ["gpt-4o", "gpt-4.1-mini", "o3", "claude-3-7-sonnet", "llama-3.3-70b", "mistral-small"];
    let end = ["", "-latest", "-preview", "-instruct", "-audio"];
    format!(
        "{}{}-2025-{:02}-{:02}",
        family[dice.below(6)],
        end[dice.below(5)],
        dice.between(1, 12),
        dice.between(1, 28)
    )
}

fn vector(dice: &mut Dice) -> Vec<f32> {
    (0..1_536).map(|_| (dice.normal() * 0.025) as f32).collect()
}

fn embeddings(vectors: impl Iterator<Item = String>) -> String {
    let items = vectors.enumerate().map(|(index, vector)| {
        format!(
            "    {{\n      \"object\": \"embedding\",\n      \"index\": {index},\n      \
             \"embedding\": {vector}\n    }}"
        )
    });
    let items: Vec<String> = items.collect();
    format!(
        "{{\n  \"object\": \"list\",\n  \"data\": [\n{}\n  ],\n  \
         \"model\": \"text-embedding-3-small\",\n  \"usage\": {{\n    \
         \"prompt_tokens\": 8,\n    \"total_tokens\": 8\n  }}\n}}\n",
        items.join(",\n")
    )
}

/// Embeddings of single floats, one a line.
pub(super) fn float_embeddings() -> String {
    let mut dice = Dice::new(3);
    embeddings((0..4).map(|_| {
        let lines: Vec<String> =
            vector(&mut dice).iter().map(|number| format!("        {number}")).collect();
        format!("[\n{}\n      ]", lines.join(",\n"))
    }))
}

/// The same in base64.
pub(super) fn base64_embeddings() -> String {
    let mut dice = Dice::new(3);
    embeddings((0..4).map(|_| {
        let bytes: Vec<u8> = vector(&mut dice).into_iter().flat_map(f32::to_le_bytes).collect();
        format!("\"{}\"", base64(&bytes))
    }))
}

fn base64(bytes: &[u8]) -> String {
    let signs = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let threes = bytes.chunks_exact(3).flat_map(|three| {
        let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        [18, 12, 6, 0].map(|shift| char::from(signs[(bits >> shift & 63) as usize]))
    });
    threes.collect()
}

/// The events of a streamed answer.
pub(super) fn streamed_chat() -> Vec<String> {
    let mut dice = Dice::new(4);
    let text = ANSWERS[1];
    let (id, print) = (dice.id("chatcmpl-", 29), dice.id("fp_", 10));
    let tokens = text.split_inclusive(' ').map(|token| {
        let chunk = json!({
            "id": id,
            "object": "chat.completion.chunk",
            "created": 1_741_569_952,
            "model": "gpt-4o-mini-2024-07-18",
            "service_tier": "default",
            "system_fingerprint": print,
            "choices": [{
                "index": 0,
                "delta": {"content": token},
                "logprobs": null,
                "finish_reason": null
            }]
        });
        format!("data: {chunk}\n\n")
    });
    tokens.chain(["data: [DONE]\n\n".to_owned()]).collect()
}
