//! A flight's way: the levels, another gateway's call, a fetching thread.

use std::sync::Arc;
use std::time::Duration;

use super::claiming::{Claiming, Way};
use super::encoder::Encoder;
use super::fetch_actor::Fetch;
use super::flight::Found;
use super::lookup::Levels;
use super::replica_claim::Manner;
use super::resolver_actor::{FlightEnded, Refresh};
use super::writer::FlightWriter;
use crate::message::{InsertKind, Slot, ask};
use crate::model::{Caller, Level, Wants};
use crate::origin::OriginCall;

/// How long a fetching thread may take to accept a call; it only spawns a task.
const FETCH_DEADLINE: Duration = Duration::from_secs(5);

/// How long a call waits for a dead fetching thread's successor; the sentinel looks twice a second.
const FETCHER_BACK_WITHIN: Duration = Duration::from_secs(2);

/// Pause between two looks for the successor.
const FETCHER_LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whom a flight speaks to.
pub(super) struct Ports {
    pub(super) levels: Levels,
    pub(super) encoder: Encoder,
    pub(super) claiming: Claiming,
    pub(super) fetcher: Slot<Fetch>,
    pub(super) ended: Slot<FlightEnded>,
    pub(super) refresh: Slot<Refresh>,
    /// What its answer is to L1.
    pub(super) in_l1: InsertKind,
    /// Who wants it.
    pub(super) caller: Caller,
}

/// A flight's way through the levels, and to a fetching thread where they have nothing and no other
/// gateway fetches it.
pub(super) async fn fly(
    call: Arc<OriginCall>,
    wants: Wants,
    manner: Manner,
    writer: FlightWriter,
    ports: Ports,
) {
    let (in_l1, caller) = (ports.in_l1, ports.caller);
    let mut found = ports.levels.find(call.key, call.form, &wants, call.validates).await;
    writer.time(|timings| timings.lookups = found.lookups);
    let mut claim = None;
    if found.entry.is_none() {
        if wants.only_kept {
            writer.not_kept();
            return;
        }
        if let Some(fallback) = &found.fallback {
            let was_fresh = fallback.entry.freshness.is_fresh(ports.levels.wall_ms());
            writer.time(|timings| timings.passed_over = Some(was_fresh));
        }
        if found.l2_answered {
            match ports.claiming.way(&call, &wants, manner, &writer).await {
                Way::Fetch(held) => claim = held,
                Way::Found(entry, level) => found.entry = Some((entry, level)),
                Way::Leave => {
                    let flight = Arc::clone(writer.flight());
                    // Whoever has joined meanwhile finds it dangling, and asks again.
                    drop(writer);
                    ports.ended.deliver(FlightEnded { flight });
                    return;
                }
            }
        }
    }
    let Some((entry, level)) = found.entry else {
        let fallback = found.fallback;
        fetch(Fetch { call, writer, fallback, claim, in_l1, caller }, &ports).await;
        return;
    };
    let (flight, encoding) = (Arc::clone(writer.flight()), call.encoding);
    let nearer = Level::ALL.into_iter().filter(|nearer| *nearer < level);
    let mut promotions: Vec<_> =
        nearer.map(|nearer| ports.levels.insert_as(nearer, &entry, in_l1)).collect();
    let (stale, promoted) = ((Arc::clone(&entry), level), Arc::clone(&entry));
    writer.found(Found { entry, level, instead_of: None });
    let is_promoted = !promotions.is_empty();
    if is_promoted {
        promotions.remove(0).await;
    }
    ports.ended.deliver(FlightEnded { flight });
    if found.refresh {
        // After this flight's end: it is not the one that fetches.
        ports.refresh.tell(Refresh { call, stale });
    }
    futures_util::future::join_all(promotions).await;
    if is_promoted {
        ports.encoder.encode(&promoted, encoding, &ports.levels).await;
    }
}

async fn fetch(fetch: Fetch, ports: &Ports) {
    let flight = Arc::clone(fetch.writer.flight());
    wait_until_open(&ports.fetcher).await;
    // A dropped message drops the writer: the flight dangles and is asked for again.
    let sent = ask(&ports.fetcher, fetch, FETCH_DEADLINE).await;
    if sent.is_err() {
        ports.ended.deliver(FlightEnded { flight });
    }
}

/// Waits until a fetching thread takes calls: one that died would lose the call, and the asker has
/// but one more try.
async fn wait_until_open(fetcher: &Slot<Fetch>) {
    let open = async {
        while !fetcher.is_open() {
            tokio::time::sleep(FETCHER_LOOK_AGAIN).await;
        }
    };
    if tokio::time::timeout(FETCHER_BACK_WITHIN, open).await.is_err() {
        tracing::warn!("no fetching thread takes calls");
    }
}
