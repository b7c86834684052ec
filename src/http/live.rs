//! The document of the whole system, once a second, for all who watch.
//!
//! It is made once, whatever their number, and only while there are any. Who is slow misses some: the
//! next one they get is the latest.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::rt;
use actix_web::web::Data;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use parking_lot::Mutex;
use tokio::sync::watch;

use super::gateway::Gateway;
use super::performance::{Performance, gather};
use crate::telemetry::Window;

/// Time between two documents.
const EVERY: Duration = Duration::from_secs(1);

/// Most who watch at once.
pub const MOST_WATCHERS: usize = 32;

/// Events after which a watch ends. Browsers begin the next one by themselves, and have to be let in: so
/// nobody watches for long whose session is over.
const MOST_EVENTS: usize = 300;

/// Who watches.
#[derive(Debug, Default)]
pub struct Live {
    watchers: Arc<AtomicUsize>,
    /// Where the latest document is found while somebody makes them.
    latest: Mutex<Option<watch::Receiver<Bytes>>>,
}

/// One who watches, until dropped.
struct Watcher {
    watchers: Arc<AtomicUsize>,
    latest: watch::Receiver<Bytes>,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.watchers.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Live {
    /// Begins to watch: server-sent events, the first one as soon as it is made. `None` where too many
    /// watch already.
    pub fn watch(
        gateway: &Data<Gateway>,
    ) -> Option<impl Stream<Item = Result<Bytes, Gone>> + use<>> {
        let live = &gateway.live;
        if live.watchers.fetch_add(1, Ordering::AcqRel) >= MOST_WATCHERS {
            live.watchers.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        let latest = live.latest(gateway);
        let watcher = Watcher { watchers: Arc::clone(&live.watchers), latest };
        let events = stream::unfold(watcher, |mut watcher| async {
            watcher.latest.changed().await.ok()?;
            let event = watcher.latest.borrow_and_update().clone();
            Some((Ok(event), watcher))
        });
        Some(events.take(MOST_EVENTS))
    }

    fn latest(&self, gateway: &Data<Gateway>) -> watch::Receiver<Bytes> {
        let mut latest = self.latest.lock();
        match &*latest {
            // Its maker lives until it puts nothing here, under the same lock; or has panicked.
            Some(present) if present.has_changed().is_ok() => present.clone(),
            _ => {
                let (sender, receiver) = watch::channel(Bytes::new());
                *latest = Some(receiver.clone());
                #[expect(clippy::disallowed_methods, reason = "ends with the last who watches")]
                rt::spawn(make(gateway.clone(), sender));
                receiver
            }
        }
    }
}

/// Why a stream of events would fail: never.
pub type Gone = std::convert::Infallible;

/// Makes documents while somebody watches.
async fn make(gateway: Data<Gateway>, sender: watch::Sender<Bytes>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        {
            let mut latest = gateway.live.latest.lock();
            if gateway.live.watchers.load(Ordering::Acquire) == 0 || gateway.is_draining() {
                *latest = None;
                return;
            }
        }
        let in_force = gateway.in_force();
        let gathered = gather(&gateway, &in_force, Window::Minute).await;
        let document = Performance::of(&gathered, Window::Minute);
        if let Ok(text) = serde_json::to_string(&document) {
            let _ = sender.send(Bytes::from(format!("data: {text}\n\n")));
        }
    }
}
