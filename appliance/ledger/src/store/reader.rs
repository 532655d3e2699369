//! The reading side of `local.db`, for the running kiosk: rosters as they were imported, and
//! references as they open. It takes no lock and changes nothing.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Row;
use seal::KeyStore;
use vocabulary::{DeviceId, FeatureSpace, MeetingId, OrganisationId, Roster, WallTime};

use super::LOCAL;
use super::types::{
    EnrolmentSummary, Origin, QualityNumbers, References, RosterSummary, StoreError,
};
use crate::database::Opened;
use crate::error::{Damage, LedgerError};
use crate::shelf::{Shelf, read_whose};

/// The store as those have it who only read.
pub struct LocalReader {
    pub(super) shelf: Shelf,
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
        Ok(Self::over(Opened::open(path, &LOCAL)?, device, keys))
    }

    pub(super) fn over(file: Opened, device: &DeviceId, keys: Arc<dyn KeyStore>) -> Self {
        Self {
            shelf: Shelf {
                file,
                device: device.clone(),
                keys,
            },
        }
    }

    /// All rosters, the earliest meeting first.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn rosters(&self) -> Result<Vec<RosterSummary>, StoreError> {
        self.shelf.rosters()
    }

    /// The roster of a meeting, where there is one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn roster(&self, meeting: &MeetingId) -> Result<Option<Roster>, StoreError> {
        self.shelf.roster(meeting)
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
        self.shelf.references(meeting, space)
    }

    /// A number that is another one after every change by another process; cheap to ask for.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn version(&self) -> Result<i64, StoreError> {
        Ok(self.shelf.file.version()?)
    }

    /// Whether it still sees what is written under this name; when not, open it again.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.shelf.file.is_current()
    }

    /// Who is enrolled by an organisation, in order of person and reference.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn enrolments(
        &self,
        organisation: &OrganisationId,
    ) -> Result<Vec<EnrolmentSummary>, StoreError> {
        let sqlite = |error| LedgerError::sqlite(self.shelf.file.path(), error);
        let mut statement = self
            .shelf
            .file
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
            let (person, reference, space) = read_whose(row, self.shelf.file.path())?;
            let origin = Origin::from_number(row.get(4).map_err(sqlite)?);
            let origin = origin.ok_or_else(|| {
                LedgerError::corrupt(self.shelf.file.path(), Damage::Field("an origin"))
            })?;
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
        self.shelf.file.path()
    }
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
