//! A collector of traces: takes OTLP over HTTP with protobuf, and shows the spans.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::deadline::{PATIENCE, poll};
use super::provider::{Call, Provider, Reply};

/// The collector. Dropping it closes its port.
pub struct Collector(pub Provider);

impl Collector {
    /// Starts one that takes all.
    pub fn start() -> Self {
        Self(Provider::scripted(|_| taken()))
    }

    /// Returns the batches it was sent.
    pub fn batches(&self) -> Vec<ExportTraceServiceRequest> {
        let decoded = |call: &Call| {
            assert_eq!((call.method.as_str(), call.target.as_str()), ("POST", "/v1/traces"));
            assert_eq!(call.headers.get("content-type"), Some("application/x-protobuf"));
            ExportTraceServiceRequest::decode(call.body.as_slice()).expect("a batch of spans")
        };
        self.0.calls().iter().map(decoded).collect()
    }

    /// Returns the spans it was sent.
    pub fn spans(&self) -> Vec<Span> {
        let resources = self.batches().into_iter().flat_map(|batch| batch.resource_spans);
        resources.flat_map(|of_one| of_one.scope_spans).flat_map(|scope| scope.spans).collect()
    }

    /// Waits until it has `count` spans.
    #[track_caller]
    pub fn wait_for_spans(&self, count: usize) -> Vec<Span> {
        let found = poll(PATIENCE, || Some(self.spans()).filter(|spans| spans.len() >= count));
        found.unwrap_or_else(|| panic!("{count} spans wanted: {:#?}", self.spans()))
    }
}

/// What a collector says that took all.
pub fn taken() -> Reply {
    Reply::new(200, &[("Content-Type", "application/x-protobuf")], "")
}

/// Returns an attribute as text.
pub fn attribute(attributes: &[KeyValue], name: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{name} is {other:?}"),
    }
}
