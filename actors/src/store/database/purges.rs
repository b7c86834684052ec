//! Purges in the database, and erasing the rows they cover.
//!
//! Each record has the number of the change that wrote it; one change at a time is made, so whoever
//! has read up to a number has seen all before it.

use std::collections::HashMap;

use diesel::Connection as _;
use diesel::dsl::max;
use diesel::prelude::*;
use diesel::upsert::excluded;

use super::connection::{Connection, either};
use super::queries::{Amount, OpenRef, delete_all, in_transaction, length, signed};
use super::schema::{entries, purges};
use crate::model::{CacheKey, Label, Labels, PurgeRecord, Purges};

/// Any number, the same in every gateway: holds the others back while one records purges.
const RECORD_LOCK: i64 = 0x616e_7465_7075_7267;

/// The statements of a record, on either connection.
macro_rules! record_on {
    ($open:expr, $records:expr, $forget_before:expr) => {{
        let last: Option<i64> = purges::table.select(max(purges::change)).first($open)?;
        let change = last.unwrap_or_default().saturating_add(1);
        for record in $records {
            let (label, generation) =
                (record.label.as_u64().cast_signed(), signed(record.generation));
            let known: Option<i64> = purges::table
                .filter(purges::label.eq(label))
                .select(purges::generation)
                .first($open)
                .optional()?;
            if known.is_some_and(|known| known >= generation) {
                continue;
            }
            diesel::insert_into(purges::table)
                .values((
                    purges::label.eq(label),
                    purges::generation.eq(generation),
                    purges::change.eq(change),
                ))
                .on_conflict(purges::label)
                .do_update()
                .set((
                    purges::generation.eq(excluded(purges::generation)),
                    purges::change.eq(excluded(purges::change)),
                ))
                .execute($open)?;
        }
        // The last change stays: it carries the count.
        let newest: Option<i64> = purges::table.select(max(purges::change)).first($open)?;
        diesel::delete(
            purges::table
                .filter(purges::generation.lt(signed($forget_before)))
                .filter(purges::change.lt(newest.unwrap_or_default())),
        )
        .execute($open)?;
        let latest: Option<i64> = purges::table.select(max(purges::generation)).first($open)?;
        Ok(latest.and_then(|latest| u64::try_from(latest).ok()).unwrap_or_default())
    }};
}
/// Returns the records that changes after `change` wrote, and the number of the last of them.
pub(super) fn since(
    connection: &mut Connection,
    change: i64,
) -> QueryResult<(Vec<PurgeRecord>, i64)> {
    let query = purges::table.filter(purges::change.gt(change)).order(purges::change).select((
        purges::label,
        purges::generation,
        purges::change,
    ));
    let rows: Vec<(i64, i64, i64)> = either!(connection, open => query.load(open))?;
    let last = rows.last().map_or(change, |(_, _, change)| *change);
    let records = rows.into_iter().map(|(label, generation, _)| PurgeRecord {
        label: Label::from_u64(label.cast_unsigned()),
        generation: u64::try_from(generation).unwrap_or_default(),
    });
    Ok((records.collect(), last))
}

/// Records purges, removes those before `forget_before`, and returns the latest generation that is
/// there then. It is on disk when this returns.
pub(super) fn record(
    connection: &mut Connection,
    records: &[PurgeRecord],
    forget_before: u64,
) -> QueryResult<u64> {
    let is_sqlite = matches!(connection, Connection::Sqlite(_));
    if is_sqlite {
        set_synchronous(connection, "FULL")?;
    }
    let recorded = record_together(connection, records, forget_before);
    if is_sqlite {
        set_synchronous(connection, "NORMAL")?;
    }
    recorded
}

fn set_synchronous(connection: &mut Connection, how: &str) -> QueryResult<()> {
    use diesel::connection::SimpleConnection as _;
    let Connection::Sqlite(open) = connection else { return Ok(()) };
    open.batch_execute(&format!("PRAGMA synchronous={how}"))
}

fn record_together(
    connection: &mut Connection,
    records: &[PurgeRecord],
    forget_before: u64,
) -> QueryResult<u64> {
    if let Connection::Postgres(open) = connection {
        return open.transaction(|open| {
            diesel::sql_query("SET LOCAL synchronous_commit = on").execute(open)?;
            diesel::sql_query(format!("SELECT pg_advisory_xact_lock({RECORD_LOCK})"))
                .execute(open)?;
            record_on!(open, records, forget_before)
        });
    }
    in_transaction!(connection, open => { record_on!(open, records, forget_before) })
}

/// Looks at up to `limit` rows behind `after`, in the order of keys, and removes those that `purges`
/// cover. Returns what went, and the last key looked at; none at the end of the table.
pub(super) fn erase(
    connection: &mut Connection,
    purges: &Purges,
    after: &[u8],
    limit: usize,
) -> QueryResult<(Amount, Option<Vec<u8>>)> {
    let page = entries::table
        .filter(entries::key.gt(after))
        .order(entries::key)
        .limit(length(limit))
        .select((entries::key, entries::generation, entries::labels, entries::size_bytes));
    let rows: Vec<Row> = either!(connection, open => page.load(open))?;
    let last = (rows.len() >= limit).then(|| rows.last().map(|(key, ..)| key.clone())).flatten();
    // By generation, so that what was written anew meanwhile stays.
    let mut covered: HashMap<i64, Vec<(Vec<u8>, i64)>> = HashMap::new();
    for (key, generation, labels, size_bytes) in rows {
        if is_covered(purges, &key, generation, &labels) {
            covered.entry(generation).or_default().push((key, size_bytes));
        }
    }
    let mut gone = Amount::default();
    for (generation, found) in covered {
        let went = in_transaction!(connection, open => {
            delete_all(&mut OpenRef::from(open), found, Some(generation))
        })?;
        gone.rows += went.rows;
        gone.bytes += went.bytes;
    }
    Ok((gone, last))
}

type Row = (Vec<u8>, i64, Vec<u8>, i64);

fn is_covered(purges: &Purges, key: &[u8], generation: i64, labels: &[u8]) -> bool {
    let Ok(key) = <[u8; CacheKey::LEN]>::try_from(key) else { return false };
    let names = labels.as_chunks::<8>().0;
    let labels = Labels {
        generation: u64::try_from(generation).unwrap_or_default(),
        names: names.iter().map(|name| Label::from_u64(u64::from_le_bytes(*name))).collect(),
    };
    purges.covers(&CacheKey::new(key), &labels)
}

/// Returns the labels as the table holds them.
pub(super) fn packed(labels: &Labels) -> Vec<u8> {
    labels.names.iter().flat_map(|label| label.as_u64().to_le_bytes()).collect()
}
