//! Traces: each request is a span, each try of a call to an upstream another within it.

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use crate::support::client::Request;
use crate::support::client_keys::{config, key};
use crate::support::collector::{Collector, attribute, taken};
use crate::support::gateway::{Gateway, chat, prompt};
use crate::support::provider::{Fault, Provider, Reply};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

fn of_kind(spans: &[Span], kind: SpanKind) -> Vec<&Span> {
    spans.iter().filter(|span| span.kind == kind as i32).collect()
}

fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The `traceparent` of a call that is made for `span`.
fn parent(span: &Span) -> String {
    format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id))
}

#[track_caller]
fn expect(span: &Span, wanted: &[(&str, Option<&str>)]) {
    for (name, value) in wanted {
        assert_eq!(attribute(&span.attributes, name).as_deref(), *value, "{name} of {span:#?}");
    }
}

#[test]
fn a_miss_is_two_spans_of_one_trace_and_a_hit_is_one() {
    let (provider, collector) = (Provider::start(), Collector::start());
    let yaml = config(&provider, &[("team-a", "")]);
    let gateway = Gateway::patient()
        .config(&yaml)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.0.url())
        .env("OTEL_SERVICE_NAME", "front")
        .env("ANTEROOM__TRACES__SET_HEADERS", "{x-collector-key: hunter2}")
        .start();
    let (key, path) = (key("team-a"), "/v1/chat/completions?hidden=value");
    let asked = Request::post(path, prompt("what nobody may read")).bearer(&key);
    gateway.send(&asked).expect_status(200);
    gateway.send(&asked).expect_status(200);
    let spans = collector.wait_for_spans(3);
    let (requests, calls) = (of_kind(&spans, SpanKind::Server), of_kind(&spans, SpanKind::Client));
    let ([miss, hit], [call]) = (&requests[..], &calls[..]) else { panic!("{spans:#?}") };
    assert_eq!((&call.trace_id, &call.parent_span_id), (&miss.trace_id, &miss.span_id));
    assert_eq!(provider.calls()[0].headers.all("traceparent"), [parent(call)]);
    assert_ne!(hit.trace_id, miss.trace_id);
    assert!(miss.parent_span_id.is_empty() && hit.parent_span_id.is_empty());
    assert!(miss.start_time_unix_nano <= call.start_time_unix_nano);
    assert!(call.end_time_unix_nano <= miss.end_time_unix_nano);
    for (span, cache, level) in [(miss, "miss", None), (hit, "hit", Some("l1"))] {
        assert_eq!(span.name, "POST /v1/chat/completions");
        expect(
            span,
            &[
                ("http.request.method", Some("POST")),
                ("http.route", Some("/v1/chat/completions")),
                ("url.path", Some("/v1/chat/completions")),
                ("http.response.status_code", Some("200")),
                ("anteroom.route", Some("chat")),
                ("anteroom.cache", Some(cache)),
                ("anteroom.cache.level", level),
                ("anteroom.key", Some("team-a")),
                ("error.type", None),
            ],
        );
    }
    expect(
        call,
        &[
            ("http.response.status_code", Some("200")),
            ("server.address", Some("127.0.0.1")),
            ("url.path", Some("/v1/chat/completions")),
            ("anteroom.upstream", Some("default")),
            ("http.request.resend_count", None),
        ],
    );
    let batches = collector.batches();
    let resource = batches[0].resource_spans[0].resource.as_ref().expect("who speaks");
    assert_eq!(attribute(&resource.attributes, "service.name").as_deref(), Some("front"));
    let version = attribute(&resource.attributes, "service.version");
    assert_eq!(version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    for call in collector.0.calls() {
        assert_eq!(call.headers.get("x-collector-key"), Some("hunter2"));
        for secret in [key.as_str(), "nobody may read", "hidden", "hunter2"] {
            assert!(!call.text().contains(secret), "{secret} in {}", call.text());
        }
    }
    assert!(!gateway.whole_log().contains("hunter2"));
}

#[test]
fn a_slow_bucket_leads_to_a_trace() {
    let (provider, collector) = (Provider::start(), Collector::start());
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.0.url())
        .start();
    gateway.chat(prompt("traced")).expect_status(200);
    let spans = collector.wait_for_spans(2);
    let trace = hex(&spans[0].trace_id);
    let scrape = |accept: &str| {
        let request = Request::get("/metrics").header("accept", accept);
        gateway.operate(&request).expect_status(200).text()
    };
    let bucket = "anteroom_request_duration_seconds_bucket{outcome=\"miss\",route=\"chat\",le=";
    let labels = [("route", "chat"), ("outcome", "miss")];
    let counted = "anteroom_request_duration_seconds_count";
    gateway.wait_until("a count", |_| gateway.metric(counted, &labels) == Some(1.0));
    let open_metrics = scrape("application/openmetrics-text");
    let exemplary: Vec<&str> = open_metrics.lines().filter(|line| line.contains(" # {")).collect();
    let [line] = exemplary[..] else { panic!("{exemplary:#?}") };
    assert!(line.starts_with(bucket) && line.contains(&format!("trace_id=\"{trace}\"")), "{line}");
    assert!(!scrape("text/plain").contains("trace_id"));
}

#[test]
fn each_try_is_a_span_and_failures_are_told() {
    let (provider, collector) = (Provider::start(), Collector::start());
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.0.url())
        .start();
    provider.next(Fault::Close).next(Fault::Status(404));
    gateway.send(&Request::get("/v1/models")).expect_status(404);
    provider.next(Fault::Close);
    gateway.chat(prompt("failed")).expect_status(502);
    provider.next(Fault::Truncate);
    gateway.send(&Request::post("/v1/files", "a file"));
    let spans = collector.wait_for_spans(7);
    let mut calls = of_kind(&spans, SpanKind::Client);
    calls.sort_by_key(|call| call.start_time_unix_nano);
    let wanted = [("no_answer", None), ("404", Some("1")), ("no_answer", None), ("cut", None)];
    for (call, (error, resends)) in calls.iter().zip(wanted) {
        expect(call, &[("error.type", Some(error)), ("http.request.resend_count", resends)]);
        assert!(call.status.as_ref().is_some_and(|status| status.code == 2), "{call:#?}");
    }
    let mut requests = of_kind(&spans, SpanKind::Server);
    requests.sort_by_key(|request| request.start_time_unix_nano);
    let wanted = [("404", None), ("502", Some("502")), ("200", Some("cut"))];
    for (request, (status, error)) in requests.iter().zip(wanted) {
        let status = ("http.response.status_code", Some(status));
        expect(request, &[status, ("error.type", error)]);
    }
    assert_eq!((calls.len(), requests.len()), (4, 3), "{spans:#?}");
}

#[test]
fn a_callers_trace_goes_on_and_its_word_on_sampling_counts() {
    let (provider, collector) = (Provider::start(), Collector::start());
    let gateway = Gateway::patient()
        .upstream(&provider)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.0.url())
        .env("ANTEROOM__TRACES__ONE_IN", 1_000_000)
        .start();
    let ask = |text: &str, flags: &str| {
        let traceparent = format!("00-{TRACE}-{CALLER}-{flags}");
        let request = chat(prompt(text)).header("traceparent", &traceparent);
        gateway.send(&request.header("tracestate", "vendor=1")).expect_status(200);
        let headers = provider.calls().last().expect("a call").headers.clone();
        assert_eq!(headers.all("tracestate"), ["vendor=1"]);
        headers.get("traceparent").expect("a trace").to_owned()
    };
    let unsampled = ask("not wanted", "00");
    assert!(unsampled.starts_with(&format!("00-{TRACE}-")) && unsampled.ends_with("-00"));
    let sampled = ask("wanted", "01");
    let spans = collector.wait_for_spans(2);
    let request = of_kind(&spans, SpanKind::Server)[0];
    assert_eq!(
        (hex(&request.trace_id), hex(&request.parent_span_id)),
        (TRACE.into(), CALLER.into())
    );
    assert_eq!(sampled, parent(of_kind(&spans, SpanKind::Client)[0]));
    let passing = Request::get("/v1/files/f");
    let passing = passing.header("traceparent", &format!("00-{TRACE}-{CALLER}-01"));
    gateway.send(&passing).expect_status(200);
    let spans = collector.wait_for_spans(4);
    let passed = of_kind(&spans, SpanKind::Client)[1];
    let calls = provider.calls();
    assert_eq!(calls.last().expect("a call").headers.all("traceparent"), [parent(passed)]);
    assert_eq!(spans.len(), 4, "one in a million begins a trace of its own: {spans:#?}");
}

#[test]
fn a_collector_that_is_away_costs_spans_and_no_request() {
    let provider = Provider::start();
    let mut collector = Collector::start();
    let mut gateway = Gateway::patient()
        .upstream(&provider)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.0.url())
        .env("ANTEROOM__TRACES__TIMEOUT", "100ms")
        .start();
    let count = |name: &str| gateway.metric(name, &[]);
    collector.0.stop();
    gateway.chat(prompt("untold")).expect_status(200);
    gateway.wait_until("a word on it", |_| {
        let have_ended = count("anteroom_spans_total") == Some(2.0);
        have_ended && gateway.log().contains("traces.endpoint takes no spans")
    });
    assert_eq!(count("anteroom_spans_sent_total"), Some(0.0));
    collector.0.script(|_| Reply::new(400, &[], ""));
    collector.0.resume();
    gateway.chat(prompt("untold")).expect_status(200);
    collector.0.wait_for_calls(1);
    collector.0.script(|_| taken());
    gateway.chat(prompt("untold")).expect_status(200);
    gateway.wait_until("spans that are taken", |_| count("anteroom_spans_sent_total") == Some(1.0));
    assert!(gateway.log().contains("traces.endpoint takes spans again"), "{}", gateway.log());
    assert_eq!(gateway.log().matches("takes no spans").count(), 1, "{}", gateway.log());
    // What waits at the end is sent.
    gateway.chat(prompt("the last one")).expect_status(200);
    assert!(gateway.terminate().success());
    let last = collector.spans();
    assert_eq!(of_kind(&last[last.len() - 2..], SpanKind::Client).len(), 1, "{last:#?}");
}
