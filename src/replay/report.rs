//! What came of a replay.

use std::fmt;

use serde::Serialize;

use super::lifetimes::{ENDLESS, Hits, Lifetimes};
use super::log::savings::LogReport;
use super::scaler::{CurveReport, ScalerReport};
use super::warmer::WarmingReport;

/// What came of a replay. Serialised it is what `--json` prints; ratios are fractions of 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Requests of the log.
    pub requests: u64,
    /// Distinct keys among them.
    pub keys: u64,
    /// Requests answered by any level.
    pub hit_ratio: f64,
    /// Hits by level.
    pub hits: Hits,
    /// Hit ratio of levels without bound, of the same lifetimes.
    pub ceiling: f64,
    /// L1's hit ratio if it knew the log beforehand.
    pub belady_l1: f64,
    /// L1 for itself.
    pub l1: L1Report,
    /// What came of warming.
    pub warming: WarmingReport,
    /// What came of sizing L1, where other sizes were tried.
    pub scaler: Option<ScalerReport>,
    /// L1's hit ratio by its size, likewise.
    pub curve: Option<CurveReport>,
    /// The most bytes that L1 held: answers and what an entry costs beside.
    pub peak_bytes: u64,
    /// What is known of a log of AI calls alone.
    #[serde(flatten)]
    pub log: Option<LogReport>,
    /// Under which settings; for people only.
    #[serde(skip)]
    pub setting: Setting,
}

/// L1 for itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct L1Report {
    /// Hit ratio of a plain LRU of the same size.
    pub lru: f64,
    /// L1's own.
    pub hit_ratio: f64,
}

/// What the numbers were found under.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// How many entries L1 holds.
    pub l1_entries: u64,
    /// How long the levels keep an answer.
    pub lifetimes: Lifetimes,
    /// The window's share of L1 at the end.
    pub window_share: f64,
    /// Requests of the log that bear an earlier time than one before.
    pub out_of_order: u64,
}

/// Returns `part` of `whole` as a fraction; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a ratio needs no more than 53 bits")]
pub fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

impl Report {
    /// Returns what `--json` prints.
    pub fn json(&self) -> String {
        // Of numbers alone: it cannot fail.
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Setting { l1_entries, lifetimes, window_share, out_of_order } = self.setting;
        let of_all = |hits: u64| percent(ratio(hits, self.requests));
        let mut line = |name: &str, value: String, note: &str| {
            let text = format!("{name:<26}{value:>12}  {note}");
            writeln!(f, "{}", text.trim_end())
        };
        for (name, value, note) in self.log.iter().flat_map(LogReport::lines) {
            line(name, value, &note)?;
        }
        line("requests", self.requests.to_string(), "")?;
        line("distinct keys", self.keys.to_string(), "")?;
        if out_of_order > 0 {
            let note = "taken as of the time before them";
            line("out of order", out_of_order.to_string(), note)?;
        }
        line("hits", percent(self.hit_ratio), "")?;
        line("  from L1", of_all(self.hits.l1), &kept(lifetimes.l1_ms))?;
        line("  from L2", of_all(self.hits.l2), &kept(lifetimes.l2_ms))?;
        line("  from L3", of_all(self.hits.l3), &kept(lifetimes.l3_ms))?;
        line("ceiling", percent(self.ceiling), "the same lifetimes without any bound")?;
        line("L1", percent(self.l1.hit_ratio), &format!("{l1_entries} entries"))?;
        line("  a plain LRU", percent(self.l1.lru), "of the same size")?;
        line("  Belady's optimum", percent(self.belady_l1), "with hindsight")?;
        line("  window at the end", percent(window_share), "of its room")?;
        line("  most bytes held", self.peak_bytes.to_string(), "")?;
        if let Some(lines) = self.warming.lines() {
            for (name, value, note) in lines {
                line(name, value, note)?;
            }
        }
        for decision in self.scaler.iter().flat_map(|scaler| &scaler.decisions) {
            let note = format!("entries, after {} ({})", decision.before, decision.reason());
            line("resized to", decision.after.to_string(), &note)?;
        }
        for (name, value, note) in self.curve.iter().flat_map(CurveReport::lines) {
            line(&name, value, &note)?;
        }
        Ok(())
    }
}

pub(super) fn percent(ratio: f64) -> String {
    format!("{:.2} %", ratio * 100.0)
}

fn kept(ttl_ms: u64) -> String {
    match ttl_ms {
        0 => "off".to_owned(),
        ENDLESS => "kept without end".to_owned(),
        ms => format!("kept for {} s", ms / 1_000),
    }
}
