//! Columns to our types and back. What stands in the file was written by this program, but a disk
//! may give back anything: each value is checked, and what is wrong is named by its place.

use std::str::FromStr;

use rusqlite::Row;
use rusqlite::types::Value;
use seal::{KeyId, SealedDocument, SealedTemplate, WrappedKey};
use vocabulary::{Attendance, Digest, DoorId, FeatureSpace, Role, Sequence};

use super::database::damaged;
use crate::model::{KeptKey, MeetingState, Origin, Quality, QuarantineReason};
use crate::store::StoreError;

/// An id in a text column.
pub(super) fn id<T>(row: &Row<'_>, column: usize, place: &'static str) -> Result<T, StoreError>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let text = row.get_ref(column)?.as_str();
    let text = text.map_err(|error| damaged(place)(error.into()))?;
    text.parse()
        .map_err(|error: T::Err| damaged(place)(error.into()))
}

/// A blob of exactly `N` bytes.
pub(super) fn bytes<const N: usize>(
    row: &Row<'_>,
    column: usize,
    place: &'static str,
) -> Result<[u8; N], StoreError> {
    let blob = row.get_ref(column)?.as_blob();
    let blob = blob.map_err(|error| damaged(place)(error.into()))?;
    blob.try_into()
        .map_err(|error: std::array::TryFromSliceError| damaged(place)(error.into()))
}

/// A blob of exactly `N` bytes, or none.
pub(super) fn maybe_bytes<const N: usize>(
    row: &Row<'_>,
    column: usize,
    place: &'static str,
) -> Result<Option<[u8; N]>, StoreError> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => bytes(row, column, place).map(Some),
    }
}

/// A number that is never negative.
pub(super) fn unsigned(
    row: &Row<'_>,
    column: usize,
    place: &'static str,
) -> Result<u64, StoreError> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|error| damaged(place)(error.into()))
}

/// A number as SQLite holds it. Ours are far below its limit; what is not stands at it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A record's number.
pub(super) fn sequence(
    row: &Row<'_>,
    column: usize,
    place: &'static str,
) -> Result<Sequence, StoreError> {
    unsigned(row, column, place).map(Sequence)
}

/// A feature space in two columns.
pub(super) fn space(
    row: &Row<'_>,
    column: usize,
    place: &'static str,
) -> Result<FeatureSpace, StoreError> {
    let name: String = row.get(column)?;
    Ok(FeatureSpace::new(
        &name,
        Digest(bytes(row, column + 1, place)?),
    ))
}

/// A sealed template.
pub(super) fn sealed(
    row: &Row<'_>,
    column: usize,
    place: &'static str,
) -> Result<SealedTemplate, StoreError> {
    SealedTemplate::from_bytes(row.get(column)?).map_err(|error| damaged(place)(error.into()))
}

/// A sealed document.
pub(super) fn document(
    row: &Row<'_>,
    column: usize,
    place: &'static str,
) -> Result<SealedDocument, StoreError> {
    SealedDocument::from_bytes(row.get(column)?).map_err(|error| damaged(place)(error.into()))
}

/// A wrapped key with its id before it, or none.
pub(super) fn key(
    row: &Row<'_>,
    column: usize,
    place: &'static str,
) -> Result<Option<KeptKey>, StoreError> {
    let Some(id) = maybe_bytes(row, column, place)? else {
        return Ok(None);
    };
    let wrapped: Option<Vec<u8>> = row.get(column + 1)?;
    let wrapped = WrappedKey::from_bytes(wrapped.as_deref().unwrap_or_default())
        .map_err(|error| damaged(place)(error.into()))?;
    Ok(Some(KeptKey {
        id: KeyId(id),
        wrapped,
    }))
}

/// Doors in one text, in the order of their ids.
pub(super) fn doors_text(doors: &[DoorId]) -> String {
    let mut doors: Vec<&str> = doors.iter().map(DoorId::as_str).collect();
    doors.sort_unstable();
    doors.dedup();
    doors.join(" ")
}

/// Reads what [`doors_text`] wrote.
pub(super) fn doors(
    row: &Row<'_>,
    column: usize,
    place: &'static str,
) -> Result<Vec<DoorId>, StoreError> {
    let text = row.get_ref(column)?.as_str();
    let text = text.map_err(|error| damaged(place)(error.into()))?;
    text.split_ascii_whitespace()
        .map(|door| door.parse().map_err(damaged_id(place)))
        .collect()
}

fn damaged_id(place: &'static str) -> impl FnOnce(vocabulary::IdError) -> StoreError {
    move |error| damaged(place)(error.into())
}

/// A number that stands for one of a few things.
pub(super) trait Numbered: Copy + PartialEq + 'static {
    /// All of them, by number. A number once given is never given again.
    const ALL: &'static [(i64, Self)];

    /// Its number.
    fn number(self) -> i64 {
        let found = Self::ALL.iter().find(|(_, one)| *one == self);
        found.map_or(0, |(number, _)| *number)
    }

    /// Reads its number.
    fn read(row: &Row<'_>, column: usize, place: &'static str) -> Result<Self, StoreError> {
        let number: i64 = row.get(column)?;
        let found = Self::ALL.iter().find(|(one, _)| *one == number);
        found
            .map(|(_, one)| *one)
            .ok_or_else(|| damaged(place)(format!("the number {number}").into()))
    }
}

impl Numbered for MeetingState {
    const ALL: &'static [(i64, Self)] =
        &[(1, Self::Planned), (2, Self::Cancelled), (3, Self::Closed)];
}

impl Numbered for Role {
    const ALL: &'static [(i64, Self)] = &[(1, Self::Member), (2, Self::Guest)];
}

impl Numbered for Attendance {
    const ALL: &'static [(i64, Self)] = &[(1, Self::FaceOrCode), (2, Self::CodeOnly)];
}

impl Numbered for Origin {
    const ALL: &'static [(i64, Self)] = &[(1, Self::Portrait), (2, Self::Template)];
}

impl Numbered for QuarantineReason {
    const ALL: &'static [(i64, Self)] = &[
        (1, Self::Fork),
        (2, Self::BrokenChain),
        (3, Self::Undecodable),
        (4, Self::Misplaced),
    ];
}

/// Quality numbers as little-endian binary32, one behind the other.
pub(super) fn quality_value(quality: Option<&Quality>) -> Value {
    let Some(quality) = quality else {
        return Value::Null;
    };
    let numbers = [
        quality.face_width_px,
        quality.eye_distance_px,
        quality.sharpness,
        quality.exposure,
        quality.contrast,
        quality.yaw_degrees,
        quality.pitch_degrees,
        quality.roll_degrees,
    ];
    Value::Blob(numbers.iter().flat_map(|n| n.to_le_bytes()).collect())
}

/// Reads what [`quality_value`] wrote.
pub(super) fn quality(
    row: &Row<'_>,
    column: usize,
    place: &'static str,
) -> Result<Option<Quality>, StoreError> {
    let Some(bytes) = maybe_bytes::<32>(row, column, place)? else {
        return Ok(None);
    };
    let (numbers, _) = bytes.as_chunks::<4>();
    let number = |index: usize| f32::from_le_bytes(numbers[index]);
    Ok(Some(Quality {
        face_width_px: number(0),
        eye_distance_px: number(1),
        sharpness: number(2),
        exposure: number(3),
        contrast: number(4),
        yaw_degrees: number(5),
        pitch_degrees: number(6),
        roll_degrees: number(7),
    }))
}
