//! Where log events go: standard error, as text or as JSON lines.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::settings::{Log, LogFormat, LogLevel};

/// Starts logging for the process; a second call changes nothing.
pub fn start(log: &Log) {
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Libraries tell every start of a thread; only from `debug` on is that of interest.
    let libraries = if level > LevelFilter::INFO { level } else { level.min(LevelFilter::WARN) };
    let ours = ["anteroom", "anteroom_actors"]
        .into_iter()
        .filter_map(|target| format!("{target}={level}").parse().ok());
    let filter =
        ours.fold(EnvFilter::default().add_directive(libraries.into()), EnvFilter::add_directive);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Lossy(io::stderr()))
        .with_ansi(false)
        .with_target(false);
    // An error means that a subscriber is set already: then the first one stays.
    let _ = match log.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// Standard error, which never fails: where nobody reads it any more, the log is lost. Otherwise the
/// subscriber would tell of the failure on standard error, and that panics.
struct Lossy(io::Stderr);

impl Write for Lossy {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = self.0.flush();
        Ok(())
    }
}
