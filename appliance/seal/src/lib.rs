//! Encryption of templates, wrapping of the keys they are sealed under, stores of a device's key.
//!
//! Templates are sealed with XChaCha20-Poly1305 under a key of their meeting (or, where people are
//! enrolled, of their organisation); that key travels wrapped for one device by HPKE (RFC 9180).
//! Every ciphertext is bound to all that says whose it is, so none opens in another's place.
//! Nothing here logs, and no key, template or random number is ever shown or invented.

mod binding;
mod card;
mod document;
mod key;
mod store;
mod template;
mod wrap;

pub use binding::{Document, DocumentBinding, Scope, TemplateBinding, WrapBinding};
pub use card::{CardHash, card_hash};
pub use document::{
    DOCUMENT_BYTES_MAX, SEALED_DOCUMENT_BYTES_MAX, SealedDocument, open_document, seal_document,
};
pub use key::{DataKey, KeyId};
pub use store::{FileKeyStore, KEY_FILE_BYTES_MAX, KeyStore, KeyStoreError, MemoryKeyStore};
pub use template::{SEALED_BYTES_MAX, SealedTemplate, open_template, seal_template};
pub use wrap::{DevicePublicKey, WrappedKey, wrap};

use thiserror::Error;
use vocabulary::{PersonId, ReferenceId, TemplateError};

/// Why something was not sealed, wrapped or opened.
#[derive(Debug, Error)]
pub enum SealError {
    /// The kernel gave no random numbers; nothing is sealed without.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// Bytes of a length or version that no sealed thing of ours has.
    #[error("{what} has {found} bytes or a version that this program does not read")]
    Format {
        /// What was read.
        what: &'static str,
        /// How many bytes there were.
        found: usize,
    },
    /// A sealed template is not what its place says, or the key is another.
    #[error(
        "reference {reference} of person {person} does not open: it was changed, put in another's \
         place, or sealed under another key; enrol the person again"
    )]
    Reference {
        /// Whose it should be.
        person: PersonId,
        /// Which it should be.
        reference: ReferenceId,
    },
    /// A sealed document of a person is not what its place says, or the key is another.
    #[error(
        "a document of person {0} does not open: it was changed, put in another's place, or \
         sealed under another key; hand it in again"
    )]
    Document(PersonId),
    /// A wrapped key is not for this device, or not the key it should be.
    #[error(
        "the key of {scope} does not open: it was changed, or wrapped for another device or device \
         key; restore that key, or {way_out}",
        scope = .0,
        way_out = way_out(.0)
    )]
    Wrapped(Scope),
    /// A public key that is no point to wrap a key for.
    #[error("the device's public key is not one")]
    PublicKey,
    /// What was sealed opened, and is no template.
    #[error("reference {reference} of person {person} is no template; enrol the person again")]
    Template {
        /// Whose it is.
        person: PersonId,
        /// Which it is.
        reference: ReferenceId,
        /// What is wrong with it.
        #[source]
        source: Box<TemplateError>,
    },
    /// The AEAD refused to encrypt, which it does only for lengths far beyond any template.
    #[error("it is too long to be sealed")]
    TooLong,
}

fn way_out(scope: &Scope) -> &'static str {
    match scope.meeting {
        Some(_) => "import the roster again",
        None => "forget all enrolments and enrol everybody again",
    }
}
