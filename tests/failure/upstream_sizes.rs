//! The provider's answers are too long, too short, too large, too slow, or packed.

use std::fs;

use super::upstream_outcome::{Way, is_at_rest, same_as_direct};
use crate::support::client::Connection;
use crate::support::gateway::Gateway;
use crate::support::provider::{Gate, Provider, Reply};

/// Returns the most memory a process has held so far, in bytes.
fn peak_bytes(gateway: &Gateway) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.id())).expect("a process");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a VmHWM line");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("KiB");
    kib * 1024
}

#[test]
fn bytes_after_an_answer_never_begin_the_next() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    let stray =
        "{\"choices\":[{\"message\":{\"content\":\"of another\"},\"finish_reason\":\"stop\"}]}";
    let spare = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{stray}", stray.len());
    for way in [Way::Chat, Way::Messages, Way::PassThrough] {
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        ] {
            provider.next(Reply::raw(format!("{head}{spare}")));
            let first = gateway.send(&way.call(&format!("a question for {head}")));
            assert!(first.cut.is_none() && !first.text().contains("of another"), "{first}");
            for number in 0..3 {
                let next = gateway.send(&way.call(&format!("question {number} after {head}")));
                assert!(!next.text().contains("of another"), "{way:?} {head}: {next}");
                assert_eq!(next.status, 200, "{way:?} {head}: {next}");
            }
        }
    }
}

#[test]
fn an_answer_far_above_every_bound_is_passed_on_in_bounded_memory() {
    const ANSWER: usize = 96 << 20;
    let provider = Provider::start();
    let gateway =
        Gateway::builder().upstream(&provider).env("ANTEROOM__CACHE__MAX_ENTRY", "1MiB").start();
    gateway.send(&Way::Chat.call("a small question")).expect_status(200);
    let before = peak_bytes(&gateway);
    for way in [Way::Chat, Way::PassThrough] {
        provider.next(Reply::new(200, &[], vec![b' '; ANSWER]));
        let answer = gateway.send(&way.call("a large question")).expect_status(200);
        assert_eq!(answer.body.len(), ANSWER);
        let grown = peak_bytes(&gateway).saturating_sub(before);
        assert!(grown < 32 << 20, "{way:?}: grew by {grown} bytes");
    }
    is_at_rest(&gateway);
    let before = provider.num_calls();
    gateway.send(&Way::Chat.call("a large question")).expect_status(200);
    assert_eq!(provider.num_calls(), before + 1, "it was not kept");
}

#[test]
fn an_announced_answer_above_the_upstream_s_bound_is_a_502_where_it_would_be_held() {
    let provider = Provider::start();
    let gateway = Gateway::builder()
        .upstream(&provider)
        .env("ANTEROOM__UPSTREAMS__DEFAULT__MAX_ANSWER", "64KiB")
        .start();
    provider.next(Reply::new(200, &[], vec![b' '; 100_000]));
    let answer = gateway.send(&Way::Chat.call("a question"));
    let code = "upstream_answer_too_large";
    super::upstream_outcome::is_our_error(&answer, Way::Chat, 502, code, "too large");
    gateway.send(&Way::Chat.call("a question")).expect_status(200);
}

#[test]
fn a_packed_answer_is_never_unpacked() {
    const UNPACKED: u64 = 300 << 20;
    let bomb = gzip_bomb(UNPACKED);
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    gateway.send(&Way::Chat.call("a small question")).expect_status(200);
    let before = peak_bytes(&gateway);
    for way in [Way::Chat, Way::PassThrough] {
        let request = way.call("a packed question");
        for body in [&bomb[..], b"\x1f\x8b not gzip at all"] {
            let packed = Reply::new(200, &[("Content-Encoding", "gzip")], body);
            let direct = Provider::start();
            direct.next(packed.clone());
            provider.next(packed);
            let calls = provider.num_calls();
            let answer = gateway.send(&request);
            same_as_direct(&request.send(&direct.address()), &answer, &format!("{way:?}"));
            assert_eq!(provider.num_calls(), calls + 1, "{way:?}");
        }
    }
    let grown = peak_bytes(&gateway).saturating_sub(before);
    assert!(grown < 48 << 20, "grew by {grown} bytes");
}

/// Returns gzip that unpacks to `length` bytes and a little, 158 for each of its own: one block of
/// fixed codes (RFC 1951 section 3.2.6), a letter and copies of the 258 bytes before. The
/// checksum at its end is wrong.
fn gzip_bomb(length: u64) -> Vec<u8> {
    let mut bits = Bits::default();
    // The last block, of fixed codes; the letter x; the letter's copies; the end.
    bits.push(0b1, 1).push(0b01, 2).push_code(0x30 + u32::from(b'x'), 8);
    for _ in 0..length / 258 {
        bits.push_code(0b1100_0101, 8).push_code(0, 5);
    }
    bits.push_code(0, 7);
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    bytes.append(&mut bits.bytes);
    bytes.push(bits.last);
    bytes.extend_from_slice(&[0; 8]);
    bytes
}

/// Bits, the lowest of each byte first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    last: u8,
    filled: u32,
}

impl Bits {
    fn push(&mut self, value: u32, count: u32) -> &mut Self {
        for place in 0..count {
            self.last |= u8::from(value >> place & 1 == 1) << self.filled;
            self.filled += 1;
            if self.filled == 8 {
                self.bytes.push(std::mem::take(&mut self.last));
                self.filled = 0;
            }
        }
        self
    }

    /// Huffman codes are packed from their highest bit.
    fn push_code(&mut self, code: u32, count: u32) -> &mut Self {
        for place in (0..count).rev() {
            self.push(code >> place & 1, 1);
        }
        self
    }
}

#[test]
fn a_slow_answer_is_whole_and_slow_for_its_asker_alone() {
    let provider = Provider::start();
    let gateway = Gateway::builder().upstream(&provider).start();
    for way in [Way::Chat, Way::PassThrough] {
        let gate = Gate::closed();
        let before = provider.num_calls();
        provider.next(Reply::events(["data: 1", "data: 2", "data: [DONE]"]).gated(&gate));
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| gateway.send(&way.call("a slow question")));
            provider.wait_for_calls(before + 1);
            gate.wait_for_someone();
            // On the same thread of the gateway or another: neither waits.
            let mut connection = Connection::open(gateway.api());
            for number in 0..4 {
                let request = way.call(&format!("a quick question {number}"));
                connection.send(&request).expect_status(200);
            }
            assert!(!slow.is_finished());
            gate.open();
            let answer = slow.join().expect("an answer").expect_status(200);
            assert_eq!(answer.text(), "data: 1\n\ndata: 2\n\ndata: [DONE]\n\n");
        });
    }
}
