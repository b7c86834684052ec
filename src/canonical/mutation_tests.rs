//! Each counted field of each API's full request changes the key, at any depth; nothing else
//! does. A-1 (fields nobody has heard of), A-2, A-12 (each endpoint), A-6 (pictures, audio and
//! files), A-7 (all messages), A-14 (no short hash), A-15 (no folding).

use std::collections::HashMap;

use anteroom_actors::model::CacheKey;
use serde_json::{Value, json};

use super::{KeyBody, KeyParts, Profile, Scope, ScopeSecret, Uncounted, canonicalise};

const EXAMPLES: [(Profile, &str); 5] = [
    (Profile::Chat, include_str!("../../tests/examples/chat.json")),
    (Profile::Completions, include_str!("../../tests/examples/completions.json")),
    (Profile::Responses, include_str!("../../tests/examples/responses.json")),
    (Profile::Messages, include_str!("../../tests/examples/messages.json")),
    (Profile::Embeddings, include_str!("../../tests/examples/embeddings.json")),
];

fn key_in(scope: &Scope, profile: Profile, body: &str) -> CacheKey {
    let canonical = canonicalise(body.as_bytes(), profile.uncounted_fields()).unwrap();
    let parts = KeyParts {
        route: profile.as_str(),
        upstream: "provider",
        method: "POST",
        path: "/v1/x",
        query: None,
        scope,
        namespace: "",
        headers: &[],
        body: KeyBody::Json(&canonical),
    };
    parts.key()
}

fn key(profile: Profile, body: &Value) -> CacheKey {
    key_in(&Scope::shared(), profile, &body.to_string())
}

/// Returns what a value can be changed into on its own level.
fn changes(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![json!(false), json!(""), json!(0), json!({})],
        Value::Bool(flag) => vec![json!(!flag), Value::Null, json!(flag.to_string())],
        Value::Number(number) => {
            let mut changed = vec![Value::Null, json!(number.to_string()), json!(1234.5)];
            changed.extend(number.as_i64().map(|number| json!(number + 1)));
            changed.extend(number.as_f64().map(|number| json!(number * 2.0 + 0.5)));
            changed
        }
        Value::String(text) => {
            let swapped: String =
                text.chars()
                    .map(|c| {
                        if c.is_lowercase() {
                            c.to_ascii_uppercase()
                        } else {
                            c.to_ascii_lowercase()
                        }
                    })
                    .collect();
            let mut cut = text.clone();
            cut.pop();
            let all = [format!("{text} "), format!(" {text}"), format!("{text}x"), swapped, cut];
            all.into_iter()
                .filter(|other| other != text)
                .map(Value::String)
                .chain([Value::Null])
                .collect()
        }
        Value::Array(elements) => {
            let mut changed = vec![json!([elements]), Value::Null];
            for position in 0..elements.len() {
                let mut dropped = elements.clone();
                let element = dropped.remove(position);
                changed.push(json!(dropped));
                dropped.push(element);
                changed.push(json!(dropped));
                let mut doubled = elements.clone();
                doubled.insert(position, elements[position].clone());
                changed.push(json!(doubled));
            }
            changed.retain(|other| other != value);
            changed
        }
        Value::Object(members) => {
            let mut changed = vec![json!([members]), Value::Null];
            for name in members.keys() {
                let mut other = members.clone();
                let member = other.remove(name).unwrap();
                changed.push(json!(other));
                other.insert(format!("{name}_"), member);
                changed.push(json!(other));
            }
            let mut more = members.clone();
            more.insert("nobody_has_heard_of_this".into(), json!(1));
            changed.push(json!(more));
            changed
        }
    }
}

/// Calls `visit` with each form of `root` in which one thing at or below `pointer` is another.
fn mutate(root: &Value, pointer: &str, visit: &mut dyn FnMut(&str, Value)) {
    let here = root.pointer(pointer).unwrap();
    for changed in changes(here) {
        let mut mutant = root.clone();
        *mutant.pointer_mut(pointer).unwrap() = changed;
        visit(pointer, mutant);
    }
    let below: Vec<String> = match here {
        Value::Array(elements) => {
            (0..elements.len()).map(|position| position.to_string()).collect()
        }
        Value::Object(members) => members.keys().cloned().collect(),
        _ => Vec::new(),
    };
    for step in below {
        mutate(root, &format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1")), visit);
    }
}

/// Returns the body without what does not count, as the API's documents have it: apart from
/// the code that is tested.
fn counted(profile: Profile, body: &Value) -> Value {
    let mut body = body.clone();
    let uncounted: &[&str] = match profile {
        Profile::Chat => &[
            "user",
            "metadata",
            "store",
            "service_tier",
            "safety_identifier",
            "prompt_cache_key",
            "prompt_cache_retention",
            "stream",
            "stream_options",
        ],
        Profile::Responses => &[
            "user",
            "metadata",
            "service_tier",
            "safety_identifier",
            "prompt_cache_key",
            "prompt_cache_retention",
        ],
        Profile::Messages => &["metadata", "service_tier"],
        Profile::Completions => &["user", "stream", "stream_options"],
        Profile::Embeddings => &["user"],
        Profile::Models | Profile::Generic => &[],
    };
    if let Some(members) = body.as_object_mut() {
        members.retain(|name, value| {
            let is_default = name == "stream" && value == &json!(false);
            !is_default && !uncounted.contains(&name.as_str())
        });
    }
    body
}

#[test]
fn a_change_of_anything_that_counts_changes_the_key_and_of_nothing_else_does() {
    for (profile, body) in EXAMPLES {
        let example: Value = serde_json::from_str(body).unwrap();
        let original = key(profile, &example);
        let mut seen: HashMap<CacheKey, Value> = HashMap::new();
        let (mut num_counted, mut num_uncounted) = (0, 0);
        mutate(&example, "", &mut |pointer, mutant| {
            let counts = counted(profile, &mutant) != counted(profile, &example);
            let found = key(profile, &mutant);
            assert_eq!(found != original, counts, "{profile}: {pointer} became {mutant}");
            // No two different mutants meet either.
            let mutant = counted(profile, &mutant);
            let met = seen.entry(found).or_insert_with(|| mutant.clone());
            assert_eq!(*met, mutant, "{profile}: {pointer}");
            *(if counts { &mut num_counted } else { &mut num_uncounted }) += 1;
        });
        assert!(num_counted > 40 && num_uncounted > 4, "{profile}: the example is thin");
    }
}

#[test]
fn each_example_holds_every_uncounted_field() {
    for (profile, body) in EXAMPLES {
        let example: Value = serde_json::from_str(body).unwrap();
        for field in profile.uncounted_fields() {
            let (Uncounted::Always(name)
            | Uncounted::WhenFalse(name)
            | Uncounted::WhenEqual(name, _)) = field;
            assert!(example.get(name).is_some(), "{profile} lacks {name}");
        }
    }
}

/// key order, white space, number spellings and escapes are no difference.
#[test]
fn a_body_spelled_otherwise_has_the_same_key() {
    for (profile, body) in EXAMPLES {
        let original = key_in(&Scope::shared(), profile, body);
        let example: Value = serde_json::from_str(body).unwrap();
        // serde_json sorts members, so this is the example in another order and without space.
        assert_eq!(original, key(profile, &example), "{profile}");
        let mut respelled = String::new();
        respell(&example, &mut respelled);
        assert_ne!(respelled, body);
        assert_eq!(original, key_in(&Scope::shared(), profile, &respelled), "{profile}");
    }
}

/// Writes members backwards, integers with a fraction, and every character escaped.
fn respell(value: &Value, out: &mut String) {
    let escaped = |text: &str| {
        let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
        format!("\"{units}\"")
    };
    match value {
        Value::Number(number) if number.is_i64() => *out += &format!(" {number}.0e+0"),
        Value::String(text) => *out += &escaped(text),
        Value::Array(elements) => {
            for (position, element) in elements.iter().enumerate() {
                *out += if position == 0 { "[" } else { " ,\n" };
                respell(element, out);
            }
            *out += if elements.is_empty() { "[\t]" } else { "]" };
        }
        Value::Object(members) => {
            for (position, (name, member)) in members.iter().rev().enumerate() {
                *out += if position == 0 { "{ " } else { " ,\r\n" };
                *out += &format!("{} : ", escaped(name));
                respell(member, out);
            }
            *out += if members.is_empty() { "{ }" } else { " }" };
        }
        other => *out += &other.to_string(),
    }
}

#[test]
fn not_streaming_is_the_same_as_not_saying_so_and_streaming_counts_where_forms_do_not_convert() {
    for (profile, body) in EXAMPLES {
        if profile == Profile::Embeddings {
            continue;
        }
        let mut example: Value = serde_json::from_str(body).unwrap();
        let streamed = key(profile, &example);
        example["stream"] = json!(false);
        let plain = key(profile, &example);
        example.as_object_mut().unwrap().remove("stream");
        assert_eq!(plain, key(profile, &example), "{profile}");
        assert_eq!(plain == streamed, crate::forms::converts(profile), "{profile}");
    }
}

/// the scope is in the digest by which answers are found and
/// flights are joined.
#[test]
fn two_credentials_never_share_a_key() {
    let secret = ScopeSecret::new([9; 32]);
    let scope =
        |value: &'static str| secret.scope([("authorization", value.as_bytes())].into_iter());
    for (profile, body) in EXAMPLES {
        let keys = [
            key_in(&scope("Bearer one"), profile, body),
            key_in(&scope("Bearer two"), profile, body),
            key_in(&secret.scope(std::iter::empty()), profile, body),
            key_in(&Scope::shared(), profile, body),
        ];
        for (position, one) in keys.iter().enumerate() {
            assert!(!keys[position + 1..].contains(one), "{profile}");
        }
        assert_eq!(keys[0], key_in(&scope("Bearer one"), profile, body), "{profile}");
    }
}
