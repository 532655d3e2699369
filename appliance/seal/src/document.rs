//! Sealed documents of people beside their templates: a citizen card's number, a portrait that an
//! organisation keeps. The same cipher and layout as templates have, bound to another format, so
//! neither ever opens as the other.

use zeroize::Zeroizing;

use crate::SealError;
use crate::binding::DocumentBinding;
use crate::key::DataKey;
use crate::template::{HEAD_BYTES, TAG_BYTES, VERSION, open_bytes, seal_bytes};

/// Most bytes of a document: the largest portrait that is ever handed in.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// Most bytes of a sealed document.
pub const SEALED_DOCUMENT_BYTES_MAX: usize = HEAD_BYTES + DOCUMENT_BYTES_MAX + TAG_BYTES;

/// A document that only its key opens, and only as what it was sealed as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedDocument(Vec<u8>);

impl SealedDocument {
    /// Takes over stored bytes: version, nonce, ciphertext and tag.
    ///
    /// # Errors
    /// [`SealError::Format`] when they have another version or an impossible length.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SealError> {
        let possible = HEAD_BYTES + TAG_BYTES..=SEALED_DOCUMENT_BYTES_MAX;
        if !possible.contains(&bytes.len()) || bytes[0] != VERSION {
            return Err(SealError::Format {
                what: "a sealed document",
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

/// Seals a document, bound to what it is and whose.
///
/// # Errors
/// [`SealError::Random`] when the system gives no random numbers; [`SealError::TooLong`] beyond
/// [`DOCUMENT_BYTES_MAX`].
pub fn seal_document(
    key: &DataKey,
    binding: &DocumentBinding<'_>,
    plain: &[u8],
) -> Result<SealedDocument, SealError> {
    if plain.len() > DOCUMENT_BYTES_MAX {
        return Err(SealError::TooLong);
    }
    seal_bytes(key, &binding.bytes(), plain).map(SealedDocument)
}

/// Opens a document as what it should be; wiped from memory when dropped.
///
/// # Errors
/// [`SealError::Document`] when it is another's or something else, was changed, or the key is not
/// its own.
pub fn open_document(
    key: &DataKey,
    binding: &DocumentBinding<'_>,
    sealed: &SealedDocument,
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    open_bytes(key, &binding.bytes(), &sealed.0)
        .ok_or_else(|| SealError::Document(binding.person.clone()))
}

#[cfg(test)]
mod tests {
    use vocabulary::{OrganisationId, PersonId, ReferenceId};

    use super::*;
    use crate::{Document, Scope};

    #[test]
    fn a_document_opens_as_what_it_is_and_as_nothing_else() {
        let scope = Scope {
            organisation: OrganisationId::new("mau").unwrap(),
            meeting: None,
        };
        let id = |text: &str| ReferenceId::new(text).unwrap();
        let (first, second) = (id("1"), id("2"));
        let (me, other) = (PersonId::new("p-1").unwrap(), PersonId::new("p-2").unwrap());
        let key = DataKey::from_bytes([7; 32]);
        let binding = |person, document| DocumentBinding {
            scope: &scope,
            person,
            document,
        };
        let right = binding(&me, Document::Portrait(&first));
        let sealed = seal_document(&key, &right, b"a picture").unwrap();
        let stored = SealedDocument::from_bytes(sealed.as_bytes().to_vec()).unwrap();
        let opened = open_document(&key, &right, &stored).unwrap();
        assert_eq!(opened.as_slice(), b"a picture");
        for wrong in [
            binding(&other, Document::Portrait(&first)),
            binding(&me, Document::Portrait(&second)),
            binding(&me, Document::CitizenCard),
        ] {
            let refused = open_document(&key, &wrong, &stored);
            assert!(matches!(refused, Err(SealError::Document(_))), "{wrong:?}");
        }
        let another = DataKey::from_bytes([8; 32]);
        assert!(open_document(&another, &right, &stored).is_err());
        let mut changed = stored.as_bytes().to_vec();
        changed[30] ^= 1;
        let changed = SealedDocument::from_bytes(changed).unwrap();
        assert!(open_document(&key, &right, &changed).is_err());
    }

    #[test]
    fn what_is_no_sealed_document_is_refused_by_its_length() {
        for bytes in [vec![], vec![1; 40], vec![2; 60]] {
            let refused = SealedDocument::from_bytes(bytes);
            assert!(matches!(refused, Err(SealError::Format { .. })));
        }
        let long = vec![0; DOCUMENT_BYTES_MAX + 1];
        let scope = Scope {
            organisation: OrganisationId::new("mau").unwrap(),
            meeting: None,
        };
        let binding = DocumentBinding {
            scope: &scope,
            person: &PersonId::new("p-1").unwrap(),
            document: Document::CitizenCard,
        };
        let key = DataKey::from_bytes([7; 32]);
        let refused = seal_document(&key, &binding, &long);
        assert!(matches!(refused, Err(SealError::TooLong)));
    }
}
