//! The document of the whole system, on one page of text.

use std::fmt::Write as _;

use serde_json::Value;

use super::words::{at, bytes, count, millis, percent};

/// Returns the page.
pub(super) fn page(document: &Value) -> String {
    let mut page = String::new();
    // Writing to a text does not fail.
    let _ = write(&mut page, document);
    page
}

fn write(page: &mut String, document: &Value) -> std::fmt::Result {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let window = at(document, "window");
    let seconds = at(window, "seconds").as_f64().unwrap_or_default();
    writeln!(page, "anteroom   {:<12} last {seconds:.0} s", text(at(document, "status")))?;
    for ill in at(document, "ill").as_array().into_iter().flatten() {
        let name = ill.as_str().map_or_else(|| ill.to_string(), str::to_owned);
        let reason = at(at(document, &name), "reason").as_str().unwrap_or_default();
        writeln!(page, "  ill      {name} {reason}")?;
    }
    let requests = at(document, "requests");
    let per_second = at(requests, "per_second").as_f64().unwrap_or_default();
    let ratio = percent(at(requests, "hit_ratio"));
    let total = count(at(requests, "total"));
    writeln!(
        page,
        "requests   {total}, {per_second:.1}/s, {ratio} of what can be answered were hits"
    )?;
    let outcomes = at(requests, "outcomes").as_object().into_iter().flatten();
    let outcomes: Vec<String> = outcomes
        .filter(|(_, number)| **number != 0)
        .map(|(name, number)| format!("{name} {}", count(number)))
        .collect();
    if !outcomes.is_empty() {
        writeln!(page, "           {}", outcomes.join(", "))?;
    }
    times(page, document)?;
    levels(page, at(document, "levels"))?;
    resources(page, document)
}

fn times(page: &mut String, document: &Value) -> std::fmt::Result {
    writeln!(
        page,
        "\ntimes      {:<10} {:>9} {:>9} {:>9} {:>9}",
        "outcome", "requests", "p50", "p99", "p99.9"
    )?;
    let by_route = at(document, "response_times.by_route").as_array().into_iter().flatten();
    for line in by_route.filter(|line| at(line, "route").is_null()) {
        let outcome = at(line, "outcome").as_str().unwrap_or("?");
        let [p50, p99, p99_9] = ["p50_ms", "p99_ms", "p99_9_ms"].map(|name| millis(at(line, name)));
        let requests = count(at(line, "count"));
        writeln!(page, "           {outcome:<10} {requests:>9} {p50:>9} {p99:>9} {p99_9:>9}")?;
    }
    let times = at(document, "upstream.times");
    let (answered, failed) = (at(document, "upstream.answered"), at(document, "upstream.failed"));
    let (p50, p99) = (millis(at(times, "p50_ms")), millis(at(times, "p99_ms")));
    let (answered, failed) = (count(answered), count(failed));
    writeln!(page, "upstream   {answered} answered, {failed} failed, p50 {p50}, p99 {p99}")
}

fn levels(page: &mut String, levels: &Value) -> std::fmt::Result {
    writeln!(
        page,
        "\nlevels     {:<10} {:>9} {:>9} {:>9} {:>9}",
        "", "asked", "hits", "ratio", "holds"
    )?;
    for (name, level) in levels.as_object().into_iter().flatten() {
        let status = at(level, "status").as_str().unwrap_or("?");
        if status == "disabled" {
            writeln!(page, "           {name:<10} off")?;
            continue;
        }
        let holds = at(level, "counters").get("bytes").map_or_else(|| "-".to_owned(), bytes);
        let (asked, hits, ratio) =
            (count(at(level, "asked")), count(at(level, "hits")), percent(at(level, "hit_ratio")));
        let ill = if status == "ok" { "" } else { status };
        writeln!(page, "           {name:<10} {asked:>9} {hits:>9} {ratio:>9} {holds:>9} {ill}")?;
    }
    Ok(())
}

fn resources(page: &mut String, document: &Value) -> std::fmt::Result {
    let memory = at(document, "memory");
    let (resident, limit) = (bytes(at(memory, "resident_bytes")), bytes(at(memory, "limit_bytes")));
    let pressure = at(memory, "pressure").as_str().unwrap_or("?");
    let used = percent(at(memory, "used_ratio"));
    writeln!(page, "\nmemory     {resident} of {limit} ({used}), pressure {pressure}")?;
    let compressed = percent(at(document, "compression.spared_ratio"));
    writeln!(page, "spared     {compressed} of the bytes of answers by compression")?;
    let saved = at(document, "savings.total");
    let (calls, money) = (count(at(saved, "calls")), at(saved, "money").as_str().unwrap_or("?"));
    let currency = at(document, "savings.currency").as_str().unwrap_or_default();
    let hours = at(saved, "seconds").as_f64().unwrap_or_default() / 3_600.0;
    writeln!(page, "saved      {calls} calls, {hours:.2} hours, {money} {currency} since the start")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_page_tells_what_is_ill_and_the_numbers() {
        let document = json!({
            "status": "degraded", "ill": ["levels.l2"], "window": {"seconds": 60.2},
            "requests": {"total": 1500, "per_second": 25.0, "hit_ratio": 0.875,
                "outcomes": {"hit_l1": 1200, "miss": 300, "stale": 0}},
            "response_times": {"by_route": [
                {"route": null, "outcome": "hit_l1", "count": 1200, "p50_ms": 0.21, "p99_ms": 0.9,
                 "p99_9_ms": 12.5},
                {"route": "chat", "outcome": "miss", "count": 1},
            ]},
            "upstream": {"answered": 3, "failed": 1, "times": {"p50_ms": 900.0, "p99_ms": 1900.0}},
            "levels": {
                "l1": {"status": "ok", "asked": 5, "hits": 4, "hit_ratio": 0.8,
                    "counters": {"bytes": 1048576}},
                "l2": {"status": "degraded", "reason": "the breaker is open"},
                "l3": {"status": "disabled"},
            },
            "memory": {"resident_bytes": 1048576, "limit_bytes": 536870912, "used_ratio": 0.002,
                "pressure": "nominal"},
            "savings": {"currency": "USD", "total": {"calls": 7, "money": "1.5", "seconds": 7200.0}},
        });
        let page = page(&document);
        for text in [
            "degraded",
            "levels.l2 the breaker is open",
            "1500, 25.0/s, 87.5 %",
            "hit_l1 1200, miss 300",
            "0.21 ms",
            "1.90 s",
            "1.0 MiB",
            "off",
            "pressure nominal",
            "7 calls, 2.00 hours, 1.5 USD",
        ] {
            assert!(page.contains(text), "{text} in\n{page}");
        }
        assert!(!page.contains("stale"), "{page}");
    }

    #[test]
    fn a_document_of_another_version_is_still_shown() {
        assert!(page(&json!({})).contains("anteroom"));
        assert!(page(&json!([1])).contains("memory"));
    }
}
