//! Calls to upstreams, and the watch over the actors. Unit, range and default of each key stand in
//! `config.yaml`.

use serde::{Deserialize, Serialize};

use super::units::{ByteSize, HumanDuration};

/// How calls are shared and how they end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Flights {
    /// Threads that call upstreams.
    pub fetch_threads: usize,
    /// How long a call goes on after the last reader has left.
    pub finish_after_disconnect: HumanDuration,
    /// Most calls that go on without readers.
    pub max_orphans: usize,
    /// Bytes a flight holds for its slowest reader once it only passes on.
    pub window: ByteSize,
    /// Longest wait for the slowest reader before it is cut.
    pub reader_timeout: HumanDuration,
    /// How long a key is remembered as not shareable.
    pub unshareable_for: HumanDuration,
    /// Most keys remembered as not shareable.
    pub max_unshareable: usize,
    /// How long a call is claimed in Redis without a renewal; 0 = gateways do not wait for each other.
    pub replica_lease: HumanDuration,
    /// Longest wait for another gateway's call.
    pub replica_wait: HumanDuration,
}

impl Default for Flights {
    fn default() -> Self {
        Self {
            fetch_threads: 1,
            finish_after_disconnect: HumanDuration::from_secs(60),
            max_orphans: 256,
            window: ByteSize::from_kib(256),
            reader_timeout: HumanDuration::from_secs(30),
            unshareable_for: HumanDuration::from_secs(60),
            max_unshareable: 4096,
            replica_lease: HumanDuration::from_secs(5),
            replica_wait: HumanDuration::from_secs(30),
        }
    }
}

/// How the sentinel watches the actors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sentinel {
    /// Time between two pings of an actor.
    pub interval: HumanDuration,
    /// An answer later than this makes an actor `degraded`.
    pub late_after: HumanDuration,
}

impl Default for Sentinel {
    fn default() -> Self {
        Self { interval: HumanDuration::from_millis(500), late_after: HumanDuration::from_secs(2) }
    }
}
