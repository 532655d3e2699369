//! What `local.db` and `city.db` have alike: rosters, meetings' wrapped keys, and references sealed
//! under them. Reading takes no lock; what is written here is part of the caller's transaction.

use std::path::Path;
use std::sync::Arc;

use record::{decode_roster, encode_roster, roster_digest};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use seal::{
    DataKey, KeyId, KeyStore, Scope, SealedTemplate, TemplateBinding, WrapBinding, WrappedKey,
    open_template,
};
use vocabulary::{
    Attendance, DeviceId, Digest, FeatureSpace, MeetingId, OrganisationId, PersonId, ReferenceId,
    Roster, WallTime,
};

use crate::database::Opened;
use crate::error::{Damage, LedgerError};
use crate::store::{MEETINGS_MAX, References, RosterSummary, StoreError};

/// The tables that every store of rosters has. An empty meeting in `wrapped_key` stands for the
/// organisation's enrolments.
pub(crate) struct Shelf {
    pub(crate) file: Opened,
    pub(crate) device: DeviceId,
    pub(crate) keys: Arc<dyn KeyStore>,
}

impl Shelf {
    /// All rosters, the earliest meeting first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub(crate) fn rosters(&self) -> Result<Vec<RosterSummary>, StoreError> {
        let sqlite = |error| LedgerError::sqlite(self.file.path(), error);
        let mut statement = self
            .file
            .connection
            .prepare_cached(
                "SELECT r.bytes, r.digest, r.imported_ms,
                     (SELECT count(DISTINCT person) FROM meeting_reference m
                      WHERE m.meeting = r.meeting),
                     EXISTS (SELECT 1 FROM wrapped_key k
                      WHERE k.meeting = r.meeting AND k.organisation = r.organisation)
                 FROM roster r",
            )
            .map_err(sqlite)?;
        let mut rows = statement.query([]).map_err(sqlite)?;
        let mut summaries = Vec::new();
        while let Some(row) = rows.next().map_err(sqlite)? {
            let digest = Digest(row.get(1).map_err(sqlite)?);
            let roster = self.decode(&row.get::<_, Vec<u8>>(0).map_err(sqlite)?, digest)?;
            summaries.push(RosterSummary {
                meeting: roster.meeting().clone(),
                generation: roster.generation(),
                digest,
                imported_at: WallTime(row.get(2).map_err(sqlite)?),
                entries: roster.entries().len(),
                with_reference: row.get::<_, u32>(3).map_err(sqlite)? as usize,
                has_key: row.get(4).map_err(sqlite)?,
            });
        }
        summaries.sort_by(|a, b| {
            let key = |s: &RosterSummary| (s.meeting.starts_at, s.meeting.id.clone());
            key(a).cmp(&key(b))
        });
        self.file.check()?;
        Ok(summaries)
    }

    /// The roster of a meeting, where there is one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub(crate) fn roster(&self, meeting: &MeetingId) -> Result<Option<Roster>, StoreError> {
        let row: Option<(Vec<u8>, [u8; 32])> = self
            .file
            .connection
            .query_row(
                "SELECT bytes, digest FROM roster WHERE meeting = ?1",
                [meeting.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(|error| LedgerError::sqlite(self.file.path(), error))?;
        self.file.check()?;
        row.map(|(bytes, digest)| self.decode(&bytes, Digest(digest)))
            .transpose()
    }

    /// The references of a meeting in one feature space, opened. None where the meeting's key has
    /// been destroyed.
    ///
    /// # Errors
    /// [`StoreError::UnknownMeeting`]; [`StoreError::Seal`] when the meeting's key does not open
    /// on this device; [`StoreError::Database`].
    pub(crate) fn references(
        &self,
        meeting: &MeetingId,
        space: &FeatureSpace,
    ) -> Result<References, StoreError> {
        let sqlite = |error| LedgerError::sqlite(self.file.path(), error);
        // One read transaction: the roster must not be replaced between its key and its rows.
        let snapshot = self
            .file
            .connection
            .unchecked_transaction()
            .map_err(sqlite)?;
        let scope = read_scope(&snapshot, self.file.path(), meeting)?;
        let keys = self.keys.as_ref();
        let mut opened = References {
            references: Vec::new(),
            broken: Vec::new(),
        };
        let Some(key) = read_key(&snapshot, self.file.path(), &self.device, keys, &scope)? else {
            return Ok(opened);
        };
        read_reference_rows(
            &snapshot,
            self.file.path(),
            "SELECT person, reference, space, model, sealed FROM meeting_reference
             WHERE meeting = ?1 AND space = ?2 AND model = ?3 ORDER BY person, reference",
            params![meeting.as_str(), space.name(), space.digest().0],
            |row| {
                match open_template(&key, &row.binding(&scope), &row.sealed) {
                    Ok(template) => {
                        opened
                            .references
                            .push((row.person, row.reference, template));
                    }
                    Err(error) => opened.broken.push(error),
                }
                Ok(())
            },
        )?;
        self.file.check()?;
        Ok(opened)
    }

    /// A meeting's key and what it seals; none where it is not here.
    ///
    /// # Errors
    /// [`StoreError::UnknownMeeting`]; [`StoreError::Seal`] when it does not open on this device;
    /// [`StoreError::Database`].
    pub(crate) fn meeting_key(
        &self,
        meeting: &MeetingId,
    ) -> Result<Option<(Scope, DataKey)>, StoreError> {
        let (file, keys) = (&self.file, self.keys.as_ref());
        let scope = read_scope(&file.connection, file.path(), meeting)?;
        let key = read_key(&file.connection, file.path(), &self.device, keys, &scope)?;
        Ok(key.map(|key| (scope, key)))
    }

    fn decode(&self, bytes: &[u8], digest: Digest) -> Result<Roster, StoreError> {
        if record::digest(bytes) != digest {
            return Err(LedgerError::corrupt(self.file.path(), Damage::Field("a roster")).into());
        }
        let roster = decode_roster(bytes);
        Ok(roster.map_err(|source| LedgerError::corrupt(self.file.path(), source))?)
    }
}

/// A sealed reference and whose it is.
pub(crate) struct ReferenceRow {
    pub(crate) person: PersonId,
    pub(crate) reference: ReferenceId,
    pub(crate) space: FeatureSpace,
    pub(crate) sealed: SealedTemplate,
}

impl ReferenceRow {
    pub(crate) fn binding<'a>(&'a self, scope: &'a Scope) -> TemplateBinding<'a> {
        TemplateBinding {
            scope,
            person: &self.person,
            reference: &self.reference,
            space: &self.space,
        }
    }
}

/// Reads rows of person, reference, space, model and sealed template, one by one.
pub(crate) fn read_reference_rows(
    connection: &Connection,
    path: &Path,
    query: &str,
    parameters: impl Params,
    mut take: impl FnMut(ReferenceRow) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let sqlite = |error| LedgerError::sqlite(path, error);
    let mut statement = connection.prepare_cached(query).map_err(sqlite)?;
    let mut rows = statement.query(parameters).map_err(sqlite)?;
    while let Some(row) = rows.next().map_err(sqlite)? {
        let (person, reference, space) = read_whose(row, path)?;
        let sealed = SealedTemplate::from_bytes(row.get(4).map_err(sqlite)?);
        take(ReferenceRow {
            person,
            reference,
            space,
            sealed: sealed.map_err(|source| LedgerError::corrupt(path, source))?,
        })?;
    }
    Ok(())
}

/// What the key of a meeting seals whose roster is here.
fn read_scope(
    connection: &Connection,
    path: &Path,
    meeting: &MeetingId,
) -> Result<Scope, StoreError> {
    let organisation: String = connection
        .query_row(
            "SELECT organisation FROM roster WHERE meeting = ?1",
            [meeting.as_str()],
            |row| row.get(0),
        )
        .optional()
        .map_err(|error| LedgerError::sqlite(path, error))?
        .ok_or_else(|| StoreError::UnknownMeeting(meeting.clone()))?;
    let organisation =
        OrganisationId::new(&organisation).map_err(|source| LedgerError::corrupt(path, source))?;
    Ok(Scope {
        organisation,
        meeting: Some(meeting.clone()),
    })
}

/// Reads and unwraps the key of a scope, where there is one.
pub(crate) fn read_key(
    connection: &Connection,
    path: &Path,
    device: &DeviceId,
    keys: &dyn KeyStore,
    scope: &Scope,
) -> Result<Option<DataKey>, StoreError> {
    let meeting = scope.meeting.as_ref().map_or("", MeetingId::as_str);
    let row: Option<([u8; 16], Vec<u8>)> = connection
        .query_row(
            "SELECT key_id, wrapped FROM wrapped_key WHERE organisation = ?1 AND meeting = ?2",
            [scope.organisation.as_str(), meeting],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()
        .map_err(|error| LedgerError::sqlite(path, error))?;
    let Some((key_id, wrapped)) = row else {
        return Ok(None);
    };
    let wrapped =
        WrappedKey::from_bytes(&wrapped).map_err(|source| LedgerError::corrupt(path, source))?;
    let binding = WrapBinding {
        device: device.clone(),
        key: KeyId(key_id),
        scope: scope.clone(),
    };
    Ok(Some(keys.unwrap_key(&wrapped, &binding)?))
}

/// The first four columns of a row that has a reference.
pub(crate) fn read_whose(
    row: &Row<'_>,
    path: &Path,
) -> Result<(PersonId, ReferenceId, FeatureSpace), LedgerError> {
    let sqlite = |error| LedgerError::sqlite(path, error);
    let corrupt = |source| LedgerError::corrupt(path, source);
    let text = |column| row.get::<_, String>(column).map_err(sqlite);
    let person = PersonId::new(&text(0)?).map_err(corrupt)?;
    let reference = ReferenceId::new(&text(1)?).map_err(corrupt)?;
    let model = Digest(row.get(3).map_err(sqlite)?);
    Ok((person, reference, FeatureSpace::new(&text(2)?, model)))
}

/// Whether a roster is news. Generations only grow, and one generation is one roster.
///
/// # Errors
/// [`StoreError::Older`], [`StoreError::Conflict`], [`StoreError::OtherOrganisation`],
/// [`StoreError::TooManyMeetings`], [`StoreError::Database`].
pub(crate) fn check_generation(
    connection: &Connection,
    path: &Path,
    roster: &Roster,
) -> Result<bool, StoreError> {
    let meeting = roster.meeting();
    let sqlite = |error| LedgerError::sqlite(path, error);
    let stored: Option<(String, i64, [u8; 32])> = connection
        .query_row(
            "SELECT organisation, generation, digest FROM roster WHERE meeting = ?1",
            [meeting.id.as_str()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()
        .map_err(sqlite)?;
    let Some((organisation, generation, digest)) = stored else {
        let meetings: u32 = connection
            .query_row("SELECT count(*) FROM roster", [], |row| row.get(0))
            .map_err(sqlite)?;
        if meetings as usize >= MEETINGS_MAX {
            return Err(StoreError::TooManyMeetings(MEETINGS_MAX));
        }
        return Ok(true);
    };
    let stored = u64::try_from(generation).unwrap_or(0);
    if organisation != meeting.organisation.as_str() {
        Err(StoreError::OtherOrganisation {
            meeting: meeting.id.clone(),
            organisation,
        })
    } else if roster.generation() < stored {
        Err(StoreError::Older {
            meeting: meeting.id.clone(),
            found: roster.generation(),
            stored,
        })
    } else if roster.generation() == stored && digest != roster_digest(roster).0 {
        Err(StoreError::Conflict {
            meeting: meeting.id.clone(),
            generation: stored,
        })
    } else {
        Ok(roster.generation() > stored)
    }
}

/// Writes a roster down, in the place of none.
///
/// # Errors
/// [`StoreError::Generation`], [`StoreError::Database`].
pub(crate) fn insert_roster(
    connection: &Connection,
    path: &Path,
    roster: &Roster,
    at: WallTime,
) -> Result<(), StoreError> {
    let meeting = roster.meeting();
    let generation = i64::try_from(roster.generation());
    let generation = generation.map_err(|_| StoreError::Generation(roster.generation()))?;
    let bytes = encode_roster(roster);
    connection
        .execute(
            "INSERT INTO roster (meeting, organisation, generation, digest, bytes, imported_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                meeting.id.as_str(),
                meeting.organisation.as_str(),
                generation,
                record::digest(&bytes).0,
                bytes,
                at.0
            ],
        )
        .map_err(|error| LedgerError::sqlite(path, error))?;
    Ok(())
}

/// Writes a sealed reference of a meeting down, or replaces it.
///
/// # Errors
/// What SQLite says.
pub(crate) fn insert_reference(
    connection: &Connection,
    binding: &TemplateBinding<'_>,
    sealed: &SealedTemplate,
) -> Result<(), rusqlite::Error> {
    let meeting = binding.scope.meeting.as_ref().map_or("", MeetingId::as_str);
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO meeting_reference
             (meeting, person, reference, space, model, sealed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    statement.execute(params![
        meeting,
        binding.person.as_str(),
        binding.reference.as_str(),
        binding.space.name(),
        binding.space.digest().0,
        sealed.as_bytes()
    ])?;
    Ok(())
}

/// Whom a roster calls by face. Who does not wish it has no copy of a reference on it at all.
pub(crate) fn faces(roster: &Roster) -> impl Iterator<Item = &PersonId> {
    let by_face = roster
        .entries()
        .iter()
        .filter(|entry| entry.attendance == Attendance::FaceOrCode);
    by_face.map(|entry| &entry.delegate.person)
}
