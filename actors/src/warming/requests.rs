//! The requests that answers can be fetched anew with: those asked last, within a bound of bytes.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use crate::model::{BuildKeyHasher, CacheKey, Header};
use crate::origin::OriginCall;

/// What a request costs beside its texts, in bytes.
const OVERHEAD_BYTES: usize = 512;

/// One generation: its requests and their bytes.
#[derive(Debug, Default)]
struct Generation {
    calls: HashMap<CacheKey, Arc<OriginCall>, BuildKeyHasher>,
    bytes: usize,
}

/// Requests by the key of their answer. What was remembered or looked up last stays; when the young
/// half is full it becomes the old one, which is forgotten.
#[derive(Debug)]
pub struct Requests {
    young: Generation,
    old: Generation,
    most_bytes: usize,
}

impl Requests {
    /// Creates an empty memory of at most `most_bytes`.
    pub fn new(most_bytes: usize) -> Self {
        Self { young: Generation::default(), old: Generation::default(), most_bytes }
    }

    /// Remembers a request; one that is larger than half of the room is not.
    pub fn remember(&mut self, call: Arc<OriginCall>) {
        let bytes = bytes_of(&call);
        if bytes > self.most_bytes / 2 {
            return;
        }
        self.forget(&call.key);
        if self.young.bytes.saturating_add(bytes) > self.most_bytes / 2 {
            self.old = mem::take(&mut self.young);
        }
        self.young.bytes += bytes;
        self.young.calls.insert(call.key, call);
    }

    /// Returns the request that the answer of `key` is fetched with.
    pub fn get(&mut self, key: &CacheKey) -> Option<Arc<OriginCall>> {
        if let Some(call) = self.young.calls.get(key) {
            return Some(Arc::clone(call));
        }
        let call = self.old.calls.get(key).map(Arc::clone)?;
        self.remember(Arc::clone(&call));
        Some(call)
    }

    /// Lets go of all of them.
    pub fn clear(&mut self) {
        (self.young, self.old) = (Generation::default(), Generation::default());
    }

    /// Returns how many there are.
    pub fn len(&self) -> usize {
        self.young.calls.len() + self.old.calls.len()
    }

    /// Tells whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns their bytes.
    pub const fn bytes(&self) -> usize {
        self.young.bytes + self.old.bytes
    }

    fn forget(&mut self, key: &CacheKey) {
        for generation in [&mut self.young, &mut self.old] {
            if let Some(call) = generation.calls.remove(key) {
                generation.bytes = generation.bytes.saturating_sub(bytes_of(&call));
            }
        }
    }
}

fn bytes_of(call: &OriginCall) -> usize {
    let of_headers = |headers: &[Header]| -> usize {
        headers.iter().map(|header| header.name.len() + header.value.len() + 64).sum()
    };
    OVERHEAD_BYTES
        + call.body.len()
        + call.target.len()
        + of_headers(&call.headers)
        + of_headers(&call.presented)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::call;
    use super::*;

    #[test]
    fn a_request_is_found_by_its_key_until_others_came() {
        let mut requests = Requests::new(20_000);
        requests.remember(call(1, 1_000));
        assert_eq!(requests.get(&call(1, 0).key).map(|call| call.body.len()), Some(1_000));
        assert!(requests.get(&call(2, 0).key).is_none());
        requests.remember(call(3, 11_000));
        assert!(requests.get(&call(3, 0).key).is_none(), "too large");
        for number in 10..60 {
            requests.remember(call(number, 1_000));
            // What is looked up stays.
            assert!(requests.get(&call(1, 0).key).is_some());
        }
        assert!(requests.get(&call(10, 0).key).is_none());
        requests.clear();
        assert!(requests.is_empty() && requests.bytes() == 0);
    }

    proptest! {
        #[test]
        fn bytes_are_counted_and_bounded(
            steps in prop::collection::vec((0_u32..20, 0_usize..3_000, any::<bool>()), 0..300),
        ) {
            let mut requests = Requests::new(16_000);
            for (number, size, remembers) in steps {
                if remembers {
                    requests.remember(call(number, size));
                } else {
                    requests.get(&call(number, 0).key);
                }
                let calls = requests.young.calls.values().chain(requests.old.calls.values());
                let sum: usize = calls.map(|call| bytes_of(call)).sum();
                prop_assert_eq!(requests.bytes(), sum);
                prop_assert!(sum <= 16_000);
            }
        }
    }
}
