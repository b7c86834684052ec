//! The two listeners, from their start to their end.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Payload};
use actix_web::{App, HttpRequest, HttpServer};
use actix_web_prom::PrometheusMetricsBuilder;

use super::gateway::Gateway;
use super::handlers::{health, proxy};
use super::operations;
use super::worker::Worker;

/// How long the server itself waits for connections once no request is under way: idle ones are
/// of no interest, but the last bytes may still be on their way.
const CLOSE_WITHIN_S: u64 = 1;

/// Pause between two looks whether requests are still under way.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// A listener that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, not ours, or not allowed.
    #[error("failed to listen on {address} ({key}): {source}")]
    Bind {
        /// Which key of the settings names it.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// The system's words.
        source: std::io::Error,
    },
    /// The metrics could not be set up.
    #[error("failed to set up the metrics endpoint: {0}")]
    Metrics(String),
}

/// The listeners' sockets, open and not yet answered.
pub struct Listeners {
    api: TcpListener,
    operations: TcpListener,
}

impl Listeners {
    /// Opens both sockets; port 0 picks a free one.
    ///
    /// # Errors
    ///
    /// [`ListenError::Bind`] naming the key and the address.
    pub fn bind(api: SocketAddr, operations: SocketAddr) -> Result<Self, ListenError> {
        let bind = |key, address| {
            TcpListener::bind(address).map_err(|source| ListenError::Bind { key, address, source })
        };
        Ok(Self { api: bind("server.listen", api)?, operations: bind("admin.listen", operations)? })
    }

    /// Returns the API's and the operations' address.
    ///
    /// # Errors
    ///
    /// When the system does not know them.
    pub fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.api.local_addr()?, self.operations.local_addr()?))
    }
}

/// The running listeners.
pub struct Servers {
    api: ServerHandle,
    api_socket: TcpListener,
    operations: ServerHandle,
    gateway: Arc<Gateway>,
}

impl Servers {
    /// Starts answering on both listeners.
    ///
    /// # Errors
    ///
    /// When the sockets or the metrics endpoint cannot be set up.
    pub fn start(
        gateway: &Arc<Gateway>,
        listeners: Listeners,
        recall_key: [u64; 4],
    ) -> Result<Self, ListenError> {
        let settings = &gateway.settings;
        let workers = match settings.server.workers {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            workers => workers,
        };
        let io = |key, address| move |source| ListenError::Bind { key, address, source };
        let in_api = io("server.listen", settings.server.listen);
        let api_socket = listeners.api.try_clone().map_err(&in_api)?;
        let api =
            api_server(Arc::clone(gateway), listeners.api, workers, recall_key).map_err(in_api)?;
        let registry = gateway.metrics.registry().clone();
        let prometheus = PrometheusMetricsBuilder::new("anteroom_operations")
            .registry(registry)
            .endpoint(operations::METRICS_PATH)
            .mask_unmatched_patterns("unmatched")
            .build()
            .map_err(|error| ListenError::Metrics(error.to_string()))?;
        let shared = Data::from(Arc::clone(gateway));
        let operations = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .wrap(prometheus.clone())
                .wrap(from_fn(operations::guard))
                .configure(operations::configure)
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(CLOSE_WITHIN_S)
        .listen(listeners.operations)
        .map_err(io("admin.listen", settings.admin.listen))?
        .run();
        let servers = Self {
            api: api.handle(),
            api_socket,
            operations: operations.handle(),
            gateway: Arc::clone(gateway),
        };
        #[expect(clippy::disallowed_methods, reason = "Servers::stop ends them and waits")]
        {
            actix_web::rt::spawn(api);
            actix_web::rt::spawn(operations);
        }
        Ok(servers)
    }

    /// Stops: no new connections, running requests may go on for `drain`, then all end. Returns
    /// whether every request had ended by itself.
    pub async fn stop(&self, drain: Duration) -> bool {
        self.gateway.draining.store(true, Ordering::Relaxed);
        self.api.pause().await;
        self.refuse_connections();
        let ended = async {
            while self.gateway.under_way() > 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let ended = tokio::time::timeout(drain, ended).await.is_ok();
        self.api.stop(ended).await;
        ended
    }

    /// Has the system refuse new connections. A paused server leaves its socket open: connections
    /// would be made, and wait unanswered until the end of the drain.
    fn refuse_connections(&self) {
        // Linux ends a listening socket by shutdown(2), which the standard library has for streams.
        let socket = self.api_socket.try_clone().map(|own| TcpStream::from(OwnedFd::from(own)));
        if let Err(error) = socket.and_then(|socket| socket.shutdown(Shutdown::Both)) {
            tracing::debug!(%error, "connections are left unanswered, not refused");
        }
    }

    /// Stops the operations listener, last: health is visible while the rest stops.
    pub async fn stop_operations(&self) {
        self.operations.stop(true).await;
    }
}

fn api_server(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    workers: usize,
    recall_key: [u64; 4],
) -> std::io::Result<actix_web::dev::Server> {
    let server = &gateway.settings.server;
    let (keep_alive, head_timeout) = (server.keep_alive.get(), server.head_timeout.get());
    let connections_a_worker = (server.max_connections / workers).max(1);
    Ok(HttpServer::new(move || {
        let worker = Worker::start(Arc::clone(&gateway), recall_key);
        App::new()
            .app_data(Data::from(Arc::clone(&gateway)))
            .route("/health/live", web::get().to(health::live))
            .route("/health/ready", web::get().to(health::ready))
            .default_service(web::to(move |request: HttpRequest, payload: Payload| {
                proxy::handle(std::rc::Rc::clone(&worker), request, payload)
            }))
    })
    .workers(workers)
    .max_connections(connections_a_worker)
    .keep_alive(keep_alive)
    .client_request_timeout(head_timeout)
    // Otherwise a client that has gone is not noticed while its handler waits (DESIGN U2).
    .h1_allow_half_closed(false)
    .disable_signals()
    .shutdown_timeout(CLOSE_WITHIN_S)
    .listen(listener)?
    .run())
}
