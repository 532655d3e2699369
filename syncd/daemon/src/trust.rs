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
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};
use vocabulary::{Digest, WallTime};

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
pub struct LatestClock(Arc<AtomicI64>);

impl LatestClock {
    /// A clock that is never before this.
    #[must_use]
    pub fn new(at_least: WallTime) -> Self {
        Self(Arc::new(AtomicI64::new(at_least.0)))
    }

    /// It is never before this either.
    pub fn raise(&self, at_least: WallTime) {
        self.0.fetch_max(at_least.0, Ordering::Relaxed);
    }
}

impl TimeProvider for LatestClock {
    fn current_time(&self) -> Option<UnixTime> {
        let at_least = u64::try_from(self.0.load(Ordering::Relaxed)).unwrap_or(0);
        let at_least = Duration::from_millis(at_least);
        let clock = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Some(UnixTime::since_unix_epoch(clock.max(at_least)))
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
    let mut roots = RootCertStore::empty();
    for pem in authorities {
        for authority in CertificateDer::pem_slice_iter(pem) {
            let what = "an authority of the hub";
            let authority = authority.map_err(|error| TrustError::Pem(what, error))?;
            roots
                .add(authority)
                .map_err(|error| TrustError::Tls(what, error))?;
        }
    }
    let what = "the device's certificate";
    let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| TrustError::Pem(what, error))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|error| TrustError::Pem("the device's key", error))?;
    builder(clock)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| TrustError::Tls(what, error))
}

/// TLS for a device that has only its token: the hub is believed when its certificate was signed
/// by the very authority whose key the token names. Nothing is taken on first use.
///
/// # Errors
/// [`TrustError`] when TLS is not there at all.
pub fn pinned(authority: Digest, clock: &LatestClock) -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(builder(clock)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinnedAuthority {
            authority,
            provider,
        }))
        .with_no_client_auth())
}

fn builder(
    clock: &LatestClock,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, TrustError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_details(provider, Arc::new(clock.clone()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TrustError::Tls("TLS", error))
}

/// Believes a server whose certificate was signed by an authority with one known key.
#[derive(Debug)]
struct PinnedAuthority {
    authority: Digest,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let authority = intermediates
            .iter()
            .find(|certificate| key_digest(certificate) == Some(self.authority))
            .ok_or_else(|| unknown.clone())?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), self.provider.clone())
                .build()
                .map_err(|_| unknown)?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The SHA-256 of a certificate's SubjectPublicKeyInfo (as RFC 7469 pins keys).
fn key_digest(certificate: &CertificateDer<'_>) -> Option<Digest> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(Digest(
        Sha256::digest(parsed.tbs_certificate.subject_pki.raw).into(),
    ))
}
