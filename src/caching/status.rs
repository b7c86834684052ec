//! What status codes mean for a cache.

/// Tells whether an answer of this status may be kept without a word of the origin on it
/// (RFC 9110 §15.1, "heuristically cacheable"; 206 is, too, but is never kept here).
pub const fn is_heuristically_cacheable(status: u16) -> bool {
    matches!(status, 200 | 203 | 204 | 300 | 301 | 308 | 404 | 405 | 410 | 414 | 501)
}

/// Tells whether all that caching asks for a status is done here (RFC 9111 §3, "understood").
///
/// All final codes of RFC 9110 §15 but 206 and 304, which speak of parts and of other answers.
pub const fn is_understood(status: u16) -> bool {
    matches!(
        status,
        200..=205 | 300..=303 | 305 | 307 | 308 | 400..=417 | 421 | 422 | 426 | 500..=505
    )
}

/// Tells whether the origin failed, so that a stale answer may stand in (RFC 5861 §4, RFC 9111
/// §4.3.3). 429 counts: the origin has an answer and does not give it now.
pub const fn is_failure(status: u16) -> bool {
    matches!(status, 429 | 500..=599)
}

/// Tells whether an answer says that the request was carried out (RFC 9111 §4.4, "non-error").
pub const fn is_non_error(status: u16) -> bool {
    matches!(status, 200..=399)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9110 §15.1: the list of heuristically cacheable codes, less 206.
    #[test]
    fn the_heuristically_cacheable_codes_are_those_of_the_list() {
        let found: Vec<u16> =
            (100..=599).filter(|code| is_heuristically_cacheable(*code)).collect();
        assert_eq!(found, [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);
    }

    /// RFC 9111 §3: partial content, "not modified" and unknown codes are not understood.
    #[test]
    fn partial_and_unknown_codes_are_not_understood() {
        for (status, is) in [
            (100, false),
            (200, true),
            (206, false),
            (299, false),
            (302, true),
            (304, false),
            (404, true),
            (418, false),
            (500, true),
            (599, false),
        ] {
            assert_eq!(is_understood(status), is, "{status}");
            assert!(!is_heuristically_cacheable(status) || is, "{status}");
        }
    }

    /// RFC 5861 §4: server errors let a stale answer stand in; a client's error does not.
    #[test]
    fn server_errors_and_429_are_failures() {
        for (status, is) in
            [(200, false), (400, false), (401, false), (404, false), (429, true), (500, true)]
        {
            assert_eq!(is_failure(status), is, "{status}");
        }
        assert!(is_failure(503) && is_failure(529));
    }
}
