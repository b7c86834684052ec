//! Start order, the wait for a signal, stop order.

mod signals;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anteroom_actors::clock::{SharedClock, SystemClock};
use anteroom_actors::message::ActorState;
use anteroom_actors::warming::WarmingPlan;
use anteroom_actors::watchdog::system_probe;
use anteroom_actors::wiring::{MemoryPlan, ModelPlan, Plan, ScalerPlan, Topology, Ward};
use parking_lot::Mutex;

use self::signals::Signals;
use crate::explain::{HashKey, Sketches};
use crate::file_limit;
use crate::give_back::give_back;
use crate::http::admission::Admission;
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
use crate::listening::{Given, ListenError, Listeners};
use crate::reload::{self, Reach, Reloads};
use crate::savings::{Book, PriceError};
use crate::scope_secret::{self, NoRandomness, Obtained};
use crate::settings::{Loaded, Taken, Told};
use crate::supervisor::Supervisor;
use crate::telemetry::{AccessLog, Metrics, RecorderActor, RecorderHandle, Verbosity};
use crate::tokens::{self, TokenCounter};
use crate::upstream::billing::Billing;
use crate::upstream::origin::Reshaping;
use crate::upstream::spec::SpecError;
use crate::upstream::{UpstreamError, Upstreams, from_settings, origin};

/// Longest wait for the actors' first heartbeats; then the gateway serves with those it has.
const ACTORS_UP_WITHIN: Duration = Duration::from_secs(3);

/// Longest wait for the purges that L2 and L3 hold; then the gateway serves with those it knows.
const PURGES_HEARD_WITHIN: Duration = Duration::from_secs(2);

/// Pause between two looks at them.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Least time for writes to reach the levels at the end, whatever requests have used up.
const LEAST_FLUSH: Duration = Duration::from_secs(5);

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

/// What there was before this process.
#[derive(Debug)]
pub struct Start {
    /// Sockets that are open already.
    pub given: Given,
    /// What the environment tells of who started it.
    pub told: Told,
}

/// Serves until a signal to stop, then ends in order: no new connections, requests finish, flights
/// land, writes reach their levels. A second signal ends the process at once.
///
/// # Errors
///
/// What keeps the gateway from starting.
pub async fn serve(loaded: Loaded, verbosity: Verbosity, start: Start) -> Result<(), ServeError> {
    let (mut signals, hangups) = (Signals::listen()?, Signals::hangups()?);
    let settings = &loaded.settings;
    file_limit::raise(settings);
    let certificate = match settings.server.tls.files() {
        Some((cert_file, key_file)) => Some(Certificate::load(cert_file, key_file)?),
        None => None,
    };
    let tls = certificate.as_ref().map(Certificate::server_config).transpose()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let (taken, supervisor) = (start.given.taken(), Supervisor::at(&start.told.notify_socket));
    let listeners = Listeners::open(settings, start.given)?;
    let gateway = assemble(loaded, verbosity, taken).await?;
    actors_up(&gateway.topology).await;
    if !gateway.topology.catch_up(PURGES_HEARD_WITHIN).await {
        tracing::warn!(
            "not every level has told its purges yet; serving with those that are known"
        );
    }
    warm_start(&gateway).await;
    let servers = Servers::start(&gateway, listeners, recall_key()?, tls)?;
    if let Some(certificate) = certificate {
        #[expect(clippy::disallowed_methods, reason = "nothing is lost when the process ends it")]
        actix_web::rt::spawn(certificate.follow());
    }
    servers.announce(scheme);
    supervisor.ready();

    #[expect(clippy::disallowed_methods, reason = "nothing is lost when the process ends it")]
    actix_web::rt::spawn(reload::follow(Arc::clone(&gateway.reloads), hangups));

    signals.next().await;
    let drain = gateway.in_force().settings.server.drain_timeout.get();
    tracing::info!("stopping; a second signal stops at once");
    supervisor.stopping();
    let stopped = stop(&servers, &gateway, drain);
    tokio::select! {
        () = stopped => {}
        () = signals.next() => tracing::warn!("stopped at once; requests were cut"),
    }
    Ok(())
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
    let upstreams = Upstreams::prepare(&from_settings::upstreams(&settings)?)?;
    let routes: Vec<&str> = settings.routes.iter().map(|route| route.name.as_str()).collect();
    let metrics = Metrics::new(prometheus::Registry::new(), &routes)
        .map_err(|error| ServeError::Metrics(error.to_string()))?;
    let access_log = AccessLog::start(&settings.log, metrics.access_lines_lost().clone())
        .map_err(|source| ServeError::System { what: "start the access log", source })?;
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
        live: Live::default(),
        metrics,
        clock,
        under_way: Mutex::default(),
        draining: AtomicBool::new(false),
    });
    let calls = unasked::critical(&gateway).await?;
    // Nobody else sets it.
    let _ = critical.set(calls);
    Ok(gateway)
}

/// Brings the answers asked for most before the last stop back to memory.
async fn warm_start(gateway: &Gateway) {
    let in_force = gateway.in_force();
    let warming = &in_force.settings.warming;
    if !warming.enabled || warming.start_entries == 0 {
        return;
    }
    match gateway.topology.warm_start(warming.start_timeout.get()).await {
        Some(0) => {}
        Some(entries) => tracing::info!(entries, "the hottest answers are back in memory"),
        None => tracing::warn!("not all of the hottest answers came back in time"),
    }
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

/// Waits until every actor has answered once or been found degraded.
async fn actors_up(topology: &Topology) {
    let up = async {
        loop {
            if let Ok(health) = topology.observe().await
                && health.actors.iter().all(|actor| actor.state != ActorState::Restarting)
            {
                return;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    if tokio::time::timeout(ACTORS_UP_WITHIN, up).await.is_err() {
        tracing::warn!("not every actor has answered yet; serving with those that have");
    }
}

async fn stop(servers: &Servers, gateway: &Gateway, drain: Duration) {
    let started = gateway.clock.now();
    if !servers.stop(drain).await {
        tracing::warn!(drain_ms = drain.as_millis(), "requests were cut at server.drain_timeout");
    }
    let left = drain.saturating_sub(gateway.clock.now().duration_since(started));
    if !gateway.topology.drain(left.max(LEAST_FLUSH)).await {
        tracing::warn!("not everything queued was written");
    }
    servers.stop_operations().await;
}
