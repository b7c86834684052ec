//! Carrying one call from the origin into its flight, on a fetching thread.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::StreamExt;

use super::flight::{FlightWriter, Kept};
use crate::clock::SharedClock;
use crate::error::OriginError;
use crate::model::{Entry, Freshness, Header, Verdict};
use crate::origin::{Answer, Origin, OriginCall};
use crate::settings::FlightSettings;

/// What a fetching thread lends to its calls.
#[derive(Clone)]
pub(super) struct Fetching {
    pub(super) origin: Rc<dyn Origin>,
    pub(super) settings: Rc<FlightSettings>,
    pub(super) clock: SharedClock,
    /// Calls that go on without readers.
    pub(super) orphans: Rc<Cell<usize>>,
}

/// A whole answer, judged.
pub(super) struct Landing {
    pub(super) whole: Option<Bytes>,
    pub(super) kept: Kept,
    pub(super) entry: Option<Arc<Entry>>,
}

/// Calls the origin and passes its answer on as it comes.
///
/// # Errors
///
/// What the origin failed with, or [`OriginError::Abandoned`] when everybody left and finishing
/// the call is not allowed or took too long.
pub(super) async fn carry(
    call: &Arc<OriginCall>,
    writer: &FlightWriter,
    fetching: &Fetching,
    on_unshareable: impl FnOnce(),
) -> Result<Landing, OriginError> {
    let carried = pin!(carry_all(call, writer, fetching, on_unshareable));
    let given_up = pin!(given_up(writer, fetching));
    match select(carried, given_up).await {
        Either::Left((landing, _)) => landing,
        Either::Right(((), _)) => Err(abandoned(call)),
    }
}

async fn carry_all(
    call: &Arc<OriginCall>,
    writer: &FlightWriter,
    fetching: &Fetching,
    on_unshareable: impl FnOnce(),
) -> Result<Landing, OriginError> {
    let started = fetching.clock.now();
    let answer = fetching.origin.call(Arc::clone(call)).await?;
    let waited = fetching.clock.now().duration_since(started);
    writer.time(|timings| timings.upstream = Some(waited));

    let Answer { head, stored_headers, shareable, mut body, judge } = answer;
    let status = head.status;
    if !shareable {
        on_unshareable();
    }
    writer.open(head, shareable);
    while let Some(piece) = body.next().await {
        let pushed = writer.push(piece?, &fetching.settings).await;
        pushed.map_err(|_nobody_reads| abandoned(call))?;
    }

    let took = fetching.clock.now().duration_since(started);
    let Some(whole) = writer.whole() else {
        return Ok(Landing { whole: None, kept: Kept::Not("too-large"), entry: None });
    };
    let verdict = if shareable { judge(&whole) } else { Verdict::Discard("not-shareable") };
    let wall_ms = fetching.clock.wall_ms();
    Ok(landing(call, status, stored_headers, whole, verdict, took, wall_ms))
}

fn landing(
    call: &OriginCall,
    status: u16,
    headers: Vec<Header>,
    whole: Bytes,
    verdict: Verdict,
    upstream_latency: Duration,
    made_wall_ms: u64,
) -> Landing {
    match verdict {
        Verdict::Discard(reason) => {
            Landing { whole: Some(whole), kept: Kept::Not(reason), entry: None }
        }
        Verdict::Keep { lifetime, usage } => {
            let entry = Arc::new(Entry {
                key: call.key,
                status,
                headers,
                body: whole.clone(),
                freshness: Freshness { made_wall_ms, lifetime },
                usage,
                upstream_latency,
            });
            Landing { whole: Some(whole), kept: Kept::For(lifetime), entry: Some(entry) }
        }
    }
}

fn abandoned(call: &OriginCall) -> OriginError {
    OriginError::Abandoned { upstream: call.upstream.to_string() }
}

/// Resolves when nobody reads and the call is not worth finishing: too many go on without
/// readers already, or this one has for too long.
async fn given_up(writer: &FlightWriter, fetching: &Fetching) {
    loop {
        writer.until_deserted().await;
        if fetching.orphans.get() >= fetching.settings.max_orphans {
            return;
        }
        let _orphan = Orphan::enter(&fetching.orphans);
        let grace = fetching.settings.finish_after_disconnect;
        if tokio::time::timeout(grace, writer.until_read()).await.is_err() {
            return;
        }
    }
}

/// One call without readers, counted while this lives.
struct Orphan<'a>(&'a Cell<usize>);

impl<'a> Orphan<'a> {
    fn enter(count: &'a Cell<usize>) -> Self {
        count.set(count.get() + 1);
        Self(count)
    }
}

impl Drop for Orphan<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
