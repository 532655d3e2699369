//! Who is at the other end of a connection: seen by this process's own TLS, or told by a proxy with
//! each request.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::header::HeaderMap;
use rustls::pki_types::UnixTime;
use vocabulary::WallTime;

use super::Tls;
use super::forwarded;
use super::listeners::ProxyHeaders;
use crate::ca::Presented;
use crate::reply::Failure;

/// The other end of a connection.
pub(super) enum Peer {
    /// Its certificate, whose chain was checked at the handshake, and its address.
    Seen(Option<Presented>, IpAddr),
    /// A proxy, which says the like of its clients.
    Behind(ProxyHeaders, Arc<Tls>),
}

/// Who sent a request.
pub(super) struct Sender {
    /// The certificate, which one of the hub's authorities signed.
    pub certificate: Option<Presented>,
    /// The address, where it is known.
    pub address: Option<IpAddr>,
    /// Whether the address was not counted yet among those that are connected.
    pub is_uncounted: bool,
}

impl Peer {
    pub(super) fn seen(certificate: Option<Presented>, address: IpAddr) -> Self {
        Self::Seen(certificate, address)
    }

    pub(super) fn behind(headers: ProxyHeaders, tls: Arc<Tls>) -> Self {
        Self::Behind(headers, tls)
    }

    /// Who sent a request with these headers, of which a proxy's alone are looked at.
    ///
    /// # Errors
    /// When what a proxy says is of no form.
    pub(super) fn sender(&self, headers: &HeaderMap, now: WallTime) -> Result<Sender, Failure> {
        match self {
            Self::Seen(certificate, address) => Ok(Sender {
                certificate: certificate.clone(),
                address: Some(*address),
                is_uncounted: false,
            }),
            Self::Behind(names, tls) => {
                let certificate = forwarded::certificate(names.certificate, headers)?;
                // Clients may have certificates of others, for other servers.
                let certificate = certificate.filter(|certificate| {
                    let seconds = u64::try_from(now.0 / 1000).unwrap_or(0);
                    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
                    let verified = tls.verifier().verify_client_cert(certificate, &[], now);
                    verified.is_ok()
                });
                Ok(Sender {
                    certificate: certificate.as_ref().and_then(Presented::read),
                    address: forwarded::address(names.address, headers),
                    is_uncounted: true,
                })
            }
        }
    }
}

/// What counts as one address: of IPv6 all that one network has.
pub(super) fn place_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("address:{address}"),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("address:{a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}
