//! The two listeners.
