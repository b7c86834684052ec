//! One answer out of what was known and what was fetched.

use std::collections::BTreeMap;

use super::error::EmbeddingsError;
use super::list::List;
use super::parts::Parts;
use super::share::Tokens;
use super::text::write_array;

/// Largest merged answer. 2,048 vectors of 4,096 numbers, printed in full, are about 180 MiB;
/// beyond, a short list of repetitions would be made into an answer of any size.
const MAX_ANSWER_BYTES: usize = 256 * 1_024 * 1_024;

/// Room for a comma and an `index` of four digits beside an element's own text.
const INDEX_BYTES: usize = 5;

/// Room for a `usage` of our own.
const USAGE_BYTES: usize = 64;

/// Kept answers by the position of their input: each is of one embedding, each position is one of
/// [`List::distinct`].
pub type Known = BTreeMap<usize, Parts>;

/// The answer to a list.
#[derive(Clone, PartialEq, Eq)]
pub struct Merged {
    /// The body for the caller.
    pub body: Vec<u8>,
    /// What upstream charged for this answer; zero where all was known. The body's `usage` says
    /// the same where the provider reports usage.
    pub charged: Tokens,
    /// What the list would have cost beyond that: for each input answered by a kept answer what
    /// that one had cost, for each repetition of a fetched input that one's share.
    pub saved: Tokens,
    /// How many of the list's inputs were answered without asking upstream, repetitions included.
    pub num_saved: usize,
}

impl std::fmt::Debug for Merged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Merged")
            .field("bytes", &self.body.len())
            .field("charged", &self.charged)
            .field("saved", &self.saved)
            .field("num_saved", &self.num_saved)
            .finish()
    }
}

/// Returns the shares of `fetched`'s charge that fall on the inputs at `missing`, in that order.
///
/// Exact for one input, and for arrays of tokens charged by their lengths; else estimated by the
/// lengths of the texts. They add up to the charge.
fn shares(list: &List, missing: &[usize], fetched: &Parts) -> Vec<Tokens> {
    fetched.tokens().unwrap_or_default().share_out(&list.weights(missing))
}

/// Gives for each fetched input its position in the list and the body to keep under its key.
///
/// `missing` is what [`List::missing`] gave and `fetched` was asked for. The bodies are made one
/// by one, as they are taken.
///
/// Errors: [`EmbeddingsError::Count`] where the two are not of one length.
pub fn stored_items<'a>(
    list: &List,
    missing: &'a [usize],
    fetched: &'a Parts,
) -> Result<impl Iterator<Item = (usize, Vec<u8>)> + use<'a>, EmbeddingsError> {
    if fetched.num_elements() != missing.len() {
        return Err(EmbeddingsError::Count { expected: missing.len() });
    }
    let numbered = missing.iter().zip(shares(list, missing, fetched)).enumerate();
    Ok(numbered.filter_map(|(order, (position, share))| {
        fetched.stored_item(order, share).map(|body| (*position, body))
    }))
}

/// Puts together the answer to `list`: every input's embedding in the order of the request.
///
/// `fetched` answers [`List::missing`] of `known`, in that order; nothing where all is known. The
/// answer is the fetched one, or else the first input's kept one, with `data` replaced; so its
/// other members stay, in the provider's own form. `usage` is what upstream charged: untouched
/// where there was a call, zeros where there was none.
///
/// Errors: [`EmbeddingsError::Incomplete`] where an input has no embedding,
/// [`EmbeddingsError::Count`] where there are others than those missing,
/// [`EmbeddingsError::Models`] where the answers do not all name one model,
/// [`EmbeddingsError::TooLarge`] beyond 256 MiB.
pub fn merge(
    list: &List,
    known: &Known,
    fetched: Option<&Parts>,
) -> Result<Merged, EmbeddingsError> {
    let missing = list.missing(known);
    let expected = missing.len();
    match fetched {
        None if expected > 0 => return Err(EmbeddingsError::Incomplete),
        Some(fetched) if fetched.num_elements() != expected => {
            return Err(EmbeddingsError::Count { expected });
        }
        _ => {}
    }
    if known.values().any(|kept| kept.num_elements() != 1) {
        return Err(EmbeddingsError::Count { expected: 1 });
    }
    let frame = fetched.or_else(|| known.get(&0)).ok_or(EmbeddingsError::Incomplete)?;
    if known.values().any(|kept| kept.model() != frame.model()) {
        return Err(EmbeddingsError::Models);
    }

    let shares = fetched.map_or_else(Vec::new, |fetched| shares(list, &missing, fetched));
    let supply = Supply { known, fetched, missing, shares };
    let sources: Vec<Source> = (0..list.num_items())
        .map(|position| supply.source(list, position).ok_or(EmbeddingsError::Incomplete))
        .collect::<Result<_, _>>()?;
    let sizes = sources.iter().map(|source| source.parts.element_len(source.element) + INDEX_BYTES);
    let size = sizes.sum::<usize>() + frame.len_beside_data() + USAGE_BYTES;
    if size > MAX_ANSWER_BYTES {
        return Err(EmbeddingsError::TooLarge);
    }
    let mut body = Vec::with_capacity(size);
    let (usage, charged) = match fetched {
        Some(fetched) => (None, fetched.tokens().unwrap_or_default()),
        None => (Some(Tokens::default()), Tokens::default()),
    };
    frame.write_with(&mut body, usage, |out| {
        write_array(out, sources.iter().enumerate(), |out, (index, source)| {
            source.parts.write_element(source.element, index, out);
        });
    });
    let spared = sources.iter().filter_map(|source| source.saved);
    let saved = spared.clone().fold(Tokens::default(), Tokens::plus);
    Ok(Merged { body, charged, saved, num_saved: spared.count() })
}

/// Where an input's embedding comes from.
struct Source<'a> {
    parts: &'a Parts,
    element: usize,
    /// What it spared, where it was not paid for now.
    saved: Option<Tokens>,
}

/// Where embeddings can come from.
struct Supply<'a> {
    known: &'a Known,
    fetched: Option<&'a Parts>,
    missing: Vec<usize>,
    shares: Vec<Tokens>,
}

impl<'a> Supply<'a> {
    fn source(&self, list: &List, position: usize) -> Option<Source<'a>> {
        let first = list.first_of(position)?;
        if let Some(parts) = self.known.get(&first) {
            let saved = Some(parts.tokens().unwrap_or_default());
            return Some(Source { parts, element: 0, saved });
        }
        let element = self.missing.binary_search(&first).ok()?;
        let saved = if first == position { None } else { self.shares.get(element).copied() };
        Some(Source { parts: self.fetched?, element, saved })
    }
}
