//! Asks every part for its numbers, all at once, each with a deadline.

use std::time::Duration;

use anteroom_actors::message::{MemoryReport, ObserveMemory, ask};
use anteroom_actors::model::BudgetReport;
use anteroom_actors::scaler::ObserveScaling;
use anteroom_actors::warming::ObserveWarming;
use anteroom_actors::wiring::SystemHealth;
use futures_util::future::join5;

use super::traffic::UpstreamShown;
use super::{ScalingShown, WarmingShown};
use crate::http::gateway::Gateway;
use crate::http::in_force::InForce;
use crate::savings::Saved;
use crate::telemetry::{Looked, ObserveWindow, Window};

/// Longest wait for an actor, which answers at once.
const DEADLINE: Duration = Duration::from_secs(1);

/// Decisions of the scaler that are shown here; its own page has more.
const DECISIONS: usize = 10;

/// What became of asking a part that may be off.
#[derive(Debug, Clone, PartialEq)]
pub enum Found<T> {
    /// It is off by the settings.
    Off,
    /// It did not answer.
    Away,
    /// Its numbers, and why it is not well, where it is not.
    There(T, Option<String>),
}

/// What the document is made of.
#[derive(Debug)]
pub struct Gathered<'a> {
    /// Names of the routes, in order.
    pub routes: Vec<&'a str>,
    /// Now, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
    /// Whether the gateway is stopping.
    pub is_stopping: bool,
    /// What was answered in the window; `None` where the recorder did not say.
    pub looked: Option<Looked>,
    /// How the actors are; `None` where the sentinel did not say.
    pub health: Option<SystemHealth>,
    /// How memory is; `None` where the watchdog did not say.
    pub memory: Option<MemoryReport>,
    /// What requests and answers under way hold.
    pub budget: BudgetReport,
    /// Warming.
    pub warming: Found<WarmingShown>,
    /// Scaling.
    pub scaling: Found<ScalingShown>,
    /// What was saved and spent since `since_ms`.
    pub saved: Saved,
    /// The start, in milliseconds since the Unix epoch.
    pub since_ms: u64,
    /// Currency of money.
    pub currency: &'a str,
    /// How upstreams are.
    pub upstreams: Vec<UpstreamShown>,
    /// Whether answers are compressed.
    pub compresses: bool,
    /// Whether whole answers are minified.
    pub minifies: bool,
}

/// Asks everybody.
pub async fn gather<'a>(
    gateway: &'a Gateway,
    in_force: &'a InForce,
    window: Window,
) -> Gathered<'a> {
    let topology = &gateway.topology;
    let (health, looked, memory, warming, scaling) = join5(
        topology.observe(),
        ask(&gateway.recorder.observe, ObserveWindow { window }, DEADLINE),
        ask(&topology.memory.observe, ObserveMemory, DEADLINE),
        warming_of(gateway, in_force),
        scaling_of(gateway, in_force),
    )
    .await;
    let upstreams = gateway.upstreams.health().map(|upstream| UpstreamShown {
        name: upstream.name.to_owned(),
        retries: upstream.retries,
        breaker_open: upstream.is_open,
    });
    Gathered {
        routes: in_force.routes.all().iter().map(|route| &*route.name).collect(),
        wall_ms: gateway.clock.wall_ms(),
        is_stopping: gateway.is_stopping(),
        looked: looked.ok(),
        health: health.ok(),
        memory: memory.ok(),
        budget: topology.budget.report(),
        warming,
        scaling,
        saved: gateway.savings.total(),
        since_ms: gateway.savings.since_wall_ms(),
        currency: gateway.savings.currency(),
        upstreams: upstreams.collect(),
        compresses: in_force.settings.response.compression,
        minifies: in_force.settings.response.optimize_json,
    }
}

async fn warming_of(gateway: &Gateway, in_force: &InForce) -> Found<WarmingShown> {
    if !in_force.settings.warming.enabled {
        return Found::Off;
    }
    match ask(&gateway.topology.warming.observe, ObserveWarming, DEADLINE).await {
        Ok(state) => {
            let ill = state.paused.then(|| "paused: memory is short".to_owned());
            Found::There(WarmingShown::of(gateway, &state), ill)
        }
        Err(_gone) => Found::Away,
    }
}

async fn scaling_of(gateway: &Gateway, in_force: &InForce) -> Found<ScalingShown> {
    let Some(settings) = in_force.settings.scaler() else { return Found::Off };
    let gates = &gateway.topology.gates;
    match ask(&gateway.topology.scaler.observe, ObserveScaling, DEADLINE).await {
        Ok(mut report) => {
            let older = report.decisions.len().saturating_sub(DECISIONS);
            report.decisions.drain(..older);
            Found::There(ScalingShown::of(settings.mode.label(), gates, &report), None)
        }
        Err(_gone) => Found::Away,
    }
}
