//! Anteroom's actors: the cache levels, the flights, their supervision. No HTTP here.
//!
//! # Layout
//!
//! * [`model`]: values that flow between the parts; no actix, no I/O.
//! * [`message`]: the contract: what actors are asked and told, and how to ask.
//! * [`origin`]: the border to where answers come from.
//! * [`codec`]: bodies in fewer bytes, and back.
//! * [`store`]: where bytes lie: memory, Redis, a database, and the stored format.
//! * [`cache`]: one `CacheActor` per level, and the breaker of the outer two.
//! * [`purging`]: how purges reach every level and every gateway.
//! * [`conversation`]: histories of callers' conversations.
//! * [`models`]: models that run in this process.
//! * [`resolver`]: flights: one call for everyone who asks the same.
//! * [`warming`]: having ready what will be asked for next.
//! * [`watchdog`]: the process stays inside its memory.
//! * [`wiring`]: arbiters, factories, the sentinel, start and stop order.
//!
//! Imports point down only: `model, clock, error, settings` ← `message, origin, codec` ← `store` and
//! pure deciders ← actors ← `wiring`.

pub mod cache;
pub mod clock;
pub mod codec;
pub mod conversation;
pub mod error;
pub mod message;
pub mod model;
pub mod models;
pub mod origin;
pub mod purging;
pub mod resolver;
pub mod scaler;
pub mod settings;
pub mod store;
pub mod warming;
pub mod watchdog;
pub mod wiring;
