//! The trace that a request is a part of, for the call that it leads to (W3C Trace Context, Level 1).

use anteroom_actors::model::Header;
use awc::http::header::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;

use crate::telemetry::TraceContext;

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Most bytes of `tracestate`; who gets more may leave it out (§3.3.1.5).
const MOST_STATE_BYTES: usize = 4_096;

/// Returns the headers that name the caller's trace. None where they name none (§3.2.3): a trace is
/// broken off sooner than continued wrongly.
pub fn of(headers: &HeaderMap) -> Vec<Header> {
    let mut parents = headers.get_all(TRACEPARENT).map(|value| value.as_bytes());
    let (Some(parent), None) = (parents.next(), parents.next()) else { return Vec::new() };
    if !is_parent(parent) {
        return Vec::new();
    }
    let own = |name: HeaderName, value: &[u8]| Header {
        name: name.as_str().into(),
        value: Bytes::copy_from_slice(value),
    };
    let state = headers.get_all(TRACESTATE).map(|value| value.as_bytes());
    let is_short = state.clone().map(<[u8]>::len).sum::<usize>() <= MOST_STATE_BYTES;
    let state = state.filter(|_| is_short).map(|value| own(TRACESTATE, value));
    std::iter::once(own(TRACEPARENT, parent)).chain(state).collect()
}

/// The same in a form of its own. Several headers of one name are one list (RFC 9110 §5.3).
pub fn context(headers: &HeaderMap) -> Option<TraceContext> {
    let mut of_trace = of(headers).into_iter();
    let text = |header: Header| String::from_utf8(header.value.into()).ok();
    let parent = of_trace.next().and_then(text)?;
    let states: Vec<String> = of_trace.filter_map(text).collect();
    Some(TraceContext { parent, state: states.join(",") })
}

/// Has `headers` name `context` and no other trace.
pub fn set(headers: &mut HeaderMap, context: TraceContext) {
    for (name, text) in [(TRACEPARENT, context.parent), (TRACESTATE, context.state)] {
        headers.remove(&name);
        if let Some(value) = HeaderValue::try_from(text).ok().filter(|value| !value.is_empty()) {
            headers.insert(name, value);
        }
    }
}

/// Tells whether it is a version, a trace, its span and flags, in lower-case hexadecimal; later versions
/// may add more.
fn is_parent(value: &[u8]) -> bool {
    let mut parts = value.splitn(5, |byte| *byte == b'-');
    let mut has = |length: usize, zeros: bool| {
        parts.next().is_some_and(|part| {
            let is_hex = part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            part.len() == length && is_hex && (zeros || part.iter().any(|byte| *byte != b'0'))
        })
    };
    let is_well_formed = has(2, true) && has(32, false) && has(16, false) && has(2, true);
    let has_more = parts.next().is_some();
    is_well_formed && !value.starts_with(b"ff") && !(has_more && value.starts_with(b"00"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn map(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn sent(pairs: &[(HeaderName, &str)]) -> Vec<String> {
        let map = map(pairs);
        let text = |header: &Header| str::from_utf8(&header.value).unwrap().to_owned();
        of(&map).iter().map(text).collect()
    }

    #[test]
    fn a_well_formed_parent_goes_along_and_its_state_with_it() {
        assert_eq!(sent(&[(TRACEPARENT, PARENT)]), [PARENT]);
        let with_state = [(TRACESTATE, "a=1"), (TRACEPARENT, PARENT), (TRACESTATE, "b=2")];
        assert_eq!(sent(&with_state), [PARENT, "a=1", "b=2"]);
        let long = "a".repeat(MOST_STATE_BYTES + 1);
        assert_eq!(sent(&[(TRACEPARENT, PARENT), (TRACESTATE, &long)]), [PARENT]);
        let later = format!("cc{}-more", PARENT.strip_prefix("00").unwrap());
        assert_eq!(sent(&[(TRACEPARENT, &later)]), [later]);
    }

    #[test]
    fn what_names_no_trace_ends_here() {
        let without = PARENT.strip_prefix("00").unwrap();
        for parent in [
            "",
            "00",
            &PARENT.to_uppercase(),
            &format!("ff{without}"),
            &format!("00{without}-more"),
            &format!("00{without}0"),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        ] {
            assert_eq!(sent(&[(TRACEPARENT, parent), (TRACESTATE, "a=1")]), [""; 0], "{parent}");
        }
        assert_eq!(sent(&[(TRACEPARENT, PARENT), (TRACEPARENT, PARENT)]), [""; 0]);
        assert_eq!(sent(&[(TRACESTATE, "a=1")]), [""; 0]);
    }

    #[test]
    fn a_context_takes_the_place_of_another() {
        let mut map = map(&[(TRACESTATE, "a=1"), (TRACEPARENT, PARENT), (TRACESTATE, "b=2")]);
        let given = TraceContext { parent: PARENT.to_owned(), state: "a=1,b=2".to_owned() };
        assert_eq!(context(&map), Some(given.clone()));
        set(&mut map, TraceContext { state: String::new(), ..given.clone() });
        assert_eq!(context(&map), Some(TraceContext { state: String::new(), ..given }));
        assert!(!map.contains_key(TRACESTATE), "an empty list says nothing");
        assert_eq!(context(&HeaderMap::new()), None);
    }
}
