//! Anteroom.
fn main() {}
