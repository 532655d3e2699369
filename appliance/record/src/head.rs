//! The signed head of a chain: a device vouches for all records up to one, by one signature.
//!
//! Whoever holds a signed head can later show that a record was taken away or changed, even by
//! someone who can rewrite the whole file.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use thiserror::Error;
use vocabulary::{DeviceId, Digest, Epoch, Sequence};

use crate::cbor::{DecodeError, Reader, Writer};
use crate::codec::id;

/// Most bytes of an encoded signed head.
pub const SIGNED_HEAD_BYTES_MAX: usize = 512;

/// What the signature is made for, so that it never passes for one made for something else.
const PURPOSE: &str = "diemdanh chain head 1";

/// The end of a device's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose chain.
    pub device: DeviceId,
    /// In which epoch.
    pub epoch: Epoch,
    /// The number of the last record.
    pub sequence: Sequence,
    /// Its digest.
    pub digest: Digest,
}

impl Head {
    /// Signs the head with the device's Ed25519 key (RFC 8032; the signature is deterministic).
    #[must_use]
    pub fn sign(self, key: &SigningKey) -> SignedHead {
        let signature = key.sign(&self.message());
        SignedHead {
            head: self,
            signature: signature.to_bytes(),
        }
    }

    /// What is signed: an array of the purpose and all fields, in deterministic CBOR.
    fn message(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(5).text(PURPOSE).text(self.device.as_str());
        writer.bytes(&self.epoch.0).uint(self.sequence.0);
        writer.bytes(&self.digest.0);
        writer.into_bytes()
    }
}

/// Why a signed head is not believed.
#[derive(Debug, Error)]
pub enum HeadError {
    /// The signature is not this key's over this head.
    #[error("the head of device {device} is not signed by that device's key")]
    Signature {
        /// Whose head it claims to be.
        device: DeviceId,
        /// What the signature's check says.
        #[source]
        source: ed25519_dalek::SignatureError,
    },
}

/// A head with its signature, not yet believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    head: Head,
    signature: [u8; 64],
}

impl SignedHead {
    /// The head, if the device's key signed it. Weak keys and malleable signatures are refused.
    ///
    /// # Errors
    /// [`HeadError::Signature`] when it did not.
    pub fn verify(&self, key: &VerifyingKey) -> Result<&Head, HeadError> {
        let signature = Signature::from_bytes(&self.signature);
        key.verify_strict(&self.head.message(), &signature)
            .map_err(|source| HeadError::Signature {
                device: self.head.device.clone(),
                source,
            })?;
        Ok(&self.head)
    }

    /// Which device it claims to be of, to find the key by.
    #[must_use]
    pub fn claimed_device(&self) -> &DeviceId {
        &self.head.device
    }

    /// The one encoding of the signed head.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.map(5).uint(0).text(self.head.device.as_str());
        writer.uint(1).bytes(&self.head.epoch.0);
        writer.uint(2).uint(self.head.sequence.0);
        writer.uint(3).bytes(&self.head.digest.0);
        writer.uint(4).bytes(&self.signature);
        writer.into_bytes()
    }

    /// Reads what [`SignedHead::encode`] wrote, and nothing else. It checks no signature.
    ///
    /// # Errors
    /// [`DecodeError`] names the first field that is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, SIGNED_HEAD_BYTES_MAX)?;
        let mut map = reader.map("the signed head")?;
        let device = reader.need(&mut map, 0, "the device")?.text("the device")?;
        let device = DeviceId::new(device).map_err(id("the device"))?;
        let epoch = reader.need(&mut map, 1, "the epoch")?.bytes("the epoch")?;
        let sequence = reader.need(&mut map, 2, "the number")?.uint("the number")?;
        let digest = reader
            .need(&mut map, 3, "the digest")?
            .bytes("the digest")?;
        let signature = reader.need(&mut map, 4, "the signature")?;
        let signature = signature.bytes("the signature")?;
        reader.end(&map)?;
        reader.finish()?;
        let signed = Self {
            head: Head {
                device,
                epoch: Epoch(epoch),
                sequence: Sequence(sequence),
                digest: Digest(digest),
            },
            signature,
        };
        if signed.encode() != bytes {
            return Err(DecodeError::NotCanonical);
        }
        Ok(signed)
    }
}
