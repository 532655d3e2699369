//! What the hub remembers, behind one trait, so that an embedded store and a city's database are
//! the same to everything else. No SQL outside this module, and nothing here is remembered in the
//! process: two processes on one store see the same.
//!
//! Every operation is one transaction: it happened whole and durably when it returns, or not at
//! all. Putting again what is there is a success and changes nothing. Time is passed in.

pub mod conformance;
mod error;
mod sealing;
pub mod sqlite;

use seal::SealedDocument;
use vocabulary::{
    DeviceId, Epoch, FeatureSpace, MeetingId, OrganisationId, PersonId, ReferenceId, RoomId,
    WallTime,
};

pub use error::{Conflict, Missing, Source, StoreError};
pub(crate) use sealing::open_card;
pub use sealing::{Copying, HUB_DEVICE, KeyStoreSealing, Sealing};
/// What a store holds at most; as the API has it.
pub use wire::limits::{
    ASIDE_BYTES_MAX, ASIDE_ROW_BYTES, DELIVERIES_KEPT_MAX, DEVICES_MAX, DOORS_MAX, EPOCHS_MAX,
    EVENTS_KEPT_MAX, FOLLOWS_AFTER_END, OFFERS_BYTES_MAX, OFFERS_MAX, ORGANISATIONS_MAX,
    PEOPLE_MAX, PORTRAITS_BYTES_MAX, ROLL_RECORDS_MAX, ROOMS_MAX, WEBHOOKS_MAX,
    WITHDRAWN_AFTER_END,
};

use crate::ingest::Batch;
use crate::model::{
    ApiKey, ApiKeyId, Authenticated, CertificateSerial, Change, Cursor, Delivery, Device,
    DeviceCertificate, DeviceKeys, DeviceMeetings, DeviceRosterAnswer, Enrolment, Entry, Event,
    Health, Ingested, InvitationKey, KeptHead, KeptKey, KeptWebhook, KeyChange, Meeting,
    MeetingPlan, MeetingQuery, MeetingReference, Note, NoteNumber, Offer, OfferId, Organisation,
    Page, Person, PersonDetails, PortraitKeeping, Position, RecordPage, RevisionInputs, Room,
    RosterSnapshot, RosterView, SecretHash, StoreIdentity, StoredRecord, Token, TokenUse, Told,
    Totals, Webhook, WebhookId, WebhookState,
};

/// Whatever keeps what the hub knows. Shared by all threads; callers in async code call it from
/// where blocking is allowed.
///
/// A list never has more than [`wire::limits::PAGE_ITEMS_MAX`] items, whatever is asked for.
pub trait Store: Send + Sync {
    /// Which store this is.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn identity(&self) -> Result<StoreIdentity, StoreError>;

    /// Whether it can be read *and written*, for whoever asks whether the hub is ready.
    ///
    /// # Errors
    /// [`StoreError`] says why not.
    fn check(&self) -> Result<(), StoreError>;

    /// How much there is.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn totals(&self) -> Result<Totals, StoreError>;

    // Organisations and rooms.

    /// Makes an organisation, or changes its name.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for its name, [`StoreError::TooMany`].
    fn put_organisation(
        &self,
        organisation: &Organisation,
        now: WallTime,
    ) -> Result<Change, StoreError>;

    /// An organisation.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn organisation(&self, id: &OrganisationId) -> Result<Option<Organisation>, StoreError>;

    /// All organisations, in order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn organisations(&self) -> Result<Vec<Organisation>, StoreError>;

    /// Makes a room, or changes its name or doors.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation; [`Conflict::DoorElsewhere`];
    /// [`Conflict::DoorInUse`] when a door that would go has a device or a planned meeting;
    /// [`StoreError::Invalid`], [`StoreError::TooMany`].
    fn put_room(
        &self,
        organisation: &OrganisationId,
        room: &Room,
        now: WallTime,
    ) -> Result<Change, StoreError>;

    /// A room.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn room(&self, organisation: &OrganisationId, id: &RoomId) -> Result<Option<Room>, StoreError>;

    /// All rooms of an organisation, in order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn rooms(&self, organisation: &OrganisationId) -> Result<Vec<Room>, StoreError>;

    // People and references.

    /// Makes a person, or changes name, title or unit. A new person gets a random opaque id. The
    /// generation grows of every planned meeting whose roster shows what changed and that ended
    /// at most [`FOLLOWS_AFTER_END`] ago.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation; [`StoreError::Invalid`],
    /// [`StoreError::TooMany`].
    fn put_person(
        &self,
        organisation: &OrganisationId,
        person: &PersonDetails,
        now: WallTime,
    ) -> Result<(Change, Person), StoreError>;

    /// A person, by the caller's id.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn person(
        &self,
        organisation: &OrganisationId,
        id: &PersonId,
    ) -> Result<Option<Person>, StoreError>;

    /// People in order of the caller's ids, at most `limit` behind `after`.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn people(
        &self,
        organisation: &OrganisationId,
        after: Option<&PersonId>,
        limit: u32,
    ) -> Result<Page<Person>, StoreError>;

    /// The caller's ids of people by opaque ids, for those that there are, as (opaque, caller's).
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn people_by_opaque(
        &self,
        organisation: &OrganisationId,
        opaque: &[PersonId],
    ) -> Result<Vec<(PersonId, PersonId)>, StoreError>;

    /// Keeps a reference of a person in all spaces that it comes in, beside those in which the same
    /// one is there already and in place of another one of the same id, with its portrait where the
    /// organisation keeps them; and copies it under the key of every planned meeting whose roster
    /// calls the person by face and that ended at most [`FOLLOWS_AFTER_END`] ago; their generation
    /// grows. See [`Sealing`] for how the copies are made.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the person; [`StoreError::TooMany`] beyond
    /// [`wire::limits::REFERENCES_PER_PERSON_MAX`] in a space; [`StoreError::Sealing`].
    fn put_reference(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
        enrolment: &Enrolment,
        sealing: &dyn Sealing,
        now: WallTime,
    ) -> Result<Change, StoreError>;

    /// The feature spaces in which an organisation's people have references, with how many people
    /// have one; in order of space.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn reference_spaces(
        &self,
        organisation: &OrganisationId,
    ) -> Result<Vec<(FeatureSpace, u64)>, StoreError>;

    /// Whether an organisation keeps portraits, and what it has of them. It keeps none unless
    /// [`Store::set_portrait_days`] said otherwise.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation.
    fn portrait_keeping(
        &self,
        organisation: &OrganisationId,
    ) -> Result<PortraitKeeping, StoreError>;

    /// Lets an organisation keep portraits for so many days from when each was handed in, also
    /// those that are there already; or, with none, no longer: all of them are destroyed. Answers
    /// as well how many were destroyed.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation.
    fn set_portrait_days(
        &self,
        organisation: &OrganisationId,
        days: Option<u32>,
        now: WallTime,
    ) -> Result<(Change, u64), StoreError>;

    /// The sealed portrait that a reference was made from, where it is kept.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn portrait(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
        reference: &ReferenceId,
        now: WallTime,
    ) -> Result<Option<SealedDocument>, StoreError>;

    /// Destroys portraits whose date has come, at most `limit` of them, and says how many.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn destroy_portraits(&self, now: WallTime, limit: u32) -> Result<u32, StoreError>;

    /// Takes a reference away in all spaces, its portrait, and its copies from *every* meeting; the
    /// generation of these grows. Also a success when there is no such person or reference.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn delete_reference(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
        reference: &ReferenceId,
        now: WallTime,
    ) -> Result<Change, StoreError>;

    /// Keeps the number of a person's citizen card, sealed under the organisation's key, in place
    /// of another one, and its hash under the key of every planned meeting whose roster has the
    /// person and that ended at most [`FOLLOWS_AFTER_END`] ago; their generation grows.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the person; [`StoreError::Sealing`].
    fn put_citizen_card(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
        sealed: &SealedDocument,
        sealing: &dyn Sealing,
        now: WallTime,
    ) -> Result<Change, StoreError>;

    /// The sealed number of a person's citizen card, where it is kept.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn citizen_card(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
    ) -> Result<Option<SealedDocument>, StoreError>;

    /// Forgets the number of a person's citizen card, and its hashes at *every* meeting; the
    /// generation of these grows. Also a success when there is no such person or card.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn delete_citizen_card(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
        now: WallTime,
    ) -> Result<Change, StoreError>;

    /// The key of an organisation's enrolments; made by `sealing` when it is asked for first.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation; [`StoreError::Sealing`].
    fn organisation_key(
        &self,
        organisation: &OrganisationId,
        sealing: &dyn Sealing,
    ) -> Result<KeptKey, StoreError>;

    /// The keys whose invitations are valid at all meetings of an organisation, or those that a
    /// meeting has of its own; in their order.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation or the meeting.
    fn invitation_keys(
        &self,
        organisation: &OrganisationId,
        meeting: Option<&MeetingId>,
    ) -> Result<Vec<InvitationKey>, StoreError>;

    /// Changes the keys whose invitations are valid at all meetings of an organisation, or at one
    /// meeting beside these. The generation grows of that meeting, or of all as with
    /// [`Store::put_person`].
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation or the meeting; [`Conflict::Closed`],
    /// [`Conflict::Cancelled`]; [`StoreError::TooMany`] beyond
    /// [`wire::limits::INVITATION_KEYS_MAX`].
    fn change_invitation_keys(
        &self,
        organisation: &OrganisationId,
        meeting: Option<&MeetingId>,
        change: &KeyChange,
        now: WallTime,
    ) -> Result<(Change, Vec<InvitationKey>), StoreError>;

    // Meetings and rosters.

    /// Makes a meeting with a key of its own, or changes or moves it. A cancelled one is planned
    /// again: with its roster as it was, and a new key.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation, the room or a door of it;
    /// [`Conflict::Closed`]; [`StoreError::Invalid`] for its times, texts, or a quorum above the
    /// roster; [`StoreError::Sealing`].
    fn put_meeting(
        &self,
        organisation: &OrganisationId,
        plan: &MeetingPlan,
        sealing: &dyn Sealing,
        now: WallTime,
    ) -> Result<(Change, Meeting), StoreError>;

    /// A meeting.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn meeting(
        &self,
        organisation: &OrganisationId,
        id: &MeetingId,
    ) -> Result<Option<Meeting>, StoreError>;

    /// Meetings in order of their beginning and id.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn meetings(
        &self,
        organisation: &OrganisationId,
        query: &MeetingQuery,
    ) -> Result<Page<Meeting>, StoreError>;

    /// Cancels a meeting: its key and the copies of references under it are destroyed, and the
    /// devices of its doors are told to forget it. Also a success when there is none.
    ///
    /// # Errors
    /// [`Conflict::Closed`].
    fn cancel_meeting(
        &self,
        organisation: &OrganisationId,
        id: &MeetingId,
        now: WallTime,
    ) -> Result<Change, StoreError>;

    /// Closes a meeting: its key and the copies of references under it are destroyed. Its roster
    /// and roll stay.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`Conflict::Cancelled`].
    fn close_meeting(
        &self,
        organisation: &OrganisationId,
        id: &MeetingId,
        now: WallTime,
    ) -> Result<(Change, Meeting), StoreError>;

    /// Replaces a meeting's roster, and copies the references of everybody who is called by face
    /// under the meeting's key; see [`Sealing`].
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the meeting or a person; [`Conflict::Closed`],
    /// [`Conflict::Cancelled`]; [`StoreError::Invalid`] when somebody stands on it twice or it is
    /// smaller than the quorum; [`StoreError::TooMany`]; [`StoreError::Sealing`].
    fn put_roster(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
        entries: &[Entry],
        sealing: &dyn Sealing,
        now: WallTime,
    ) -> Result<(Change, RosterView), StoreError>;

    /// A meeting's roster as it stands; none where there is no such meeting.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn roster(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
        now: WallTime,
    ) -> Result<Option<RosterView>, StoreError>;

    /// The canonical roster of the current generation, or of an earlier one that a device or a
    /// revision of the roll was given. None where there is no such meeting or generation.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn roster_snapshot(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
        generation: Option<u64>,
        now: WallTime,
    ) -> Result<Option<RosterSnapshot>, StoreError>;

    /// The references of a meeting, in order of person, id and space. None once the meeting's key
    /// is destroyed.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn meeting_references(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
    ) -> Result<Vec<MeetingReference>, StoreError>;

    /// Destroys the keys and copies of references of planned meetings that ended before a time,
    /// at most `limit` of them, and says how many. Their generation stays: a door destroys its key
    /// at the end by itself.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn destroy_keys(&self, ended_before: WallTime, limit: u32) -> Result<u32, StoreError>;

    // Devices, their tokens and certificates, and keys of callers.

    /// Declares a device, or moves it to other doors.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation, the room or a door of it;
    /// [`Conflict::DeviceElsewhere`] when it is another organisation's;
    /// [`Conflict::DeviceReserved`] for [`HUB_DEVICE`]; [`StoreError::TooMany`].
    fn put_device(
        &self,
        organisation: &OrganisationId,
        device: &DeviceId,
        room: &RoomId,
        doors: &[vocabulary::DoorId],
        now: WallTime,
    ) -> Result<Change, StoreError>;

    /// A device.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn device(&self, id: &DeviceId) -> Result<Option<Device>, StoreError>;

    /// Devices of an organisation in order of their ids, at most `limit` behind `after`.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn devices(
        &self,
        organisation: &OrganisationId,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Page<Device>, StoreError>;

    /// Revokes a device with all its certificates and unused tokens.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    fn revoke_device(&self, id: &DeviceId, now: WallTime) -> Result<Change, StoreError>;

    /// Lets a revoked device be enrolled again, by a new token. Its old certificates stay revoked.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    fn reinstate_device(&self, id: &DeviceId, now: WallTime) -> Result<Change, StoreError>;

    /// Keeps a health report in place of the one before.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    fn put_health(&self, device: &DeviceId, health: &Health) -> Result<(), StoreError>;

    /// Keeps a new token for a device; earlier ones that were not used count no more.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the device; [`Conflict::DeviceRevoked`].
    fn put_token(
        &self,
        hash: &SecretHash,
        device: &DeviceId,
        expires_at: WallTime,
        now: WallTime,
    ) -> Result<(), StoreError>;

    /// A token, and whose it is, to know whom to make a certificate for.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn token(&self, hash: &SecretHash) -> Result<Option<Token>, StoreError>;

    /// Uses a token: the device is known by these keys and this certificate from now on, and all
    /// its earlier certificates count no more. When the same token was used by the same signing
    /// request before, nothing changes and the certificate of then is given back.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn enrol_device(
        &self,
        hash: &SecretHash,
        keys: &DeviceKeys,
        certificate: &DeviceCertificate,
        now: WallTime,
    ) -> Result<TokenUse, StoreError>;

    /// Keeps a further certificate of an enrolled device. The earlier ones stay good until they
    /// end, since the answer with the new one may be lost. When the newest answers the same
    /// signing request and is younger than an hour, that one is given back instead.
    ///
    /// # Errors
    /// [`StoreError::Missing`]; [`Conflict::DeviceRevoked`].
    fn renew_certificate(
        &self,
        device: &DeviceId,
        certificate: &DeviceCertificate,
        now: WallTime,
    ) -> Result<DeviceCertificate, StoreError>;

    /// Whom a certificate shows; none for one that the hub did not make.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn authenticate(&self, serial: &CertificateSerial)
    -> Result<Option<Authenticated>, StoreError>;

    /// The newest certificate of a device that counts, in PEM; none for one that is not enrolled.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the device.
    fn newest_certificate(&self, device: &DeviceId) -> Result<Option<String>, StoreError>;

    /// Keeps a new key of a caller.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation; [`Conflict::KeyExists`] for its id.
    fn put_api_key(&self, key: &ApiKey) -> Result<(), StoreError>;

    /// A caller's key, revoked ones too.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn api_key(&self, id: &ApiKeyId) -> Result<Option<ApiKey>, StoreError>;

    /// All keys for an organisation, in the order in which they were made.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn api_keys(&self, organisation: &OrganisationId) -> Result<Vec<ApiKey>, StoreError>;

    /// Revokes a caller's key.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    fn revoke_api_key(&self, id: &ApiKeyId, now: WallTime) -> Result<Change, StoreError>;

    // What devices ask for.

    /// The planned and closed meetings of a device's doors that end after `from` and begin before
    /// `until`, the earliest [`wire::limits::DEVICE_MEETINGS_MAX`], and what the device was told
    /// of before and must forget. A meeting that has only left the window because the window moved
    /// is not withdrawn: the door keeps it to its end.
    ///
    /// The store remembers what it told.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the device.
    fn device_meetings(
        &self,
        device: &DeviceId,
        from: WallTime,
        until: WallTime,
        now: WallTime,
    ) -> Result<DeviceMeetings, StoreError>;

    /// The roster of a meeting for a device, unless its generation is still `unless`.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the device.
    fn device_roster(
        &self,
        device: &DeviceId,
        meeting: &MeetingId,
        unless: Option<u64>,
        now: WallTime,
    ) -> Result<DeviceRosterAnswer, StoreError>;

    /// How far a device's records of an epoch are here. It names the last one's digest only where
    /// every record up to it is held: a device that finds its own digest there takes all of its own
    /// to be here, and where one was kept aside or lost another copy's may follow it.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn position(&self, device: &DeviceId, epoch: &Epoch) -> Result<Position, StoreError>;

    /// Takes a batch of a device's records, as [`crate::ingest`] decides. Sending it again changes
    /// nothing and is answered the same.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the device; [`StoreError::Batch`] when it is no batch at all;
    /// [`StoreError::TooMany`] for epochs or for what is kept aside. Nothing is taken then.
    fn ingest(
        &self,
        device: &DeviceId,
        batch: &Batch,
        now: WallTime,
    ) -> Result<Ingested, StoreError>;

    // What integrators read.

    /// Where the list of records begins.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    fn first_cursor(&self) -> Result<Cursor, StoreError>;

    /// Records of an organisation's devices behind a cursor, in the order of commits. What
    /// commits later has a larger number than anything that a page has shown or passed by, so
    /// whoever follows the cursors misses nothing. A cursor of an earlier incarnation goes on
    /// where that one and this parted: some records come twice, none is missed.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn records(
        &self,
        organisation: &OrganisationId,
        after: Cursor,
        limit: u32,
    ) -> Result<RecordPage, StoreError>;

    /// The held records of a meeting behind a commit, in the order of commits, at most `limit`:
    /// with the corrections and outcomes of these, and without what is kept aside.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn meeting_records(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
        after: crate::model::Commit,
        limit: u32,
    ) -> Result<Vec<StoredRecord>, StoreError>;

    /// What a revision of a meeting's roll is computed from: an earlier revision, or the newest.
    /// A new one comes to be only here, when the roster's generation, the meeting's records or
    /// what is known of the clocks they were made by changed since the one before. None where there
    /// is no such meeting or revision.
    ///
    /// # Errors
    /// [`StoreError::TooMany`] beyond [`ROLL_RECORDS_MAX`].
    fn revision(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
        number: Option<u32>,
        now: WallTime,
    ) -> Result<Option<RevisionInputs>, StoreError>;

    /// The newest believed signed head of each epoch of a device.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn heads(&self, device: &DeviceId) -> Result<Vec<KeptHead>, StoreError>;

    /// Notes about the records of an organisation's devices behind a number, oldest first, at
    /// most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn notes(
        &self,
        organisation: &OrganisationId,
        after: NoteNumber,
        limit: u32,
    ) -> Result<Vec<Note>, StoreError>;

    // Offers.

    /// Makes an offer, or changes for whom and when it is. When it was made stays.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation; [`Conflict::OfferExists`] when it is something
    /// else under the same id; [`StoreError::TooMany`] beyond [`OFFERS_MAX`] or
    /// [`OFFERS_BYTES_MAX`].
    fn put_offer(&self, offer: &Offer) -> Result<Change, StoreError>;

    /// The offers of an organisation in order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn offers(&self, organisation: &OrganisationId) -> Result<Vec<Offer>, StoreError>;

    /// Takes an offer away. Also a success when there is none.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn delete_offer(
        &self,
        organisation: &OrganisationId,
        id: &OfferId,
    ) -> Result<Change, StoreError>;

    /// The digests of all contents that anybody offers.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn offer_digests(&self) -> Result<Vec<vocabulary::Digest>, StoreError>;

    // Webhooks.

    /// Makes a webhook that is told of what is committed from now on, or changes its address; one
    /// that was given up is tried again then.
    ///
    /// # Errors
    /// [`StoreError::Missing`] for the organisation; [`StoreError::TooMany`] beyond
    /// [`WEBHOOKS_MAX`].
    fn put_webhook(&self, webhook: &Webhook, now: WallTime) -> Result<Change, StoreError>;

    /// The webhooks of an organisation in order of their ids.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn webhooks(&self, organisation: &OrganisationId) -> Result<Vec<KeptWebhook>, StoreError>;

    /// Takes a webhook away. Also a success when there is none.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn delete_webhook(
        &self,
        organisation: &OrganisationId,
        id: &WebhookId,
    ) -> Result<Change, StoreError>;

    /// Takes into hand until a time, for the caller alone, webhooks that are due and behind which
    /// something was committed. Whoever does not come back until then has lost it.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn claim_webhooks(
        &self,
        now: WallTime,
        until: WallTime,
        limit: u32,
    ) -> Result<Vec<KeptWebhook>, StoreError>;

    /// What happened to meetings, rolls and devices of an organisation behind a number, in order,
    /// at most `limit`; and the number of the newest of anybody's.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn events(
        &self,
        organisation: &OrganisationId,
        after: u64,
        limit: u32,
    ) -> Result<(Vec<Event>, u64), StoreError>;

    /// Closed meetings planned to end after a time whose roll was not made since they were closed
    /// or since their last record came, of organisations with a webhook that is told of revised
    /// rolls; at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn rolls_behind(
        &self,
        ended_after: WallTime,
        limit: u32,
    ) -> Result<Vec<(OrganisationId, MeetingId)>, StoreError>;

    /// Notes devices that reported once and not since a time, each once for each silence, at most
    /// `limit`, and says how many.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn note_silent_devices(
        &self,
        reported_before: WallTime,
        now: WallTime,
        limit: u32,
    ) -> Result<u32, StoreError>;

    /// Keeps what became of a delivery that failed, or that failed before and is taken now. Of one
    /// webhook the newest [`DELIVERIES_KEPT_MAX`] are kept, and of one that was taken away none.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn put_delivery(
        &self,
        organisation: &OrganisationId,
        id: &WebhookId,
        delivery: &Delivery,
    ) -> Result<Change, StoreError>;

    /// Deliveries of a webhook that failed once, at least; the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    fn deliveries(
        &self,
        organisation: &OrganisationId,
        id: &WebhookId,
    ) -> Result<Vec<Delivery>, StoreError>;

    /// Has a delivery sent once more; nothing changes where it is not kept.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn redeliver(
        &self,
        organisation: &OrganisationId,
        id: &WebhookId,
        told: Told,
    ) -> Result<Change, StoreError>;

    /// Keeps how far a webhook has been, and gives it out of hand. Nothing happens when it was
    /// taken away meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be done.
    fn put_webhook_state(
        &self,
        organisation: &OrganisationId,
        id: &WebhookId,
        state: &WebhookState,
    ) -> Result<Change, StoreError>;
}
