//! Traces of requests, for an OpenTelemetry collector: spans are gathered by a thread of their own and
//! sent to it as OTLP over HTTP.
//!
//! A collector that is slow or gone costs spans, which are counted, and no request's time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TraceId,
    TracerProvider as _,
};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_http::HttpClient;
pub use opentelemetry_otlp::ExporterBuildError as TracesError;
use opentelemetry_otlp::{Protocol, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData,
    SpanExporter,
};
use prometheus::IntCounter;

use crate::settings::Traces;

/// Spans that may wait to be sent; those that find no room are lost.
const MOST_WAITING: usize = 8_192;

/// Spans sent at once.
const MOST_AT_ONCE: usize = 512;

/// How long a span waits for others to be sent with.
const SENT_WITHIN: Duration = Duration::from_secs(2);

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// What a request says of the trace it is a part of (W3C Trace Context).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// `traceparent`: the trace, the span and whether it is sampled.
    pub parent: String,
    /// `tracestate`: what other systems want handed on; may be empty.
    pub state: String,
}

/// What becomes of spans.
#[derive(Debug, Clone)]
pub struct SpanCounts {
    /// Those that ended and are sampled.
    pub ended: IntCounter,
    /// Those the collector took.
    pub sent: IntCounter,
}

/// Begins spans, and has them sent. Clones share all.
#[derive(Debug, Clone)]
pub struct Spans {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    ended: IntCounter,
}

impl Spans {
    /// Starts the thread that sends; `transport` brings a batch to the collector.
    ///
    /// # Errors
    ///
    /// When the endpoint is none.
    pub fn start(
        settings: &Traces,
        transport: impl HttpClient + 'static,
        counts: SpanCounts,
    ) -> Result<Self, TracesError> {
        let exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(settings.endpoint.as_str())
            .with_timeout(settings.timeout.get())
            .with_http_client(transport)
            .build()?;
        let SpanCounts { ended, sent } = counts;
        Ok(Self::by(settings, Counted { exporter, sent, fails: AtomicBool::new(false) }, ended))
    }

    fn by(settings: &Traces, exporter: impl SpanExporter + 'static, ended: IntCounter) -> Self {
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(MOST_WAITING)
            .with_max_export_batch_size(MOST_AT_ONCE)
            .with_scheduled_delay(SENT_WITHIN)
            .build();
        let sender = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        #[expect(clippy::cast_precision_loss, reason = "a million at most")]
        let ratio = 1.0 / settings.one_in.max(1) as f64;
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)));
        let resource = Resource::builder()
            .with_service_name(settings.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(sender)
            .with_sampler(sampler)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("anteroom");
        Self { provider, tracer, ended }
    }

    /// Begins a span of the trace that `within` names, or of a new one.
    pub fn begin(
        &self,
        kind: SpanKind,
        name: impl Into<Cow<'static, str>>,
        within: Option<TraceContext>,
        attributes: Vec<KeyValue>,
    ) -> Span {
        let carrier = within.map(|TraceContext { parent, state }| {
            HashMap::from([(PARENT.to_owned(), parent), (STATE.to_owned(), state)])
        });
        let parent = carrier.map_or_else(Context::new, |carrier| {
            TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier)
        });
        let builder = SpanBuilder::from_name(name).with_kind(kind).with_attributes(attributes);
        let span = builder.start_with_context(&self.tracer, &parent);
        Span { span, ended: self.ended.clone() }
    }

    /// Sends what waits, for no longer than `within`; spans that end afterwards are lost. Blocks.
    pub fn finish(&self, within: Duration) {
        if self.provider.shutdown_with_timeout(within).is_err() {
            tracing::warn!("not all spans were sent to traces.endpoint");
        }
    }
}

/// A span under way. It ends when it is dropped.
#[derive(Debug)]
pub struct Span {
    span: opentelemetry_sdk::trace::Span,
    ended: IntCounter,
}

impl Span {
    /// Tells whether it will be sent.
    pub fn is_sampled(&self) -> bool {
        self.span.span_context().is_sampled()
    }

    /// Returns the trace it is a part of.
    pub fn trace_id(&self) -> TraceId {
        self.span.span_context().trace_id()
    }

    /// Notes something about it.
    pub fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.span.set_attribute(KeyValue::new(name, value));
    }

    /// Gives it a name that says more.
    pub fn rename(&mut self, name: String) {
        self.span.update_name(name);
    }

    /// Notes that it failed, and what of (`error.type`).
    pub fn fail(&mut self, kind: impl Into<Value>) {
        self.set("error.type", kind);
        self.span.set_status(Status::error(""));
    }

    /// Returns what a request that is made for it has to say.
    pub fn context(&self) -> TraceContext {
        let own: &SpanContext = self.span.span_context();
        let mut carrier = HashMap::new();
        let context = Context::new().with_remote_span_context(own.clone());
        TraceContextPropagator::new().inject_context(&context, &mut carrier);
        TraceContext {
            parent: carrier.remove(PARENT).unwrap_or_default(),
            state: carrier.remove(STATE).unwrap_or_default(),
        }
    }
}

impl Drop for Span {
    fn drop(&mut self) {
        if self.is_sampled() {
            self.ended.inc();
        }
    }
}

/// Counts what an exporter sends, and says when it begins to fail and when it is over.
#[derive(Debug)]
struct Counted<E> {
    exporter: E,
    sent: IntCounter,
    fails: AtomicBool,
}

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let sent = self.exporter.export(batch).await;
        match &sent {
            Ok(()) => {
                self.sent.inc_by(count);
                if self.fails.swap(false, Ordering::Relaxed) {
                    tracing::info!("traces.endpoint takes spans again");
                }
            }
            Err(error) => {
                if !self.fails.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, spans = count, "traces.endpoint takes no spans: they are lost");
                }
            }
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
