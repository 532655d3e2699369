//! Who this device is to the hub: its certificate, the keys that go with it, whom it trusts. One
//! file, replaced whole, so that a key and a certificate that do not belong together are never
//! found.

use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, KeyPair};
use record::SigningKey;
use serde::{Deserialize, Serialize};
use wire::device::Enrolled;
use wire::scalar::Hex;

use crate::file;

/// The file's name in the daemon's directory.
pub const FILE: &str = "identity.json";

/// Most bytes of the file; a real one has some five thousand.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Why the identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// This device was not enrolled.
    #[error("{}: this device is not enrolled yet; run `syncd enrol`", .0.display())]
    NotEnrolled(PathBuf),
    /// The operating system refused.
    #[error("{}: the device's identity cannot be {doing}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not one that this program wrote.
    #[error("{}: this is no identity of a device; remove it and enrol the device again",
        path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// What the hub gave is more than the file may hold, and could not be read again.
    #[error("the hub gives certificates of {0} bytes, at most {FILE_BYTES_MAX} are kept")]
    TooLarge(usize),
    /// No key could be made.
    #[error("no key could be made")]
    Key(#[from] rcgen::Error),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// The device's TLS key.
pub struct TlsKey(KeyPair);

impl TlsKey {
    /// Makes a key (ECDSA P-256: every TLS library and security module knows it).
    ///
    /// # Errors
    /// [`IdentityError::Key`].
    pub fn generate() -> Result<Self, IdentityError> {
        Ok(Self(KeyPair::generate()?))
    }

    /// A certificate signing request in PEM. It says nothing but the key.
    ///
    /// # Errors
    /// [`IdentityError::Key`].
    pub fn signing_request(&self) -> Result<String, IdentityError> {
        Ok(CertificateParams::default()
            .serialize_request(&self.0)?
            .pem()?)
    }

    /// The private key in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.serialize_pem()
    }

    /// Takes over what [`TlsKey::pem`] gave.
    ///
    /// # Errors
    /// [`IdentityError::Key`].
    pub fn from_pem(pem: &str) -> Result<Self, IdentityError> {
        Ok(Self(KeyPair::from_pem(pem)?))
    }
}

/// Who this device is.
#[derive(Serialize, Deserialize)]
pub struct Identity {
    /// What the hub gave.
    pub enrolled: Enrolled,
    /// The TLS key in PEM.
    pub tls_key: String,
    /// The seed of the Ed25519 key that signs the heads of the chain of records.
    head_seed: Hex<32>,
}

impl Identity {
    /// A device that was just enrolled.
    #[must_use]
    pub fn new(enrolled: Enrolled, tls_key: &TlsKey, head_key: &SigningKey) -> Self {
        Self {
            enrolled,
            tls_key: tls_key.pem(),
            head_seed: Hex(head_key.to_bytes()),
        }
    }

    /// Reads the identity from the daemon's directory.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and the way out.
    pub fn load(directory: &Path) -> Result<Self, IdentityError> {
        let path = directory.join(FILE);
        let bytes = match file::read_bounded(&path, FILE_BYTES_MAX) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(IdentityError::NotEnrolled(path));
            }
            Err(source) => {
                return Err(IdentityError::Io {
                    path,
                    doing: "read",
                    source,
                });
            }
        };
        serde_json::from_slice(&bytes).map_err(|source| IdentityError::Damaged { path, source })
    }

    /// Writes it, in place of the one before.
    ///
    /// # Errors
    /// [`IdentityError::Io`] names the file; [`IdentityError::TooLarge`]. The one before stays.
    pub fn store(&self, directory: &Path) -> Result<(), IdentityError> {
        let path = directory.join(FILE);
        let bytes = serde_json::to_vec_pretty(self).expect("its fields are texts and numbers");
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(IdentityError::TooLarge(bytes.len()));
        }
        file::replace(&path, &bytes, 0o600).map_err(|source| IdentityError::Io {
            path,
            doing: "written",
            source,
        })
    }

    /// The key that signs the heads of the chain of records.
    #[must_use]
    pub fn head_key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.head_seed.0)
    }
}

/// A new key to sign heads with.
///
/// # Errors
/// [`IdentityError::Random`].
pub fn new_head_key() -> Result<SigningKey, IdentityError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(IdentityError::Random)?;
    Ok(SigningKey::from_bytes(&seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_again_does_not_replace_what_can() {
        let directory = tempfile::tempdir().unwrap();
        let mut enrolled: Enrolled = serde_json::from_str(
            r#"{"device":"kiosk-thu","organisation":"mau","room":"G1","doors":[],
            "certificate":"","authorities":"","expires_at":"2026-01-01T00:00:00Z",
            "renew_at":"2026-01-01T00:00:00Z","store":{
            "store":"00000000000000000000000000000001",
            "incarnation":"00000000000000000000000000000002"}}"#,
        )
        .unwrap();
        let (tls_key, head_key) = (TlsKey::generate().unwrap(), new_head_key().unwrap());
        let identity = Identity::new(enrolled.clone(), &tls_key, &head_key);
        identity.store(directory.path()).unwrap();
        enrolled.authorities = "\n".repeat(200_000);
        let large = Identity::new(enrolled, &tls_key, &head_key).store(directory.path());
        assert!(matches!(large, Err(IdentityError::TooLarge(_))));
        let kept = Identity::load(directory.path()).unwrap();
        assert_eq!(kept.enrolled.authorities, "");
    }
}
