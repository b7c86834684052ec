//! Answers of the operations listener, in words.

use std::fmt::Write as _;

use serde_json::Value;

/// What lies at a place such as `levels.l2`; null where there is nothing.
pub(super) fn at<'v>(value: &'v Value, place: &str) -> &'v Value {
    place.split('.').try_fold(value, |here, name| here.get(name)).unwrap_or(&Value::Null)
}

/// A whole number.
pub(super) fn count(value: &Value) -> String {
    value.as_u64().map_or_else(|| "-".to_owned(), |number| number.to_string())
}

/// A share as a percentage.
pub(super) fn percent(value: &Value) -> String {
    value.as_f64().map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// Milliseconds, as seconds where they are many.
pub(super) fn millis(value: &Value) -> String {
    match value.as_f64() {
        None => "-".to_owned(),
        Some(millis) if millis >= 1_000.0 => format!("{:.2} s", millis / 1_000.0),
        Some(millis) if millis >= 10.0 => format!("{millis:.0} ms"),
        Some(millis) => format!("{millis:.2} ms"),
    }
}

/// A number of bytes in the largest unit that it fills.
pub(super) fn bytes(value: &Value) -> String {
    let Some(number) = value.as_f64() else { return "-".to_owned() };
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, shift)| number >= f64::from(1 << shift));
    match unit {
        Some((unit, shift)) => format!("{:.1} {unit}", number / f64::from(1 << shift)),
        None => format!("{number:.0} B"),
    }
}

/// What a purge did.
pub(super) fn purged(answer: &Value) -> String {
    let named: Vec<String> = at(answer, "purged")
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| format!("{} {}", text(at(one, "kind")), text(at(one, "value"))))
        .collect();
    let mut words = format!("purged: {}\n", named.join(", "));
    if at(answer, "status") != "complete" {
        words.push_str(
            "partial: it holds in this gateway, and not every level has recorded it yet\n",
        );
    }
    words
}

/// What warming does.
pub(super) fn warmed(answer: &Value) -> String {
    let number = |name: &str| count(at(answer, name));
    format!(
        "errand {}: {}, {} of {} ready, {} called, {} failed\n",
        number("errand"),
        text(at(answer, "state")).replace('_', " "),
        number("ready"),
        number("total"),
        number("called"),
        number("failed"),
    )
}

/// What became of a reload.
pub(super) fn reloaded(answer: &Value) -> String {
    let mut words = format!("{}\n", text(at(answer, "outcome")).replace('_', " "));
    for (list, what) in [("changed", "changed"), ("needs_restart", "needs a restart")] {
        for change in at(answer, list).as_array().into_iter().flatten() {
            let side = |name: &str| at(change, name).as_str().unwrap_or("…").to_owned();
            let _ = writeln!(
                words,
                "  {what}: {} {} → {}",
                text(at(change, "key")),
                side("from"),
                side("to")
            );
        }
    }
    for problem in at(answer, "problems").as_array().into_iter().flatten() {
        let (key, reason) = (text(at(problem, "key")), text(at(problem, "reason")));
        let _ = writeln!(words, "  not now: {key}: {reason}");
    }
    words
}

/// What a request would get.
pub(super) fn explained(answer: &Value) -> String {
    let mut words = text(at(answer, "would")).to_owned();
    if let Some(reason) = at(answer, "reason").as_str() {
        let _ = write!(words, " ({reason})");
    }
    words.push('\n');
    for name in ["route", "key", "scope", "namespace", "form", "model"] {
        if let Some(value) = at(answer, name).as_str().filter(|value| !value.is_empty()) {
            let _ = writeln!(words, "  {name:<10} {value}");
        }
    }
    for name in ["status", "age", "ttl"] {
        if let Some(number) = at(answer, name).as_i64() {
            let _ = writeln!(words, "  {name:<10} {number}");
        }
    }
    for (name, what) in
        [("counted", "counts"), ("left_out", "left out"), ("keyed_headers", "headers")]
    {
        let members: Vec<String> =
            at(answer, name).as_array().into_iter().flatten().map(member).collect();
        if !members.is_empty() {
            let _ = writeln!(words, "  {what:<10} {}", members.join(", "));
        }
    }
    let nearest = at(answer, "nearest_miss");
    if let Some(key) = at(nearest, "key").as_str() {
        let _ =
            writeln!(words, "  nearest    {key}, differs at {}", member(at(nearest, "differs_at")));
    }
    words
}

fn member(value: &Value) -> String {
    match value {
        Value::Array(items) => items.iter().map(member).collect::<Vec<_>>().join(" "),
        Value::Object(left_out) if left_out.contains_key("pointer") => {
            format!("{} ({})", text(at(value, "pointer")), text(at(value, "why")))
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_in_units_that_people_read() {
        for (written, expected) in [
            (bytes(&json!(0)), "0 B"),
            (bytes(&json!(1536)), "1.5 KiB"),
            (bytes(&json!(3_221_225_472_u64)), "3.0 GiB"),
            (bytes(&Value::Null), "-"),
            (millis(&json!(0.4)), "0.40 ms"),
            (millis(&json!(42.4)), "42 ms"),
            (millis(&json!(1900)), "1.90 s"),
            (percent(&json!(0.875)), "87.5 %"),
            (count(&json!(7)), "7"),
            (count(&json!("x")), "-"),
        ] {
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn answers_are_told_in_words() {
        let purge = json!({"purged": [{"kind": "model", "value": "m"}], "status": "partial"});
        assert!(purged(&purge).starts_with("purged: model m\npartial"));
        let errand = json!({"errand": 3, "state": "under_way", "total": 2, "ready": 1, "called": 1,
            "failed": 0});
        assert_eq!(warmed(&errand), "errand 3: under way, 1 of 2 ready, 1 called, 0 failed\n");
        let told = explained(&json!({"would": "miss", "route": "chat", "counted": ["/model"],
            "left_out": [{"pointer": "/user", "why": "of no matter"}], "ttl": -4,
            "nearest_miss": {"key": "ab", "differs_at": ["/n", "/top_p"]}}));
        for line in [
            "miss\n",
            "  route      chat\n",
            "  left out   /user (of no matter)\n",
            "  ttl        -4\n",
            "  nearest    ab, differs at /n /top_p\n",
        ] {
            assert!(told.contains(line), "{line} in\n{told}");
        }
        let reload =
            json!({"outcome": "applied", "changed": [{"key": "a", "from": "1", "to": null}]});
        assert_eq!(reloaded(&reload), "applied\n  changed: a 1 → …\n");
    }
}
