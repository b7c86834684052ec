//! The two listeners, from their start to their end.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
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
    ) -> Result<Self, ListenError> {
        let in_force = gateway.in_force();
        let settings = &in_force.settings;
        let workers = settings.server.threads();
        let io = |key, address| move |source| ListenError::Bind { key, address, source };
        let in_api = io("server.listen", settings.server.listen);
        let api_socket = listeners.api.try_clone().map_err(&in_api)?;
        let api = api::serve(Arc::clone(gateway), listeners.api, workers, recall_key, tls)
            .map_err(in_api)?;
        let registry = gateway.metrics.registry().clone();
        let prometheus = PrometheusMetricsBuilder::new("anteroom_operations")
            .registry(registry)
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
