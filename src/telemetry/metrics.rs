//! The registry and everything in it.

use std::time::Duration;

use anteroom_actors::message::ActorState;
use anteroom_actors::model::{Encoding, GateReport, Level, Outcome, SampleBatch};
use anteroom_actors::scaler::WantedReplicas;
use anteroom_actors::wiring::{ActorHealth, SystemHealth};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};

use super::exemplars::Exemplars;
use super::lease_hits::LeaseHits;
use super::names::{self, MetricName};
use super::savings::SavingsMetrics;
use super::scaling::ScalingMetrics;
use super::sent::{PayloadCounters, SentBytes, SentCounters};
use super::spans::SpanCounts;
use crate::savings::Line;

/// All metrics, with the hot ones looked up once.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    routes: Vec<RouteMetrics>,
    upstream_errors: IntCounterVec,
    upstream_retries: IntCounterVec,
    upstream_breaker: IntGaugeVec,
    discards: IntCounterVec,
    lookups: [Histogram; 3],
    dropped: IntCounter,
    panics: IntCounter,
    reloads: IntCounterVec,
    needs_restart: IntGauge,
    lines_lost: IntCounter,
    spans: SpanCounts,
    exemplars: Exemplars,
    events: IntCounterVec,
    values: IntGaugeVec,
    state: IntGaugeVec,
    pending: IntGaugeVec,
    restarts: IntCounterVec,
    waiting: IntGauge,
    client_requests: IntCounterVec,
    client_tokens: IntCounterVec,
    savings: SavingsMetrics,
    payload: PayloadCounters,
    scaling: ScalingMetrics,
}

/// Metrics of one client key.
#[derive(Clone)]
pub struct ClientMetrics {
    /// Requests that went on.
    pub admitted: IntCounter,
    /// Requests that were told to wait.
    pub limited: IntCounter,
    /// Tokens of upstream calls.
    pub tokens: IntCounter,
}

/// Metrics of one route, by outcome.
#[derive(Clone)]
struct RouteMetrics {
    name: String,
    requests: Vec<IntCounter>,
    seconds: Vec<Histogram>,
    upstream: Histogram,
    sent: Vec<SentCounters>,
}

pub(super) fn opts(metric: &MetricName) -> Opts {
    Opts::new(metric.name, metric.help)
}

pub(super) fn counter(registry: &Registry, metric: &MetricName) -> prometheus::Result<IntCounter> {
    let counter = IntCounter::with_opts(opts(metric))?;
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

pub(super) fn counters(
    registry: &Registry,
    metric: &MetricName,
) -> prometheus::Result<IntCounterVec> {
    let counters = IntCounterVec::new(opts(metric), metric.labels)?;
    registry.register(Box::new(counters.clone()))?;
    Ok(counters)
}

pub(super) fn gauges(registry: &Registry, metric: &MetricName) -> prometheus::Result<IntGaugeVec> {
    let gauges = IntGaugeVec::new(opts(metric), metric.labels)?;
    registry.register(Box::new(gauges.clone()))?;
    Ok(gauges)
}

fn histograms(registry: &Registry, metric: &MetricName) -> prometheus::Result<HistogramVec> {
    let opts = HistogramOpts::from(opts(metric)).buckets(names::SECONDS.to_vec());
    let histograms = HistogramVec::new(opts, metric.labels)?;
    registry.register(Box::new(histograms.clone()))?;
    Ok(histograms)
}

impl Metrics {
    /// Registers every metric in `registry`; `routes` are the routes' names in order.
    ///
    /// # Errors
    ///
    /// When a name is taken or malformed.
    pub fn new(registry: Registry, routes: &[&str]) -> prometheus::Result<Self> {
        let build = gauges(&registry, &names::BUILD_INFO)?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        let requests = counters(&registry, &names::REQUESTS)?;
        let seconds = histograms(&registry, &names::REQUEST_SECONDS)?;
        let upstream = histograms(&registry, &names::UPSTREAM_SECONDS)?;
        let sent = counters(&registry, &names::RESPONSE_BYTES)?;
        let original = counters(&registry, &names::ORIGINAL_BYTES)?;
        let routes = routes
            .iter()
            .map(|name| RouteMetrics {
                name: (*name).to_owned(),
                requests: Outcome::ALL
                    .map(|outcome| requests.with_label_values(&[*name, outcome.label()]))
                    .into(),
                seconds: Outcome::ALL
                    .map(|outcome| seconds.with_label_values(&[*name, outcome.label()]))
                    .into(),
                upstream: upstream.with_label_values(&[*name]),
                sent: SentCounters::of(name, &original, &sent),
            })
            .collect();
        let lookups = histograms(&registry, &names::LOOKUP_SECONDS)?;
        let dropped = counter(&registry, &names::SAMPLES_DROPPED)?;
        let panics = counter(&registry, &names::HANDLER_PANICS)?;
        let reloads = counters(&registry, &names::CONFIG_RELOADS)?;
        for outcome in ["applied", "unchanged", "needs_restart", "refused"] {
            reloads.with_label_values(&[outcome]);
        }
        let needs_restart = IntGauge::with_opts(opts(&names::CONFIG_NEEDS_RESTART))?;
        registry.register(Box::new(needs_restart.clone()))?;
        let lines_lost = counter(&registry, &names::ACCESS_LINES_LOST)?;
        let spans = SpanCounts {
            ended: counter(&registry, &names::SPANS)?,
            sent: counter(&registry, &names::SPANS_SENT)?,
        };
        let waiting = IntGauge::with_opts(opts(&names::WAITING))?;
        registry.register(Box::new(waiting.clone()))?;
        Ok(Self {
            routes,
            upstream_errors: counters(&registry, &names::UPSTREAM_ERRORS)?,
            upstream_retries: counters(&registry, &names::UPSTREAM_RETRIES)?,
            upstream_breaker: gauges(&registry, &names::UPSTREAM_BREAKER)?,
            discards: counters(&registry, &names::DISCARDS)?,
            lookups: Level::ALL.map(|level| lookups.with_label_values(&[level.label()])),
            dropped,
            panics,
            reloads,
            needs_restart,
            lines_lost,
            spans,
            exemplars: Exemplars::default(),
            events: counters(&registry, &names::ACTOR_EVENTS)?,
            values: gauges(&registry, &names::ACTOR_VALUES)?,
            state: gauges(&registry, &names::ACTOR_STATE)?,
            pending: gauges(&registry, &names::ACTOR_PENDING)?,
            restarts: counters(&registry, &names::ACTOR_RESTARTS)?,
            waiting,
            client_requests: counters(&registry, &names::CLIENT_REQUESTS)?,
            client_tokens: counters(&registry, &names::CLIENT_TOKENS)?,
            savings: SavingsMetrics::new(&registry)?,
            payload: PayloadCounters::new(&registry)?,
            scaling: ScalingMetrics::new(&registry)?,
            registry,
        })
    }

    /// Returns the metrics of the client key `name`.
    pub fn client(&self, name: &str) -> ClientMetrics {
        let requests = |outcome| self.client_requests.with_label_values(&[name, outcome]);
        ClientMetrics {
            admitted: requests("admitted"),
            limited: requests("limited"),
            tokens: self.client_tokens.with_label_values(&[name]),
        }
    }

    /// Returns the counter of requests without a key that is known.
    pub fn refused_keys(&self) -> IntCounter {
        self.client_requests.with_label_values(&["", "refused"])
    }

    /// Returns the counter of handlers that panicked.
    pub const fn handler_panics(&self) -> &IntCounter {
        &self.panics
    }

    /// Counts a reload of the settings, after which so many keys wait for a restart.
    pub fn reloaded(&self, outcome: &str, needs_restart: usize) {
        self.reloads.with_label_values(&[outcome]).inc();
        self.needs_restart.set(i64::try_from(needs_restart).unwrap_or(i64::MAX));
    }

    /// Returns the exemplars of [`names::REQUEST_SECONDS`].
    pub const fn exemplars(&self) -> &Exemplars {
        &self.exemplars
    }

    /// Returns the counters of spans.
    pub const fn spans(&self) -> &SpanCounts {
        &self.spans
    }

    /// Returns the counter of lines of the access log that were lost.
    pub const fn access_lines_lost(&self) -> &IntCounter {
        &self.lines_lost
    }

    /// Returns the registry.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns a worker's own counts of hits by leases, one a route.
    pub fn lease_hits(&self) -> Vec<LeaseHits> {
        let hit = Outcome::Hit(Level::L1).index();
        let counts = self.routes.iter().filter_map(|route| {
            Some(LeaseHits::new(route.requests.get(hit)?, route.seconds.get(hit)?))
        });
        counts.collect()
    }

    /// Returns a worker's own counts of bytes, one a route.
    pub fn sent_bytes(&self) -> Vec<SentBytes> {
        self.routes.iter().map(|route| SentBytes::new(&route.sent)).collect()
    }

    /// Returns the bytes of all routes' bodies before they were encoded and as they left, by
    /// [`Encoding::index`]: what the workers have flushed.
    pub fn sent_so_far(&self) -> [(u64, u64); Encoding::ALL.len()] {
        let mut sums = [(0, 0); Encoding::ALL.len()];
        for route in &self.routes {
            for ((original, sent), counters) in sums.iter_mut().zip(&route.sent) {
                let (more_original, more_sent) = counters.so_far();
                *original += more_original;
                *sent += more_sent;
            }
        }
        sums
    }

    /// Returns the counters of whole answers' bytes before and after they were reshaped.
    pub fn payload(&self) -> PayloadCounters {
        self.payload.clone()
    }

    /// Returns what they have counted.
    pub fn payload_so_far(&self) -> (u64, u64) {
        self.payload.so_far()
    }

    /// Returns the counters of bytes that a route sends in `encoding`.
    pub fn sent(&self, route: usize, encoding: Encoding) -> Option<SentCounters> {
        self.routes.get(route)?.sent.get(encoding.index()).cloned()
    }

    /// Counts a batch of answered requests.
    pub fn record(&self, batch: &SampleBatch) {
        self.dropped.inc_by(batch.dropped);
        for sample in batch.samples.iter() {
            let Some(route) = self.routes.get(sample.route) else { continue };
            let outcome = sample.outcome.index();
            if let Some(requests) = route.requests.get(outcome) {
                requests.inc();
            }
            if let Some(seconds) = route.seconds.get(outcome) {
                seconds.observe(sample.total.as_secs_f64());
            }
            for (histogram, took) in self.lookups.iter().zip(sample.lookups) {
                observe(histogram, took);
            }
            observe(&route.upstream, sample.upstream);
            if let Some(error) = sample.upstream_error {
                self.upstream_errors.with_label_values(&[route.name.as_str(), error]).inc();
            }
            if let Some(reason) = sample.discarded {
                self.discards.with_label_values(&[route.name.as_str(), reason]).inc();
            }
        }
    }

    /// Takes over what the actors say of themselves.
    pub fn refresh(&self, health: &SystemHealth, waiting: usize) {
        self.waiting.set(gauge_value(u64::try_from(waiting).unwrap_or(u64::MAX)));
        for actor in &health.actors {
            self.refresh_actor(actor);
        }
    }

    /// Takes over what was saved and spent; `routes` are the routes' names in order.
    pub fn refresh_savings(&self, lines: &[Line], routes: &[&str], currency: &str) {
        self.savings.refresh(lines, routes, currency);
    }

    /// Takes over how an upstream is doing.
    pub fn refresh_upstream(&self, name: &str, retries: u64, is_open: bool) {
        set_counter(&self.upstream_retries.with_label_values(&[name]), retries);
        self.upstream_breaker.with_label_values(&[name]).set(i64::from(is_open));
    }

    /// Takes over how an upstream's gate is.
    pub fn refresh_gate(&self, gate: &GateReport) {
        self.scaling.refresh(gate);
    }

    /// Takes over how many gateways are wanted.
    pub fn refresh_replicas(&self, seen: &WantedReplicas) {
        self.scaling.refresh_replicas(seen);
    }

    fn refresh_actor(&self, actor: &ActorHealth) {
        let name = actor.name.as_str();
        for state in [
            ActorState::Running,
            ActorState::Degraded,
            ActorState::Restarting,
            ActorState::Disabled,
        ] {
            let is = i64::from(actor.state == state);
            self.state.with_label_values(&[name, state.label()]).set(is);
        }
        self.pending.with_label_values(&[name]).set(gauge_value(actor.pending));
        set_counter(&self.restarts.with_label_values(&[name]), actor.restarts);
        for (counter, value) in &actor.counters {
            if names::is_present_value(counter) {
                self.values.with_label_values(&[name, *counter]).set(gauge_value(*value));
            } else {
                set_counter(&self.events.with_label_values(&[name, *counter]), *value);
            }
        }
    }
}

fn observe(histogram: &Histogram, took: Option<Duration>) {
    if let Some(took) = took {
        histogram.observe(took.as_secs_f64());
    }
}

pub(super) fn gauge_value(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Brings `counter` to `value`; a smaller one means that the actor was re-created, and Prometheus
/// takes the counter's start from 0 as such.
pub(super) fn set_counter(counter: &IntCounter, value: u64) {
    let present = counter.get();
    if value < present {
        counter.reset();
        counter.inc_by(value);
    } else {
        counter.inc_by(value - present);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use anteroom_actors::model::{CallGate, GateSettings};

    use super::*;

    const GATE: GateSettings =
        GateSettings { least: 1, most: 2, wait: Duration::ZERO, queue: 0, one_credential: false };

    #[test]
    fn every_metric_of_the_table_is_registered_with_its_help_text() {
        let metrics = Metrics::new(Registry::new(), &["chat"]).unwrap();
        metrics.record(&SampleBatch {
            samples: [anteroom_actors::model::Sample {
                route: 0,
                outcome: Outcome::Miss,
                status: 200,
                total: Duration::from_millis(1),
                lookups: [Some(Duration::ZERO); 3],
                upstream: Some(Duration::from_millis(1)),
                upstream_error: Some("cut"),
                discarded: Some("truncated"),
            }]
            .into(),
            accesses: [].into(),
            dropped: 2,
            dropped_accesses: 0,
        });
        let actor = ActorHealth {
            name: "l1".to_owned(),
            state: ActorState::Running,
            pending: 3,
            restarts: 1,
            heartbeat_age: None,
            last_error: None,
            counters: vec![("hits", 5), ("entries", 7)],
        };
        metrics.refresh(&SystemHealth { actors: vec![actor] }, 4);
        metrics.refresh_upstream("default", 1, true);
        let gate = CallGate::new("default".into(), GATE, Arc::new(|_, _| {}));
        metrics.refresh_gate(&gate.report());
        metrics.refresh_replicas(&WantedReplicas {
            wanted: 1.0,
            now: 1.0,
            bound_by: "calls",
            saturation: anteroom_actors::scaler::Saturation::default(),
            target: 0.7,
        });
        metrics.client("a").tokens.inc();
        metrics.refused_keys().inc();
        let line =
            Line { route: 0, model: "m".to_owned(), saved: crate::savings::Saved::default() };
        metrics.refresh_savings(&[line], &["chat"], "USD");
        let families = metrics.registry().gather();
        let mut found: Vec<_> = families.iter().map(|f| (f.name(), f.help())).collect();
        let mut wanted: Vec<_> = names::METRICS.iter().map(|m| (m.name, m.help)).collect();
        found.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_counter_that_started_again_is_shown_as_it_is() {
        let counter = IntCounter::new("c", "c").unwrap();
        set_counter(&counter, 5);
        set_counter(&counter, 9);
        assert_eq!(counter.get(), 9);
        set_counter(&counter, 2);
        assert_eq!(counter.get(), 2);
    }
}
