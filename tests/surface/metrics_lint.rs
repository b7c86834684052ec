//! `/metrics` keeps to the conventions of Prometheus and to OpenMetrics, and stays small.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::metrics::{some_of_everything, wait_for_requests};
use crate::support::client::Request;
use crate::support::gateway::{Gateway, chat};
use crate::support::provider::Provider;

/// Largest scrape, in bytes.
const LARGEST: usize = 200_000;

/// Words that name a unit that is not a base unit, or shorten one, as promtool has them.
const NO_BASE_UNITS: [&str; 24] = [
    "milliseconds",
    "microseconds",
    "nanoseconds",
    "minutes",
    "hours",
    "days",
    "kilobytes",
    "megabytes",
    "gigabytes",
    "bits",
    "percent",
    "ms",
    "us",
    "ns",
    "s",
    "sec",
    "m",
    "h",
    "d",
    "b",
    "kb",
    "mb",
    "gb",
    "permille",
];

/// Labels whose values the settings, the code or a bound make few.
const BOUNDED: [&str; 22] = [
    "resource",
    "caller",
    "route",
    "outcome",
    "encoding",
    "error",
    "upstream",
    "reason",
    "level",
    "actor",
    "event",
    "value",
    "state",
    "key",
    "model",
    "direction",
    "currency",
    "version",
    "le",
    // Of the library, for the operations listener itself.
    "endpoint",
    "method",
    "status",
];

#[derive(Debug, Default)]
struct Family {
    kind: String,
    help: String,
    unit: String,
    /// Names with their labels, and values.
    samples: Vec<(String, BTreeMap<String, String>, f64)>,
}

/// Reads a text of either form; a sample must follow its family's head.
fn read(text: &str, is_open: bool) -> Result<BTreeMap<String, Family>, String> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let (mut current, mut seen) = (String::new(), BTreeSet::new());
    for line in text.lines() {
        if line == "# EOF" {
            continue;
        }
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (what, name, told) = (word(), word(), word());
            if current != name && families.contains_key(&name) {
                return Err(format!("{name} is in two places"));
            }
            let family = families.entry(name.clone()).or_default();
            match what.as_str() {
                "TYPE" => family.kind = told,
                "HELP" => family.help = told,
                "UNIT" if is_open => family.unit = told,
                _ => return Err(format!("not known: {line}")),
            }
            current = name;
            continue;
        }
        let (name, labels, value) = sample(line)?;
        if !seen.insert(format!("{name}{labels:?}")) {
            return Err(format!("twice: {line}"));
        }
        let family = families.get_mut(&current).ok_or_else(|| format!("no head: {line}"))?;
        let suffixes: &[&str] = match (family.kind.as_str(), is_open) {
            ("counter", true) => &["_total"],
            ("histogram", _) => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        if !suffixes.iter().any(|suffix| name == format!("{current}{suffix}")) {
            return Err(format!("not of {current}: {line}"));
        }
        family.samples.push((name, labels, value));
    }
    Ok(families)
}

fn sample(line: &str) -> Result<(String, BTreeMap<String, String>, f64), String> {
    let wrong = || format!("no sample: {line}");
    let (series, value) = line.rsplit_once(' ').ok_or_else(wrong)?;
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}').ok_or_else(wrong)?),
        None => (series, ""),
    };
    let mut found = BTreeMap::new();
    for pair in labels.split("\",").filter(|pair| !pair.is_empty()) {
        let (label, value) = pair.split_once("=\"").ok_or_else(wrong)?;
        if found.insert(label.to_owned(), value.trim_end_matches('"').to_owned()).is_some() {
            return Err(wrong());
        }
    }
    Ok((name.to_owned(), found, value.parse().map_err(|_| wrong())?))
}

/// Returns what is against the conventions, as `promtool check metrics` would, and a little more.
fn lint(families: &BTreeMap<String, Family>, is_open: bool) -> Vec<String> {
    let mut found = Vec::new();
    for (name, family) in families {
        let mut say = |what: &str| found.push(format!("{name}: {what}"));
        let ends_as_counter = name.ends_with("_total");
        match family.kind.as_str() {
            "counter" if ends_as_counter == is_open => say("a counter's name"),
            "gauge" | "histogram" if ends_as_counter => say("no counter, and called total"),
            "counter" | "gauge" | "histogram" => {}
            _ => say("its type"),
        }
        if family.kind == "histogram" && !name.ends_with("_seconds") && !name.ends_with("_bytes") {
            say("a histogram without a unit");
        }
        if ["_count", "_sum", "_bucket"].iter().any(|suffix| name.ends_with(suffix)) {
            say("a suffix of histograms");
        }
        if !name
            .bytes()
            .all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == b'_')
        {
            say("signs in its name");
        }
        if name.split('_').any(|word| NO_BASE_UNITS.contains(&word)) {
            say("not a base unit");
        }
        if name.split('_').any(|word| ["counter", "gauge", "histogram", "summary"].contains(&word))
        {
            say("its type is in its name");
        }
        let sentence = family.help.trim();
        if sentence.len() < 15
            || !(sentence.ends_with('.') || name.starts_with("anteroom_operations"))
        {
            say("its help is no sentence");
        }
        if !family.unit.is_empty() && !name.ends_with(&format!("_{}", family.unit)) {
            say("its unit is not in its name");
        }
        let labels = family.samples.iter().flat_map(|(_, labels, _)| labels.keys());
        for label in labels.collect::<BTreeSet<_>>() {
            if !BOUNDED.contains(&label.as_str()) || (label == "le" && family.kind != "histogram") {
                say(&format!("the label {label}"));
            }
        }
        if family.kind == "counter" && family.samples.iter().any(|(.., value)| *value < 0.0) {
            say("a counter below nothing");
        }
        found.extend(uneven(name, family));
    }
    found
}

/// Returns histograms whose buckets shrink, or do not end in the count.
fn uneven(name: &str, family: &Family) -> Vec<String> {
    let mut series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for (sample, labels, value) in &family.samples {
        let mut labels = labels.clone();
        let bound = labels.remove("le");
        let own = format!("{labels:?}");
        if let Some(bound) = bound {
            let bound = bound.replace("+Inf", "inf").parse().unwrap_or(f64::NAN);
            series.entry(own).or_default().push((bound, *value));
        } else if *sample == format!("{name}_count") {
            counts.insert(own, *value);
        }
    }
    let is_wrong = |(labels, buckets): &(&String, &Vec<(f64, f64)>)| {
        let grows = |(one, other): (&(f64, f64), &(f64, f64))| one.0 < other.0 && one.1 <= other.1;
        !buckets.iter().zip(buckets.iter().skip(1)).all(grows)
            || buckets.last().map(|(_, count)| *count) != counts.get(*labels).copied()
    };
    let wrong = series.iter().filter(is_wrong);
    wrong.map(|(labels, _)| format!("{name}: the buckets of {labels}")).collect()
}

#[test]
fn both_forms_keep_to_the_conventions_and_say_the_same() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    some_of_everything(&gateway, &provider);
    gateway.operate(&Request::get("/health/actors")).expect_status(200);
    wait_for_requests(&gateway, 7.0);
    let text = gateway.operate(&Request::get("/metrics")).expect_status(200);
    let wanted = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let open =
        gateway.operate(&Request::get("/metrics").header("Accept", wanted)).expect_status(200);
    assert_eq!(text.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let (text, open) = (text.text(), open.text());
    assert!(open.ends_with("\n# EOF\n") && open.matches("# EOF").count() == 1, "{open}");
    assert!(!text.contains("# EOF"), "{text}");
    let (text, open) = (read(&text, false).unwrap(), read(&open, true).unwrap());
    assert_eq!(lint(&text, false), [""; 0]);
    assert_eq!(lint(&open, true), [""; 0]);
    let named = |families: &BTreeMap<String, Family>| -> BTreeSet<String> {
        let samples = families.values().flat_map(|family| &family.samples);
        samples.map(|(name, labels, _)| format!("{name}{:?}", labels.keys())).collect()
    };
    assert_eq!(named(&text), named(&open));
}

#[test]
fn the_lint_bites() {
    let right = "# HELP a_total One for each a that was seen.\n# TYPE a_total counter\na_total 1\n";
    assert_eq!(lint(&read(right, false).unwrap(), false), [""; 0]);
    for (from, to) in [
        ("a_total", "a"),
        ("a_total", "A_total"),
        ("a_total", "a_ms_total"),
        ("a_total", "a_counter_total"),
        ("counter", "gauge"),
        ("One for each a that was seen.", "A."),
        ("a_total 1", "a_total -1"),
        ("a_total 1", "a_total{prompt=\"x\"} 1"),
        ("a_total 1", "a_total{le=\"1\"} 1"),
    ] {
        let wrong = right.replace(from, to);
        assert_ne!(lint(&read(&wrong, false).unwrap(), false), [""; 0], "{wrong}");
    }
    for wrong in
        ["b 1\n".to_owned(), right.replace("a_total 1", "a 1"), format!("{right}a_total 1\n")]
    {
        assert!(read(&wrong, false).is_err(), "{wrong}");
    }
    let buckets = |second: u8, count: u8| {
        format!(
            "# HELP a_seconds How long an a takes.\n# TYPE a_seconds histogram\n\
             a_seconds_bucket{{le=\"1\"}} 2\na_seconds_bucket{{le=\"+Inf\"}} {second}\n\
             a_seconds_sum 1\na_seconds_count {count}\n"
        )
    };
    for (second, count, problems) in [(3, 3, 0), (1, 1, 1), (3, 4, 1)] {
        let found = lint(&read(&buckets(second, count), false).unwrap(), false);
        assert_eq!(found.len(), problems, "{found:?}");
    }
}

/// Of two hundred models, half have series of their own; all default routes have answered.
#[test]
fn a_scrape_stays_small_whatever_callers_ask() {
    let provider = Provider::start();
    let gateway = Gateway::patient().upstream(&provider).start();
    for number in 0..200 {
        gateway
            .chat(json!({"model": format!("model-{number}"), "messages": []}))
            .expect_status(200);
    }
    for path in ["/v1/completions", "/v1/embeddings", "/v1/responses", "/v1/messages"] {
        for _ in 0..2 {
            gateway.send(&Request::post(
                path,
                json!({"model": "m", "input": "i", "prompt": "p", "messages": []}),
            ));
        }
    }
    gateway.send(&chat(json!({"model": 3})));
    gateway.send(&Request::get("/v1/models"));
    gateway.wait_until("all counted", |_| {
        gateway.metric("anteroom_requests_total", &[]).is_some_and(|count| count >= 200.0)
    });
    let text = gateway.operate(&Request::get("/metrics")).text();
    let models = text.lines().filter(|line| line.starts_with("anteroom_saved_calls_total{"));
    let models = models.count();
    assert!(models > 100 && models < 120, "{models}");
    assert!(text.len() < LARGEST, "{} bytes", text.len());
}
