//! Sealed templates: XChaCha20-Poly1305, whose nonces are long enough to be drawn at random for as
//! many templates as there will ever be.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use vocabulary::Template;
use zeroize::Zeroizing;

use crate::SealError;
use crate::binding::TemplateBinding;
use crate::key::DataKey;

/// The first byte of a sealed template: the version of its layout.
pub(crate) const VERSION: u8 = 1;

const NONCE_BYTES: usize = 24;
pub(crate) const TAG_BYTES: usize = 16;
pub(crate) const HEAD_BYTES: usize = 1 + NONCE_BYTES;

/// Most bytes of a sealed template: the longest template and what the seal adds.
pub const SEALED_BYTES_MAX: usize =
    HEAD_BYTES + 4 * vocabulary::template::TEMPLATE_VALUES_MAX + TAG_BYTES;

/// A template that only its key opens, and only as the reference that it was sealed as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedTemplate(Vec<u8>);

impl SealedTemplate {
    /// Takes over stored bytes: version, nonce, ciphertext and tag.
    ///
    /// # Errors
    /// [`SealError::Format`] when they have another version or an impossible length.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SealError> {
        let possible = HEAD_BYTES + TAG_BYTES + 4..=SEALED_BYTES_MAX;
        if !possible.contains(&bytes.len()) || bytes[0] != VERSION {
            return Err(SealError::Format {
                what: "a sealed template",
                found: bytes.len(),
            });
        }
        Ok(Self(bytes))
    }

    /// The bytes to store.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Seals a template, bound to all that says whose it is.
///
/// # Errors
/// [`SealError::Random`] when the system gives no random numbers.
pub fn seal_template(
    key: &DataKey,
    binding: &TemplateBinding<'_>,
    template: &Template,
) -> Result<SealedTemplate, SealError> {
    let plain = Zeroizing::new(template.to_bytes());
    seal_bytes(key, &binding.bytes(), &plain).map(SealedTemplate)
}

/// Opens a template as the reference that it should be.
///
/// # Errors
/// [`SealError::Reference`] when it is another's, was changed or the key is not its own;
/// [`SealError::Template`] when what was sealed is no template.
pub fn open_template(
    key: &DataKey,
    binding: &TemplateBinding<'_>,
    sealed: &SealedTemplate,
) -> Result<Template, SealError> {
    let plain =
        open_bytes(key, &binding.bytes(), &sealed.0).ok_or_else(|| SealError::Reference {
            person: binding.person.clone(),
            reference: binding.reference.clone(),
        })?;
    Template::from_bytes(binding.space.clone(), &plain).map_err(|source| SealError::Template {
        person: binding.person.clone(),
        reference: binding.reference.clone(),
        source: Box::new(source),
    })
}

/// Version, random nonce, ciphertext and tag.
pub(crate) fn seal_bytes(key: &DataKey, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0; NONCE_BYTES];
    getrandom::fill(&mut nonce).map_err(SealError::Random)?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + plain.len() + TAG_BYTES);
    bytes.push(VERSION);
    bytes.extend_from_slice(&nonce);
    bytes.extend(encrypt(key, &nonce, aad, plain)?);
    Ok(bytes)
}

/// What [`seal_bytes`] sealed; none when it was not sealed so.
pub(crate) fn open_bytes(key: &DataKey, aad: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, msg) = sealed.get(1..)?.split_first_chunk::<NONCE_BYTES>()?;
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    let plain = cipher.decrypt(&XNonce::from(*nonce), Payload { msg, aad });
    plain.ok().map(Zeroizing::new)
}

fn encrypt(
    key: &DataKey,
    nonce: &[u8; NONCE_BYTES],
    aad: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, SealError> {
    let cipher = XChaCha20Poly1305::new(key.bytes().into());
    cipher
        .encrypt(&XNonce::from(*nonce), Payload { msg: plain, aad })
        .map_err(|_| SealError::TooLong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;
    use proptest::prelude::*;
    use vocabulary::{Digest, FeatureSpace, MeetingId, OrganisationId, PersonId, ReferenceId};

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect()
    }

    #[derive(Debug, Clone, PartialEq)]
    struct Whose {
        scope: Scope,
        person: PersonId,
        reference: ReferenceId,
        space: FeatureSpace,
    }

    impl Whose {
        fn binding(&self) -> TemplateBinding<'_> {
            TemplateBinding {
                scope: &self.scope,
                person: &self.person,
                reference: &self.reference,
                space: &self.space,
            }
        }
    }

    fn whose() -> Whose {
        Whose {
            scope: Scope {
                organisation: OrganisationId::new("mau").unwrap(),
                meeting: Some(MeetingId::new("GB-11").unwrap()),
            },
            person: PersonId::new("DB-0042").unwrap(),
            reference: ReferenceId::new("1").unwrap(),
            space: FeatureSpace::new("sface", Digest([1; 32])),
        }
    }

    fn template() -> Template {
        Template::normalise(whose().space, &[3.0, 4.0, 12.0]).unwrap()
    }

    /// The vector of draft-irtf-cfrg-xchacha-03, appendix A.3.1.
    #[test]
    fn the_cipher_is_the_published_one() {
        let key: Vec<u8> = (0x80..=0x9f).collect();
        let nonce: Vec<u8> = (0x40..=0x57).collect();
        let plain = b"Ladies and Gentlemen of the class of '99: If I could offer you only one \
                      tip for the future, sunscreen would be it.";
        let sealed = encrypt(
            &DataKey::from_bytes(key.try_into().unwrap()),
            &nonce.try_into().unwrap(),
            &unhex("50515253c0c1c2c3c4c5c6c7"),
            plain,
        );
        let expect = "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb\
                      731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452\
                      2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
                      21f9664c97637da9768812f615c68b13b52e\
                      c0875924c1c7987947deafd8780acf49";
        assert_eq!(sealed.unwrap(), unhex(expect));
    }

    /// The format on disk: whoever changes it makes all stored references unreadable.
    #[test]
    fn a_stored_reference_still_opens() {
        let key = DataKey::from_bytes([7; 32]);
        let stored = "01bcd123841805ab80c9570b32c91270a347411239a54b844c66823de5a377de\
                      1acdbeaa64dae6d4df1b6b52b7e13a5e242af53f62";
        let sealed = SealedTemplate::from_bytes(unhex(stored)).unwrap();
        let opened = open_template(&key, &whose().binding(), &sealed).unwrap();
        assert_eq!(opened, template());
    }

    #[test]
    fn a_template_comes_back_as_it_was() {
        let key = DataKey::generate().unwrap();
        let sealed = seal_template(&key, &whose().binding(), &template()).unwrap();
        let stored = SealedTemplate::from_bytes(sealed.as_bytes().to_vec()).unwrap();
        let opened = open_template(&key, &whose().binding(), &stored).unwrap();
        assert_eq!(opened, template());
    }

    #[test]
    fn the_same_template_is_never_sealed_alike() {
        let key = DataKey::generate().unwrap();
        let seal = || seal_template(&key, &whose().binding(), &template()).unwrap();
        assert_ne!(seal(), seal());
    }

    fn refused_when(change: impl Fn(&mut Whose)) {
        let key = DataKey::generate().unwrap();
        let sealed = seal_template(&key, &whose().binding(), &template()).unwrap();
        let mut other = whose();
        change(&mut other);
        let opened = open_template(&key, &other.binding(), &sealed);
        assert!(
            matches!(opened, Err(SealError::Reference { .. })),
            "{other:?}"
        );
    }

    #[test]
    fn a_template_opens_in_no_other_place() {
        refused_when(|w| w.scope.organisation = OrganisationId::new("khac").unwrap());
        refused_when(|w| w.scope.meeting = None);
        refused_when(|w| w.scope.meeting = Some(MeetingId::new("GB-12").unwrap()));
        refused_when(|w| w.person = PersonId::new("DB-0043").unwrap());
        refused_when(|w| w.reference = ReferenceId::new("2").unwrap());
        refused_when(|w| w.space = FeatureSpace::new("other", Digest([1; 32])));
        refused_when(|w| w.space = FeatureSpace::new("sface", Digest([2; 32])));
        // The same characters in all, divided otherwise.
        refused_when(|w| {
            w.person = PersonId::new("DB-004").unwrap();
            w.reference = ReferenceId::new("21").unwrap();
        });
    }

    #[test]
    fn a_template_opens_under_no_other_key() {
        let sealed = seal_template(
            &DataKey::from_bytes([7; 32]),
            &whose().binding(),
            &template(),
        );
        let opened = open_template(
            &DataKey::from_bytes([8; 32]),
            &whose().binding(),
            &sealed.unwrap(),
        );
        assert!(matches!(opened, Err(SealError::Reference { .. })));
    }

    fn id() -> impl Strategy<Value = String> {
        "[A-Za-z0-9][A-Za-z0-9._-]{0,5}"
    }

    fn any_whose() -> impl Strategy<Value = Whose> {
        (id(), prop::option::of(id()), id(), id(), id()).prop_map(
            |(organisation, meeting, person, reference, space)| Whose {
                scope: Scope {
                    organisation: OrganisationId::new(&organisation).unwrap(),
                    meeting: meeting.map(|id| MeetingId::new(&id).unwrap()),
                },
                person: PersonId::new(&person).unwrap(),
                reference: ReferenceId::new(&reference).unwrap(),
                space: FeatureSpace::new(&space, Digest([1; 32])),
            },
        )
    }

    proptest! {
        #[test]
        fn different_bindings_have_different_bytes(one in any_whose(), other in any_whose()) {
            let equal = one.binding().bytes() == other.binding().bytes();
            prop_assert_eq!(equal, one == other);
        }

        #[test]
        fn a_changed_byte_never_opens(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let key = DataKey::from_bytes([7; 32]);
            let sealed = seal_template(&key, &whose().binding(), &template()).unwrap();
            let mut bytes = sealed.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let opened = SealedTemplate::from_bytes(bytes)
                .and_then(|changed| open_template(&key, &whose().binding(), &changed));
            prop_assert!(opened.is_err());
        }

        #[test]
        fn no_bytes_make_opening_panic(bytes in prop::collection::vec(any::<u8>(), 0..128)) {
            let key = DataKey::from_bytes([7; 32]);
            if let Ok(sealed) = SealedTemplate::from_bytes(bytes) {
                prop_assert!(open_template(&key, &whose().binding(), &sealed).is_err());
            }
        }
    }
}
