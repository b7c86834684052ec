//! Each fault of the provider is what it says.

use std::io;
use std::time::Duration;

use crate::support::client::{Connection, Request, Response};
use crate::support::gateway::{chat, prompt};
use crate::support::provider::{Fault, Provider};

fn call(fault: Fault) -> io::Result<Response> {
    let provider = Provider::start();
    provider.next(fault);
    let request = chat(prompt("hello"));
    request.try_open(&provider.address()).map(|incoming| incoming.response())
}

fn answer(fault: Fault) -> Response {
    call(fault).unwrap_or_else(|error| panic!("{fault:?}: {error}"))
}

#[test]
fn some_faults_leave_no_answer() {
    for fault in [Fault::Close, Fault::Reset, Fault::Garbage] {
        let outcome = call(fault);
        assert!(outcome.is_err(), "{fault:?} answered {}", outcome.expect("an answer"));
    }
    let reset = call(Fault::Reset).err().map(|error| error.kind());
    assert_eq!(reset, Some(io::ErrorKind::ConnectionReset));
}

#[test]
fn some_faults_send_nothing_and_stay() {
    for (fault, events) in [(Fault::Hang, 0), (Fault::StallStream, 2)] {
        let provider = Provider::start();
        provider.next(fault);
        let short = Duration::from_millis(200);
        let mut connection = Connection::open(&provider.address()).read_timeout(short);
        connection.write(b"GET / HTTP/1.1\r\n\r\n").expect("the call is read");
        let request = Request::get("/");
        if events == 0 {
            let error = connection.answer(&request).expect_err("no answer");
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{fault:?}");
        } else {
            let mut stream = connection.incoming(&request).expect("a head");
            (0..events).for_each(|_| assert!(stream.next_event().is_some()));
            let error = stream.try_next().expect_err("no third event");
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{fault:?}");
        }
    }
}

#[test]
fn some_faults_cut_the_body() {
    let cut = [Fault::Truncate, Fault::TruncateChunked, Fault::BadChunk, Fault::CutStream];
    for fault in cut {
        let response = answer(fault);
        assert_eq!(response.status, 200, "{fault:?}");
        assert!(response.cut.is_some(), "{fault:?} came whole: {response}");
        assert!(!response.body.is_empty(), "{fault:?}");
    }
}

#[test]
fn some_faults_are_whole_answers_that_are_wrong() {
    let clean = answer(Fault::CutClean);
    assert!(clean.cut.is_none() && !clean.text().contains("[DONE]"), "{clean}");
    assert!(answer(Fault::StreamError).text().contains("\"error\""));
    for fault in [Fault::BadJson, Fault::NanJson, Fault::BadUtf8, Fault::Html, Fault::Empty] {
        let response = answer(fault).expect_status(200);
        assert!(serde_json::from_slice::<serde_json::Value>(&response.body).is_err(), "{fault:?}");
    }
    assert!(String::from_utf8(answer(Fault::BadUtf8).body).is_err());
    assert!(answer(Fault::ErrorIn200).expect_status(200).json()["error"].is_object());
    let short = answer(Fault::WrongLength);
    assert!(serde_json::from_slice::<serde_json::Value>(&short.body).is_err(), "{short}");
}

#[test]
fn some_faults_are_in_the_head() {
    let limited = answer(Fault::RateLimited(3)).expect_status(429);
    assert_eq!(limited.header("retry-after"), Some("3"));
    let dated = answer(Fault::RateLimitedUntilDate);
    assert!(dated.header("retry-after").is_some_and(|date| date.ends_with("GMT")), "{dated}");
    assert_eq!(answer(Fault::Status(529)).status, 529);
    assert_eq!(answer(Fault::TwoLengths).headers.all("content-length").len(), 2);
    let both = answer(Fault::LengthAndChunked);
    assert!(both.header("content-length").is_some() && both.header("transfer-encoding").is_some());
    assert!(answer(Fault::BadHeader).header("no colon here").is_some());
    assert_eq!(answer(Fault::Redirect).expect_status(302).headers.all("location").len(), 1);
    assert!(answer(Fault::HeaderInject).header("x-note").is_some_and(|note| note.contains('\r')));
    assert_eq!(answer(Fault::HugeHeaders).headers.all("x-filler").len(), 256);
    assert!(answer(Fault::SetCookie).header("set-cookie").is_some());
}

#[test]
fn some_are_right_answers_that_come_oddly() {
    let huge = answer(Fault::Huge(3 << 20)).expect_status(200);
    assert!(huge.body.len() > 3 << 20);
    let drip = answer(Fault::Drip(50)).expect_status(200);
    let gzip = answer(Fault::Gzip).expect_status(200);
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    // Header of 10 bytes, block header of 5, the bytes as they are, checksum and length of 8.
    let stored = &gzip.body[15..gzip.body.len() - 8];
    assert_eq!(stored, drip.body);
}
