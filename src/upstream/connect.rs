//! Opens connections for awc: DNS, TCP, a proxy's tunnel, TLS. All below awc, so that [`Wire`]
//! sees the same plain HTTP in every case. awc's connect time-out bounds the whole of it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_rt::net::TcpStream;
use actix_tls::connect::rustls_0_23::TlsConnector;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection, Host};
use actix_web::dev::Service;
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use rustls::ClientConfig;

use super::prepared::Endpoint;
use super::proxy::open_tunnel;
use super::wire::{Scope, Transport, Wire};

/// Why there is no connection.
#[derive(Debug)]
pub(super) struct ConnectFailure {
    /// For the caller: no addresses, no certificates.
    pub(super) reason: &'static str,
    /// For the log.
    cause: io::Error,
}

impl fmt::Display for ConnectFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.cause)
    }
}

impl std::error::Error for ConnectFailure {}

fn failed(reason: &'static str) -> impl FnOnce(io::Error) -> ConnectFailure {
    move |cause| ConnectFailure { reason, cause }
}

/// Opens connections to one upstream.
#[derive(Clone)]
pub(super) struct Connector {
    endpoint: Arc<Endpoint>,
    scope: Scope,
}

impl Connector {
    pub(super) const fn new(endpoint: Arc<Endpoint>, scope: Scope) -> Self {
        Self { endpoint, scope }
    }
}

impl Service<ConnectInfo<Uri>> for Connector {
    type Response = Connection<Uri, Wire>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, info: ConnectInfo<Uri>) -> Self::Future {
        let Self { endpoint, scope } = self.clone();
        scope.note(|call| call.is_dialled.set(true));
        Box::pin(async move {
            let transport = open(&endpoint)
                .await
                .map_err(|failure| ConnectError::Io(io::Error::other(failure)))?;
            Ok(Connection::new(info.request().clone(), Wire::new(transport, scope)))
        })
    }
}

async fn open(endpoint: &Endpoint) -> Result<Transport, ConnectFailure> {
    let Some(tls) = &endpoint.tls else {
        return Ok(Transport::Plain(dial(&endpoint.host, endpoint.port).await?));
    };
    let tcp = match &endpoint.proxy {
        None => dial(&endpoint.host, endpoint.port).await?,
        Some(proxy) => {
            let mut tcp = dial(&proxy.host, proxy.port).await?;
            let host = &endpoint.host;
            let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            let authority = format!("{bracketed}:{}", endpoint.port);
            open_tunnel(&mut tcp, &authority, proxy)
                .await
                .map_err(failed("the proxy gave no tunnel"))?;
            tcp
        }
    };
    encrypt(tcp, endpoint.host.clone(), Arc::clone(tls)).await
}

/// Tries the addresses of `host` in turn.
async fn dial(host: &str, port: u16) -> Result<TcpStream, ConnectFailure> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(failed("its host name is not known"))?;
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(tcp) => {
                // Requests are written whole; waiting to fill a segment only delays their ends.
                tcp.set_nodelay(true).map_err(failed("the connection failed"))?;
                return Ok(tcp);
            }
            Err(error) => last = error,
        }
    }
    let reason = match last.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused",
        io::ErrorKind::NotFound => "its host name is not known",
        _ => "the connection failed",
    };
    Err(failed(reason)(last))
}

/// The name that the upstream's certificate must bear.
struct ServerHost(String);

impl Host for ServerHost {
    fn hostname(&self) -> &str {
        &self.0
    }
}

async fn encrypt(
    tcp: TcpStream,
    host: String,
    config: Arc<ClientConfig>,
) -> Result<Transport, ConnectFailure> {
    let connection = TlsConnector::service(config)
        .call(Connection::new(ServerHost(host), tcp))
        .await
        .map_err(failed("no secure connection could be agreed"))?;
    Ok(Transport::Tls(Box::new(connection.into_parts().0)))
}
