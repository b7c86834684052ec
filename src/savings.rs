//! The savings ledger: what the cache has spared, in calls, tokens, time and money.
//!
//! * [`Money`]: whole millionths of a currency, never a float.
//! * [`PriceTable`], [`cost`]: what a call costs, by the model's name.
//! * [`Ledger`], [`Saved`]: sums by route and model; [`Book`]: the gateway's own.
//!
//! Counting rules, each answered request counted once:
//!
//! | outcome | saved | spent |
//! |---|---|---|
//! | hit, fresh or stale | what the kept call cost and took when it was made | nothing |
//! | the kept answer in place of what the origin said | its tokens and money; no call, no time | nothing |
//! | coalesced | what the leader's call cost and took | nothing |
//! | miss | nothing | what the call cost |
//! | bypass | nothing | what the call cost |
//! | error of the gateway's own | nothing | nothing |
//! | embeddings known in part | that part's tokens and money; no call, no time | the rest's call |
//!
//! A refresh behind a stale hit is a call of its own: it is charged when it lands, and the hit
//! that set it off is a hit all the same. A call that failed, was left by everybody, or whose
//! answer was too large to be held costs what nobody said, and is not counted; nor is a call of a
//! route that is not cached, whose body nobody reads. So nothing is billed twice, and no hit is billed.

mod book;
mod ledger;
mod money;
mod price;

pub use book::Book;
pub use ledger::{Call, Ledger, Line, MAX_PAIRS, OTHER, Saved};
pub use money::{Money, MoneyError};
pub use price::{Price, PriceError, PriceTable, cost};
