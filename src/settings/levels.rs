//! The three cache levels. Unit, range and default of each key stand in `config.yaml`.

use serde::{Deserialize, Serialize};

use super::secret::Secret;
use super::units::{ByteSize, HumanDuration};

/// What all levels share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// Key of the scope digests; empty = made at the first start and kept.
    pub secret: Secret,
    /// Time for all levels together, before the upstream is asked.
    pub level_budget: HumanDuration,
    /// Largest answer kept.
    pub max_entry: ByteSize,
    /// Recent requests each worker remembers; 0 = none.
    pub recall_entries: usize,
    /// How long a worker may answer from its own memory; 0 = never.
    pub recall_lease: HumanDuration,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            secret: Secret::default(),
            level_budget: HumanDuration::from_millis(45),
            max_entry: ByteSize::from_mib(8),
            recall_entries: 16_384,
            recall_lease: HumanDuration::from_secs(10),
        }
    }
}

/// Level 1: memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L1 {
    /// Most entries held.
    pub max_entries: u64,
    /// Most bytes held, overhead included.
    pub max_bytes: ByteSize,
    /// How long an entry stays, from its fill.
    pub residence: HumanDuration,
}

impl Default for L1 {
    fn default() -> Self {
        Self {
            max_entries: 1000,
            max_bytes: ByteSize::from_mib(128),
            residence: HumanDuration::from_secs(300),
        }
    }
}

/// Level 2: Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L2 {
    /// Where Redis is; empty = the level is off.
    pub url: Secret,
    /// How long a record stays, from its fill.
    pub residence: HumanDuration,
    /// Longest wait for a reply.
    pub timeout: HumanDuration,
    /// Longest wait for a connection.
    pub connect_timeout: HumanDuration,
    /// Connections, each multiplexed.
    pub connections: usize,
    /// Most writes under way; past it a write is dropped and counted.
    pub max_writes_in_flight: usize,
    /// When to skip the level, and how to come back.
    pub breaker: Breaker,
}

impl Default for L2 {
    fn default() -> Self {
        Self {
            url: Secret::default(),
            residence: HumanDuration::from_secs(1800),
            timeout: HumanDuration::from_millis(20),
            connect_timeout: HumanDuration::from_millis(500),
            connections: 2,
            max_writes_in_flight: 1024,
            breaker: Breaker::default(),
        }
    }
}

/// Level 3: a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L3 {
    /// Whether there is a level 3.
    pub enabled: bool,
    /// Which database; empty = the SQLite file `anteroom.db` in `data_dir`.
    pub url: Secret,
    /// How long a record stays, from its fill, where its lifetime is not longer.
    pub residence: HumanDuration,
    /// Most bytes of records kept; the oldest go first.
    pub max_bytes: ByteSize,
    /// Threads that read; one more writes.
    pub readers: usize,
    /// Longest wait for a lock of the database or a reply of its server.
    pub timeout: HumanDuration,
    /// Longest wait for a connection to the server.
    pub connect_timeout: HumanDuration,
    /// Most bytes waiting to be written; past it a write is dropped and counted.
    pub queue_bytes: ByteSize,
    /// Most records written in one transaction.
    pub batch_records: usize,
    /// How often expired records are swept.
    pub sweep_interval: HumanDuration,
    /// Most records deleted by one statement of the sweep.
    pub sweep_batch: usize,
    /// When to skip the level, and how to come back.
    pub breaker: Breaker,
}

impl Default for L3 {
    fn default() -> Self {
        Self {
            enabled: true,
            url: Secret::default(),
            residence: HumanDuration::from_secs(7200),
            max_bytes: ByteSize::from_gib(2),
            readers: 2,
            timeout: HumanDuration::from_millis(25),
            connect_timeout: HumanDuration::from_secs(2),
            queue_bytes: ByteSize::from_mib(64),
            batch_records: 200,
            sweep_interval: HumanDuration::from_secs(60),
            sweep_batch: 500,
            breaker: Breaker::default(),
        }
    }
}

/// How purges spread over levels and gateways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Purge {
    /// How often L2 and L3 are asked for purges of other gateways.
    pub poll_interval: HumanDuration,
    /// Longest wait for a level to record a purge, before it is called partial.
    pub record_timeout: HumanDuration,
    /// Most labels with a generation of their own.
    pub max_labels: usize,
}

impl Default for Purge {
    fn default() -> Self {
        Self {
            poll_interval: HumanDuration::from_millis(250),
            record_timeout: HumanDuration::from_secs(1),
            max_labels: 100_000,
        }
    }
}

/// When a level whose server fails is skipped, and how it comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breaker {
    /// Failures in a row that open it.
    pub failures: u32,
    /// First wait before a probe; doubles after each failed one.
    pub probe_after: HumanDuration,
    /// Longest wait between probes.
    pub probe_at_most: HumanDuration,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            failures: 3,
            probe_after: HumanDuration::from_millis(250),
            probe_at_most: HumanDuration::from_secs(2),
        }
    }
}
