//! The gate in front of the calls to one origin: so many at once, the others in line.
//!
//! Who leads the line is fair: users in the order they came, and only then what is done behind their
//! backs. The line is bounded, and nobody stands in it for longer than the settings say. A place is
//! given back when it is dropped, and so is a place in line, in whatever way its holder leaves.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{CallCounts, CallEnd, Caller};

/// Fewest calls that are told of together; more where more are under way, so that a round is about one
/// generation of calls: those that a change of the limit found under way end in the next.
const LEAST_TOLD: u32 = 20;

/// What bounds the calls to one origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateSettings {
    /// The least limit.
    pub least: u32,
    /// The largest limit, where it begins.
    pub most: u32,
    /// Longest time in line; zero = there is none.
    pub wait: Duration,
    /// Most calls in line.
    pub queue: usize,
    /// Whether all calls go out with one credential, the gateway's own.
    pub one_credential: bool,
}

/// Told what calls said, each time there is enough of it. Called on any thread, outside of locks; must
/// not wait.
pub type TellCalls = Arc<dyn Fn(&Arc<str>, CallCounts) + Send + Sync>;

/// A call does not get a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("as many calls are under way as the origin takes, and as many wait as may")]
pub struct NoPlace {
    /// When another try may help.
    pub retry_after: Duration,
}

/// How a gate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateReport {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// Most calls at once, now.
    pub limit: u32,
    /// Calls under way.
    pub under_way: u32,
    /// Calls in line: of users, and in the background.
    pub waiting: [usize; 2],
    /// Calls that had to wait.
    pub waits: u64,
    /// Calls that got no place: the line was full.
    pub refused_full: u64,
    /// Calls that got no place in time.
    pub refused_late: u64,
    /// Its bounds.
    pub settings: GateSettings,
}

impl GateReport {
    /// Returns how many calls of users are in line.
    pub fn users_waiting(&self) -> u64 {
        let [users, _background] = self.waiting;
        u64::try_from(users).unwrap_or(u64::MAX)
    }

    /// Returns how many calls are in line.
    pub fn waiting_now(&self) -> u64 {
        u64::try_from(self.waiting.iter().sum::<usize>()).unwrap_or(u64::MAX)
    }
}

/// The gate of one origin. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct CallGate {
    shared: Arc<Shared>,
}

struct Shared {
    upstream: Arc<str>,
    settings: GateSettings,
    inner: Mutex<Inner>,
    tell: TellCalls,
}

struct Inner {
    limit: u32,
    under_way: u32,
    next: u64,
    users: VecDeque<Waiting>,
    background: VecDeque<Waiting>,
    counts: CallCounts,
    waits: u64,
    refused_full: u64,
    refused_late: u64,
}

/// One in line. Numbers grow, so that a line is sorted by them.
struct Waiting {
    number: u64,
    credential: Option<u64>,
    granted: oneshot::Sender<CallPlace>,
}

enum Entered {
    At(CallPlace),
    InLine(u64, oneshot::Receiver<CallPlace>),
    Refused,
}

impl CallGate {
    /// Creates a gate that lets the most through.
    pub fn new(upstream: Arc<str>, settings: GateSettings, tell: TellCalls) -> Self {
        let least = settings.least.max(1);
        let settings = GateSettings { least, most: settings.most.max(least), ..settings };
        let inner = Inner {
            limit: settings.most,
            under_way: 0,
            next: 0,
            users: VecDeque::new(),
            background: VecDeque::new(),
            counts: CallCounts::default(),
            waits: 0,
            refused_full: 0,
            refused_late: 0,
        };
        Self { shared: Arc::new(Shared { upstream, settings, inner: Mutex::new(inner), tell }) }
    }

    /// Returns a place for a call with `credential`, zero where it is one of several that are not told
    /// apart, waiting for it in line.
    ///
    /// # Errors
    ///
    /// [`NoPlace`] when there is none in time, or the line is full.
    pub async fn enter(&self, caller: Caller, credential: u64) -> Result<CallPlace, NoPlace> {
        let known = (credential != 0).then_some(credential);
        let credential = if self.shared.settings.one_credential { Some(0) } else { known };
        let (number, granted) = match self.line_up(caller, credential) {
            Entered::At(place) => return Ok(place),
            Entered::InLine(number, granted) => (number, granted),
            Entered::Refused => return Err(self.no_place()),
        };
        let _in_line = InLine { gate: self, caller, number };
        match tokio::time::timeout(self.shared.settings.wait, granted).await {
            Ok(Ok(place)) => Ok(place),
            // A user has taken its place in line.
            Ok(Err(_dropped)) => Err(self.no_place()),
            Err(_late) => {
                self.shared.inner.lock().refused_late += 1;
                Err(self.no_place())
            }
        }
    }

    /// Changes the limit, within its bounds. Calls under way stay.
    pub fn set_limit(&self, limit: u32) {
        let GateSettings { least, most, .. } = self.shared.settings;
        self.shared.inner.lock().limit = limit.clamp(least, most);
        self.serve_the_line();
    }

    /// Returns its bounds.
    pub fn settings(&self) -> &GateSettings {
        &self.shared.settings
    }

    /// Returns the limit.
    pub fn limit(&self) -> u32 {
        self.shared.inner.lock().limit
    }

    /// Returns how it is.
    pub fn report(&self) -> GateReport {
        let inner = self.shared.inner.lock();
        GateReport {
            upstream: Arc::clone(&self.shared.upstream),
            limit: inner.limit,
            under_way: inner.under_way,
            waiting: [inner.users.len(), inner.background.len()],
            waits: inner.waits,
            refused_full: inner.refused_full,
            refused_late: inner.refused_late,
            settings: self.shared.settings,
        }
    }

    fn no_place(&self) -> NoPlace {
        // By then those in line are through, or gone.
        NoPlace { retry_after: self.shared.settings.wait.max(Duration::from_secs(1)) }
    }

    fn line_up(&self, caller: Caller, credential: Option<u64>) -> Entered {
        let mut inner = self.shared.inner.lock();
        if inner.is_free_for(caller) {
            inner.under_way += 1;
            drop(inner);
            return Entered::At(self.place(credential));
        }
        let GateSettings { queue, wait, .. } = self.shared.settings;
        let is_full = wait.is_zero() || inner.waiting() >= queue;
        let displaced = match caller {
            Caller::User if is_full => inner.background.pop_back(),
            Caller::User | Caller::Background => None,
        };
        if is_full {
            inner.refused_full += 1;
            if displaced.is_none() {
                return Entered::Refused;
            }
        }
        inner.waits += 1;
        let number = inner.next;
        inner.next += 1;
        let (granted, receiver) = oneshot::channel();
        inner.line_of(caller).push_back(Waiting { number, credential, granted });
        drop(inner);
        drop(displaced);
        Entered::InLine(number, receiver)
    }

    fn place(&self, credential: Option<u64>) -> CallPlace {
        CallPlace { gate: self.clone(), credential }
    }

    /// Lets in those who lead the line, as far as there are places. A place that nobody waits for any more
    /// comes back by its drop, outside of the lock.
    fn serve_the_line(&self) {
        loop {
            let mut inner = self.shared.inner.lock();
            if inner.under_way >= inner.limit {
                return;
            }
            let first = inner.users.pop_front();
            let Some(first) = first.or_else(|| inner.background.pop_front()) else { return };
            inner.under_way += 1;
            drop(inner);
            let _ = first.granted.send(self.place(first.credential));
        }
    }
}

impl Inner {
    fn waiting(&self) -> usize {
        self.users.len() + self.background.len()
    }

    /// Tells whether one may go at once: there is a place, and nobody before it in line.
    fn is_free_for(&self, caller: Caller) -> bool {
        let is_first = match caller {
            Caller::User => self.users.is_empty(),
            Caller::Background => self.waiting() == 0,
        };
        is_first && self.under_way < self.limit
    }

    const fn line_of(&mut self, caller: Caller) -> &mut VecDeque<Waiting> {
        match caller {
            Caller::User => &mut self.users,
            Caller::Background => &mut self.background,
        }
    }
}

/// Takes one out of the line when it leaves.
struct InLine<'g> {
    gate: &'g CallGate,
    caller: Caller,
    number: u64,
}

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        let mut inner = self.gate.shared.inner.lock();
        let line = inner.line_of(self.caller);
        let left = match line.binary_search_by_key(&self.number, |waiting| waiting.number) {
            Ok(at) => line.remove(at),
            Err(_granted) => None,
        };
        drop(inner);
        drop(left);
    }
}

/// A call under way; dropped at its end.
pub struct CallPlace {
    gate: CallGate,
    credential: Option<u64>,
}

impl CallPlace {
    /// Notes how the call went. Once a call, when its answer's head is there or will not come.
    pub fn note(&self, end: CallEnd) {
        let shared = &self.gate.shared;
        let mut inner = shared.inner.lock();
        let under_way = inner.under_way;
        inner.counts.add(end, self.credential, under_way);
        let is_enough = inner.counts.calls() >= LEAST_TOLD.max(inner.counts.most_under_way);
        let told = is_enough.then(|| std::mem::take(&mut inner.counts));
        drop(inner);
        if let Some(counts) = told {
            (shared.tell)(&shared.upstream, counts);
        }
    }
}

impl fmt::Debug for CallPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallPlace")
    }
}

impl Drop for CallPlace {
    fn drop(&mut self) {
        {
            let mut inner = self.gate.shared.inner.lock();
            inner.under_way = inner.under_way.saturating_sub(1);
            if inner.waiting() == 0 {
                return;
            }
        }
        self.gate.serve_the_line();
    }
}

/// The gates of all origins that have one, by name. Cheap to clone.
#[derive(Clone, Default)]
pub struct CallGates {
    all: Arc<BTreeMap<Arc<str>, CallGate>>,
}

impl CallGates {
    /// Creates a gate for each of `upstreams`.
    pub fn new(upstreams: Vec<(Arc<str>, GateSettings)>, tell: &TellCalls) -> Self {
        let gates = upstreams.into_iter().map(|(name, settings)| {
            let gate = CallGate::new(Arc::clone(&name), settings, Arc::clone(tell));
            (name, gate)
        });
        Self { all: Arc::new(gates.collect()) }
    }

    /// Returns the gate of an upstream; nothing where its calls are not limited.
    pub fn get(&self, upstream: &str) -> Option<&CallGate> {
        self.all.get(upstream)
    }

    /// Returns all gates, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &CallGate)> {
        self.all.iter()
    }
}

impl fmt::Debug for CallGates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all.values().map(CallGate::report)).finish()
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
