//! How the hub shows itself, and whom it lets shake hands.
//!
//! A client without a certificate may connect: which operation needs one is decided per request. A
//! certificate that another authority signed is refused at the handshake, before a byte of HTTP is
//! read; one of ours that has expired is let through, since renewal must be possible with it, and
//! its end is looked at again at every request. Nothing here knows about revocation, which only the
//! store does.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};

use crate::ca::{Ca, Presented};
use crate::shown::{Shown, ShownError};

/// Why the hub cannot offer TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// There is no certificate to show.
    #[error("the hub has no certificate to show")]
    Certificate(#[from] ShownError),
    /// An authority's certificate cannot be trusted in.
    #[error("the authority's certificate cannot be used")]
    Authority(#[source] Error),
    /// The verifier cannot be made.
    #[error("devices' certificates cannot be checked")]
    Verifier(#[from] VerifierBuilderError),
}

/// The configuration of the hub's side of TLS.
///
/// # Errors
/// [`TlsError`] says which part cannot be used.
pub fn server_config(ca: &Ca, shown: Arc<Shown>) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Authority)?
        .with_client_cert_verifier(device_verifier(ca)?)
        .with_cert_resolver(shown);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// What checks that a device's certificate was signed by one of the hub's authorities. One that
/// has ended is let through.
///
/// # Errors
/// [`TlsError`] when an authority cannot be used.
pub fn device_verifier(ca: &Ca) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    for authority in ca.authorities() {
        roots.add(authority).map_err(TlsError::Authority)?;
    }
    let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()?;
    Ok(Arc::new(ExpiredToo(inner)))
}

/// Checks as the inner verifier does, but takes a certificate that has ended as if it had not.
#[derive(Debug)]
struct ExpiredToo(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for ExpiredToo {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.0.verify_client_cert(end_entity, intermediates, now);
        match verified {
            Err(Error::InvalidCertificate(
                CertificateError::Expired | CertificateError::ExpiredContext { .. },
            )) => {
                // Everything else about it is checked as of its last moment.
                let last = Presented::read(end_entity)
                    .and_then(|presented| u64::try_from(presented.expires_at.0 / 1000).ok())
                    .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
                let last = UnixTime::since_unix_epoch(std::time::Duration::from_secs(last));
                self.0.verify_client_cert(end_entity, intermediates, last)
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vocabulary::WallTime;

    use super::*;

    const NOW: WallTime = WallTime(1_767_225_600_000);

    #[test]
    fn ours_is_taken_expired_or_not_and_others_are_refused() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let ca = Ca::open_or_create(dir.path(), NOW).unwrap();
        let stranger = Ca::open_or_create(other.path(), NOW).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(ca.authorities()[0].clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        let verifier = ExpiredToo(inner.build().unwrap());
        let certificate = |ca: &Ca| {
            use rustls::pki_types::pem::PemObject;
            let key = rcgen::KeyPair::generate().unwrap();
            let csr = rcgen::CertificateParams::default()
                .serialize_request(&key)
                .unwrap();
            let key = crate::ca::RequestedKey::of_csr(&csr.pem().unwrap()).unwrap();
            let device = vocabulary::DeviceId::new("kiosk-07").unwrap();
            let signed = ca.sign_device(&device, &key, NOW).unwrap();
            CertificateDer::from_pem_slice(signed.pem.as_bytes()).unwrap()
        };
        let check = |certificate: &CertificateDer<'_>, days: i64, expect: bool| {
            let s = u64::try_from(NOW.0 / 1000 + days * 86_400).unwrap();
            let now = UnixTime::since_unix_epoch(Duration::from_secs(s));
            let verified = verifier.verify_client_cert(certificate, &[], now);
            assert_eq!(verified.is_ok(), expect, "{days}: {verified:?}");
        };
        let ours = certificate(&ca);
        check(&ours, 0, true);
        check(&ours, 89, true);
        check(&ours, 91, true);
        check(&ours, 400, true);
        check(&ours, -2, false);
        check(&certificate(&stranger), 0, false);
        check(&certificate(&stranger), 400, false);
    }
}
