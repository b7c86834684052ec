//! L2 and the failures of its server (FAULTS, "Cache backends").

mod claims;
mod faults;
mod foreign;
mod keeping;
pub mod level;
pub mod server;
