//! What the hub keeps, as its own types: nothing here is how JSON or a table has it, so that the
//! API and the store may each change without the other. Nothing here does I/O.

mod city;
mod device;
mod event;
mod invitation;
mod meeting;
mod offer;
mod record;
mod webhook;

pub use city::{
    Change, Enrolment, Organisation, Origin, Page, Person, PersonDetails, PortraitKeeping, Quality,
    Reference, ReferenceTemplate, Room,
};
pub use device::{
    ApiKey, ApiKeyId, Authenticated, CertificateSerial, Device, DeviceCertificate, DeviceKeys,
    Health, KeyRole, KeyRoleError, SecretHash, Token, TokenUse,
};
pub use event::{Delivery, Event, EventKind, Told, ToldError};
pub use invitation::{InvitationKey, KeyChange};
pub use meeting::{
    DeviceMeeting, DeviceMeetings, DeviceRoster, DeviceRosterAnswer, Entry, KeptKey, Meeting,
    MeetingCard, MeetingPlan, MeetingQuery, MeetingReference, MeetingState, RosterSnapshot,
    RosterView, SubstituteRight, Withdrawal,
};
pub use offer::{Offer, OfferId, OfferKind};
pub use record::{
    Commit, Cursor, Ingested, KeptHead, Note, NoteKind, NoteNumber, Position, QuarantineReason,
    Quarantined, RecordPage, RevisionInputs, RollRevision, StoreIdentity, StoredRecord, Totals,
};
pub use webhook::{KeptWebhook, Webhook, WebhookId, WebhookState};
