//! An origin that follows a script, and the actors around it.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anteroom_actors::clock::ManualClock;
use anteroom_actors::error::OriginError;
use anteroom_actors::message::{ActorState, ask};
use anteroom_actors::model::{
    CacheKey, Encoding, Entry, Form, Freshness, Labels, Lifetimes, Verdict, Wants,
};
use anteroom_actors::models::LocalModels;
use anteroom_actors::origin::{Answer, Head, Origin, OriginCall, OriginFactory, Reply};
use anteroom_actors::resolver::{Reader, Resolve};
use anteroom_actors::settings::{
    ConversationSettings, Database, EncodingSettings, FlightSettings, KeepFor, L1Settings,
    MemorySettings, PurgeSettings, SentinelSettings,
};
use anteroom_actors::watchdog::system_probe;
use anteroom_actors::wiring::{MemoryPlan, ModelPlan, Plan, Topology};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::{self, StreamExt};
use tokio::sync::{mpsc, oneshot};

/// Nothing here takes so long; past it something hangs.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Of every answer that is kept.
pub const LIFETIMES: Lifetimes = Lifetimes {
    lifetime: Duration::from_secs(60),
    stale_while_revalidate: Duration::from_secs(60),
    stale_if_error: Duration::from_secs(600),
    keep_to_validate: Duration::ZERO,
    never_stale: false,
};

/// One call as the test leads it: each piece it sends goes out, its drop ends the body.
pub struct Led {
    answer: oneshot::Sender<Result<Said, OriginError>>,
    /// The kept answer that the origin is asked about.
    pub kept: Option<Arc<Entry>>,
}

enum Said {
    Opening(Opening),
    Unchanged(Box<Entry>, bool),
}

struct Opening {
    status: u16,
    shareable: bool,
    verdict: Verdict,
    pieces: mpsc::UnboundedReceiver<Result<Bytes, OriginError>>,
}

/// A body under way.
pub struct Body(mpsc::UnboundedSender<Result<Bytes, OriginError>>);

impl Led {
    /// Sends the head of a stream that will be judged by `verdict`.
    pub fn open(self, shareable: bool, verdict: Verdict) -> Body {
        let (sender, pieces) = mpsc::unbounded_channel();
        self.say(Opening { status: 200, shareable, verdict, pieces });
        Body(sender)
    }

    /// Answers with a status and no body.
    pub fn answer_status(self, status: u16) {
        let (_sender, pieces) = mpsc::unbounded_channel();
        let verdict = Verdict::Discard("status");
        self.say(Opening { status, shareable: true, verdict, pieces });
    }

    fn say(self, opening: Opening) {
        let _ = self.answer.send(Ok(Said::Opening(opening)));
    }

    /// Calls the kept answer right, from `made_wall_ms` on; `keep` says whether it may be kept on.
    pub fn unchanged(self, made_wall_ms: u64, keep: bool) {
        let kept = self.kept.expect("something is asked about");
        let freshness = Freshness::new(made_wall_ms, Duration::ZERO, LIFETIMES);
        let entry = Box::new(Entry { freshness, ..(*kept).clone() });
        let _ = self.answer.send(Ok(Said::Unchanged(entry, keep)));
    }

    /// Answers whole and well.
    pub fn answer(self, body: &'static str) {
        self.open(true, keep()).send(body);
    }

    /// Brings no answer.
    pub fn fail(self, error: OriginError) {
        let _ = self.answer.send(Err(error));
    }
}

impl Body {
    pub fn send(&self, piece: &'static str) {
        let _ = self.0.send(Ok(Bytes::from_static(piece.as_bytes())));
    }

    pub fn cut(self) {
        let _ = self.0.send(Err(error()));
    }
}

pub fn keep() -> Verdict {
    Verdict::Keep { lifetimes: LIFETIMES, usage: None, age: Duration::ZERO }
}

/// A call for key `number`, of no labels.
pub fn call(number: u8) -> OriginCall {
    OriginCall {
        key: CacheKey::new([number; 32]),
        route: 0,
        upstream: Arc::from("scripted"),
        scope: 0,
        method: "POST".into(),
        target: "/".into(),
        headers: Vec::new(),
        presented: Vec::new(),
        validates: false,
        body: Bytes::new(),
        form: Form::Stream,
        encoding: Encoding::Identity,
        lifetimes: LIFETIMES,
        may_keep: true,
        min_uses: 1,
        labels: Labels::default(),
        model: None,
        trace: Vec::new(),
        apart: None,
    }
}

pub fn error() -> OriginError {
    OriginError::Cut { upstream: "scripted".to_owned(), reason: "test" }
}

struct Scripted {
    calls: mpsc::UnboundedSender<Led>,
    count: Arc<AtomicUsize>,
}

impl Origin for Scripted {
    fn call(
        &self,
        _call: Arc<OriginCall>,
        kept: Option<Arc<Entry>>,
    ) -> LocalBoxFuture<'static, Result<Reply, OriginError>> {
        self.count.fetch_add(1, Ordering::SeqCst);
        let (answer, opening) = oneshot::channel();
        let _ = self.calls.send(Led { answer, kept });
        async move {
            let internal = || OriginError::Internal { upstream: "scripted".to_owned() };
            let opening = match opening.await.map_err(|_| internal())?? {
                Said::Opening(opening) => opening,
                Said::Unchanged(entry, keep) => {
                    return Ok(Reply::Unchanged { entry, keep });
                }
            };
            let Opening { status, shareable, verdict, pieces } = opening;
            let body = stream::unfold(pieces, |mut pieces| async move {
                pieces.recv().await.map(|piece| (piece, pieces))
            });
            Ok(Reply::Answer(Answer {
                head: Head { status, headers: Vec::new(), streamed: true },
                stored_headers: Vec::new(),
                selection: [0; 16],
                shareable,
                body: body.boxed_local(),
                judge: Box::new(move |_body| verdict),
                reshape: None,
            }))
        }
        .boxed_local()
    }
}

/// The actors, and the origin's end of every call.
pub struct Stage {
    pub topology: Topology,
    pub clock: Arc<ManualClock>,
    calls: mpsc::UnboundedReceiver<Led>,
    count: Arc<AtomicUsize>,
}

impl Stage {
    /// Starts the actors with flights as `change` has them, and waits until all are up.
    pub async fn start(change: impl FnOnce(&mut FlightSettings)) -> Self {
        let (sender, calls) = mpsc::unbounded_channel();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        let origin: OriginFactory = Arc::new(move || {
            Rc::new(Scripted { calls: sender.clone(), count: Arc::clone(&counted) })
        });
        let mut flights = FlightSettings {
            level_budget: Duration::from_secs(1),
            l2_timeout: Duration::from_secs(1),
            fetch_threads: 2,
            finish_after_disconnect: Duration::from_secs(60),
            max_orphans: 8,
            max_entry_bytes: 1 << 20,
            window_bytes: 1 << 16,
            reader_timeout: Duration::from_secs(30),
            unshareable_for: Duration::from_secs(60),
            max_unshareable: 16,
            encoding: EncodingSettings::default(),
            replica_lease: Duration::from_secs(5),
            replica_wait: Duration::from_secs(30),
        };
        change(&mut flights);
        let clock = ManualClock::new();
        let topology = Topology::start(Plan {
            l1: L1Settings {
                max_entries: 100,
                max_bytes: 1 << 20,
                residence: Duration::from_secs(300),
            },
            l2: None,
            l3: None,
            conversations: ConversationSettings {
                memory_count: 0,
                memory_bytes: 0,
                // Nobody converses here, and nothing can be made there.
                database: Database::Sqlite("/dev/null/conversations.db".into()),
                max_history: 50,
                max_bytes: 1 << 20,
                lifetime: Duration::from_secs(60),
                timeout: Duration::from_secs(1),
                connect_timeout: Duration::from_secs(1),
            },
            purge: PurgeSettings {
                poll_interval: Duration::from_millis(50),
                record_timeout: Duration::from_secs(1),
                max_labels: 1_000,
                keep_for: KeepFor::new(Duration::from_secs(3_600)),
            },
            memory: MemoryPlan {
                settings: MemorySettings {
                    threshold_bytes: 1 << 40,
                    optimize: true,
                    bounded_bytes: 0,
                    read_every: Duration::from_secs(1),
                    tidy_every: Duration::from_secs(60),
                },
                probe: system_probe(),
                give_back: Arc::new(|| {}),
            },
            models: ModelPlan {
                max_loaded: 1,
                shelf: LocalModels::new(&[]),
                loader: Arc::new(|_| Err("there are none".to_owned())),
            },
            flights,
            warming: None,
            scaler: None,
            sentinel: SentinelSettings {
                interval: Duration::from_millis(50),
                late_after: Duration::from_secs(2),
            },
            origin,
            gates: Vec::new(),
            others: Vec::new(),
            clock: clock.clone(),
        });
        let stage = Self { topology, clock, calls, count };
        let up = async {
            loop {
                if let Ok(health) = stage.topology.observe().await
                    && health.actors.iter().all(|actor| actor.state != ActorState::Restarting)
                {
                    return;
                }
                stage.turn().await;
            }
        };
        within("the actors to be up", up).await;
        stage
    }

    /// Asks for the answer of key `number`.
    pub async fn resolve(&self, number: u8, alone: bool) -> Reader {
        self.resolve_as(number, alone, Wants::default()).await
    }

    /// Asks for the answer of key `number` that `wants` take.
    pub async fn resolve_as(&self, number: u8, alone: bool, wants: Wants) -> Reader {
        let labels =
            Labels { generation: self.topology.purges.generation(), names: Vec::new().into() };
        self.resolve_call(OriginCall { labels, ..call(number) }, alone, wants).await
    }

    /// As [`Self::resolve_as`], of an answer that the origin can be asked about.
    pub async fn validate(&self, number: u8, wants: Wants) -> Reader {
        let labels =
            Labels { generation: self.topology.purges.generation(), names: Vec::new().into() };
        let call = OriginCall { labels, validates: true, ..call(number) };
        self.resolve_call(call, false, wants).await
    }

    /// Asks for the answer to `call` that `wants` take.
    pub async fn resolve_call(&self, call: OriginCall, alone: bool, wants: Wants) -> Reader {
        let call = Arc::new(call);
        let joined = async {
            loop {
                let resolve = Resolve { call: Arc::clone(&call), wants, alone };
                match ask(&self.topology.resolver.resolve, resolve, PATIENCE).await {
                    Ok(joined) => return joined.reader,
                    // Not started yet, or being re-created.
                    Err(_gone) => self.turn().await,
                }
            }
        };
        within("the resolver", joined).await
    }

    /// Waits for the next call of the origin.
    pub async fn next_call(&mut self) -> Led {
        within("a call", self.calls.recv()).await.expect("the origin lives")
    }

    /// Returns how many calls there were.
    pub fn num_calls(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until the counters of the actors say so.
    pub async fn until(&self, actor: &str, counter: &str, value: u64) {
        let seen = async {
            loop {
                let health = self.topology.observe().await;
                if health.is_ok_and(|health| health.counter(actor, counter) == value) {
                    return;
                }
                self.turn().await;
            }
        };
        within(&format!("{actor}'s {counter} to be {value}"), seen).await;
    }

    /// Lets the other threads and tasks go on.
    pub async fn turn(&self) {
        std::thread::yield_now();
        tokio::task::yield_now().await;
    }
}

/// Waits, but not for ever.
pub async fn within<T>(what: &str, awaited: impl Future<Output = T>) -> T {
    let awaited = tokio::time::timeout(PATIENCE, awaited).await;
    awaited.unwrap_or_else(|_late| panic!("waited in vain for {what}"))
}

/// Reads a body to its end.
pub async fn read(reader: &mut Reader) -> (String, Option<OriginError>) {
    let mut body = String::new();
    while let Some(piece) = within("a piece", reader.next()).await {
        match piece {
            Ok(piece) => body.push_str(std::str::from_utf8(&piece).expect("text")),
            Err(error) => return (body, Some(error)),
        }
    }
    (body, None)
}
