//! Who shares a cache.

/// Whether answers are kept for one user or for many. Several rules bind a shared cache only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// Each credential has answers of its own: a private cache (RFC 9111 §1).
    Private,
    /// One answer serves all who reach the route: a shared cache.
    Shared,
}

impl Sharing {
    /// Tells whether one answer serves several users.
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Shared)
    }
}
