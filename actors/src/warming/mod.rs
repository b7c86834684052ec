//! Having ready what will be asked for next.
//!
//! [`Forecast`] learns from requests what follows what ([`Sequences`]), what is popular and runs out,
//! and what comes at regular times; its [`Gate`] lets through what has proved to pay. [`Desk`] puts
//! that together with what the settings and operators want, within a [`Budget`] and behind users;
//! [`warming_actor`] carries it out through the levels and the resolver's flights.

mod budget;
mod contexts;
mod desk;
mod due;
mod errands;
mod forecast;
mod gate;
mod generations;
mod handle;
mod hands;
mod known;
mod ledger;
mod proposal;
mod queue;
mod report;
mod requests;
mod sequences;
mod surroundings;
mod tag;
#[cfg(test)]
mod testing;
mod upkeep;
pub mod warming_actor;

pub use budget::{Budget, BudgetSettings, Spent};
pub use desk::{Counts, Desk, DeskSettings};
pub use errands::Progress;
pub use forecast::{Forecast, ForecastSettings};
pub use gate::{BUCKETS, Bucket, Gate, Judgement, Record, Source};
pub use handle::WarmingHandle;
pub use hands::WarmingPorts;
pub use known::SOON_MS;
pub use proposal::{Act, Done, FoundIn, Proposal, Seen, Tally};
pub use queue::{Lane, Queue, Urgency};
pub use requests::Requests;
pub use sequences::{Guess, MOST_NAMED, Sequences};
pub use surroundings::Surroundings;
pub use tag::Tag;
pub use upkeep::{Standing, Upkeep};
pub use warming_actor::{
    ObserveWarming, Remember, Rest, WarmNow, WarmStart, WarmingActor, WarmingPlan, WarmingState,
};
