//! The collector of traces, called by the thread that sends them, which may wait.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use anteroom_actors::clock::SharedClock;
use anteroom_actors::error::OriginError;
use awc::http::Method;
use bytes::{Bytes, BytesMut};
use futures_util::stream::StreamExt as _;
use opentelemetry_http::{HttpError, Request, Response};

use super::client::{Bounds, HttpClient, Outgoing};
use super::headers::{self, Passage};
use super::prepared::Endpoint;
use super::spec::{HttpSpec, SpecError};
use super::upload::Upload;
use super::wire::CallState;

/// Where spans go, below the base URL (OTLP/HTTP).
const TARGET: &str = "/v1/traces";

/// Largest answer of a collector: it says how many spans it did not want, and why.
const MOST_ANSWER_BYTES: u64 = 64 * 1024;

/// A collector.
pub struct Collector {
    endpoint: Arc<Endpoint>,
    clock: SharedClock,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.endpoint.fmt(f)
    }
}

impl Collector {
    /// Checks and parses `spec`.
    ///
    /// # Errors
    ///
    /// A URL, header or certificate bundle that cannot be used.
    pub fn prepare(spec: &HttpSpec, clock: SharedClock) -> Result<Self, SpecError> {
        Ok(Self { endpoint: Arc::new(Endpoint::prepare("traces".into(), spec)?), clock })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, OriginError> {
        let endpoint = &self.endpoint;
        let internal = || OriginError::Internal { upstream: endpoint.name.to_string() };
        let (head, body) = request.into_parts();
        let pairs = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let outgoing = Outgoing {
            method: Method::POST,
            uri: endpoint.uri(TARGET).ok_or_else(internal)?,
            headers: headers::for_request(endpoint, pairs, Passage::Keyed).ok_or_else(internal)?,
        };
        let client = HttpClient::new(Arc::clone(endpoint), Arc::clone(&self.clock), None);
        let bounds = Bounds {
            max_bytes: MOST_ANSWER_BYTES,
            total: endpoint.limits.total_timeout,
            head: None,
            resends: 0,
        };
        let call = Rc::new(CallState::default());
        let upload = Upload::whole(body, &outgoing.method, Rc::clone(&call));
        let sent = client.send(&outgoing, upload, call, bounds).await;
        let mut reply = sent.map_err(|failed| failed.error)?;
        let mut answer = BytesMut::new();
        while let Some(piece) = reply.body.next().await {
            answer.extend_from_slice(&piece?);
        }
        let mut response = Response::builder().status(reply.status);
        for (name, value) in &reply.headers {
            response = response.header(name.as_str(), value.as_bytes());
        }
        response.body(answer.freeze()).map_err(|_| internal())
    }
}

impl opentelemetry_http::HttpClient for Collector {
    fn send_bytes<'c, 'f>(
        &'c self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'c: 'f,
        Self: 'f,
    {
        let runtime = actix_rt::Runtime::new();
        let sent = match runtime {
            Ok(runtime) => runtime.block_on(self.send(request)).map_err(HttpError::from),
            Err(error) => Err(HttpError::from(error)),
        };
        Box::pin(ready(sent))
    }
}
