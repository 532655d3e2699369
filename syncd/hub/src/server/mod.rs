//! The loop that accepts connections, and what every connection is held to: how many there may be,
//! how long a handshake, a header, a body and a stalled answer may take. What a request means is
//! decided in [`exchange`].

mod body;
mod exchange;
mod forwarded;
mod listeners;
mod patient;
mod peer;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::server::danger::ClientCertVerifier;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use wire::limits::{
    CONNECTIONS_MAX, HANDSHAKE_TIME_MAX, REQUEST_HEADER_BYTES_MAX, REQUEST_HEADERS_MAX,
    STALL_TIME_MAX,
};

use crate::ca::{Ca, Presented};
use crate::hub::Hub;
use crate::reply::chain;
use crate::shown::{Shown, ShownError};
use crate::tls::{TlsError, device_verifier, server_config};

use listeners::ProxyStream;
use patient::Patient;
use peer::Peer;

pub use forwarded::{AddressHeader, CertificateHeader, HeaderError};
pub use listeners::{ListenError, ProxyAddress, ProxyHeaders, ProxyListener};

/// Most connections of proxies at once; each carries many clients' requests, one after the other.
pub const PROXY_CONNECTIONS_MAX: usize = 1024;

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

/// Where a hub is reached.
#[derive(Default)]
pub struct Listeners {
    /// Openly, by TLS that ends here.
    pub open: Option<TcpListener>,
    /// By a proxy, where TLS has ended.
    pub proxy: Option<ProxyListener>,
}

/// Answers requests at one listener; see [`serve_at`].
///
/// # Errors
/// [`ServeError`] when it cannot begin.
pub async fn serve(
    hub: Arc<Hub>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let listeners = Listeners {
        open: Some(listener),
        proxy: None,
    };
    serve_at(hub, listeners, shutdown).await
}

/// Answers requests until `shutdown` ends, then lets those that have begun come to their end for
/// at most [`STOPPING_TIME_MAX`].
///
/// # Errors
/// [`ServeError`] when it cannot begin.
pub async fn serve_at(
    hub: Arc<Hub>,
    listeners: Listeners,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let tls = Arc::new(Tls::new(&hub)?);
    say_where(&hub, &listeners).map_err(ServeError::Socket)?;
    tokio::spawn(crate::webhook::run(hub.clone()));
    let (open_places, proxy_places) = (
        Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        Arc::new(Semaphore::new(PROXY_CONNECTIONS_MAX)),
    );
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
            accepted = accept_openly(listeners.open.as_ref(), &open_places) => accepted,
            accepted = accept_proxy(listeners.proxy.as_ref(), &proxy_places) => accepted,
        };
        let Some((came, place)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (hub, tls, watcher) = (hub.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            let _counted = hub.metrics.connection();
            match came {
                Came::Openly(stream, address) => {
                    openly(&hub, &tls, stream, address.ip(), watcher).await;
                }
                Came::ByProxy(ProxyStream::Unix(stream), headers) => {
                    let peer = Peer::behind(headers, tls);
                    speak(&hub, Patient::new(stream, STALL_TIME_MAX), &peer, watcher).await;
                }
                Came::ByProxy(ProxyStream::Tcp(stream), headers) => {
                    let peer = Peer::behind(headers, tls);
                    speak(&hub, Patient::new(stream, STALL_TIME_MAX), &peer, watcher).await;
                }
            }
        });
    }
    hub.stop();
    drop(listeners);
    tracing::info!("stopping");
    if timeout(STOPPING_TIME_MAX, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests took too long to stop and are given up");
    }
    Ok(())
}

fn say_where(hub: &Hub, listeners: &Listeners) -> io::Result<()> {
    let authority = crate::ca::hex(&hub.ca().fingerprint().0);
    if let Some(open) = &listeners.open {
        tracing::info!(address = %open.local_addr()?, authority, "serving");
    }
    if let Some(proxy) = &listeners.proxy {
        tracing::info!(
            address = proxy.local_address()?,
            authority,
            "serving behind a proxy"
        );
    }
    Ok(())
}

/// A connection that came in.
enum Came {
    Openly(TcpStream, SocketAddr),
    ByProxy(ProxyStream, ProxyHeaders),
}

/// A connection and its place; none when the system has no socket to give.
type Accepted = Option<(Came, OwnedSemaphorePermit)>;

async fn accept_openly(listener: Option<&TcpListener>, places: &Arc<Semaphore>) -> Accepted {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    let place = places.clone().acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are small and written whole; nothing is gained by waiting for more.
            let _ = stream.set_nodelay(true);
            Some((Came::Openly(stream, peer), place))
        }
        Err(error) => {
            tracing::warn!(%error, "no connection can be accepted");
            None
        }
    }
}

async fn accept_proxy(listener: Option<&ProxyListener>, places: &Arc<Semaphore>) -> Accepted {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    let place = places.clone().acquire_owned().await.ok()?;
    loop {
        match listener.accept().await {
            Ok(Some(stream)) => {
                return Some((Came::ByProxy(stream, listener.headers), place));
            }
            Ok(None) => tracing::warn!("somebody who is not a listed proxy came as one"),
            Err(error) => {
                tracing::warn!(%error, "no connection of a proxy can be accepted");
                return None;
            }
        }
    }
}

/// Shakes hands and answers what is asked on a connection that came openly.
async fn openly(hub: &Arc<Hub>, tls: &Tls, stream: TcpStream, address: IpAddr, watcher: Watcher) {
    // Whoever has one address cannot take all places.
    let Some(_one_of_its) = hub.enter(peer::place_of(address), hub.connections_per_address) else {
        hub.metrics.handshake_failed();
        tracing::debug!(peer = %address, "an address has too many connections");
        return;
    };
    let Some((stream, certificate)) = shake_hands(hub, &tls.acceptor(), stream, address).await
    else {
        return;
    };
    let peer = Peer::seen(certificate, address);
    speak(hub, stream, &peer, watcher).await;
}

/// Answers what is asked on a connection.
async fn speak<S: AsyncRead + AsyncWrite + Unpin + 'static>(
    hub: &Arc<Hub>,
    stream: S,
    peer: &Peer,
    watcher: Watcher,
) {
    let service = service_fn(|request| exchange::answer(hub, peer, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(hub.header_time_max)
        .max_headers(REQUEST_HEADERS_MAX)
        .max_header_size(REQUEST_HEADER_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error = chain(&error), "a connection ended badly");
    }
}

type Secured = tokio_rustls::server::TlsStream<Patient<TcpStream>>;

async fn shake_hands(
    hub: &Hub,
    acceptor: &TlsAcceptor,
    stream: TcpStream,
    address: IpAddr,
) -> Option<(Secured, Option<Presented>)> {
    let stream = Patient::new(stream, STALL_TIME_MAX);
    let stream = match timeout(HANDSHAKE_TIME_MAX, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            hub.metrics.handshake_failed();
            tracing::debug!(peer = %address, %error, "a handshake failed");
            return None;
        }
        Err(_) => {
            hub.metrics.handshake_failed();
            tracing::debug!(peer = %address, "a handshake took too long");
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
    current: RwLock<Current>,
}

/// What follows from the authorities.
struct Current {
    acceptor: TlsAcceptor,
    verifier: Arc<dyn ClientCertVerifier>,
    authorities: String,
}

impl Tls {
    fn new(hub: &Hub) -> Result<Self, TlsError> {
        let ca = hub.ca();
        let (names, files) = (hub.names.clone(), hub.certificate.clone());
        let shown = Arc::new(Shown::new(&ca, names, files, hub.now())?);
        let current = RwLock::new(Self::of(&ca, &shown)?);
        Ok(Self { shown, current })
    }

    fn of(ca: &Ca, shown: &Arc<Shown>) -> Result<Current, TlsError> {
        Ok(Current {
            acceptor: server_config(ca, shown.clone())?.into(),
            verifier: device_verifier(ca)?,
            authorities: ca.authorities_pem(),
        })
    }

    fn current(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// What shakes hands with the next connection.
    fn acceptor(&self) -> TlsAcceptor {
        self.current().acceptor.clone()
    }

    /// What checks the certificates of devices.
    fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        self.current().verifier.clone()
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
        let ca = hub.newest_ca().map_err(ShownError::from)?;
        if self.current().authorities != ca.authorities_pem() {
            // Sessions of before are not resumed either: they are kept with the configuration.
            let next = Self::of(&ca, &self.shown)?;
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
            tracing::info!("the hub's authorities were read anew");
        }
        if self.shown.renew(&ca, hub.now())? {
            tracing::info!("the server's certificate was renewed");
        }
        Ok(())
    }
}
