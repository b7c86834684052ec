//! Start order, the wait for a signal, stop order.

mod readiness;
mod running;
mod signals;
mod start;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use anteroom_actors::clock::{SharedClock, SystemClock};
use anteroom_actors::warming::WarmingPlan;
use anteroom_actors::watchdog::system_probe;
use anteroom_actors::wiring::{MemoryPlan, ModelPlan, Plan, ScalerPlan, Topology, Ward};
use parking_lot::Mutex;
use tokio::signal::unix::Signal;

use self::running::Running;
use self::signals::Signals;
pub use self::start::{Start, StartError};
use crate::explain::{HashKey, Sketches};
use crate::file_limit;
use crate::give_back::give_back;
use crate::http::admission::Admission;
use crate::http::connections::Connections;
use crate::http::gateway::Gateway;
use crate::http::handlers::unasked::{self, CriticalError};
use crate::http::in_force::{Current, InForce, Makings};
use crate::http::live::Live;
use crate::http::revoked::Revoked;
use crate::http::sent_entries::SentEntries;
use crate::http::server::{AnswerError, Servers};
use crate::http::shape::redact::RedactError;
use crate::http::tls::{Certificate, TlsError};
use crate::http::warming::AroundWarming;
use crate::http::workload::Workers;
use crate::listening::{ListenError, Listeners};
use crate::reload::{self, Reach, Reloads};
use crate::savings::{Book, PriceError};
use crate::scope_secret::{self, NoRandomness, Obtained};
use crate::settings::{Loaded, Settings, Taken};
use crate::supervisor::Supervisor;
use crate::telemetry::{
    AccessLog, Metrics, RecorderActor, RecorderHandle, Spans, TracesError, Verbosity,
};
use crate::tokens::{self, TokenCounter};
use crate::upstream::billing::Billing;
use crate::upstream::origin::Reshaping;
use crate::upstream::spec::SpecError;
use crate::upstream::{Collector, UpstreamError, Upstreams, from_settings, origin};

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// What answers on them.
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// An upstream.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// The certificate of the API listener.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// TLS itself.
    #[error("failed to set up TLS: {0}")]
    TlsSetup(#[from] rustls::Error),
    /// What is declared sensitive.
    #[error("response.redact cannot be used: {0}")]
    Redact(#[from] RedactError),
    /// The metrics.
    #[error("failed to register a metric: {0}")]
    Metrics(String),
    /// What traces requests.
    #[error("failed to trace requests: {0}")]
    Traces(#[from] TracesError),
    /// The prices.
    #[error(transparent)]
    Prices(#[from] PriceError),
    /// The secret.
    #[error(transparent)]
    Secret(#[from] NoRandomness),
    /// A request that is to be kept ready.
    #[error(transparent)]
    Critical(#[from] CriticalError),
    /// The system.
    #[error("failed to {what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's words.
        source: std::io::Error,
    },
}

impl From<SpecError> for ServeError {
    fn from(error: SpecError) -> Self {
        Self::Upstream(error.into())
    }
}

/// Serves until a signal to stop, then ends in order: no new connections, requests finish, flights
/// land, writes reach their levels. A second signal ends the process at once. On SIGUSR2 another process
/// takes over first.
///
/// # Errors
///
/// What keeps the gateway from starting.
pub async fn serve(loaded: Loaded, verbosity: Verbosity, start: Start) -> Result<(), ServeError> {
    let mut signals = Signals::listen()?;
    let (mut restarts, hangups) = (Signals::restarts()?, Signals::hangups()?);
    let mut running = tokio::select! {
        running = begin(loaded, verbosity, start, hangups) => running?,
        () = signals.next() => {
            tracing::info!("stopped before it answered");
            return Ok(());
        }
    };
    running.serve(&mut signals, &mut restarts).await;
    Ok(())
}

/// Starts what serves; says so to whom it may concern.
async fn begin(
    loaded: Loaded,
    verbosity: Verbosity,
    start: Start,
    hangups: Signal,
) -> Result<Running, ServeError> {
    let settings = &loaded.settings;
    file_limit::raise(settings);
    let certificate = match settings.server.tls.files() {
        Some((cert_file, key_file)) => Some(Certificate::load(cert_file, key_file)?),
        None => None,
    };
    let tls = certificate.as_ref().map(Certificate::server_config).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let taken = start.taken();
    let listeners = Listeners::open(settings, start.given)?;
    let gateway = assemble(loaded, verbosity, taken).await?;
    readiness::ready(&gateway).await;
    let servers = Servers::start(&gateway, listeners, recall_key()?, tls)?;
    #[expect(clippy::disallowed_methods, reason = "nothing is lost when the process ends them")]
    {
        if let Some(certificate) = certificate {
            actix_web::rt::spawn(certificate.follow());
        }
        actix_web::rt::spawn(reload::follow(Arc::clone(&gateway.reloads), hangups));
    }
    servers.announce(scheme);
    let supervisor = Supervisor::at(&start.told.notify_socket);
    let mut predecessor = start.predecessor;
    match &mut predecessor {
        // It knows the service manager, which does not know this process yet.
        Some(predecessor) => {
            if let Err(error) = predecessor.may_go() {
                tracing::warn!(%error, "the process before this one has gone already");
            }
        }
        None => supervisor.ready(),
    }
    Ok(Running { gateway, servers, supervisor, predecessor, command: start.told.command })
}

/// Returns a key that lives as long as the process.
fn recall_key() -> Result<[u64; 4], NoRandomness> {
    let bytes = scope_secret::random()?;
    let mut key = [0; 4];
    for (word, bytes) in key.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    Ok(key)
}

/// Starts the actors and puts together what the workers share.
async fn assemble(
    loaded: Loaded,
    verbosity: Verbosity,
    taken: Taken,
) -> Result<Arc<Gateway>, ServeError> {
    let Loaded { settings, sources, file } = loaded;
    let clock: SharedClock = Arc::new(SystemClock);
    let routes: Vec<&str> = settings.routes.iter().map(|route| route.name.as_str()).collect();
    let metrics = Metrics::new(prometheus::Registry::new(), &routes)
        .map_err(|error| ServeError::Metrics(error.to_string()))?;
    let access_log = AccessLog::start(&settings.log, metrics.access_lines_lost().clone())
        .map_err(|source| ServeError::System { what: "start the access log", source })?;
    let spans = start_spans(&settings, &metrics, &clock)?;
    let upstreams = Upstreams::prepare(&from_settings::upstreams(&settings)?, spans.clone())?;
    let recorder = RecorderHandle::new();
    let Obtained { secret: scope_secret, offered } =
        scope_secret::obtain(&settings, &clock).await?;
    let makings = Makings {
        scope_secret: scope_secret.clone(),
        metrics: metrics.clone(),
        clock: Arc::clone(&clock),
    };
    let current = Arc::new(Current::new(InForce::new(settings.clone(), &makings, None)?));
    let (specs, reshapes) = (Arc::clone(&current), Arc::clone(&current));
    let savings = Arc::new(Book::new(settings.price_table()?, clock.wall_ms()));
    let models = tokens::shelf();
    let counter = TokenCounter::new(settings.models.count_tokens.then(|| models.clone()));
    let factory = origin::factory(
        Arc::clone(&upstreams),
        Arc::new(move |route| specs.get().specs.get(route).cloned()),
        Arc::new(move |route, head| {
            let in_force = reshapes.get();
            Reshaping {
                whole: in_force.reshaper.whole(route, head),
                pieces: in_force.reshaper.events(route, head),
            }
        }),
        Arc::clone(&clock),
        Billing::new(Arc::clone(&savings), counter.clone()),
    );
    if let (Some(l2), Some(secret)) = (settings.l2(), offered) {
        #[expect(clippy::disallowed_methods, reason = "nothing is lost when the process ends it")]
        actix_web::rt::spawn(scope_secret::keep_offering(l2, secret));
    }
    let admission = Admission::new(settings.server.max_in_flight);
    let purge = settings.purge();
    let reach = Reach {
        current: Arc::clone(&current),
        makings,
        admission: admission.clone(),
        keep_purges: purge.keep_for.clone(),
        verbosity,
    };
    let workers = Arc::new(Workers::new(admission.clone()));
    let critical = Arc::new(OnceLock::new());
    let warming = settings.warming().map(|desk| WarmingPlan {
        desk,
        critical: Arc::clone(&critical),
        surroundings: Arc::new(AroundWarming {
            admission: admission.clone(),
            upstreams: Arc::clone(&upstreams),
            savings: Arc::clone(&savings),
        }),
        hot_keys: settings.hot_keys(),
        hot_keys_most: settings.warming.start_entries,
    });
    let topology = Topology::start(Plan {
        l1: settings.l1(),
        l2: settings.l2(),
        l3: settings.l3(),
        purge,
        conversations: settings.conversations(),
        memory: MemoryPlan {
            settings: settings.memory(),
            probe: system_probe(),
            give_back: Arc::new(give_back),
        },
        models: ModelPlan {
            max_loaded: settings.models.max_loaded,
            shelf: models,
            loader: tokens::loader(),
        },
        flights: settings.flights(),
        warming,
        scaler: settings
            .scaler()
            .map(|settings| ScalerPlan { settings, workload: Arc::<Workers>::clone(&workers) }),
        sentinel: settings.sentinel(),
        origin: factory,
        gates: settings.gates(),
        others: vec![recorder_ward(&metrics, &savings, &clock, &recorder)],
        clock: Arc::clone(&clock),
    });
    let gateway = Arc::new(Gateway {
        sketches: Sketches::new(
            HashKey::new(recall_key()?),
            settings.routes.len(),
            settings.explain.sketches,
        ),
        current,
        reloads: Arc::new(Reloads::new(file, sources, taken, reach)),
        revoked: Revoked::default(),
        savings,
        sent: SentEntries::new(topology.budget.clone()),
        counter,
        admission,
        workers,
        topology,
        upstreams,
        scope_secret,
        recorder,
        access_log,
        spans,
        live: Live::default(),
        metrics,
        clock,
        under_way: Mutex::default(),
        api_connections: Connections::default(),
        operations_connections: Connections::default(),
        draining: AtomicBool::new(false),
        handed_over: AtomicBool::new(false),
    });
    let calls = unasked::critical(&gateway).await?;
    // Nobody else sets it.
    let _ = critical.set(calls);
    Ok(gateway)
}

/// Starts to trace requests, where that is wanted.
fn start_spans(
    settings: &Settings,
    metrics: &Metrics,
    clock: &SharedClock,
) -> Result<Option<Spans>, ServeError> {
    let Some(spec) = from_settings::collector(settings)? else { return Ok(None) };
    let collector = Collector::prepare(&spec, Arc::clone(clock))?;
    let spans = Spans::start(&settings.traces, collector, metrics.spans().clone());
    Ok(Some(spans?))
}

fn recorder_ward(
    metrics: &Metrics,
    savings: &Arc<Book>,
    clock: &SharedClock,
    handle: &RecorderHandle,
) -> Ward {
    let (metrics, handle) = (metrics.clone(), handle.clone());
    let (savings, clock) = (Arc::clone(savings), Arc::clone(clock));
    #[cfg(feature = "fault-injection")]
    let panic = anteroom_actors::message::Slot::empty();
    let ward = Ward::on(
        "recorder",
        move || RecorderActor::new(metrics.clone(), Arc::clone(&savings), Arc::clone(&clock)),
        {
            #[cfg(feature = "fault-injection")]
            let panic = panic.clone();
            move |addr| {
                RecorderActor::connect(addr, &handle);
                #[cfg(feature = "fault-injection")]
                panic.put(addr.clone().recipient());
            }
        },
        || 0,
    );
    #[cfg(feature = "fault-injection")]
    let ward = ward.panicking_at(&panic);
    ward
}
