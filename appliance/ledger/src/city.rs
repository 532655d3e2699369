//! `city.db`: what the city sent to this door, and how far the city has its records. Written by
//! the daemon under a lock, one transaction for each change; read by the running kiosk, which is
//! another account.
//!
//! Rosters come whole and by generation; none ever goes back, and one that was withdrawn leaves
//! its generation behind. References stay sealed and keys stay wrapped: whoever writes this file
//! cannot open either.

mod reader;
mod types;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use seal::{KeyId, Scope, TemplateBinding, WrappedKey};
use vocabulary::{Epoch, MeetingId, OrganisationId, Sequence, WallTime};

use crate::database::{Lock, Opened, Purpose, empty_log, open_writer};
use crate::error::{Damage, LedgerError};
use crate::shelf::{check_generation, faces, insert_reference, insert_roster};
use crate::store::{REFERENCES_PER_PERSON_MAX, StoreError};
pub use reader::CityReader;
pub use types::{
    CardHolder, CityCard, CityMeeting, CityReference, CityRoster, Held, Holding, Put,
    SubstituteRight, Watermark,
};

/// Most keys whose invitations one meeting accepts: those of some organisers, and their
/// predecessors'.
pub const INVITATION_KEYS_MAX: usize = 64;

/// Most substitutions of one meeting: everybody for somebody.
pub const SUBSTITUTES_MAX: usize = vocabulary::meeting::ROSTER_ENTRIES_MAX;

/// Most records that the city did not take and that are remembered one by one. More than some is no
/// matter of single records any more.
pub const SET_ASIDE_MAX: usize = 10_000;

/// How many withdrawn meetings are remembered: years of one door's. The oldest are forgotten; the
/// city does not send a meeting again that it withdrew so long ago.
pub const WITHDRAWN_MAX: usize = 10_000;

/// `city.db`: names, and references that the daemon cannot open. The kiosk's account reads it by
/// the group that both share. What is deleted is overwritten.
const CITY: Purpose = Purpose {
    name: "a store of what the city sent",
    application_id: 0x4444_4354,
    migrations: &[
        "
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
        CREATE TABLE roster_key (
            meeting TEXT PRIMARY KEY,
            key_id BLOB NOT NULL CHECK (length(key_id) = 16)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE meeting_reference (
            meeting TEXT NOT NULL,
            person TEXT NOT NULL,
            reference TEXT NOT NULL,
            space TEXT NOT NULL,
            model BLOB NOT NULL CHECK (length(model) = 32),
            sealed BLOB NOT NULL,
            PRIMARY KEY (meeting, person, reference, space, model)
        ) STRICT;
        CREATE TABLE invitation_key (
            meeting TEXT NOT NULL,
            key BLOB NOT NULL CHECK (length(key) = 32),
            PRIMARY KEY (meeting, key)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE substitute (
            meeting TEXT NOT NULL,
            person TEXT NOT NULL,
            instead_of TEXT NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (meeting, person, instead_of)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE closed (
            meeting TEXT PRIMARY KEY,
            generation INTEGER NOT NULL CHECK (generation >= 0)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE withdrawn (
            number INTEGER PRIMARY KEY,
            meeting TEXT NOT NULL UNIQUE,
            generation INTEGER NOT NULL CHECK (generation >= 0)
        ) STRICT;
        CREATE TABLE watermark (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            store BLOB NOT NULL CHECK (length(store) = 16),
            incarnation BLOB NOT NULL CHECK (length(incarnation) = 16),
            epoch BLOB NOT NULL CHECK (length(epoch) = 16),
            through INTEGER NOT NULL CHECK (through >= 0)
        ) STRICT;
        CREATE TABLE set_aside (
            epoch BLOB NOT NULL CHECK (length(epoch) = 16),
            sequence INTEGER NOT NULL CHECK (sequence > 0),
            PRIMARY KEY (epoch, sequence)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE contact (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            last_ms INTEGER NOT NULL
        ) STRICT;
    ",
        "
        CREATE TABLE citizen_card (
            meeting TEXT NOT NULL,
            person TEXT NOT NULL,
            hash BLOB NOT NULL CHECK (length(hash) = 32),
            PRIMARY KEY (meeting, person)
        ) STRICT, WITHOUT ROWID;
    ",
    ],
    mode: 0o640,
    secure_delete: true,
};

/// The store as the one process has it that may change it.
pub struct CityStore {
    // Closed before the lock is given up: fields are dropped in this order.
    file: Opened,
    _lock: Lock,
}

impl CityStore {
    /// Opens the store for writing; makes one where there is none.
    ///
    /// # Errors
    /// [`StoreError::Database`] says what is wrong with the file and what to do.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = Lock::take(path)?;
        let connection = open_writer(path, &CITY)?;
        Ok(Self {
            file: Opened::writing(connection, path),
            _lock: lock,
        })
    }

    /// Takes over a roster with all that belongs to it, whole: what was there before is gone in
    /// the same transaction. The key that was wrapped for this device stays if it is the one that
    /// the new references are sealed with. Of a closed meeting the roster is kept and no reference.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another roster has this generation;
    /// [`StoreError::OtherOrganisation`]; [`StoreError::TooManyMeetings`];
    /// [`StoreError::NotByFace`], [`StoreError::TooManyReferences`], [`StoreError::TooMuch`],
    /// [`StoreError::CardOfNobody`] when it is not one that a city may send;
    /// [`StoreError::Database`]. Nothing was changed then.
    pub fn put_roster(&mut self, sent: &CityRoster, now: WallTime) -> Result<Put, StoreError> {
        check(sent)?;
        let (transaction, path) = self.file.begin()?;
        let sqlite = |error| LedgerError::sqlite(path, error);
        let meeting = &sent.roster.meeting().id;
        if withdrawn_at(&transaction, path, meeting)?
            .is_some_and(|generation| sent.roster.generation() <= generation)
        {
            return Ok(Put::Older);
        }
        match check_generation(&transaction, path, &sent.roster) {
            Ok(true) => {}
            Ok(false) => {
                if read_roster_key(&transaction, meeting).map_err(sqlite)? == Some(sent.key.0) {
                    return Ok(Put::Same);
                }
            }
            Err(StoreError::Older { .. }) => return Ok(Put::Older),
            Err(error) => return Err(error),
        }
        remove_sent(&transaction, meeting).map_err(sqlite)?;
        transaction
            .execute(
                "DELETE FROM wrapped_key
                 WHERE meeting = ?1 AND (key_id <> ?2 OR organisation <> ?3)",
                params![
                    meeting.as_str(),
                    sent.key.0,
                    sent.roster.meeting().organisation.as_str()
                ],
            )
            .map_err(sqlite)?;
        transaction
            .execute(
                "DELETE FROM withdrawn WHERE meeting = ?1",
                [meeting.as_str()],
            )
            .map_err(sqlite)?;
        insert_roster(&transaction, path, &sent.roster, now)?;
        let closed = is_closed(&transaction, meeting).map_err(sqlite)?;
        insert_rest(&transaction, sent, closed).map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
        self.overwrite_log();
        Ok(Put::Taken)
    }

    /// Keeps the key of a meeting, wrapped for this device, in the place of the one before it. The
    /// roster may come before it or after. No key is kept of a closed or withdrawn meeting. Answers
    /// whether anything changed.
    ///
    /// # Errors
    /// [`StoreError::TooManyMeetings`], [`StoreError::Database`].
    pub fn put_key(
        &mut self,
        organisation: &OrganisationId,
        meeting: &MeetingId,
        key: KeyId,
        wrapped: &WrappedKey,
    ) -> Result<bool, StoreError> {
        let (transaction, path) = self.file.begin()?;
        let sqlite = |error| LedgerError::sqlite(path, error);
        let known = has_roster(&transaction, meeting).map_err(sqlite)?;
        let withdrawn = !known && withdrawn_at(&transaction, path, meeting)?.is_some();
        if withdrawn || is_closed(&transaction, meeting).map_err(sqlite)? {
            return Ok(false);
        }
        let keys: u32 = transaction
            .query_row("SELECT count(*) FROM wrapped_key", [], |row| row.get(0))
            .map_err(sqlite)?;
        let of_this = "SELECT 1 FROM wrapped_key WHERE organisation = ?1 AND meeting = ?2";
        let replaces = transaction
            .query_row(of_this, [organisation.as_str(), meeting.as_str()], |_| {
                Ok(())
            })
            .optional()
            .map_err(sqlite)?
            .is_some();
        if !replaces && keys as usize >= crate::store::MEETINGS_MAX {
            return Err(StoreError::TooManyMeetings(crate::store::MEETINGS_MAX));
        }
        let changed = transaction
            .execute(
                "INSERT INTO wrapped_key (organisation, meeting, key_id, wrapped)
                 VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (organisation, meeting)
                 DO UPDATE SET key_id = excluded.key_id, wrapped = excluded.wrapped
                 WHERE key_id <> excluded.key_id OR wrapped <> excluded.wrapped",
                params![
                    organisation.as_str(),
                    meeting.as_str(),
                    key.0,
                    wrapped.as_bytes()
                ],
            )
            .map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
        if changed > 0 {
            self.overwrite_log();
        }
        Ok(changed > 0)
    }

    /// Forgets a meeting: its roster, its references, its key. The generation stays, so that an
    /// earlier roster that comes late is refused. Where a later roster is here, nothing changes.
    ///
    /// # Errors
    /// [`StoreError::Generation`], [`StoreError::Database`].
    pub fn withdraw(&mut self, meeting: &MeetingId, generation: u64) -> Result<Put, StoreError> {
        let number = i64::try_from(generation).map_err(|_| StoreError::Generation(generation))?;
        let (transaction, path) = self.file.begin()?;
        let sqlite = |error| LedgerError::sqlite(path, error);
        let stored: Option<i64> = transaction
            .query_row(
                "SELECT generation FROM roster WHERE meeting = ?1",
                [meeting.as_str()],
                |row| row.get(0),
            )
            .optional()
            .map_err(sqlite)?;
        let before = withdrawn_at(&transaction, path, meeting)?;
        if stored.is_some_and(|stored| stored > number) {
            return Ok(Put::Older);
        }
        if stored.is_none() && before.is_some_and(|before| before >= generation) {
            return Ok(Put::Same);
        }
        remove_sent(&transaction, meeting).map_err(sqlite)?;
        remember_withdrawal(&transaction, meeting, number).map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
        self.overwrite_log();
        Ok(Put::Taken)
    }

    /// Destroys a meeting's key and its references, for good: none that comes later is kept. The
    /// roster stays, so that the roll still has names. Closing it again is a success. Where the
    /// meeting was withdrawn later, nothing changes.
    ///
    /// # Errors
    /// [`StoreError::Generation`], [`StoreError::Database`].
    pub fn close(&mut self, meeting: &MeetingId, generation: u64) -> Result<Put, StoreError> {
        let number = i64::try_from(generation).map_err(|_| StoreError::Generation(generation))?;
        let (transaction, path) = self.file.begin()?;
        let sqlite = |error| LedgerError::sqlite(path, error);
        if withdrawn_at(&transaction, path, meeting)?.is_some_and(|at| at >= generation) {
            return Ok(Put::Older);
        }
        for statement in [
            "DELETE FROM wrapped_key WHERE meeting = ?1",
            "DELETE FROM meeting_reference WHERE meeting = ?1",
            "DELETE FROM citizen_card WHERE meeting = ?1",
        ] {
            transaction
                .execute(statement, [meeting.as_str()])
                .map_err(sqlite)?;
        }
        let changed = transaction
            .execute(
                "INSERT INTO closed (meeting, generation) VALUES (?1, ?2)
                 ON CONFLICT (meeting) DO UPDATE SET generation = excluded.generation
                 WHERE generation < excluded.generation",
                params![meeting.as_str(), number],
            )
            .map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
        self.overwrite_log();
        Ok(if changed > 0 { Put::Taken } else { Put::Same })
    }

    /// What is here of every meeting that the city told of, in order of the meetings' ids.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn held(&self) -> Result<Vec<Held>, StoreError> {
        let path = self.file.path();
        let sqlite = |error| LedgerError::sqlite(path, error);
        let mut statement = self
            .file
            .connection
            .prepare_cached(
                "SELECT m.meeting, max(m.generation), max(m.holding), k.key_id
                 FROM (SELECT meeting, generation, 0 AS holding FROM roster
                       UNION ALL SELECT meeting, generation, 1 FROM closed
                       UNION ALL SELECT meeting, generation, 2 FROM withdrawn) m
                 LEFT JOIN wrapped_key k ON k.meeting = m.meeting
                 GROUP BY m.meeting ORDER BY m.meeting",
            )
            .map_err(sqlite)?;
        let mut rows = statement.query([]).map_err(sqlite)?;
        let mut held = Vec::new();
        while let Some(row) = rows.next().map_err(sqlite)? {
            let generation: i64 = row.get(1).map_err(sqlite)?;
            let holding = match row.get(2).map_err(sqlite)? {
                0 => Holding::Roster,
                1 => Holding::Closed,
                _ => Holding::Withdrawn,
            };
            held.push(Held {
                meeting: MeetingId::new(&row.get::<_, String>(0).map_err(sqlite)?)
                    .map_err(|source| LedgerError::corrupt(path, source))?,
                generation: u64::try_from(generation).unwrap_or(0),
                holding,
                key: row.get::<_, Option<_>>(3).map_err(sqlite)?.map(KeyId),
            });
        }
        Ok(held)
    }

    /// Remembers a record that the city did not take, although it takes others; or, once it was
    /// taken after all, forgets it.
    ///
    /// # Errors
    /// [`StoreError::TooManySetAside`], [`StoreError::Database`].
    pub fn set_aside(
        &mut self,
        epoch: Epoch,
        sequence: Sequence,
        is_so: bool,
    ) -> Result<(), StoreError> {
        let number = i64::try_from(sequence.0).unwrap_or(i64::MAX);
        let row = params![epoch.0, number];
        if !is_so {
            return self.set(
                "DELETE FROM set_aside WHERE epoch = ?1 AND sequence = ?2",
                row,
            );
        }
        if self.all_set_aside()?.len() >= SET_ASIDE_MAX {
            return Err(StoreError::TooManySetAside(SET_ASIDE_MAX));
        }
        self.set(
            "INSERT OR IGNORE INTO set_aside (epoch, sequence) VALUES (?1, ?2)",
            row,
        )
    }

    /// The records that the city did not take.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn all_set_aside(&self) -> Result<Vec<(Epoch, Sequence)>, StoreError> {
        let sqlite = |error| LedgerError::sqlite(self.file.path(), error);
        let mut statement = self
            .file
            .connection
            .prepare_cached("SELECT epoch, sequence FROM set_aside ORDER BY epoch, sequence")
            .map_err(sqlite)?;
        let rows = statement
            .query_map([], |row| {
                let number: i64 = row.get(1)?;
                let number = u64::try_from(number).unwrap_or(0);
                Ok((Epoch(row.get(0)?), Sequence(number)))
            })
            .and_then(Iterator::collect)
            .map_err(sqlite)?;
        Ok(rows)
    }

    /// How far the city has this device's records, as it last said; none before it ever did.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn watermark(&self) -> Result<Option<Watermark>, StoreError> {
        read_watermark(&self.file)
    }

    /// Keeps how far the city has this device's records.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn set_watermark(&mut self, watermark: &Watermark) -> Result<(), StoreError> {
        let through = i64::try_from(watermark.through.0).unwrap_or(i64::MAX);
        self.set(
            "INSERT OR REPLACE INTO watermark (id, store, incarnation, epoch, through)
             VALUES (1, ?1, ?2, ?3, ?4)",
            params![
                watermark.store,
                watermark.incarnation,
                watermark.epoch.0,
                through
            ],
        )
    }

    /// When the city last answered, by this device's clock.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn last_contact(&self) -> Result<Option<WallTime>, StoreError> {
        read_contact(&self.file)
    }

    /// Keeps when the city last answered.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn set_last_contact(&mut self, at: WallTime) -> Result<(), StoreError> {
        self.set(
            "INSERT OR REPLACE INTO contact (id, last_ms) VALUES (1, ?1)",
            params![at.0],
        )
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    fn set(&mut self, statement: &str, values: impl rusqlite::Params) -> Result<(), StoreError> {
        // A statement outside a transaction is one of its own: it returns when it is committed.
        self.file
            .connection
            .execute(statement, values)
            .map_err(|error| LedgerError::sqlite(self.file.path(), error))?;
        Ok(())
    }

    /// Takes what was deleted out of the write-ahead log as well. Where a reader stands in the
    /// way, the next opening does it.
    fn overwrite_log(&self) {
        let _ = empty_log(&self.file.connection, self.file.path());
    }
}

/// Refuses what no city that keeps to the rules sends: references of people who are not called by
/// face, and more of anything than a meeting can need.
fn check(sent: &CityRoster) -> Result<(), StoreError> {
    let meeting = &sent.roster.meeting().id;
    let limits = [
        (
            "invitation keys",
            sent.invitation_keys.len(),
            INVITATION_KEYS_MAX,
        ),
        ("substitutions", sent.substitutes.len(), SUBSTITUTES_MAX),
    ];
    for (what, found, allowed) in limits {
        if found > allowed {
            return Err(StoreError::TooMuch {
                meeting: meeting.clone(),
                what,
                found,
                allowed,
            });
        }
    }
    let by_face: HashSet<_> = faces(&sent.roster).collect();
    let mut counts = HashMap::new();
    for CityReference { person, space, .. } in &sent.references {
        if !by_face.contains(person) {
            return Err(StoreError::NotByFace {
                meeting: meeting.clone(),
                person: person.clone(),
            });
        }
        let count = counts.entry((person, space)).or_insert(0_usize);
        *count += 1;
        if *count > REFERENCES_PER_PERSON_MAX {
            return Err(StoreError::TooManyReferences {
                person: person.clone(),
                allowed: REFERENCES_PER_PERSON_MAX,
            });
        }
    }
    let entries = sent.roster.entries().iter();
    let people: HashSet<_> = entries.map(|entry| &entry.delegate.person).collect();
    let mut holders = HashSet::new();
    for CityCard { person, .. } in &sent.citizen_cards {
        if !people.contains(person) || !holders.insert(person) {
            return Err(StoreError::CardOfNobody {
                meeting: meeting.clone(),
                person: person.clone(),
            });
        }
    }
    let label = vocabulary::meeting::LABEL_BYTES_MAX;
    for SubstituteRight { document, .. } in &sent.substitutes {
        if document.len() > label {
            return Err(StoreError::TooMuch {
                meeting: meeting.clone(),
                what: "bytes of a substitution's document",
                found: document.len(),
                allowed: label,
            });
        }
    }
    Ok(())
}

/// Writes down what belongs to a roster besides its people.
fn insert_rest(
    transaction: &Transaction<'_>,
    sent: &CityRoster,
    closed: bool,
) -> Result<(), rusqlite::Error> {
    let of = &sent.roster.meeting().id;
    transaction.execute(
        "INSERT INTO roster_key (meeting, key_id) VALUES (?1, ?2)",
        params![of.as_str(), sent.key.0],
    )?;
    let scope = Scope {
        organisation: sent.roster.meeting().organisation.clone(),
        meeting: Some(of.clone()),
    };
    for reference in sent.references.iter().filter(|_| !closed) {
        let binding = TemplateBinding {
            scope: &scope,
            person: &reference.person,
            reference: &reference.reference,
            space: &reference.space,
        };
        insert_reference(transaction, &binding, &reference.sealed)?;
    }
    let mut statement = transaction
        .prepare_cached("INSERT OR IGNORE INTO invitation_key (meeting, key) VALUES (?1, ?2)")?;
    for key in &sent.invitation_keys {
        statement.execute(params![of.as_str(), key])?;
    }
    let mut statement = transaction.prepare_cached(
        "INSERT OR REPLACE INTO substitute (meeting, person, instead_of, document)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for right in &sent.substitutes {
        statement.execute(params![
            of.as_str(),
            right.person.as_str(),
            right.instead_of.as_str(),
            right.document
        ])?;
    }
    let mut statement = transaction
        .prepare_cached("INSERT INTO citizen_card (meeting, person, hash) VALUES (?1, ?2, ?3)")?;
    for card in sent.citizen_cards.iter().filter(|_| !closed) {
        statement.execute(params![of.as_str(), card.person.as_str(), card.hash.0])?;
    }
    Ok(())
}

/// Deletes a roster and what came with it; its key stays.
fn remove_sent(connection: &Connection, meeting: &MeetingId) -> Result<(), rusqlite::Error> {
    for statement in [
        "DELETE FROM roster WHERE meeting = ?1",
        "DELETE FROM roster_key WHERE meeting = ?1",
        "DELETE FROM meeting_reference WHERE meeting = ?1",
        "DELETE FROM invitation_key WHERE meeting = ?1",
        "DELETE FROM substitute WHERE meeting = ?1",
        "DELETE FROM citizen_card WHERE meeting = ?1",
    ] {
        connection.execute(statement, [meeting.as_str()])?;
    }
    Ok(())
}

/// Notes the generation of a withdrawal, destroys the key, and lets the oldest notes go.
fn remember_withdrawal(
    connection: &Connection,
    meeting: &MeetingId,
    generation: i64,
) -> Result<(), rusqlite::Error> {
    connection.execute(
        "DELETE FROM wrapped_key WHERE meeting = ?1",
        [meeting.as_str()],
    )?;
    connection.execute("DELETE FROM closed WHERE meeting = ?1", [meeting.as_str()])?;
    connection.execute(
        "INSERT INTO withdrawn (meeting, generation) VALUES (?1, ?2)
         ON CONFLICT (meeting) DO UPDATE SET generation = max(generation, excluded.generation)",
        params![meeting.as_str(), generation],
    )?;
    let kept = i64::try_from(WITHDRAWN_MAX).unwrap_or(i64::MAX);
    connection.execute(
        "DELETE FROM withdrawn WHERE number IN
             (SELECT number FROM withdrawn ORDER BY number DESC LIMIT -1 OFFSET ?1)",
        [kept],
    )?;
    Ok(())
}

fn withdrawn_at(
    connection: &Connection,
    path: &Path,
    meeting: &MeetingId,
) -> Result<Option<u64>, StoreError> {
    let found: Option<i64> = connection
        .query_row(
            "SELECT generation FROM withdrawn WHERE meeting = ?1",
            [meeting.as_str()],
            |row| row.get(0),
        )
        .optional()
        .map_err(|error| LedgerError::sqlite(path, error))?;
    Ok(found.and_then(|generation| u64::try_from(generation).ok()))
}

fn has_roster(connection: &Connection, meeting: &MeetingId) -> Result<bool, rusqlite::Error> {
    exists(
        connection,
        "SELECT 1 FROM roster WHERE meeting = ?1",
        meeting,
    )
}

fn is_closed(connection: &Connection, meeting: &MeetingId) -> Result<bool, rusqlite::Error> {
    exists(
        connection,
        "SELECT 1 FROM closed WHERE meeting = ?1",
        meeting,
    )
}

fn exists(
    connection: &Connection,
    query: &str,
    meeting: &MeetingId,
) -> Result<bool, rusqlite::Error> {
    let found = connection.query_row(query, [meeting.as_str()], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// Which key the references of a roster are sealed with.
fn read_roster_key(
    connection: &Connection,
    meeting: &MeetingId,
) -> Result<Option<[u8; 16]>, rusqlite::Error> {
    connection
        .query_row(
            "SELECT key_id FROM roster_key WHERE meeting = ?1",
            [meeting.as_str()],
            |row| row.get(0),
        )
        .optional()
}

fn read_watermark(file: &Opened) -> Result<Option<Watermark>, StoreError> {
    let path = file.path();
    let row = file
        .connection
        .query_row(
            "SELECT store, incarnation, epoch, through FROM watermark WHERE id = 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, i64>(3)?)),
        )
        .optional()
        .map_err(|error| LedgerError::sqlite(path, error))?;
    file.check()?;
    let Some((store, incarnation, epoch, through)) = row else {
        return Ok(None);
    };
    let through = u64::try_from(through)
        .map_err(|_| LedgerError::corrupt(path, Damage::Field("the watermark")))?;
    Ok(Some(Watermark {
        store,
        incarnation,
        epoch: Epoch(epoch),
        through: Sequence(through),
    }))
}

fn read_contact(file: &Opened) -> Result<Option<WallTime>, StoreError> {
    let found = file
        .connection
        .query_row("SELECT last_ms FROM contact WHERE id = 1", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(|error| LedgerError::sqlite(file.path(), error))?;
    file.check()?;
    Ok(found.map(WallTime))
}
