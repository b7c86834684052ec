//! What a replay is asked for.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::lifetimes::Lifetimes;
use crate::settings::{HumanDuration, Settings};

/// L1's size where none is named, as a share of the log's keys.
const L1_SHARE: f64 = 0.10;

/// What is warmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Warming {
    /// What follows, and what is asked for again.
    On,
    /// What is asked for again.
    Refresh,
    /// Nothing.
    Off,
}

/// Whether something is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// Which log is replayed: one of the two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct LogFile {
    /// A log of keys: CSV with the header timestamp_ms,user,key,size_bytes, gzipped or not
    #[arg(value_name = "FILE.csv[.gz]")]
    pub keys: Option<PathBuf>,

    /// A log of AI calls instead: a JSON object a line, gzipped or not
    ///
    /// It tells what a gateway of the settings (--config) would have saved. Fields, others count for
    /// nothing:
    ///   timestamp_ms or timestamp  when it was asked: a number, or RFC 3339
    ///   request or key             the body, or a name of what was asked
    ///   user                       whoever has a credential of their own
    ///   method, path               [default: POST, /v1/chat/completions]
    ///   status                     of the answer [default: 200]
    ///   response or size_bytes     the answer, or its size
    ///   latency_ms, model, usage   for time, tokens and money saved; usage as
    ///                              {"prompt_tokens": 9, "completion_tokens": 12}
    /// Lines that are no calls are skipped and counted, the first named by number and field; where they
    /// are the most, nothing is replayed.
    #[arg(long, value_name = "FILE.jsonl[.gz]", verbatim_doc_comment)]
    pub from_log: Option<PathBuf>,
}

/// Replays a log of requests.
#[derive(Debug, Clone, PartialEq, Args)]
pub struct ReplayOptions {
    /// The log.
    #[command(flatten)]
    pub log: LogFile,

    /// How many entries L1 holds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    #[arg(conflicts_with = "l1_share")]
    pub l1_entries: Option<u64>,

    /// The same as a share of the log's keys [default: 0.10; with --from-log as many as the settings say]
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub l1_share: Option<f64>,

    /// Nothing leaves a level for its age
    #[arg(long, conflicts_with = "ttl")]
    pub no_lifetimes: bool,

    /// How long the levels keep an answer, in seconds; 0: the level is off, none: without end
    /// [default: l1=300,l2=1800,l3=7200; with --from-log as the settings say]
    #[arg(long, value_name = "l1=S,l2=S,l3=S")]
    pub ttl: Option<Lifetimes>,

    /// Whether L1 is warmed by what the log's past tells: by all of it, by what is asked for again
    /// alone, or not at all
    #[arg(long, value_name = "on|refresh|off", value_enum, default_value_t = Warming::Off)]
    #[arg(hide_possible_values = true)]
    pub warming: Warming,

    /// Whether L1 gets the size that pays, between an eighth and eight times the one it begins with
    #[arg(long, value_name = "on|off", value_enum, default_value_t = Switch::Off)]
    #[arg(hide_possible_values = true)]
    pub scaler: Switch,

    /// Whether eight other sizes of L1 are tried, too: what they hit, and what the scaler expects them to;
    /// always so with --scaler on
    #[arg(long, value_name = "on|off", value_enum, default_value_t = Switch::On)]
    #[arg(hide_possible_values = true)]
    pub curve: Switch,

    /// Decides which keys collide in L1's sketch of frequencies; one seed, one result
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if share > 0.0 && share <= 1.0 {
        Ok(share)
    } else {
        Err("a share is above 0 and at most 1".to_owned())
    }
}

impl ReplayOptions {
    /// Returns how many entries L1 holds for a log of so many keys: 1 at least.
    pub fn l1_entries_of(&self, keys: u64) -> u64 {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast from a float saturates, and a share needs no more digits"
        )]
        let of_share = |share: f64| (share * keys as f64).round() as u64;
        self.l1_entries.unwrap_or_else(|| of_share(self.l1_share.unwrap_or(L1_SHARE))).max(1)
    }

    /// Returns the options with what `settings` say where the command line says nothing.
    #[must_use]
    pub fn or_as_in(&self, settings: &Settings) -> Self {
        let ms = |duration: HumanDuration| u64::try_from(duration.get().as_millis()).unwrap_or(0);
        let of_level = |is_on: bool, residence| if is_on { ms(residence) } else { 0 };
        let (l1, l2, l3) = (&settings.l1, &settings.l2, &settings.l3);
        let lifetimes = || Lifetimes {
            l1_ms: ms(l1.residence),
            l2_ms: of_level(!l2.url.is_empty(), l2.residence),
            l3_ms: of_level(l3.enabled, l3.residence),
        };
        let entries = || self.l1_share.is_none().then_some(l1.max_entries);
        Self {
            l1_entries: self.l1_entries.or_else(entries),
            ttl: self.ttl.or_else(|| Some(lifetimes())),
            ..self.clone()
        }
    }

    /// Returns how long the levels keep an answer.
    pub fn lifetimes(&self) -> Lifetimes {
        if self.no_lifetimes { Lifetimes::NONE } else { self.ttl.unwrap_or_default() }
    }
}
