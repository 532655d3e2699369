//! Citizen cards: numbers sealed under the organisation's key, and keyed hashes of them at
//! meetings.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use seal::{CardHash, SealedDocument};
use vocabulary::{OrganisationId, PersonId, WallTime};

use super::convert::{self, Numbered};
use super::meetings::{self, MeetingRow};
use super::{organisations, people};
use crate::model::{Change, MeetingCard, MeetingState};
use crate::store::{Sealing, StoreError};

pub(super) fn put(
    c: &Connection,
    organisation: &OrganisationId,
    person: &PersonId,
    sealed: &SealedDocument,
    sealing: &dyn Sealing,
    now: WallTime,
) -> Result<Change, StoreError> {
    let number = organisations::number(c, organisation)?;
    let person = people::number(c, number, person)?;
    let found = of_person(c, person)?;
    if found.as_ref() == Some(sealed) {
        return Ok(Change::Same);
    }
    let mut concerned = take_hashes_away(c, person)?;
    c.prepare_cached("INSERT OR REPLACE INTO citizen_card (person, sealed) VALUES (?1, ?2)")?
        .execute(params![person, sealed.as_bytes()])?;
    let mut statement = c.prepare_cached(
        "SELECT e.meeting FROM entry e JOIN meeting m ON m.number = e.meeting
         WHERE e.person = ?1 AND m.state = ?2 AND m.ends_ms > ?3",
    )?;
    let planned = MeetingState::Planned.number();
    let mut rows = statement.query(params![person, planned, meetings::follows_since(now)])?;
    while let Some(row) = rows.next()? {
        concerned.insert(row.get::<_, i64>(0)?);
    }
    for meeting in concerned {
        meetings::advance(c, meeting)?;
        if let Some(row) = meetings::by_number(c, meeting)? {
            hash(c, organisation, &row, sealing)?;
        }
    }
    Ok(match found {
        None => Change::Made,
        Some(_) => Change::Changed,
    })
}

pub(super) fn one(
    c: &Connection,
    organisation: &OrganisationId,
    person: &PersonId,
) -> Result<Option<SealedDocument>, StoreError> {
    match people::find_of(c, organisation, person)? {
        None => Ok(None),
        Some((person, _)) => of_person(c, person),
    }
}

pub(super) fn delete(
    c: &Connection,
    organisation: &OrganisationId,
    person: &PersonId,
) -> Result<Change, StoreError> {
    let Some((person, _)) = people::find_of(c, organisation, person)? else {
        return Ok(Change::Same);
    };
    let deleted = c
        .prepare_cached("DELETE FROM citizen_card WHERE person = ?1")?
        .execute([person])?;
    if deleted == 0 {
        return Ok(Change::Same);
    }
    for meeting in take_hashes_away(c, person)? {
        meetings::advance(c, meeting)?;
    }
    Ok(Change::Changed)
}

fn of_person(c: &Connection, person: i64) -> Result<Option<SealedDocument>, StoreError> {
    let mut statement = c.prepare_cached("SELECT sealed FROM citizen_card WHERE person = ?1")?;
    let mut rows = statement.query([person])?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => convert::document(row, 0, "citizen_card.sealed").map(Some),
    }
}

/// Takes all hashes of a person's card away; says which meetings had one.
fn take_hashes_away(c: &Connection, person: i64) -> Result<BTreeSet<i64>, StoreError> {
    let meetings = c
        .prepare_cached("SELECT meeting FROM meeting_card WHERE person = ?1")?
        .query_map([person], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    c.prepare_cached("DELETE FROM meeting_card WHERE person = ?1")?
        .execute([person])?;
    Ok(meetings)
}

/// Makes a meeting's hashes those of all on its roster who have a card. A meeting without a key
/// has none.
pub(super) fn match_hashes(
    c: &Connection,
    organisation: &OrganisationId,
    row: &MeetingRow,
    sealing: &dyn Sealing,
) -> Result<(), StoreError> {
    c.prepare_cached(
        "DELETE FROM meeting_card WHERE meeting = ?1 AND NOT EXISTS (
             SELECT 1 FROM entry e WHERE e.meeting = ?1 AND e.person = meeting_card.person)",
    )?
    .execute([row.number])?;
    hash(c, organisation, row, sealing)
}

/// Makes the hashes that a meeting lacks.
fn hash(
    c: &Connection,
    organisation: &OrganisationId,
    row: &MeetingRow,
    sealing: &dyn Sealing,
) -> Result<(), StoreError> {
    let keys = (organisations::key(c, organisation)?, row.key.as_ref());
    let (Some(from_key), Some(to_key)) = keys else {
        return Ok(());
    };
    let missing = missing(c, row.number)?;
    if missing.is_empty() {
        return Ok(());
    }
    let from = organisations::scope(organisation);
    let to = meetings::scope(organisation, &row.meeting.plan.id);
    let mut copying = sealing.copying((&from, &from_key), (&to, to_key))?;
    let mut insert =
        c.prepare_cached("INSERT INTO meeting_card (meeting, person, hash) VALUES (?1, ?2, ?3)")?;
    for (person, opaque, sealed) in missing {
        let hash = copying.card_hash(&opaque, &sealed)?;
        insert.execute(params![row.number, person, hash.0])?;
    }
    Ok(())
}

/// Whose cards a meeting has no hash of.
fn missing(
    c: &Connection,
    meeting: i64,
) -> Result<Vec<(i64, PersonId, SealedDocument)>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT k.person, p.opaque, k.sealed
         FROM entry e JOIN citizen_card k ON k.person = e.person
         JOIN person p ON p.number = e.person
         WHERE e.meeting = ?1 AND NOT EXISTS (
             SELECT 1 FROM meeting_card m WHERE m.meeting = ?1 AND m.person = k.person)",
    )?;
    let mut rows = statement.query([meeting])?;
    let mut missing = Vec::new();
    while let Some(row) = rows.next()? {
        missing.push((
            row.get(0)?,
            convert::id(row, 1, "person.opaque")?,
            convert::document(row, 2, "citizen_card.sealed")?,
        ));
    }
    Ok(missing)
}

/// A meeting's hashes.
pub(super) fn of_meeting(c: &Connection, meeting: i64) -> Result<Vec<MeetingCard>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT p.opaque, m.hash FROM meeting_card m JOIN person p ON p.number = m.person
         WHERE m.meeting = ?1 ORDER BY p.opaque",
    )?;
    let mut rows = statement.query([meeting])?;
    let mut cards = Vec::new();
    while let Some(row) = rows.next()? {
        cards.push(MeetingCard {
            person: convert::id(row, 0, "person.opaque")?,
            hash: CardHash(convert::bytes(row, 1, "meeting_card.hash")?),
        });
    }
    Ok(cards)
}
