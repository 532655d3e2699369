//! The certificate that the hub shows: its own authority's, made anew before it ends, or the
//! operator's from two files, read again whenever they change, with vouchers for devices.
//!
//! What cannot be used never takes the place of what can: the certificate before stays, and the
//! log says why.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};
use vocabulary::{Digest, WallTime};

use crate::ca::{
    Ca, CaError, SERVER_CERTIFICATE_LASTS, SERVER_RENEWAL_AFTER, ServerLeaf, ServerLeafError,
};

/// Most bytes of a file with a certificate's chain, or with its key.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// Most certificates of an operator's chain; public ones have two or three.
const CHAIN_MAX: usize = 8;

/// Where an operator's certificate is.
#[derive(Debug, Clone)]
pub struct ServerFiles {
    /// The chain in PEM, the server's own certificate first.
    pub certificate: PathBuf,
    /// Its private key in PEM (PKCS #8, PKCS #1 or SEC 1), without a passphrase.
    pub key: PathBuf,
}

/// Why a certificate cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ShownError {
    /// The hub's own authority cannot make or vouch for it.
    #[error("the hub's authority does not sign")]
    Ca(#[from] CaError),
    /// The operating system refused.
    #[error("{}: the file cannot be read", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// Anybody can read the key.
    #[error("{}: everybody can read this private key; run: chmod o= {}",
        .0.display(), .0.display())]
    Exposed(PathBuf),
    /// It is larger than any such file.
    #[error("{}: the file has more than {FILE_BYTES_MAX} bytes; is it the right one?",
        .0.display())]
    TooLarge(PathBuf),
    /// The file has not what it should.
    #[error("{}: the file has no {what} in PEM", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What it should have.
        what: &'static str,
    },
    /// The chain is too long.
    #[error("{}: the chain has {} certificates, {CHAIN_MAX} are the most", .0.display(), .1)]
    Chain(PathBuf, usize),
    /// The certificate is not one of a server.
    #[error("{}: this is no server's certificate", path.display())]
    Leaf {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ServerLeafError,
    },
    /// The two do not belong together, or TLS does not know them.
    #[error("{} and {}: certificate and key cannot be used together",
        .0.certificate.display(), .0.key.display())]
    Pair(ServerFiles, #[source] rustls::Error),
}

/// The certificate that the hub shows.
pub struct Shown {
    names: Vec<String>,
    files: Option<ServerFiles>,
    current: RwLock<Current>,
}

/// What is shown now.
#[derive(Clone)]
struct Current {
    key: Arc<CertifiedKey>,
    made_at: WallTime,
    expires_at: WallTime,
    /// Of what it was made: the files and the authorities.
    of: Digest,
}

impl Shown {
    /// Reads or makes the first certificate.
    ///
    /// # Errors
    /// [`ShownError`] names the file or the name, and what is wrong with it.
    pub fn new(
        ca: &Ca,
        names: Vec<String>,
        files: Option<ServerFiles>,
        now: WallTime,
    ) -> Result<Self, ShownError> {
        let current = match &files {
            Some(files) => Loaded::read(files)?.shown(ca, files, now)?,
            None => made(ca, &names, now)?,
        };
        let shown = Self {
            names,
            files,
            current: RwLock::new(current),
        };
        shown.say_end(now);
        Ok(shown)
    }

    /// Makes or reads the next certificate when it is time: when the files or the authorities have
    /// changed, when the one before is old, or when the clock went back before that was made. Says
    /// whether it did.
    ///
    /// # Errors
    /// [`ShownError`] when it cannot be; the one before stays.
    pub fn renew(&self, ca: &Ca, now: WallTime) -> Result<bool, ShownError> {
        let before = self.read();
        let due = before.made_at.saturating_add(SERVER_RENEWAL_AFTER);
        let is_young = (before.made_at..due).contains(&now);
        let next = match &self.files {
            None if is_young && before.of == of_authorities(ca) => return Ok(false),
            None => made(ca, &self.names, now)?,
            Some(files) => {
                let loaded = Loaded::read(files)?;
                if is_young && before.of == loaded.of(ca) {
                    return Ok(false);
                }
                loaded.shown(ca, files, now)?
            }
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
        self.say_end(now);
        Ok(true)
    }

    fn read(&self) -> Current {
        // A panic of another thread cannot have left half of it: it is replaced whole.
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Says in the log that an operator's certificate has ended: whoever asks finds that out too,
    /// and the clock may be what is wrong.
    fn say_end(&self, now: WallTime) {
        let expires_at = self.read().expires_at;
        if expires_at <= now {
            let expires_at = wire::Timestamp(expires_at);
            tracing::error!(%expires_at, "the certificate that the hub shows has expired");
        }
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shown({:?}, {:?})", self.names, self.files)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.read().key)
    }
}

/// The chain of an operator's certificate with the hub's vouchers behind it, in PEM: what a proxy
/// shows that ends TLS before the hub. The vouchers last as long as the certificate.
///
/// # Errors
/// [`ShownError`] names the file and what is wrong with it.
pub fn vouched_chain(ca: &Ca, certificate: &Path, now: WallTime) -> Result<String, ShownError> {
    let (mut chain, leaf) = read_chain(certificate, &read(certificate)?)?;
    chain.extend(ca.vouch(&leaf, std::time::Duration::MAX, now)?);
    Ok(chain.iter().map(|der| pem(der)).collect())
}

fn pem(der: &CertificateDer<'_>) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem + "-----END CERTIFICATE-----\n"
}

fn made(ca: &Ca, names: &[String], now: WallTime) -> Result<Current, ShownError> {
    Ok(Current {
        key: ca.server_certificate(names, now)?,
        made_at: now,
        expires_at: now.saturating_add(SERVER_CERTIFICATE_LASTS),
        of: of_authorities(ca),
    })
}

fn of_authorities(ca: &Ca) -> Digest {
    Digest(Sha256::digest(ca.authorities_pem()).into())
}

/// An operator's files as they were read.
struct Loaded {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Loaded {
    fn read(files: &ServerFiles) -> Result<Self, ShownError> {
        let mode = File::open(&files.key).and_then(|file| Ok(file.metadata()?.mode()));
        if mode.map_err(unreadable(&files.key))? & 0o007 != 0 {
            return Err(ShownError::Exposed(files.key.clone()));
        }
        Ok(Self {
            certificate: read(&files.certificate)?,
            key: read(&files.key)?,
        })
    }

    fn of(&self, ca: &Ca) -> Digest {
        let mut hasher = Sha256::new();
        for part in [&self.certificate, &self.key] {
            hasher.update(Sha256::digest(part));
        }
        hasher.update(of_authorities(ca).0);
        Digest(hasher.finalize().into())
    }

    fn shown(&self, ca: &Ca, files: &ServerFiles, now: WallTime) -> Result<Current, ShownError> {
        let (mut chain, leaf) = read_chain(&files.certificate, &self.certificate)?;
        chain.extend(ca.vouch(&leaf, SERVER_CERTIFICATE_LASTS, now)?);
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| ShownError::Pem {
            path: files.key.clone(),
            what: "private key",
        })?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let key = CertifiedKey::from_der(chain, key, &provider)
            .map_err(|error| ShownError::Pair(files.clone(), error))?;
        Ok(Current {
            key: Arc::new(key),
            made_at: now,
            expires_at: leaf.expires_at,
            of: self.of(ca),
        })
    }
}

fn read_chain(
    path: &Path,
    bytes: &[u8],
) -> Result<(Vec<CertificateDer<'static>>, ServerLeaf), ShownError> {
    let none = || ShownError::Pem {
        path: path.to_owned(),
        what: "certificate",
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| none())?;
    if chain.len() > CHAIN_MAX {
        return Err(ShownError::Chain(path.to_owned(), chain.len()));
    }
    let leaf = ServerLeaf::read(chain.first().ok_or_else(none)?);
    let leaf = leaf.map_err(|source| ShownError::Leaf {
        path: path.to_owned(),
        source,
    })?;
    Ok((chain, leaf))
}

fn read(path: &Path) -> Result<Vec<u8>, ShownError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(unreadable(path))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(ShownError::TooLarge(path.to_owned()));
    }
    Ok(bytes)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> ShownError {
    move |source| ShownError::Io {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair};
    use tempfile::TempDir;

    use super::*;

    const NOW: WallTime = WallTime(1_767_225_600_000);

    fn after(duration: Duration) -> WallTime {
        WallTime(NOW.0 + i64::try_from(duration.as_millis()).unwrap())
    }

    /// An operator's pair, in files that only their owner reads.
    fn write_pair(files: &ServerFiles) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["hub.example".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        fs::write(&files.certificate, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn town() -> (TempDir, Ca, ServerFiles) {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::open_or_create(dir.path(), NOW).unwrap();
        let files = ServerFiles {
            certificate: dir.path().join("hub.pem"),
            key: dir.path().join("hub.pem.key"),
        };
        write_pair(&files);
        (dir, ca, files)
    }

    #[test]
    fn a_certificate_of_its_own_follows_time_in_both_directions_and_the_authorities() {
        let (dir, ca, _) = town();
        let shown = Shown::new(&ca, vec!["localhost".to_owned()], None, NOW).unwrap();
        let check = |ca: &Ca, now: WallTime, expect: bool| {
            assert_eq!(shown.renew(ca, now).unwrap(), expect);
        };
        check(&ca, NOW, false);
        check(
            &ca,
            after(SERVER_RENEWAL_AFTER - Duration::from_secs(1)),
            false,
        );
        check(&ca, after(SERVER_RENEWAL_AFTER), true);
        check(&ca, after(SERVER_RENEWAL_AFTER), false);
        check(&ca, NOW, true);
        Ca::begin_rotation(dir.path(), NOW).unwrap();
        Ca::switch_rotation(dir.path()).unwrap();
        let ca = Ca::open_or_create(dir.path(), NOW).unwrap();
        check(&ca, NOW, true);
        check(&ca, NOW, false);
    }

    #[test]
    fn an_operator_s_files_are_read_again_when_they_change() {
        let (_dir, ca, files) = town();
        let shown = Shown::new(&ca, Vec::new(), Some(files.clone()), NOW).unwrap();
        let first = shown.read().key.cert[0].clone();
        assert!(!shown.renew(&ca, NOW).unwrap());
        write_pair(&files);
        assert!(shown.renew(&ca, NOW).unwrap());
        let second = shown.read().key.cert[0].clone();
        assert_ne!(first, second);
        // The two are written one after the other: in between they are no pair.
        let certificate = fs::read(&files.certificate).unwrap();
        write_pair(&files);
        let next = fs::read(&files.certificate).unwrap();
        fs::write(&files.certificate, certificate).unwrap();
        assert!(matches!(shown.renew(&ca, NOW), Err(ShownError::Pair(..))));
        assert_eq!(shown.read().key.cert[0], second);
        fs::write(&files.certificate, next).unwrap();
        assert!(shown.renew(&ca, NOW).unwrap());
    }

    #[test]
    fn what_cannot_be_shown_is_said_by_file() {
        let (dir, ca, files) = town();
        let check = |certificate: &[u8], key: &[u8], expect: &str| {
            fs::write(&files.certificate, certificate).unwrap();
            fs::write(&files.key, key).unwrap();
            let error = Shown::new(&ca, Vec::new(), Some(files.clone()), NOW).unwrap_err();
            let source = std::error::Error::source(&error);
            let said = format!(
                "{error}: {}",
                source.map_or_else(String::new, |s| s.to_string())
            );
            assert!(said.contains(expect), "{expect:?} in {said:?}");
            assert!(said.contains("hub.pem"), "{said:?}");
        };
        let read = |path: &Path| fs::read(path).unwrap();
        let (certificate, key) = (read(&files.certificate), read(&files.key));
        check(b"", &key, "no certificate");
        check(&key, &key, "no certificate");
        check(&certificate, b"", "no private key");
        check(&certificate, &certificate, "no private key");
        check(&certificate.repeat(9), &key, "9 certificates");
        check(&read(&dir.path().join("ca.pem")), &key, "an authority's");
        let other = KeyPair::generate().unwrap().serialize_pem();
        check(&certificate, other.as_bytes(), "together");
        check(&vec![b' '; FILE_BYTES_MAX as usize + 1], &key, "right one");
        fs::set_permissions(&files.key, fs::Permissions::from_mode(0o644)).unwrap();
        check(&certificate, &key, "chmod o=");
        fs::remove_file(&files.key).unwrap();
        let error = Shown::new(&ca, Vec::new(), Some(files.clone()), NOW).unwrap_err();
        assert!(matches!(error, ShownError::Io { .. }));
    }

    #[test]
    fn a_proxy_s_chain_has_the_operator_s_first_and_the_vouchers_behind() {
        let (_dir, ca, files) = town();
        let text = vouched_chain(&ca, &files.certificate, NOW).unwrap();
        let chain: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(chain.len(), 3);
        let own = fs::read(&files.certificate).unwrap();
        assert_eq!(chain[0], CertificateDer::from_pem_slice(&own).unwrap());
        assert_eq!(chain[2], ca.authorities()[0]);
        let (leaf, voucher) = (ServerLeaf::read(&chain[0]), ServerLeaf::read(&chain[1]));
        assert_eq!(leaf.unwrap().expires_at, voucher.unwrap().expires_at);
    }
}
