//! Answers that nobody waits for: brought nearer, or watched while a flight fetches them.

use super::flight::Kept;
use super::lookup::Levels;
use super::reader::{FlightHead, Reader, Whole};
use crate::message::{Promote, Readiness, Warmed};
use crate::model::Level;

/// Brings an answer from L2 or L3 to L1, and to L2 on its way.
pub(super) async fn promote(asked: Promote, levels: Levels) -> Readiness {
    let Promote { key, wants, unless_held, in_l1 } = asked;
    if unless_held && levels.l1_holds(key).await != Some(false) {
        return Readiness::Present;
    }
    let Some((entry, level)) = levels.find_beyond(key, &wants).await.entry else {
        return Readiness::Absent;
    };
    let fresh = entry.freshness.remaining(levels.wall_ms());
    let Some(in_l1) = in_l1 else { return Readiness::Ready(fresh) };
    let nearer = Level::ALL.into_iter().filter(|nearer| *nearer < level);
    let inserts: Vec<_> = nearer.map(|nearer| levels.insert_as(nearer, &entry, in_l1)).collect();
    let stored = futures_util::future::join_all(inserts).await;
    if stored.first() != Some(&true) {
        return Readiness::Absent;
    }
    Readiness::Ready(fresh)
}

/// Reads a flight to its end, to say what came of it.
pub(super) async fn watch(mut reader: Reader, levels: Levels) -> Warmed {
    match reader.head().await {
        FlightHead::Found(found) => {
            let fresh = found.entry.freshness.remaining(levels.wall_ms());
            let is_right = |label| label == "not-modified";
            let is_ready = found.instead_of.is_none_or(|instead_of| is_right(instead_of.label));
            Warmed {
                readiness: if is_ready { Readiness::Ready(fresh) } else { Readiness::Absent },
                call: found.instead_of.map(|_| None),
            }
        }
        FlightHead::Open(_) => {
            let readiness = match reader.whole().await {
                Whole::Complete(_, Kept::For(life)) => Readiness::Ready(life),
                Whole::Complete(_, Kept::Not(_)) | Whole::PassingOn(_) | Whole::Failed(_) => {
                    Readiness::Absent
                }
            };
            Warmed { readiness, call: Some(reader.timings().usage) }
        }
        FlightHead::Failed(error) if error.is_unsent() => Warmed::NOTHING,
        FlightHead::Failed(_) | FlightHead::Dangling { called: true } => {
            Warmed { call: Some(None), ..Warmed::NOTHING }
        }
        FlightHead::Dangling { called: false } | FlightHead::GoAlone | FlightHead::NotKept => {
            Warmed::NOTHING
        }
    }
}
