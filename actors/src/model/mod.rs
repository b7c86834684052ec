//! Values that flow between the parts. No actix, no I/O.

mod access;
mod allocated;
mod budget;
mod conversation;
mod encoding;
mod entry;
mod form;
mod freshness;
mod key;
mod label;
mod level;
mod outcome;
mod pressure;
mod purge;
mod sample;
mod usage;
mod versions;
mod wants;

pub use access::Access;
pub use budget::{BudgetReport, MemoryBudget, OverBudget, Reservation};
pub use conversation::{ConversationId, History, HistoryVersion, Turn};
pub use encoding::{Encoding, Encodings, TAG_LEN};
pub use entry::{Entry, Header, Selection};
pub use form::Form;
pub use freshness::{Freshness, Lifetimes, Standing};
pub use key::{BuildKeyHasher, CacheKey, KeyHasher};
pub use label::{Label, LabelKind, Labels};
pub use level::Level;
pub use outcome::{Outcome, Verdict};
pub use pressure::{MemoryReading, PressureState};
pub use purge::{PurgeRecord, Purges};
pub use sample::{Sample, SampleBatch};
pub use usage::Usage;
pub use versions::Versions;
pub use wants::{Use, Wants};
