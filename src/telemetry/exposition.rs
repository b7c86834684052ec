//! How the registry's numbers are written down: Prometheus text, or OpenMetrics.
//!
//! A histogram that has counted nothing is left out: one has some twenty lines, and most pairs of
//! route and outcome never occur. Counters are there from the start, so that rates are right.

use std::fmt::{self, Write as _};

use prometheus::TextEncoder;
use prometheus::proto::{LabelPair, Metric, MetricFamily, MetricType};

use super::exemplars::{Exemplar, Exemplars};
use super::names::REQUEST_SECONDS;

/// A text form of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// Prometheus text, version 0.0.4.
    Text,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

/// Units that a name may end in (OpenMetrics §4.4, Prometheus "base units").
const UNITS: [&str; 3] = ["seconds", "bytes", "ratio"];

impl Exposition {
    /// Returns its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Writes `families` down, with the `exemplars` where the form has a place for them.
    ///
    /// # Errors
    ///
    /// When a family is malformed.
    pub fn write(
        self,
        families: Vec<MetricFamily>,
        exemplars: &Exemplars,
    ) -> prometheus::Result<String> {
        let families = without_empty_histograms(families);
        match self {
            Self::Text => TextEncoder::new().encode_to_string(&families),
            Self::OpenMetrics => open_metrics(&families, exemplars)
                .map_err(|_| prometheus::Error::Msg("a family could not be written".to_owned())),
        }
    }
}

fn without_empty_histograms(mut families: Vec<MetricFamily>) -> Vec<MetricFamily> {
    for family in &mut families {
        if family.get_field_type() == MetricType::HISTOGRAM {
            let counted = |metric: &Metric| metric.get_histogram().get_sample_count() > 0;
            let metrics = family.take_metric().into_iter().filter(counted).collect();
            family.set_metric(metrics);
        }
    }
    families.retain(|family| !family.get_metric().is_empty());
    families
}

fn open_metrics(families: &[MetricFamily], exemplars: &Exemplars) -> Result<String, fmt::Error> {
    let mut text = String::new();
    for family in families {
        let kind = family.get_field_type();
        // A counter's family has the name without the suffix of its samples.
        let name = match kind {
            MetricType::COUNTER => family.name().strip_suffix("_total").unwrap_or(family.name()),
            _ => family.name(),
        };
        let word = match kind {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            MetricType::SUMMARY | MetricType::UNTYPED => "unknown",
        };
        writeln!(text, "# TYPE {name} {word}")?;
        if let Some(unit) = UNITS.into_iter().find(|unit| name.ends_with(&format!("_{unit}"))) {
            writeln!(text, "# UNIT {name} {unit}")?;
        }
        writeln!(text, "# HELP {name} {}", Escaped(family.help()))?;
        for metric in family.get_metric() {
            match kind {
                MetricType::COUNTER => {
                    sample(&mut text, name, "_total", metric, metric.get_counter().get_value())?;
                }
                MetricType::GAUGE => {
                    sample(&mut text, name, "", metric, metric.get_gauge().get_value())?
                }
                MetricType::HISTOGRAM => {
                    let exemplars = exemplars_of(name, metric, exemplars);
                    histogram(&mut text, name, metric, exemplars)?;
                }
                MetricType::SUMMARY | MetricType::UNTYPED => {}
            }
        }
    }
    text.push_str("# EOF\n");
    Ok(text)
}

/// Returns the exemplars of a histogram, by bucket.
fn exemplars_of(name: &str, metric: &Metric, exemplars: &Exemplars) -> Vec<Option<Exemplar>> {
    if name != REQUEST_SECONDS.name {
        return Vec::new();
    }
    let label = |wanted| metric.get_label().iter().find(|label| label.name() == wanted);
    let value = |wanted| label(wanted).map(LabelPair::value).unwrap_or_default();
    exemplars.of(value("route"), value("outcome")).into()
}

fn histogram(
    text: &mut String,
    name: &str,
    metric: &Metric,
    exemplars: Vec<Option<Exemplar>>,
) -> fmt::Result {
    let histogram = metric.get_histogram();
    let mut exemplars = exemplars.into_iter();
    let mut bucket = |text: &mut String, count: u64| match exemplars.next().flatten() {
        Some(exemplar) => writeln!(text, " {count}{exemplar}"),
        None => writeln!(text, " {count}"),
    };
    for counted in histogram.get_bucket() {
        let mut bound = counted.upper_bound().to_string();
        if !bound.contains('.') {
            // A float is written as one: 1.0, never 1 (OpenMetrics, "le" of histograms).
            bound.push_str(".0");
        }
        write!(text, "{name}_bucket")?;
        labels(text, metric, Some(&bound))?;
        bucket(text, counted.cumulative_count())?;
    }
    let count = histogram.get_sample_count();
    write!(text, "{name}_bucket")?;
    labels(text, metric, Some("+Inf"))?;
    bucket(text, count)?;
    write!(text, "{name}_count")?;
    labels(text, metric, None)?;
    writeln!(text, " {count}")?;
    sample(text, name, "_sum", metric, histogram.get_sample_sum())
}

fn sample(text: &mut String, name: &str, suffix: &str, metric: &Metric, value: f64) -> fmt::Result {
    write!(text, "{name}{suffix}")?;
    labels(text, metric, None)?;
    writeln!(text, " {value}")
}

fn labels(text: &mut String, metric: &Metric, bound: Option<&str>) -> fmt::Result {
    let own = metric.get_label().iter().map(|label| (label.name(), label.value()));
    let all = own.chain(bound.map(|bound| ("le", bound)));
    let mut separator = '{';
    for (name, value) in all {
        write!(text, "{separator}{name}=\"{}\"", Escaped(value))?;
        separator = ',';
    }
    if separator == ',' {
        text.push('}');
    }
    Ok(())
}

/// A text with its line breaks, quotes and backslashes escaped.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for sign in self.0.chars() {
            match sign {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '"' => f.write_str("\\\"")?,
                sign => f.write_char(sign)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

    use super::*;

    fn families() -> Vec<MetricFamily> {
        let registry = Registry::new();
        let counters = IntCounterVec::new(Opts::new("a_bytes_total", "A \"b\"."), &["m"]).unwrap();
        counters.with_label_values(&["q\"\\\n"]).inc_by(3);
        let gauge = IntGauge::new("b", "B.").unwrap();
        gauge.set(-2);
        let opts = HistogramOpts::new("c_seconds", "C.").buckets(vec![0.000_025, 1.0]);
        let histograms = HistogramVec::new(opts, &["r"]).unwrap();
        histograms.with_label_values(&["x"]).observe(0.5);
        histograms.with_label_values(&["never"]);
        registry.register(Box::new(counters)).unwrap();
        registry.register(Box::new(gauge)).unwrap();
        registry.register(Box::new(histograms)).unwrap();
        registry.gather()
    }

    #[test]
    fn open_metrics_has_its_own_names_units_numbers_and_end() {
        let expected = "# TYPE a_bytes counter\n# UNIT a_bytes bytes\n# HELP a_bytes A \\\"b\\\".\n\
            a_bytes_total{m=\"q\\\"\\\\\\n\"} 3\n\
            # TYPE b gauge\n# HELP b B.\nb -2\n\
            # TYPE c_seconds histogram\n# UNIT c_seconds seconds\n# HELP c_seconds C.\n\
            c_seconds_bucket{r=\"x\",le=\"0.000025\"} 0\nc_seconds_bucket{r=\"x\",le=\"1.0\"} 1\n\
            c_seconds_bucket{r=\"x\",le=\"+Inf\"} 1\nc_seconds_count{r=\"x\"} 1\n\
            c_seconds_sum{r=\"x\"} 0.5\n# EOF\n";
        assert_eq!(
            Exposition::OpenMetrics.write(families(), &Exemplars::default()).unwrap(),
            expected
        );
    }

    #[test]
    fn an_empty_histogram_is_in_neither_form() {
        for form in [Exposition::Text, Exposition::OpenMetrics] {
            let text = form.write(families(), &Exemplars::default()).unwrap();
            assert!(!text.contains("never") && text.contains("c_seconds_sum"), "{text}");
        }
    }
}
