//! Flights: one upstream call and everyone who waits for it.
//!
//! [`flight`] is what a leader writes ([`writer`]) and everyone reads ([`reader`]); [`flight_table`] decides who leads and
//! who joins; [`resolver_actor`] owns the table; [`lookup`] asks the levels on the way;
//! [`replica_claim`] decides whether another gateway's call is waited for;
//! [`fetch_actor`] and `fetch` call the origin on threads of their own.

mod ahead;
pub mod answer_memory;
mod claiming;
pub mod encoder;
mod fetch;
pub mod fetch_actor;
pub mod flight;
pub mod flight_table;
mod handle;
mod in_flight;
pub mod lookup;
pub mod reader;
pub mod replica_claim;
pub mod resolver_actor;
mod way;
pub mod writer;

pub use answer_memory::UNRESERVED_BYTES;
pub use claiming::HeldClaim;
pub use fetch::{load_of, speaks_of_trouble};
pub use fetch_actor::{Fallback, Fetch, FetchActor, FetchPorts};
pub use flight::{Flight, Found, InsteadOf, Kept, Timings};
pub use handle::ResolverHandle;
pub use lookup::Levels;
pub use reader::{FlightHead, FlightHold, Reader, Role, Whole};
pub use resolver_actor::{
    Encode, FlightEnded, Joined, KeyUnshareable, Refresh, Resolve, ResolverActor,
};
pub use writer::FlightWriter;
