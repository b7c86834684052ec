//! What a gateway waits for before it answers.

use std::time::Duration;

use anteroom_actors::message::ActorState;
use anteroom_actors::wiring::Topology;

use crate::http::gateway::Gateway;

/// Longest wait for the actors' first heartbeats; then the gateway serves with those it has.
const ACTORS_UP_WITHIN: Duration = Duration::from_secs(3);

/// Longest wait for the purges that L2 and L3 hold; then the gateway serves with those it knows.
const PURGES_HEARD_WITHIN: Duration = Duration::from_secs(2);

/// Pause between two looks at them.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Waits until the gateway can serve as well as it will, or for as long as that may take.
pub(super) async fn ready(gateway: &Gateway) {
    actors_up(&gateway.topology).await;
    if !gateway.topology.catch_up(PURGES_HEARD_WITHIN).await {
        tracing::warn!(
            "not every level has told its purges yet; serving with those that are known"
        );
    }
    warm_start(gateway).await;
}

/// Waits until every actor has answered once or been found degraded.
async fn actors_up(topology: &Topology) {
    let up = async {
        loop {
            if let Ok(health) = topology.observe().await
                && health.actors.iter().all(|actor| actor.state != ActorState::Restarting)
            {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    if tokio::time::timeout(ACTORS_UP_WITHIN, up).await.is_err() {
        tracing::warn!("not every actor has answered yet; serving with those that have");
    }
}

/// Brings the answers asked for most before the last stop back to memory.
async fn warm_start(gateway: &Gateway) {
    let in_force = gateway.in_force();
    let warming = &in_force.settings.warming;
    if !warming.enabled || warming.start_entries == 0 {
        return;
    }
    match gateway.topology.warm_start(warming.start_timeout.get()).await {
        Some(0) => {}
        Some(entries) => tracing::info!(entries, "the hottest answers are back in memory"),
        None => tracing::warn!("not all of the hottest answers came back in time"),
    }
}
