//! The integration tests: the real binary, over real sockets, in front of a scripted provider.
//!
//! * `support`: what tests stand on: gateway, provider, client, Redis, PostgreSQL, faults.
//! * `support_checks`: the support itself, so that a test's failure speaks of the gateway.
//! * `control`: what operators do.
//! * `failure`: what breaks around the gateway and in it, and what is wrong with requests.
//! * `rules`: what the sources may import, and that the tables beside this file name real tests.
//! * `serving`: what callers see.
//! * `surface`: headers, health, metrics, the command line.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test ends by a panic that says what it saw"
)]

mod control;
mod failure;
mod rules;
mod serving;
mod support;
mod support_checks;
mod surface;
