//! A set of header names, and a request's headers in its order.

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

/// Headers of a set that a request has at most, nearly always.
const FEW: usize = 8;

/// A set of header names that is asked for each header of each request: most are told off by their
/// length alone.
#[derive(Debug)]
pub struct HeaderNames {
    names: Vec<HeaderName>,
    /// A bit for each length that a name has, modulo 64.
    lengths: u64,
}

impl HeaderNames {
    /// Makes a set of these names.
    pub fn new(names: Vec<HeaderName>) -> Self {
        let lengths = names.iter().fold(0, |bits, name| bits | Self::bit(name));
        Self { names, lengths }
    }

    fn bit(name: &HeaderName) -> u64 {
        1 << (name.as_str().len() % 64)
    }

    /// Tells whether `name` is in the set.
    pub fn contains(&self, name: &HeaderName) -> bool {
        self.place(name).is_some()
    }

    /// Returns the values of the headers that are in the set, each with its name's place in it, in the
    /// order of these places. The order of the map says nothing: each map has one of its own, and
    /// requests that differ in nothing come in different maps.
    pub fn values_in_order<'a>(
        &self,
        headers: &'a HeaderMap,
    ) -> SmallVec<[(usize, &'a HeaderValue); FEW]> {
        let values = headers.iter().filter_map(|(name, value)| Some((self.place(name)?, value)));
        let mut values: SmallVec<_> = values.collect();
        // Stable: the values of one name stay as they came.
        values.sort_by_key(|(place, _)| *place);
        values
    }

    fn place(&self, name: &HeaderName) -> Option<usize> {
        if self.lengths & Self::bit(name) == 0 {
            return None;
        }
        self.names.iter().position(|other| other == name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const LINES: [(&str, &str); 5] = [
        ("authorization", "Bearer one"),
        ("content-type", "application/json"),
        ("openai-organization", "org"),
        ("user-agent", "none of the set"),
        ("x-tag", "a"),
    ];

    fn map() -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in LINES.into_iter().chain([("x-tag", "b")]) {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn equal_headers_come_in_one_order_whatever_the_order_of_their_map() {
        let names = ["x-tag", "openai-organization", "content-type", "authorization", "x-other"];
        let set = HeaderNames::new(names.map(HeaderName::from_static).to_vec());
        let expected = [(0, "a"), (0, "b"), (1, "org"), (2, "application/json"), (3, "Bearer one")];
        let mut orders = BTreeSet::new();
        for _ in 0..64 {
            let map = map();
            orders.insert(map.keys().map(HeaderName::to_string).collect::<Vec<_>>());
            let values = set.values_in_order(&map);
            let seen: Vec<_> =
                values.iter().map(|(place, value)| (*place, value.to_str().unwrap())).collect();
            assert_eq!(seen, expected);
        }
        assert!(orders.len() > 1, "maps have orders of their own: {orders:?}");
    }
}
