//! The certificate that the hub shows, and vouching for one that another authority signed.
//!
//! A device knows the hub by the hub's own authority and by nothing else. Where the hub shows an
//! operator's certificate, or one that the next authority signed, a *voucher* goes along in the
//! chain: a certificate for the very same key and names, signed by an authority that devices know.
//! Whoever is not a device of ours passes over it, as over any certificate that leads nowhere.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PublicKeyData, SanType, SerialNumber, SubjectPublicKeyInfo,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use vocabulary::WallTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    Authority, BACKDATED, Ca, CaError, SERVER_CERTIFICATE_LASTS, common_name, serial, set_validity,
};

/// Most names that a server's certificate may have to be vouched for.
const NAMES_MAX: usize = 256;

/// Why no voucher can be made for a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerLeafError {
    /// It is no X.509 certificate.
    #[error("its first certificate cannot be read")]
    Unreadable,
    /// It names no host, or too many.
    #[error(
        "its first certificate names {0} hosts and addresses (subjectAltName); 1 to {NAMES_MAX} \
         are needed"
    )]
    Names(usize),
    /// The first certificate is an authority's.
    #[error("its first certificate is an authority's; the server's own must come first")]
    Authority,
    /// Its key is of a kind that is not known here.
    #[error("the key of its first certificate is none that TLS servers use")]
    Key,
}

/// What is read of a server's certificate.
#[derive(Debug, Clone)]
pub struct ServerLeaf {
    names: Vec<SanType>,
    key: SubjectPublicKeyInfo,
    issuer: Vec<u8>,
    /// When it begins.
    pub not_before: WallTime,
    /// When it ends.
    pub expires_at: WallTime,
}

impl ServerLeaf {
    /// Reads a server's certificate.
    ///
    /// # Errors
    /// [`ServerLeafError`] says why it is none.
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self, ServerLeafError> {
        let unreadable = ServerLeafError::Unreadable;
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| unreadable.clone())?;
        if parsed.is_ca() {
            return Err(ServerLeafError::Authority);
        }
        let alternatives = parsed.subject_alternative_name().map_err(|_| unreadable)?;
        let named = alternatives.map_or(&[][..], |found| &found.value.general_names);
        let names: Vec<_> = named.iter().filter_map(name_of).collect();
        if !(1..=NAMES_MAX).contains(&names.len()) {
            return Err(ServerLeafError::Names(names.len()));
        }
        let key = SubjectPublicKeyInfo::from_der(parsed.public_key().raw)
            .map_err(|_| ServerLeafError::Key)?;
        let ms =
            |time: x509_parser::time::ASN1Time| WallTime(time.timestamp().saturating_mul(1000));
        Ok(Self {
            names,
            key,
            issuer: parsed.issuer().as_raw().to_vec(),
            not_before: ms(parsed.validity().not_before),
            expires_at: ms(parsed.validity().not_after),
        })
    }
}

fn name_of(name: &GeneralName<'_>) -> Option<SanType> {
    match name {
        GeneralName::DNSName(name) => Some(SanType::DnsName((*name).try_into().ok()?)),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(SanType::IpAddress)
        }
        // Nobody connects to a mail address or a directory's name.
        _ => None,
    }
}

impl Ca {
    /// A new key and certificate by which the hub shows itself under these names and addresses,
    /// vouched for by the authority before, where there is one.
    ///
    /// # Errors
    /// [`CaError::ServerName`] names a name that cannot be; the others when signing fails.
    pub fn server_certificate(
        &self,
        names: &[String],
        now: WallTime,
    ) -> Result<Arc<CertifiedKey>, CaError> {
        for name in names {
            if name.parse::<IpAddr>().is_err()
                && rustls::pki_types::DnsName::try_from(name.as_str()).is_err()
            {
                return Err(CaError::ServerName(name.clone()));
            }
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CaError::Sign)?;
        let params = CertificateParams::new(names).map_err(CaError::Sign)?;
        let lasts_until = now.saturating_add(SERVER_CERTIFICATE_LASTS);
        let leaf = sign(
            &self.current,
            params,
            &key,
            now.saturating_sub(BACKDATED),
            lasts_until,
        )?;
        let private = PrivatePkcs8KeyDer::from(key.serialize_der());
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        // The authority goes along, so that a device that only knows its digest can find it.
        let mut chain = vec![leaf.clone(), self.current.certificate.clone()];
        let read = ServerLeaf::read(&leaf).map_err(CaError::Leaf)?;
        chain.extend(self.vouch(&read, SERVER_CERTIFICATE_LASTS, now)?);
        CertifiedKey::from_der(chain, private.into(), &provider)
            .map(Arc::new)
            .map_err(CaError::Tls)
    }

    /// What goes into the chain behind a server's certificate so that devices know it for this
    /// hub's: a voucher of each authority that devices may know and that did not sign the
    /// certificate itself, and that authority. A voucher ends with the certificate, and after this
    /// long.
    ///
    /// # Errors
    /// [`CaError`] when there are no random numbers or the signing fails.
    pub fn vouch(
        &self,
        leaf: &ServerLeaf,
        lasts: Duration,
        now: WallTime,
    ) -> Result<Vec<CertificateDer<'static>>, CaError> {
        let mut chain = Vec::new();
        for authority in std::iter::once(&self.current).chain(&self.previous) {
            if authority.subject == leaf.issuer {
                continue;
            }
            let mut params = CertificateParams::default();
            params.subject_alt_names.clone_from(&leaf.names);
            let until = now.saturating_add(lasts).min(leaf.expires_at);
            let voucher = sign(authority, params, &leaf.key, leaf.not_before, until)?;
            chain.extend([voucher, authority.certificate.clone()]);
        }
        Ok(chain)
    }
}

fn sign(
    authority: &Authority,
    mut params: CertificateParams,
    key: &impl PublicKeyData,
    from: WallTime,
    until: WallTime,
) -> Result<CertificateDer<'static>, CaError> {
    params.distinguished_name = common_name("diemdanh-hub");
    params.serial_number = Some(SerialNumber::from_slice(&serial()?));
    set_validity(&mut params, from, until);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let signed = params
        .signed_by(key, &authority.issuer)
        .map_err(CaError::Sign)?;
    Ok(signed.der().clone())
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, IsCa, Issuer};

    use super::*;

    const NOW: WallTime = WallTime(1_767_225_600_000);
    const DAY_MS: i64 = 24 * 3600 * 1000;

    #[test]
    fn a_server_is_shown_under_names_that_can_be() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::open_or_create(dir.path(), NOW).unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let shown = ca.server_certificate(&names, NOW).unwrap();
        assert_eq!(shown.cert.len(), 2);
        let wrong = ca.server_certificate(&["not a name".to_owned()], NOW);
        assert!(matches!(wrong, Err(CaError::ServerName(_))));
    }

    #[test]
    fn a_rotation_s_former_authority_vouches_for_what_the_new_one_signed() {
        let dir = tempfile::tempdir().unwrap();
        Ca::open_or_create(dir.path(), NOW).unwrap();
        Ca::begin_rotation(dir.path(), NOW).unwrap();
        let begun = Ca::open_or_create(dir.path(), NOW).unwrap();
        let names = ["localhost".to_owned()];
        assert_eq!(begun.server_certificate(&names, NOW).unwrap().cert.len(), 2);
        Ca::switch_rotation(dir.path()).unwrap();
        let ca = Ca::open_or_create(dir.path(), NOW).unwrap();
        let chain = &ca.server_certificate(&names, NOW).unwrap().cert;
        assert_eq!(chain.len(), 4);
        assert_eq!(chain[3], begun.current.certificate);
        let key = |at: usize| {
            let (_, parsed) = X509Certificate::from_der(&chain[at]).unwrap();
            parsed.public_key().raw.to_vec()
        };
        assert_eq!(key(0), key(2));
        assert_ne!(key(0), key(3));
    }

    #[test]
    fn a_voucher_is_for_the_same_key_and_names_and_no_longer_than_the_certificate() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::open_or_create(dir.path(), NOW).unwrap();
        let root = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = Issuer::new(params, root);
        for algorithm in [
            &rcgen::PKCS_RSA_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ED25519,
        ] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let names = vec!["*.hub.example".to_owned(), "::1".to_owned()];
            let mut params = CertificateParams::new(names).unwrap();
            set_validity(
                &mut params,
                NOW.saturating_sub(BACKDATED),
                WallTime(NOW.0 + DAY_MS),
            );
            let theirs = params.signed_by(&key, &issuer).unwrap();
            let leaf = ServerLeaf::read(theirs.der()).unwrap();
            let vouched = ca
                .vouch(&leaf, 7 * Duration::from_secs(86_400), NOW)
                .unwrap();
            assert_eq!(vouched.len(), 2);
            assert_eq!(vouched[1], ca.current.certificate);
            let voucher = ServerLeaf::read(&vouched[0]).unwrap();
            assert_eq!(voucher.names, leaf.names);
            assert_eq!(voucher.expires_at.0, NOW.0 + DAY_MS);
            let (_, parsed) = X509Certificate::from_der(&vouched[0]).unwrap();
            assert_eq!(parsed.public_key().raw, key.subject_public_key_info());
            let vouched = ca.vouch(&leaf, Duration::from_secs(3600), NOW).unwrap();
            let voucher = ServerLeaf::read(&vouched[0]).unwrap();
            assert_eq!(voucher.expires_at.0, NOW.0 + 3_600_000);
        }
    }

    #[test]
    fn what_is_no_server_s_certificate_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::open_or_create(dir.path(), NOW).unwrap();
        let check = |der: &[u8], expect: ServerLeafError| {
            let read = ServerLeaf::read(&CertificateDer::from(der.to_vec()));
            assert_eq!(read.err(), Some(expect));
        };
        check(b"none", ServerLeafError::Unreadable);
        check(&ca.current.certificate, ServerLeafError::Authority);
        let key = KeyPair::generate().unwrap();
        let nameless = CertificateParams::default().self_signed(&key).unwrap();
        check(nameless.der(), ServerLeafError::Names(0));
    }
}
