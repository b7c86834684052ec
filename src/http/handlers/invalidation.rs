//! What unsafe requests make of kept answers (RFC 9111 §4.4).

use anteroom_actors::model::{Header, Label, LabelKind};

use crate::caching::{invalidated, is_unsafe};
use crate::canonical::Profile;
use crate::http::routes::Route;
use crate::http::worker::Worker;

/// A request that was carried out, or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done<'a> {
    /// Its method.
    pub(super) method: &'a str,
    /// Path and query, as received.
    pub(super) target: &'a str,
    /// Status of its answer.
    pub(super) status: u16,
    /// Headers of its answer.
    pub(super) headers: &'a [Header],
}

/// Returns the label of all answers to GET of `target` (path and query) from one upstream.
pub(super) fn label_of(upstream_identity: &str, target: &str) -> Label {
    Label::new(LabelKind::Target, format!("{upstream_identity} {target}").as_bytes())
}

/// Invalidates what is kept of the targets that `done` changes upstream.
///
/// Rule: RFC 9111 §4.4. The POSTs of AI APIs are queries and change nothing; what no cached route
/// takes is not kept, and its purge would only cost room.
pub(super) fn invalidate(worker: &Worker, route: &Route, done: Done<'_>) {
    if route.profile != Profile::Generic || !is_unsafe(done.method) {
        return;
    }
    let Done { method, target, status, headers } = done;
    let in_force = worker.in_force();
    let fields = headers.iter().map(|header| (&*header.name, &*header.value));
    for target in invalidated(method, status, &route.upstream_origin, target, fields) {
        let path = target.split('?').next().unwrap_or_default();
        let reads = in_force
            .routes
            .find("GET", path)
            .filter(|reads| reads.cached && reads.upstream_identity == route.upstream_identity);
        if let Some(reads) = reads {
            purge(worker, label_of(&reads.upstream_identity, &target));
        }
    }
}

/// Here at once; what spreads purges finds this one by itself.
fn purge(worker: &Worker, label: Label) {
    let gateway = &worker.gateway;
    gateway.topology.purges.purge(label, gateway.clock.wall_ms());
}
