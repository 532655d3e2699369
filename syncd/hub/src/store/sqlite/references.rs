//! References of people, and their copies under the keys of meetings.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Row, params};
use vocabulary::{Attendance, FeatureSpace, OrganisationId, PersonId, ReferenceId, WallTime};
use wire::limits::REFERENCES_PER_PERSON_MAX;

use super::convert::{self, Numbered};
use super::meetings::{self, MeetingRow};
use super::{organisations, people, portraits};
use crate::model::{Change, Enrolment, MeetingReference, MeetingState, Origin, Reference};
use crate::store::{Sealing, StoreError};

pub(super) fn of_person(c: &Connection, person: i64) -> Result<Vec<Reference>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT id, space, model, origin, quality, made_ms FROM reference
         WHERE person = ?1 ORDER BY id, space, model",
    )?;
    let mut rows = statement.query([person])?;
    let mut references = Vec::new();
    while let Some(row) = rows.next()? {
        let id = convert::id(row, 0, "reference.id")?;
        references.push(Reference {
            portrait_until: portraits::kept_until(c, person, &id)?,
            id,
            space: convert::space(row, 1, "reference.space")?,
            origin: Origin::read(row, 3, "reference.origin")?,
            quality: convert::quality(row, 4, "reference.quality")?,
            made_at: WallTime(row.get(5)?),
        });
    }
    Ok(references)
}

/// The spaces in which people of an organisation have references, and how many have one.
pub(super) fn spaces(
    c: &Connection,
    organisation: &OrganisationId,
) -> Result<Vec<(FeatureSpace, u64)>, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(Vec::new());
    };
    let mut statement = c.prepare_cached(
        "SELECT r.space, r.model, count(DISTINCT r.person)
         FROM reference r JOIN person p ON p.number = r.person
         WHERE p.organisation = ?1 GROUP BY r.space, r.model ORDER BY r.space, r.model",
    )?;
    let mut rows = statement.query([organisation])?;
    let mut spaces = Vec::new();
    while let Some(row) = rows.next()? {
        let people: i64 = row.get(2)?;
        let space = convert::space(row, 0, "reference.space")?;
        spaces.push((space, people.unsigned_abs()));
    }
    Ok(spaces)
}

pub(super) fn put(
    c: &Connection,
    organisation: &OrganisationId,
    person: &PersonId,
    enrolment: &Enrolment,
    sealing: &dyn Sealing,
    now: WallTime,
) -> Result<Change, StoreError> {
    let number = organisations::number(c, organisation)?;
    let person = people::number(c, number, person)?;
    let found = found_as(c, person, enrolment)?;
    let mut concerned = match found {
        Found::Another => take_away(c, person, &enrolment.id)?,
        Found::Nothing | Found::Lacking | Found::Whole => BTreeSet::new(),
    };
    let kept = match &enrolment.portrait {
        None => Change::Same,
        Some(sealed) => portraits::keep(c, number, person, &enrolment.id, sealed, now)?,
    };
    let change = match found {
        // Doors see no portrait: no generation grows.
        Found::Whole => return Ok(kept),
        Found::Nothing => Change::Made,
        Found::Lacking | Found::Another => Change::Changed,
    };
    for template in &enrolment.templates {
        insert(c, person, enrolment, template, now)?;
    }
    check_count(c, person)?;
    let mut statement = c.prepare_cached(
        "SELECT e.meeting FROM entry e JOIN meeting m ON m.number = e.meeting
         WHERE e.person = ?1 AND e.attendance = ?2 AND m.state = ?3 AND m.ends_ms > ?4",
    )?;
    let mut rows = statement.query(params![
        person,
        Attendance::FaceOrCode.number(),
        MeetingState::Planned.number(),
        meetings::follows_since(now)
    ])?;
    while let Some(row) = rows.next()? {
        concerned.insert(row.get::<_, i64>(0)?);
    }
    for meeting in concerned {
        meetings::advance(c, meeting)?;
        if let Some(row) = meetings::by_number(c, meeting)? {
            copy(c, organisation, &row, sealing, Some(person))?;
        }
    }
    Ok(change)
}

/// What is there of a reference that is put.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    /// Nothing of its id.
    Nothing,
    /// The same one, in other feature spaces too or only.
    Lacking,
    /// The same one, in all the spaces that it comes in.
    Whole,
    /// Another one of its id.
    Another,
}

fn found_as(c: &Connection, person: i64, enrolment: &Enrolment) -> Result<Found, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT space, model, content, origin FROM reference WHERE person = ?1 AND id = ?2",
    )?;
    let mut rows = statement.query(params![person, enrolment.id.as_str()])?;
    let mut spaces = BTreeSet::new();
    let mut same = true;
    while let Some(row) = rows.next()? {
        spaces.insert(convert::space(row, 0, "reference.space")?);
        let content: [u8; 32] = convert::bytes(row, 2, "reference.content")?;
        let origin = Origin::read(row, 3, "reference.origin")?;
        same &= content == enrolment.content.0 && origin == enrolment.origin;
    }
    let wanted: BTreeSet<FeatureSpace> = enrolment
        .templates
        .iter()
        .map(|template| template.space.clone())
        .collect();
    Ok(if spaces.is_empty() {
        Found::Nothing
    } else if !same {
        Found::Another
    } else if wanted.is_subset(&spaces) {
        Found::Whole
    } else {
        Found::Lacking
    })
}

fn insert(
    c: &Connection,
    person: i64,
    enrolment: &Enrolment,
    template: &crate::model::ReferenceTemplate,
    now: WallTime,
) -> Result<(), StoreError> {
    c.prepare_cached(
        "INSERT OR IGNORE INTO reference
         (person, id, space, model, origin, content, made_ms, quality, sealed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        person,
        enrolment.id.as_str(),
        template.space.name(),
        template.space.digest().0,
        enrolment.origin.number(),
        enrolment.content.0,
        now.0,
        convert::quality_value(enrolment.quality.as_ref()),
        template.sealed.as_bytes(),
    ])?;
    Ok(())
}

fn check_count(c: &Connection, person: i64) -> Result<(), StoreError> {
    let most: Option<i64> = c
        .prepare_cached(
            "SELECT max(n) FROM (
                 SELECT count(*) AS n FROM reference WHERE person = ?1 GROUP BY space, model)",
        )?
        .query_row([person], |row| row.get(0))
        .optional()?
        .flatten();
    if most.is_some_and(|most| most > REFERENCES_PER_PERSON_MAX as i64) {
        return Err(StoreError::TooMany {
            what: "references of one person in one feature space",
            max: REFERENCES_PER_PERSON_MAX as u64,
        });
    }
    Ok(())
}

pub(super) fn delete(
    c: &Connection,
    organisation: &OrganisationId,
    person: &PersonId,
    reference: &ReferenceId,
) -> Result<Change, StoreError> {
    let Some((person, before)) = people::find_of(c, organisation, person)? else {
        return Ok(Change::Same);
    };
    if !before.references.iter().any(|one| one.id == *reference) {
        return Ok(Change::Same);
    }
    for meeting in take_away(c, person, reference)? {
        meetings::advance(c, meeting)?;
    }
    Ok(Change::Changed)
}

/// Takes a reference, its portrait and all copies of it away; says which meetings had one.
fn take_away(
    c: &Connection,
    person: i64,
    reference: &ReferenceId,
) -> Result<BTreeSet<i64>, StoreError> {
    let of = params![person, reference.as_str()];
    let meetings = c
        .prepare_cached(
            "SELECT DISTINCT meeting FROM meeting_reference WHERE person = ?1 AND id = ?2",
        )?
        .query_map(of, |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    c.prepare_cached("DELETE FROM meeting_reference WHERE person = ?1 AND id = ?2")?
        .execute(of)?;
    c.prepare_cached("DELETE FROM reference WHERE person = ?1 AND id = ?2")?
        .execute(of)?;
    portraits::destroy(c, person, reference)?;
    Ok(meetings)
}

/// Makes a meeting's copies those of all who are called by face: what is missing is copied, what
/// no longer belongs is taken away. A meeting without a key has none.
pub(super) fn match_copies(
    c: &Connection,
    organisation: &OrganisationId,
    row: &MeetingRow,
    sealing: &dyn Sealing,
) -> Result<(), StoreError> {
    c.prepare_cached(
        "DELETE FROM meeting_reference WHERE meeting = ?1 AND NOT EXISTS (
             SELECT 1 FROM entry e
             WHERE e.meeting = ?1 AND e.person = meeting_reference.person AND e.attendance = ?2)",
    )?
    .execute(params![row.number, Attendance::FaceOrCode.number()])?;
    copy(c, organisation, row, sealing, None)
}

/// Copies what a meeting lacks, of one person or of everybody.
fn copy(
    c: &Connection,
    organisation: &OrganisationId,
    row: &MeetingRow,
    sealing: &dyn Sealing,
    person: Option<i64>,
) -> Result<(), StoreError> {
    let keys = (organisations::key(c, organisation)?, row.key.as_ref());
    let (Some(from_key), Some(to_key)) = keys else {
        return Ok(());
    };
    let mut select = c.prepare_cached(
        "SELECT r.person, p.opaque, r.id, r.space, r.model, r.sealed
         FROM entry e JOIN person p ON p.number = e.person
         JOIN reference r ON r.person = e.person
         WHERE e.meeting = ?1 AND e.attendance = ?2 AND (?3 IS NULL OR e.person = ?3)
         AND NOT EXISTS (
             SELECT 1 FROM meeting_reference m
             WHERE m.meeting = ?1 AND m.person = r.person AND m.id = r.id
             AND m.space = r.space AND m.model = r.model)",
    )?;
    let mut insert = c.prepare_cached(
        "INSERT INTO meeting_reference (meeting, person, id, space, model, sealed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let of = params![row.number, Attendance::FaceOrCode.number(), person];
    let missing: Vec<Missing> = select
        .query_and_then(of, Missing::read)?
        .collect::<Result<_, _>>()?;
    if missing.is_empty() {
        return Ok(());
    }
    let from = organisations::scope(organisation);
    let to = meetings::scope(organisation, &row.meeting.plan.id);
    let mut copying = sealing.copying((&from, &from_key), (&to, to_key))?;
    for one in missing {
        let sealed = copying.copy(&one.opaque, &one.id, &one.space, &one.sealed)?;
        insert.execute(params![
            row.number,
            one.person,
            one.id.as_str(),
            one.space.name(),
            one.space.digest().0,
            sealed.as_bytes(),
        ])?;
    }
    Ok(())
}

/// A reference that a meeting lacks.
struct Missing {
    person: i64,
    opaque: PersonId,
    id: ReferenceId,
    space: FeatureSpace,
    sealed: seal::SealedTemplate,
}

impl Missing {
    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            person: row.get(0)?,
            opaque: convert::id(row, 1, "person.opaque")?,
            id: convert::id(row, 2, "reference.id")?,
            space: convert::space(row, 3, "reference.space")?,
            sealed: convert::sealed(row, 5, "reference.sealed")?,
        })
    }
}

pub(super) fn of_meeting(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: &vocabulary::MeetingId,
) -> Result<Vec<MeetingReference>, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(Vec::new());
    };
    match meetings::find(c, organisation, meeting)? {
        None => Ok(Vec::new()),
        Some(row) => copies(c, row.number),
    }
}

/// A meeting's copies.
pub(super) fn copies(c: &Connection, meeting: i64) -> Result<Vec<MeetingReference>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT p.opaque, m.id, m.space, m.model, m.sealed
         FROM meeting_reference m JOIN person p ON p.number = m.person
         WHERE m.meeting = ?1 ORDER BY p.opaque, m.id, m.space, m.model",
    )?;
    let mut rows = statement.query([meeting])?;
    let mut copies = Vec::new();
    while let Some(row) = rows.next()? {
        copies.push(MeetingReference {
            person: convert::id(row, 0, "person.opaque")?,
            reference: convert::id(row, 1, "meeting_reference.id")?,
            space: convert::space(row, 2, "meeting_reference.space")?,
            sealed: convert::sealed(row, 4, "meeting_reference.sealed")?,
        });
    }
    Ok(copies)
}
