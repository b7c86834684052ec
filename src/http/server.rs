//! The two listeners, from their start to their end.

use std::net::{Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use actix_web_prom::PrometheusMetricsBuilder;
use rustls::ServerConfig;

use super::api::{self, CLOSE_WITHIN_S};
use super::gateway::Gateway;
use super::operations;
use crate::listening::{ListenError, Listeners, Socket};

/// Pause between two looks whether requests are still under way.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// How long a connection without a request is left open at the end. A caller may be sending on it: one that
/// is in use gets another answer, and is told by that to close it.
const IDLE_FOR: Duration = Duration::from_secs(2);

/// Why the listeners do not answer.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// A socket could not be used.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The metrics could not be set up.
    #[error("failed to set up the metrics endpoint: {0}")]
    Metrics(String),
}

/// The running listeners.
pub struct Servers {
    api: ServerHandle,
    api_socket: Socket,
    operations: ServerHandle,
    operations_socket: Socket,
    gateway: Arc<Gateway>,
}

impl Servers {
    /// Starts answering on both listeners, on the API's over TLS where `tls` says how.
    ///
    /// # Errors
    ///
    /// When the sockets or the metrics endpoint cannot be set up.
    pub fn start(
        gateway: &Arc<Gateway>,
        listeners: Listeners,
        recall_key: [u64; 4],
        tls: Option<ServerConfig>,
    ) -> Result<Self, AnswerError> {
        let in_force = gateway.in_force();
        let settings = &in_force.settings;
        let workers = settings.server.threads();
        let Listeners { api: api_socket, operations: operations_socket } = listeners;
        let io = |key, address| move |source| ListenError { key, address, source };
        let in_api = io("server.listen", api_socket.address);
        let in_operations = io("admin.listen", operations_socket.address);
        let listener = api_socket.listener().map_err(in_api)?;
        let api =
            api::serve(Arc::clone(gateway), listener, workers, recall_key, tls).map_err(in_api)?;
        let registry = gateway.metrics.registry().clone();
        let prometheus = PrometheusMetricsBuilder::new("anteroom_operations")
            .registry(registry)
            .mask_unmatched_patterns("unmatched")
            .build()
            .map_err(|error| AnswerError::Metrics(error.to_string()))?;
        let shared = Data::from(Arc::clone(gateway));
        let connections = gateway.operations_connections.clone();
        let operations = HttpServer::new(move || {
            App::new()
                .app_data(shared.clone())
                .wrap(prometheus.clone())
                .wrap(from_fn(operations::guard))
                .configure(operations::configure)
        })
        .workers(1)
        .on_connect(move |_, along| {
            along.insert(connections.enter());
        })
        .disable_signals()
        .shutdown_timeout(CLOSE_WITHIN_S)
        .listen(operations_socket.listener().map_err(in_operations)?)
        .map_err(in_operations)?
        .run();
        let servers = Self {
            api: api.handle(),
            api_socket,
            operations: operations.handle(),
            operations_socket,
            gateway: Arc::clone(gateway),
        };
        #[expect(clippy::disallowed_methods, reason = "Servers::stop ends them and waits")]
        {
            actix_web::rt::spawn(api);
            actix_web::rt::spawn(operations);
        }
        Ok(servers)
    }

    /// Says in the log where the listeners are; the API's URL begins with `scheme`.
    pub fn announce(&self, scheme: &str) {
        let (api, operations) = (&self.api_socket, &self.operations_socket);
        let socket = api.origin;
        tracing::info!(api = %format_args!("{scheme}://{}", api.address), %socket, "listening");
        let (address, socket) = (operations.address, operations.origin);
        tracing::info!(operations = %format_args!("http://{address}"), %socket, "listening");
    }

    /// Returns the API's and the operations listener's socket.
    pub const fn sockets(&self) -> [&Socket; 2] {
        [&self.api_socket, &self.operations_socket]
    }

    /// Leaves the sockets to another process: no new connections; those there are go on until they have
    /// ended, and close after their next answer, or when they have been idle for as long as ever.
    /// Returns once there were none for `quiet_for`, at most after `within`: whether all had ended.
    pub async fn leave(&self, quiet_for: Duration, within: Duration) -> bool {
        let gateway = &self.gateway;
        gateway.handed_over.store(true, Ordering::Relaxed);
        gateway.draining.store(true, Ordering::Relaxed);
        self.api.pause().await;
        self.operations.pause().await;
        let mut last_seen = gateway.clock.now();
        let quiet = async {
            while gateway.clock.now().duration_since(last_seen) < quiet_for {
                tokio::time::sleep(LOOK_AGAIN).await;
                if gateway.connections() > 0 {
                    last_seen = gateway.clock.now();
                }
            }
        };
        tokio::time::timeout(within, quiet).await.is_ok()
    }

    /// Stops: no new connections, running requests may go on for `drain`, then all end. Returns
    /// whether every request had ended by itself. Sockets that `are_shared` are left as they are.
    pub async fn stop(&self, drain: Duration, are_shared: bool) -> bool {
        self.gateway.draining.store(true, Ordering::Relaxed);
        self.api.pause().await;
        if !are_shared {
            self.refuse_connections();
        }
        let gateway = &self.gateway;
        let begun = gateway.clock.now();
        let ended = async {
            while gateway.under_way() > 0
                || (gateway.api_connections.count() > 0
                    && gateway.clock.now().duration_since(begun) < IDLE_FOR)
            {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let _ = tokio::time::timeout(drain, ended).await;
        let has_ended = gateway.under_way() == 0;
        self.api.stop(has_ended).await;
        has_ended
    }

    /// Has the system refuse new connections. A paused server leaves its socket open: connections
    /// would be made, and wait unanswered until the end of the drain.
    fn refuse_connections(&self) {
        // Linux ends a listening socket by shutdown(2), which the standard library has for streams.
        let socket = self.api_socket.listener().map(|own| TcpStream::from(OwnedFd::from(own)));
        if let Err(error) = socket.and_then(|socket| socket.shutdown(Shutdown::Both)) {
            tracing::debug!(%error, "connections are left unanswered, not refused");
        }
    }

    /// Stops the operations listener, last: health is visible while the rest stops.
    pub async fn stop_operations(&self) {
        self.operations.stop(true).await;
    }
}
