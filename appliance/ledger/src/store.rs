//! `local.db`: the rosters and references of a kiosk that stands alone. Written by the kiosk's
//! commands under a lock, one transaction for each change; read by the running kiosk.
//!
//! People are enrolled once, under the organisation's key. A roster carries copies of their
//! references under the meeting's own key, so that all of a meeting's can be destroyed by
//! destroying one key. Whether people are enrolled before the roster comes or after makes no
//! difference. No key and no template is ever written unsealed.

mod reader;
mod types;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use seal::{
    DataKey, KeyId, KeyStore, Scope, SealedTemplate, TemplateBinding, WrapBinding, open_template,
    seal_template, wrap,
};
use vocabulary::{
    DeviceId, Meeting, MeetingId, OrganisationId, PersonId, ReferenceId, Roster, WallTime,
};

use crate::database::{Lock, Opened, Purpose, empty_log, open_writer};
use crate::error::LedgerError;
use crate::shelf::{
    Shelf, check_generation, faces, insert_reference, insert_roster, read_key, read_reference_rows,
};
pub use reader::LocalReader;
pub use types::{
    Enrolled, Enrolment, EnrolmentSummary, Imported, Origin, QualityNumbers, References,
    RosterSummary, StoreError,
};

/// Most references of one person in one feature space. A handful covers glasses and light; more
/// only raises the chance that one of them resembles somebody else.
pub const REFERENCES_PER_PERSON_MAX: usize = 16;

/// Most meetings whose rosters a kiosk holds at once: years of one door's, if nobody clears up.
pub const MEETINGS_MAX: usize = 1000;

/// `local.db`: personal data and sealed references, so only its owner reads it and what is deleted
/// is overwritten. An empty meeting in `wrapped_key` stands for the organisation's enrolments.
const LOCAL: Purpose = Purpose {
    name: "a store of rosters and references",
    application_id: 0x4444_4c43,
    migrations: &["
        CREATE TABLE wrapped_key (
            organisation TEXT NOT NULL,
            meeting TEXT NOT NULL,
            key_id BLOB NOT NULL CHECK (length(key_id) = 16),
            wrapped BLOB NOT NULL,
            PRIMARY KEY (organisation, meeting)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE roster (
            meeting TEXT PRIMARY KEY,
            organisation TEXT NOT NULL,
            generation INTEGER NOT NULL CHECK (generation >= 0),
            digest BLOB NOT NULL CHECK (length(digest) = 32),
            bytes BLOB NOT NULL,
            imported_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE roster_face (
            meeting TEXT NOT NULL,
            person TEXT NOT NULL,
            PRIMARY KEY (meeting, person)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX roster_face_by_person ON roster_face (person);
        CREATE TABLE enrolment (
            organisation TEXT NOT NULL,
            person TEXT NOT NULL,
            reference TEXT NOT NULL,
            space TEXT NOT NULL,
            model BLOB NOT NULL CHECK (length(model) = 32),
            sealed BLOB NOT NULL,
            origin INTEGER NOT NULL,
            enrolled_ms INTEGER NOT NULL,
            face_width_px REAL NOT NULL,
            eye_distance_px REAL NOT NULL,
            sharpness REAL NOT NULL,
            exposure REAL NOT NULL,
            contrast REAL NOT NULL,
            yaw_degrees REAL NOT NULL,
            pitch_degrees REAL NOT NULL,
            roll_degrees REAL NOT NULL,
            PRIMARY KEY (organisation, person, reference, space, model)
        ) STRICT;
        CREATE TABLE meeting_reference (
            meeting TEXT NOT NULL,
            person TEXT NOT NULL,
            reference TEXT NOT NULL,
            space TEXT NOT NULL,
            model BLOB NOT NULL CHECK (length(model) = 32),
            sealed BLOB NOT NULL,
            PRIMARY KEY (meeting, person, reference, space, model)
        ) STRICT;
    "],
    mode: 0o600,
    secure_delete: true,
};

/// The store as the one process has it that may change it.
pub struct LocalStore {
    // Closed before the lock is given up: fields are dropped in this order.
    reader: LocalReader,
    _lock: Lock,
}

impl LocalStore {
    /// Opens the store of a device for writing; makes one where there is none.
    ///
    /// # Errors
    /// [`StoreError::Database`] says what is wrong with the file and what to do.
    pub fn open(
        path: &Path,
        device: &DeviceId,
        keys: Arc<dyn KeyStore>,
    ) -> Result<Self, StoreError> {
        let lock = Lock::take(path)?;
        let connection = open_writer(path, &LOCAL)?;
        Ok(Self {
            reader: LocalReader::over(Opened::writing(connection, path), device, keys),
            _lock: lock,
        })
    }

    /// What can be read from it.
    #[must_use]
    pub fn read(&self) -> &LocalReader {
        &self.reader
    }

    /// Keeps a reference of a person, and copies it to every roster of the organisation that
    /// calls the person by face. Enrolling the same reference again replaces it.
    ///
    /// # Errors
    /// [`StoreError::TooManyReferences`]; [`StoreError::Seal`] when the organisation's or a
    /// meeting's key does not open; [`StoreError::Database`]. Nothing is kept then.
    pub fn enrol(&mut self, enrolment: &Enrolment<'_>) -> Result<Enrolled, StoreError> {
        let (transaction, access) = self.begin()?;
        let meetings = access.enrol(&transaction, enrolment)?;
        let sqlite = |error| LedgerError::sqlite(access.path, error);
        transaction.commit().map_err(sqlite)?;
        Ok(Enrolled { meetings })
    }

    /// Puts references in the place of all that their people have, in one transaction: either all
    /// of them are kept and the earlier ones are gone, or nothing has changed.
    ///
    /// # Errors
    /// As [`LocalStore::enrol`].
    pub fn replace_enrolment(
        &mut self,
        enrolments: &[Enrolment<'_>],
    ) -> Result<Enrolled, StoreError> {
        let (transaction, access) = self.begin()?;
        for enrolment in enrolments {
            access.remove_enrolment(&transaction, enrolment.organisation, enrolment.person)?;
        }
        let mut meetings = Vec::new();
        for enrolment in enrolments {
            meetings = access.enrol(&transaction, enrolment)?;
        }
        let sqlite = |error| LedgerError::sqlite(access.path, error);
        transaction.commit().map_err(sqlite)?;
        self.overwrite_log();
        Ok(Enrolled { meetings })
    }

    /// Takes over a roster, whole: the one before it, its copies of references and its key are
    /// gone in the same transaction. The same generation again is success; it changes something
    /// only where the meeting's key is gone or does not open, and then makes a new one.
    ///
    /// # Errors
    /// [`StoreError::Older`], [`StoreError::Conflict`], [`StoreError::OtherOrganisation`],
    /// [`StoreError::TooManyMeetings`]; [`StoreError::Seal`] when the key of the organisation's
    /// enrolments does not open; [`StoreError::Database`]. The roster before it stays then.
    pub fn put_roster(&mut self, roster: &Roster, at: WallTime) -> Result<Imported, StoreError> {
        let (transaction, access) = self.begin()?;
        let newer = check_generation(&transaction, access.path, roster)?;
        let changed = newer || !access.has_key(&transaction, roster.meeting())?;
        let mut unreadable = Vec::new();
        if changed {
            let scope = Scope {
                organisation: roster.meeting().organisation.clone(),
                meeting: Some(roster.meeting().id.clone()),
            };
            access.remove(&transaction, &roster.meeting().id, true)?;
            access.insert_roster(&transaction, roster, at)?;
            let key = access.key_or_new(&transaction, &scope)?;
            unreadable = access.copy_enrolments(&transaction, &scope, &key)?;
        }
        let without_reference = access.without_reference(&transaction, roster)?;
        let sqlite = |error| LedgerError::sqlite(access.path, error);
        transaction.commit().map_err(sqlite)?;
        self.overwrite_log();
        Ok(Imported {
            changed,
            without_reference,
            unreadable,
        })
    }

    /// Removes a person's references, from the enrolments and from all rosters of the
    /// organisation. Answers how many there were, copies not counted.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn remove_enrolment(
        &mut self,
        organisation: &OrganisationId,
        person: &PersonId,
    ) -> Result<usize, StoreError> {
        let (transaction, access) = self.begin()?;
        let removed = access.remove_enrolment(&transaction, organisation, person)?;
        let sqlite = |error| LedgerError::sqlite(access.path, error);
        transaction.commit().map_err(sqlite)?;
        self.overwrite_log();
        Ok(removed)
    }

    /// Destroys the key of an organisation's enrolments and all of them; copies on rosters stay.
    /// The way out when the device's key is another than the one they were sealed for.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn forget_enrolments(&mut self, organisation: &OrganisationId) -> Result<(), StoreError> {
        let (transaction, access) = self.begin()?;
        let sqlite = |error| LedgerError::sqlite(access.path, error);
        for statement in [
            "DELETE FROM wrapped_key WHERE organisation = ?1 AND meeting = ''",
            "DELETE FROM enrolment WHERE organisation = ?1",
        ] {
            transaction
                .execute(statement, [organisation.as_str()])
                .map_err(sqlite)?;
        }
        transaction.commit().map_err(sqlite)?;
        self.overwrite_log();
        Ok(())
    }

    /// Destroys a meeting's key and its copies of references; the roster stays, so that the roll
    /// still has names. For when the meeting is over.
    ///
    /// # Errors
    /// [`StoreError::UnknownMeeting`], [`StoreError::Database`].
    pub fn forget_references(&mut self, meeting: &MeetingId) -> Result<(), StoreError> {
        self.remove_of_meeting(meeting, false)
    }

    /// Removes a meeting: its key, its copies of references and its roster.
    ///
    /// # Errors
    /// [`StoreError::UnknownMeeting`], [`StoreError::Database`].
    pub fn remove_meeting(&mut self, meeting: &MeetingId) -> Result<(), StoreError> {
        self.remove_of_meeting(meeting, true)
    }

    fn remove_of_meeting(&mut self, meeting: &MeetingId, whole: bool) -> Result<(), StoreError> {
        let (transaction, access) = self.begin()?;
        if !access.knows(&transaction, meeting)? {
            return Err(StoreError::UnknownMeeting(meeting.clone()));
        }
        access.remove(&transaction, meeting, whole)?;
        let sqlite = |error| LedgerError::sqlite(access.path, error);
        transaction.commit().map_err(sqlite)?;
        self.overwrite_log();
        Ok(())
    }

    /// Takes what was deleted out of the write-ahead log as well. Where a reader stands in the
    /// way, the next opening does it.
    fn overwrite_log(&self) {
        let file = &self.reader.shelf.file;
        let _ = empty_log(&file.connection, file.path());
    }

    fn begin(&mut self) -> Result<(Transaction<'_>, Access<'_>), StoreError> {
        let Shelf { file, device, keys } = &mut self.reader.shelf;
        let (transaction, path) = file.begin()?;
        let access = Access {
            path,
            device,
            keys: &**keys,
        };
        Ok((transaction, access))
    }
}

/// All that a change needs besides its transaction.
struct Access<'a> {
    path: &'a Path,
    device: &'a DeviceId,
    keys: &'a dyn KeyStore,
}

impl Access<'_> {
    /// The key of a scope; a new one, wrapped for this device, where there is none.
    fn key_or_new(&self, connection: &Connection, scope: &Scope) -> Result<DataKey, StoreError> {
        if let Some(key) = read_key(connection, self.path, self.device, self.keys, scope)? {
            return Ok(key);
        }
        let key = DataKey::generate()?;
        let binding = WrapBinding {
            device: self.device.clone(),
            key: KeyId::generate()?,
            scope: scope.clone(),
        };
        let wrapped = wrap(&key, &binding, self.keys.public_key())?;
        let meeting = scope.meeting.as_ref().map_or("", MeetingId::as_str);
        connection
            .execute(
                "INSERT INTO wrapped_key (organisation, meeting, key_id, wrapped)
                 VALUES (?1, ?2, ?3, ?4)",
                params![
                    scope.organisation.as_str(),
                    meeting,
                    binding.key.0,
                    wrapped.as_bytes()
                ],
            )
            .map_err(|error| LedgerError::sqlite(self.path, error))?;
        Ok(key)
    }

    /// Keeps a reference and copies it to the rosters that its person is on, whose meetings it
    /// answers.
    fn enrol(
        &self,
        connection: &Connection,
        enrolment: &Enrolment<'_>,
    ) -> Result<Vec<MeetingId>, StoreError> {
        let scope = Scope {
            organisation: enrolment.organisation.clone(),
            meeting: None,
        };
        let key = self.key_or_new(connection, &scope)?;
        self.check_room(connection, enrolment)?;
        let binding = TemplateBinding {
            scope: &scope,
            person: enrolment.person,
            reference: enrolment.reference,
            space: enrolment.template.space(),
        };
        let sealed = seal_template(&key, &binding, enrolment.template)?;
        insert_enrolment(connection, enrolment, &sealed)
            .map_err(|error| LedgerError::sqlite(self.path, error))?;
        let meetings = self.meetings_of(connection, enrolment)?;
        for meeting in &meetings {
            self.copy_to(connection, meeting, enrolment)?;
        }
        Ok(meetings)
    }

    /// Removes a person's references, here and on the rosters; answers how many there were here.
    fn remove_enrolment(
        &self,
        connection: &Connection,
        organisation: &OrganisationId,
        person: &PersonId,
    ) -> Result<usize, StoreError> {
        let sqlite = |error| LedgerError::sqlite(self.path, error);
        let whose = params![organisation.as_str(), person.as_str()];
        let removed = connection
            .execute(
                "DELETE FROM enrolment WHERE organisation = ?1 AND person = ?2",
                whose,
            )
            .map_err(sqlite)?;
        connection
            .execute(
                "DELETE FROM meeting_reference WHERE person = ?2
                 AND meeting IN (SELECT meeting FROM roster WHERE organisation = ?1)",
                whose,
            )
            .map_err(sqlite)?;
        Ok(removed)
    }

    /// Refuses one reference more than a person may have; replacing one is no more.
    fn check_room(
        &self,
        connection: &Connection,
        enrolment: &Enrolment<'_>,
    ) -> Result<(), StoreError> {
        let space = enrolment.template.space();
        let others: u32 = connection
            .query_row(
                "SELECT count(*) FROM enrolment WHERE organisation = ?1 AND person = ?2
                 AND space = ?3 AND model = ?4 AND reference <> ?5",
                params![
                    enrolment.organisation.as_str(),
                    enrolment.person.as_str(),
                    space.name(),
                    space.digest().0,
                    enrolment.reference.as_str()
                ],
                |row| row.get(0),
            )
            .map_err(|error| LedgerError::sqlite(self.path, error))?;
        if others as usize >= REFERENCES_PER_PERSON_MAX {
            return Err(StoreError::TooManyReferences {
                person: enrolment.person.clone(),
                allowed: REFERENCES_PER_PERSON_MAX,
            });
        }
        Ok(())
    }

    /// The meetings that call a person by face and whose key is not destroyed.
    fn meetings_of(
        &self,
        connection: &Connection,
        enrolment: &Enrolment<'_>,
    ) -> Result<Vec<MeetingId>, StoreError> {
        let sqlite = |error| LedgerError::sqlite(self.path, error);
        let mut statement = connection
            .prepare_cached(
                "SELECT r.meeting FROM roster_face f
                 JOIN roster r ON r.meeting = f.meeting
                 JOIN wrapped_key k ON k.meeting = r.meeting AND k.organisation = r.organisation
                 WHERE f.person = ?2 AND r.organisation = ?1 ORDER BY r.meeting",
            )
            .map_err(sqlite)?;
        let rows = statement
            .query_map(
                params![enrolment.organisation.as_str(), enrolment.person.as_str()],
                |row| row.get::<_, String>(0),
            )
            .map_err(sqlite)?;
        let mut meetings = Vec::new();
        for row in rows {
            let meeting = MeetingId::new(&row.map_err(sqlite)?);
            meetings.push(meeting.map_err(|source| LedgerError::corrupt(self.path, source))?);
        }
        Ok(meetings)
    }

    fn copy_to(
        &self,
        connection: &Connection,
        meeting: &MeetingId,
        enrolment: &Enrolment<'_>,
    ) -> Result<(), StoreError> {
        let scope = Scope {
            organisation: enrolment.organisation.clone(),
            meeting: Some(meeting.clone()),
        };
        let key = self.key_or_new(connection, &scope)?;
        let binding = TemplateBinding {
            scope: &scope,
            person: enrolment.person,
            reference: enrolment.reference,
            space: enrolment.template.space(),
        };
        let sealed = seal_template(&key, &binding, enrolment.template)?;
        insert_reference(connection, &binding, &sealed)
            .map_err(|error| LedgerError::sqlite(self.path, error))?;
        Ok(())
    }

    /// Whether the meeting's key is there and opens on this device.
    fn has_key(&self, connection: &Connection, meeting: &Meeting) -> Result<bool, StoreError> {
        let scope = Scope {
            organisation: meeting.organisation.clone(),
            meeting: Some(meeting.id.clone()),
        };
        match read_key(connection, self.path, self.device, self.keys, &scope) {
            Ok(key) => Ok(key.is_some()),
            Err(StoreError::Seal(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn insert_roster(
        &self,
        connection: &Connection,
        roster: &Roster,
        at: WallTime,
    ) -> Result<(), StoreError> {
        insert_roster(connection, self.path, roster, at)?;
        let sqlite = |error| LedgerError::sqlite(self.path, error);
        let mut statement = connection
            .prepare_cached("INSERT INTO roster_face (meeting, person) VALUES (?1, ?2)")
            .map_err(sqlite)?;
        for person in faces(roster) {
            statement
                .execute([roster.meeting().id.as_str(), person.as_str()])
                .map_err(sqlite)?;
        }
        Ok(())
    }

    /// Copies the references of all who are called by face under the meeting's key; answers which
    /// did not open.
    fn copy_enrolments(
        &self,
        connection: &Connection,
        scope: &Scope,
        key: &DataKey,
    ) -> Result<Vec<(PersonId, ReferenceId)>, StoreError> {
        let of_organisation = Scope {
            organisation: scope.organisation.clone(),
            meeting: None,
        };
        let opened = read_key(
            connection,
            self.path,
            self.device,
            self.keys,
            &of_organisation,
        )?;
        let Some(enrolled_key) = opened else {
            return Ok(Vec::new());
        };
        let meeting = scope.meeting.as_ref().map_or("", MeetingId::as_str);
        let mut unreadable = Vec::new();
        read_reference_rows(
            connection,
            self.path,
            "SELECT e.person, e.reference, e.space, e.model, e.sealed FROM enrolment e
             JOIN roster_face f ON f.person = e.person AND f.meeting = ?2
             WHERE e.organisation = ?1 ORDER BY e.person, e.reference",
            params![scope.organisation.as_str(), meeting],
            |row| {
                let from = row.binding(&of_organisation);
                let Ok(template) = open_template(&enrolled_key, &from, &row.sealed) else {
                    unreadable.push((row.person, row.reference));
                    return Ok(());
                };
                let to = row.binding(scope);
                let sealed = seal_template(key, &to, &template)?;
                insert_reference(connection, &to, &sealed)
                    .map_err(|error| LedgerError::sqlite(self.path, error))?;
                Ok(())
            },
        )?;
        Ok(unreadable)
    }

    /// Who is to be called by face and has no reference to compare with.
    fn without_reference(
        &self,
        connection: &Connection,
        roster: &Roster,
    ) -> Result<Vec<PersonId>, StoreError> {
        let sqlite = |error| LedgerError::sqlite(self.path, error);
        let mut statement = connection
            .prepare_cached("SELECT DISTINCT person FROM meeting_reference WHERE meeting = ?1")
            .map_err(sqlite)?;
        let with: HashSet<String> = statement
            .query_map([roster.meeting().id.as_str()], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(sqlite)?;
        let without = faces(roster).filter(|person| !with.contains(person.as_str()));
        Ok(without.cloned().collect())
    }

    fn knows(&self, connection: &Connection, meeting: &MeetingId) -> Result<bool, StoreError> {
        let found = connection
            .query_row(
                "SELECT 1 FROM roster WHERE meeting = ?1",
                [meeting.as_str()],
                |_| Ok(()),
            )
            .optional()
            .map_err(|error| LedgerError::sqlite(self.path, error))?;
        Ok(found.is_some())
    }

    /// Deletes a meeting's key and copies, and its roster where `whole`.
    fn remove(
        &self,
        connection: &Connection,
        meeting: &MeetingId,
        whole: bool,
    ) -> Result<(), StoreError> {
        let sqlite = |error| LedgerError::sqlite(self.path, error);
        let sealed = [
            "DELETE FROM wrapped_key WHERE meeting = ?1",
            "DELETE FROM meeting_reference WHERE meeting = ?1",
        ];
        let listed = [
            "DELETE FROM roster_face WHERE meeting = ?1",
            "DELETE FROM roster WHERE meeting = ?1",
        ];
        for statement in sealed.iter().chain(listed.iter().filter(|_| whole)) {
            connection
                .execute(statement, [meeting.as_str()])
                .map_err(sqlite)?;
        }
        Ok(())
    }
}

fn insert_enrolment(
    connection: &Connection,
    enrolment: &Enrolment<'_>,
    sealed: &SealedTemplate,
) -> Result<(), rusqlite::Error> {
    let space = enrolment.template.space();
    let quality = &enrolment.quality;
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO enrolment (organisation, person, reference, space, model, sealed,
             origin, enrolled_ms, face_width_px, eye_distance_px, sharpness, exposure, contrast,
             yaw_degrees, pitch_degrees, roll_degrees)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    statement.execute(params![
        enrolment.organisation.as_str(),
        enrolment.person.as_str(),
        enrolment.reference.as_str(),
        space.name(),
        space.digest().0,
        sealed.as_bytes(),
        enrolment.origin.number(),
        enrolment.at.0,
        quality.face_width_px,
        quality.eye_distance_px,
        quality.sharpness,
        quality.exposure,
        quality.contrast,
        quality.yaw_degrees,
        quality.pitch_degrees,
        quality.roll_degrees,
    ])?;
    Ok(())
}
