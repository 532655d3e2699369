//! Where the hub listens: openly, where it ends TLS itself, and for a proxy that ended TLS before.
//!
//! What a proxy says of its clients is believed as if TLS had been ended here. So its listener is a
//! Unix socket, to which the file system lets whom the operator lets, or a loopback address with a
//! list of those who may come.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::forwarded::{AddressHeader, CertificateHeader};

/// The mode of a proxy's socket: owner and group. The group is the proxy's.
const SOCKET_MODE: u32 = 0o660;

/// Where a proxy reaches the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyAddress {
    /// A Unix socket of this path.
    Unix(PathBuf),
    /// An address of this machine alone.
    Loopback(SocketAddr),
}

/// Why nobody can be listened to there.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Not the address of a proxy's listener.
    #[error(
        "`{0}` is no address for a proxy to reach the hub at; it is unix:/PATH, or an address of \
         this machine alone such as 127.0.0.1:8080"
    )]
    Address(String),
    /// A loopback address without a list of who may come.
    #[error("{0} needs a list of the addresses of proxies that may come to it")]
    NoProxies(SocketAddr),
    /// Something else is where the socket would be.
    #[error("{}: there is something else than an unused socket", .0.display())]
    Occupied(PathBuf),
    /// The operating system refused.
    #[error("{at} cannot be listened on")]
    Io {
        /// Where.
        at: String,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
}

impl FromStr for ProxyAddress {
    type Err = ListenError;

    fn from_str(text: &str) -> Result<Self, ListenError> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Self::Loopback(address)),
            Ok(_) | Err(_) => Err(ListenError::Address(text.to_owned())),
        }
    }
}

/// Where the hub listens for a proxy, and how that speaks of its clients.
pub struct ProxyListener {
    socket: Socket,
    pub(super) headers: ProxyHeaders,
}

/// In which headers a proxy speaks of its clients.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProxyHeaders {
    /// Their certificates.
    pub certificate: CertificateHeader,
    /// Their addresses.
    pub address: AddressHeader,
}

enum Socket {
    Unix(UnixListener, PathBuf),
    Loopback(TcpListener, Vec<IpAddr>),
}

/// A connection of a proxy's.
pub(super) enum ProxyStream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl ProxyListener {
    /// Listens. At a Unix socket, whoever may open it is a proxy; at a loopback address, those of
    /// `proxies` are.
    ///
    /// # Errors
    /// [`ListenError`] says why that cannot be.
    pub async fn bind(
        address: &ProxyAddress,
        proxies: Vec<IpAddr>,
        headers: ProxyHeaders,
    ) -> Result<Self, ListenError> {
        let socket = match address {
            ProxyAddress::Unix(path) => Socket::Unix(bind_unix(path)?, path.clone()),
            ProxyAddress::Loopback(address) if proxies.is_empty() => {
                return Err(ListenError::NoProxies(*address));
            }
            ProxyAddress::Loopback(address) => {
                let listener = TcpListener::bind(address).await;
                let listener = listener.map_err(|source| ListenError::Io {
                    at: address.to_string(),
                    source,
                })?;
                Socket::Loopback(listener, proxies)
            }
        };
        Ok(Self { socket, headers })
    }

    /// Where it listens, as [`ProxyAddress`] reads it.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn local_address(&self) -> io::Result<String> {
        match &self.socket {
            Socket::Unix(_, path) => Ok(format!("unix:{}", path.display())),
            Socket::Loopback(listener, _) => Ok(listener.local_addr()?.to_string()),
        }
    }

    /// The next connection; none of somebody who is not a proxy.
    pub(super) async fn accept(&self) -> io::Result<Option<ProxyStream>> {
        match &self.socket {
            Socket::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok(Some(ProxyStream::Unix(stream)))
            }
            Socket::Loopback(listener, proxies) => {
                let (stream, peer) = listener.accept().await?;
                // Nothing is gained by waiting for more.
                let _ = stream.set_nodelay(true);
                Ok(proxies
                    .contains(&peer.ip())
                    .then_some(ProxyStream::Tcp(stream)))
            }
        }
    }
}

impl Drop for ProxyListener {
    fn drop(&mut self) {
        if let Socket::Unix(_, path) = &self.socket {
            // The next start would do it.
            let _ = fs::remove_file(path);
        }
    }
}

fn bind_unix(path: &Path) -> Result<UnixListener, ListenError> {
    let failed = |source| ListenError::Io {
        at: path.display().to_string(),
        source,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        // One that a killed hub left behind answers nobody.
        Ok(found) if found.file_type().is_socket() && is_unused(path) => {
            fs::remove_file(path).map_err(failed)?;
        }
        Ok(_) => return Err(ListenError::Occupied(path.to_owned())),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
    Ok(listener)
}

fn is_unused(path: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(path)
        .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn bind(address: &str, proxies: &[&str]) -> Result<ProxyListener, ListenError> {
        let proxies = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
        ProxyListener::bind(&address.parse()?, proxies, ProxyHeaders::default()).await
    }

    #[tokio::test]
    async fn a_proxy_comes_by_a_socket_or_from_a_named_address_of_this_machine() {
        for wrong in [
            "",
            "unix:",
            "0.0.0.0:80",
            "192.0.2.1:80",
            "[::]:80",
            "localhost",
        ] {
            let error = bind(wrong, &["127.0.0.1"]).await.err().unwrap();
            assert!(matches!(error, ListenError::Address(_)), "{wrong}: {error}");
        }
        let error = bind("127.0.0.1:0", &[]).await.err().unwrap();
        assert!(matches!(error, ListenError::NoProxies(_)), "{error}");
        let listener = bind("127.0.0.1:0", &["127.0.0.9"]).await.unwrap();
        let at = listener.local_address().unwrap();
        let (accepted, came) = tokio::join!(listener.accept(), TcpStream::connect(at));
        assert!(accepted.unwrap().is_none());
        drop(came);
    }

    #[tokio::test]
    async fn a_socket_is_for_owner_and_group_and_takes_nobody_s_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("proxy.sock");
        let address = format!("unix:{}", path.display());
        let first = bind(&address, &[]).await.unwrap();
        assert_eq!(first.local_address().unwrap(), address);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        let error = bind(&address, &[]).await.err().unwrap();
        assert!(matches!(error, ListenError::Occupied(_)), "{error}");
        drop(first);
        assert!(!path.exists());
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "a killed hub leaves its socket behind");
        drop(bind(&address, &[]).await.unwrap());
        fs::write(&path, "somebody's").unwrap();
        let error = bind(&address, &[]).await.err().unwrap();
        assert!(matches!(error, ListenError::Occupied(_)), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"somebody's");
    }
}
