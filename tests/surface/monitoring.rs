//! `deploy/`: the Grafana dashboard and the Prometheus alerts ask for what the gateway really tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anteroom::telemetry::names::{ACTOR_NUMBERS, Kind, METRICS};
use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::gateway::{Gateway, prompt};
use crate::support::provider::{Fault, Provider};
use crate::support::redis::Redis;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dashboard() -> Value {
    serde_json::from_str(&read("grafana/dashboard.json")).expect("a dashboard is JSON")
}

fn alerts() -> Value {
    serde_saphyr::from_str(&read("prometheus/alerts.yaml")).expect("alerts are YAML")
}

/// What a query asks of one metric: its labels, with an operator and a value.
#[derive(Debug, PartialEq)]
struct Selector {
    metric: String,
    labels: Vec<(String, String, String)>,
}

/// Returns every `anteroom_…` of a query, with its labels, and the labels of `by (…)`.
fn selectors(query: &str) -> (Vec<Selector>, BTreeSet<String>) {
    let is_word = |sign: char| sign.is_ascii_alphanumeric() || sign == '_';
    let (mut found, mut rest) = (Vec::new(), query);
    while let Some(at) = rest.find("anteroom_") {
        rest = &rest[at..];
        let end = rest.find(|sign| !is_word(sign)).unwrap_or(rest.len());
        let (metric, after) = rest.split_at(end);
        rest = after;
        let mut labels = Vec::new();
        if let Some(inner) = after.strip_prefix('{') {
            let close = inner.find('}').expect("braces are closed");
            for matcher in inner[..close].split("\",").filter(|text| !text.trim().is_empty()) {
                let (left, value) = matcher.split_once('"').expect("values are quoted");
                let label: String = left.trim().chars().take_while(|sign| is_word(*sign)).collect();
                let operator = left.trim()[label.len()..].to_owned();
                labels.push((label, operator, value.trim_end_matches('"').to_owned()));
            }
            rest = &inner[close..];
        }
        found.push(Selector { metric: metric.to_owned(), labels });
    }
    let groups = query.split("by (").skip(1).filter_map(|part| part.split_once(')'));
    let grouped =
        groups.flat_map(|(group, _)| group.split(',').map(|label| label.trim().to_owned()));
    (found, grouped.collect())
}

/// Series of a scrape: name, and labels with their values.
type Series = Vec<(String, BTreeMap<String, String>)>;

fn series(text: &str) -> Series {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let parts = lines.filter_map(|line| line.rsplit_once(' ')).map(|(series, _)| series);
    let one = |series: &str| {
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let pairs =
            labels.trim_end_matches('}').split("\",").filter_map(|pair| pair.split_once("=\""));
        let pairs = pairs.map(|(label, value)| (label.into(), value.trim_end_matches('"').into()));
        (name.to_owned(), pairs.collect())
    };
    parts.map(one).collect()
}

/// Labels that Prometheus adds to each series.
const ADDED: [&str; 2] = ["instance", "job"];

/// Values that a quiet gateway does not show: of failures, and of what only some settings have.
const SELDOM: [(&str, &str); 2] =
    [("anteroom_upstream_calls_refused_total", "reason"), ("", "currency")];

/// Returns what a query asks for and the gateway does not have.
fn missing(query: &str, shown: &Series) -> Vec<String> {
    let (selectors, grouped) = selectors(query);
    let mut found = Vec::new();
    let mut known: BTreeSet<String> = ADDED.map(str::to_owned).into();
    for Selector { metric, labels } in &selectors {
        let own: Vec<_> = shown.iter().filter(|(name, _)| name == metric).collect();
        if own.is_empty() {
            found.push(format!("no metric {metric}"));
        }
        known.extend(own.iter().flat_map(|(_, labels)| labels.keys().cloned()));
        for (label, operator, value) in labels {
            if ADDED.contains(&label.as_str()) {
                continue;
            }
            let mut values: BTreeSet<_> =
                own.iter().filter_map(|(_, labels)| labels.get(label)).collect();
            if label == "outcome" {
                // Histograms of outcomes that did not occur are left out; the counter has them all.
                let counter = shown.iter().filter(|(name, _)| name == "anteroom_requests_total");
                values.extend(counter.filter_map(|(_, labels)| labels.get(label)));
            }
            if values.is_empty() {
                found.push(format!("{metric} has no label {label}"));
            }
            if !["=", "=~", "!="].contains(&operator.as_str()) && operator != "!~" {
                found.push(format!("{metric}: {operator}"));
            }
            let wanted =
                value.split('|').filter(|_| !SELDOM.contains(&(metric.as_str(), label.as_str())));
            for wanted in
                wanted.filter(|wanted| !values.iter().any(|value| value.as_str() == *wanted))
            {
                found.push(format!("{metric}{{{label}}} is never {wanted}"));
            }
        }
        if let Some(problem) = wrong_number(metric, labels) {
            found.push(problem);
        }
    }
    found.extend(grouped.difference(&known).map(|label| format!("nothing has the label {label}")));
    found
}

/// An actor's number must be one of that actor: the metric has the numbers of all of them.
fn wrong_number(metric: &str, labels: &[(String, String, String)]) -> Option<String> {
    let value =
        |name: &str| labels.iter().find(|(label, ..)| label == name).map(|(.., value)| value);
    let (number, kind) = match metric {
        "anteroom_actor_events_total" => (value("event")?, Kind::Counter),
        "anteroom_actor_values" => (value("value")?, Kind::Gauge),
        _ => return None,
    };
    let actors: Vec<&str> = value("actor")?.split('|').collect();
    number.split('|').find_map(|number| {
        let own = ACTOR_NUMBERS.iter().filter(|own| own.name == number && own.kind == kind);
        let is_one = own.flat_map(|own| own.actors).any(|actor| actors.contains(actor));
        (!is_one).then(|| format!("{number} is no number of {actors:?}"))
    })
}

/// A gateway that has told of everything at least once.
fn scrape() -> Series {
    let (provider, redis) = (Provider::start(), Redis::start());
    let gateway = Gateway::patient().upstream(&provider).redis(&redis).start();
    for _ in 0..2 {
        gateway.chat(prompt("told")).expect_status(200);
    }
    provider.next(Fault::Close);
    gateway.chat(prompt("failed")).expect_status(502);
    gateway
        .wait_until("all counted", |_| gateway.metric("anteroom_requests_total", &[]) == Some(3.0));
    series(&gateway.operate(&Request::get("/metrics")).text())
}

#[test]
fn every_query_asks_for_what_is_there() {
    let (dashboard, alerts, shown) = (dashboard(), alerts(), scrape());
    let mut queries: Vec<(String, String)> = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().into_iter().flatten() {
            queries.push((title.to_owned(), target["expr"].as_str().unwrap().to_owned()));
        }
    }
    let annotation = dashboard.pointer("/annotations/list/0/expr").unwrap();
    queries.push(("annotation".to_owned(), annotation.as_str().unwrap().to_owned()));
    for group in alerts["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let name = rule["alert"].as_str().unwrap();
            queries.push((name.to_owned(), rule["expr"].as_str().unwrap().to_owned()));
        }
    }
    assert!(queries.len() > 80, "{}", queries.len());
    let found: Vec<String> = queries
        .iter()
        .flat_map(|(name, query)| {
            missing(query, &shown).into_iter().map(move |what| format!("{name}: {what}\n  {query}"))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_check_of_queries_bites() {
    let shown = series(
        "anteroom_a_total{x=\"1\"} 1\nanteroom_actor_values{actor=\"l1\",value=\"entries\"} 1\n",
    );
    for (query, problems) in [
        ("sum by (x, instance) (rate(anteroom_a_total{x=\"1\", instance=~\".*\"}[5m]))", 0),
        ("anteroom_actor_values{actor=\"l1\",value=\"entries\"}", 0),
        ("rate(anteroom_b_total[5m])", 1),
        ("anteroom_a_total{y=\"1\"}", 2),
        ("anteroom_a_total{x=\"2\"}", 1),
        ("anteroom_a_total{x=~\"1|3\"}", 1),
        ("sum by (z) (anteroom_a_total)", 1),
        ("anteroom_actor_values{actor=\"l1\",value=\"entires\"}", 2),
        ("anteroom_actor_values{actor=\"l1\",value=\"hits\"}", 2),
    ] {
        let found = missing(query, &shown);
        assert_eq!(found.len(), problems, "{query}: {found:?}");
    }
}

#[test]
fn the_dashboard_has_the_promised_rows_and_each_panel_its_question() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let rows: Vec<_> = panels.iter().filter(|panel| panel["type"] == "row").collect();
    let titles: Vec<_> = rows.iter().map(|row| row["title"].as_str().unwrap()).collect();
    for wanted in [
        "Memory and pressure",
        "Levels",
        "Traffic and response times",
        "Compression and payload",
        "Warming",
        "Scaling",
        "Savings",
        "Actors",
    ] {
        assert!(titles.contains(&wanted), "{wanted} in {titles:?}");
    }
    let mut seen = BTreeSet::new();
    for panel in panels {
        assert!(seen.insert(panel["id"].as_u64().unwrap()), "{panel}");
        if panel["type"] != "row" {
            assert!(
                panel["description"].as_str().is_some_and(|text| text.contains('?')),
                "{panel}"
            );
            assert!(panel["fieldConfig"]["defaults"]["unit"].is_string(), "{panel}");
            assert_eq!(panel["datasource"]["uid"], json!("${datasource}"));
        }
    }
    overlap_free(panels);
}

fn overlap_free(panels: &[Value]) {
    let area = |panel: &Value| {
        let number = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        (number("x"), number("y"), number("x") + number("w"), number("y") + number("h"))
    };
    for (position, one) in panels.iter().enumerate() {
        let (x, y, right, bottom) = area(one);
        assert!(right <= 24, "{one}");
        for other in &panels[position + 1..] {
            let (other_x, other_y, other_right, other_bottom) = area(other);
            let apart =
                right <= other_x || other_right <= x || bottom <= other_y || other_bottom <= y;
            assert!(apart, "{} and {}", one["title"], other["title"]);
        }
    }
}

#[test]
fn every_alert_says_how_bad_it_is_and_what_to_do() {
    let alerts = alerts();
    let groups = alerts["groups"].as_array().unwrap();
    let names: Vec<_> = groups.iter().map(|group| group["name"].as_str().unwrap()).collect();
    for wanted in ["serving", "levels", "memory", "compression", "warming", "scaling", "savings"] {
        assert!(names.contains(&format!("anteroom-{wanted}").as_str()), "{wanted} in {names:?}");
    }
    let mut seen = BTreeSet::new();
    for rule in groups.iter().flat_map(|group| group["rules"].as_array().unwrap()) {
        let name = rule["alert"].as_str().unwrap();
        assert!(seen.insert(name) && name.starts_with("Anteroom"), "{name}");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        for text in ["summary", "runbook"] {
            let text = rule["annotations"][text].as_str().unwrap();
            assert!(text.len() > 30, "{name}: {text}");
        }
        let runbook = rule["annotations"]["runbook"].as_str().unwrap();
        assert!(runbook.ends_with('.'), "{name}: {runbook}");
        for word in runbook.split(|sign: char| !(sign.is_ascii_alphanumeric() || sign == '_')) {
            let is_metric = word.starts_with("anteroom_");
            assert!(
                !is_metric || METRICS.iter().any(|metric| metric.name == word),
                "{name}: {word}"
            );
        }
    }
}
