//! `config.yaml` says what the code does: the same defaults, the same ranges, every key.

use super::comments::{Entry, FILE, entries};
use super::load::parse_yaml;
use super::load_tests::load_text;
use super::overlay::SHORT_FORMS;
use super::ranges::range;
use super::tree::{KeyPath, get, values_set};
use super::{Settings, UpstreamKind};

#[test]
fn the_file_holds_exactly_the_defaults() {
    assert_eq!(load_text(FILE, &[]).unwrap().settings, Settings::default());
}

#[test]
fn every_key_is_in_the_file_with_its_meaning_range_and_default() {
    let entries = entries();
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    let file = parse_yaml(FILE).unwrap();
    values_set(&defaults, &KeyPath::default(), &mut |path, default| {
        assert!(get(&file, path).is_some(), "{path} is missing");
        let key = path.to_string();
        let Entry { comment, value } = &entries[&key];
        if default.is_array() {
            assert!(!comment.is_empty(), "{key} has no comment");
            return;
        }
        assert!(comment.contains(&format!("default {value}")), "{key}: default in `{comment}`");
        if let Some(range) = range(&key) {
            assert!(comment.contains(&format!("; {range};")), "{key}: {range} in `{comment}`");
            let type_named = ["Count;", "Duration;", "Size, bytes;"];
            assert!(type_named.iter().any(|name| comment.contains(name)), "{key}: `{comment}`");
        }
    });
}

#[test]
fn every_key_of_a_route_is_explained_above_the_list() {
    let comment = &entries()["routes"].comment;
    let route = serde_json::to_value(super::Route::default()).unwrap();
    for name in route.as_object().unwrap().keys() {
        assert!(comment.contains(&format!(" {name}: ")), "{name}");
    }
    let lifetime = range("routes[0].lifetime").unwrap();
    assert!(comment.contains(&format!("; {lifetime};")));
}

#[test]
fn every_key_of_a_client_key_is_explained_above_the_list() {
    let comment = &entries()["auth.keys"].comment;
    let key = serde_json::to_value(super::ClientKey::default()).unwrap();
    for name in key.as_object().unwrap().keys() {
        assert!(comment.contains(&format!(" {name}: ")), "{name}");
    }
    for name in ["requests_per_minute", "tokens_per_minute"] {
        let range = range(&format!("auth.keys[0].{name}")).unwrap();
        let (_, explained) = comment.split_once(name).unwrap();
        assert!(explained.contains(&format!("; {range};")), "{name}");
    }
}

#[test]
fn every_key_of_a_price_is_explained_above_the_list() {
    let comment = &entries()["prices.models"].comment;
    let price = serde_json::to_value(super::ModelPrice::default()).unwrap();
    for name in price.as_object().unwrap().keys() {
        assert!(comment.contains(&format!(" {name}: ")), "{name}");
    }
    let (_, example) = comment.split_once("For example: ").unwrap();
    let loaded = load_text(&format!("prices: {{models: {example}}}"), &[]).unwrap();
    let price = loaded.settings.price_table().unwrap().price("gpt-4o-mini").unwrap();
    assert_eq!(price.input_per_million.micros(), 2_500_000);
    assert_eq!(price.output_per_million.micros(), 10_000_000);
}

#[test]
fn every_key_of_a_critical_request_is_explained_above_the_list() {
    let comment = &entries()["warming.critical"].comment;
    let critical = serde_json::to_value(super::CriticalRequest::default()).unwrap();
    for name in critical.as_object().unwrap().keys() {
        assert!(comment.contains(&format!(" {name}: ")), "{name}");
    }
    let (_, example) = comment.split_once("For example: ").unwrap();
    let loaded = load_text(&format!("warming: {{critical: {example}}}"), &[]).unwrap();
    let critical = &loaded.settings.warming.critical;
    assert_eq!((critical[0].method.as_str(), critical[0].path.as_str()), ("GET", "/v1/models"));
    let body: serde_json::Value = serde_json::from_str(critical[1].body.expose()).unwrap();
    assert_eq!(body["messages"][0]["content"], "Good morning!");
}

#[test]
fn every_short_form_is_named_at_its_key() {
    let entries = entries();
    for (variable, key, _) in SHORT_FORMS {
        assert!(entries[*key].comment.contains(variable), "{variable} at {key}");
    }
}

#[test]
fn the_examples_in_the_file_work() {
    let lines: Vec<String> = FILE
        .lines()
        .skip_while(|line| !line.contains("# openai:"))
        .take_while(|line| line.starts_with("  #"))
        .filter_map(|line| line.strip_prefix("  # ").map(|line| format!("  {line}")))
        .filter(|line| line.trim_end().ends_with(':') || line.starts_with("    "))
        .collect();
    let text = format!("upstreams:\n{}", lines.join("\n"));
    let loaded = load_text(&text, &[("OPENAI_API_KEY", "sk-1")]).unwrap();
    let openai = &loaded.settings.upstreams["openai"];
    assert_eq!(openai.set_headers["authorization"].expose(), "Bearer sk-1");
    assert_eq!(openai.kind, UpstreamKind::Http);
    assert_eq!(loaded.settings.upstreams["anthropic"].url, "https://api.anthropic.com");
    assert!(loaded.settings.upstreams.contains_key("default"));
}
