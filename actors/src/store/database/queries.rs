//! The statements, written once for both databases.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use diesel::Connection as _;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool};
use diesel::upsert::excluded;

use super::connection::{Connection, either};
use super::purges;
use super::schema::{entries, secrets};
use crate::model::{CacheKey, Entry};
use crate::store::record;

diesel::define_sql_function! {
    /// Length in bytes; neither database reads the value's overflow pages for it.
    fn octet_length(value: Binary) -> Integer;
}

/// Runs the same statements in a transaction of either connection.
macro_rules! in_transaction {
    ($connection:expr, $open:ident => $body:block) => {
        match $connection {
            // Takes the lock at once: a lock taken half-way is not waited for.
            Connection::Sqlite(open) => open.immediate_transaction(|$open| $body),
            Connection::Postgres(open) => open.transaction(|$open| $body),
        }
    };
}
pub(super) use in_transaction;

/// A row to be written.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) entry: Arc<Entry>,
    /// The body in brotli, once it is worked out and where that is shorter.
    pub(super) packed: Option<Bytes>,
    pub(super) stored_at_ms: u64,
    pub(super) expires_at_ms: u64,
    /// Length of the record.
    pub(super) size_bytes: usize,
}

/// How many rows there are, or were changed, and the bytes of their records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) rows: i64,
    pub(super) bytes: i64,
}

/// Returns the record of `key`, if it has not expired and is not larger than `max_bytes`.
pub(super) fn get(
    connection: &mut Connection,
    key: &CacheKey,
    wall_ms: u64,
    max_bytes: usize,
) -> QueryResult<Option<Vec<u8>>> {
    let max_bytes = i32::try_from(max_bytes).unwrap_or(i32::MAX);
    let query = entries::table
        .select(entries::record)
        .filter(entries::key.eq(key.as_bytes().as_slice()))
        .filter(entries::expires_at_ms.gt(signed(wall_ms)))
        .filter(octet_length(entries::record).le(max_bytes));
    either!(connection, open => query.first(open).optional())
}

/// Writes `rows` in one transaction and returns by how much the totals grew.
pub(super) fn put(connection: &mut Connection, rows: &[Row]) -> QueryResult<Amount> {
    // In the order of keys, so that two gateways never wait for each other's rows crosswise.
    let rows: BTreeMap<CacheKey, &Row> = rows.iter().map(|row| (row.entry.key, row)).collect();
    let keys: Vec<&[u8]> = rows.keys().map(|key| key.as_bytes().as_slice()).collect();
    in_transaction!(connection, open => {
        let replaced = entries::table
            .filter(entries::key.eq_any(keys))
            .select(sql::<(BigInt, BigInt)>(COUNT_AND_SUM))
            .first::<(i64, i64)>(open)?;
        let mut written = Amount { rows: -replaced.0, bytes: -replaced.1 };
        for row in rows.values() {
            let record = record::encode(&row.entry, row.packed.as_ref());
            written.rows += 1;
            written.bytes += length(record.len());
            diesel::insert_into(entries::table)
                .values((
                    entries::key.eq(row.entry.key.as_bytes().as_slice()),
                    entries::size_bytes.eq(length(record.len())),
                    entries::record.eq(record),
                    entries::stored_at_ms.eq(signed(row.stored_at_ms)),
                    entries::expires_at_ms.eq(signed(row.expires_at_ms)),
                    entries::generation.eq(signed(row.entry.labels.generation)),
                    entries::labels.eq(purges::packed(&row.entry.labels)),
                ))
                .on_conflict(entries::key)
                .do_update()
                .set((
                    entries::record.eq(excluded(entries::record)),
                    entries::size_bytes.eq(excluded(entries::size_bytes)),
                    entries::stored_at_ms.eq(excluded(entries::stored_at_ms)),
                    entries::expires_at_ms.eq(excluded(entries::expires_at_ms)),
                    entries::generation.eq(excluded(entries::generation)),
                    entries::labels.eq(excluded(entries::labels)),
                ))
                .execute(open)?;
        }
        Ok(written)
    })
}

/// Removes the row of `key` and returns what went.
pub(super) fn remove(connection: &mut Connection, key: &CacheKey) -> QueryResult<Amount> {
    let row = entries::table.filter(entries::key.eq(key.as_bytes().as_slice()));
    in_transaction!(connection, open => {
        let found: Option<i64> = row.select(entries::size_bytes).first(open).optional()?;
        let rows = diesel::delete(row).execute(open)?;
        Ok(Amount { rows: length(rows), bytes: found.unwrap_or(0) })
    })
}

/// Removes at most `limit` rows that have expired and returns what went.
pub(super) fn remove_expired(
    connection: &mut Connection,
    wall_ms: u64,
    limit: usize,
) -> QueryResult<Amount> {
    let expired = entries::table
        .filter(entries::expires_at_ms.le(signed(wall_ms)))
        .order(entries::expires_at_ms)
        .limit(length(limit))
        .select((entries::key, entries::size_bytes));
    match connection {
        Connection::Sqlite(open) => open.immediate_transaction(|open| {
            let found = expired.load(open)?;
            delete_all(&mut OpenRef::Sqlite(open), found, None)
        }),
        Connection::Postgres(open) => open.transaction(|open| {
            // Another gateway may be sweeping, or refreshing one of these.
            let found = expired.for_update().skip_locked().load(open)?;
            delete_all(&mut OpenRef::Postgres(open), found, None)
        }),
    }
}

/// Removes the oldest rows until `bytes` are free, at most `limit`, and returns what went.
pub(super) fn remove_oldest(
    connection: &mut Connection,
    bytes: i64,
    limit: usize,
) -> QueryResult<Amount> {
    let oldest = entries::table
        .order(entries::stored_at_ms)
        .limit(length(limit))
        .select((entries::key, entries::size_bytes));
    match connection {
        Connection::Sqlite(open) => open.immediate_transaction(|open| {
            let found = oldest.load(open)?;
            delete_all(&mut OpenRef::Sqlite(open), enough(found, bytes), None)
        }),
        Connection::Postgres(open) => open.transaction(|open| {
            let found = oldest.for_update().skip_locked().load(open)?;
            delete_all(&mut OpenRef::Postgres(open), enough(found, bytes), None)
        }),
    }
}

/// Returns how many rows there are and the bytes of their records.
pub(super) fn totals(connection: &mut Connection) -> QueryResult<Amount> {
    let query = entries::table.select(sql::<(BigInt, BigInt)>(COUNT_AND_SUM));
    let (rows, bytes) = either!(connection, open => query.first(open))?;
    Ok(Amount { rows, bytes })
}

/// Returns the value of the secret `name`, which is `proposal` if there was none.
pub(super) fn secret(
    connection: &mut Connection,
    name: &str,
    proposal: &[u8],
) -> QueryResult<Vec<u8>> {
    let present = secrets::table.filter(secrets::name.eq(name)).select(secrets::value);
    either!(connection, open => {
        diesel::insert_into(secrets::table)
            .values((secrets::name.eq(name), secrets::value.eq(proposal)))
            .on_conflict(secrets::name)
            .do_nothing()
            .execute(open)?;
        present.first(open)
    })
}

/// Writes and removes one row: fails where writing fails.
pub(super) fn try_writing(connection: &mut Connection) -> QueryResult<()> {
    // Shorter than any cache key.
    let key: &[u8] = b"probe";
    in_transaction!(connection, open => {
        diesel::insert_into(entries::table)
            .values((
                entries::key.eq(key),
                entries::record.eq([0_u8; 4096].as_slice()),
                entries::size_bytes.eq(0),
                entries::stored_at_ms.eq(0),
                entries::expires_at_ms.eq(0),
            ))
            .on_conflict_do_nothing()
            .execute(open)?;
        diesel::delete(entries::table.filter(entries::key.eq(key))).execute(open)?;
        Ok(())
    })
}

/// Gives back at most `pages` of a SQLite file to the file system, if more than a tenth of it is
/// unused; returns whether more is worth giving back. Nothing to do for PostgreSQL.
pub(super) fn give_back(connection: &mut Connection, pages: u32) -> QueryResult<bool> {
    use diesel::connection::SimpleConnection as _;
    let Connection::Sqlite(open) = connection else { return Ok(false) };
    let worth_it = sql::<Bool>(
        "SELECT freelist_count * 10 > page_count FROM pragma_freelist_count, pragma_page_count",
    );
    if !worth_it.get_result::<bool>(open)? {
        return Ok(false);
    }
    open.batch_execute(&format!("PRAGMA incremental_vacuum({pages})"))?;
    Ok(true)
}

const COUNT_AND_SUM: &str = "COUNT(*), CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT)";

/// A borrowed connection inside a transaction.
pub(super) enum OpenRef<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

impl<'a> From<&'a mut SqliteConnection> for OpenRef<'a> {
    fn from(open: &'a mut SqliteConnection) -> Self {
        Self::Sqlite(open)
    }
}

impl<'a> From<&'a mut PgConnection> for OpenRef<'a> {
    fn from(open: &'a mut PgConnection) -> Self {
        Self::Postgres(open)
    }
}

/// Deletes the rows found, each with its size; where a generation is given, only those still of it.
pub(super) fn delete_all(
    open: &mut OpenRef<'_>,
    found: Vec<(Vec<u8>, i64)>,
    generation: Option<i64>,
) -> QueryResult<Amount> {
    let bytes = found.iter().map(|(_, bytes)| bytes).sum();
    let keys: Vec<Vec<u8>> = found.into_iter().map(|(key, _)| key).collect();
    let rows = entries::table.filter(entries::key.eq_any(keys));
    let rows = match (generation, open) {
        (None, OpenRef::Sqlite(open)) => diesel::delete(rows).execute(*open),
        (None, OpenRef::Postgres(open)) => diesel::delete(rows).execute(*open),
        (Some(generation), open) => {
            let rows = rows.filter(entries::generation.eq(generation));
            match open {
                OpenRef::Sqlite(open) => diesel::delete(rows).execute(*open),
                OpenRef::Postgres(open) => diesel::delete(rows).execute(*open),
            }
        }
    }?;
    Ok(Amount { rows: length(rows), bytes })
}

/// Returns the first of `found` that together hold at least `bytes`.
fn enough(found: Vec<(Vec<u8>, i64)>, bytes: i64) -> Vec<(Vec<u8>, i64)> {
    let mut so_far = 0_i64;
    found
        .into_iter()
        .take_while(|(_, size)| {
            let before = so_far;
            so_far = so_far.saturating_add(*size);
            before < bytes
        })
        .collect()
}

/// Databases have no unsigned numbers; past the year 292 million the largest one stands.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn length(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
