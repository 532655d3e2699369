//! Notes about devices' records, and how much there is of everything.

use rusqlite::{Connection, Row, params};
use vocabulary::{Digest, Epoch, OrganisationId, Sequence, WallTime};

use super::convert::{self, Numbered, signed};
use super::database::damaged;
use super::ingest::newest_commit;
use crate::model::{
    Commit, MeetingState, Note, NoteKind, NoteNumber, QuarantineReason, Quarantined, Totals,
};
use crate::store::StoreError;

/// Writes a note, unless the same stands there already.
pub(super) fn write(
    c: &Connection,
    device: i64,
    epoch: Epoch,
    kind: &NoteKind,
    now: WallTime,
) -> Result<(), StoreError> {
    let row = NoteRow::of(kind);
    c.prepare_cached(
        "INSERT OR IGNORE INTO note (at_ms, device, epoch, kind, sequence, other, digest, meeting)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        now.0,
        device,
        epoch.0,
        row.kind,
        signed(row.sequence),
        signed(row.other),
        row.digest.as_ref().map_or(&[][..], |digest| &digest.0),
        row.meeting,
    ])?;
    Ok(())
}

/// Notes behind a number.
pub(super) fn after(
    c: &Connection,
    organisation: &OrganisationId,
    after: NoteNumber,
    limit: u32,
) -> Result<Vec<Note>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT n.number, n.at_ms, d.id, n.epoch, n.kind, n.sequence, n.other, n.digest, n.meeting
         FROM note n JOIN device d ON d.number = n.device
         JOIN organisation o ON o.number = d.organisation
         WHERE o.id = ?1 AND n.number > ?2 ORDER BY n.number LIMIT ?3",
    )?;
    let limit = limit.min(wire::limits::PAGE_ITEMS_MAX);
    let mut rows = statement.query(params![organisation.as_str(), signed(after.0), limit])?;
    let mut notes = Vec::new();
    while let Some(row) = rows.next()? {
        notes.push(Note {
            number: NoteNumber(convert::unsigned(row, 0, "note.number")?),
            at: WallTime(row.get(1)?),
            device: convert::id(row, 2, "device.id")?,
            epoch: Epoch(convert::bytes(row, 3, "note.epoch")?),
            kind: read_kind(row)?,
        });
    }
    Ok(notes)
}

/// How much there is.
pub(super) fn totals(c: &Connection) -> Result<Totals, StoreError> {
    let count = |sql: &str| -> Result<u64, StoreError> {
        let count: i64 = c.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let planned: i64 = c
        .prepare_cached("SELECT count(*) FROM meeting WHERE state = ?1")?
        .query_row([MeetingState::Planned.number()], |row| row.get(0))?;
    Ok(Totals {
        commit: Commit(newest_commit(c)?),
        kept_aside: count("SELECT count(*) FROM aside")?,
        notes: count("SELECT count(*) FROM note")?,
        devices: count("SELECT count(*) FROM device")?,
        devices_revoked: count("SELECT count(*) FROM device WHERE revoked_ms IS NOT NULL")?,
        meetings_planned: u64::try_from(planned).unwrap_or(0),
    })
}

/// The columns of a note, as far as its kind has them. The numbers of kinds stand in the schema
/// too, where it says what tells two notes of a kind apart.
struct NoteRow<'a> {
    kind: i64,
    sequence: u64,
    other: u64,
    digest: Option<Digest>,
    meeting: &'a str,
}

impl<'a> NoteRow<'a> {
    fn of(kind: &'a NoteKind) -> Self {
        let row = |kind| Self {
            kind,
            sequence: 0,
            other: 0,
            digest: None,
            meeting: "",
        };
        match kind {
            NoteKind::Lost { from, through } => Self {
                sequence: from.0,
                other: through.0,
                ..row(1)
            },
            NoteKind::KeptAside(what) => Self {
                sequence: what.sequence.0,
                other: u64::try_from(what.why.number()).unwrap_or(0),
                digest: Some(what.digest),
                ..row(2)
            },
            NoteKind::UnknownMeeting { sequence, meeting } => Self {
                sequence: sequence.0,
                meeting: meeting.as_str(),
                ..row(3)
            },
            NoteKind::UnknownKind { sequence, kind } => Self {
                sequence: sequence.0,
                other: u64::from(*kind),
                ..row(4)
            },
            NoteKind::EpochUnlinked { previous } => Self {
                digest: Some(*previous),
                ..row(5)
            },
            NoteKind::HeadInvalid => row(6),
            NoteKind::HeadContradicts { sequence, digest } => Self {
                sequence: sequence.0,
                digest: Some(*digest),
                ..row(7)
            },
        }
    }
}

fn read_kind(row: &Row<'_>) -> Result<NoteKind, StoreError> {
    let number: i64 = row.get(4)?;
    let sequence: Sequence = convert::sequence(row, 5, "note.sequence")?;
    let digest = || convert::bytes(row, 7, "note.digest").map(Digest);
    Ok(match number {
        1 => NoteKind::Lost {
            from: sequence,
            through: convert::sequence(row, 6, "note.other")?,
        },
        2 => NoteKind::KeptAside(Quarantined {
            sequence,
            digest: digest()?,
            why: QuarantineReason::read(row, 6, "note.other")?,
        }),
        3 => NoteKind::UnknownMeeting {
            sequence,
            meeting: convert::id(row, 8, "note.meeting")?,
        },
        4 => NoteKind::UnknownKind {
            sequence,
            kind: row.get(6)?,
        },
        5 => NoteKind::EpochUnlinked {
            previous: digest()?,
        },
        6 => NoteKind::HeadInvalid,
        7 => NoteKind::HeadContradicts {
            sequence,
            digest: digest()?,
        },
        other => return Err(damaged("note.kind")(format!("the number {other}").into())),
    })
}
