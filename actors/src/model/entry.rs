//! A stored answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::allocated::allocated;
use super::{CacheKey, Encodings, Form, Freshness, Label, Labels, Usage};

/// One header of a stored answer. Names are lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Lower-case field name.
    pub name: Box<str>,
    /// Field value, as received.
    pub value: Bytes,
}

/// The headers of a stored answer. Answers differ in their bodies, hardly in these: equal ones may be one.
pub type Headers = Arc<[Header]>;

/// Half of the digest of what selects an answer beside its key.
pub type Selection = [u8; 16];

/// An answer that may be served again. Immutable: a hit never rewrites it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The key it was made for.
    pub key: CacheKey,
    /// Status code of the answer.
    pub status: u16,
    /// Headers that belong to the answer, not to the one call that made it.
    pub headers: Headers,
    /// The body that is served, before any encoding of ours.
    pub body: Bytes,
    /// The same in fewer bytes, where that is worked out.
    pub encodings: Encodings,
    /// The body's form.
    pub form: Form,
    /// How long it may be served.
    pub freshness: Freshness,
    /// From which use on it is kept beyond L1, its making counted as the first; in L1 alone, since
    /// what is kept beyond has been used that often.
    pub min_uses: u8,
    /// What it can be purged by.
    pub labels: Labels,
    /// The model that was asked, where the request names one.
    pub model: Option<Box<str>>,
    /// What the call cost, where the origin said so.
    pub usage: Option<Usage>,
    /// A digest of the request's fields that its Vary nominates, and of what they held (RFC 9111
    /// §4.1); zeros where it nominates none.
    pub selection: Selection,
    /// How long the call took, from its start to the answer's last byte.
    pub upstream_latency: Duration,
}

/// What a shared pointer adds to what it points to: two counts.
const COUNTS_BYTES: usize = 2 * size_of::<usize>();

impl Entry {
    /// What an entry costs beside its bytes: the struct with its shared-pointer header, its place in
    /// L1 (key, list nodes, counts) and in the queue of leaving. `benches/l1_memory.rs` measures it.
    pub const OVERHEAD_BYTES: usize = 300 + allocated(COUNTS_BYTES + size_of::<Self>());

    /// Tells whether it is an error. Such an answer is kept for a short while, in L1 alone: it must
    /// not take the place of a success that outlives it.
    pub const fn is_negative(&self) -> bool {
        self.status >= 400
    }

    /// Returns the bytes of memory this entry accounts for: body, its encodings, headers and overhead,
    /// each as large as the allocator makes it. Of headers that it shares with other answers it takes
    /// its part: as many share them now.
    pub fn weight_bytes(&self) -> usize {
        let text = |header: &Header| allocated(header.name.len()) + allocated(header.value.len());
        let texts: usize = self.headers.iter().map(text).sum();
        let headers = match size_of_val(&*self.headers) {
            0 => 0,
            list => allocated(COUNTS_BYTES + list) + texts,
        };
        // One of them is whoever finds equal ones.
        let sharers = Arc::strong_count(&self.headers).saturating_sub(1).max(1);
        let model = self.model.as_ref().map_or(0, |model| model.len());
        Self::OVERHEAD_BYTES
            + headers / sharers
            + allocated(self.labels.names.len() * size_of::<Label>())
            + allocated(model)
            + allocated(self.body.len())
            + self.encodings.allocated_bytes()
    }

    /// Returns the value of the first header called `name`, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|header| &*header.name == name).map(|header| &*header.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_answers_share_are_counted_once_among_them() {
        let header = Header { name: "server".into(), value: Bytes::from(vec![b'x'; 2_000]) };
        let alone = Entry { headers: [header].into(), ..Entry::default() };
        let whole = alone.weight_bytes() - Entry::default().weight_bytes();
        assert!(whole > 2_000, "{whole}");
        // Who finds equal headers holds them too.
        let known = Arc::clone(&alone.headers);
        assert_eq!(alone.weight_bytes() - Entry::default().weight_bytes(), whole);
        let others: Vec<Entry> = (0..3).map(|_| alone.clone()).collect();
        let shared = alone.weight_bytes() - Entry::default().weight_bytes();
        assert!((whole / 4..=whole / 4 + 16).contains(&shared), "{shared} of {whole}");
        drop((others, known));
        assert_eq!(alone.weight_bytes() - Entry::default().weight_bytes(), whole);
    }
}
