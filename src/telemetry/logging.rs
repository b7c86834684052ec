//! Where log events go: standard error, as text or as JSON lines.

use std::io::{self, Write};
use std::sync::Arc;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, reload};

use crate::settings::{Log, LogFormat, LogLevel};

/// Changes how much is logged.
#[derive(Clone)]
pub struct Verbosity(Arc<dyn Fn(LogLevel) + Send + Sync>);

impl Verbosity {
    /// Has `level` logged, and what is more important.
    pub fn set(&self, level: LogLevel) {
        (self.0)(level);
    }
}

/// Starts logging for the process; a second call changes nothing, nor does what it returns.
pub fn start(log: &Log) -> Verbosity {
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter(log.level))
        .with_writer(|| Lossy(io::stderr()))
        .with_ansi(false)
        .with_target(false);
    // An error means that a subscriber is set already: then the first one stays.
    match log.format {
        LogFormat::Text => {
            let lines = lines.with_filter_reloading();
            let filtering = lines.reload_handle();
            let _ = lines.try_init();
            verbosity(move |filter| filtering.reload(filter))
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_filter_reloading();
            let filtering = lines.reload_handle();
            let _ = lines.try_init();
            verbosity(move |filter| filtering.reload(filter))
        }
    }
}

fn verbosity(
    reload: impl Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync + 'static,
) -> Verbosity {
    Verbosity(Arc::new(move |level| {
        // An error means that the subscriber has gone: nothing is logged at all.
        let _ = reload(filter(level));
    }))
}

fn filter(level: LogLevel) -> EnvFilter {
    let level = match level {
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
    ours.fold(EnvFilter::default().add_directive(libraries.into()), EnvFilter::add_directive)
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
