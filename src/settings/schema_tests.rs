use super::super::load::parse_yaml;
use super::super::load_tests::load_text;
use super::super::ranges::{RANGES, fits};
use super::super::tree::leaves;
use super::*;

fn validator() -> jsonschema::Validator {
    jsonschema::draft7::new(&serde_json::from_str(&schema()).unwrap()).unwrap()
}

fn mistakes(yaml: &str) -> Vec<String> {
    let tree = parse_yaml(yaml).unwrap();
    let validator = validator();
    validator.iter_errors(&tree).map(|error| error.instance_path().to_string()).collect()
}

#[test]
fn the_published_schema_is_that_of_the_code() {
    let published = include_str!("../../config.schema.json");
    assert!(published == schema(), "write it anew: anteroom schema > config.schema.json");
    let first = comments::FILE.lines().next().unwrap();
    assert_eq!(first, "# yaml-language-server: $schema=config.schema.json");
}

#[test]
fn the_published_settings_and_the_defaults_are_right() {
    assert_eq!(mistakes(comments::FILE), [""; 0]);
    let defaults = serde_json::to_value(Settings::default()).unwrap();
    assert!(validator().is_valid(&defaults));
}

/// What the schema refuses is refused by the loader, and what is right for one is for the other.
#[test]
fn the_schema_and_the_loader_agree() {
    let digest = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let key = format!("auth: {{keys: [{{name: a, digest: \"{digest}\"}}]}}");
    for right in [
        "",
        "l1:",
        "l1: {max_entries: 5}",
        "l1: {max_entries: \"${N}\"}",
        "log: {level: trace}",
        "server: {listen: \"[::1]:80\"}",
        "upstreams: {mine: {kind: http, url: http://a, set_headers: {a: b}}}",
        "routes: [{name: a, methods: [GET], path: /a, negative: {404: 30s}, heed_origin: true}]",
        "routes: [{name: a, methods: [GET], path: /a, cache: true, max_temperature: 0.5}]",
        "warming: {critical: [{path: /v1/models, method: GET, body: {a: [1]}}]}",
        "response: {redact: {names: [a]}}",
        "prices: {models: [{model: a, input_per_million: \"1\"}]}",
        key.as_str(),
    ] {
        assert_eq!(mistakes(right), [""; 0], "{right}");
        let loaded = load_text(right, &[("N", "7")]);
        assert!(loaded.is_ok(), "{right}: {}", loaded.unwrap_err());
    }
    for (wrong, at) in [
        ("l9: {}", ""),
        ("l1: {max_entry: 5}", "/l1"),
        ("l1: {max_entries: 0}", "/l1/max_entries"),
        ("l1: {max_entries: 100000001}", "/l1/max_entries"),
        ("l1: {residence: 5}", "/l1/residence"),
        ("l1: {residence: 5 s}", "/l1/residence"),
        ("l1: {max_bytes: 5MB}", "/l1/max_bytes"),
        ("log: {level: loud}", "/log/level"),
        ("data_dir: 5", "/data_dir"),
        ("l3: {enabled: 5}", "/l3/enabled"),
        ("upstreams: {mine: {kin: http}}", "/upstreams/mine"),
        ("routes: [{methods: [GET], path: /a}]", "/routes/0"),
        ("routes: [{name: a, methods: GET, path: /a}]", "/routes/0/methods"),
        (
            "routes: [{name: a, methods: [GET], path: /a, negative: {404: 30}}]",
            "/routes/0/negative/404",
        ),
        ("auth: {keys: [{name: a}]}", "/auth/keys/0"),
        ("auth: {keys: {}}", "/auth/keys"),
        ("warming: {critical: [{method: GET}]}", "/warming/critical/0"),
    ] {
        assert_eq!(mistakes(wrong), [at], "{wrong}");
        assert!(load_text(wrong, &[]).is_err(), "{wrong}");
    }
}

/// Returns the part of the schema for a key.
fn part<'s>(schema: &'s Value, path: &KeyPath) -> &'s Value {
    path.0.iter().fold(schema, |here, step| match step {
        Step::Index(_) => &here["items"],
        Step::Name(name) => here["properties"].get(name).unwrap_or(&here["additionalProperties"]),
    })
}

#[test]
fn every_range_is_the_validators() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let mut tree = Writer::new().full;
    place(
        &mut tree,
        &KeyPath(vec![
            Step::Name("routes".into()),
            Step::Index(0),
            Step::Name("negative".into()),
            Step::Name("404".into()),
        ]),
        &json!("30s"),
    );
    let mut seen = 0;
    leaves(&tree, &mut |path, _| {
        let key = path.to_string();
        let Some((_, range)) = RANGES.iter().find(|(pattern, _)| fits(pattern, &key)) else {
            return;
        };
        let own = &part(&schema, path)["anyOf"][0];
        let told = |name: &str| own[name].as_str().unwrap_or_default().to_owned();
        let ends = match range {
            Range::Count(..) => format!("{}–{}", own["minimum"], own["maximum"]),
            Range::Time(..) | Range::Size(..) => {
                format!("{}–{}", told("x-minimum"), told("x-maximum"))
            }
        };
        assert_eq!(ends, range.to_string(), "{key}");
        seen += 1;
    });
    assert!(seen >= RANGES.len(), "{seen} keys with a range");
}

#[test]
fn every_key_has_its_words() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    leaves(&Writer::new().full, &mut |path, _| {
        let key = path.to_string();
        // Their words are those of the map or of the list they are in.
        if key.contains("reject[0]") || key.ends_with(']') {
            return;
        }
        let words = part(&schema, path)["description"].as_str().unwrap_or_default();
        assert!(words.len() > 10, "{key}: {words:?}");
    });
    let lifetime = &schema["properties"]["routes"]["items"]["properties"]["lifetime"];
    let words = "how long an answer may be served, from its making. Duration; 1s–365d; default 2h.";
    assert!(lifetime["description"].as_str().unwrap().starts_with(words), "{lifetime}");
}
