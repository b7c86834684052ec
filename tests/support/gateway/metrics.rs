//! Reads what a gateway says of itself: the text of `/metrics`.

/// Returns the sum of the series of `name` that carry all of `labels`, `None` where there is none.
pub fn metric(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let matching = text.lines().filter_map(|line| series(line, name, labels));
    matching.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
}

fn series(line: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let rest = line.strip_prefix(name)?;
    let (carried, value) = match rest.strip_prefix('{') {
        Some(rest) => rest.rsplit_once('}')?,
        None => ("", rest),
    };
    if !value.starts_with(' ') {
        return None;
    }
    let carried = format!(",{carried},");
    let carries =
        |label: &(&str, &str)| carried.contains(&format!(",{}=\"{}\",", label.0, label.1));
    labels.iter().all(carries).then(|| value.split_whitespace().next()?.parse().ok())?
}

#[test]
fn a_metric_is_the_sum_of_its_matching_series() {
    let text = "# HELP hits_total Hits.\nhits_total{level=\"l1\",route=\"chat\"} 3\n\
        hits_total{level=\"l2\",route=\"chat\"} 4\nhits_totals 100\nplain 1.5\n";
    assert_eq!(metric(text, "hits_total", &[]), Some(7.0));
    assert_eq!(metric(text, "hits_total", &[("level", "l2")]), Some(4.0));
    assert_eq!(metric(text, "hits_total", &[("level", "l")]), None);
    assert_eq!(metric(text, "plain", &[]), Some(1.5));
    assert_eq!(metric(text, "absent", &[]), None);
}
