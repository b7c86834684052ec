//! Fields that belong to one connection (RFC 9110 §7.6.1).

use super::fields::{Fields, field_name, tokens, values};

/// Fields that go no further than the next hop, and those between a client and its proxy.
const HOP_BY_HOP: [&str; 11] = [
    "connection",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields for everyone on the way: no Connection field removes one, or a peer could hide what
/// forbids keeping an answer, or whose it is (RFC 9110 §7.6.1: "Cache-Control is never
/// appropriate as a connection option").
const END_TO_END: [&str; 24] = [
    "age",
    "api-key",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "etag",
    "expires",
    "host",
    "last-modified",
    "location",
    "openai-organization",
    "openai-project",
    "pragma",
    "retry-after",
    "set-cookie",
    "vary",
    "www-authenticate",
    "x-api-key",
];

/// Tells whether a field of this lower-case name always goes no further than the next hop.
pub fn is_hop_by_hop(name: &str) -> bool {
    HOP_BY_HOP.contains(&name)
}

/// The fields of one message that end with its connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HopByHop {
    named: Vec<Box<str>>,
}

impl HopByHop {
    /// Reads the names that the message's Connection fields list.
    pub fn of<'a>(fields: impl Fields<'a>) -> Self {
        let listed = values(fields, "connection").flat_map(tokens).filter_map(field_name);
        Self { named: listed.filter(|name| !END_TO_END.contains(&&**name)).collect() }
    }

    /// Tells whether a field of this lower-case name is to be removed before the message goes on.
    pub fn removes(&self, name: &str) -> bool {
        is_hop_by_hop(name) || self.named.iter().any(|named| **named == *name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caching::Field;

    const MESSAGE: [Field<'_>; 4] = [
        ("connection", b"close, X-One , ,cache-control,Set-Cookie"),
        ("connection", b"x-two;q=1, \"x-three\", x-four"),
        ("x-one", b"1"),
        ("cache-control", b"no-store"),
    ];

    /// RFC 9110 §7.6.1: fields that Connection names end with the connection, those of the list
    /// always do.
    #[test]
    fn connection_and_what_it_names_go_no_further() {
        let hops = HopByHop::of(MESSAGE.into_iter());
        for (name, removed) in [
            ("connection", true),
            ("keep-alive", true),
            ("proxy-authenticate", true),
            ("proxy-authorization", true),
            ("proxy-authentication-info", true),
            ("proxy-connection", true),
            ("te", true),
            ("trailer", true),
            ("transfer-encoding", true),
            ("upgrade", true),
            ("http2-settings", true),
            ("close", true),
            ("x-one", true),
            ("x-four", true),
            ("x-two", false),
            ("x-three", false),
            ("x-five", false),
            ("content-type", false),
        ] {
            assert_eq!(hops.removes(name), removed, "{name}");
        }
        assert!(!HopByHop::default().removes("x-one"));
    }

    /// RFC 9110 §7.6.1: a Connection field cannot hide what is meant for every recipient.
    #[test]
    fn connection_cannot_remove_what_is_meant_for_everyone() {
        let names = END_TO_END.join(",");
        let hops = HopByHop::of([("connection", names.as_bytes())].into_iter());
        for name in END_TO_END {
            assert!(!hops.removes(name), "{name}");
        }
    }
}
