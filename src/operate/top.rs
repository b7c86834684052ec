//! The gateway's numbers, live.

use std::io::Read as _;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use super::terminal::Screen;
use super::{Asking, Failure, Said, TopOptions, status};

/// Shows frames until a key, a signal or their number ends them. What goes wrong in between is shown,
/// and looked at again: a gateway that restarts comes back. Only the first look has to succeed.
pub(super) async fn run(options: &TopOptions, asking: &Asking) -> Result<Said, Failure> {
    let path = format!("/api/v1/performance?window={}", options.window);
    let mut document = asking.get(&path).await?;
    let screen = Screen::begin();
    let mut keys = screen.has_keys().then(keys);
    let mut left = options.frames.unwrap_or(u64::MAX);
    let mut lost = None;
    // One for all rounds: from the first on the signal ends the process no more, also while it is asked.
    // Where it cannot be waited for it still does.
    let mut interrupt = signal(SignalKind::interrupt()).ok();
    loop {
        screen.draw(&frame(&document, lost.as_ref(), asking.json));
        left = left.saturating_sub(1);
        if left == 0 {
            break;
        }
        let next = async {
            tokio::time::sleep(options.interval).await;
            asking.get(&path).await
        };
        let latest = tokio::select! {
            latest = next => latest,
            Some(()) = interrupted(&mut interrupt) => break,
            () = pressed(&mut keys) => break,
        };
        match latest {
            Ok(latest) => (document, lost) = (latest, None),
            Err(failure) => lost = Some(failure),
        }
    }
    drop(screen);
    Ok(Said { text: String::new(), code: super::DONE })
}

fn frame(document: &serde_json::Value, lost: Option<&Failure>, is_json: bool) -> String {
    if is_json {
        return format!("{document}\n");
    }
    let page = status::page(document);
    match lost {
        None => format!("{page}\nq: end\n"),
        Some(failure) => format!("{page}\nq: end   STALE: {failure}\n"),
    }
}

/// Reads keys on a thread of its own, which ends with the process: a read of a terminal cannot be ended.
fn keys() -> Receiver<u8> {
    let (tell, keys) = channel(1);
    std::thread::spawn(move || {
        for key in std::io::BufReader::new(std::io::stdin()).bytes().map_while(Result::ok) {
            if tell.blocking_send(key).is_err() {
                return;
            }
        }
    });
    keys
}

/// Returns when the process is interrupted; `None` where that cannot be told.
async fn interrupted(interrupt: &mut Option<Signal>) -> Option<()> {
    interrupt.as_mut()?.recv().await
}

/// Returns when `q` is pressed; never, where no keys come.
async fn pressed(keys: &mut Option<Receiver<u8>>) {
    while let Some(receiver) = keys {
        match receiver.recv().await {
            Some(b'q' | b'Q') => return,
            Some(_other) => {}
            None => *keys = None,
        }
    }
    std::future::pending::<()>().await;
}
