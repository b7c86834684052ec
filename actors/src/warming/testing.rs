//! What the tests of this folder share.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{CacheKey, Encoding, Form, Labels, Lifetimes};
use crate::origin::OriginCall;

/// A key with a tag of its own.
pub(super) fn key(number: u32) -> CacheKey {
    let mut digest = [0; CacheKey::LEN];
    let bytes = number.to_le_bytes();
    for (byte, from) in digest.iter_mut().zip(bytes.iter().cycle()) {
        *byte = *from;
    }
    CacheKey::new(digest)
}

/// A call whose answer has that key and lives for ten minutes.
pub(super) fn call(number: u32, body_bytes: usize) -> Arc<OriginCall> {
    Arc::new(OriginCall {
        key: key(number),
        route: 0,
        upstream: "up".into(),
        scope: 0,
        method: "POST".into(),
        target: "/".into(),
        headers: Vec::new(),
        presented: Vec::new(),
        validates: false,
        body: Bytes::from(vec![0; body_bytes]),
        form: Form::Object,
        encoding: Encoding::Identity,
        lifetimes: Lifetimes { lifetime: Duration::from_secs(600), ..Lifetimes::default() },
        may_keep: true,
        min_uses: 1,
        labels: Labels::default(),
        model: None,
        trace: Vec::new(),
        apart: None,
    })
}
