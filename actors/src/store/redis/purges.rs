//! The record of purges in Redis: a sorted set, read again and again; nothing is searched for.
//!
//! `anteroom:v1:purges` holds each purged label, as 16 hexadecimal digits, with its generation as
//! the score: a whole number below 2^53, which a score holds exactly. A reader asks for what is later
//! than it has seen. A record below what others may have seen already would be overlooked by that:
//! its writer counts `anteroom:v1:purges:again` up, and readers read the whole anew.

use std::time::Duration;

use deadpool_redis::redis::{Cmd, FromRedisValue, cmd, pipe};

use super::connections::Lent;
use super::{PREFIX, RedisStore};
use crate::error::LevelError;
use crate::model::{Label, PurgeRecord, Purges};

/// Name of the sorted set, and of the channel on which changes are called out.
pub(super) const NAME: &str = "purges";
/// Records read by one command.
const PAGE: usize = 1_000;
/// Most commands of one reading: a set that is larger is not of our making.
const MAX_PAGES: usize = 1_000;

const WHAT: &str = "a read of the purges in Redis";

/// How far the purges of a Redis have been read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PurgeCursor {
    /// The latest generation seen.
    generation: u64,
    /// The count of records that were written below it.
    again: u64,
}

impl RedisStore {
    /// As [`Self::connect`], to where [`Self::locate`] found the server; where there was no connection
    /// before, the first one is used only once all purges that are recorded have been read into
    /// `purges`. Returns whether that was so.
    ///
    /// # Errors
    ///
    /// Why the first that failed did; those before it stay.
    pub async fn connect_hearing(&self, purges: &Purges) -> Result<bool, LevelError> {
        let deadline = self.write_timeout();
        let mut is_new_contact = false;
        for _ in 0..self.connections.missing() {
            let tested = async |lent: &mut Lent| {
                self.try_out(lent).await?;
                if self.connections.live() == 0 {
                    let mut ask = Asking { deadline, lent: || Ok(lent.clone()) };
                    purges.merge_all(&ask.since(0).await?);
                    is_new_contact = true;
                }
                Ok(())
            };
            self.connections.add(tested).await?;
        }
        Ok(is_new_contact)
    }

    /// Returns the purges recorded since `cursor`, and how far that reaches.
    ///
    /// # Errors
    ///
    /// [`LevelError::Skipped`] without a connection, else what the server's failure means.
    pub async fn purges_since(
        &self,
        cursor: PurgeCursor,
    ) -> Result<(Vec<PurgeRecord>, PurgeCursor), LevelError> {
        let mut count = cmd("GET");
        count.arg(again());
        // Before the set is read: a record that comes in between is found by the next reading.
        let again: Option<u64> = self.run(WHAT, &count, self.write_timeout()).await?;
        let again = again.unwrap_or_default();
        let from = if again == cursor.again { cursor.generation } else { 0 };
        let lend = || self.connections.lend().ok_or(LevelError::Skipped("no connection"));
        let mut ask = Asking { deadline: self.write_timeout(), lent: lend };
        let records = ask.since(from).await?;
        let latest = records.last().map_or(from, |record| record.generation);
        Ok((records, PurgeCursor { generation: latest.max(cursor.generation), again }))
    }

    /// Records purges, removes those before `forget_before`, and tells other gateways. Returns the
    /// latest generation that is recorded then.
    ///
    /// # Errors
    ///
    /// [`LevelError::Skipped`] without a connection, else what the server's failure means.
    pub async fn record_purges(
        &self,
        records: &[PurgeRecord],
        forget_before: u64,
    ) -> Result<u64, LevelError> {
        const WHAT: &str = "a record of purges in Redis";
        let Some(earliest) = records.iter().map(|record| record.generation).min() else {
            return Ok(0);
        };
        let mut together = pipe();
        together.atomic();
        for record in records {
            let add = together.cmd("ZADD").arg(set()).arg("GT").arg(record.generation);
            add.arg(member(record.label)).ignore();
        }
        let forgotten = together.cmd("ZREMRANGEBYSCORE").arg(set()).arg("-inf");
        forgotten.arg(format!("({forget_before}")).ignore();
        together.cmd("ZREVRANGE").arg(set()).arg(0).arg(0).arg("WITHSCORES");
        let mut lent = self.connections.lend().ok_or(LevelError::Skipped("no connection"))?;
        let reply = lent.run_all(WHAT, &together, self.write_timeout()).await;
        if reply.as_ref().is_err_and(LevelError::trips_breaker) {
            self.connections.discard(&lent);
        }
        let (top,): (Vec<(String, String)>,) = reply?;
        let latest = top.first().and_then(|(_, score)| score.parse().ok()).unwrap_or(0);
        if latest > earliest {
            let mut count = cmd("INCR");
            count.arg(again());
            let _count: u64 = self.run(WHAT, &count, self.write_timeout()).await?;
        }
        let mut call_out = cmd("PUBLISH");
        call_out.arg(set()).arg("");
        // Only faster than the next poll: whether it is heard, or allowed, does not matter.
        let _: Result<i64, LevelError> = self.run(WHAT, &call_out, self.write_timeout()).await;
        Ok(latest)
    }
}

/// Reads the set in pages, over connections that `lent` gives.
struct Asking<L> {
    deadline: Duration,
    lent: L,
}

impl<L: FnMut() -> Result<Lent, LevelError>> Asking<L> {
    /// Returns the records later than `generation`, in the order of generations.
    async fn since(&mut self, generation: u64) -> Result<Vec<PurgeRecord>, LevelError> {
        let mut found = Vec::new();
        let mut from = format!("({generation}");
        for _ in 0..MAX_PAGES {
            let mut command = cmd("ZRANGEBYSCORE");
            command.arg(set()).arg(&from).arg("+inf").arg("WITHSCORES");
            command.arg("LIMIT").arg(0).arg(PAGE);
            let page: Vec<(String, String)> = self.run(&command).await?;
            let is_last = page.len() < PAGE;
            found.extend(page.iter().filter_map(|(member, score)| record(member, score)));
            let (Some((_, first)), Some((_, last))) = (page.first(), page.last()) else { break };
            if is_last {
                break;
            }
            // Several may share a generation: from the last one again, unless the page is all of it.
            from = if first == last { format!("({last}") } else { last.clone() };
        }
        Ok(found)
    }

    async fn run<T: FromRedisValue>(&mut self, command: &Cmd) -> Result<T, LevelError> {
        (self.lent)()?.run(WHAT, command, self.deadline).await
    }
}

/// Returns the name of the set, which is the channel's too.
pub(super) fn set() -> String {
    format!("{PREFIX}{NAME}")
}

fn again() -> String {
    format!("{PREFIX}{NAME}:again")
}

fn member(label: Label) -> String {
    format!("{:016x}", label.as_u64())
}

/// Returns nothing for what we did not write.
fn record(member: &str, score: &str) -> Option<PurgeRecord> {
    let label = u64::from_str_radix(member, 16).ok().filter(|_| member.len() == 16)?;
    Some(PurgeRecord { label: Label::from_u64(label), generation: score.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_survives_its_text_form(label: u64, generation in 0_u64..1 << 53) {
            let label = Label::from_u64(label);
            let text = (member(label), generation.to_string());
            prop_assert_eq!(record(&text.0, &text.1), Some(PurgeRecord { label, generation }));
        }
    }

    #[test]
    fn what_is_not_of_our_making_is_no_record() {
        for (member, score) in
            [("", "1"), ("0", "1"), ("00000000000000zz", "1"), ("0000000000000000", "1e+17")]
        {
            assert_eq!(record(member, score), None, "{member} {score}");
        }
    }
}
