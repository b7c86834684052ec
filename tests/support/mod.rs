//! What the tests stand on. Blocking code and threads only: the gateway is another process.
//! Nothing here uses a fixed port, an address beyond loopback, or leaves a process behind.

#![allow(dead_code, reason = "a tool of the harness may be ahead of the first test that needs it")]

pub mod browser;
pub mod client;
pub mod client_keys;
pub mod collector;
pub mod deadline;
pub mod documents;
pub mod fault_proxy;
pub mod gateway;
pub mod listener;
pub mod manager;
pub mod over;
pub mod postgres;
pub mod process;
pub mod provider;
pub mod redis;
pub mod redis_sentinel;
pub mod tls;
pub mod wire;
