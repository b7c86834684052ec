//! Bodies in fewer bytes and back: pure, for whole bodies.

pub mod compress;
pub mod inflate;
pub mod live;
mod prepare;

pub use prepare::{is_worth, packed, prepare};
