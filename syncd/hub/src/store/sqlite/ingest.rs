//! Looks up what [`crate::ingest`] needs to decide about a batch, and does what it decided.

use std::collections::HashMap;

use record::{Body, Record};
use rusqlite::{Connection, OptionalExtension, params};
use vocabulary::{DeviceId, Digest, Epoch, MeetingId, Sequence, WallTime};

use super::convert::{self, Numbered, signed};
use super::database::damaged;
use super::{devices, notes, organisations};
use crate::ingest::{Batch, Decision, Examined, Held, Known, Taken, believed_head, decide, places};
use crate::model::{Commit, Ingested, KeptHead, NoteKind, Position, QuarantineReason};
use crate::store::{ASIDE_ROW_BYTES, EPOCHS_MAX, StoreError};

/// An epoch's row.
struct EpochRow {
    number: i64,
    through: u64,
    last: u64,
    last_digest: Option<Digest>,
}

/// Takes a batch, within a transaction.
pub(super) fn take(
    c: &Connection,
    device: &DeviceId,
    batch: &Batch,
    examined: &[Examined],
    now: WallTime,
    aside_bytes_max: u64,
) -> Result<Ingested, StoreError> {
    let row = devices::ingest_row(c, device)?;
    let places = places(batch)?;
    let epoch = find_epoch(c, row.number, batch.epoch)?;
    let known = known(c, &row, epoch.as_ref(), batch, places)?;
    let decision = decide(device, batch, examined, known)?;
    let ingested = Ingested {
        position: Position {
            epoch: batch.epoch,
            committed_through: decision.acknowledged,
            digest: decision.at_acknowledged,
        },
        quarantined: decision.quarantined.clone(),
        accepted: None,
    };
    let nothing_new = decision.taken.is_empty()
        && decision.aside.is_empty()
        && decision.notes.is_empty()
        && decision.through.0 <= epoch.as_ref().map_or(0, |epoch| epoch.through);
    if nothing_new && (batch.head.is_none() || epoch.is_none()) {
        return Ok(ingested);
    }
    let epoch = match epoch {
        Some(epoch) => epoch,
        None => make_epoch(c, row.number, batch.epoch)?,
    };
    let mut pen = Pen {
        c,
        device: &row,
        epoch: &epoch,
        batch,
        now,
        aside_bytes_max,
        meetings: HashMap::new(),
        named: HashMap::new(),
    };
    let accepted = pen.write(&decision)?;
    pen.write_notes(&decision)?;
    if let Some(head) = &batch.head {
        pen.write_head(device, head)?;
    }
    Ok(Ingested {
        accepted,
        ..ingested
    })
}

/// How far an epoch is here.
pub(super) fn position(
    c: &Connection,
    device: &DeviceId,
    epoch: Epoch,
) -> Result<Position, StoreError> {
    let row = devices::ingest_row(c, device)?;
    let found = find_epoch(c, row.number, epoch)?;
    let (through, digest) = match found {
        None => (0, None),
        Some(row) if holds_all(c, row.number, row.through)? => {
            (row.through, held_digest(c, row.number, row.through)?)
        }
        Some(row) => (row.through, None),
    };
    Ok(Position {
        epoch,
        committed_through: Sequence(through),
        digest,
    })
}

/// The newest believed heads of a device.
pub(super) fn heads(c: &Connection, device: &DeviceId) -> Result<Vec<KeptHead>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT e.id, e.head_sequence, e.head FROM epoch e JOIN device d ON d.number = e.device
         WHERE d.id = ?1 AND e.head IS NOT NULL ORDER BY e.number",
    )?;
    let mut rows = statement.query([device.as_str()])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        heads.push(KeptHead {
            device: device.clone(),
            epoch: Epoch(convert::bytes(row, 0, "epoch.id")?),
            sequence: convert::sequence(row, 1, "epoch.head_sequence")?,
            bytes: row.get(2)?,
        });
    }
    Ok(heads)
}

fn find_epoch(c: &Connection, device: i64, epoch: Epoch) -> Result<Option<EpochRow>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT number, through, last, last_digest FROM epoch WHERE device = ?1 AND id = ?2",
    )?;
    let mut rows = statement.query(params![device, epoch.0])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(EpochRow {
        number: row.get(0)?,
        through: convert::unsigned(row, 1, "epoch.through")?,
        last: convert::unsigned(row, 2, "epoch.last")?,
        last_digest: convert::maybe_bytes(row, 3, "epoch.last_digest")?.map(Digest),
    }))
}

fn make_epoch(c: &Connection, device: i64, epoch: Epoch) -> Result<EpochRow, StoreError> {
    let count = "SELECT count(*) FROM epoch WHERE device = ?1";
    organisations::below(c, "epochs of this device", EPOCHS_MAX, count, [device])?;
    let number = c
        .prepare_cached("INSERT INTO epoch (device, id, through, last) VALUES (?1, ?2, 0, 0)")?
        .insert(params![device, epoch.0])?;
    Ok(EpochRow {
        number,
        through: 0,
        last: 0,
        last_digest: None,
    })
}

fn known(
    c: &Connection,
    device: &devices::IngestRow,
    epoch: Option<&EpochRow>,
    batch: &Batch,
    places: std::ops::RangeInclusive<u64>,
) -> Result<Known, StoreError> {
    let mut known = Known::default();
    if batch.first == Sequence::FIRST {
        known.ends = ends(c, device.number, batch.epoch)?;
    }
    let Some(epoch) = epoch else {
        return Ok(known);
    };
    known.through = epoch.through;
    let (from, to) = (*places.start(), *places.end());
    if epoch.last <= from {
        // The usual case: the batch goes on behind the last record, so no table is searched.
        if let Some(digest) = epoch.last_digest.filter(|_| epoch.last == from) {
            let previous = Digest::ZERO;
            known.held.insert(from, Held { digest, previous });
        }
    } else {
        known.held = held(c, epoch.number, from, to)?;
    }
    if device.aside_bytes > 0 {
        known.aside = aside(c, epoch.number, from, to)?;
    }
    if *places.start() > epoch.through {
        known.at_through = held_digest(c, epoch.number, epoch.through)?;
    }
    Ok(known)
}

/// The digests of the last records of a device's other epochs.
fn ends(c: &Connection, device: i64, epoch: Epoch) -> Result<Vec<Digest>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT last_digest FROM epoch
         WHERE device = ?1 AND id <> ?2 AND last_digest IS NOT NULL",
    )?;
    let mut rows = statement.query(params![device, epoch.0])?;
    let mut ends = Vec::new();
    while let Some(row) = rows.next()? {
        ends.push(Digest(convert::bytes(row, 0, "epoch.last_digest")?));
    }
    Ok(ends)
}

fn held(
    c: &Connection,
    epoch: i64,
    from: u64,
    to: u64,
) -> Result<std::collections::BTreeMap<u64, Held>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT sequence, digest, bytes FROM record
         WHERE epoch = ?1 AND sequence BETWEEN ?2 AND ?3",
    )?;
    let mut rows = statement.query(params![epoch, signed(from), signed(to)])?;
    let mut held = std::collections::BTreeMap::new();
    while let Some(row) = rows.next()? {
        let record = Record::decode(row.get_ref(2)?.as_blob().unwrap_or_default())
            .map_err(|error| damaged("record.bytes")(error.into()))?;
        let one = Held {
            digest: Digest(convert::bytes(row, 1, "record.digest")?),
            previous: record.previous,
        };
        held.insert(convert::unsigned(row, 0, "record.sequence")?, one);
    }
    Ok(held)
}

fn aside(
    c: &Connection,
    epoch: i64,
    from: u64,
    to: u64,
) -> Result<std::collections::BTreeMap<(u64, Digest), QuarantineReason>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT sequence, digest, why FROM aside
         WHERE epoch = ?1 AND sequence BETWEEN ?2 AND ?3",
    )?;
    let mut rows = statement.query(params![epoch, signed(from), signed(to)])?;
    let mut aside = std::collections::BTreeMap::new();
    while let Some(row) = rows.next()? {
        let sequence = convert::unsigned(row, 0, "aside.sequence")?;
        let digest = Digest(convert::bytes(row, 1, "aside.digest")?);
        let why = QuarantineReason::read(row, 2, "aside.why")?;
        aside.insert((sequence, digest), why);
    }
    Ok(aside)
}

/// Whether every record of an epoch up to a number is held, and so is one chain: what is held next
/// to each other was found to follow.
fn holds_all(c: &Connection, epoch: i64, through: u64) -> Result<bool, StoreError> {
    let held: i64 = c
        .prepare_cached(
            "SELECT count(*) FROM record WHERE epoch = ?1 AND sequence BETWEEN 1 AND ?2",
        )?
        .query_row(params![epoch, signed(through)], |row| row.get(0))?;
    Ok(u64::try_from(held) == Ok(through))
}

fn held_digest(c: &Connection, epoch: i64, sequence: u64) -> Result<Option<Digest>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT digest FROM record WHERE epoch = ?1 AND sequence = ?2")?;
    let mut rows = statement.query(params![epoch, signed(sequence)])?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => Ok(Some(Digest(convert::bytes(row, 0, "record.digest")?))),
    }
}

/// The newest commit number; 0 before the first.
pub(super) fn newest_commit(c: &Connection) -> Result<u64, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT max(coalesce((SELECT max(number) FROM record), 0),
                    coalesce((SELECT max(number) FROM aside), 0))",
    )?;
    let mut rows = statement.query([])?;
    match rows.next()? {
        None => Ok(0),
        Some(row) => convert::unsigned(row, 0, "record.number"),
    }
}

/// Writes down what was decided about one batch.
struct Pen<'a> {
    c: &'a Connection,
    device: &'a devices::IngestRow,
    epoch: &'a EpochRow,
    batch: &'a Batch,
    now: WallTime,
    aside_bytes_max: u64,
    /// The numbers of meetings that records of this batch name.
    meetings: HashMap<MeetingId, i64>,
    /// Which of them each record of this batch belongs to.
    named: HashMap<Sequence, Option<i64>>,
}

impl Pen<'_> {
    /// Writes the records and how far the epoch is; says which commit numbers they got.
    fn write(&mut self, decision: &Decision<'_>) -> Result<Option<(Commit, Commit)>, StoreError> {
        let before = newest_commit(self.c)?;
        let mut number = before;
        let mut insert = self.c.prepare_cached(
            "INSERT INTO record
             (number, epoch, sequence, digest, named_meeting, received_ms, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        for taken in &decision.taken {
            number += 1;
            let meeting = self.meeting_of(taken)?;
            self.named.insert(taken.sequence, meeting);
            insert.execute(params![
                signed(number),
                self.epoch.number,
                signed(taken.sequence.0),
                taken.digest.0,
                meeting,
                self.now.0,
                self.batch.records[taken.index],
            ])?;
            if let Body::ClockObservation(_) = taken.record.body {
                self.c
                    .prepare_cached("INSERT INTO observation VALUES (?1, ?2, ?3)")?
                    .execute(params![
                        self.device.number,
                        taken.record.at.boot.0,
                        signed(number)
                    ])?;
            }
        }
        self.write_aside(decision, &mut number)?;
        self.write_epoch(decision)?;
        Ok((number > before).then_some((Commit(before + 1), Commit(number))))
    }

    fn write_aside(&self, decision: &Decision<'_>, number: &mut u64) -> Result<(), StoreError> {
        let mut total = self.device.aside_bytes;
        for aside in &decision.aside {
            *number += 1;
            let bytes = &self.batch.records[aside.index];
            total += bytes.len() as u64 + ASIDE_ROW_BYTES;
            self.c
                .prepare_cached(
                    "INSERT INTO aside
                     (number, epoch, sequence, digest, why, received_ms, bytes)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    signed(*number),
                    self.epoch.number,
                    signed(aside.what.sequence.0),
                    aside.what.digest.0,
                    aside.what.why.number(),
                    self.now.0,
                    bytes,
                ])?;
        }
        if decision.aside.is_empty() {
            return Ok(());
        }
        if total > self.aside_bytes_max {
            return Err(StoreError::TooMany {
                what: "bytes of this device's records kept aside",
                max: self.aside_bytes_max,
            });
        }
        self.c
            .prepare_cached("UPDATE device SET aside_bytes = ?2 WHERE number = ?1")?
            .execute(params![self.device.number, signed(total)])?;
        Ok(())
    }

    fn write_epoch(&self, decision: &Decision<'_>) -> Result<(), StoreError> {
        let newest = decision
            .taken
            .last()
            .filter(|taken| taken.sequence.0 > self.epoch.last);
        let (last, last_digest) = match newest {
            Some(taken) => (taken.sequence.0, Some(taken.digest)),
            None => (self.epoch.last, self.epoch.last_digest),
        };
        self.c
            .prepare_cached(
                "UPDATE epoch SET through = ?2, last = ?3, last_digest = ?4 WHERE number = ?1",
            )?
            .execute(params![
                self.epoch.number,
                signed(decision.through.0),
                signed(last),
                last_digest.map(|digest| digest.0),
            ])?;
        Ok(())
    }

    /// The number of the meeting that a record belongs to: the one that it names, or for what is
    /// said about another record, that one's.
    fn meeting_of(&mut self, taken: &Taken<'_>) -> Result<Option<i64>, StoreError> {
        let body = &taken.record.body;
        if let Some(meeting) = body.meeting() {
            return self.named_meeting(meeting).map(Some);
        }
        match body {
            Body::ReleaseOutcome(outcome) => self.meeting_at(self.batch.epoch, outcome.of),
            Body::Correction(correction) => self.meeting_at(correction.of.0, correction.of.1),
            Body::CheckIn(_)
            | Body::CheckOut(_)
            | Body::Refused(_)
            | Body::ClockObservation(_)
            | Body::Fault(_)
            | Body::Loss(_)
            | Body::MeetingOpened(_)
            | Body::MeetingClosed(_)
            | Body::Unknown(_) => Ok(None),
        }
    }

    fn named_meeting(&mut self, meeting: &MeetingId) -> Result<i64, StoreError> {
        if let Some(number) = self.meetings.get(meeting) {
            return Ok(*number);
        }
        let organisation = self.device.organisation;
        let number = match named_meeting(self.c, organisation, meeting)? {
            Some(number) => number,
            None => self
                .c
                .prepare_cached("INSERT INTO named_meeting (organisation, id) VALUES (?1, ?2)")?
                .insert(params![organisation, meeting.as_str()])?,
        };
        self.meetings.insert(meeting.clone(), number);
        Ok(number)
    }

    fn meeting_at(&self, epoch: Epoch, sequence: Sequence) -> Result<Option<i64>, StoreError> {
        let epoch = if epoch == self.batch.epoch {
            if let Some(named) = self.named.get(&sequence) {
                return Ok(*named);
            }
            Some(self.epoch.number)
        } else {
            find_epoch(self.c, self.device.number, epoch)?.map(|epoch| epoch.number)
        };
        let found: Option<Option<i64>> = self
            .c
            .prepare_cached("SELECT named_meeting FROM record WHERE epoch = ?1 AND sequence = ?2")?
            .query_row(params![epoch, signed(sequence.0)], |row| row.get(0))
            .optional()?;
        Ok(found.flatten())
    }

    fn write_notes(&self, decision: &Decision<'_>) -> Result<(), StoreError> {
        for kind in &decision.notes {
            self.note(kind)?;
        }
        for (meeting, sequence) in &decision.meetings {
            let known: bool = self
                .c
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM meeting WHERE organisation = ?1 AND id = ?2)",
                )?
                .query_row(params![self.device.organisation, meeting.as_str()], |row| {
                    row.get(0)
                })?;
            if !known {
                self.note(&NoteKind::UnknownMeeting {
                    sequence: *sequence,
                    meeting: meeting.clone(),
                })?;
            }
        }
        Ok(())
    }

    fn write_head(&self, device: &DeviceId, bytes: &[u8]) -> Result<(), StoreError> {
        let key = self.device.head_key.as_ref();
        let head = key.and_then(|key| believed_head(device, self.batch.epoch, bytes, key));
        let Some(head) = head else {
            return self.note(&NoteKind::HeadInvalid);
        };
        let held = held_digest(self.c, self.epoch.number, head.sequence.0)?;
        if held.is_some_and(|held| held != head.digest) {
            return self.note(&NoteKind::HeadContradicts {
                sequence: head.sequence,
                digest: head.digest,
            });
        }
        self.c
            .prepare_cached(
                "UPDATE epoch SET head_sequence = ?2, head = ?3
                 WHERE number = ?1 AND coalesce(head_sequence, 0) < ?2",
            )?
            .execute(params![self.epoch.number, signed(head.sequence.0), bytes])?;
        Ok(())
    }

    fn note(&self, kind: &NoteKind) -> Result<(), StoreError> {
        notes::write(self.c, self.device.number, self.batch.epoch, kind, self.now)
    }
}

/// The number of a meeting as records name it.
pub(super) fn named_meeting(
    c: &Connection,
    organisation: i64,
    meeting: &MeetingId,
) -> Result<Option<i64>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT number FROM named_meeting WHERE organisation = ?1 AND id = ?2")?;
    let found = statement.query_row(params![organisation, meeting.as_str()], |row| row.get(0));
    Ok(found.optional()?)
}
