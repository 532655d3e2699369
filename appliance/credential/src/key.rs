//! The keys of invitations: Ed25519 (RFC 8032), behind types of our own so that no other crate
//! needs to know the library.
//!
//! A signing key never shows its bytes in `Debug` and is overwritten when dropped. How it is kept
//! and who may use it is not decided here.

use std::fmt;

use ed25519_dalek::Signer;

/// Bytes of a public key.
pub const PUBLIC_KEY_BYTES: usize = 32;

/// Bytes of the secret seed that a signing key is made from.
pub const SEED_BYTES: usize = 32;

/// Bytes of a signature.
pub(crate) const SIGNATURE_BYTES: usize = 64;

/// Why bytes are not a public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no point of the curve.
    #[error("the bytes are not an Ed25519 public key; copy the key again from where it was made")]
    NotAPoint,
    /// A point of small order, under which one signature fits many messages.
    #[error("the public key is weak and would accept forgeries; make a new one")]
    Weak,
}

/// Verifies invitations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(ed25519_dalek::VerifyingKey);

impl PublicKey {
    /// Checks and takes over the 32 bytes.
    ///
    /// # Errors
    /// [`KeyError`] when they are not a key, or one that proves nothing.
    pub fn from_bytes(bytes: &[u8; PUBLIC_KEY_BYTES]) -> Result<Self, KeyError> {
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        Ok(Self(key))
    }

    /// The key's name: its 64 hexadecimal digits. It is public, so it may be shown and logged.
    #[must_use]
    pub fn name(&self) -> String {
        name(&self.to_bytes())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PUBLIC_KEY_BYTES] {
        self.0.to_bytes()
    }

    /// Strict verification: of all encodings of a signature only one passes.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0.verify_strict(message, &signature).is_ok()
    }
}

/// 32 bytes in hexadecimal digits.
pub(crate) fn name(bytes: &[u8; PUBLIC_KEY_BYTES]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Signs invitations.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(public {:?})", self.public())
    }
}

impl SigningKey {
    /// The key of a seed; the seed must come from a good random source and stay secret.
    #[must_use]
    pub fn from_seed(seed: &[u8; SEED_BYTES]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.0.sign(message).to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2.
    const SEED: [u8; 32] = [
        0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3, 0x46, 0xec, 0x11, 0x4e,
        0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab, 0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8,
        0xa6, 0xfb,
    ];
    const PUBLIC_START: [u8; 4] = [0x3d, 0x40, 0x17, 0xc3];
    const SIGNATURE_START: [u8; 4] = [0x92, 0xa0, 0x09, 0xa9];

    #[test]
    fn the_rfc_s_example_holds() {
        let key = SigningKey::from_seed(&SEED);
        assert_eq!(key.public().to_bytes()[..4], PUBLIC_START);
        let signature = key.sign(&[0x72]);
        assert_eq!(signature[..4], SIGNATURE_START);
        assert!(key.public().verifies(&[0x72], &signature));
        assert!(!key.public().verifies(&[0x73], &signature));
    }

    #[test]
    fn a_key_comes_back_from_its_bytes_and_a_weak_one_does_not() {
        let public = SigningKey::from_seed(&SEED).public();
        assert_eq!(
            PublicKey::from_bytes(&public.to_bytes()),
            Ok(public.clone())
        );
        // The neutral element, and a y for which no x exists.
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(PublicKey::from_bytes(&neutral), Err(KeyError::Weak));
        let mut no_point = [0; 32];
        no_point[0] = 2;
        assert_eq!(PublicKey::from_bytes(&no_point), Err(KeyError::NotAPoint));
    }

    #[test]
    fn a_signing_key_does_not_show_itself() {
        let shown = format!("{:?}", SigningKey::from_seed(&SEED));
        assert!(
            !shown.contains("76, 205, 8") && !shown.contains("4ccd08"),
            "{shown}"
        );
    }
}
