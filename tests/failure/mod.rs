//! What callers see when something around the gateway, in it, or about their requests is wrong.

mod actors;
mod client_bodies;
mod client_framing;
mod client_leaves;
mod client_slow;
mod client_targets;
mod clock;
mod conversations_killed;
mod load;
mod memory;
mod memory_limit;
mod overload;
mod postgres;
mod process;
mod redis;
mod redis_records;
mod shutdown;
mod sqlite;
mod upstream_answers;
mod upstream_breaker;
mod upstream_connect;
mod upstream_outcome;
mod upstream_retry;
mod upstream_shared;
mod upstream_sizes;
mod upstream_streams;
