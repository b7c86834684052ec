//! Where bytes lie, and the stored format. No actix.

mod database;
pub mod departures;
pub mod hot_keys;
pub mod idle;
pub mod memory;
pub mod record;
pub mod redis;
pub mod shelves;

pub use database::{Conversations, ConversationsSnapshot, Database, DatabaseSnapshot, Found};
pub use redis::RedisStore;
