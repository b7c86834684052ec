//! Carrying one call from the origin into its flight, on a fetching thread.

use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, select};
use futures_util::stream::StreamExt;

use super::encoder;
use super::fetch_actor::Fallback;
use super::flight::{InsteadOf, Kept};
use super::writer::FlightWriter;
use crate::clock::SharedClock;
use crate::error::OriginError;
use crate::model::{
    Alike, CallEnd, CallGates, CallPlace, Caller, Entry, Form, Freshness, Header, Headers,
    MemoryBudget, NoPlace, Verdict,
};
use crate::origin::{Answer, Apart, Origin, OriginCall, Reply, Reshape};
use crate::settings::FlightSettings;

/// Bodies from this size on are reshaped on another thread: it takes about a nanosecond a byte and
/// more, for which this thread's other calls would wait.
const RESHAPE_ELSEWHERE_FROM: usize = 128 * 1024;

/// What a fetching thread lends to its calls.
#[derive(Clone)]
pub(super) struct Fetching {
    pub(super) origin: Rc<dyn Origin>,
    pub(super) settings: Rc<FlightSettings>,
    pub(super) clock: SharedClock,
    /// What answers under way may hold.
    pub(super) budget: MemoryBudget,
    /// How many calls each origin gets at once.
    pub(super) gates: CallGates,
    /// Calls that go on without readers.
    pub(super) orphans: Rc<Cell<usize>>,
    /// Headers of answers that are kept.
    pub(super) headers: Rc<RefCell<Alike<Headers>>>,
}

/// How a call ended that did not fail.
pub(super) enum Landing {
    /// With a whole answer, judged; `entries` are what is kept of it.
    Whole { whole: Option<Bytes>, kept: Kept, entries: Vec<Arc<Entry>> },
    /// With an answer in whose place the kept one is served.
    Instead(InsteadOf),
    /// The kept answer is still right; this is it, with its new life, and whether it is kept on.
    Unchanged(Arc<Entry>, bool),
}

/// Returns a place among the origin's calls, waiting for it in line; nothing where they are not limited. A
/// call that nobody waits for any more leaves the line; one that was made in the background and that
/// somebody joins is a user's from then on.
///
/// # Errors
///
/// [`OriginError::Overloaded`] when there is none in time, [`OriginError::Abandoned`] when everybody left.
pub(super) async fn place(
    call: &OriginCall,
    caller: Caller,
    writer: &FlightWriter,
    gates: &CallGates,
) -> Result<Option<CallPlace>, OriginError> {
    let Some(gate) = gates.get(&call.upstream) else { return Ok(None) };
    if caller == Caller::Background {
        let entering = pin!(gate.enter(caller, call.scope));
        // Who follows is asked for first: one who has joined by now is not refused as the background is.
        match select(pin!(writer.until_followed()), entering).await {
            Either::Left(((), _)) => {}
            Either::Right((place, _)) => {
                return place.map(Some).map_err(|full| no_place(call, full));
            }
        }
    }
    let entering = pin!(gate.enter(Caller::User, call.scope));
    match select(entering, pin!(writer.until_deserted())).await {
        Either::Left((place, _)) => place.map(Some).map_err(|full| no_place(call, full)),
        Either::Right(((), _)) => Err(abandoned(call)),
    }
}

fn no_place(call: &OriginCall, full: NoPlace) -> OriginError {
    let (upstream, retry_after) = (call.upstream.to_string(), full.retry_after);
    OriginError::Overloaded { upstream, retry_after }
}

/// Calls the origin and passes its answer on as it comes. Where the origin answers with a status that
/// speaks of its trouble and `fallback` may stand in, that answer is dropped.
///
/// # Errors
///
/// What the origin failed with, or [`OriginError::Abandoned`] when everybody left and finishing
/// the call is not allowed or took too long.
pub(super) async fn carry(
    call: &Arc<OriginCall>,
    fallback: Option<&Fallback>,
    writer: &FlightWriter,
    (fetching, place): (&Fetching, Option<CallPlace>),
    on_unshareable: impl FnOnce(),
) -> Result<Landing, OriginError> {
    let carried = pin!(carry_all(call, fallback, writer, (fetching, place), on_unshareable));
    let given_up = pin!(given_up(writer, fetching));
    match select(carried, given_up).await {
        Either::Left((landing, _)) => landing,
        Either::Right(((), _)) => Err(abandoned(call)),
    }
}

async fn carry_all(
    call: &Arc<OriginCall>,
    fallback: Option<&Fallback>,
    writer: &FlightWriter,
    (fetching, place): (&Fetching, Option<CallPlace>),
    on_unshareable: impl FnOnce(),
) -> Result<Landing, OriginError> {
    let started = fetching.clock.now();
    let kept = fallback.map(|fallback| Arc::clone(&fallback.entry));
    let reply = fetching.origin.call(Arc::clone(call), kept).await;
    let waited = fetching.clock.now().duration_since(started);
    if let Some(place) = &place {
        place.note(end_of(&reply, waited));
    }
    let reply = reply?;
    writer.time(|timings| timings.upstream = Some(waited));

    let answer = match reply {
        Reply::Answer(answer) => answer,
        Reply::Unchanged { entry, keep } => {
            return Ok(Landing::Unchanged(Arc::from(entry), keep && call.may_keep));
        }
    };
    let Answer { head, stored_headers, selection, shareable, mut body, judge, reshape } = answer;
    let status = head.status;
    if let Some(fallback) = fallback.filter(|fallback| fallback.stands_in)
        && speaks_of_trouble(status)
    {
        let instead_of = fallback.instead_of("status", Some(status), fetching.clock.wall_ms());
        return Ok(Landing::Instead(instead_of));
    }
    let streamed = head.streamed;
    if !shareable {
        on_unshareable();
    }
    writer.account_to(&fetching.budget);
    writer.open(head, shareable);
    let settings = settings_for(call, &fetching.settings);
    while let Some(piece) = body.next().await {
        let pushed = writer.push(piece?, &settings).await;
        pushed.map_err(|_nobody_reads| abandoned(call))?;
    }

    // The origin is done with it.
    drop(place);
    let took = fetching.clock.now().duration_since(started);
    writer.time(|timings| timings.whole = Some(took));
    let Some(whole) = writer.whole() else {
        return Ok(Landing::Whole {
            whole: None,
            kept: Kept::Not(writer.only_passes_on().unwrap_or("too-large")),
            entries: Vec::new(),
        });
    };
    // Asked in any case: the origin takes down there what the call cost.
    let judged = judge(&whole);
    if let Verdict::Keep { usage, .. } = &judged {
        writer.time(|timings| timings.usage = *usage);
    }
    let verdict = if !call.may_keep {
        Verdict::Discard("no-store")
    } else if !shareable {
        Verdict::Discard("not-shareable")
    } else {
        judged
    };
    let made = Entry {
        key: call.key,
        status,
        headers: alike(stored_headers, &fetching.headers),
        form: if streamed { Form::Stream } else { Form::Object },
        freshness: Freshness { made_wall_ms: fetching.clock.wall_ms(), ..Freshness::default() },
        selection,
        min_uses: call.min_uses,
        labels: call.labels.clone(),
        model: call.model.clone(),
        upstream_latency: took,
        ..Entry::default()
    };
    // What readers have seen already stays as it was.
    let whole = if streamed { whole } else { reshaped(whole, reshape).await };
    let landing = landing(made, whole, verdict, call.apart.as_ref());
    if let Landing::Whole { entries, .. } = &landing {
        for entry in entries {
            encoder::tag(entry).await;
        }
    }
    Ok(landing)
}

/// Returns the headers as answers before this one have them, where they do; in the order of their names, as
/// each map that headers come in has an order of its own.
fn alike(mut headers: Vec<Header>, known: &RefCell<Alike<Headers>>) -> Headers {
    headers.sort_by(|one, other| one.name.cmp(&other.name));
    known.borrow_mut().one(headers.into())
}

async fn reshaped(whole: Bytes, reshape: Option<Reshape>) -> Bytes {
    let Some(reshape) = reshape else { return whole };
    if whole.len() < RESHAPE_ELSEWHERE_FROM {
        return reshape(&whole).unwrap_or(whole);
    }
    let body = whole.clone();
    let reshaped = tokio::task::spawn_blocking(move || reshape(&body)).await;
    reshaped.ok().flatten().unwrap_or(whole)
}

/// Returns the bounds of `call`: an answer that is kept in parts may be larger than each of them.
fn settings_for(call: &OriginCall, settings: &Rc<FlightSettings>) -> Rc<FlightSettings> {
    let Some(apart) = &call.apart else { return Rc::clone(settings) };
    let max_entry_bytes = settings.max_entry_bytes.max(apart.max_bytes());
    Rc::new(FlightSettings { max_entry_bytes, ..FlightSettings::clone(settings) })
}

/// Returns what a call says of the origin's load. How fast it turns a request down says nothing.
fn end_of(reply: &Result<Reply, OriginError>, waited: Duration) -> CallEnd {
    match reply {
        Ok(Reply::Answer(answer)) if answer.head.status < 300 => CallEnd::Answered(waited),
        Ok(Reply::Answer(answer)) => load_of(answer.head.status),
        Ok(Reply::Unchanged { .. }) => CallEnd::Other,
        Err(OriginError::TimedOut { .. }) => CallEnd::Refused,
        Err(_) => CallEnd::Other,
    }
}

/// Returns what the status of a refusal says of the origin's load.
pub const fn load_of(status: u16) -> CallEnd {
    match status {
        429 => CallEnd::Limited,
        503 | 504 | 529 => CallEnd::Refused,
        _ => CallEnd::Other,
    }
}

/// Tells whether a status means that the origin could not answer now (RFC 5861 §4), rather than
/// that it answered.
pub const fn speaks_of_trouble(status: u16) -> bool {
    matches!(status, 429 | 500 | 502 | 503 | 504 | 529)
}

fn landing(made: Entry, whole: Bytes, verdict: Verdict, apart: Option<&Apart>) -> Landing {
    match verdict {
        Verdict::Discard(reason) => {
            Landing::Whole { whole: Some(whole), kept: Kept::Not(reason), entries: Vec::new() }
        }
        Verdict::Keep { lifetimes, usage, age } => {
            let entry = Entry {
                body: whole.clone(),
                freshness: Freshness::new(made.freshness.made_wall_ms, age, lifetimes),
                usage,
                ..made
            };
            let entries = match apart {
                Some(apart) => apart.take(&entry),
                None => vec![entry],
            };
            let kept = match entries.as_slice() {
                [] => Kept::Not("inseparable"),
                _ => Kept::For(lifetimes.lifetime.saturating_sub(age)),
            };
            let entries = entries.into_iter().map(Arc::new).collect();
            Landing::Whole { whole: Some(whole), kept, entries }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_headers_are_one_in_whatever_order_they_came() {
        let header = |name: &str, value: &'static str| Header {
            name: name.into(),
            value: Bytes::from_static(value.as_bytes()),
        };
        let known = RefCell::default();
        let one =
            alike(vec![header("server", "a"), header("link", "1"), header("link", "2")], &known);
        let other =
            alike(vec![header("link", "1"), header("link", "2"), header("server", "a")], &known);
        assert!(Arc::ptr_eq(&one, &other));
        let names: Vec<_> = one.iter().map(|header| &*header.name).collect();
        assert_eq!(names, ["link", "link", "server"]);
        let turned =
            alike(vec![header("link", "2"), header("link", "1"), header("server", "a")], &known);
        assert!(!Arc::ptr_eq(&one, &turned), "of one name their order counts");
    }
}
