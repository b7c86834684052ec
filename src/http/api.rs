//! The API listener, with and without TLS.
//!
//! With TLS the service is put together by hand. actix-web's own TLS listener offers HTTP/2 as soon
//! as anything in the program is built with it, and awc always is (awc 3.11, `Cargo.toml`); here
//! nothing but HTTP/1.1 is spoken, whatever a client offers.

use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;

use actix_http::HttpService;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, map_config};
use actix_tls::accept::rustls_0_23::{Acceptor, TlsStream};
use actix_tls::accept::{TlsError, max_concurrent_tls_connect};
use actix_web::body::MessageBody;
use actix_web::dev::{
    AppConfig, Extensions, Server, ServiceFactory, ServiceRequest, ServiceResponse,
};
use actix_web::http::ConnectionType;
use actix_web::rt::net::TcpStream;
use actix_web::web::{self, Data, Payload};
use actix_web::{App, Error, HttpRequest, HttpServer};
use futures_util::TryFutureExt as _;
use rustls::ServerConfig;

use super::gateway::Gateway;
use super::handlers::contained::contained;
use super::handlers::{conversations, health, proxy, taken_down};
use super::openapi;
use super::worker::Worker;

/// How long a server itself waits for connections once no request is under way: idle ones are
/// of no interest, but the last bytes may still be on their way.
pub(super) const CLOSE_WITHIN_S: u64 = 1;

/// How a worker's application comes about.
#[derive(Clone)]
struct Making {
    gateway: Arc<Gateway>,
    recall_key: [u64; 4],
}

impl Making {
    /// Makes the application of the thread this is called on.
    fn app(
        self,
    ) -> App<
        impl ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<impl MessageBody + 'static>,
            Error = Error,
            InitError = (),
        >,
    > {
        let Self { gateway, recall_key } = self;
        let worker = Worker::start(Arc::clone(&gateway), recall_key);
        let (guarding, ending) = (Rc::clone(&worker), Rc::clone(&worker));
        let (showing, forgetting) = (Rc::clone(&worker), Rc::clone(&worker));
        let show = move |request: HttpRequest, name: web::Path<String>| {
            let handling = conversations::show(Rc::clone(&showing), request.clone(), name);
            contained(Rc::clone(&showing), request, handling)
        };
        let forget = move |request: HttpRequest, name: web::Path<String>| {
            let handling = conversations::forget(Rc::clone(&forgetting), request.clone(), name);
            contained(Rc::clone(&forgetting), request, handling)
        };
        App::new()
            .wrap_fn(move |request, service| {
                let ending = Rc::clone(&ending);
                taken_down::around(Rc::clone(&guarding), request, service)
                    .map_ok(move |response| closing(&ending.gateway, response))
            })
            .app_data(Data::from(gateway))
            .route("/health/live", web::get().to(health::live))
            .route("/health/ready", web::get().to(health::ready))
            .configure(openapi::of_api)
            .service(
                // A name is found by a regular expression: behind a plain folder, which all other requests
                // are compared with once.
                web::scope(conversations::FOLDER)
                    .route(conversations::ONE, web::get().to(show))
                    .route(conversations::ONE, web::delete().to(forget)),
            )
            .default_service(web::to(move |request: HttpRequest, payload: Payload| {
                let handling = proxy::handle(Rc::clone(&worker), request.clone(), payload);
                contained(Rc::clone(&worker), request, handling)
            }))
    }
}

/// Has the connection close after the answer, where no new ones are taken either.
pub(super) fn closing<B>(
    gateway: &Gateway,
    mut response: ServiceResponse<B>,
) -> ServiceResponse<B> {
    if gateway.is_draining() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}

/// Starts the server on `listener`, over TLS where `tls` says how.
///
/// # Errors
///
/// When the socket cannot be used.
pub(super) fn serve(
    gateway: Arc<Gateway>,
    listener: TcpListener,
    workers: usize,
    recall_key: [u64; 4],
    tls: Option<ServerConfig>,
) -> std::io::Result<Server> {
    let making = Making { gateway, recall_key };
    match tls {
        None => plain(making, listener, workers),
        Some(config) => secure(making, listener, workers, config),
    }
}

fn plain(making: Making, listener: TcpListener, workers: usize) -> std::io::Result<Server> {
    let server = making.gateway.in_force().settings.server.clone();
    let connections = making.gateway.api_connections.clone();
    Ok(HttpServer::new(move || making.clone().app())
        .workers(workers)
        .max_connections((server.max_connections / workers).max(1))
        .keep_alive(server.keep_alive.get())
        .client_request_timeout(server.head_timeout.get())
        // Otherwise a client that has gone is not noticed while its handler waits (DESIGN U2).
        .h1_allow_half_closed(false)
        .on_connect(move |_, along| {
            along.insert(connections.enter());
        })
        .disable_signals()
        .shutdown_timeout(CLOSE_WITHIN_S)
        .listen(listener)?
        .run())
}

fn secure(
    making: Making,
    listener: TcpListener,
    workers: usize,
    config: ServerConfig,
) -> std::io::Result<Server> {
    let server = making.gateway.in_force().settings.server.clone();
    let address = listener.local_addr()?;
    let connections_a_worker = (server.max_connections / workers).max(1);
    // Unless told otherwise 256 clients that begin no handshake keep all others out.
    max_concurrent_tls_connect(connections_a_worker);
    let mut acceptor = Acceptor::new(config);
    acceptor.set_handshake_timeout(server.head_timeout.get());
    let builder = Server::build()
        .workers(workers)
        .max_concurrent_connections(connections_a_worker)
        .disable_signals()
        .shutdown_timeout(CLOSE_WITHIN_S);
    let stopping = builder.graceful_shutdown_signal();
    let connections = making.gateway.api_connections.clone();
    let service = move || {
        let (stopping, connections) = (stopping.clone(), connections.clone());
        let app =
            making.clone().app().into_factory().map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(server.keep_alive.get())
            .client_request_timeout(server.head_timeout.get())
            .h1_allow_half_closed(false)
            .local_addr(address)
            .on_connect_ext(move |_: &TlsStream<TcpStream>, along: &mut Extensions| {
                along.insert(connections.enter());
            })
            .secure()
            .h1(map_config(app, |()| AppConfig::default()));
        let connected = |stream: TlsStream<TcpStream>| {
            let peer = stream.get_ref().0.peer_addr().ok();
            (stream, peer)
        };
        acceptor
            .clone()
            .map_err(TlsError::into_service_error)
            .map(connected)
            .and_then(http.map_err(TlsError::Service))
    };
    Ok(builder.listen("api", listener, service)?.run())
}
