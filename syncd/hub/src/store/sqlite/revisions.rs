//! Revisions of rolls: which there are, when a new one is due, and what each is made from.

use std::collections::BTreeSet;

use record::Record;
use rusqlite::{Connection, Row, params};
use vocabulary::{BootId, MeetingId, OrganisationId, WallTime};

use super::convert::{self, signed};
use super::database::damaged;
use super::events;
use super::ingest::{named_meeting, newest_commit};
use super::meetings::{self, MeetingRow};
use super::organisations;
use super::records;
use super::rosters::{self, Read};
use crate::model::{Commit, EventKind, MeetingState, RevisionInputs, RollRevision};
use crate::store::{ROLL_RECORDS_MAX, StoreError};

/// How many numbers of revisions a restored store leaves out for each restoration. The store that
/// it was saved from may have given them to revisions that nobody here knows of.
const LEFT_OUT_PER_RESTORATION: u32 = 1_000;

pub(super) fn read(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: &MeetingId,
    number: Option<u32>,
) -> Result<Read<Option<RevisionInputs>>, StoreError> {
    let Some(row) = meetings::find_of(c, organisation, meeting)? else {
        return Ok(Read::Here(None));
    };
    if let Some(number) = number {
        let Some(revision) = revision(c, row.number, Some(number))? else {
            return Ok(Read::Here(None));
        };
        let made_from = MadeFrom::load(c, &row, revision.commit.0)?;
        return inputs(c, &row, revision, made_from).map(|inputs| Read::Here(Some(inputs)));
    }
    let Some(revision) = revision(c, row.number, None)? else {
        return Ok(Read::NotYetMade);
    };
    let made_from = MadeFrom::load(c, &row, newest_commit(c)?)?;
    if is_due(&row, revision, &made_from) {
        return Ok(Read::NotYetMade);
    }
    inputs(c, &row, revision, made_from).map(|inputs| Read::Here(Some(inputs)))
}

/// Makes a new revision if one is still due.
pub(super) fn make(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: &MeetingId,
    now: WallTime,
) -> Result<Option<RevisionInputs>, StoreError> {
    let Some(row) = meetings::find_of(c, organisation, meeting)? else {
        return Ok(None);
    };
    let newest = newest_commit(c)?;
    let made_from = MadeFrom::load(c, &row, newest)?;
    let last = revision(c, row.number, None)?;
    let revision = match last {
        Some(last) if !is_due(&row, last, &made_from) => last,
        last => {
            if row.meeting.state != MeetingState::Closed {
                rosters::made(c, organisation, &row)?;
            }
            let revision = RollRevision {
                number: last.map_or(0, |last| last.number).max(left_out(c)?) + 1,
                commit: Commit(newest),
                generation: row.roll_generation(),
                closed: row.meeting.state == MeetingState::Closed,
                made_at: now,
            };
            insert(c, row.number, revision)?;
            let of = organisations::number(c, organisation)?;
            let number = u64::from(revision.number);
            events::note(c, of, EventKind::RollRevised, meeting.as_str(), number, now)?;
            revision
        }
    };
    inputs(c, &row, revision, made_from).map(Some)
}

/// Closed meetings whose roll lacks their closing or a record, of organisations that want to be
/// told.
pub(super) fn behind(
    c: &Connection,
    ended_after: WallTime,
    limit: u32,
) -> Result<Vec<(OrganisationId, MeetingId)>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT o.id, m.id FROM meeting m JOIN organisation o ON o.number = m.organisation
         WHERE m.state = 3 AND m.ends_ms > ?1
           AND EXISTS (SELECT 1 FROM webhook w WHERE w.organisation = m.organisation
               AND ' ' || w.events || ' ' LIKE '% ' || ?2 || ' %')
           AND coalesce((SELECT r.through FROM revision r WHERE r.meeting = m.number
                   AND r.closed ORDER BY r.number DESC LIMIT 1), -1)
             < coalesce((SELECT max(r.number) FROM named_meeting n
                   JOIN record r ON r.named_meeting = n.number
                   WHERE n.organisation = m.organisation AND n.id = m.id), 0)
         ORDER BY m.ends_ms LIMIT ?3",
    )?;
    let kind = EventKind::RollRevised.number();
    let mut rows = statement.query(params![ended_after.0, kind, limit])?;
    let mut behind = Vec::new();
    while let Some(row) = rows.next()? {
        behind.push((
            convert::id(row, 0, "organisation.id")?,
            convert::id(row, 1, "meeting.id")?,
        ));
    }
    Ok(behind)
}

/// Whether anything changed that a roll shows.
fn is_due(row: &MeetingRow, last: RollRevision, made_from: &MadeFrom) -> bool {
    last.generation != row.roll_generation()
        || last.closed != (row.meeting.state == MeetingState::Closed)
        || made_from.newest > last.commit.0
}

fn revision(
    c: &Connection,
    meeting: i64,
    number: Option<u32>,
) -> Result<Option<RollRevision>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT number, through, generation, closed, made_ms FROM revision
         WHERE meeting = ?1 AND (?2 IS NULL OR number = ?2) ORDER BY number DESC LIMIT 1",
    )?;
    let mut rows = statement.query(params![meeting, number])?;
    rows.next()?.map(read_revision).transpose()
}

fn read_revision(row: &Row<'_>) -> Result<RollRevision, StoreError> {
    Ok(RollRevision {
        number: row.get(0)?,
        commit: Commit(convert::unsigned(row, 1, "revision.through")?),
        generation: convert::unsigned(row, 2, "revision.generation")?,
        closed: row.get(3)?,
        made_at: WallTime(row.get(4)?),
    })
}

fn left_out(c: &Connection) -> Result<u32, StoreError> {
    let restorations: u32 = c
        .prepare_cached("SELECT count(*) - 1 FROM incarnation")?
        .query_row([], |row| row.get(0))?;
    Ok(restorations.saturating_mul(LEFT_OUT_PER_RESTORATION))
}

fn insert(c: &Connection, meeting: i64, revision: RollRevision) -> Result<(), StoreError> {
    c.prepare_cached(
        "INSERT INTO revision (meeting, number, through, generation, closed, made_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        meeting,
        revision.number,
        signed(revision.commit.0),
        signed(revision.generation),
        revision.closed,
        revision.made_at.0,
    ])?;
    Ok(())
}

fn inputs(
    c: &Connection,
    row: &MeetingRow,
    revision: RollRevision,
    made_from: MadeFrom,
) -> Result<RevisionInputs, StoreError> {
    let roster = rosters::snapshot_at(c, row.number, revision.generation)?;
    let roster = roster.ok_or(StoreError::Damaged {
        place: "snapshot",
        source: None,
    })?;
    Ok(RevisionInputs {
        revision,
        roster: roster.bytes,
        records: made_from.records,
        observations: made_from.observations,
    })
}

/// Records of a meeting, and what was learnt of the clocks that they were made by.
struct MadeFrom {
    records: Vec<Vec<u8>>,
    observations: Vec<Vec<u8>>,
    /// The newest commit among both.
    newest: u64,
}

impl MadeFrom {
    fn load(c: &Connection, row: &MeetingRow, through: u64) -> Result<Self, StoreError> {
        let mut made_from = Self {
            records: Vec::new(),
            observations: Vec::new(),
            newest: 0,
        };
        let named = named_meeting(c, row.organisation, &row.meeting.plan.id)?;
        let mut statement = c.prepare_cached(
            "SELECT r.number, r.bytes, e.device FROM record r JOIN epoch e ON e.number = r.epoch
             WHERE r.named_meeting = ?1 AND r.number <= ?2 ORDER BY r.number",
        )?;
        let mut boots: BTreeSet<(i64, BootId)> = BTreeSet::new();
        let mut rows = statement.query(params![named, signed(through)])?;
        while let Some(row) = rows.next()? {
            if made_from.records.len() == ROLL_RECORDS_MAX {
                return Err(StoreError::TooMany {
                    what: "records of one meeting",
                    max: ROLL_RECORDS_MAX as u64,
                });
            }
            made_from.newest = convert::unsigned(row, 0, "record.number")?;
            let bytes: Vec<u8> = row.get(1)?;
            let record =
                Record::decode(&bytes).map_err(|error| damaged("record.bytes")(error.into()))?;
            boots.insert((row.get(2)?, record.at.boot));
            made_from.records.push(bytes);
        }
        let mut observations = Vec::new();
        for (device, boot) in boots {
            observations.extend(records::observations(c, device, boot, through)?);
        }
        observations.sort_unstable();
        for (commit, bytes) in observations {
            made_from.newest = made_from.newest.max(commit);
            made_from.observations.push(bytes);
        }
        Ok(made_from)
    }
}
