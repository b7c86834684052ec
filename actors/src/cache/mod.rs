//! One `CacheActor` per level, and the breaker of the outer two.

mod breaker;
mod database_guard;
mod l1_actor;
mod l2_actor;
mod l3_actor;
mod redis_guard;

pub use breaker::Breaker;
pub use l1_actor::L1Actor;
pub use l2_actor::L2Actor;
pub use l3_actor::L3Actor;
