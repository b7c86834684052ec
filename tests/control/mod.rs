//! What operators do with a running gateway.

mod entry;
mod purge_requests;
