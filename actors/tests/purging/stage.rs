//! A gateway, as far as purges go: the actor that spreads them, L2 and L3.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor as _, Addr};
use anteroom_actors::cache::{L2Actor, L3Actor};
use anteroom_actors::clock::{ManualClock, SharedClock, SystemClock};
use anteroom_actors::message::{
    CatchUp, Insert, InsertKind, LevelHandle, Lookup, Ping, Purge, PurgeHandle, Purged, Report, ask,
};
use anteroom_actors::model::{CacheKey, Entry, Label, LabelKind, Labels, Level, Purges};
use anteroom_actors::purging::PurgeActor;
use anteroom_actors::settings::{
    BreakerSettings, Database, EncodingSettings, KeepFor, L3Settings, PurgeSettings,
};

use crate::redis::level::{counter, entry, eventually, settings};
use crate::redis::server::Server;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// What stands in for a gateway.
pub struct Gateway {
    pub purges: Purges,
    purging: PurgeHandle,
    actor: Addr<PurgeActor>,
    pub l2: LevelHandle,
    pub l3: LevelHandle,
}

/// How one is started.
pub struct Start<'a> {
    pub redis: Option<&'a Server>,
    pub folder: Option<&'a Path>,
    pub poll_interval: Duration,
    pub clock: SharedClock,
}

impl Default for Start<'_> {
    fn default() -> Self {
        Self {
            redis: None,
            folder: None,
            poll_interval: Duration::from_millis(20),
            clock: Arc::new(SystemClock),
        }
    }
}

impl Start<'_> {
    /// Starts it and waits until it has heard what its levels hold.
    pub async fn start(self) -> Gateway {
        let (purges, purging) = (Purges::default(), PurgeHandle::new());
        let l2 = LevelHandle::new(Level::L2, self.redis.is_some());
        let l3 = LevelHandle::new(Level::L3, self.folder.is_some());
        if let Some(server) = self.redis {
            let (settings, changed) = (settings(server.url()), purging.changed.clone());
            let level = L2Actor::new(settings, purges.clone(), changed, Arc::new(SystemClock));
            L2Actor::connect(&level.start(), &l2);
        }
        if let Some(folder) = self.folder {
            let level = L3Actor::new(file(folder), purges.clone(), Arc::new(SystemClock));
            L3Actor::connect(&level.start(), &l3);
        }
        let settings = PurgeSettings {
            poll_interval: self.poll_interval,
            record_timeout: Duration::from_secs(1),
            max_labels: 1_000,
            keep_for: KeepFor::new(Duration::from_secs(3_600)),
        };
        let levels = [l2.clone(), l3.clone()];
        let actor = PurgeActor::new(purges.clone(), levels, settings, self.clock).start();
        PurgeActor::connect(&actor, &purging);
        ask(&purging.catch_up, CatchUp, PATIENCE).await.expect("an answer");
        Gateway { purges, purging, actor, l2, l3 }
    }
}

fn file(folder: &Path) -> L3Settings {
    L3Settings {
        database: Database::Sqlite(folder.join("anteroom.db")),
        residence: Duration::from_secs(3_600),
        max_bytes: 1 << 30,
        max_record_bytes: 1 << 16,
        readers: 1,
        timeout: Duration::from_secs(1),
        connect_timeout: Duration::from_secs(1),
        queue_bytes: 1 << 20,
        batch_records: 10,
        sweep_interval: Duration::from_secs(60),
        sweep_batch: 3,
        encoding: EncodingSettings::default(),
        breaker: BreakerSettings {
            failures: 3,
            probe_after: Duration::from_millis(20),
            probe_at_most: Duration::from_millis(100),
        },
    }
}

/// A clock that stands in the past: every purge of another gateway is later.
pub fn slow_clock() -> SharedClock {
    ManualClock::new()
}

pub fn tag(name: &str) -> Label {
    Label::new(LabelKind::Tag, name.as_bytes())
}

impl Gateway {
    /// Purges a tag.
    pub async fn purge(&self, name: &str) -> Purged {
        ask(&self.purging.purge, Purge { labels: vec![tag(name)] }, PATIENCE)
            .await
            .expect("an answer")
    }

    /// Returns an entry of its own time with a tag.
    pub fn made_now(&self, number: u8, name: &str) -> Entry {
        let labels = Labels { generation: self.purges.generation(), names: vec![tag(name)].into() };
        Entry { labels, ..entry(number) }
    }

    /// Keeps an entry in L2 or L3.
    pub async fn keep(&self, level: &LevelHandle, entry: &Entry) {
        let insert = Insert { entry: Arc::new(entry.clone()), kind: InsertKind::New };
        ask(&level.insert, insert, PATIENCE).await.expect("an answer").expect("an insert");
    }

    /// Tells whether L2 or L3 has an entry.
    pub async fn has(&self, level: &LevelHandle, number: u8) -> bool {
        let lookup = Lookup { key: CacheKey::new([number; 32]), form: Default::default() };
        ask(&level.lookup, lookup, PATIENCE).await.expect("an answer").expect("no error").is_some()
    }

    pub async fn report(&self) -> Report {
        self.actor.send(Ping).await.expect("an answer")
    }

    /// Waits until it knows of a purge of this tag that covers what was made before `generation`.
    pub async fn hears_of(&self, name: &str, generation: u64) {
        let made =
            Labels { generation: generation.saturating_sub(1), names: vec![tag(name)].into() };
        eventually("a purge to be heard of", async || {
            if self.purges.covers(&CacheKey::new([0; 32]), &made) {
                Ok(())
            } else {
                Err(format!("{:?}", self.purges.since(0)))
            }
        })
        .await;
    }

    /// Waits until every level has recorded every purge.
    pub async fn has_nothing_waiting(&self) {
        eventually("purges to be recorded", async || {
            let report = self.report().await;
            if counter(&report, "unrecorded") == 0 { Ok(()) } else { Err(format!("{report:?}")) }
        })
        .await;
    }
}
