//! A gateway that serves: until it stops, or another process has taken over.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;

use super::signals::Signals;
use crate::http::gateway::Gateway;
use crate::http::server::Servers;
use crate::listening::Origin;
use crate::succession::{Predecessor, Successor, SuccessorError};
use crate::supervisor::Supervisor;

/// Least time for writes to reach the levels at the end, whatever requests have used up.
const LEAST_FLUSH: Duration = Duration::from_secs(5);

/// Longest wait for what another process begins with to be written.
const HAND_DOWN_WITHIN: Duration = Duration::from_secs(2);

/// How long there has to be no connection until none is believed to come: one that was accepted is
/// counted a little later, on a listener with TLS after its handshake.
const QUIET_FOR: Duration = Duration::from_secs(1);

/// A gateway that serves.
pub(super) struct Running {
    pub(super) gateway: Arc<Gateway>,
    pub(super) servers: Servers,
    pub(super) supervisor: Supervisor,
    /// The process that served before, where this one has taken over.
    pub(super) predecessor: Option<Predecessor>,
    /// How this process was started.
    pub(super) command: Vec<OsString>,
}

impl Running {
    /// Serves until a signal to stop, or until another process has taken over and what was begun here
    /// has ended. A further signal ends it at once.
    pub(super) async fn serve(&mut self, signals: &mut Signals, restarts: &mut Signal) {
        // It lives as long as this process: who waits for the child is told of its end.
        let successor = self.until_over(signals, restarts).await;
        if let Some(successor) = &successor {
            self.leave_to(successor, signals).await;
        }
        if successor.is_none() {
            self.supervisor.stopping();
        }
        let drain = self.gateway.in_force().settings.server.drain_timeout.get();
        tracing::info!("stopping; a second signal stops at once");
        tokio::select! {
            () = self.stop(drain, successor.is_some()) => {}
            () = signals.next() => tracing::warn!("stopped at once; requests were cut"),
        }
    }

    /// Returns the process that has taken over; `None`: there is none, and this one has to stop.
    async fn until_over(
        &mut self,
        signals: &mut Signals,
        restarts: &mut Signal,
    ) -> Option<Successor> {
        loop {
            tokio::select! {
                () = signals.next() => return None,
                _ = restarts.recv() => {}
            }
            self.gateway.topology.hand_down(HAND_DOWN_WITHIN).await;
            let mut successor = match Successor::start(&self.command, self.servers.sockets()) {
                Ok(successor) => successor,
                Err(error) => {
                    goes_on(&error);
                    continue;
                }
            };
            tracing::info!(process = successor.id(), "started a process that is to take over");
            let answers = tokio::select! {
                answers = successor.answers() => Some(answers),
                () = signals.next() => None,
            };
            match answers {
                Some(Ok(())) => return Some(successor),
                Some(Err(error)) => {
                    goes_on(&error);
                    successor.end().await;
                }
                None => {
                    successor.end().await;
                    return None;
                }
            }
        }
    }

    /// Takes no more connections, and goes on with those there are until all have ended.
    async fn leave_to(&self, successor: &Successor, signals: &mut Signals) {
        self.supervisor.main_process(successor.id());
        tracing::info!(
            process = successor.id(),
            connections = self.gateway.connections(),
            "another process has taken over; this one goes on with the connections it has"
        );
        self.gateway.topology.rest();
        let in_force = self.gateway.in_force();
        let server = &in_force.settings.server;
        let quiet_for = match server.tls.files() {
            Some(_) => QUIET_FOR.max(server.head_timeout.get()),
            None => QUIET_FOR,
        };
        tokio::select! {
            ended = self.servers.leave(quiet_for, server.handover_timeout.get()) => if !ended {
                let connections = self.gateway.connections();
                tracing::warn!(connections, "connections are left at server.handover_timeout");
            },
            () = signals.next() => {}
        }
    }

    async fn stop(&self, drain: Duration, has_successor: bool) {
        // A shared socket goes on: what waits on it is for the others.
        let is_shared = has_successor
            || self.servers.sockets().iter().any(|socket| socket.origin == Origin::Manager)
            || self.predecessor.as_ref().is_some_and(Predecessor::is_there);
        let started = self.gateway.clock.now();
        if !self.servers.stop(drain, is_shared).await {
            let drain_ms = drain.as_millis();
            tracing::warn!(drain_ms, "requests were cut at server.drain_timeout");
        }
        let left = drain.saturating_sub(self.gateway.clock.now().duration_since(started));
        if !self.gateway.topology.drain(left.max(LEAST_FLUSH)).await {
            tracing::warn!("not everything queued was written");
        }
        if let Some(spans) = self.gateway.spans.clone() {
            let finishing = actix_web::web::block(move || spans.finish(LEAST_FLUSH)).await;
            if finishing.is_err() {
                tracing::warn!("the last spans were not sent");
            }
        }
        self.servers.stop_operations().await;
    }
}

fn goes_on(error: &SuccessorError) {
    tracing::error!(%error, "no other process takes over; this one goes on");
}
