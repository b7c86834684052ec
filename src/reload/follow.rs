//! Reads the settings anew on SIGHUP and when their file changes.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;

use super::{READ_WITHIN, Reloads, Stamp, Trigger, Watched};
use crate::settings::DEFAULT_FILE;

/// Time between two looks at the settings where they say that the file is not to be watched.
const IDLE: Duration = Duration::from_secs(1);

/// Follows until the process ends.
pub async fn follow(reloads: Arc<Reloads>, mut hangups: Signal) {
    let file = reloads.file().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE));
    let mut watched = Watched::new(stamp(&file).await);
    loop {
        let pause = reloads.watch_every();
        tokio::select! {
            _ = hangups.recv() => {
                watched.was_read(stamp(&file).await);
                reloads.reload(Trigger::Signal).await;
            }
            () = tokio::time::sleep(pause.unwrap_or(IDLE)) => {
                if pause.is_some() && watched.look(stamp(&file).await) {
                    reloads.reload(Trigger::File).await;
                }
            }
        }
    }
}

/// Returns what is to be seen of the file; nothing where it is not there, or does not answer.
async fn stamp(file: &Path) -> Option<Stamp> {
    let file = file.to_owned();
    let look = actix_web::rt::task::spawn_blocking(move || std::fs::metadata(file));
    let metadata = tokio::time::timeout(READ_WITHIN, look).await.ok()?.ok()?.ok()?;
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
