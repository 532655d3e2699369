//! The reading side of `local.db`, for the running kiosk: rosters as they were imported, and
//! references as they open. It takes no lock and changes nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use record::decode_roster;
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use seal::{
    DataKey, KeyId, KeyStore, Scope, SealedTemplate, TemplateBinding, WrapBinding, WrappedKey,
    open_template,
};
use vocabulary::{
    DeviceId, Digest, FeatureSpace, MeetingId, OrganisationId, PersonId, ReferenceId, Roster,
    WallTime,
};

use super::LOCAL;
use super::types::{
    EnrolmentSummary, Origin, QualityNumbers, References, RosterSummary, StoreError,
};
use crate::database::open_reader;
use crate::error::{Damage, LedgerError};

/// The store as those have it who only read.
pub struct LocalReader {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) device: DeviceId,
    pub(super) keys: Arc<dyn KeyStore>,
}

impl LocalReader {
    /// Opens the store of a device for reading, while another process may change it.
    ///
    /// # Errors
    /// [`StoreError::Database`] says what is wrong with the file and what to do.
    pub fn open(
        path: &Path,
        device: &DeviceId,
        keys: Arc<dyn KeyStore>,
    ) -> Result<Self, StoreError> {
        let connection = open_reader(path, &LOCAL)?;
        Ok(Self::over(connection, path, device, keys))
    }

    pub(super) fn over(
        connection: Connection,
        path: &Path,
        device: &DeviceId,
        keys: Arc<dyn KeyStore>,
    ) -> Self {
        Self {
            connection,
            path: path.to_owned(),
            device: device.clone(),
            keys,
        }
    }

    /// All rosters, the earliest meeting first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn rosters(&self) -> Result<Vec<RosterSummary>, StoreError> {
        let sqlite = |error| LedgerError::sqlite(&self.path, error);
        let mut statement = self
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
        Ok(summaries)
    }

    /// The roster of a meeting, where there is one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn roster(&self, meeting: &MeetingId) -> Result<Option<Roster>, StoreError> {
        let row: Option<(Vec<u8>, [u8; 32])> = self
            .connection
            .query_row(
                "SELECT bytes, digest FROM roster WHERE meeting = ?1",
                [meeting.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(|error| LedgerError::sqlite(&self.path, error))?;
        row.map(|(bytes, digest)| self.decode(&bytes, Digest(digest)))
            .transpose()
    }

    /// The references of a meeting in one feature space, opened. None where the meeting's key has
    /// been destroyed.
    ///
    /// # Errors
    /// [`StoreError::UnknownMeeting`]; [`StoreError::Seal`] when the meeting's key does not open
    /// on this device; [`StoreError::Database`].
    pub fn references(
        &self,
        meeting: &MeetingId,
        space: &FeatureSpace,
    ) -> Result<References, StoreError> {
        let sqlite = |error| LedgerError::sqlite(&self.path, error);
        // One read transaction: the roster must not be replaced between its key and its rows.
        let snapshot = self.connection.unchecked_transaction().map_err(sqlite)?;
        let organisation: String = snapshot
            .query_row(
                "SELECT organisation FROM roster WHERE meeting = ?1",
                [meeting.as_str()],
                |row| row.get(0),
            )
            .optional()
            .map_err(sqlite)?
            .ok_or_else(|| StoreError::UnknownMeeting(meeting.clone()))?;
        let organisation = OrganisationId::new(&organisation)
            .map_err(|source| LedgerError::corrupt(&self.path, source))?;
        let scope = Scope {
            organisation,
            meeting: Some(meeting.clone()),
        };
        let keys = self.keys.as_ref();
        let mut opened = References {
            references: Vec::new(),
            broken: Vec::new(),
        };
        let Some(key) = read_key(&snapshot, &self.path, &self.device, keys, &scope)? else {
            return Ok(opened);
        };
        read_reference_rows(
            &snapshot,
            &self.path,
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
        Ok(opened)
    }

    /// Who is enrolled by an organisation, in order of person and reference.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn enrolments(
        &self,
        organisation: &OrganisationId,
    ) -> Result<Vec<EnrolmentSummary>, StoreError> {
        let sqlite = |error| LedgerError::sqlite(&self.path, error);
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT person, reference, space, model, origin, enrolled_ms, face_width_px,
                     eye_distance_px, sharpness, exposure, contrast, yaw_degrees, pitch_degrees,
                     roll_degrees
                 FROM enrolment WHERE organisation = ?1 ORDER BY person, reference",
            )
            .map_err(sqlite)?;
        let mut rows = statement.query([organisation.as_str()]).map_err(sqlite)?;
        let mut summaries = Vec::new();
        while let Some(row) = rows.next().map_err(sqlite)? {
            let (person, reference, space) = read_whose(row, &self.path)?;
            let origin = Origin::from_number(row.get(4).map_err(sqlite)?);
            let origin = origin
                .ok_or_else(|| LedgerError::corrupt(&self.path, Damage::Field("an origin")))?;
            summaries.push(EnrolmentSummary {
                person,
                reference,
                space,
                quality: read_quality(row).map_err(sqlite)?,
                origin,
                at: WallTime(row.get(5).map_err(sqlite)?),
            });
        }
        Ok(summaries)
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn decode(&self, bytes: &[u8], digest: Digest) -> Result<Roster, StoreError> {
        if record::digest(bytes) != digest {
            return Err(LedgerError::corrupt(&self.path, Damage::Field("a roster")).into());
        }
        let roster = decode_roster(bytes);
        Ok(roster.map_err(|source| LedgerError::corrupt(&self.path, source))?)
    }
}

/// A sealed reference and whose it is.
pub(super) struct ReferenceRow {
    pub(super) person: PersonId,
    pub(super) reference: ReferenceId,
    pub(super) space: FeatureSpace,
    pub(super) sealed: SealedTemplate,
}

impl ReferenceRow {
    pub(super) fn binding<'a>(&'a self, scope: &'a Scope) -> TemplateBinding<'a> {
        TemplateBinding {
            scope,
            person: &self.person,
            reference: &self.reference,
            space: &self.space,
        }
    }
}

/// Reads rows of person, reference, space, model and sealed template, one by one.
pub(super) fn read_reference_rows(
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

/// Reads and unwraps the key of a scope, where there is one.
pub(super) fn read_key(
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
fn read_whose(
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

fn read_quality(row: &Row<'_>) -> Result<QualityNumbers, rusqlite::Error> {
    Ok(QualityNumbers {
        face_width_px: row.get(6)?,
        eye_distance_px: row.get(7)?,
        sharpness: row.get(8)?,
        exposure: row.get(9)?,
        contrast: row.get(10)?,
        yaw_degrees: row.get(11)?,
        pitch_degrees: row.get(12)?,
        roll_degrees: row.get(13)?,
    })
}
