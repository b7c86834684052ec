//! The commands that talk to a gateway that runs, by its operations listener.
//!
//! Each asks once, within a deadline, and says the outcome by its exit code: [`DONE`], [`NOT_DONE`],
//! [`UNUSABLE`], [`NO_ANSWER`]. `--json` prints the gateway's own answer.

mod asking;
mod options;
mod status;
mod terminal;
mod top;
mod words;

use std::io::{Read, Write};
use std::path::Path;

use serde_json::{Value, json};

pub use self::asking::{Asking, Failure};
pub use self::options::{
    Connection, ExplainOptions, Operation, PurgeOptions, StatusOptions, TopOptions, WarmOptions,
    With,
};
use self::words::{at, explained, purged, reloaded, warmed};

/// It is done, or all is well.
pub const DONE: u8 = 0;
/// The gateway refused, or did it in part only, or a part of it is ill.
pub const NOT_DONE: u8 = 1;
/// The command line, a file or the settings cannot be used: nothing was asked.
pub const UNUSABLE: u8 = 2;
/// Nothing answered within the deadline.
pub const NO_ANSWER: u8 = 3;

/// Largest file that is sent, in bytes: the gateway takes no more.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// What a command has to say.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// For standard output.
    pub text: String,
    /// The exit code.
    pub code: u8,
}

impl Said {
    fn new(text: impl Into<String>, is_done: bool) -> Self {
        Self { text: text.into(), code: if is_done { DONE } else { NOT_DONE } }
    }
}

/// Carries out `operation`.
///
/// # Errors
///
/// Why nothing was asked, or nothing came of it.
pub async fn run(operation: &Operation, asking: &Asking) -> Result<Said, Failure> {
    match operation {
        Operation::Status(With { own, .. }) => status(own, asking).await,
        Operation::Purge(With { own, .. }) => {
            let answer = asking.post("/api/v1/cache/purge", &own.body()).await?;
            let is_complete = at(&answer, "status") == "complete";
            Ok(told(asking, &answer, purged(&answer), is_complete))
        }
        Operation::Warm(With { own, .. }) => warm(own, asking).await,
        Operation::Explain(With { own, .. }) => {
            let text = read(own.file.as_deref())?;
            let answer = asking.post("/api/v1/cache/explain", &own.body(&text)?).await?;
            Ok(told(asking, &answer, explained(&answer), true))
        }
        Operation::Reload(_) => {
            let answer = asking.post("/api/v1/config/reload", &json!({})).await?;
            let waits = at(&answer, "needs_restart").as_array();
            let is_done = waits.is_none_or(Vec::is_empty);
            Ok(told(asking, &answer, reloaded(&answer), is_done))
        }
        Operation::Top(With { own, .. }) => top::run(own, asking).await,
    }
}

fn told(asking: &Asking, answer: &Value, words: String, is_done: bool) -> Said {
    if asking.json {
        Said::new(format!("{answer:#}\n"), is_done)
    } else {
        Said::new(words, is_done)
    }
}

async fn status(options: &StatusOptions, asking: &Asking) -> Result<Said, Failure> {
    let path = format!("/api/v1/performance?window={}", options.window);
    let answer = asking.get(&path).await?;
    let is_well = at(&answer, "status") == "ok";
    Ok(told(asking, &answer, status::page(&answer), is_well))
}

async fn warm(options: &WarmOptions, asking: &Asking) -> Result<Said, Failure> {
    let text = read(options.file.as_deref())?;
    let requests: Value = serde_json::from_slice(&text).map_err(|error| {
        Failure::Unusable(format!("what to warm is not JSON: line {}", error.line()))
    })?;
    let body = match requests {
        Value::Array(_) => json!({ "requests": requests }),
        Value::Object(ref members) if members.contains_key("requests") => requests,
        one => json!({"requests": [one]}),
    };
    let mut answer = asking.post("/api/v1/warming", &body).await?;
    if options.wait {
        answer = asking.errand(at(&answer, "errand")).await?;
    }
    let is_done = at(&answer, "failed") == 0;
    Ok(told(asking, &answer, warmed(&answer), is_done))
}

/// Reads a file, or standard input where none is named or it is `-`.
fn read(file: Option<&Path>) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let named = file.filter(|path| *path != Path::new("-"));
    let result = match named {
        Some(path) => std::fs::File::open(path)
            .and_then(|file| file.take(LARGEST_FILE.saturating_add(1)).read_to_end(&mut text)),
        None => std::io::stdin().take(LARGEST_FILE.saturating_add(1)).read_to_end(&mut text),
    };
    let from = named.map_or_else(|| "standard input".into(), |path| path.to_string_lossy());
    result.map_err(|error| Failure::Unusable(format!("failed to read {from}: {error}")))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > LARGEST_FILE {
        return Err(Failure::Unusable(format!("{from} is larger than {LARGEST_FILE} bytes")));
    }
    Ok(text)
}

/// Writes a frame; a reader that has gone is no failure.
fn show(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
