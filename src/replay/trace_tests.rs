use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const LOG: &str = "timestamp_ms,user,key,size_bytes\n5,u1,a,10\r\n7,,\"b,\"\"c\",0\n7,u2,a,10";

fn fault(log: &[u8]) -> Option<(u64, LineFault)> {
    match read(log) {
        Err(TraceError::Line { line, fault }) => Some((line, fault)),
        _ => None,
    }
}

#[test]
fn a_log_is_read_gzipped_or_not() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(LOG.as_bytes()).unwrap();
    for log in [LOG.as_bytes().to_vec(), gzip.finish().unwrap()] {
        let trace = read(&log[..]).unwrap();
        let user = std::num::NonZero::new;
        assert_eq!(
            trace.requests(),
            [
                Request { at_ms: 5, key: 0, user: user(1), size_bytes: 10 },
                Request { at_ms: 7, key: 1, user: None, size_bytes: 0 },
                Request { at_ms: 7, key: 0, user: user(2), size_bytes: 10 },
            ]
        );
        assert_eq!((trace.keys(), trace.out_of_order()), (2, 0));
    }
}

#[test]
fn a_line_that_is_no_request_is_named_by_its_number() {
    for (line, expected) in [
        ("1,u,k", LineFault::Fields),
        ("1,u,k,2,3", LineFault::Fields),
        ("", LineFault::Fields),
        ("-1,u,k,2", LineFault::Timestamp),
        ("1.5,u,k,2", LineFault::Timestamp),
        ("1,u,,2", LineFault::Key),
        ("1,u,k,", LineFault::Size),
        ("1,u,k,-2", LineFault::Size),
        ("1,u,\"k,2", LineFault::Quote),
        ("1,u,\"k\"x,2", LineFault::Quote),
    ] {
        let log = format!("{LOG}\n{line}\n");
        assert_eq!(fault(log.as_bytes()), Some((5, expected)), "{line:?}");
    }
    assert_eq!(fault(b""), Some((1, LineFault::Header)));
    assert_eq!(fault(b"1,u,k,2\n"), Some((1, LineFault::Header)));
    let not_text = [HEADER.as_bytes(), b"\n1,u,\xff,2\n"].concat();
    assert_eq!(fault(&not_text), Some((2, LineFault::Text)));
    let long = format!("{HEADER}\n1,u,{},2\n", "k".repeat(70_000));
    assert_eq!(fault(long.as_bytes()), Some((2, LineFault::Long)));
}

#[test]
fn a_gzip_that_is_cut_is_an_error() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(LOG.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let cut = read(&gzip[..gzip.len() - 12]);
    assert!(matches!(cut, Err(TraceError::Source(SourceError::Read { .. }))), "{cut:?}");
}

#[test]
fn the_clock_stands_still_where_time_goes_back() {
    let log = format!("{HEADER}\n9,,a,0\n3,,b,0\n10,,c,0\n");
    let trace = read(log.as_bytes()).unwrap();
    let times: Vec<u64> = trace.requests().iter().map(|request| request.at_ms).collect();
    assert_eq!((times, trace.out_of_order()), (vec![9, 9, 10], 1));
}
