//! How purges reach every level and every gateway.

mod distribution;
mod ledger;
mod purge_actor;

pub use ledger::Ledger;
pub use purge_actor::PurgeActor;
