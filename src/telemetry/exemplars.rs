//! Exemplars: for each bucket of how long requests took, the latest that is traced (OpenMetrics 1.0,
//! "Exemplars"). From a slow bucket an operator gets to a trace of a request in it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::names::SECONDS;

/// A request that is traced.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exemplar {
    /// Its trace.
    pub trace: opentelemetry::trace::TraceId,
    /// How long it took to its answer's head.
    pub took: Duration,
    /// When, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
}

/// As it stands behind a bucket.
impl fmt::Display for Exemplar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Duration::from_millis(self.wall_ms).as_secs_f64();
        write!(f, " # {{trace_id=\"{}\"}} {} {at:.3}", self.trace, self.took.as_secs_f64())
    }
}

/// The buckets of one histogram; the last has no upper bound.
type Buckets = [Option<Exemplar>; SECONDS.len() + 1];

/// Route and outcome.
type Labels = (Arc<str>, &'static str);

/// The latest exemplars, by route and outcome. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Exemplars(Arc<Mutex<HashMap<Labels, Buckets>>>);

impl Exemplars {
    /// Takes the place of the one before. Routes and outcomes are those of the metrics: few.
    pub fn put(&self, route: &Arc<str>, outcome: &'static str, exemplar: Exemplar) {
        let seconds = exemplar.took.as_secs_f64();
        let bucket = SECONDS.iter().take_while(|bound| seconds > **bound).count();
        let mut all = self.0.lock();
        let buckets = all.entry((Arc::clone(route), outcome)).or_default();
        if let Some(place) = buckets.get_mut(bucket) {
            *place = Some(exemplar);
        }
    }

    /// Returns those of a histogram, by bucket.
    pub(super) fn of(&self, route: &str, outcome: &str) -> Buckets {
        let all = self.0.lock();
        let mut found = all.iter().filter(|((of, how), _)| **of == *route && *how == outcome);
        found.next().map(|(_, buckets)| *buckets).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_a_bucket_is_shown() {
        let exemplars = Exemplars::default();
        let (route, trace) = (Arc::from("chat"), opentelemetry::trace::TraceId::from(7));
        let put = |millis, wall_ms| {
            let took = Duration::from_millis(millis);
            exemplars.put(&route, "miss", Exemplar { trace, took, wall_ms });
        };
        put(100, 1);
        put(99, 2_500);
        put(600_000, 3);
        let buckets = exemplars.of("chat", "miss");
        let place = |bound: f64| SECONDS.iter().position(|own| *own == bound).unwrap();
        assert_eq!(
            buckets[place(0.1)].unwrap().to_string(),
            " # {trace_id=\"00000000000000000000000000000007\"} 0.099 2.500"
        );
        assert_eq!(buckets.last().unwrap().unwrap().took, Duration::from_mins(10));
        assert_eq!(buckets.iter().flatten().count(), 2);
        assert_eq!(exemplars.of("chat", "hit_l1"), Buckets::default());
    }
}
