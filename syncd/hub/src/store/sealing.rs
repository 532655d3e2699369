//! The seam between the store and the keys.
//!
//! A store never sees a key or a template unsealed. It decides *which* references of whom belong
//! to a meeting, and does so within the transaction that changes the roster; only whoever holds the
//! hub's key can seal them again for the meeting. So the store calls back, for each reference that
//! a meeting gains, while its transaction is open: a copy is there with the generation that it came
//! with or not at all, and no second process can slip between. What is called must not call the
//! store.

use std::sync::Arc;

use seal::{
    CardHash, DataKey, DevicePublicKey, Document, DocumentBinding, KeyId, KeyStore, Scope,
    SealError, SealedDocument, SealedTemplate, TemplateBinding, WrapBinding, card_hash,
    open_document, open_template, seal_template, wrap,
};
use vocabulary::{CardNumber, DeviceId, FeatureSpace, PersonId, ReferenceId};

use crate::model::KeptKey;

/// Under which name keys are wrapped for the hub itself. No device may have this id.
pub const HUB_DEVICE: &str = "hub";

/// Makes keys, and copies references from one key to another. Shared by threads; quick, since a
/// transaction waits for it.
pub trait Sealing: Send + Sync {
    /// A new key for the references of this scope, wrapped for the hub.
    ///
    /// # Errors
    /// [`SealError`] when it cannot be made.
    fn make_key(&self, scope: &Scope) -> Result<KeptKey, SealError>;

    /// Gets ready to copy references from the key of one scope to that of another. Called once
    /// for each meeting that a change concerns.
    ///
    /// # Errors
    /// [`SealError`] when one of the keys does not open.
    fn copying(
        &self,
        from: (&Scope, &KeptKey),
        to: (&Scope, &KeptKey),
    ) -> Result<Box<dyn Copying>, SealError>;
}

/// Copies references between two scopes.
pub trait Copying {
    /// The same template, sealed for the other scope.
    ///
    /// # Errors
    /// [`SealError`] when it does not open.
    fn copy(
        &mut self,
        person: &PersonId,
        reference: &ReferenceId,
        space: &FeatureSpace,
        sealed: &SealedTemplate,
    ) -> Result<SealedTemplate, SealError>;

    /// The hash of a person's citizen card for the other scope.
    ///
    /// # Errors
    /// [`SealError`] when what was sealed does not open, or is no number.
    fn card_hash(
        &mut self,
        person: &PersonId,
        sealed: &SealedDocument,
    ) -> Result<CardHash, SealError>;
}

/// Seals with keys that are wrapped for the hub's own key.
pub struct KeyStoreSealing {
    hub: DeviceId,
    keys: Arc<dyn KeyStore>,
}

impl KeyStoreSealing {
    /// Over the store that holds the hub's own key.
    #[must_use]
    pub fn new(keys: Arc<dyn KeyStore>) -> Self {
        let hub = DeviceId::new(HUB_DEVICE).expect("the hub's own name is an id");
        Self { hub, keys }
    }

    /// Unwraps a key that the hub keeps, to seal with it or to wrap it for a device.
    ///
    /// # Errors
    /// [`SealError::Wrapped`] when it was not wrapped for this hub and scope.
    pub fn open(&self, scope: &Scope, kept: &KeptKey) -> Result<DataKey, SealError> {
        self.keys
            .unwrap_key(&kept.wrapped, &self.binding(scope, kept.id))
    }

    fn binding(&self, scope: &Scope, key: KeyId) -> WrapBinding {
        WrapBinding {
            device: self.hub.clone(),
            key,
            scope: scope.clone(),
        }
    }
}

impl Sealing for KeyStoreSealing {
    fn make_key(&self, scope: &Scope) -> Result<KeptKey, SealError> {
        let id = KeyId::generate()?;
        let public: &DevicePublicKey = self.keys.public_key();
        let wrapped = wrap(&DataKey::generate()?, &self.binding(scope, id), public)?;
        Ok(KeptKey { id, wrapped })
    }

    fn copying(
        &self,
        (from, from_key): (&Scope, &KeptKey),
        (to, to_key): (&Scope, &KeptKey),
    ) -> Result<Box<dyn Copying>, SealError> {
        Ok(Box::new(Copier {
            from: (from.clone(), self.open(from, from_key)?),
            to: (to.clone(), self.open(to, to_key)?),
        }))
    }
}

struct Copier {
    from: (Scope, DataKey),
    to: (Scope, DataKey),
}

impl Copying for Copier {
    fn copy(
        &mut self,
        person: &PersonId,
        reference: &ReferenceId,
        space: &FeatureSpace,
        sealed: &SealedTemplate,
    ) -> Result<SealedTemplate, SealError> {
        let binding = |scope| TemplateBinding {
            scope,
            person,
            reference,
            space,
        };
        let template = open_template(&self.from.1, &binding(&self.from.0), sealed)?;
        seal_template(&self.to.1, &binding(&self.to.0), &template)
    }

    fn card_hash(
        &mut self,
        person: &PersonId,
        sealed: &SealedDocument,
    ) -> Result<CardHash, SealError> {
        let number = open_card(&self.from.1, &self.from.0, person, sealed)?;
        Ok(card_hash(&self.to.1, &self.to.0, &number))
    }
}

/// The number of a citizen card that was sealed for a person.
pub(crate) fn open_card(
    key: &DataKey,
    scope: &Scope,
    person: &PersonId,
    sealed: &SealedDocument,
) -> Result<CardNumber, SealError> {
    let binding = DocumentBinding {
        scope,
        person,
        document: Document::CitizenCard,
    };
    let plain = open_document(key, &binding, sealed)?;
    let number = std::str::from_utf8(&plain)
        .ok()
        .and_then(|text| CardNumber::new(text).ok());
    number.ok_or_else(|| SealError::Document(person.clone()))
}
