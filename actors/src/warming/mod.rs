//! Having ready what will be asked for next.
//!
//! [`Forecast`] learns from requests what follows what ([`Sequences`]), what is popular and runs out,
//! and what comes at regular times; its [`Gate`] lets through what has proved to pay.

mod contexts;
mod due;
mod forecast;
mod gate;
mod generations;
mod known;
mod ledger;
mod proposal;
mod sequences;
mod tag;

pub use forecast::{Forecast, ForecastSettings};
pub use gate::{BUCKETS, Bucket, Gate, Judgement, Record, Source};
pub use known::SOON_MS;
pub use proposal::{Act, Done, FoundIn, Proposal, Seen, Tally};
pub use sequences::{Guess, MOST_NAMED, Sequences};
pub use tag::Tag;
