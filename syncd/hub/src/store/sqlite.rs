//! The embedded store: one SQLite file, no set-up.
//!
//! One connection writes, a few read beside it; what must be durable is when a call returns.
//! Batches of records that arrive at the same moment share one transaction, since a commit costs
//! one sync of the disk whether it holds a hundred records or a thousand.

mod backup;
mod batches;
mod cards;
mod convert;
mod database;
mod devices;
mod doors;
mod events;
mod ingest;
mod invitations;
mod meetings;
mod notes;
mod offers;
mod organisations;
mod people;
mod portraits;
mod records;
mod references;
mod revisions;
mod rosters;
mod schema;
#[cfg(test)]
mod tests;
mod webhooks;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use seal::SealedDocument;
use vocabulary::{
    DeviceId, Digest, DoorId, Epoch, FeatureSpace, MeetingId, OrganisationId, PersonId,
    ReferenceId, RoomId, WallTime,
};

pub use backup::restore;
pub use database::OpenError;

use super::{ASIDE_BYTES_MAX, Sealing, Store, StoreError};
use crate::ingest::Batch;
use crate::model::{
    ApiKey, ApiKeyId, Authenticated, CertificateSerial, Change, Commit, Cursor, Delivery, Device,
    DeviceCertificate, DeviceKeys, DeviceMeetings, DeviceRosterAnswer, Enrolment, Entry, Event,
    EventKind, Health, Ingested, InvitationKey, KeptHead, KeptKey, KeptWebhook, KeyChange, Meeting,
    MeetingPlan, MeetingQuery, MeetingReference, Note, NoteNumber, Offer, OfferId, Organisation,
    Page, Person, PersonDetails, PortraitKeeping, Position, RecordPage, RevisionInputs, Room,
    RosterSnapshot, RosterView, SecretHash, StoreIdentity, StoredRecord, Token, TokenUse, Told,
    Totals, Webhook, WebhookId, WebhookState,
};

/// The name of the store's file in a hub's directory.
pub const FILE_NAME: &str = "hub.db";

/// Reading connections that are kept for the next reader. More may be open while more read.
const READERS_KEPT_MAX: usize = 8;

/// Where random bytes come from: ids that must not be guessed.
pub type Entropy = Arc<dyn Fn(&mut [u8]) -> Result<(), getrandom::Error> + Send + Sync>;

/// How a store is opened.
#[derive(Clone)]
pub struct SqliteOptions {
    /// The name of a registered VFS to keep the file with, in place of the system's files; for
    /// whoever simulates a disk.
    pub vfs: Option<String>,
    /// Where random bytes come from.
    pub entropy: Entropy,
    /// Most bytes that are kept aside for one device; less than [`ASIDE_BYTES_MAX`] for trying it.
    pub aside_bytes_max: u64,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            vfs: None,
            entropy: Arc::new(getrandom::fill),
            aside_bytes_max: ASIDE_BYTES_MAX,
        }
    }
}

/// A store in one SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    options: SqliteOptions,
    writer: Mutex<Writer>,
    readers: Mutex<Vec<Connection>>,
    batches: batches::Queue,
}

/// The connection that writes.
struct Writer {
    connection: Connection,
    /// Whether a failure left open what is on the disk; then nothing is written any more.
    failed: bool,
    aside_bytes_max: u64,
}

impl SqliteStore {
    /// Opens the store of a hub's directory; makes the file where there is none, readable by its
    /// owner only.
    ///
    /// # Errors
    /// [`OpenError`] names the file, what is wrong with it and what to do.
    pub fn open(directory: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        Self::open_file(&directory.join(FILE_NAME), options)
    }

    /// Opens a store by its file.
    ///
    /// # Errors
    /// [`OpenError`] names the file, what is wrong with it and what to do.
    pub fn open_file(path: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        let mut connection = database::open_writer(path, options.vfs.as_deref())?;
        backup::identify_new(&mut connection, path, &options.entropy)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(Writer {
                connection,
                failed: false,
                aside_bytes_max: options.aside_bytes_max,
            }),
            options,
            readers: Mutex::new(Vec::new()),
            batches: batches::Queue::default(),
        })
    }

    /// Writes all that is committed now to a new file, while others read and write. The file is
    /// durable and readable by its owner only; [`restore`] makes a store of it again.
    ///
    /// # Errors
    /// [`OpenError::Exists`] when there is such a file, and when it cannot be written.
    pub fn backup(&self, to: &Path) -> Result<(), OpenError> {
        backup::save(&self.path, self.options.vfs.as_deref(), to)
    }

    /// Does something in one transaction that is durable when this returns, or in none.
    fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut writer = lock(&self.writer);
        writer.transact(work)
    }

    /// Reads several things as of one moment.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let kept = lock(&self.readers).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => database::open_reader(&self.path, self.options.vfs.as_deref())?,
        };
        let moment = connection.unchecked_transaction()?;
        let result = work(&moment);
        // Nothing was written, so there is nothing to commit; ending it either way is the same.
        let ended = moment.finish();
        if ended.is_ok() {
            let mut readers = lock(&self.readers);
            if readers.len() < READERS_KEPT_MAX {
                readers.push(connection);
            }
        }
        result
    }
}

impl Writer {
    fn transact<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if self.failed {
            return Err(StoreError::Failed);
        }
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        match transaction.commit() {
            Ok(()) => Ok(result),
            Err(error) => {
                self.failed = database::leaves_doubt(&error);
                Err(error.into())
            }
        }
    }
}

/// A panic while a lock was held leaves at most an open transaction, which its guard rolled back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for SqliteStore {
    fn identity(&self) -> Result<StoreIdentity, StoreError> {
        self.read(records::identity)
    }

    fn check(&self) -> Result<(), StoreError> {
        self.read(records::identity)?;
        self.write(|transaction| {
            // Takes the place of the writer and changes a row to what it is.
            transaction.execute("UPDATE store SET one = 1", [])?;
            Ok(())
        })
    }

    fn totals(&self) -> Result<Totals, StoreError> {
        self.read(notes::totals)
    }

    fn put_organisation(
        &self,
        organisation: &Organisation,
        _now: WallTime,
    ) -> Result<Change, StoreError> {
        self.write(|t| organisations::put(t, organisation))
    }

    fn organisation(&self, id: &OrganisationId) -> Result<Option<Organisation>, StoreError> {
        self.read(|c| organisations::one(c, id))
    }

    fn organisations(&self) -> Result<Vec<Organisation>, StoreError> {
        self.read(organisations::all)
    }

    fn put_room(
        &self,
        organisation: &OrganisationId,
        room: &Room,
        now: WallTime,
    ) -> Result<Change, StoreError> {
        self.write(|t| organisations::put_room(t, organisation, room, now))
    }

    fn room(&self, organisation: &OrganisationId, id: &RoomId) -> Result<Option<Room>, StoreError> {
        self.read(|c| organisations::room(c, organisation, id))
    }

    fn rooms(&self, organisation: &OrganisationId) -> Result<Vec<Room>, StoreError> {
        self.read(|c| organisations::rooms(c, organisation))
    }

    fn put_person(
        &self,
        organisation: &OrganisationId,
        person: &PersonDetails,
        now: WallTime,
    ) -> Result<(Change, Person), StoreError> {
        self.write(|t| people::put(t, organisation, person, &self.options.entropy, now))
    }

    fn person(
        &self,
        organisation: &OrganisationId,
        id: &PersonId,
    ) -> Result<Option<Person>, StoreError> {
        self.read(|c| people::one(c, organisation, id))
    }

    fn people(
        &self,
        organisation: &OrganisationId,
        after: Option<&PersonId>,
        limit: u32,
    ) -> Result<Page<Person>, StoreError> {
        self.read(|c| people::page(c, organisation, after, limit))
    }

    fn people_by_opaque(
        &self,
        organisation: &OrganisationId,
        opaque: &[PersonId],
    ) -> Result<Vec<(PersonId, PersonId)>, StoreError> {
        self.read(|c| people::by_opaque(c, organisation, opaque))
    }

    fn put_reference(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
        enrolment: &Enrolment,
        sealing: &dyn Sealing,
        now: WallTime,
    ) -> Result<Change, StoreError> {
        self.write(|t| references::put(t, organisation, person, enrolment, sealing, now))
    }

    fn delete_reference(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
        reference: &ReferenceId,
        _now: WallTime,
    ) -> Result<Change, StoreError> {
        self.write(|t| references::delete(t, organisation, person, reference))
    }

    fn reference_spaces(
        &self,
        organisation: &OrganisationId,
    ) -> Result<Vec<(FeatureSpace, u64)>, StoreError> {
        self.read(|c| references::spaces(c, organisation))
    }

    fn portrait_keeping(
        &self,
        organisation: &OrganisationId,
    ) -> Result<PortraitKeeping, StoreError> {
        self.read(|c| portraits::keeping(c, organisation))
    }

    fn set_portrait_days(
        &self,
        organisation: &OrganisationId,
        days: Option<u32>,
        now: WallTime,
    ) -> Result<(Change, u64), StoreError> {
        self.write(|t| portraits::set(t, organisation, days, now))
    }

    fn portrait(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
        reference: &ReferenceId,
        now: WallTime,
    ) -> Result<Option<SealedDocument>, StoreError> {
        self.read(|c| portraits::one(c, organisation, person, reference, now))
    }

    fn destroy_portraits(&self, now: WallTime, limit: u32) -> Result<u32, StoreError> {
        self.write(|t| portraits::destroy_ended(t, now, limit))
    }

    fn put_citizen_card(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
        sealed: &SealedDocument,
        sealing: &dyn Sealing,
        now: WallTime,
    ) -> Result<Change, StoreError> {
        self.write(|t| cards::put(t, organisation, person, sealed, sealing, now))
    }

    fn citizen_card(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
    ) -> Result<Option<SealedDocument>, StoreError> {
        self.read(|c| cards::one(c, organisation, person))
    }

    fn delete_citizen_card(
        &self,
        organisation: &OrganisationId,
        person: &PersonId,
        _now: WallTime,
    ) -> Result<Change, StoreError> {
        self.write(|t| cards::delete(t, organisation, person))
    }

    fn organisation_key(
        &self,
        organisation: &OrganisationId,
        sealing: &dyn Sealing,
    ) -> Result<KeptKey, StoreError> {
        if let Some(key) = self.read(|c| organisations::key(c, organisation))? {
            return Ok(key);
        }
        self.write(|t| organisations::key_or_new(t, organisation, sealing))
    }

    fn invitation_keys(
        &self,
        organisation: &OrganisationId,
        meeting: Option<&MeetingId>,
    ) -> Result<Vec<InvitationKey>, StoreError> {
        self.read(|c| invitations::list(c, organisation, meeting))
    }

    fn change_invitation_keys(
        &self,
        organisation: &OrganisationId,
        meeting: Option<&MeetingId>,
        change: &KeyChange,
        now: WallTime,
    ) -> Result<(Change, Vec<InvitationKey>), StoreError> {
        self.write(|t| invitations::change(t, organisation, meeting, change, now))
    }

    fn put_meeting(
        &self,
        organisation: &OrganisationId,
        plan: &MeetingPlan,
        sealing: &dyn Sealing,
        now: WallTime,
    ) -> Result<(Change, Meeting), StoreError> {
        self.write(|t| {
            let (change, meeting) = meetings::put(t, organisation, plan, sealing)?;
            note_meeting(
                t,
                organisation,
                EventKind::MeetingChanged,
                change,
                &plan.id,
                now,
            )?;
            Ok((change, meeting))
        })
    }

    fn meeting(
        &self,
        organisation: &OrganisationId,
        id: &MeetingId,
    ) -> Result<Option<Meeting>, StoreError> {
        self.read(|c| meetings::one(c, organisation, id))
    }

    fn meetings(
        &self,
        organisation: &OrganisationId,
        query: &MeetingQuery,
    ) -> Result<Page<Meeting>, StoreError> {
        self.read(|c| meetings::page(c, organisation, query))
    }

    fn cancel_meeting(
        &self,
        organisation: &OrganisationId,
        id: &MeetingId,
        now: WallTime,
    ) -> Result<Change, StoreError> {
        self.write(|t| {
            let change = meetings::cancel(t, organisation, id)?;
            note_meeting(
                t,
                organisation,
                EventKind::MeetingCancelled,
                change,
                id,
                now,
            )?;
            Ok(change)
        })
    }

    fn close_meeting(
        &self,
        organisation: &OrganisationId,
        id: &MeetingId,
        now: WallTime,
    ) -> Result<(Change, Meeting), StoreError> {
        self.write(|t| {
            let (change, meeting) = meetings::close(t, organisation, id)?;
            note_meeting(t, organisation, EventKind::MeetingClosed, change, id, now)?;
            Ok((change, meeting))
        })
    }

    fn put_roster(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
        entries: &[Entry],
        sealing: &dyn Sealing,
        now: WallTime,
    ) -> Result<(Change, RosterView), StoreError> {
        self.write(|t| {
            let (change, view) = rosters::put(t, organisation, meeting, entries, sealing)?;
            note_meeting(
                t,
                organisation,
                EventKind::MeetingChanged,
                change,
                meeting,
                now,
            )?;
            Ok((change, view))
        })
    }

    fn roster(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
        _now: WallTime,
    ) -> Result<Option<RosterView>, StoreError> {
        let read = self.read(|c| rosters::view(c, organisation, meeting))?;
        match read {
            rosters::Read::Here(view) => Ok(view),
            rosters::Read::NotYetMade => {
                self.write(|t| rosters::make_view(t, organisation, meeting))
            }
        }
    }

    fn roster_snapshot(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
        generation: Option<u64>,
        _now: WallTime,
    ) -> Result<Option<RosterSnapshot>, StoreError> {
        let read = self.read(|c| rosters::snapshot(c, organisation, meeting, generation))?;
        match read {
            rosters::Read::Here(snapshot) => Ok(snapshot),
            rosters::Read::NotYetMade => {
                self.write(|t| rosters::make_snapshot(t, organisation, meeting))
            }
        }
    }

    fn meeting_references(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
    ) -> Result<Vec<MeetingReference>, StoreError> {
        self.read(|c| references::of_meeting(c, organisation, meeting))
    }

    fn destroy_keys(&self, ended_before: WallTime, limit: u32) -> Result<u32, StoreError> {
        self.write(|t| meetings::destroy_keys(t, ended_before, limit))
    }

    fn put_device(
        &self,
        organisation: &OrganisationId,
        device: &DeviceId,
        room: &RoomId,
        doors: &[DoorId],
        _now: WallTime,
    ) -> Result<Change, StoreError> {
        self.write(|t| devices::put(t, organisation, device, room, doors))
    }

    fn device(&self, id: &DeviceId) -> Result<Option<Device>, StoreError> {
        self.read(|c| devices::one(c, id))
    }

    fn devices(
        &self,
        organisation: &OrganisationId,
        after: Option<&DeviceId>,
        limit: u32,
    ) -> Result<Page<Device>, StoreError> {
        self.read(|c| devices::page(c, organisation, after, limit))
    }

    fn revoke_device(&self, id: &DeviceId, now: WallTime) -> Result<Change, StoreError> {
        self.write(|t| {
            let change = devices::revoke(t, id, now)?;
            if change != Change::Same {
                events::note_device(t, id.as_str(), EventKind::DeviceRevoked, now)?;
            }
            Ok(change)
        })
    }

    fn reinstate_device(&self, id: &DeviceId, _now: WallTime) -> Result<Change, StoreError> {
        self.write(|t| devices::reinstate(t, id))
    }

    fn put_health(&self, device: &DeviceId, health: &Health) -> Result<(), StoreError> {
        self.write(|t| {
            events::note_trouble(t, device.as_str(), health)?;
            devices::put_health(t, device, health)
        })
    }

    fn put_token(
        &self,
        hash: &SecretHash,
        device: &DeviceId,
        expires_at: WallTime,
        _now: WallTime,
    ) -> Result<(), StoreError> {
        self.write(|t| devices::put_token(t, hash, device, expires_at))
    }

    fn token(&self, hash: &SecretHash) -> Result<Option<Token>, StoreError> {
        self.read(|c| devices::token(c, hash))
    }

    fn enrol_device(
        &self,
        hash: &SecretHash,
        keys: &DeviceKeys,
        certificate: &DeviceCertificate,
        now: WallTime,
    ) -> Result<TokenUse, StoreError> {
        self.write(|t| devices::enrol(t, hash, keys, certificate, now))
    }

    fn renew_certificate(
        &self,
        device: &DeviceId,
        certificate: &DeviceCertificate,
        now: WallTime,
    ) -> Result<DeviceCertificate, StoreError> {
        self.write(|t| devices::renew(t, device, certificate, now))
    }

    fn authenticate(
        &self,
        serial: &CertificateSerial,
    ) -> Result<Option<Authenticated>, StoreError> {
        self.read(|c| devices::authenticate(c, serial))
    }

    fn newest_certificate(&self, device: &DeviceId) -> Result<Option<String>, StoreError> {
        self.read(|c| devices::newest_certificate(c, device))
    }

    fn put_api_key(&self, key: &ApiKey) -> Result<(), StoreError> {
        self.write(|t| organisations::put_api_key(t, key))
    }

    fn api_key(&self, id: &ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        self.read(|c| organisations::api_key(c, id))
    }

    fn api_keys(&self, organisation: &OrganisationId) -> Result<Vec<ApiKey>, StoreError> {
        self.read(|c| organisations::api_keys(c, organisation))
    }

    fn revoke_api_key(&self, id: &ApiKeyId, now: WallTime) -> Result<Change, StoreError> {
        self.write(|t| organisations::revoke_api_key(t, id, now))
    }

    fn device_meetings(
        &self,
        device: &DeviceId,
        from: WallTime,
        until: WallTime,
        now: WallTime,
    ) -> Result<DeviceMeetings, StoreError> {
        let window = doors::Window { from, until, now };
        match self.read(|c| doors::meetings(c, device, window))? {
            rosters::Read::Here(meetings) => Ok(meetings),
            rosters::Read::NotYetMade => self.write(|t| doors::tell_meetings(t, device, window)),
        }
    }

    fn device_roster(
        &self,
        device: &DeviceId,
        meeting: &MeetingId,
        unless: Option<u64>,
        _now: WallTime,
    ) -> Result<DeviceRosterAnswer, StoreError> {
        match self.read(|c| doors::roster(c, device, meeting, unless))? {
            rosters::Read::Here(answer) => Ok(answer),
            rosters::Read::NotYetMade => {
                self.write(|t| doors::tell_roster(t, device, meeting, unless))
            }
        }
    }

    fn position(&self, device: &DeviceId, epoch: &Epoch) -> Result<Position, StoreError> {
        self.read(|c| ingest::position(c, device, *epoch))
    }

    fn ingest(
        &self,
        device: &DeviceId,
        batch: &Batch,
        now: WallTime,
    ) -> Result<Ingested, StoreError> {
        self.batches.ingest(&self.writer, device, batch, now)
    }

    fn first_cursor(&self) -> Result<Cursor, StoreError> {
        self.read(records::first_cursor)
    }

    fn records(
        &self,
        organisation: &OrganisationId,
        after: Cursor,
        limit: u32,
    ) -> Result<RecordPage, StoreError> {
        self.read(|c| records::page(c, organisation, after, limit))
    }

    fn meeting_records(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
        after: Commit,
        limit: u32,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        self.read(|c| records::of_meeting(c, organisation, meeting, after, limit))
    }

    fn revision(
        &self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
        number: Option<u32>,
        now: WallTime,
    ) -> Result<Option<RevisionInputs>, StoreError> {
        match self.read(|c| revisions::read(c, organisation, meeting, number))? {
            rosters::Read::Here(inputs) => Ok(inputs),
            rosters::Read::NotYetMade => {
                self.write(|t| revisions::make(t, organisation, meeting, now))
            }
        }
    }

    fn heads(&self, device: &DeviceId) -> Result<Vec<KeptHead>, StoreError> {
        self.read(|c| ingest::heads(c, device))
    }

    fn notes(
        &self,
        organisation: &OrganisationId,
        after: NoteNumber,
        limit: u32,
    ) -> Result<Vec<Note>, StoreError> {
        self.read(|c| notes::after(c, organisation, after, limit))
    }

    fn put_offer(&self, offer: &Offer) -> Result<Change, StoreError> {
        self.write(|t| offers::put(t, offer))
    }

    fn offers(&self, organisation: &OrganisationId) -> Result<Vec<Offer>, StoreError> {
        self.read(|c| offers::all(c, organisation))
    }

    fn delete_offer(
        &self,
        organisation: &OrganisationId,
        id: &OfferId,
    ) -> Result<Change, StoreError> {
        self.write(|t| offers::delete(t, organisation, id))
    }

    fn offer_digests(&self) -> Result<Vec<Digest>, StoreError> {
        self.read(offers::digests)
    }

    fn put_webhook(&self, webhook: &Webhook, now: WallTime) -> Result<Change, StoreError> {
        self.write(|t| {
            let incarnation = records::identity(t)?.incarnation;
            webhooks::put(t, webhook, incarnation, now)
        })
    }

    fn webhooks(&self, organisation: &OrganisationId) -> Result<Vec<KeptWebhook>, StoreError> {
        self.read(|c| webhooks::all(c, organisation))
    }

    fn delete_webhook(
        &self,
        organisation: &OrganisationId,
        id: &WebhookId,
    ) -> Result<Change, StoreError> {
        self.write(|t| webhooks::delete(t, organisation, id))
    }

    fn claim_webhooks(
        &self,
        now: WallTime,
        until: WallTime,
        limit: u32,
    ) -> Result<Vec<KeptWebhook>, StoreError> {
        // Asked every few seconds, and mostly there is nothing: then nothing is written.
        let is_due = self.read(|c| {
            let incarnation = records::identity(c)?.incarnation;
            webhooks::is_due(c, incarnation, now)
        })?;
        if !is_due {
            return Ok(Vec::new());
        }
        self.write(|t| {
            let incarnation = records::identity(t)?.incarnation;
            webhooks::claim(t, incarnation, now, until, limit)
        })
    }

    fn events(
        &self,
        organisation: &OrganisationId,
        after: u64,
        limit: u32,
    ) -> Result<(Vec<Event>, u64), StoreError> {
        self.read(|c| {
            // In this order: one that comes between the two is in the list, at least.
            let newest = events::newest(c)?.unsigned_abs();
            Ok((events::after(c, organisation, after, limit)?, newest))
        })
    }

    fn rolls_behind(
        &self,
        ended_after: WallTime,
        limit: u32,
    ) -> Result<Vec<(OrganisationId, MeetingId)>, StoreError> {
        self.read(|c| revisions::behind(c, ended_after, limit))
    }

    fn note_silent_devices(
        &self,
        reported_before: WallTime,
        now: WallTime,
        limit: u32,
    ) -> Result<u32, StoreError> {
        self.write(|t| events::note_silent(t, reported_before, now, limit))
    }

    fn put_delivery(
        &self,
        organisation: &OrganisationId,
        id: &WebhookId,
        delivery: &Delivery,
    ) -> Result<Change, StoreError> {
        self.write(|t| events::put_delivery(t, organisation, id, delivery))
    }

    fn deliveries(
        &self,
        organisation: &OrganisationId,
        id: &WebhookId,
    ) -> Result<Vec<Delivery>, StoreError> {
        self.read(|c| events::deliveries(c, organisation, id))
    }

    fn redeliver(
        &self,
        organisation: &OrganisationId,
        id: &WebhookId,
        told: Told,
    ) -> Result<Change, StoreError> {
        self.write(|t| events::again(t, organisation, id, told))
    }

    fn put_webhook_state(
        &self,
        organisation: &OrganisationId,
        id: &WebhookId,
        state: &WebhookState,
    ) -> Result<Change, StoreError> {
        self.write(|t| webhooks::put_state(t, organisation, id, state))
    }
}

/// Notes an event of a meeting when it changed anything.
fn note_meeting(
    c: &Connection,
    organisation: &OrganisationId,
    kind: EventKind,
    change: Change,
    meeting: &MeetingId,
    now: WallTime,
) -> Result<(), StoreError> {
    if change == Change::Same {
        return Ok(());
    }
    let generation = meetings::one(c, organisation, meeting)?.map_or(0, |found| found.generation);
    let organisation = organisations::number(c, organisation)?;
    events::note(c, organisation, kind, meeting.as_str(), generation, now)
}
