//! What the cache would have done with a log of requests: the gateway's own deciders under a virtual
//! clock, and yardsticks beside them.
//!
//! * [`options`]: what is asked for; [`source`]: a log's lines; [`trace`]: a log of keys; [`log`]: a log
//!   of AI calls; [`progress`]: how far it is.
//! * [`levels`]: L1 by the gateway's own policy, L2 and L3 as lifetimes.
//! * [`warmer`]: the levels with what the gateway's own forecast brings to L1 beforehand.
//! * [`scaler`]: the size that L1 gets, and what it would hit at others.
//! * [`yardsticks`]: a plain LRU as large as L1, and caches without bound; [`optimum`]: what hindsight
//!   would have hit.
//! * [`report`]: what came of it, for people and for programs.
//!
//! Each of them sees every request once, in its order; [`run`] alone knows them all.

pub mod levels;
pub mod lifetimes;
pub mod log;
pub mod optimum;
pub mod options;
pub mod progress;
pub mod report;
pub mod scaler;
pub mod source;
pub mod trace;
pub mod warmer;
pub mod yardsticks;

use std::fs::File;
use std::path::Path;

use levels::Levels;
use lifetimes::Found;
use log::LogError;
use log::savings::Spared;
use optimum::Optimum;
use options::{ReplayOptions, Switch, Warming};
use progress::{Followed, Progress};
use report::{L1Report, Report};
use scaler::Scaler;
use source::SourceError;
use trace::{Trace, TraceError};
use warmer::{Warmer, WarmingReport};
use yardsticks::{PlainLru, Unbounded};

use crate::settings::Settings;

/// Replays a log of keys.
///
/// # Errors
///
/// The log cannot be read, or a line of it is none.
pub fn run(
    file: &Path,
    options: &ReplayOptions,
    progress: &Progress,
) -> Result<Report, TraceError> {
    let trace = trace::read(open(file, progress)?)?;
    Ok(replay(options, &trace, progress))
}

/// Replays a log of AI calls as a gateway of these settings would have met them.
///
/// # Errors
///
/// The log cannot be read, or is none.
pub fn run_log(
    file: &Path,
    settings: &Settings,
    options: &ReplayOptions,
    progress: &Progress,
) -> Result<Report, LogError> {
    let log = log::read(open(file, progress)?, settings)?;
    let mut spared = Spared::of(&log);
    let options = options.or_as_in(settings);
    let report = replay_to(&options, &log.trace, progress, |position, found| {
        spared.count(position, found);
    });
    Ok(Report { log: Some(spared.report()), ..report })
}

fn open(file: &Path, progress: &Progress) -> Result<Followed<File>, SourceError> {
    let file = File::open(file).map_err(SourceError::Open)?;
    let bytes = file.metadata().map_or(0, |metadata| metadata.len());
    Ok(progress.follow("reading", bytes, file))
}

/// Replays a log that has been read.
pub fn replay(options: &ReplayOptions, trace: &Trace, progress: &Progress) -> Report {
    replay_to(options, trace, progress, |_, _| {})
}

/// As [`replay`]; `listener` hears of each request, by its position, where it was found.
fn replay_to(
    options: &ReplayOptions,
    trace: &Trace,
    progress: &Progress,
    mut listener: impl FnMut(usize, Found),
) -> Report {
    let entries = options.l1_entries_of(trace.keys());
    let lifetimes = options.lifetimes();
    let sizes = options.scaler == Switch::On;
    let empty = || {
        let ceiling = if sizes { scaler::ceiling_of(entries) } else { entries };
        Levels::with_ceiling(entries, ceiling, options.seed, lifetimes)
    };
    let mut levels = empty();
    let mut warmer =
        (options.warming != Warming::Off).then(|| Warmer::new(empty(), lifetimes, options.warming));
    let mut scaler = (sizes || options.curve == Switch::On)
        .then(|| Scaler::new(entries, options.seed, lifetimes, sizes));
    let mut unbounded = Unbounded::new(lifetimes);
    let mut lru = PlainLru::new(entries, lifetimes);
    let mut optimum = Optimum::new(entries, lifetimes, trace);
    let mut bar = progress.bar("replaying", trace.requests().len() as u64);
    for (position, request) in trace.requests().iter().enumerate() {
        let found = levels.ask(request);
        listener(position, warmer.as_mut().map_or(found, |warmer| warmer.ask(request)));
        let resized = scaler.as_mut().and_then(|it| it.answered(request, found, &levels));
        if let Some(entries) = resized {
            levels.resize(entries);
            if let Some(warmer) = &mut warmer {
                warmer.resize(entries);
            }
        }
        unbounded.ask(request);
        lru.ask(request);
        optimum.ask(request);
        bar.advance(1);
    }
    let requests = trace.requests().len() as u64;
    let warming = warmer
        .as_ref()
        .map_or_else(WarmingReport::default, |warmer| warmer.report(requests, levels.hits().l1));
    let levels = warmer.as_ref().map_or(&levels, Warmer::levels);
    let ratio = |hits: u64| report::ratio(hits, requests);
    let (scaler, curve) = scaler.map(|scaler| scaler.report(trace)).unzip();
    Report {
        requests,
        keys: trace.keys(),
        hit_ratio: ratio(levels.hits().all()),
        hits: levels.hits(),
        ceiling: ratio(unbounded.hits().all()),
        belady_l1: ratio(optimum.hits()),
        l1: L1Report { lru: ratio(lru.hits()), hit_ratio: ratio(levels.hits().l1) },
        warming,
        scaler,
        curve,
        peak_bytes: levels.peak_bytes(),
        log: None,
        setting: report::Setting {
            l1_entries: entries,
            lifetimes,
            window_share: levels.window_share(),
            out_of_order: trace.out_of_order(),
        },
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod warming_tests;
