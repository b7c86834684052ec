//! What the actors need to know of the settings: plain values, checked by the gateway package
//! before they come here. Meaning, unit, range and default of each key stand in `config.yaml`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Bounds of L1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct L1Settings {
    /// Most entries held.
    pub max_entries: u64,
    /// Most bytes held, overhead included.
    pub max_bytes: u64,
    /// How long an entry stays, from its fill.
    pub residence: Duration,
}

/// Where L2 is and how long to wait for it.
#[derive(Clone, PartialEq, Eq)]
pub struct L2Settings {
    /// URL of a server, or of the sentinels that know it; may hold passwords.
    pub url: String,
    /// How long a record stays, from its fill.
    pub residence: Duration,
    /// Longest wait for a reply.
    pub timeout: Duration,
    /// Longest wait for a connection.
    pub connect_timeout: Duration,
    /// Connections, each multiplexed.
    pub connections: usize,
    /// Largest record read or written.
    pub max_record_bytes: usize,
    /// Most writes under way; past it a write is dropped and counted.
    pub max_writes_in_flight: usize,
    /// How records hold bodies.
    pub encoding: EncodingSettings,
    /// When to skip the level, and how to come back.
    pub breaker: BreakerSettings,
}

/// Which database holds L3.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// A SQLite file of this gateway's own.
    Sqlite(PathBuf),
    /// A `postgres://` URL; may hold a password.
    Postgres(String),
}

/// Where L3 is and what bounds it.
#[derive(Clone, PartialEq, Eq)]
pub struct L3Settings {
    /// Which database.
    pub database: Database,
    /// How long a record stays, from its fill, where its lifetime is not longer.
    pub residence: Duration,
    /// Most bytes of records kept; the oldest go first.
    pub max_bytes: u64,
    /// Largest record read or written.
    pub max_record_bytes: usize,
    /// Threads that read; one more writes.
    pub readers: usize,
    /// Longest wait for a lock of the database or a reply of its server.
    pub timeout: Duration,
    /// Longest wait for a connection to the server.
    pub connect_timeout: Duration,
    /// Most bytes waiting to be written; past it a write is dropped and counted.
    pub queue_bytes: usize,
    /// Most records written in one transaction.
    pub batch_records: usize,
    /// How often expired records are swept.
    pub sweep_interval: Duration,
    /// Most records deleted by one statement of the sweep.
    pub sweep_batch: usize,
    /// How records hold bodies.
    pub encoding: EncodingSettings,
    /// When to skip the level, and how to come back.
    pub breaker: BreakerSettings,
}

/// When a level whose server fails is skipped, and how it comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row that open it.
    pub failures: u32,
    /// First wait before a probe; doubles after each failed one.
    pub probe_after: Duration,
    /// Longest wait between probes.
    pub probe_at_most: Duration,
}

/// How bodies are brought into fewer bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodingSettings {
    /// Whether they are.
    pub enabled: bool,
    /// Larger bodies are, in bytes.
    pub from_bytes: usize,
    /// Level of gzip, 1 to 9.
    pub gzip_level: u8,
    /// Level of brotli, 0 to 5.
    pub brotli_level: u8,
}

impl Default for EncodingSettings {
    fn default() -> Self {
        Self { enabled: true, from_bytes: 500, gzip_level: 6, brotli_level: 5 }
    }
}

/// How flights end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlightSettings {
    /// Time for all levels together, before the origin is asked.
    pub level_budget: Duration,
    /// Longest wait for L2 within it.
    pub l2_timeout: Duration,
    /// Threads that call origins.
    pub fetch_threads: usize,
    /// How long a call goes on after the last reader has left.
    pub finish_after_disconnect: Duration,
    /// Most calls that go on without readers.
    pub max_orphans: usize,
    /// Largest answer kept; past it a flight only passes on.
    pub max_entry_bytes: usize,
    /// Bytes a flight holds for its slowest reader once it only passes on.
    pub window_bytes: usize,
    /// Longest wait for the slowest reader before it is cut.
    pub reader_timeout: Duration,
    /// How long a key is remembered as not shareable.
    pub unshareable_for: Duration,
    /// Most keys remembered as not shareable.
    pub max_unshareable: usize,
    /// How answers that are kept are encoded.
    pub encoding: EncodingSettings,
    /// How long a claim on a call holds in L2 without a renewal; zero = no claims.
    pub replica_lease: Duration,
    /// Longest wait for another gateway's call.
    pub replica_wait: Duration,
}

/// How the sentinel watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentinelSettings {
    /// Time between two pings of an actor.
    pub interval: Duration,
    /// An answer later than this makes an actor `degraded`.
    pub late_after: Duration,
}

/// How purges spread, and for how long they are remembered.
#[derive(Debug, Clone)]
pub struct PurgeSettings {
    /// How often L2 and L3 are asked for purges of other gateways.
    pub poll_interval: Duration,
    /// Longest wait for a level to record a purge, before it is called partial.
    pub record_timeout: Duration,
    /// Most labels with a generation of their own; past it the oldest become one purge of all.
    pub max_labels: usize,
    /// How long a purge is remembered: at least as long as any level may keep an answer.
    pub keep_for: KeepFor,
}

/// A duration that may grow while it is used.
#[derive(Debug, Clone)]
pub struct KeepFor(Arc<AtomicU64>);

impl KeepFor {
    /// Begins with `duration`, in whole milliseconds.
    pub fn new(duration: Duration) -> Self {
        Self(Arc::new(AtomicU64::new(millis(duration))))
    }

    /// Makes it at least `duration`.
    pub fn at_least(&self, duration: Duration) {
        self.0.fetch_max(millis(duration), Ordering::Relaxed);
    }

    /// Returns it in milliseconds.
    pub fn as_millis(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Where conversations lie, and what bounds them.
#[derive(Clone, PartialEq, Eq)]
pub struct ConversationSettings {
    /// Which database: a SQLite file of their own, or the server.
    pub database: Database,
    /// Most messages of a history that are sent along.
    pub max_history: u64,
    /// Most bytes of one conversation's messages.
    pub max_bytes: u64,
    /// How long a conversation is kept after its latest turn.
    pub lifetime: Duration,
    /// Most conversations in memory.
    pub memory_count: usize,
    /// Most bytes of them there.
    pub memory_bytes: u64,
    /// Longest wait for a lock of the database or an answer of it.
    pub timeout: Duration,
    /// Longest wait for a connection to the server.
    pub connect_timeout: Duration,
}

/// How much memory the process may have, and how it is watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemorySettings {
    /// Most bytes in memory; a lower limit of the control group counts instead.
    pub threshold_bytes: u64,
    /// Whether caches give memory back under pressure; otherwise it is only watched.
    pub optimize: bool,
    /// Most bytes that caches and queues hold by bounds of their own.
    pub bounded_bytes: u64,
    /// Time between two readings.
    pub read_every: Duration,
    /// Time between two rounds of cleaning without pressure.
    pub tidy_every: Duration,
}

/// Whether the scaler acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalerMode {
    /// It decides, and what it decides is done.
    On,
    /// It decides and says so; nothing is done.
    Advise,
}

impl ScalerMode {
    /// Returns the word in settings and on the operations API.
    pub const fn label(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Advise => "advise",
        }
    }
}

/// What the scaler goes by.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalerSettings {
    /// Whether it acts.
    pub mode: ScalerMode,
    /// L1's size at first, in bytes.
    pub l1_bytes: u64,
    /// How long L1 keeps an entry, in milliseconds.
    pub residence_ms: u64,
    /// Time between two looks at what was measured.
    pub interval: Duration,
    /// How L1 is sized.
    pub sizer: SizerSettings,
    /// When more gateways are wanted.
    pub replicas: ReplicaSettings,
}

/// When more gateways are wanted, or fewer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReplicaSettings {
    /// Which part of everything that can run out should be in use.
    pub target: f64,
    /// How long fewer have to be wanted before they are.
    pub down_after: Duration,
}

/// Between which sizes L1 is kept, and how often it gets another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizerSettings {
    /// Smallest size, in bytes.
    pub least_bytes: u64,
    /// Largest size, in bytes, while memory allows it.
    pub most_bytes: u64,
    /// No entry weighs less, in bytes.
    pub least_weight: u64,
    /// Shortest time between two moves of its own.
    pub cool_down: Duration,
}
