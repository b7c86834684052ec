//! A log of AI calls: lines of JSON, gzipped or not, as an application or another gateway wrote them.
//!
//! * [`mod@line`]: the documented fields of one line.
//! * [`call`]: what the gateway would have made of it.
//! * [`savings`]: what it would have saved.
//!
//! A line that is no call is skipped and counted. What is told of it is its number and the field, never
//! what it holds: lines hold prompts.

pub mod call;
pub mod line;
pub mod savings;

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::num::NonZero;

use anteroom_actors::model::CacheKey;

use self::call::{Reader, Understood};
use self::line::{Fault, LoggedCall};
use super::source::{Line, Lines, SourceError};
use super::trace::{self, Request, Trace};
use crate::savings::{Call, Ledger, PriceError};
use crate::settings::Settings;

/// Longest line, in bytes: a request as large as the gateway takes at first, and its answer.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// Most calls of one log that ask the cache: each takes 200 bytes of memory at most.
const MOST_CALLS: usize = 50_000_000;

/// Skipped lines that are told one by one.
const MOST_TOLD: usize = 5;

/// Why a log of calls cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// It cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is no line in it.
    #[error("the log is empty")]
    Empty,
    /// Most of it is something else.
    #[error("{skipped} of {lines} lines of the log are no calls; the first is line {}", .first)]
    NoLog {
        /// Lines that are no calls.
        skipped: u64,
        /// All lines that are not blank.
        lines: u64,
        /// The first of those that are none.
        first: SkippedLine,
    },
    /// The settings' prices.
    #[error(transparent)]
    Prices(#[from] PriceError),
    /// There is too much of it.
    #[error("a log has at most {MOST_CALLS} calls")]
    TooMany,
}

/// A line that is no call.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SkippedLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub fault: Fault,
}

impl std::fmt::Display for SkippedLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.line, self.fault)
    }
}

/// Lines that are no calls.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Skipped {
    /// How many.
    pub lines: u64,
    /// The first of them.
    pub first: Vec<SkippedLine>,
}

/// A log that has been read.
#[derive(Debug, Default)]
pub struct Log {
    /// The calls that ask the cache, in the order of their times.
    pub trace: Trace,
    /// What each of them cost and took.
    pub calls: Vec<Call>,
    /// Calls that go past the cache or whose answers are not kept, by reason.
    pub left_out: BTreeMap<&'static str, u64>,
    /// What those cost.
    pub spent: Ledger,
    /// Currency of all money.
    pub currency: String,
    /// Lines that are no calls.
    pub skipped: Skipped,
}

/// Reads a log for a gateway of these settings.
///
/// # Errors
///
/// It cannot be read, or more of its lines are no calls than are.
pub fn read(source: impl Read, settings: &Settings) -> Result<Log, LogError> {
    let mut lines = Lines::of(source, LONGEST_LINE)?;
    let reader = Reader::new(settings)?;
    let mut gathering = Gathering::default();
    gathering.log.currency = reader.currency().to_owned();
    while let Some((line, text)) = lines.next_line()? {
        match text {
            Line::Long => gathering.skip(line, Fault::Long),
            Line::Text(text) if text.trim_ascii().is_empty() => {}
            Line::Text(text) => {
                match LoggedCall::read(text).and_then(|call| reader.understand(&call)) {
                    Ok(understood) => gathering.take(understood)?,
                    Err(fault) => gathering.skip(line, fault),
                }
            }
        }
    }
    gathering.end()
}

#[derive(Default)]
struct Gathering {
    asked: Vec<(Request, Call)>,
    keys: HashMap<CacheKey, u32>,
    users: HashMap<[u8; 32], u32>,
    log: Log,
}

impl Gathering {
    fn skip(&mut self, line: u64, fault: Fault) {
        let skipped = &mut self.log.skipped;
        skipped.lines += 1;
        if skipped.first.len() < MOST_TOLD {
            skipped.first.push(SkippedLine { line, fault });
        }
    }

    fn take(&mut self, understood: Understood) -> Result<(), LogError> {
        if self.asked.len() >= MOST_CALLS {
            return Err(LogError::TooMany);
        }
        match understood {
            Understood::Asked { at_ms, key, user, size_bytes, call } => {
                let key = trace::number(&mut self.keys, key);
                // From 1 on; 0 is nobody.
                let user = user.map_or(0, |user| trace::number(&mut self.users, user) + 1);
                let request = Request { at_ms, key, user: NonZero::new(user), size_bytes };
                self.asked.push((request, call));
            }
            Understood::LeftOut { reason, call } => {
                *self.log.left_out.entry(reason).or_default() += 1;
                self.log.spent.charged(0, "", call.cost);
            }
        }
        Ok(())
    }

    /// Puts the calls in the order of their times: many logs are written when a call ends.
    fn end(mut self) -> Result<Log, LogError> {
        let calls = self.asked.len() as u64 + self.log.left_out.values().sum::<u64>();
        let skipped = self.log.skipped.lines;
        match self.log.skipped.first.first() {
            Some(first) if skipped > calls => {
                let (lines, first) = (calls + skipped, first.clone());
                return Err(LogError::NoLog { skipped, lines, first });
            }
            None if calls == 0 => return Err(LogError::Empty),
            _ => {}
        }
        self.asked.sort_by_key(|(request, _)| request.at_ms);
        self.log.trace = Trace::of(self.asked.iter().map(|(request, _)| *request));
        self.log.calls = self.asked.into_iter().map(|(_, call)| call).collect();
        Ok(self.log)
    }
}

#[cfg(test)]
mod tests;
