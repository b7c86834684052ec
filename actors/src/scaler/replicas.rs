//! How many gateways the load of this one wants, for who runs several of them.
//!
//! The law is that of the Kubernetes HorizontalPodAutoscaler, seen from one replica: what is used of each
//! thing that can run out, over what should be used of it; the largest counts, and what is within a tenth
//! of one stays one. So each replica tells of its own load, and the sum over a fleet, rounded up, is the
//! number of replicas that it wants. More are wanted at once, fewer only when it has been so for a time.

use std::collections::VecDeque;

use serde::Serialize;

use super::ratio;
use super::workload::GatewayLoad;
use crate::model::{BudgetReport, GateReport};
use crate::settings::ReplicaSettings;

/// What is near one replica is one.
const TOLERANCE: f64 = 0.1;

/// Weight of the latest look: one that was out of the ordinary does not count alone.
const LATEST: f64 = 0.5;

/// Which part of each thing that can run out is in use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Saturation {
    /// Requests that wait, of those that may.
    pub requests: f64,
    /// Busy time of the worker threads.
    pub workers: f64,
    /// Memory that requests and answers under way hold, of what there is for them. Caches are not
    /// counted: they give theirs back.
    pub memory: f64,
    /// Calls of upstreams, those that wait too, of as many as may be. Not of an upstream whose limit was
    /// lowered: more gateways would not help it.
    pub calls: f64,
}

impl Saturation {
    /// Returns the parts that are in use; `busy` is that of the worker threads.
    pub fn of<'g>(
        load: &GatewayLoad,
        busy: f64,
        memory: &BudgetReport,
        gates: impl Iterator<Item = &'g GateReport>,
    ) -> Self {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Self {
            requests: ratio(count(load.in_flight), count(load.most_in_flight)),
            workers: busy,
            memory: ratio(memory.reserved_bytes, memory.total_bytes),
            calls: gates.map(of_gate).fold(0.0, f64::max),
        }
    }

    /// Returns each part with its name.
    pub const fn parts(&self) -> [(&'static str, f64); 4] {
        [
            ("requests", self.requests),
            ("workers", self.workers),
            ("memory", self.memory),
            ("calls", self.calls),
        ]
    }

    fn most(&self) -> (&'static str, f64) {
        let most = self.parts().into_iter().max_by(|one, other| one.1.total_cmp(&other.1));
        most.unwrap_or_default()
    }

    fn towards(self, latest: Self) -> Self {
        let mean = |one: f64, other: f64| one + (other - one) * LATEST;
        Self {
            requests: mean(self.requests, latest.requests),
            workers: mean(self.workers, latest.workers),
            memory: mean(self.memory, latest.memory),
            calls: mean(self.calls, latest.calls),
        }
    }
}

fn of_gate(gate: &GateReport) -> f64 {
    if gate.limit < gate.settings.most {
        return 0.0;
    }
    super::load_of(gate)
}

/// How many gateways are wanted for the load of this one, and why.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WantedReplicas {
    /// So many; 0.5 is a gateway with half of what it should have to do.
    pub wanted: f64,
    /// What the latest look alone would want.
    pub now: f64,
    /// The part that counts now.
    pub bound_by: &'static str,
    /// What is in use, over the last looks.
    pub saturation: Saturation,
    /// What should be.
    pub target: f64,
}

/// Remembers what was wanted of late.
#[derive(Debug, Clone)]
pub struct ReplicaPolicy {
    settings: ReplicaSettings,
    saturation: Option<Saturation>,
    /// When how many were wanted, those that a later one was not below: the first is the most.
    recent: VecDeque<(u64, f64)>,
}

impl ReplicaPolicy {
    /// Creates a policy that has seen nothing.
    pub const fn new(settings: ReplicaSettings) -> Self {
        Self { settings, saturation: None, recent: VecDeque::new() }
    }

    /// Learns what is in use, and returns what is wanted.
    pub fn look(&mut self, seen: Saturation, now_ms: u64) -> WantedReplicas {
        let saturation = self.saturation.map_or(seen, |before| before.towards(seen));
        self.saturation = Some(saturation);
        let target = self.settings.target;
        let (bound_by, most) = saturation.most();
        let now = needed(most, target);
        while self.recent.back().is_some_and(|(_, wanted)| *wanted <= now) {
            self.recent.pop_back();
        }
        self.recent.push_back((now_ms, now));
        let keep_ms = u64::try_from(self.settings.down_after.as_millis()).unwrap_or(u64::MAX);
        while self.recent.front().is_some_and(|(at, _)| now_ms.saturating_sub(*at) > keep_ms) {
            self.recent.pop_front();
        }
        let wanted = self.recent.front().map_or(now, |(_, wanted)| *wanted);
        WantedReplicas { wanted, now, bound_by, saturation, target }
    }
}

/// Returns how many replicas share a saturation so that each has `target` of it.
fn needed(saturation: f64, target: f64) -> f64 {
    let needed = saturation / target.max(0.01);
    if (needed - 1.0).abs() <= TOLERANCE { 1.0 } else { needed }
}

#[cfg(test)]
#[path = "replicas_tests.rs"]
mod tests;
