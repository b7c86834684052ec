//! Where answers come from, and whether an answer may be kept.
//!
//! * [`spec`]: what an upstream is; [`from_settings`]: as the settings say it; [`prepared`]:
//!   checked and parsed.
//! * [`origin`]: the [`anteroom_actors::origin::Origin`] of the fetch threads.
//! * [`forward`]: uncached calls, streamed both ways on the worker's own thread.
//! * [`builtin`]: the model that is built in.
//! * [`verdict`]: may this answer be kept? `policy`: the route's word on it; [`sse`]: its events.
//! * `client`, `connect`, `wire`, `upload`, `body`: HTTP/1.1 by awc, held to RFC 9112.
//! * `tries`: a call as one or several tries. `breaker`: when an upstream is left alone; `retry`:
//!   when a request is sent again; `standing`: what the threads share about an upstream.
//! * [`trace`]: the trace a call is a part of; [`Collector`]: where traces are sent.
//! * [`billing`]: what a call has cost. `headers`: which headers cross, and which a stored copy keeps.

pub mod billing;
mod body;
mod breaker;
pub mod builtin;
mod call_span;
mod client;
mod collector;
mod connect;
mod failure;
pub mod forward;
pub mod from_settings;
mod head;
mod headers;
pub mod heeding;
pub mod origin;
mod policy;
pub mod prepared;
mod proxy;
mod retry;
pub mod spec;
pub mod sse;
mod standing;
mod tls;
pub mod trace;
mod tries;
mod upload;
pub mod verdict;
mod wire;

pub use collector::Collector;
pub use forward::{Forward, Forwarded, Forwarder};
pub use from_settings::UpstreamError;
pub use policy::AnswerPolicy;
pub use prepared::Upstreams;

#[cfg(test)]
mod tests;
