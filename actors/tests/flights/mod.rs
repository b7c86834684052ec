//! Flights through the whole set of actors, with a scripted origin and L1 alone.

mod apart;
mod ends;
mod scripted;
mod stale;
mod supervision;
