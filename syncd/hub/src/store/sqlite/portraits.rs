//! Portraits that an organisation keeps: sealed, to a date, and gone with the reference that was
//! made of them.

use rusqlite::{Connection, OptionalExtension, params};
use seal::SealedDocument;
use vocabulary::{OrganisationId, PersonId, ReferenceId, WallTime};

use super::convert;
use super::{organisations, people};
use crate::model::{Change, PortraitKeeping};
use crate::store::{PORTRAITS_BYTES_MAX, StoreError};

/// A day in milliseconds.
const DAY_MS: i64 = 24 * 3_600_000;

pub(super) fn keeping(
    c: &Connection,
    organisation: &OrganisationId,
) -> Result<PortraitKeeping, StoreError> {
    let number = organisations::number(c, organisation)?;
    let (kept, bytes) = kept(c, number)?;
    Ok(PortraitKeeping {
        days: days(c, number)?,
        kept,
        bytes,
    })
}

fn days(c: &Connection, organisation: i64) -> Result<Option<u32>, StoreError> {
    Ok(
        c.prepare_cached("SELECT portrait_days FROM organisation WHERE number = ?1")?
            .query_row([organisation], |row| row.get(0))?,
    )
}

/// How many portraits are kept, and their bytes.
fn kept(c: &Connection, organisation: i64) -> Result<(u64, u64), StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT count(*), coalesce(sum(length(o.sealed)), 0)
         FROM portrait o JOIN person p ON p.number = o.person WHERE p.organisation = ?1",
    )?;
    let (count, bytes): (i64, i64) =
        statement.query_row([organisation], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((count.unsigned_abs(), bytes.unsigned_abs()))
}

pub(super) fn set(
    c: &Connection,
    organisation: &OrganisationId,
    wanted: Option<u32>,
    now: WallTime,
) -> Result<(Change, u64), StoreError> {
    let number = organisations::number(c, organisation)?;
    let before = days(c, number)?;
    if before == wanted {
        return Ok((Change::Same, 0));
    }
    c.prepare_cached("UPDATE organisation SET portrait_days = ?2 WHERE number = ?1")?
        .execute(params![number, wanted])?;
    let of_organisation = "person IN (SELECT number FROM person WHERE organisation = ?1)";
    let destroyed = match wanted {
        None => c
            .prepare_cached(&format!("DELETE FROM portrait WHERE {of_organisation}"))?
            .execute([number])?,
        Some(days) => {
            c.prepare_cached(&format!(
                "UPDATE portrait SET until_ms = made_ms + ?2 WHERE {of_organisation}"
            ))?
            .execute(params![number, i64::from(days) * DAY_MS])?;
            c.prepare_cached(&format!(
                "DELETE FROM portrait WHERE {of_organisation} AND until_ms <= ?2"
            ))?
            .execute(params![number, now.0])?
        }
    };
    let change = match before {
        None => Change::Made,
        Some(_) => Change::Changed,
    };
    Ok((change, destroyed as u64))
}

/// Keeps the portrait of a reference where the organisation keeps any and this one is not kept
/// yet: handing it in again does not keep it for longer.
pub(super) fn keep(
    c: &Connection,
    organisation: i64,
    person: i64,
    reference: &ReferenceId,
    sealed: &SealedDocument,
    now: WallTime,
) -> Result<Change, StoreError> {
    let Some(days) = days(c, organisation)? else {
        return Ok(Change::Same);
    };
    let (_, bytes) = kept(c, organisation)?;
    if bytes.saturating_add(sealed.as_bytes().len() as u64) > PORTRAITS_BYTES_MAX {
        return Err(StoreError::TooMany {
            what: "bytes of kept portraits",
            max: PORTRAITS_BYTES_MAX,
        });
    }
    let inserted = c
        .prepare_cached(
            "INSERT OR IGNORE INTO portrait (person, id, sealed, made_ms, until_ms)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            person,
            reference.as_str(),
            sealed.as_bytes(),
            now.0,
            now.0.saturating_add(i64::from(days) * DAY_MS),
        ])?;
    Ok(Change::when(inserted > 0))
}

/// Destroys the portrait of a reference.
pub(super) fn destroy(
    c: &Connection,
    person: i64,
    reference: &ReferenceId,
) -> Result<(), StoreError> {
    c.prepare_cached("DELETE FROM portrait WHERE person = ?1 AND id = ?2")?
        .execute(params![person, reference.as_str()])?;
    Ok(())
}

pub(super) fn one(
    c: &Connection,
    organisation: &OrganisationId,
    person: &PersonId,
    reference: &ReferenceId,
    now: WallTime,
) -> Result<Option<SealedDocument>, StoreError> {
    let Some((person, _)) = people::find_of(c, organisation, person)? else {
        return Ok(None);
    };
    // One whose day has come is gone, whether or not somebody has swept yet.
    let mut statement = c.prepare_cached(
        "SELECT sealed FROM portrait WHERE person = ?1 AND id = ?2 AND until_ms > ?3",
    )?;
    let mut rows = statement.query(params![person, reference.as_str(), now.0])?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => convert::document(row, 0, "portrait.sealed").map(Some),
    }
}

pub(super) fn destroy_ended(c: &Connection, now: WallTime, limit: u32) -> Result<u32, StoreError> {
    let destroyed = c
        .prepare_cached(
            "DELETE FROM portrait WHERE rowid IN (
                 SELECT rowid FROM portrait WHERE until_ms <= ?1 ORDER BY until_ms LIMIT ?2)",
        )?
        .execute(params![now.0, limit])?;
    Ok(u32::try_from(destroyed).unwrap_or(u32::MAX))
}

/// Until when the portrait of a reference is kept.
pub(super) fn kept_until(
    c: &Connection,
    person: i64,
    reference: &ReferenceId,
) -> Result<Option<WallTime>, StoreError> {
    let found: Option<i64> = c
        .prepare_cached("SELECT until_ms FROM portrait WHERE person = ?1 AND id = ?2")?
        .query_row(params![person, reference.as_str()], |row| row.get(0))
        .optional()?;
    Ok(found.map(WallTime))
}
