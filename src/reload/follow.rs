//! Reads the settings anew on SIGHUP and when their file changes.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;

use super::{Reloads, Stamp, Trigger};

/// Time between two looks at the settings where they say that the file is not to be watched.
const IDLE: Duration = Duration::from_secs(1);

/// Follows until the process ends.
pub async fn follow(reloads: Arc<Reloads>, mut hangups: Signal) {
    loop {
        let pause = reloads.watch_every();
        tokio::select! {
            _ = hangups.recv() => {
                reloads.reload(Trigger::Signal).await;
            }
            () = tokio::time::sleep(pause.unwrap_or(IDLE)) => {
                if pause.is_some() && reloads.has_changed().await {
                    reloads.reload(Trigger::File).await;
                }
            }
        }
    }
}

/// Returns what is to be seen of the file; nothing where it is not there.
pub(super) fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    let nanoseconds =
        |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Some(Stamp {
        file: (metadata.dev(), metadata.ino()),
        size: metadata.size(),
        changed: (
            nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        ),
    })
}
