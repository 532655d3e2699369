//! Whom this device believes to be the hub, and by which clock certificates are judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};
use sha2::{Digest as _, Sha256};
use vocabulary::{Digest, WallTime};

/// Most vouchers of a chain that are looked at; a hub sends one for each of its two authorities.
const VOUCHERS_MAX: usize = 4;

/// When this program was built. No clock before that is right.
#[must_use]
pub fn built_at() -> WallTime {
    let seconds = env!("DIEMDANH_BUILT_S").parse::<i64>().unwrap_or(0);
    WallTime(seconds.saturating_mul(1000))
}

/// Why no connection to the hub can be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Certificates or keys that were stored or configured are none.
    #[error("{0} cannot be read")]
    Pem(&'static str, #[source] rustls::pki_types::pem::Error),
    /// TLS refuses them.
    #[error("{0} cannot be used")]
    Tls(&'static str, #[source] rustls::Error),
}

/// The clock that certificates are judged by: the latest of the wall clock, the time of the build
/// and that of the last record. A board without a battery wakes up in 1970 or in the past.
#[derive(Debug, Clone)]
pub struct LatestClock {
    at_least: Arc<AtomicI64>,
    /// What the wall clock shows since 1970.
    wall: fn() -> Duration,
}

impl LatestClock {
    /// A clock that is never before this.
    #[must_use]
    pub fn new(at_least: WallTime) -> Self {
        Self {
            at_least: Arc::new(AtomicI64::new(at_least.0)),
            wall: || {
                SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or_default()
            },
        }
    }

    /// It is never before this either.
    pub fn raise(&self, at_least: WallTime) {
        self.at_least.fetch_max(at_least.0, Ordering::Relaxed);
    }
}

impl TimeProvider for LatestClock {
    fn current_time(&self) -> Option<UnixTime> {
        let at_least = u64::try_from(self.at_least.load(Ordering::Relaxed)).unwrap_or(0);
        let at_least = Duration::from_millis(at_least);
        Some(UnixTime::since_unix_epoch((self.wall)().max(at_least)))
    }
}

/// TLS for a device that is enrolled: only these authorities are believed, and it shows its
/// certificate.
///
/// # Errors
/// [`TrustError`] names what cannot be used.
pub fn enrolled(
    authorities: &[&[u8]],
    certificate: &str,
    key: &str,
    clock: &LatestClock,
) -> Result<ClientConfig, TrustError> {
    let what = "the device's certificate";
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| TrustError::Pem(what, error))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|error| TrustError::Pem("the device's key", error))?;
    builder(clock)?
        .dangerous()
        .with_custom_certificate_verifier(HubVerifier::new(roots(authorities)?, None))
        .with_client_auth_cert(chain, key)
        .map_err(|error| TrustError::Tls(what, error))
}

/// TLS for a device that has only its token: the hub is believed when its certificate was signed
/// or vouched for by the very authority whose key the token names, or signed by an authority that
/// the operator has put into the configuration. Nothing is taken on first use.
///
/// # Errors
/// [`TrustError`] names what cannot be used.
pub fn pinned(
    authority: Digest,
    further: &[u8],
    clock: &LatestClock,
) -> Result<ClientConfig, TrustError> {
    let roots = roots(&[further])?;
    Ok(builder(clock)?
        .dangerous()
        .with_custom_certificate_verifier(HubVerifier::new(roots, Some(authority)))
        .with_no_client_auth())
}

/// Whether one of these certificates in PEM has this key.
#[must_use]
pub fn has_key(authorities: &str, key: Digest) -> bool {
    CertificateDer::pem_slice_iter(authorities.as_bytes())
        .filter_map(Result::ok)
        .any(|authority| key_digest(&authority) == Some(key))
}

fn roots(authorities: &[&[u8]]) -> Result<RootCertStore, TrustError> {
    let what = "an authority of the hub";
    let mut roots = RootCertStore::empty();
    for authority in authorities
        .iter()
        .flat_map(|pem| CertificateDer::pem_slice_iter(pem))
    {
        let authority = authority.map_err(|error| TrustError::Pem(what, error))?;
        roots
            .add(authority)
            .map_err(|error| TrustError::Tls(what, error))?;
    }
    Ok(roots)
}

fn builder(
    clock: &LatestClock,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TrustError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_details(provider, Arc::new(clock.clone()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TrustError::Tls("TLS", error))
}

/// Believes a server whose certificate one of the known authorities signed, or *vouched* for: a
/// certificate in the chain for the same key and name, signed by a known authority. So a hub that
/// shows a city's certificate, or that of its next authority, is known by its own.
#[derive(Debug)]
struct HubVerifier {
    roots: RootCertStore,
    /// The key of one more authority, which is itself taken from the chain.
    pinned: Option<Digest>,
    provider: Arc<CryptoProvider>,
}

impl HubVerifier {
    fn new(roots: RootCertStore, pinned: Option<Digest>) -> Arc<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Arc::new(Self {
            roots,
            pinned,
            provider,
        })
    }

    /// What is believed in this handshake.
    fn known(&self, chain: &[CertificateDer<'_>]) -> Result<Arc<WebPkiServerVerifier>, Error> {
        let mut roots = self.roots.clone();
        if let Some(pinned) = self.pinned {
            let named = chain
                .iter()
                .find(|certificate| key_digest(certificate) == Some(pinned));
            if let Some(authority) = named {
                roots.add(authority.clone().into_owned())?;
            }
        }
        // A verifier without any root cannot be made: nobody is believed.
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
            .build()
            .map_err(|_| Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }
}

impl ServerCertVerifier for HubVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.known(intermediates)?;
        let check = |certificate: &CertificateDer<'_>| {
            verifier.verify_server_cert(certificate, intermediates, server_name, ocsp_response, now)
        };
        let mut refused = match check(end_entity) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        // The handshake is signed by the key of `end_entity`, so the voucher must be of that key.
        let key = key_digest(end_entity);
        let vouchers = intermediates
            .iter()
            .filter(|one| key.is_some() && key_digest(one) == key);
        for voucher in vouchers.take(VOUCHERS_MAX) {
            match check(voucher) {
                Ok(verified) => return Ok(verified),
                // What is wrong with a voucher of a known authority says more than that the
                // certificate itself is of an unknown one.
                Err(error) if is_unknown(&refused) => refused = error,
                Err(_) => {}
            }
        }
        Err(refused)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn is_unknown(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidCertificate(CertificateError::UnknownIssuer)
    )
}

/// The SHA-256 of a certificate's SubjectPublicKeyInfo (as RFC 7469 pins keys).
fn key_digest(certificate: &CertificateDer<'_>) -> Option<Digest> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(Digest(
        Sha256::digest(parsed.tbs_certificate.subject_pki.raw).into(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_before_the_build_or_the_last_record_is_believed() {
        fn check(wall: fn() -> Duration, built_s: i64, record_s: Option<i64>, expect_s: u64) {
            let mut clock = LatestClock::new(WallTime(built_s * 1000));
            clock.wall = wall;
            if let Some(at) = record_s {
                clock.raise(WallTime(at * 1000));
            }
            let now = clock.current_time().unwrap().as_secs();
            assert_eq!(now, expect_s, "built at {built_s}, record at {record_s:?}");
        }
        // A board that wakes up in 1970, one that is right, one that is ahead.
        let (zero, right, ahead) = (
            || Duration::ZERO,
            || Duration::from_secs(2000),
            || Duration::from_secs(9000),
        );
        check(zero, 1000, None, 1000);
        check(zero, 1000, Some(1500), 1500);
        check(zero, 1000, Some(500), 1000);
        check(right, 1000, None, 2000);
        check(right, 1000, Some(1500), 2000);
        check(right, 1000, Some(2500), 2500);
        check(ahead, 1000, Some(2500), 9000);
        // Nonsense in a file is no time before 1970.
        check(zero, -5, Some(i64::MIN / 1000), 0);
    }

    #[test]
    fn a_program_knows_when_it_was_built() {
        let built = built_at();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert!(built.0 > 1_700_000_000_000, "{built:?}");
        assert!(built.0 <= now.as_millis() as i64, "{built:?}");
    }
}
