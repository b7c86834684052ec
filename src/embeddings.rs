//! Embeddings by item: a list of inputs is answered from what is known of each.
//!
//! * [`split`], [`List`]: a request taken apart; the body that asks one item alone.
//! * [`normal_form`]: which of two spellings of one question is keyed.
//! * [`take_apart`], [`Parts`]: an answer taken apart; the body to keep for one item.
//! * [`merge()`], [`Merged`]: one answer of the known and the fetched items.
//! * [`entries()`], [`embedding_of`], [`as_one`]: items as what the levels keep.
//! * [`Tokens`]: what was charged, and each item's share of it.
//!
//! **Normal form.** `input: "x"` and `input: ["x"]` are the same question: both are answered with
//! a list of one embedding. So are `input: [1, 2]` and `input: [[1, 2]]`. The form without the
//! outer list is the one that is keyed; [`List::item_body`] and [`normal_form`] both give it, and
//! so an item of a list shares its key with the same input asked alone. What goes upstream is what
//! the caller sent.
//!
//! Everything is cut out of the original text and put together from it: no number is parsed and
//! printed again, and members nobody has heard of stay.

mod entries;
mod error;
#[cfg(test)]
mod hit_pattern_tests;
mod list;
mod merge;
mod parts;
mod share;
mod text;

pub use entries::{as_one, embedding_of, entries, headers_without_bytes};
pub use error::EmbeddingsError;
pub use list::{List, MAX_ITEMS, Split, normal_form, split};
pub use merge::{Known, Merged, merge, stored_items};
pub use parts::{Parts, take_apart};
pub use share::Tokens;
