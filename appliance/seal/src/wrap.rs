//! Wrapping of a [`DataKey`] for one device: HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256
//! and ChaCha20-Poly1305.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

use crate::SealError;
use crate::binding::WrapBinding;
use crate::key::DataKey;

type PrivateKey = <X25519HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <X25519HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <X25519HkdfSha256 as Kem>::EncappedKey;

const ENCAPPED_BYTES: usize = 32;
const SEALED_KEY_BYTES: usize = 32 + 16;

/// The first byte of a wrapped key: the version of its layout.
const VERSION: u8 = 1;

/// The public half of a device's key: what keys are wrapped for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePublicKey(pub [u8; 32]);

/// A key that only one device can unwrap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey([u8; Self::BYTES]);

impl WrappedKey {
    /// How many bytes a wrapped key has: version, encapsulated key, ciphertext with tag.
    pub const BYTES: usize = 1 + ENCAPPED_BYTES + SEALED_KEY_BYTES;

    /// Takes over stored bytes.
    ///
    /// # Errors
    /// [`SealError::Format`] when they have another length or version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        match <[u8; Self::BYTES]>::try_from(bytes) {
            Ok(bytes) if bytes[0] == VERSION => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err(SealError::Format {
                what: "a wrapped key",
                found: bytes.len(),
            }),
        }
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Wraps a key for a device, bound to the device, the key's id and its scope.
///
/// # Errors
/// [`SealError::Random`] when the system gives no random numbers, [`SealError::PublicKey`] when
/// the public key is not one.
pub fn wrap(
    key: &DataKey,
    binding: &WrapBinding,
    device: &DevicePublicKey,
) -> Result<WrappedKey, SealError> {
    // The HPKE crate panics where the system gives no random numbers, so that is tried first.
    getrandom::fill(&mut [0; 32]).map_err(SealError::Random)?;
    let recipient = PublicKey::from_bytes(&device.0).map_err(|_| SealError::PublicKey)?;
    let (encapped, sealed) =
        hpke::single_shot_seal::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &recipient,
            &binding.info(),
            key.bytes(),
            &binding.aad(),
        )
        .map_err(|_| SealError::PublicKey)?;
    let mut bytes = [0; WrappedKey::BYTES];
    bytes[0] = VERSION;
    bytes[1..=ENCAPPED_BYTES].copy_from_slice(&encapped.to_bytes());
    bytes[1 + ENCAPPED_BYTES..].copy_from_slice(&sealed);
    Ok(WrappedKey(bytes))
}

/// The public half of a private key.
pub(crate) fn public_key(private: &[u8; 32]) -> Result<DevicePublicKey, SealError> {
    let private = PrivateKey::from_bytes(private).map_err(|_| SealError::PublicKey)?;
    let public = X25519HkdfSha256::sk_to_pk(&private).to_bytes();
    Ok(DevicePublicKey(public.into()))
}

/// Unwraps a key with the device's private key.
pub(crate) fn unwrap(
    wrapped: &WrappedKey,
    binding: &WrapBinding,
    private: &[u8; 32],
) -> Result<DataKey, SealError> {
    let refused = |_| SealError::Wrapped(binding.scope.clone());
    let private = PrivateKey::from_bytes(private).map_err(refused)?;
    let (encapped, sealed) = wrapped.0[1..].split_at(ENCAPPED_BYTES);
    let encapped = EncappedKey::from_bytes(encapped).map_err(refused)?;
    let key = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &private,
        &encapped,
        &binding.info(),
        sealed,
        &binding.aad(),
    )
    .map_err(refused)?;
    let key = Zeroizing::new(key);
    let key = key.as_slice().try_into();
    Ok(DataKey::from_bytes(
        key.map_err(|_| SealError::Wrapped(binding.scope.clone()))?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{KeyId, Scope};
    use proptest::prelude::*;
    use vocabulary::{DeviceId, MeetingId, OrganisationId};

    const PRIVATE: [u8; 32] = [3; 32];

    fn binding() -> WrapBinding {
        WrapBinding {
            device: DeviceId::new("kiosk-07").unwrap(),
            key: KeyId([5; 16]),
            scope: Scope {
                organisation: OrganisationId::new("mau").unwrap(),
                meeting: Some(MeetingId::new("GB-11").unwrap()),
            },
        }
    }

    fn wrapped() -> WrappedKey {
        let public = public_key(&PRIVATE).unwrap();
        wrap(&DataKey::from_bytes([9; 32]), &binding(), &public).unwrap()
    }

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    }

    /// The vector of RFC 9180, appendix A.2.1, sequence number 0.
    #[test]
    fn the_suite_is_the_published_one() {
        let private = "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb";
        let encapped = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a";
        let sealed = "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db\
                      21993c62ce81883d2dd1b51a28";
        let plain = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &PrivateKey::from_bytes(&unhex(private)).unwrap(),
            &EncappedKey::from_bytes(&unhex(encapped)).unwrap(),
            b"Ode on a Grecian Urn",
            &unhex(sealed),
            b"Count-0",
        );
        assert_eq!(plain.unwrap(), b"Beauty is truth, truth beauty");
    }

    /// The format on disk: whoever changes it makes all stored keys unreadable.
    #[test]
    fn a_stored_key_still_unwraps() {
        let stored = "01a81cd62518fec86d461075965a97bc5374733f4b298600bd1e22908e73643c\
                      2edb9b5254e69d76ecaeba39b895447863eb75390efd6670f034f3dea7bc297d\
                      a4773f18bd093357741798ac5a4681d8b6";
        let stored = WrappedKey::from_bytes(&unhex(stored)).unwrap();
        let key = unwrap(&stored, &binding(), &PRIVATE).unwrap();
        assert_eq!(key.bytes(), &[9; 32]);
    }

    #[test]
    fn a_key_comes_back_as_it_was() {
        let stored = WrappedKey::from_bytes(wrapped().as_bytes()).unwrap();
        let key = unwrap(&stored, &binding(), &PRIVATE).unwrap();
        assert_eq!(key.bytes(), &[9; 32]);
    }

    fn refused_when(change: impl Fn(&mut WrapBinding)) {
        let mut other = binding();
        change(&mut other);
        let key = unwrap(&wrapped(), &other, &PRIVATE);
        assert!(matches!(key, Err(SealError::Wrapped(_))), "{other:?}");
    }

    #[test]
    fn a_key_unwraps_only_as_what_it_is() {
        refused_when(|b| b.device = DeviceId::new("kiosk-08").unwrap());
        refused_when(|b| b.key = KeyId([6; 16]));
        refused_when(|b| b.scope.meeting = None);
        refused_when(|b| b.scope.meeting = Some(MeetingId::new("GB-12").unwrap()));
        refused_when(|b| b.scope.organisation = OrganisationId::new("khac").unwrap());
    }

    #[test]
    fn a_key_unwraps_on_no_other_device() {
        let key = unwrap(&wrapped(), &binding(), &[4; 32]);
        assert!(matches!(key, Err(SealError::Wrapped(_))));
    }

    #[test]
    fn no_key_is_wrapped_for_a_point_without_order() {
        let key = DataKey::from_bytes([9; 32]);
        let refused = wrap(&key, &binding(), &DevicePublicKey([0; 32]));
        assert!(matches!(refused, Err(SealError::PublicKey)));
    }

    proptest! {
        #[test]
        fn a_changed_byte_never_unwraps(at in 0..WrappedKey::BYTES, bit in 0..8_u8) {
            // The highest bit of an X25519 point is not part of it (RFC 7748 §5), but HPKE binds
            // the encapsulated key as sent, so even that change is seen.
            let mut bytes = *wrapped().as_bytes().first_chunk::<{ WrappedKey::BYTES }>().unwrap();
            bytes[at] ^= 1 << bit;
            let key = WrappedKey::from_bytes(&bytes)
                .and_then(|changed| unwrap(&changed, &binding(), &PRIVATE));
            prop_assert!(key.is_err());
        }
    }
}
