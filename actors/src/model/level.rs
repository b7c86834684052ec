//! The three places an answer can lie.

use std::fmt;

/// A cache level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// Memory of this process.
    L1,
    /// Redis, shared by gateways.
    L2,
    /// A database: survives restarts.
    L3,
}

impl Level {
    /// All levels, nearest first.
    pub const ALL: [Self; 3] = [Self::L1, Self::L2, Self::L3];

    /// Returns the name in headers and texts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::L1 => "L1",
            Self::L2 => "L2",
            Self::L3 => "L3",
        }
    }

    /// Returns the metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::L3 => "l3",
        }
    }

    /// Returns 0, 1 or 2.
    pub const fn index(self) -> usize {
        match self {
            Self::L1 => 0,
            Self::L2 => 1,
            Self::L3 => 2,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
