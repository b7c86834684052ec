//! Which fields of an answer are kept (RFC 9111 §3.1).

use std::borrow::Cow;

use crate::caching::cache_control::ResponseDirectives;
use crate::caching::date::{format_http_date, parse_http_date};
use crate::caching::fields::{Fields, first};
use crate::caching::hop_by_hop::HopByHop;
use crate::caching::sharing::Sharing;

/// A field line of a stored answer: its name in lower case, its value.
pub type KeptField<'a> = (&'a str, Cow<'a, [u8]>);

/// Returns the fields to keep, in the order received.
///
/// Rule: RFC 9111 §3.1, all of them, those nobody knows too, but: what ends with the connection,
/// what is between a client and its proxy, what `no-cache` names, and in shared caches what
/// `private` names. Two more: `Age`, whose place is in [`Life`](crate::caching::Life) and which is
/// written anew at each use (§4), and `Set-Cookie`, a session of the first asker. A `Date` is
/// added where there is none (RFC 9110 §6.6.1): the time of receipt, wall milliseconds.
pub fn kept_fields<'a>(
    fields: impl Fields<'a>,
    directives: &ResponseDirectives,
    sharing: Sharing,
    received_ms: u64,
) -> Vec<KeptField<'a>> {
    let keeps = Keeps::of(fields.clone(), directives, sharing);
    let date = first(fields.clone(), "date");
    let has_date = date.and_then(|date| parse_http_date(date, received_ms)).is_some();
    let kept = fields.filter(|(name, _)| keeps.keeps(name) && (has_date || *name != "date"));
    let mut kept: Vec<KeptField<'a>> =
        kept.map(|(name, value)| (name, Cow::Borrowed(value))).collect();
    if !has_date {
        kept.push(("date", Cow::Owned(format_http_date(received_ms).into_bytes())));
    }
    kept
}

/// What is excepted from keeping in one answer.
#[derive(Debug)]
pub(in crate::caching) struct Keeps<'d> {
    hops: HopByHop,
    directives: &'d ResponseDirectives,
    sharing: Sharing,
}

impl<'d> Keeps<'d> {
    pub(in crate::caching) fn of<'a>(
        fields: impl Fields<'a>,
        directives: &'d ResponseDirectives,
        sharing: Sharing,
    ) -> Self {
        Self { hops: HopByHop::of(fields), directives, sharing }
    }

    /// Tells whether a field of this lower-case name is kept.
    pub(in crate::caching) fn keeps(&self, name: &str) -> bool {
        let is_kept_by_none = matches!(name, "age" | "set-cookie" | "set-cookie2");
        !(is_kept_by_none || self.hops.removes(name) || self.withholds(name))
    }

    /// Tells whether the directives keep a field of this lower-case name out of this cache.
    pub(in crate::caching) fn withholds(&self, name: &str) -> bool {
        self.directives.no_cache.names(name)
            || (self.sharing.is_shared() && self.directives.private.names(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caching::fields::Field;

    const T: u64 = 784_111_777_000;
    const DATE: Field<'_> = ("date", b"Sun, 06 Nov 1994 08:49:37 GMT");

    fn names(sharing: Sharing, fields: &[Field<'_>]) -> Vec<String> {
        let directives = ResponseDirectives::parse(fields.iter().copied());
        let kept = kept_fields(fields.iter().copied(), &directives, sharing, T);
        kept.into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    /// RFC 9111 §3.1: all fields are kept, unknown ones and repeated ones in their order.
    #[test]
    fn all_fields_are_kept_unknown_ones_too() {
        let fields: [Field<'_>; 8] = [
            DATE,
            ("content-type", b"text/plain"),
            ("x-unknown", b"1"),
            ("link", b"<a>"),
            ("x-unknown", b"\xff"),
            ("cache-control", b"max-age=60"),
            ("expires", b"0"),
            ("content-length", b"3"),
        ];
        let directives = ResponseDirectives::default();
        let kept = kept_fields(fields.into_iter(), &directives, Sharing::Shared, T);
        let kept: Vec<_> = kept.iter().map(|(name, value)| (*name, &**value)).collect();
        assert_eq!(kept, fields);
    }

    /// RFC 9111 §3.1, RFC 9110 §7.6.1: what ends with the connection is not kept.
    #[test]
    fn fields_of_the_connection_are_not_kept() {
        let fields: [Field<'_>; 6] = [
            DATE,
            ("connection", b"close, x-hop"),
            ("x-hop", b"1"),
            ("keep-alive", b"5"),
            ("transfer-encoding", b"chunked"),
            ("upgrade", b"x"),
        ];
        assert_eq!(names(Sharing::Private, &fields), ["date"]);
    }

    /// RFC 9111 §3.1: what is between a client and its proxy is not kept.
    #[test]
    fn fields_of_a_proxy_are_not_kept() {
        let fields: [Field<'_>; 4] = [
            DATE,
            ("proxy-authenticate", b"Basic"),
            ("proxy-authentication-info", b"x"),
            ("proxy-authorization", b"x"),
        ];
        assert_eq!(names(Sharing::Shared, &fields), ["date"]);
    }

    /// RFC 9111 §3.1, §5.2.2.4, §5.2.2.7: what no-cache names is kept by nobody, what private
    /// names by no shared cache.
    #[test]
    fn fields_that_directives_name_are_not_kept() {
        let fields: [Field<'_>; 5] = [
            DATE,
            ("cache-control", b"no-cache=\"X-One\", private=\"x-two, X-Three\""),
            ("x-one", b"1"),
            ("x-two", b"2"),
            ("x-four", b"4"),
        ];
        let private = ["date", "cache-control", "x-two", "x-four"];
        assert_eq!(names(Sharing::Private, &fields), private);
        assert_eq!(names(Sharing::Shared, &fields), ["date", "cache-control", "x-four"]);
    }

    /// RFC 9111 §4, §7.3: the age it came with is not sent again, nor is a cookie.
    #[test]
    fn ages_and_cookies_are_not_kept() {
        let fields: [Field<'_>; 4] =
            [("age", b"5"), DATE, ("set-cookie", b"id=1"), ("set-cookie2", b"id=1")];
        assert_eq!(names(Sharing::Private, &fields), ["date"]);
    }

    /// RFC 9110 §6.6.1: an answer without a date gets the time of its receipt.
    #[test]
    fn an_answer_without_a_date_gets_one() {
        for fields in
            [vec![("etag", b"\"a\"".as_slice())], vec![("etag", b"\"a\""), ("date", b"?")]]
        {
            let directives = ResponseDirectives::default();
            let kept = kept_fields(fields.into_iter(), &directives, Sharing::Private, T + 999);
            let kept: Vec<_> = kept.iter().map(|(name, value)| (*name, &**value)).collect();
            assert_eq!(kept, [("etag", b"\"a\"".as_slice()), DATE]);
        }
    }
}
