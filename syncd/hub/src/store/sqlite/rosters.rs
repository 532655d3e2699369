//! Rosters by the callers' ids, and the canonical ones of each generation that anybody was given.
//!
//! A generation's canonical roster is made when it is first asked for: while ten thousand people
//! are enrolled one by one, ten thousand generations pass that nobody will ever name.

use std::collections::{HashMap, HashSet};

use record::{digest, encode_roster};
use rusqlite::{Connection, Row, params};
use vocabulary::meeting::ROSTER_ENTRIES_MAX;
use vocabulary::{
    Attendance, Delegate, Digest, MeetingError, MeetingId, OrganisationId, PersonId, Role, Roster,
    RosterEntry,
};

use super::convert::{self, Numbered, signed};
use super::meetings::{self, MeetingRow};
use super::{cards, organisations, people, references};
use crate::model::{Change, Entry, MeetingState, RosterSnapshot, RosterView, SubstituteRight};
use crate::store::{Conflict, Missing, Sealing, StoreError};

/// What reading alone came to.
pub(super) enum Read<T> {
    /// It is there.
    Here(T),
    /// Something has to be written first.
    NotYetMade,
}

pub(super) fn put(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: &MeetingId,
    wanted: &[Entry],
    sealing: &dyn Sealing,
) -> Result<(Change, RosterView), StoreError> {
    let number = organisations::number(c, organisation)?;
    let row = meetings::need(c, number, meeting)?;
    let before = entries(c, row.number)?;
    if before == wanted && row.meeting.state != MeetingState::Cancelled {
        return Ok((Change::Same, view_of(c, organisation, &row)?));
    }
    match row.meeting.state {
        MeetingState::Planned => {}
        MeetingState::Cancelled => return Err(Conflict::Cancelled(meeting.clone()).into()),
        MeetingState::Closed => return Err(Conflict::Closed(meeting.clone()).into()),
    }
    check(wanted)?;
    meetings::check_quorum(&row.meeting.plan, wanted.len())?;
    write(c, number, row.number, wanted)?;
    meetings::advance(c, row.number)?;
    let row = meetings::need(c, number, meeting)?;
    references::match_copies(c, organisation, &row, sealing)?;
    cards::match_hashes(c, organisation, &row, sealing)?;
    let change = if before.is_empty() {
        Change::Made
    } else {
        Change::Changed
    };
    Ok((change, view_of(c, organisation, &row)?))
}

fn check(entries: &[Entry]) -> Result<(), StoreError> {
    if entries.len() > ROSTER_ENTRIES_MAX {
        return Err(MeetingError::TooMany(entries.len()).into());
    }
    let mut people: HashSet<&PersonId> = HashSet::with_capacity(entries.len());
    for entry in entries {
        let of = || format!("person {}", entry.person);
        for (field, text) in [
            ("title", &entry.title),
            ("unit", &entry.unit),
            ("document", &entry.document),
        ] {
            people::check_label(field, text.as_deref().unwrap_or_default(), of, false)?;
        }
        if !people.insert(&entry.person) {
            return Err(MeetingError::Duplicate(entry.person.clone()).into());
        }
    }
    for entry in entries {
        if let Some(instead_of) = &entry.instead_of
            && (instead_of == &entry.person || !people.contains(instead_of))
        {
            return Err(Missing::Substituted {
                person: entry.person.clone(),
                instead_of: instead_of.clone(),
            }
            .into());
        }
    }
    Ok(())
}

fn write(
    c: &Connection,
    organisation: i64,
    meeting: i64,
    entries: &[Entry],
) -> Result<(), StoreError> {
    let mut numbers: HashMap<&PersonId, i64> = HashMap::with_capacity(entries.len());
    for entry in entries {
        let number = people::number(c, organisation, &entry.person)?;
        numbers.insert(&entry.person, number);
    }
    c.prepare_cached("DELETE FROM entry WHERE meeting = ?1")?
        .execute([meeting])?;
    let mut insert = c.prepare_cached(
        "INSERT INTO entry (meeting, place, person, title, unit, role, attendance, instead_of,
                            document)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for (place, entry) in entries.iter().enumerate() {
        let instead_of = entry.instead_of.as_ref().and_then(|id| numbers.get(id));
        insert.execute(params![
            meeting,
            signed(place as u64),
            numbers.get(&entry.person),
            entry.title,
            entry.unit,
            entry.role.number(),
            entry.attendance.number(),
            instead_of,
            entry.document,
        ])?;
    }
    Ok(())
}

pub(super) fn view(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: &MeetingId,
) -> Result<Read<Option<RosterView>>, StoreError> {
    let Some(row) = meetings::find_of(c, organisation, meeting)? else {
        return Ok(Read::Here(None));
    };
    let Some(digest) = digest_at(c, row.number, row.meeting.generation)? else {
        return Ok(Read::NotYetMade);
    };
    Ok(Read::Here(Some(fill_view(c, &row, digest)?)))
}

pub(super) fn make_view(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: &MeetingId,
) -> Result<Option<RosterView>, StoreError> {
    let row = meetings::find_of(c, organisation, meeting)?;
    row.map(|row| view_of(c, organisation, &row)).transpose()
}

fn view_of(
    c: &Connection,
    organisation: &OrganisationId,
    row: &MeetingRow,
) -> Result<RosterView, StoreError> {
    let digest = made(c, organisation, row)?;
    fill_view(c, row, digest)
}

fn fill_view(c: &Connection, row: &MeetingRow, digest: Digest) -> Result<RosterView, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT p.id FROM entry e JOIN person p ON p.number = e.person
         WHERE e.meeting = ?1 AND e.attendance = ?2
         AND NOT EXISTS (SELECT 1 FROM reference r WHERE r.person = e.person) ORDER BY e.place",
    )?;
    let mut rows = statement.query(params![row.number, Attendance::FaceOrCode.number()])?;
    let mut without_reference = Vec::new();
    while let Some(row) = rows.next()? {
        without_reference.push(convert::id(row, 0, "person.id")?);
    }
    Ok(RosterView {
        generation: row.meeting.generation,
        digest,
        entries: entries(c, row.number)?,
        without_reference,
    })
}

fn entries(c: &Connection, meeting: i64) -> Result<Vec<Entry>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT p.id, e.title, e.unit, e.role, e.attendance, i.id, e.document
         FROM entry e JOIN person p ON p.number = e.person
         LEFT JOIN person i ON i.number = e.instead_of
         WHERE e.meeting = ?1 ORDER BY e.place",
    )?;
    let mut rows = statement.query([meeting])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(Entry {
            person: convert::id(row, 0, "person.id")?,
            title: row.get(1)?,
            unit: row.get(2)?,
            role: Role::read(row, 3, "entry.role")?,
            attendance: Attendance::read(row, 4, "entry.attendance")?,
            instead_of: maybe_id(row, 5)?,
            document: row.get(6)?,
        });
    }
    Ok(entries)
}

fn maybe_id(row: &Row<'_>, column: usize) -> Result<Option<PersonId>, StoreError> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => convert::id(row, column, "person.id").map(Some),
    }
}

/// Who may attend for whom, by opaque ids.
pub(super) fn substitutes(
    c: &Connection,
    meeting: i64,
) -> Result<Vec<SubstituteRight>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT p.opaque, i.opaque, e.document FROM entry e
         JOIN person p ON p.number = e.person JOIN person i ON i.number = e.instead_of
         WHERE e.meeting = ?1 ORDER BY e.place",
    )?;
    let mut rows = statement.query([meeting])?;
    let mut rights = Vec::new();
    while let Some(row) = rows.next()? {
        rights.push(SubstituteRight {
            person: convert::id(row, 0, "person.opaque")?,
            instead_of: convert::id(row, 1, "person.opaque")?,
            document: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        });
    }
    Ok(rights)
}

pub(super) fn snapshot(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: &MeetingId,
    generation: Option<u64>,
) -> Result<Read<Option<RosterSnapshot>>, StoreError> {
    let Some(row) = meetings::find_of(c, organisation, meeting)? else {
        return Ok(Read::Here(None));
    };
    let current = row.meeting.generation;
    let wanted = generation.unwrap_or(current);
    match snapshot_at(c, row.number, wanted)? {
        None if wanted == current => Ok(Read::NotYetMade),
        snapshot => Ok(Read::Here(snapshot)),
    }
}

pub(super) fn make_snapshot(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: &MeetingId,
) -> Result<Option<RosterSnapshot>, StoreError> {
    let Some(row) = meetings::find_of(c, organisation, meeting)? else {
        return Ok(None);
    };
    made(c, organisation, &row)?;
    snapshot_at(c, row.number, row.meeting.generation)
}

/// The canonical roster of a generation, if anybody was given it.
pub(super) fn snapshot_at(
    c: &Connection,
    meeting: i64,
    generation: u64,
) -> Result<Option<RosterSnapshot>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT digest, bytes FROM snapshot WHERE meeting = ?1 AND generation = ?2",
    )?;
    let mut rows = statement.query(params![meeting, signed(generation)])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(RosterSnapshot {
        generation,
        digest: Digest(convert::bytes(row, 0, "snapshot.digest")?),
        bytes: row.get(1)?,
    }))
}

/// The digest of the canonical roster of a generation, if anybody was given it.
pub(super) fn digest_at(
    c: &Connection,
    meeting: i64,
    generation: u64,
) -> Result<Option<Digest>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT digest FROM snapshot WHERE meeting = ?1 AND generation = ?2")?;
    let mut rows = statement.query(params![meeting, signed(generation)])?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => Ok(Some(Digest(convert::bytes(row, 0, "snapshot.digest")?))),
    }
}

/// Makes sure that the canonical roster of the current generation is there; gives its digest.
pub(super) fn made(
    c: &Connection,
    organisation: &OrganisationId,
    row: &MeetingRow,
) -> Result<Digest, StoreError> {
    let generation = row.meeting.generation;
    if let Some(digest) = digest_at(c, row.number, generation)? {
        return Ok(digest);
    }
    let roster = canonical(c, organisation, row)?;
    let bytes = encode_roster(&roster);
    let digest = digest(&bytes);
    c.prepare_cached(
        "INSERT INTO snapshot (meeting, generation, digest, bytes) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute(params![row.number, signed(generation), digest.0, bytes])?;
    Ok(digest)
}

fn canonical(
    c: &Connection,
    organisation: &OrganisationId,
    row: &MeetingRow,
) -> Result<Roster, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT p.opaque, p.name, coalesce(e.title, p.title), coalesce(e.unit, p.unit),
                e.role, e.attendance
         FROM entry e JOIN person p ON p.number = e.person
         WHERE e.meeting = ?1 ORDER BY e.place",
    )?;
    let mut rows = statement.query([row.number])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(RosterEntry {
            delegate: Delegate {
                person: convert::id(row, 0, "person.opaque")?,
                name: row.get(1)?,
                title: row.get(2)?,
                unit: row.get(3)?,
            },
            role: Role::read(row, 4, "entry.role")?,
            attendance: Attendance::read(row, 5, "entry.attendance")?,
        });
    }
    let plan = &row.meeting.plan;
    let meeting = vocabulary::Meeting {
        id: plan.id.clone(),
        organisation: organisation.clone(),
        room: plan.room.clone(),
        doors: plan.doors.clone(),
        title: plan.title.clone(),
        starts_at: plan.starts_at,
        ends_at: plan.ends_at,
        zone: plan.zone.clone(),
        // Before the roster is put there is nobody who could make up a quorum.
        quorum: plan.quorum.filter(|_| !entries.is_empty()),
    };
    Ok(Roster::new(meeting, row.meeting.generation, entries)?)
}
