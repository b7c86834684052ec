//! L2 as a test asks it.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor as _, Addr};
use anteroom_actors::cache::L2Actor;
use anteroom_actors::clock::{Clock as _, SystemClock};
use anteroom_actors::error::LevelError;
use anteroom_actors::message::{
    ActorState, Claim, Claimed, Flush, Insert, InsertKind, InsertOutcome, LevelHandle, Lookup,
    Ping, Release, Renew, Report, Slot, ask,
};
use anteroom_actors::model::{CacheKey, Entry, Form, Freshness, Header, Level, Purges, Usage};
use anteroom_actors::settings::{BreakerSettings, EncodingSettings, L2Settings};
use bytes::Bytes;

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A started level and its address.
pub struct TestLevel {
    actor: Addr<L2Actor>,
    handle: LevelHandle,
}

impl TestLevel {
    /// Starts the level; it need not be connected yet.
    pub fn started(settings: L2Settings) -> Self {
        let (purges, changed) = (Purges::default(), Slot::empty());
        let actor = L2Actor::new(settings, purges, changed, Arc::new(SystemClock)).start();
        let handle = LevelHandle::new(Level::L2, true);
        L2Actor::connect(&actor, &handle);
        Self { actor, handle }
    }

    /// Starts the level and waits until all its connections are there.
    pub async fn connected(settings: L2Settings) -> Self {
        let wanted = settings.connections as u64;
        let level = Self::started(settings);
        level.wait_for("its connections", |report| counter(report, "connections") == wanted).await;
        level
    }

    pub async fn lookup(&self, key: CacheKey) -> Result<Option<Arc<Entry>>, LevelError> {
        ask(&self.handle.lookup, Lookup { key, form: Form::Object }, PATIENCE)
            .await
            .expect("an answer")
    }

    pub async fn insert(&self, entry: &Entry) -> Result<InsertOutcome, LevelError> {
        let entry = Arc::new(entry.clone());
        ask(&self.handle.insert, Insert { entry, kind: InsertKind::New }, PATIENCE)
            .await
            .expect("an answer")
    }

    pub async fn claim(&self, claim: Claim) -> Result<Claimed, LevelError> {
        ask(&self.handle.claim, claim, PATIENCE).await.expect("an answer")
    }

    /// Renews `claim` and waits until the server has been asked.
    pub async fn renew(&self, claim: Claim) {
        let Claim { key, token, lease } = claim;
        ask(&self.handle.renew, Renew { key, token, lease }, PATIENCE).await.expect("an end");
    }

    /// Releases `claim` and waits until the server has been asked.
    pub async fn release(&self, claim: Claim, kept: bool) {
        let Claim { key, token, .. } = claim;
        ask(&self.handle.release, Release { key, token, kept }, PATIENCE).await.expect("an end");
    }

    pub async fn flush(&self) {
        ask(&self.handle.flush, Flush, PATIENCE).await.expect("an answer");
    }

    pub async fn report(&self) -> Report {
        self.actor.send(Ping).await.expect("an answer")
    }

    pub async fn counter(&self, name: &str) -> u64 {
        counter(&self.report().await, name)
    }

    /// Asks again and again until `is_so`.
    pub async fn wait_for(&self, what: &str, is_so: impl Fn(&Report) -> bool) -> Report {
        eventually(what, async || {
            let report = self.report().await;
            if is_so(&report) { Ok(report) } else { Err(format!("{report:?}")) }
        })
        .await
    }

    pub async fn wait_until_degraded(&self) -> Report {
        self.wait_for("degraded", |report| report.state == ActorState::Degraded).await
    }

    pub async fn wait_until_running(&self) -> Report {
        self.wait_for("running", |report| report.state == ActorState::Running).await
    }
}

/// Tries again and again; fails with what the last try said.
pub async fn eventually<T>(what: &str, mut tried: impl AsyncFnMut() -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..1_000 {
        match tried().await {
            Ok(found) => return found,
            Err(seen) => last = seen,
        }
        // What is waited for happens in Redis, which sends no event.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("waited in vain for {what}; last seen: {last}");
}

/// Settings with a time-out that a busy machine keeps, and a fast way back.
pub fn settings(url: String) -> L2Settings {
    L2Settings {
        url,
        residence: Duration::from_secs(60),
        timeout: Duration::from_millis(300),
        connect_timeout: Duration::from_millis(500),
        connections: 2,
        max_record_bytes: 64 * 1024,
        max_writes_in_flight: 32,
        encoding: EncodingSettings::default(),
        breaker: BreakerSettings {
            failures: 3,
            probe_after: Duration::from_millis(20),
            probe_at_most: Duration::from_millis(100),
        },
    }
}

/// An entry made now, its body telling which it is.
pub fn entry(number: u8) -> Entry {
    Entry {
        key: CacheKey::new([number; 32]),
        status: 200,
        headers: [Header {
            name: "content-type".into(),
            value: Bytes::from_static(b"application/json"),
        }]
        .into(),
        body: Bytes::from(format!("{{\"answer\":{number}}}")),
        freshness: Freshness {
            made_wall_ms: SystemClock.wall_ms(),
            lifetime: Duration::from_secs(30).into(),
            ..Freshness::default()
        },
        usage: Some(Usage { input_tokens: 3, output_tokens: 4 }),
        ..Entry::default()
    }
}

/// The name of `key` in Redis: part of the contract between gateways of different versions.
pub fn name(key: CacheKey) -> String {
    format!("anteroom:v1:{}", key.to_hex())
}

pub fn counter(report: &Report, name: &str) -> u64 {
    let found = report.counters.iter().find(|(counter, _)| *counter == name);
    found.unwrap_or_else(|| panic!("a counter {name} in {report:?}")).1
}
