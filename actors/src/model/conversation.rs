//! A conversation: turns of question and answer, in order.

use std::fmt;

use bytes::Bytes;

/// The name of a conversation: a digest of its scope and of the caller's name for it, so that a
/// database tells neither.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConversationId([u8; 32]);

impl ConversationId {
    /// Wraps a digest.
    pub const fn new(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// Returns eight bytes of the digest: enough to tell conversations apart in what is learned.
    pub const fn short(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// Returns the digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Shows the first digits: enough to tell two apart in a log.
impl fmt::Debug for ConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, ..] = self.0;
        write!(f, "ConversationId({a:02x}{b:02x})")
    }
}

/// What was said in one turn: the messages of a request that were new, and the answer.
///
/// `Debug` shows sizes only: it is what people said.
#[derive(Clone, PartialEq, Eq)]
pub struct Turn {
    /// How many messages it has.
    pub messages: u64,
    /// Whether a history may begin with it: its first message belongs to none before.
    pub opens: bool,
    /// The messages, each as its source spells it, with commas between.
    pub body: Bytes,
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { messages, opens, body } = self;
        write!(f, "Turn(messages {messages}, opens {opens}, bytes {})", body.len())
    }
}

/// What tells one state of a conversation from every other: equal versions are equal histories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HistoryVersion {
    /// A random number given with the first turn: a conversation that was removed and begun anew is
    /// another one. 0 before the first turn, and where it was begun before there were such numbers.
    pub incarnation: u64,
    /// How many turns it has had.
    pub turns: u64,
}

/// What is known of a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    /// As in [`HistoryVersion`].
    pub incarnation: u64,
    /// How many turns it has had; the next one has the next number.
    pub turns: u64,
    /// Bytes of all its messages.
    pub bytes: u64,
    /// Its system messages, as in [`Turn::body`]; empty where it has none.
    pub system: Bytes,
    /// Until when it is kept, in wall-clock ms.
    pub expires_at_ms: u64,
    /// The latest turns, oldest first.
    pub recent: Vec<Turn>,
}

impl History {
    /// Returns which state of the conversation this is.
    pub const fn version(&self) -> HistoryVersion {
        HistoryVersion { incarnation: self.incarnation, turns: self.turns }
    }
}
