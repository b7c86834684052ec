//! Asking the origin (RFC 9111 §4.3.1).

use super::entity_tag::{EntityTag, Validators};
use crate::caching::fields::Field;

/// Tells whether a request field of this lower-case name is a condition, or asks for a part. The
/// gateway's own conditions take the place of the client's, which it answers itself once it has an
/// answer to compare with (§4.3.2).
pub fn is_precondition(name: &str) -> bool {
    matches!(
        name,
        "if-match"
            | "if-modified-since"
            | "if-none-match"
            | "if-range"
            | "if-unmodified-since"
            | "range"
    )
}

/// Returns the fields to add to a request that validates one stored answer; none where it has no
/// validator, and then the request is a plain one.
///
/// Rule: RFC 9111 §4.3.1, the entity tag must be sent if there is one, the date of the last change
/// should be sent, too.
pub fn conditions<'a>(stored: &Validators<'a>) -> impl Iterator<Item = Field<'a>> {
    let etag = stored.etag.as_ref().map(EntityTag::as_bytes);
    let etag = etag.map(|etag| ("if-none-match", etag));
    let modified = stored.last_modified.map(|date| ("if-modified-since", date));
    etag.into_iter().chain(modified)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9111 §4.3.1: both validators are sent as they were received.
    #[test]
    fn a_validation_sends_the_tag_and_the_date_of_the_stored_answer() {
        let etag: Field<'_> = ("etag", b"W/\"a\"");
        let modified: Field<'_> = ("last-modified", b"sun, 06 nov 1994 08:49:37 gmt");
        let if_none_match: Field<'_> = ("if-none-match", b"W/\"a\"");
        let if_modified: Field<'_> = ("if-modified-since", b"sun, 06 nov 1994 08:49:37 gmt");
        for (stored, expected) in [
            (vec![etag, modified], vec![if_none_match, if_modified]),
            (vec![etag], vec![if_none_match]),
            (vec![modified], vec![if_modified]),
            (vec![("etag", b"a".as_slice())], vec![]),
            (vec![], vec![]),
        ] {
            let validators = Validators::of(stored.iter().copied());
            assert_eq!(conditions(&validators).collect::<Vec<_>>(), expected, "{stored:?}");
        }
    }

    /// RFC 9111 §4.3.2, §4.3.1: the client's conditions are not mixed with the gateway's.
    #[test]
    fn the_clients_conditions_are_known_by_name() {
        for name in ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"] {
            assert!(is_precondition(name), "{name}");
        }
        assert!(is_precondition("if-range") && is_precondition("range"));
        assert!(!is_precondition("accept") && !is_precondition("if"));
    }
}
