//! Answers in fewer bytes: gzip and brotli, of every level's hits, of misses, and of live streams.
//! A-29 (a compressed stream holds nothing back).

use std::io::Write as _;

use anteroom_actors::codec::inflate::inflate;
use anteroom_actors::model::Encoding;

use super::apis::{KEY, ask, ask_stream, ask_stream_with_usage};
use crate::support::client::{Request, Response};
use crate::support::deadline::{PATIENCE, poll};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{self, Call, Gate, Provider, Reply};
use crate::support::redis::Redis;

/// An answer worth compressing, pretty-printed as providers do.
fn long(call: &Call) -> Reply {
    let text = format!("{} said the answer, once more. ", call.serial).repeat(60);
    let whole = serde_json::json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1,
        "model": "test-model", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": text, "refusal": null}}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}});
    let pretty = serde_json::to_string_pretty(&whole).unwrap();
    Reply::new(200, &[("Content-Type", "application/json")], pretty)
}

fn encoding_of(response: &Response) -> Encoding {
    let token = response.header("content-encoding").unwrap_or("identity");
    Encoding::from_token(token.as_bytes()).unwrap_or_else(|| panic!("{token}"))
}

/// Returns the body before it was encoded.
fn plain(response: &Response) -> Vec<u8> {
    let encoding = encoding_of(response);
    let body = inflate(encoding, &response.body.clone().into(), 1 << 24);
    let body = body.unwrap_or_else(|error| panic!("{error}: {response}")).to_vec();
    let original = response.header("x-original-size").map(|size| size.parse().unwrap());
    let is_encoded = encoding != Encoding::Identity;
    assert_eq!(original, is_encoded.then_some(body.len()), "{response}");
    body
}

fn accepting(request: &Request, accepted: &str) -> Request {
    request.clone().header("Accept-Encoding", accepted)
}

/// Asks until the answer comes in `encoding`: it is worked out behind.
fn until_in(gateway: &Gateway, request: &Request, encoding: Encoding) -> Response {
    let found = poll(PATIENCE, || {
        let response = gateway.send(request).expect_status(200);
        (encoding_of(&response) == encoding).then_some(response)
    });
    found.unwrap_or_else(|| panic!("no answer in {encoding:?}: {request}"))
}

#[test]
fn hits_in_every_encoding_are_the_answer_from_l1_and_after_a_restart_from_l3() {
    let provider = Provider::scripted(long);
    let mut gateway = Gateway::patient().upstream(&provider).start();
    let request = chat(prompt("often asked"));
    let miss = gateway.send(&request).expect_status(200);
    let varied = |response: &Response| response.header("vary").map(str::to_owned);
    assert_eq!(
        (encoding_of(&miss), varied(&miss)),
        (Encoding::Identity, Some("Accept-Encoding".into()))
    );
    let mut tags = vec![miss.header("etag").unwrap().to_owned()];
    for (accepted, encoding) in [("gzip", Encoding::Gzip), ("gzip, br", Encoding::Brotli)] {
        let hit = until_in(&gateway, &accepting(&request, accepted), encoding);
        assert_eq!((hit.cache(), varied(&hit)), ("HIT L1".into(), varied(&miss)), "{hit}");
        assert_eq!(plain(&hit), miss.body, "{hit}");
        assert!(hit.body.len() * 3 < miss.body.len(), "{hit}");
        tags.push(hit.header("etag").unwrap().to_owned());
    }
    let hit = gateway.send(&request).expect_status(200);
    assert_eq!((&hit.body, hit.header("etag")), (&miss.body, miss.header("etag")), "{hit}");
    tags.sort_unstable();
    tags.dedup();
    assert_eq!(tags.len(), 3, "one tag an encoding: {tags:?}");
    gateway.wait_for_writes();
    gateway.kill9();
    gateway.restart();
    // L3 holds it in brotli, so that it is ready at once.
    let hit = gateway.send(&accepting(&request, "br, gzip;q=0.5")).expect_status(200);
    assert_eq!((hit.cache(), encoding_of(&hit)), ("HIT L3".into(), Encoding::Brotli), "{hit}");
    assert_eq!(plain(&hit), miss.body);
    assert!(tags.contains(&hit.header("etag").unwrap().to_owned()), "{hit}");
    let hit = until_in(&gateway, &accepting(&request, "gzip"), Encoding::Gzip);
    assert_eq!(plain(&hit), miss.body);
    assert_eq!(provider.num_calls(), 1);
}

#[test]
fn an_answer_turned_into_events_gets_its_encodings_too() {
    let provider = Provider::scripted(long);
    let gateway = Gateway::patient().upstream(&provider).start();
    gateway.send(&ask("chat/completions", "both forms")).expect_status(200);
    let request = ask_stream("chat/completions", "both forms");
    let events = gateway.send(&request).expect_status(200);
    assert!(events.text().starts_with("data: ") && events.cache() == "HIT L1", "{events}");
    for encoding in [Encoding::Gzip, Encoding::Brotli] {
        let hit = until_in(&gateway, &accepting(&request, encoding.as_str()), encoding);
        assert_eq!((hit.cache(), plain(&hit)), ("HIT L1".into(), events.body.clone()), "{hit}");
    }
    assert_eq!(provider.num_calls(), 1);
}

#[test]
fn a_hit_from_l2_is_the_answer_and_redis_holds_fewer_bytes() {
    let (provider, redis) = (Provider::scripted(long), Redis::start());
    let mut gateway = Gateway::patient()
        .upstream(&provider)
        .redis(&redis)
        .env("ANTEROOM__L3__ENABLED", "false")
        .start();
    gateway.wait_for_state("l2", "running");
    let request = chat(prompt("from redis"));
    let miss = gateway.send(&request).expect_status(200);
    gateway.wait_until("the write to Redis", |health| {
        let l2 = crate::support::gateway::actor(health, "l2").cloned().unwrap_or_default();
        l2["counters"]["inserts"] == 1
    });
    gateway.restart();
    gateway.wait_for_state("l2", "running");
    let hit = gateway.send(&accepting(&request, "br")).expect_status(200);
    assert_eq!((hit.cache(), encoding_of(&hit)), ("HIT L2".into(), Encoding::Brotli), "{hit}");
    assert_eq!(plain(&hit), miss.body);
}

#[test]
fn misses_are_compressed_as_they_pass_and_small_or_refused_ones_are_not() {
    let provider = Provider::scripted(long);
    let gateway = Gateway::patient().upstream(&provider).start();
    for (accepted, encoding) in [
        ("br", Encoding::Brotli),
        ("gzip;q=0.5, br;q=0.1", Encoding::Gzip),
        ("gzip;q=0, *;q=0.1, br;q=0", Encoding::Identity),
        ("identity;q=0, gzip;q=0.001", Encoding::Gzip),
        ("deflate, zstd", Encoding::Identity),
    ] {
        let miss = gateway.send(&accepting(&chat(prompt(accepted)), accepted)).expect_status(200);
        assert_eq!((miss.cache(), encoding_of(&miss)), ("MISS".into(), encoding), "{miss}");
        let hit = gateway.send(&chat(prompt(accepted))).expect_status(200);
        assert_eq!((hit.cache(), plain(&miss)), ("HIT L1".into(), hit.body.clone()), "{hit}");
    }
    let bytes = |name: &str, encoding: &str| {
        let labels = [("route", "chat"), ("encoding", encoding)];
        gateway.metric(&format!("anteroom_response_{name}"), &labels).unwrap_or_default()
    };
    let shrunk = |encoding| {
        let (sent, original) =
            (bytes("bytes_total", encoding), bytes("original_bytes_total", encoding));
        sent > 0.0 && sent * 3.0 < original
    };
    let is_plain = || {
        let sent = bytes("bytes_total", "identity");
        sent > 0.0 && sent == bytes("original_bytes_total", "identity")
    };
    // Two looks at numbers that grow now and then.
    let counted = || (shrunk("gzip") && shrunk("br") && is_plain()).then_some(());
    poll(PATIENCE, counted).expect("the bytes are counted");
    // What takes no body as it is waits for one that it takes.
    gateway.send(&chat(prompt("only gzip"))).expect_status(200);
    let only = accepting(&chat(prompt("only gzip")), "gzip, identity;q=0");
    for _ in 0..2 {
        let hit = gateway.send(&only).expect_status(200);
        assert_eq!((hit.cache(), encoding_of(&hit)), ("HIT L1".into(), Encoding::Gzip), "{hit}");
    }
    provider.answer_well();
    let small = gateway.send(&accepting(&ask("embeddings", "small"), "br")).expect_status(200);
    assert_eq!((encoding_of(&small), small.header("vary")), (Encoding::Identity, None), "{small}");
}

#[test]
fn what_its_provider_encoded_or_forbids_to_transform_is_left_alone() {
    let body = "{ \"choices\": [ ] }".repeat(100);
    for (name, value) in
        [("Content-Encoding", "zstd"), ("Cache-Control", "max-age=9, no-transform")]
    {
        let sent = body.clone();
        let provider = Provider::scripted(move |_| {
            Reply::new(200, &[("Content-Type", "application/json"), (name, value)], &sent)
        });
        let gateway = Gateway::patient().upstream(&provider).start();
        for _ in 0..2 {
            let response = gateway.send(&accepting(&chat(prompt(name)), "gzip, br"));
            assert_eq!(response.text(), body, "{response}");
            assert_eq!(response.header("x-original-size"), None, "{response}");
        }
    }
}

#[test]
fn a_caller_who_has_the_answer_of_a_get_is_told_so() {
    let provider = Provider::scripted(|call| {
        let models: Vec<_> = (0..40)
            .map(|number| {
                serde_json::json!({"id": format!("model-{number}"),
            "object": "model", "created": 1, "owned_by": "test"})
            })
            .collect();
        match call.path() {
            "/v1/models" => serde_json::json!({"object": "list", "data": models}).into(),
            _ => provider::answer(call),
        }
    });
    // One worker: another may hold a short lease on the answer as it is.
    let builder = Gateway::patient().upstream(&provider).env("ANTEROOM__SERVER__WORKERS", "1");
    let gateway = builder.start();
    let request = Request::get("/v1/models").bearer(KEY);
    let miss = gateway.send(&request).expect_status(200);
    let etag = miss.header("etag").expect("a tag").to_owned();
    let zipped = until_in(&gateway, &accepting(&request, "gzip"), Encoding::Gzip);
    let zipped_etag = zipped.header("etag").expect("a tag").to_owned();
    for (accepted, held, has) in [
        ("identity", etag.as_str(), true),
        ("identity", "*", true),
        ("gzip", zipped_etag.as_str(), true),
        ("gzip", etag.as_str(), false),
        ("identity", "\"other\"", false),
    ] {
        // Twice: by a lookup, then by a lease.
        for _ in 0..2 {
            let asked = accepting(&request, accepted).header("If-None-Match", held);
            let response = gateway.send(&asked).expect_status(if has { 304 } else { 200 });
            assert_eq!(response.body.is_empty(), has, "{response}");
            assert_eq!(response.cache(), "HIT L1", "{response}");
            assert!(response.header("etag").is_some() && response.header("vary").is_some());
            assert_eq!(response.header("content-type").is_none(), has, "{response}");
        }
    }
    // A POST has no condition: its answer is sent whole.
    let request = chat(prompt("a post"));
    let etag = gateway.send(&request).expect_status(200).header("etag").unwrap().to_owned();
    gateway.send(&request.header("If-None-Match", &etag)).expect_status(200);
    assert_eq!(provider.num_calls(), 2);
}

/// Decodes what has come so far.
enum Decoder {
    Gzip(Box<flate2::write::GzDecoder<Vec<u8>>>),
    Brotli(Box<brotli::DecompressorWriter<Vec<u8>>>),
}

impl Decoder {
    fn of(encoding: &str) -> Self {
        match encoding {
            "gzip" => Self::Gzip(Box::new(flate2::write::GzDecoder::new(Vec::new()))),
            "br" => Self::Brotli(Box::new(brotli::DecompressorWriter::new(Vec::new(), 4_096))),
            other => panic!("{other}"),
        }
    }

    fn push(&mut self, piece: &[u8]) -> String {
        let decoded = match self {
            Self::Gzip(decoder) => {
                decoder.write_all(piece).and_then(|()| decoder.flush()).expect("gzip");
                decoder.get_ref().clone()
            }
            Self::Brotli(decoder) => {
                decoder.write_all(piece).and_then(|()| decoder.flush()).expect("brotli");
                decoder.get_ref().clone()
            }
        };
        String::from_utf8(decoded).expect("text")
    }
}

/// A-29: each event can be decoded before the provider sends the next.
#[test]
fn a_compressed_stream_is_sent_event_by_event() {
    let gate = Gate::closed();
    let held = gate.clone();
    let provider = Provider::scripted(move |call| provider::answer(call).gated(&held));
    let gateway = Gateway::patient().upstream(&provider).start();
    for encoding in ["gzip", "br"] {
        let asked = accepting(&ask_stream_with_usage("chat/completions", encoding), encoding);
        let mut stream = gateway.open(&asked);
        assert_eq!(stream.headers.get("content-encoding"), Some(encoding));
        assert_eq!(stream.headers.get("vary"), Some("Accept-Encoding"));
        assert_eq!(stream.headers.get("content-length"), None);
        let (mut decoder, mut text, mut num_events) = (Decoder::of(encoding), String::new(), 0);
        while !text.contains("[DONE]") {
            gate.pass_one();
            num_events += 1;
            while text.matches("\n\n").count() < num_events {
                text = decoder.push(&stream.next().expect("more of the stream"));
            }
        }
        gate.pass_one();
        while let Some(piece) = stream.next() {
            text = decoder.push(&piece);
        }
        assert!(num_events > 4, "{text}");
        let hit =
            gateway.send(&ask_stream_with_usage("chat/completions", encoding)).expect_status(200);
        assert_eq!((hit.cache(), hit.text()), ("HIT L1".into(), text), "{encoding}");
    }
}

#[test]
fn a_stream_that_breaks_off_is_seen_to_be_cut_in_its_encoding_too() {
    let provider = Provider::start();
    provider.next(provider::Fault::CutStream);
    let gateway = Gateway::patient().upstream(&provider).start();
    let asked = accepting(&ask_stream("chat/completions", "cut"), "gzip");
    let response = gateway.open(&asked).response();
    assert!(response.cut.is_some(), "{response}");
    assert!(inflate(Encoding::Gzip, &response.body.clone().into(), 1 << 20).is_err());
}

#[test]
fn switched_off_nothing_is_touched() {
    let provider = Provider::scripted(long);
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("ENABLE_RESPONSE_COMPRESSION", "false")
        .env("OPTIMIZE_JSON_PAYLOAD", "false")
        .start();
    let request = accepting(&chat(prompt("as it is")), "gzip, br");
    let direct =
        Request::post("/v1/chat/completions", prompt("as it is")).send(&provider.address());
    for cache in ["MISS", "HIT L1", "HIT L1"] {
        let response = gateway.send(&request).expect_status(200);
        assert_eq!(response.cache(), cache, "{response}");
        assert_eq!(response.body.len(), direct.body.len(), "{response}");
        assert!(response.text().contains("\n  \"choices\": ["), "{response}");
        for name in ["content-encoding", "vary", "x-original-size"] {
            assert_eq!(response.header(name), None, "{response}");
        }
    }
}
