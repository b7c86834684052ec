//! The actors as they run: levels against real servers, which each test starts for itself and ends,
//! and flights with an origin that follows a script.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says why")]

mod conversations;
mod flights;
mod models;
mod purging;
mod redis;
