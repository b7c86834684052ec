//! The harness itself.

mod faults;
mod gateway;
mod provider;
mod proxy;
mod servers;
