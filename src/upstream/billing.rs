//! What a call has cost: as its answer says, or counted.

use std::sync::Arc;

use anteroom_actors::model::Usage;
use anteroom_actors::origin::OriginCall;

use crate::canonical::Profile;
use crate::savings::Book;
use crate::tokens::{Answered, TokenCounter};

/// Writes down what calls cost. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Billing {
    book: Arc<Book>,
    counter: TokenCounter,
}

impl Billing {
    /// Creates one that writes into `book`, and counts by `counter` where an answer does not say it.
    pub const fn new(book: Arc<Book>, counter: TokenCounter) -> Self {
        Self { book, counter }
    }

    /// Writes down a call that was answered; `told` is what its answer says. Returns what it is held to
    /// have cost. An encoded answer cannot be looked into.
    pub(super) fn charge(
        &self,
        call: &OriginCall,
        profile: Profile,
        told: Option<Usage>,
        answer: Option<Answered<'_>>,
    ) -> Option<Usage> {
        let model = call.model.as_deref();
        let counted = || self.counter.usage(profile, model, &call.body, answer?);
        let usage = told.or_else(counted);
        self.book.charge(call.route, model, usage);
        usage
    }
}
