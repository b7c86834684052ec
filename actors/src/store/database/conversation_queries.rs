//! The statements of conversations, for both databases.
//!
//! A conversation's row carries the number of its latest turn, and its incarnation: a turn is written
//! only where it is the next one of that very conversation, so that two gateways on one server cannot
//! both write it.

use bytes::Bytes;
use diesel::Connection as _;
use diesel::prelude::*;

use super::connection::{Connection, either};
use super::queries::{in_transaction, length, signed};
use super::schema::{conversation_turns as turns, conversations};
use crate::model::{ConversationId, History, HistoryVersion, Turn};

/// A turn to be written.
#[derive(Debug, Clone)]
pub(super) struct NewTurn {
    pub(super) id: ConversationId,
    pub(super) number: u64,
    /// That of the conversation; a new one with the first turn.
    pub(super) incarnation: u64,
    pub(super) system: Bytes,
    pub(super) turn: Turn,
    pub(super) wall_ms: u64,
    pub(super) expires_at_ms: u64,
}

impl NewTurn {
    fn is_first(&self) -> bool {
        self.number == 1
    }
}

/// Writes turns in one transaction; tells of each whether it was the next one of its conversation
/// and is there now.
///
/// They are written in the order of their conversations: two gateways then never wait for each
/// other in a circle.
pub(super) fn append(connection: &mut Connection, new: &[NewTurn]) -> QueryResult<Vec<bool>> {
    let mut order: Vec<(usize, &NewTurn)> = new.iter().enumerate().collect();
    order.sort_by_key(|(_, new)| (new.id, new.number));
    let mut written = vec![false; new.len()];
    in_transaction!(connection, open => {
        for (index, new) in order {
            let id = new.id.as_bytes().as_slice();
            let number = signed(new.number);
            let bytes = length(new.turn.body.len());
            let is_next = if new.is_first() {
                let ended = conversations::table
                    .filter(conversations::id.eq(id))
                    .filter(conversations::expires_at_ms.le(signed(new.wall_ms)));
                if diesel::delete(ended).execute(open)? > 0 {
                    diesel::delete(turns::table.filter(turns::conversation.eq(id)))
                        .execute(open)?;
                }
                diesel::insert_into(conversations::table)
                    .values((
                        conversations::id.eq(id),
                        conversations::turns.eq(number),
                        conversations::bytes.eq(bytes),
                        conversations::system_messages.eq(new.system.as_ref()),
                        conversations::expires_at_ms.eq(signed(new.expires_at_ms)),
                        conversations::incarnation.eq(signed(new.incarnation)),
                    ))
                    .on_conflict(conversations::id)
                    .do_nothing()
                    .execute(open)?
            } else {
                let before = conversations::table
                    .filter(conversations::id.eq(id))
                    .filter(conversations::turns.eq(number.saturating_sub(1)))
                    .filter(conversations::incarnation.eq(signed(new.incarnation)));
                diesel::update(before)
                    .set((
                        conversations::turns.eq(number),
                        conversations::bytes.eq(conversations::bytes + bytes),
                        conversations::system_messages.eq(new.system.as_ref()),
                        conversations::expires_at_ms.eq(signed(new.expires_at_ms)),
                    ))
                    .execute(open)?
            };
            if is_next == 0 {
                continue;
            }
            diesel::insert_into(turns::table)
                .values((
                    turns::conversation.eq(id),
                    turns::number.eq(number),
                    turns::messages.eq(signed(new.turn.messages)),
                    turns::opens.eq(i64::from(new.turn.opens)),
                    turns::body.eq(new.turn.body.as_ref()),
                ))
                .execute(open)?;
            if let Some(written) = written.get_mut(index) {
                *written = true;
            }
        }
        Ok::<(), diesel::result::Error>(())
    })?;
    Ok(written)
}

/// What was found of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// None, or its lifetime is over.
    Nothing,
    /// The version that the asker knows.
    Known,
    /// Another version.
    New(History),
}

/// Returns a conversation with its latest turns, at most `most`, unless it is as `known`.
pub(super) fn read(
    connection: &mut Connection,
    id: ConversationId,
    known: Option<HistoryVersion>,
    most: u64,
    wall_ms: u64,
) -> QueryResult<Found> {
    let id = id.as_bytes().as_slice();
    let head = conversations::table
        .filter(conversations::id.eq(id))
        .filter(conversations::expires_at_ms.gt(signed(wall_ms)))
        .select((
            conversations::turns,
            conversations::bytes,
            conversations::system_messages,
            conversations::expires_at_ms,
            conversations::incarnation,
        ));
    let found: Option<(i64, i64, Vec<u8>, i64, i64)> =
        either!(connection, open => head.first(open).optional())?;
    let Some((number, bytes, system, expires_at_ms, incarnation)) = found else {
        return Ok(Found::Nothing);
    };
    let version = HistoryVersion { incarnation: unsigned(incarnation), turns: unsigned(number) };
    if known == Some(version) {
        return Ok(Found::Known);
    }
    let latest = turns::table
        .filter(turns::conversation.eq(id))
        .filter(turns::number.le(number))
        .order(turns::number.desc())
        .limit(signed(most))
        .select((turns::messages, turns::opens, turns::body));
    let mut rows: Vec<(i64, i64, Vec<u8>)> = either!(connection, open => latest.load(open))?;
    rows.reverse();
    let recent = rows.into_iter().map(|(messages, opens, body)| Turn {
        messages: unsigned(messages),
        opens: opens != 0,
        body: Bytes::from(body),
    });
    Ok(Found::New(History {
        incarnation: version.incarnation,
        turns: unsigned(number),
        bytes: unsigned(bytes),
        system: Bytes::from(system),
        expires_at_ms: unsigned(expires_at_ms),
        recent: recent.collect(),
    }))
}

/// Removes a conversation; tells whether there was one whose lifetime was not over.
pub(super) fn forget(
    connection: &mut Connection,
    id: ConversationId,
    wall_ms: u64,
) -> QueryResult<bool> {
    let id = id.as_bytes().as_slice();
    in_transaction!(connection, open => {
        let there = conversations::table.filter(conversations::id.eq(id));
        let alive = there.filter(conversations::expires_at_ms.gt(signed(wall_ms)));
        let was_alive = diesel::delete(alive).execute(open)? > 0;
        diesel::delete(there).execute(open)?;
        diesel::delete(turns::table.filter(turns::conversation.eq(id))).execute(open)?;
        Ok(was_alive)
    })
}

/// Removes at most `most` conversations whose lifetime is over; returns how many.
pub(super) fn sweep(connection: &mut Connection, most: u64, wall_ms: u64) -> QueryResult<usize> {
    in_transaction!(connection, open => {
        let ended = conversations::table
            .filter(conversations::expires_at_ms.le(signed(wall_ms)))
            .order(conversations::expires_at_ms)
            .limit(signed(most))
            .select(conversations::id);
        let ended: Vec<Vec<u8>> = ended.load(open)?;
        let mut num_removed = 0;
        for id in ended {
            // Asked again: a turn may have been added by another gateway meanwhile.
            let still = conversations::table
                .filter(conversations::id.eq(&id))
                .filter(conversations::expires_at_ms.le(signed(wall_ms)));
            if diesel::delete(still).execute(open)? > 0 {
                diesel::delete(turns::table.filter(turns::conversation.eq(&id))).execute(open)?;
                num_removed += 1;
            }
        }
        Ok(num_removed)
    })
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
