//! The loop that accepts connections, and what every connection is held to: how many there may be,
//! how long a handshake, a header, a body and a stalled answer may take. What a request means is
//! decided in [`exchange`].

mod body;
mod exchange;
mod patient;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use wire::limits::{
    CONNECTIONS_MAX, HANDSHAKE_TIME_MAX, HEADER_TIME_MAX, REQUEST_HEADER_BYTES_MAX,
    REQUEST_HEADERS_MAX, STALL_TIME_MAX,
};

use crate::ca::Presented;
use crate::hub::Hub;
use crate::reply::chain;
use crate::shown::{Shown, ShownError};
use crate::tls::{TlsError, server_config};

use patient::Patient;

/// Bytes that a connection buffers.
const BUFFER_BYTES_MAX: usize = 64 << 10;

/// How long requests that have begun may still take when the hub stops.
pub const STOPPING_TIME_MAX: Duration = Duration::from_secs(20);

/// How often it is looked whether keys are over.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(600);

/// How often it is looked whether the server's certificate is to be renewed, and whether the files
/// of certificate and authorities have changed.
const CERTIFICATE_LOOKED_AT_EVERY: Duration = Duration::from_secs(60);

/// How long to wait when the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why the hub does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// TLS cannot be offered.
    #[error("the hub cannot offer TLS")]
    Tls(#[from] TlsError),
    /// The socket is no good.
    #[error("the hub's socket cannot be used")]
    Socket(#[source] io::Error),
}

/// Answers requests until `shutdown` ends, then lets those that have begun come to their end for
/// at most [`STOPPING_TIME_MAX`].
///
/// # Errors
/// [`ServeError`] when it cannot begin.
pub async fn serve(
    hub: Arc<Hub>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let tls = Arc::new(Tls::new(&hub)?);
    let address = listener.local_addr().map_err(ServeError::Socket)?;
    tracing::info!(%address, authority = %crate::ca::hex(&hub.ca().fingerprint().0), "serving");
    tokio::spawn(crate::webhook::run(hub.clone()));
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut housekeeping = ticker(HOUSEKEEPING_EVERY);
    let mut looking = ticker(CERTIFICATE_LOOKED_AT_EVERY);
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            _ = housekeeping.tick() => {
                let hub = hub.clone();
                // Not waited for: it concerns no request.
                drop(tokio::task::spawn_blocking(move || hub.keep_house()));
                continue;
            }
            _ = looking.tick() => {
                tls.look(&hub);
                continue;
            }
            () = hub.reloading.notified() => {
                tls.look(&hub);
                continue;
            }
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (hub, acceptor, watcher) = (hub.clone(), tls.acceptor(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            let _counted = hub.metrics.connection();
            let Some((stream, certificate)) = shake_hands(&hub, &acceptor, stream, peer).await
            else {
                return;
            };
            let service =
                service_fn(|request| exchange::answer(&hub, certificate.clone(), request));
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIME_MAX)
                .max_headers(REQUEST_HEADERS_MAX)
                .max_header_size(REQUEST_HEADER_BYTES_MAX)
                .max_buf_size(BUFFER_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = watcher.watch(connection).await {
                tracing::debug!(error = chain(&error), "a connection ended badly");
            }
        });
    }
    hub.stop();
    drop(listener);
    tracing::info!("stopping");
    if timeout(STOPPING_TIME_MAX, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests took too long to stop and are given up");
    }
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are small and written whole; nothing is gained by waiting for more.
            let _ = stream.set_nodelay(true);
            Some((stream, peer, place))
        }
        Err(error) => {
            tracing::warn!(%error, "no connection can be accepted");
            None
        }
    }
}

type Secured = tokio_rustls::server::TlsStream<Patient<TcpStream>>;

async fn shake_hands(
    hub: &Hub,
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    peer: SocketAddr,
) -> Option<(Secured, Option<Presented>)> {
    let stream = Patient::new(stream, STALL_TIME_MAX);
    let stream = match timeout(HANDSHAKE_TIME_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            hub.metrics.handshake_failed();
            tracing::debug!(peer = %peer.ip(), %error, "a handshake failed");
            return None;
        }
        Err(_) => {
            hub.metrics.handshake_failed();
            tracing::debug!(peer = %peer.ip(), "a handshake took too long");
            return None;
        }
    };
    let certificate = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first())
        .and_then(Presented::read);
    Some((stream, certificate))
}

fn ticker(every: Duration) -> Interval {
    let mut ticker = interval(every);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticker
}

/// The hub's side of TLS, which follows the files of certificate and authorities.
struct Tls {
    shown: Arc<Shown>,
    acceptor: RwLock<TlsAcceptor>,
}

impl Tls {
    fn new(hub: &Hub) -> Result<Self, TlsError> {
        let ca = hub.ca();
        let (names, files) = (hub.names.clone(), hub.certificate.clone());
        let shown = Arc::new(Shown::new(&ca, names, files, hub.now())?);
        let acceptor = RwLock::new(server_config(&ca, shown.clone())?.into());
        Ok(Self { shown, acceptor })
    }

    /// What shakes hands with the next connection.
    fn acceptor(&self) -> TlsAcceptor {
        let acceptor = self.acceptor.read();
        acceptor.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the files, beside the loop: it concerns no request, and the next time does what
    /// this one could not.
    fn look(self: &Arc<Self>, hub: &Arc<Hub>) {
        let (tls, hub) = (self.clone(), hub.clone());
        drop(tokio::task::spawn_blocking(move || {
            if let Err(error) = tls.follow(&hub) {
                tracing::error!(error = chain(&error), "certificates stay as they were");
            }
        }));
    }

    fn follow(&self, hub: &Hub) -> Result<(), TlsError> {
        let others = hub.reread_authorities().map_err(ShownError::from)?;
        let ca = hub.ca();
        if others {
            // Sessions of before are not resumed either: they are kept with the configuration.
            let config = server_config(&ca, self.shown.clone())?;
            let acceptor = self.acceptor.write();
            *acceptor.unwrap_or_else(PoisonError::into_inner) = config.into();
            tracing::info!("the hub's authorities were read anew");
        }
        if self.shown.renew(&ca, hub.now())? {
            tracing::info!("the server's certificate was renewed");
        }
        Ok(())
    }
}
