//! The hub's own authority: shows the hub to its devices, and signs for its devices.
//!
//! Of a device's signing request only the key is taken; whatever else it says of itself is not
//! read. An authority is one file of mode 0600 with its key and its certificate, so that the two
//! are never apart; the server's own key never touches the disk. `ca.pem` beside it is for
//! everybody, replaced whole whenever it changes, and never read. Nothing here knows which devices
//! exist.

mod server;

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SerialNumber, SubjectPublicKeyInfo,
    date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use sha2::{Digest as _, Sha256};
use vocabulary::{DeviceId, Digest, WallTime};
use wire::limits::{CSR_BYTES_MAX, DEVICE_CERTIFICATE_LASTS, DEVICE_RENEWAL_AFTER};
use x509_parser::prelude::{FromDer, X509Certificate};

pub use server::{ServerLeaf, ServerLeafError};

/// How long the server's certificate lasts. It is made anew at each start and after two thirds.
pub const SERVER_CERTIFICATE_LASTS: Duration = Duration::from_secs(30 * DAY_S);

/// When the server's certificate is made anew.
pub const SERVER_RENEWAL_AFTER: Duration = Duration::from_secs(20 * DAY_S);

/// How long an authority lasts; it is replaced by rotation, not by its end.
const AUTHORITY_LASTS: Duration = Duration::from_secs(20 * 365 * DAY_S);

/// How much before now certificates begin, so that a clock a little behind takes them.
pub const BACKDATED: Duration = Duration::from_secs(DAY_S);

const CERTIFICATE_BEGINS: &str = "-----BEGIN CERTIFICATE-----";

/// Most bytes of a file with an authority's key and certificate; both are under 2 KiB.
const FILE_BYTES_MAX: u64 = 16 << 10;

const DAY_S: u64 = 24 * 60 * 60;

/// The authority that signs now.
pub(crate) const CURRENT: &str = "ca.key";
/// One that devices are told of, and that will sign after the switch.
pub(crate) const NEXT: &str = "ca-next.key";
/// The one before, whose devices are still let in until it is taken away.
pub(crate) const PREVIOUS: &str = "ca-previous.key";
/// All certificates, for those who are to trust the hub.
pub const PUBLIC: &str = "ca.pem";

/// Why the authority cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// The operating system refused.
    #[error("{}: the authority's file cannot be {doing}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Others can read the authority's key.
    #[error(
        "{}: an authority's key must be readable by its owner alone, its mode is {mode:03o}; \
         run: chmod 600 {}", path.display(), path.display()
    )]
    Exposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The key or the certificate is none, or the two are not a pair.
    #[error(
        "{}: this is no authority of a hub: {why}; restore it from the backup",
        path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Something could not be signed.
    #[error("a certificate cannot be made")]
    Sign(#[source] rcgen::Error),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// A name or address of the server that no certificate can carry.
    #[error("`{0}` is no host name or address that a certificate can carry")]
    ServerName(String),
    /// A server's certificate that no voucher can be made for.
    #[error("the server's certificate cannot be vouched for")]
    Leaf(#[source] ServerLeafError),
    /// The server's key is refused by the TLS library.
    #[error("the server's certificate cannot be used")]
    Tls(#[source] rustls::Error),
    /// A step of the rotation at the wrong time.
    #[error("{0}")]
    Rotation(&'static str),
}

/// Why a certificate signing request is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    /// It is longer than any real one.
    #[error("the signing request has {0} bytes, {CSR_BYTES_MAX} are the most")]
    TooLong(usize),
    /// It is not one, or is not signed by its own key.
    #[error("the signing request cannot be used: {0}")]
    Unusable(String),
    /// Its key is of another kind.
    #[error("the signing request's key must be Ed25519 or P-256")]
    Key,
}

/// The key that a signing request asks a certificate for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedKey(SubjectPublicKeyInfo);

impl RequestedKey {
    /// Reads a signing request in PEM, checks that it is signed by its own key, and keeps the key.
    ///
    /// # Errors
    /// [`CsrError`] says what is wrong with it.
    pub fn of_csr(pem: &str) -> Result<Self, CsrError> {
        if pem.len() > CSR_BYTES_MAX {
            return Err(CsrError::TooLong(pem.len()));
        }
        let unusable = |error: rcgen::Error| CsrError::Unusable(error.to_string());
        let csr = CertificateSigningRequestParams::from_pem(pem).map_err(unusable)?;
        let algorithm = csr.public_key.algorithm();
        if algorithm != &PKCS_ED25519 && algorithm != &PKCS_ECDSA_P256_SHA256 {
            return Err(CsrError::Key);
        }
        let key = csr.public_key.subject_public_key_info();
        SubjectPublicKeyInfo::from_der(&key)
            .map(Self)
            .map_err(unusable)
    }

    /// The SHA-256 of the key (SubjectPublicKeyInfo): which key used a token.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.0.subject_public_key_info()).into())
    }
}

/// A signed certificate for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// In PEM.
    pub pem: String,
    /// Its random serial number.
    pub serial: [u8; 16],
    /// When it begins to be valid.
    pub not_before: WallTime,
    /// When it ends.
    pub expires_at: WallTime,
    /// When to ask for the next one.
    pub renew_at: WallTime,
}

/// One authority: certificate and key.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    fingerprint: Digest,
    /// Its distinguished name, as the certificates that it signs carry it.
    subject: Vec<u8>,
    /// When it was made.
    made_at: WallTime,
}

/// The hub's authorities: the one that signs, and during a rotation one more.
pub struct Ca {
    current: Authority,
    /// Known to devices, not yet signing.
    next: Option<Authority>,
    /// Not signing any more, its devices are still let in.
    previous: Option<Authority>,
}

impl Ca {
    /// Opens the authorities of a data directory; makes one where there is none.
    ///
    /// # Errors
    /// [`CaError`] names the file and the way out.
    pub fn open_or_create(dir: &Path, now: WallTime) -> Result<Self, CaError> {
        let mut current = Authority::open(dir, CURRENT)?;
        if current.is_none() && Authority::open(dir, PREVIOUS)?.is_some() {
            // A switch that was interrupted half-way is carried to its end.
            rename(dir, NEXT, CURRENT)?;
            current = Authority::open(dir, CURRENT)?;
        }
        let current = match current {
            Some(authority) => authority,
            None => Authority::create(dir, CURRENT, now)?,
        };
        let ca = Self {
            current,
            next: Authority::open(dir, NEXT)?,
            previous: Authority::open(dir, PREVIOUS)?,
        };
        let public = dir.join(PUBLIC);
        let pem = ca.authorities_pem();
        // Whoever reads it meanwhile finds the old one or the new one, never a part.
        if fs::read_to_string(&public).ok().as_ref() != Some(&pem) {
            replace(&public, pem.as_bytes()).map_err(failed(&public, "written"))?;
        }
        Ok(ca)
    }

    /// The digest of the signing authority's public key, which enrolment tokens carry.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        self.current.fingerprint
    }

    /// All authorities in PEM, the signing one first: what a device is to trust.
    #[must_use]
    pub fn authorities_pem(&self) -> String {
        self.all().map(|authority| authority.pem.as_str()).collect()
    }

    /// All authorities' certificates, the signing one first.
    #[must_use]
    pub fn authorities(&self) -> Vec<CertificateDer<'static>> {
        self.all().map(|one| one.certificate.clone()).collect()
    }

    /// Whether a device with this certificate is where it should be: the signing authority made the
    /// certificate, and the device was told of the next one with it. It is to renew it otherwise.
    #[must_use]
    pub fn is_current(&self, presented: &Presented) -> bool {
        let issued_at = presented.not_before.saturating_add(BACKDATED);
        let told = |next: &Authority| issued_at > next.made_at;
        presented.issuer == self.current.subject && self.next.as_ref().is_none_or(told)
    }

    fn all(&self) -> impl Iterator<Item = &Authority> {
        std::iter::once(&self.current)
            .chain(&self.next)
            .chain(&self.previous)
    }

    /// Signs a certificate for a device.
    ///
    /// # Errors
    /// [`CaError`] when there are no random numbers or the signing fails.
    pub fn sign_device(
        &self,
        device: &DeviceId,
        key: &RequestedKey,
        now: WallTime,
    ) -> Result<DeviceCertificate, CaError> {
        let serial = serial()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(device.as_str());
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let mut not_before = now.saturating_sub(BACKDATED);
        if self.next.is_some() {
            // Certificates count whole seconds: so this one is later than any that was signed in
            // this second before there was a next authority, of which this one's answer tells.
            not_before = not_before.saturating_add(Duration::from_secs(1));
        }
        let expires_at = now.saturating_add(DEVICE_CERTIFICATE_LASTS);
        set_validity(&mut params, not_before, expires_at);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params
            .signed_by(&key.0, &self.current.issuer)
            .map_err(CaError::Sign)?;
        Ok(DeviceCertificate {
            pem: certificate.pem(),
            serial,
            not_before,
            expires_at,
            renew_at: now.saturating_add(DEVICE_RENEWAL_AFTER),
        })
    }
}

/// The steps by which one authority follows another without any device losing its way. A running
/// hub follows each by itself. After the first, devices are told with their next report to renew
/// their certificates, and with these of the next authority; after the second likewise, and get
/// certificates of the new one. Whoever sleeps through the first knows the hub by a voucher of the
/// former authority, until the third.
impl Ca {
    /// Makes the next authority: from now on devices are told of it.
    ///
    /// # Errors
    /// [`CaError::Rotation`] when a rotation is under way already.
    pub fn begin_rotation(dir: &Path, now: WallTime) -> Result<Digest, CaError> {
        if Authority::open(dir, NEXT)?.is_some() || Authority::open(dir, PREVIOUS)?.is_some() {
            return Err(CaError::Rotation(
                "a rotation of the authority is under way; switch or finish it first",
            ));
        }
        Authority::create(dir, NEXT, now).map(|authority| authority.fingerprint)
    }

    /// Lets the next authority sign. Devices of the one before are still let in.
    ///
    /// # Errors
    /// [`CaError::Rotation`] when none was begun.
    pub fn switch_rotation(dir: &Path) -> Result<Digest, CaError> {
        let next = Authority::open(dir, NEXT)?.ok_or(CaError::Rotation(
            "there is no next authority; begin a rotation first",
        ))?;
        rename(dir, CURRENT, PREVIOUS)?;
        rename(dir, NEXT, CURRENT)?;
        Ok(next.fingerprint)
    }

    /// Forgets the authority before: devices that still have its certificate must enrol again.
    ///
    /// # Errors
    /// [`CaError::Rotation`] when there is none.
    pub fn finish_rotation(dir: &Path) -> Result<(), CaError> {
        if Authority::open(dir, PREVIOUS)?.is_none() {
            return Err(CaError::Rotation(
                "there is no previous authority; nothing is to be finished",
            ));
        }
        let path = dir.join(PREVIOUS);
        fs::remove_file(&path).map_err(failed(&path, "removed"))?;
        sync_directory(dir)
    }
}

impl Authority {
    fn create(dir: &Path, name: &str, now: WallTime) -> Result<Self, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(CaError::Sign)?;
        let fingerprint = Digest(Sha256::digest(key.subject_public_key_info()).into());
        let mut params = CertificateParams::default();
        // Two authorities of one hub have different names, or a verifier would mix them up.
        let subject = format!("Diem Danh hub {}", &hex(&fingerprint.0)[..16]);
        params.distinguished_name = common_name(&subject);
        params.serial_number = Some(SerialNumber::from_slice(&serial()?));
        set_validity(
            &mut params,
            now.saturating_sub(BACKDATED),
            now.saturating_add(AUTHORITY_LASTS),
        );
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(CaError::Sign)?;
        let both = key.serialize_pem() + &certificate.pem();
        let path = dir.join(name);
        write_new(&path, both.as_bytes())?;
        sync_directory(dir)?;
        Self::open(dir, name)?.ok_or_else(|| CaError::Damaged {
            path,
            why: "it was removed while it was made".to_owned(),
        })
    }

    fn open(dir: &Path, name: &str) -> Result<Option<Self>, CaError> {
        let path = dir.join(name);
        let Some(text) = read_secret(&path)? else {
            return Ok(None);
        };
        let damaged = |why: &dyn ToString| CaError::Damaged {
            path: path.clone(),
            why: why.to_string(),
        };
        let key = KeyPair::from_pem(&text).map_err(|error| damaged(&error))?;
        let certificate =
            pem_certificate(&text).ok_or_else(|| damaged(&"it has no certificate"))?;
        let key_info = key.subject_public_key_info();
        let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|e| damaged(&e))?;
        if parsed.public_key().raw != key_info.as_slice() {
            return Err(damaged(&"its certificate is not of its key"));
        }
        let subject = parsed.subject().as_raw().to_vec();
        let begins_ms = parsed
            .validity()
            .not_before
            .timestamp()
            .saturating_mul(1000);
        let made_at = WallTime(begins_ms).saturating_add(BACKDATED);
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|e| damaged(&e))?;
        let begins = text
            .find(CERTIFICATE_BEGINS)
            .ok_or_else(|| damaged(&"it has no certificate"))?;
        Ok(Some(Self {
            issuer,
            certificate,
            pem: text[begins..].to_owned(),
            fingerprint: Digest(Sha256::digest(&key_info).into()),
            subject,
            made_at,
        }))
    }
}

/// What the hub reads of a device's certificate whose chain was checked at the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presented {
    /// The device.
    pub device: DeviceId,
    /// The serial number, as signed.
    pub serial: Vec<u8>,
    /// When it begins.
    pub not_before: WallTime,
    /// When it ends.
    pub expires_at: WallTime,
    /// Who signed it: the distinguished name, as signed. Each authority of a hub has its own.
    pub issuer: Vec<u8>,
}

impl Presented {
    /// The same of a certificate in PEM.
    #[must_use]
    pub fn of_pem(pem: &str) -> Option<Self> {
        Self::read(&pem_certificate(pem)?)
    }

    /// Reads a certificate; none when it is not of the form that [`Ca::sign_device`] makes.
    #[must_use]
    pub fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let mut names = parsed.subject().iter_common_name();
        let device = DeviceId::new(names.next()?.as_str().ok()?).ok()?;
        if names.next().is_some() {
            return None;
        }
        let ms =
            |time: x509_parser::time::ASN1Time| WallTime(time.timestamp().saturating_mul(1000));
        Some(Self {
            device,
            serial: parsed.raw_serial().to_vec(),
            not_before: ms(parsed.validity().not_before),
            expires_at: ms(parsed.validity().not_after),
            issuer: parsed.issuer().as_raw().to_vec(),
        })
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// A random serial number of 127 bits: the first bit is 0, since serial numbers are positive, and
/// the second is 1, so that no leading zero byte is dropped when it is written.
fn serial() -> Result<[u8; 16], CaError> {
    let mut serial = [0; 16];
    getrandom::fill(&mut serial).map_err(CaError::Random)?;
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

fn set_validity(params: &mut CertificateParams, from: WallTime, until: WallTime) {
    // Certificates count whole seconds, and no authority is made before 1970.
    let time = |time: WallTime| {
        date_time_ymd(1970, 1, 1) + Duration::from_secs(time.0.max(0).unsigned_abs() / 1000)
    };
    params.not_before = time(from);
    params.not_after = time(until);
}

fn rename(dir: &Path, from: &str, to: &str) -> Result<(), CaError> {
    let from = dir.join(from);
    fs::rename(&from, dir.join(to)).map_err(failed(&from, "moved"))?;
    sync_directory(dir)
}

fn pem_certificate(pem: &str) -> Option<CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject;
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

fn read_secret(path: &Path) -> Result<Option<String>, CaError> {
    let opened = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed(path, "read"))?,
    };
    let mode = opened.metadata().map_err(failed(path, "read"))?.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(CaError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    let mut text = String::new();
    opened
        .take(FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(failed(path, "read"))?;
    Ok(Some(text))
}

/// Puts a file that everybody may read in place of the one before.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut serial = [0; 8];
    getrandom::fill(&mut serial).map_err(io::Error::other)?;
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", hex(&serial)));
    let beside = PathBuf::from(beside);
    let replaced = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&beside, path));
    if replaced.is_err() {
        // Half a file beside the whole one would only confuse.
        let _ = fs::remove_file(&beside);
    }
    replaced
}

/// Writes a file beside its place and links it there: it appears whole or not at all, and of two
/// processes one makes it.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), CaError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", hex(&serial()?)));
    let beside = PathBuf::from(beside);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| match fs::hard_link(&beside, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        })
        .map_err(failed(path, "created"));
    // The link is what counts; what is left of the name beside it is as well protected.
    let _ = fs::remove_file(&beside);
    written
}

fn sync_directory(dir: &Path) -> Result<(), CaError> {
    File::open(dir)
        .and_then(|opened| opened.sync_all())
        .map_err(failed(dir, "made durable"))
}

fn failed(path: &Path, doing: &'static str) -> impl Fn(io::Error) -> CaError {
    move |source| CaError::Io {
        path: path.to_owned(),
        doing,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_767_225_600_000);

    fn csr(key: &KeyPair) -> String {
        let mut params = CertificateParams::new(vec!["another.example".to_owned()]).unwrap();
        params.distinguished_name = common_name("somebody-else");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.serialize_request(key).unwrap().pem().unwrap()
    }

    fn device() -> DeviceId {
        DeviceId::new("kiosk-07").unwrap()
    }

    #[test]
    fn an_authority_made_once_is_the_same_ever_after_and_nobody_else_reads_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let made = Ca::open_or_create(dir.path(), NOW).unwrap();
        let again = Ca::open_or_create(dir.path(), NOW).unwrap();
        assert_eq!(made.fingerprint(), again.fingerprint());
        assert_eq!(made.authorities_pem(), again.authorities_pem());
        let key = dir.path().join("ca.key");
        assert_eq!(fs::metadata(&key).unwrap().mode() & 0o7777, 0o600);
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        let error = Ca::open_or_create(dir.path(), NOW).err().unwrap();
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }

    #[test]
    fn of_a_signing_request_only_the_key_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::open_or_create(dir.path(), NOW).unwrap();
        for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P256_SHA256] {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let requested = RequestedKey::of_csr(&csr(&key)).unwrap();
            let signed = ca.sign_device(&device(), &requested, NOW).unwrap();
            let der = pem_certificate(&signed.pem).unwrap();
            let presented = Presented::read(&der).unwrap();
            assert_eq!(presented.device, device());
            assert_eq!(presented.serial, signed.serial);
            assert_eq!(presented.expires_at, signed.expires_at);
            assert_eq!(presented.not_before, signed.not_before);
            let (_, parsed) = X509Certificate::from_der(&der).unwrap();
            assert!(!parsed.is_ca());
            assert!(parsed.subject_alternative_name().unwrap().is_none());
            assert_eq!(parsed.public_key().raw, key.subject_public_key_info());
        }
    }

    #[test]
    fn other_keys_and_changed_requests_are_refused() {
        let other = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        assert_eq!(RequestedKey::of_csr(&csr(&other)), Err(CsrError::Key));
        let long = "x".repeat(CSR_BYTES_MAX + 1);
        assert_eq!(
            RequestedKey::of_csr(&long),
            Err(CsrError::TooLong(long.len()))
        );
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let good = csr(&key);
        let line = good.lines().nth(2).unwrap();
        let swapped: String = line.chars().rev().collect();
        for text in ["", "-----BEGIN", &good.replace(line, &swapped)] {
            let read = RequestedKey::of_csr(text);
            assert!(matches!(read, Err(CsrError::Unusable(_))), "{read:?}");
        }
    }

    #[test]
    fn a_rotation_goes_step_by_step() {
        let dir = tempfile::tempdir().unwrap();
        let first = Ca::open_or_create(dir.path(), NOW).unwrap();
        assert!(matches!(
            Ca::switch_rotation(dir.path()),
            Err(CaError::Rotation(_))
        ));
        let next = Ca::begin_rotation(dir.path(), NOW).unwrap();
        let begun = Ca::open_or_create(dir.path(), NOW).unwrap();
        assert_eq!(begun.fingerprint(), first.fingerprint());
        assert_eq!(begun.authorities().len(), 2);
        assert!(matches!(
            Ca::begin_rotation(dir.path(), NOW),
            Err(CaError::Rotation(_))
        ));
        assert_eq!(Ca::switch_rotation(dir.path()).unwrap(), next);
        let switched = Ca::open_or_create(dir.path(), NOW).unwrap();
        assert_eq!(switched.fingerprint(), next);
        assert_eq!(switched.authorities()[1], first.authorities()[0]);
        Ca::finish_rotation(dir.path()).unwrap();
        let finished = Ca::open_or_create(dir.path(), NOW).unwrap();
        assert_eq!(finished.authorities().len(), 1);
    }

    #[test]
    fn it_is_seen_by_a_certificate_how_far_its_device_has_followed() {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let requested = RequestedKey::of_csr(&csr(&key)).unwrap();
        // All of it happens within one second.
        let sign = || {
            let ca = Ca::open_or_create(dir.path(), NOW).unwrap();
            Presented::of_pem(&ca.sign_device(&device(), &requested, NOW).unwrap().pem).unwrap()
        };
        let check = |shown: &[&Presented], expect: &[bool]| {
            let ca = Ca::open_or_create(dir.path(), NOW).unwrap();
            let found: Vec<bool> = shown.iter().map(|one| ca.is_current(one)).collect();
            assert_eq!(found, expect);
        };
        let first = sign();
        check(&[&first], &[true]);
        Ca::begin_rotation(dir.path(), NOW).unwrap();
        let told = sign();
        check(&[&first, &told], &[false, true]);
        Ca::switch_rotation(dir.path()).unwrap();
        let switched = sign();
        check(&[&first, &told, &switched], &[false, false, true]);
        Ca::finish_rotation(dir.path()).unwrap();
        check(&[&first, &told, &switched], &[false, false, true]);
    }

    #[test]
    fn a_switch_that_was_interrupted_is_carried_to_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let first = Ca::open_or_create(dir.path(), NOW).unwrap().fingerprint();
        let next = Ca::begin_rotation(dir.path(), NOW).unwrap();
        fs::rename(dir.path().join(CURRENT), dir.path().join(PREVIOUS)).unwrap();
        let ca = Ca::open_or_create(dir.path(), NOW).unwrap();
        assert_eq!(ca.fingerprint(), next);
        assert_eq!(ca.previous.unwrap().fingerprint, first);
    }

    #[test]
    fn a_damaged_authority_is_named_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        Ca::open_or_create(dir.path(), NOW).unwrap();
        let path = dir.path().join(CURRENT);
        let whole = fs::read_to_string(&path).unwrap();
        for text in ["", &whole[..100], &whole[..whole.len() - 100]] {
            fs::write(&path, text).unwrap();
            let opened = Ca::open_or_create(dir.path(), NOW);
            assert!(matches!(opened, Err(CaError::Damaged { .. })));
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
