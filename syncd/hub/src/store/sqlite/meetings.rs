//! Meetings: put, listed, cancelled, closed; and their generations, which grow with everything
//! that a door would see differently and with nothing else.

use rusqlite::{Connection, Row, params};
use seal::Scope;
use vocabulary::{MeetingError, MeetingId, OrganisationId, WallTime};
use wire::limits::ZONE_BYTES_MAX;

use super::convert::{self, Numbered, signed};
use super::{cards, organisations, people, references, rosters};
use crate::model::{
    Change, KeptKey, Meeting, MeetingPlan, MeetingQuery, MeetingState, Page, PersonDetails,
};
use crate::store::{Conflict, FOLLOWS_AFTER_END, Missing, Sealing, StoreError};

/// A meeting with what only the store needs.
pub(super) struct MeetingRow {
    pub(super) number: i64,
    pub(super) organisation: i64,
    pub(super) meeting: Meeting,
    pub(super) key: Option<KeptKey>,
}

impl MeetingRow {
    /// Which generation of the roster its roll is taken by. Closing is a change that doors see,
    /// and none of the roster: the roll stays with the generation before it.
    pub(super) fn roll_generation(&self) -> u64 {
        match self.meeting.state {
            MeetingState::Planned | MeetingState::Cancelled => self.meeting.generation,
            MeetingState::Closed => self.meeting.generation - 1,
        }
    }
}

/// What a meeting's key seals.
pub(super) fn scope(organisation: &OrganisationId, meeting: &MeetingId) -> Scope {
    Scope {
        organisation: organisation.clone(),
        meeting: Some(meeting.clone()),
    }
}

pub(super) fn put(
    c: &Connection,
    organisation: &OrganisationId,
    plan: &MeetingPlan,
    sealing: &dyn Sealing,
) -> Result<(Change, Meeting), StoreError> {
    let number = organisations::number(c, organisation)?;
    let mut plan = plan.clone();
    plan.doors.sort_unstable();
    plan.doors.dedup();
    let found = find(c, number, &plan.id)?;
    if let Some(found) = &found {
        let same = found.meeting.plan == plan;
        match found.meeting.state {
            MeetingState::Planned | MeetingState::Closed if same => {
                return Ok((Change::Same, found.meeting.clone()));
            }
            MeetingState::Closed => return Err(Conflict::Closed(plan.id).into()),
            MeetingState::Planned | MeetingState::Cancelled => {}
        }
    }
    check(&plan)?;
    organisations::check_doors(c, number, &plan.room, &plan.doors)?;
    let expected = found.as_ref().map_or(0, |found| found.meeting.expected);
    check_quorum(&plan, expected as usize)?;
    let key = match found.as_ref().and_then(|found| found.key.clone()) {
        Some(key) => key,
        None => sealing.make_key(&scope(organisation, &plan.id))?,
    };
    write(c, number, &plan, found.as_ref().map(|f| f.number), &key)?;
    let row = need(c, number, &plan.id)?;
    references::match_copies(c, organisation, &row, sealing)?;
    cards::match_hashes(c, organisation, &row, sealing)?;
    let change = if found.is_some() {
        Change::Changed
    } else {
        Change::Made
    };
    Ok((change, row.meeting))
}

fn check(plan: &MeetingPlan) -> Result<(), StoreError> {
    if plan.ends_at <= plan.starts_at {
        return Err(MeetingError::EndsBeforeStart(plan.id.clone()).into());
    }
    let of = || format!("meeting {}", plan.id);
    people::check_label("title", &plan.title, of, true)?;
    people::check_label("zone", &plan.zone, of, true)?;
    if plan.zone.len() > ZONE_BYTES_MAX {
        return Err(MeetingError::Label {
            field: "zone",
            of: of(),
        }
        .into());
    }
    Ok(())
}

/// Refuses a quorum above the number of people. While nobody is on the roster there is nothing to
/// compare it with: the roster is put after the meeting.
pub(super) fn check_quorum(plan: &MeetingPlan, entries: usize) -> Result<(), StoreError> {
    match plan.quorum {
        Some(quorum) if entries > 0 && quorum as usize > entries => {
            Err(MeetingError::Quorum { quorum, entries }.into())
        }
        Some(_) | None => Ok(()),
    }
}

fn write(
    c: &Connection,
    organisation: i64,
    plan: &MeetingPlan,
    number: Option<i64>,
    key: &KeptKey,
) -> Result<(), StoreError> {
    let sql = match number {
        None => {
            "INSERT INTO meeting (organisation, id, title, room, doors, starts_ms, ends_ms, zone,
                                  quorum, state, key_id, key, number, generation)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13,
                     (SELECT max(generations_after) + 1 FROM incarnation))"
        }
        Some(_) => {
            "UPDATE meeting SET title = ?3, room = ?4, doors = ?5, starts_ms = ?6, ends_ms = ?7,
                                zone = ?8, quorum = ?9, state = ?10, key_id = ?11, key = ?12,
                                generation = generation + 1
             WHERE organisation = ?1 AND id = ?2 AND number = ?13"
        }
    };
    c.prepare_cached(sql)?.execute(params![
        organisation,
        plan.id.as_str(),
        plan.title,
        plan.room.as_str(),
        convert::doors_text(&plan.doors),
        plan.starts_at.0,
        plan.ends_at.0,
        plan.zone,
        plan.quorum,
        MeetingState::Planned.number(),
        key.id.0,
        key.wrapped.as_bytes(),
        number,
    ])?;
    Ok(())
}

const MEETING: &str = "
    SELECT m.number, m.organisation, m.id, m.title, m.room, m.doors, m.starts_ms, m.ends_ms,
           m.zone, m.quorum, m.state, m.generation,
           (SELECT count(*) FROM entry e WHERE e.meeting = m.number), m.key_id, m.key
    FROM meeting m";

/// A meeting by its organisation's own id.
pub(super) fn find_of(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: &MeetingId,
) -> Result<Option<MeetingRow>, StoreError> {
    match organisations::find(c, organisation)? {
        None => Ok(None),
        Some(organisation) => find(c, organisation, meeting),
    }
}

/// A meeting of an organisation.
pub(super) fn find(
    c: &Connection,
    organisation: i64,
    id: &MeetingId,
) -> Result<Option<MeetingRow>, StoreError> {
    let sql = format!("{MEETING} WHERE m.organisation = ?1 AND m.id = ?2");
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query(params![organisation, id.as_str()])?;
    rows.next()?.map(read).transpose()
}

/// A meeting by its number.
pub(super) fn by_number(c: &Connection, number: i64) -> Result<Option<MeetingRow>, StoreError> {
    let mut statement = c.prepare_cached(&format!("{MEETING} WHERE m.number = ?1"))?;
    let mut rows = statement.query([number])?;
    rows.next()?.map(read).transpose()
}

/// A meeting that must be there.
pub(super) fn need(
    c: &Connection,
    organisation: i64,
    id: &MeetingId,
) -> Result<MeetingRow, StoreError> {
    let found = find(c, organisation, id)?;
    found.ok_or_else(|| Missing::Meeting(id.clone()).into())
}

/// The meetings of a room that are planned or closed and touch a window, in order.
pub(super) fn of_room(
    c: &Connection,
    organisation: i64,
    room: &vocabulary::RoomId,
    from: WallTime,
    until: WallTime,
) -> Result<Vec<MeetingRow>, StoreError> {
    let sql = format!(
        "{MEETING} WHERE m.organisation = ?1 AND m.room = ?2 AND m.ends_ms > ?3
         AND m.starts_ms < ?4 AND m.state <> ?5 ORDER BY m.starts_ms, m.id"
    );
    let mut statement = c.prepare_cached(&sql)?;
    let cancelled = MeetingState::Cancelled.number();
    let mut rows = statement.query(params![
        organisation,
        room.as_str(),
        from.0,
        until.0,
        cancelled
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<MeetingRow, StoreError> {
    Ok(MeetingRow {
        number: row.get(0)?,
        organisation: row.get(1)?,
        meeting: Meeting {
            plan: MeetingPlan {
                id: convert::id(row, 2, "meeting.id")?,
                title: row.get(3)?,
                room: convert::id(row, 4, "meeting.room")?,
                doors: convert::doors(row, 5, "meeting.doors")?,
                starts_at: WallTime(row.get(6)?),
                ends_at: WallTime(row.get(7)?),
                zone: row.get(8)?,
                quorum: row.get(9)?,
            },
            state: MeetingState::read(row, 10, "meeting.state")?,
            generation: convert::unsigned(row, 11, "meeting.generation")?,
            expected: row.get(12)?,
        },
        key: convert::key(row, 13, "meeting.key")?,
    })
}

pub(super) fn one(
    c: &Connection,
    organisation: &OrganisationId,
    id: &MeetingId,
) -> Result<Option<Meeting>, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(None);
    };
    Ok(find(c, organisation, id)?.map(|row| row.meeting))
}

pub(super) fn page(
    c: &Connection,
    organisation: &OrganisationId,
    query: &MeetingQuery,
) -> Result<Page<Meeting>, StoreError> {
    let limit = query.limit.clamp(1, wire::limits::PAGE_ITEMS_MAX) as usize;
    let mut page = Page {
        items: Vec::new(),
        more: false,
    };
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(page);
    };
    let (after_ms, after_id) = match &query.after {
        None => (i64::MIN, ""),
        Some((starts_at, id)) => (starts_at.0, id.as_str()),
    };
    let sql = format!(
        "{MEETING} WHERE m.organisation = ?1 AND (m.starts_ms, m.id) > (?2, ?3)
         AND m.ends_ms > ?4 AND m.starts_ms < ?5 ORDER BY m.starts_ms, m.id LIMIT ?6"
    );
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query(params![
        organisation,
        after_ms,
        after_id,
        query.from.map_or(i64::MIN, |from| from.0),
        query.until.map_or(i64::MAX, |until| until.0),
        signed(limit as u64 + 1),
    ])?;
    while let Some(row) = rows.next()? {
        if page.items.len() == limit {
            page.more = true;
            break;
        }
        page.items.push(read(row)?.meeting);
    }
    Ok(page)
}

pub(super) fn cancel(
    c: &Connection,
    organisation: &OrganisationId,
    id: &MeetingId,
) -> Result<Change, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(Change::Same);
    };
    let Some(row) = find(c, organisation, id)? else {
        return Ok(Change::Same);
    };
    match row.meeting.state {
        MeetingState::Cancelled => Ok(Change::Same),
        MeetingState::Closed => Err(Conflict::Closed(id.clone()).into()),
        MeetingState::Planned => {
            end(c, row.number, MeetingState::Cancelled)?;
            Ok(Change::Changed)
        }
    }
}

pub(super) fn close(
    c: &Connection,
    organisation: &OrganisationId,
    id: &MeetingId,
) -> Result<(Change, Meeting), StoreError> {
    let number = organisations::number(c, organisation)?;
    let row = need(c, number, id)?;
    match row.meeting.state {
        MeetingState::Closed => Ok((Change::Same, row.meeting)),
        MeetingState::Cancelled => Err(Conflict::Cancelled(id.clone()).into()),
        MeetingState::Planned => {
            // The roll stays with this generation, so it must be there for good.
            rosters::made(c, organisation, &row)?;
            end(c, row.number, MeetingState::Closed)?;
            Ok((Change::Changed, need(c, number, id)?.meeting))
        }
    }
}

/// Destroys a meeting's key with all that it seals, for a reason that doors are told.
fn end(c: &Connection, number: i64, state: MeetingState) -> Result<(), StoreError> {
    destroy_key(c, number)?;
    c.prepare_cached("UPDATE meeting SET state = ?2 WHERE number = ?1")?
        .execute(params![number, state.number()])?;
    advance(c, number)
}

fn destroy_key(c: &Connection, number: i64) -> Result<(), StoreError> {
    c.prepare_cached("DELETE FROM meeting_reference WHERE meeting = ?1")?
        .execute([number])?;
    c.prepare_cached("DELETE FROM meeting_card WHERE meeting = ?1")?
        .execute([number])?;
    c.prepare_cached("UPDATE meeting SET key_id = NULL, key = NULL WHERE number = ?1")?
        .execute([number])?;
    Ok(())
}

pub(super) fn destroy_keys(
    c: &Connection,
    ended_before: WallTime,
    limit: u32,
) -> Result<u32, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT number FROM meeting WHERE key IS NOT NULL AND ends_ms < ?1
         ORDER BY ends_ms LIMIT ?2",
    )?;
    let numbers: Vec<i64> = statement
        .query_map(params![ended_before.0, limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for number in &numbers {
        destroy_key(c, *number)?;
    }
    Ok(u32::try_from(numbers.len()).unwrap_or(u32::MAX))
}

/// Lets a meeting's generation grow.
pub(super) fn advance(c: &Connection, number: i64) -> Result<(), StoreError> {
    c.prepare_cached("UPDATE meeting SET generation = generation + 1 WHERE number = ?1")?
        .execute([number])?;
    Ok(())
}

/// Lets the generation of all meetings of an organisation grow that follow changes.
pub(super) fn advance_all(
    c: &Connection,
    organisation: i64,
    now: WallTime,
) -> Result<(), StoreError> {
    c.prepare_cached(
        "UPDATE meeting SET generation = generation + 1
         WHERE organisation = ?1 AND state = ?2 AND ends_ms > ?3",
    )?
    .execute(params![
        organisation,
        MeetingState::Planned.number(),
        follows_since(now)
    ])?;
    Ok(())
}

/// Lets the generation of all meetings grow that show of a person what has changed.
pub(super) fn advance_showing(
    c: &Connection,
    person: i64,
    before: &PersonDetails,
    after: &PersonDetails,
    now: WallTime,
) -> Result<(), StoreError> {
    c.prepare_cached(
        "UPDATE meeting SET generation = generation + 1
         WHERE state = ?2 AND ends_ms > ?3 AND number IN (
             SELECT meeting FROM entry
             WHERE person = ?1 AND (?4 OR (?5 AND title IS NULL) OR (?6 AND unit IS NULL)))",
    )?
    .execute(params![
        person,
        MeetingState::Planned.number(),
        follows_since(now),
        before.name != after.name,
        before.title != after.title,
        before.unit != after.unit,
    ])?;
    Ok(())
}

/// Meetings that end later than this follow what changes about their people.
pub(super) fn follows_since(now: WallTime) -> i64 {
    now.saturating_sub(FOLLOWS_AFTER_END).0
}
