//! Memory, sizing, conversations and local models. Unit, range and default of each key stand in
//! `config.yaml`.

use serde::{Deserialize, Serialize};

use super::units::{ByteSize, HumanDuration};

/// The gateway's own memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    /// Most bytes in memory.
    pub threshold: ByteSize,
    /// Whether memory is given back and kept in bounds.
    pub optimize: bool,
    /// Longest wait of a request for memory; then it is shed.
    pub wait: HumanDuration,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            threshold: ByteSize::from_mib(512),
            optimize: true,
            wait: HumanDuration::from_secs(5),
        }
    }
}

/// Sizing caches and limits by what is measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scaler {
    /// Whether it is done.
    pub enabled: bool,
    /// Whether what is decided is also done.
    pub mode: ScalerChoice,
    /// Time between two looks.
    pub interval: HumanDuration,
    /// Shortest time between two sizes.
    pub cool_down: HumanDuration,
    /// How many times smaller, and larger, than `l1.max_bytes` L1 may become.
    pub l1_span: u64,
    /// How many hundredths of what can run out should be in use, for how many gateways are wanted.
    pub replica_target: u32,
    /// How long fewer gateways have to be wanted before that is said.
    pub replica_down_after: HumanDuration,
}

impl Default for Scaler {
    fn default() -> Self {
        Self {
            enabled: true,
            mode: ScalerChoice::On,
            interval: HumanDuration::from_secs(10),
            cool_down: HumanDuration::from_secs(60),
            l1_span: 8,
            replica_target: 70,
            replica_down_after: HumanDuration::from_secs(300),
        }
    }
}

/// Whether what is decided is also done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScalerChoice {
    /// It is.
    #[default]
    On,
    /// It is only said.
    Advise,
    /// Nothing is decided.
    Off,
}

/// Histories kept for callers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conversation {
    /// Most messages of a conversation that go along with a new one.
    pub max_history: usize,
    /// How long a conversation is kept after its latest turn.
    pub lifetime: HumanDuration,
    /// Most bytes of one conversation's messages.
    pub max_size: ByteSize,
    /// Longest wait for a turn of the same conversation that is under way.
    pub turn_timeout: HumanDuration,
    /// Most conversations in memory.
    pub memory_count: usize,
    /// Most bytes of conversations in memory.
    pub memory_size: ByteSize,
}

impl Default for Conversation {
    fn default() -> Self {
        Self {
            max_history: 50,
            lifetime: HumanDuration::from_secs(30 * 86_400),
            max_size: ByteSize::from_mib(4),
            turn_timeout: HumanDuration::from_secs(30),
            memory_count: 1_000,
            memory_size: ByteSize::from_mib(16),
        }
    }
}

/// Models loaded into this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Models {
    /// Most models loaded at once.
    pub max_loaded: usize,
    /// Whether tokens are counted where a provider does not say how many they were.
    pub count_tokens: bool,
}

impl Default for Models {
    fn default() -> Self {
        Self { max_loaded: 3, count_tokens: true }
    }
}
