//! The reading side of `city.db`, for the running kiosk: rosters as the city sent them, and
//! references as they open on this device. It takes no lock and changes nothing.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use rusqlite::params;
use seal::{KeyStore, card_hash};
use vocabulary::{
    CardNumber, DeviceId, Digest, FeatureSpace, MeetingId, PersonId, Roster, WallTime,
};

use super::types::{CardHolder, CityMeeting, SubstituteRight, Watermark};
use super::{CITY, read_contact, read_watermark};
use crate::database::Opened;
use crate::error::LedgerError;
use crate::shelf::Shelf;
use crate::store::{References, StoreError};

/// The store as the kiosk has it.
pub struct CityReader {
    shelf: Shelf,
}

impl CityReader {
    /// Opens the store for reading, while the daemon may change it. `keys` unwraps what was
    /// wrapped for this device.
    ///
    /// # Errors
    /// [`StoreError::Database`] says what is wrong with the file and what to do.
    pub fn open(
        path: &Path,
        device: &DeviceId,
        keys: Arc<dyn KeyStore>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            shelf: Shelf {
                file: Opened::open(path, &CITY)?,
                device: device.clone(),
                keys,
            },
        })
    }

    /// All meetings whose rosters are here, the earliest first. Withdrawn ones are not.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn meetings(&self) -> Result<Vec<CityMeeting>, StoreError> {
        let sqlite = |error| LedgerError::sqlite(self.shelf.file.path(), error);
        // One read transaction: a meeting that is closed meanwhile is so in both answers or none.
        let connection = &self.shelf.file.connection;
        let snapshot = connection.unchecked_transaction().map_err(sqlite)?;
        let marked = |query| {
            let mut statement = snapshot.prepare_cached(query)?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            rows.collect::<Result<HashSet<_>, _>>()
        };
        let closed = marked("SELECT meeting FROM closed").map_err(sqlite)?;
        let opens = marked(
            "SELECT k.meeting FROM wrapped_key k JOIN roster_key r
             ON r.meeting = k.meeting AND r.key_id = k.key_id",
        );
        let opens = opens.map_err(sqlite)?;
        let meetings = self.shelf.rosters()?.into_iter().map(|mut summary| {
            let id = summary.meeting.id.as_str();
            summary.has_key &= opens.contains(id);
            let closed = closed.contains(id);
            CityMeeting { summary, closed }
        });
        Ok(meetings.collect())
    }

    /// The roster of a meeting, where there is one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn roster(&self, meeting: &MeetingId) -> Result<Option<Roster>, StoreError> {
        self.shelf.roster(meeting)
    }

    /// The references of a meeting in one feature space, opened. None where the meeting's key is
    /// not here: not sent yet, or destroyed.
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

    /// The feature spaces in which there are references of people of a meeting, whether or not its
    /// key is here; in their order.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn spaces(&self, meeting: &MeetingId) -> Result<Vec<FeatureSpace>, StoreError> {
        let file = &self.shelf.file;
        let sqlite = |error| LedgerError::sqlite(file.path(), error);
        let mut statement = file
            .connection
            .prepare_cached(
                "SELECT DISTINCT space, model FROM meeting_reference WHERE meeting = ?1
                 ORDER BY space, model",
            )
            .map_err(sqlite)?;
        let spaces = statement
            .query_map([meeting.as_str()], |row| {
                let name: String = row.get(0)?;
                Ok(FeatureSpace::new(&name, Digest(row.get(1)?)))
            })
            .and_then(Iterator::collect)
            .map_err(sqlite)?;
        file.check()?;
        Ok(spaces)
    }

    /// The Ed25519 public keys whose invitations are valid at a meeting.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn invitation_keys(&self, meeting: &MeetingId) -> Result<Vec<[u8; 32]>, StoreError> {
        let file = &self.shelf.file;
        let sqlite = |error| LedgerError::sqlite(file.path(), error);
        let mut statement = file
            .connection
            .prepare_cached("SELECT key FROM invitation_key WHERE meeting = ?1 ORDER BY key")
            .map_err(sqlite)?;
        let keys = statement
            .query_map([meeting.as_str()], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(sqlite)?;
        file.check()?;
        Ok(keys)
    }

    /// Whose citizen card has this number, among those on a meeting's roster. What the scanner of
    /// cards asks; the number is hashed here and goes nowhere.
    ///
    /// # Errors
    /// [`StoreError::UnknownMeeting`]; [`StoreError::Seal`] when the meeting's key does not open
    /// on this device; [`StoreError::Database`].
    pub fn card_holder(
        &self,
        meeting: &MeetingId,
        number: &CardNumber,
    ) -> Result<CardHolder, StoreError> {
        let Some((scope, key)) = self.shelf.meeting_key(meeting)? else {
            return Ok(CardHolder::NoKey);
        };
        let hash = card_hash(&key, &scope, number);
        let file = &self.shelf.file;
        let sqlite = |error| LedgerError::sqlite(file.path(), error);
        let mut statement = file
            .connection
            .prepare_cached(
                "SELECT person FROM citizen_card WHERE meeting = ?1 AND hash = ?2 LIMIT 2",
            )
            .map_err(sqlite)?;
        let holders: Vec<String> = statement
            .query_map(params![meeting.as_str(), hash.0], |row| row.get(0))
            .and_then(Iterator::collect)
            .map_err(sqlite)?;
        file.check()?;
        match holders.as_slice() {
            [] => Ok(CardHolder::Unknown),
            [person] => PersonId::new(person)
                .map(CardHolder::Person)
                .map_err(|source| LedgerError::corrupt(file.path(), source).into()),
            [..] => Ok(CardHolder::Several),
        }
    }

    /// Who may attend a meeting for whom.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn substitutes(&self, meeting: &MeetingId) -> Result<Vec<SubstituteRight>, StoreError> {
        let file = &self.shelf.file;
        let sqlite = |error| LedgerError::sqlite(file.path(), error);
        let mut statement = file
            .connection
            .prepare_cached(
                "SELECT person, instead_of, document FROM substitute WHERE meeting = ?1
                 ORDER BY person, instead_of",
            )
            .map_err(sqlite)?;
        let mut rows = statement.query([meeting.as_str()]).map_err(sqlite)?;
        let mut rights = Vec::new();
        while let Some(row) = rows.next().map_err(sqlite)? {
            let person = |column| {
                let text: String = row.get(column).map_err(sqlite)?;
                PersonId::new(&text).map_err(|source| LedgerError::corrupt(file.path(), source))
            };
            rights.push(SubstituteRight {
                person: person(0)?,
                instead_of: person(1)?,
                document: row.get(2).map_err(sqlite)?,
            });
        }
        file.check()?;
        Ok(rights)
    }

    /// How far the city has this device's records.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn watermark(&self) -> Result<Option<Watermark>, StoreError> {
        read_watermark(&self.shelf.file)
    }

    /// When the city last answered, by this device's clock.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub fn last_contact(&self) -> Result<Option<WallTime>, StoreError> {
        read_contact(&self.shelf.file)
    }

    /// A number that is another one after every change by the daemon; cheap to ask for.
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
}
