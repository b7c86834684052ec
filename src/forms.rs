//! One stored answer, both forms: a chat or a completion as one object and as a stream of events.
//!
//! * [`object_to_events`] and [`events_to_object`]: the two ways, with nothing lost.
//! * [`ask_for_usage`], [`wants_usage`]: `usage` of a stream is asked for, whoever calls.
//! * [`UsageFilter`], [`without_usage`]: and hidden from who did not ask.
//! * [`Asking`], [`answers_message`]: a chat request with a history before it, and what is added.
//! * [`events`]: the events of a body one by one, for a replay at some pace; [`WholeEvents`]: those of
//!   a stream, as they become whole.
//!
//! Values are never read into numbers or strings: each is carried as its source spells it, so
//! that numbers keep their digits and strings their escapes.

mod assemble;
#[cfg(test)]
mod assemble_tests;
#[cfg(test)]
mod chat_tests;
mod choice;
mod error;
mod json;
mod logprobs;
mod merge;
mod ordered;
mod parts;
mod pieces;
#[cfg(test)]
mod provider_tests;
#[cfg(test)]
mod round_trip_tests;
mod script;
mod speak;
#[cfg(test)]
mod speak_tests;
mod split;
#[cfg(test)]
mod tree_tests;
mod turn;
mod usage;
mod usage_filter;
mod value;

pub use assemble::events_to_object;
pub use error::FormError;
pub use speak::object_to_events;
pub use split::{EventBytes, WholeEvents, events};
pub use turn::{Asking, answers_message};
pub use usage::{ask_for_usage, wants_usage};
pub use usage_filter::{MAX_HELD_BYTES, UsageFilter, without_usage};

use crate::canonical::Profile;

/// Tells whether answers of an API can be turned from one form into the other.
pub const fn converts(profile: Profile) -> bool {
    Api::of(profile).is_some()
}

/// An API whose forms convert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Api {
    Chat,
    Completions,
}

impl Api {
    const fn of(profile: Profile) -> Option<Self> {
        match profile {
            Profile::Chat => Some(Self::Chat),
            Profile::Completions => Some(Self::Completions),
            Profile::Responses
            | Profile::Messages
            | Profile::Embeddings
            | Profile::Models
            | Profile::Generic => None,
        }
    }

    /// Returns what the member `object` of a whole answer says.
    const fn object(self) -> &'static str {
        match self {
            Self::Chat => "chat.completion",
            Self::Completions => "text_completion",
        }
    }

    /// Returns what the member `object` of a chunk says.
    const fn chunk(self) -> &'static str {
        match self {
            Self::Chat => "chat.completion.chunk",
            Self::Completions => "text_completion",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chats_and_completions_convert_and_nothing_else_does() {
        for profile in Profile::ALL {
            let is_one = matches!(profile, Profile::Chat | Profile::Completions);
            assert_eq!(converts(profile), is_one, "{profile:?}");
            if !is_one {
                assert_eq!(object_to_events(profile, b"{}"), Err(FormError::OneForm));
                assert_eq!(events_to_object(profile, b""), Err(FormError::OneForm));
            }
        }
    }
}
