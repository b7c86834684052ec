//! Arbiters, factories, the sentinel, start and stop order. The one place that knows concrete
//! actors' addresses.

mod health;
mod sentinel_actor;
mod topology;
mod wards;
mod watch;

pub use health::{ActorHealth, SystemHealth};
pub use sentinel_actor::{Observe, SentinelActor};
pub use topology::{MemoryPlan, ModelPlan, Plan, ScalerPlan, Topology};
pub use watch::{Spawned, Ward};
