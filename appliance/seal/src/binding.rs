//! What a ciphertext is bound to. Each field stands behind its own length, so that no two different
//! bindings have the same bytes: moving a character from one id to the next makes another binding.

use std::fmt;

use vocabulary::{DeviceId, FeatureSpace, MeetingId, OrganisationId, PersonId, ReferenceId};

use crate::key::KeyId;

/// The format of sealed templates; another format would have another text.
const TEMPLATE_FORMAT: &[u8] = b"diemdanh sealed template 1";

/// The format of wrapped keys.
const WRAP_FORMAT: &[u8] = b"diemdanh wrapped key 1";

/// The format of sealed documents.
const DOCUMENT_FORMAT: &[u8] = b"diemdanh sealed document 1";

/// What the keys of citizen cards' hashes are derived for.
const CARD_FORMAT: &[u8] = b"diemdanh citizen card 1";

/// Whose templates a key seals: those of one meeting, or those of everyone enrolled by an
/// organisation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The meeting; none for the organisation's own enrolments.
    pub meeting: Option<MeetingId>,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.meeting {
            Some(meeting) => write!(f, "meeting {meeting} of {}", self.organisation),
            None => write!(f, "the enrolments of {}", self.organisation),
        }
    }
}

impl Scope {
    fn write(&self, bytes: &mut Vec<u8>) {
        field(bytes, self.organisation.as_str().as_bytes());
        // No id is empty, so an empty field says that there is no meeting.
        let meeting = self.meeting.as_ref().map_or("", MeetingId::as_str);
        field(bytes, meeting.as_bytes());
    }
}

impl Scope {
    /// What the key of citizen cards' hashes is derived for.
    pub(crate) fn card_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(160);
        field(&mut bytes, CARD_FORMAT);
        self.write(&mut bytes);
        bytes
    }
}

/// What a sealed document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document<'a> {
    /// The number of a citizen card.
    CitizenCard,
    /// The portrait that a reference was made from.
    Portrait(&'a ReferenceId),
}

/// Which document of whom.
#[derive(Debug, Clone, Copy)]
pub struct DocumentBinding<'a> {
    /// Whose documents the key seals.
    pub scope: &'a Scope,
    /// The person.
    pub person: &'a PersonId,
    /// What it is.
    pub document: Document<'a>,
}

impl DocumentBinding<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        field(&mut bytes, DOCUMENT_FORMAT);
        self.scope.write(&mut bytes);
        field(&mut bytes, self.person.as_str().as_bytes());
        match self.document {
            Document::CitizenCard => field(&mut bytes, b"citizen card"),
            Document::Portrait(reference) => {
                field(&mut bytes, b"portrait");
                field(&mut bytes, reference.as_str().as_bytes());
            }
        }
        bytes
    }
}

/// Which template of whom, for which meeting, in which feature space.
#[derive(Debug, Clone, Copy)]
pub struct TemplateBinding<'a> {
    /// Whose templates the key seals.
    pub scope: &'a Scope,
    /// The person.
    pub person: &'a PersonId,
    /// Which of the person's references.
    pub reference: &'a ReferenceId,
    /// The feature space.
    pub space: &'a FeatureSpace,
}

impl TemplateBinding<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256);
        field(&mut bytes, TEMPLATE_FORMAT);
        self.scope.write(&mut bytes);
        field(&mut bytes, self.person.as_str().as_bytes());
        field(&mut bytes, self.reference.as_str().as_bytes());
        field(&mut bytes, self.space.name().as_bytes());
        field(&mut bytes, &self.space.digest().0);
        bytes
    }
}

/// For which device a key is wrapped, and which key it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrapBinding {
    /// The device that may unwrap it.
    pub device: DeviceId,
    /// The key's own id.
    pub key: KeyId,
    /// Whose templates the key seals.
    pub scope: Scope,
}

impl WrapBinding {
    /// HPKE's `info`: the format and the device.
    pub(crate) fn info(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96);
        field(&mut bytes, WRAP_FORMAT);
        field(&mut bytes, self.device.as_str().as_bytes());
        bytes
    }

    /// HPKE's `aad`: the key's id and its scope.
    pub(crate) fn aad(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(160);
        field(&mut bytes, &self.key.0);
        self.scope.write(&mut bytes);
        bytes
    }
}

fn field(bytes: &mut Vec<u8>, content: &[u8]) {
    let length = u32::try_from(content.len()).expect("ids, names and digests are short");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(content);
}
