//! Records in the order in which they were committed, for whoever follows them.

use record::Record;
use rusqlite::{Connection, Row, params};
use vocabulary::{DeviceId, Digest, Epoch, MeetingId, OrganisationId, WallTime};

use super::convert::{self, Numbered, signed};
use super::database::damaged;
use super::ingest::{named_meeting, newest_commit};
use super::organisations;
use crate::model::{Commit, Cursor, QuarantineReason, RecordPage, StoreIdentity, StoredRecord};
use crate::store::StoreError;
use crate::times::Clocks;

/// How many commits one page passes by at most while it looks for those of one organisation.
const PASSED_MAX: u64 = 20_000;

pub(super) fn identity(c: &Connection) -> Result<StoreIdentity, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT s.id, i.id FROM store s, incarnation i ORDER BY i.number DESC LIMIT 1",
    )?;
    let mut rows = statement.query([])?;
    match rows.next()? {
        None => Err(StoreError::Damaged {
            place: "store",
            source: None,
        }),
        Some(row) => Ok(StoreIdentity {
            store: convert::bytes(row, 0, "store.id")?,
            incarnation: convert::bytes(row, 1, "incarnation.id")?,
        }),
    }
}

pub(super) fn first_cursor(c: &Connection) -> Result<Cursor, StoreError> {
    Ok(Cursor {
        incarnation: identity(c)?.incarnation,
        commit: Commit(0),
    })
}

/// The commit of this incarnation up to which a cursor's reader has seen everything.
fn resolve(c: &Connection, cursor: Cursor) -> Result<u64, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT coalesce(min(later.begins_after), ?2) FROM incarnation of
         LEFT JOIN incarnation later ON later.number > of.number
         WHERE of.id = ?1 GROUP BY of.number",
    )?;
    let commit = signed(cursor.commit.0);
    let mut rows = statement.query(params![cursor.incarnation, commit])?;
    match rows.next()? {
        // Of a store that this one knows nothing of: everything is new to its reader.
        None => Ok(0),
        Some(row) => {
            Ok(convert::unsigned(row, 0, "incarnation.begins_after")?.min(cursor.commit.0))
        }
    }
}

/// The records of an organisation from one commit to another: held ones and those kept aside.
const RECORDS: &str = "
    SELECT * FROM (
        SELECT r.number AS number, d.id AS device, e.id AS epoch, r.sequence AS sequence,
               r.digest AS digest, r.received_ms AS received_ms, r.bytes AS bytes, NULL AS why,
               n.id AS meeting, d.number AS device_number
        FROM record r JOIN epoch e ON e.number = r.epoch JOIN device d ON d.number = e.device
        LEFT JOIN named_meeting n ON n.number = r.named_meeting
        WHERE d.organisation = ?1 AND r.number > ?2 AND r.number <= ?3
        UNION ALL
        SELECT a.number, d.id, e.id, a.sequence, a.digest, a.received_ms, a.bytes, a.why, NULL,
               d.number
        FROM aside a JOIN epoch e ON e.number = a.epoch JOIN device d ON d.number = e.device
        WHERE d.organisation = ?1 AND a.number > ?2 AND a.number <= ?3
    ) ORDER BY number LIMIT ?4";

pub(super) fn page(
    c: &Connection,
    organisation: &OrganisationId,
    after: Cursor,
    limit: u32,
) -> Result<RecordPage, StoreError> {
    let limit = limit.clamp(1, wire::limits::PAGE_ITEMS_MAX);
    let newest = newest_commit(c)?;
    // Behind everything, as of a store that lost its newest records without being restored as one.
    let from = resolve(c, after)?.min(newest);
    let to = newest.min(from + PASSED_MAX);
    let mut records = Vec::new();
    if let Some(organisation) = organisations::find(c, organisation)? {
        let mut statement = c.prepare_cached(RECORDS)?;
        let of = params![organisation, signed(from), signed(to), limit];
        let mut rows = statement.query(of)?;
        while let Some(row) = rows.next()? {
            records.push(read(row)?);
        }
    }
    let full = records.len() == limit as usize;
    let reached = match records.last() {
        Some((_, last)) if full => last.commit.0,
        Some(_) | None => to,
    };
    Ok(RecordPage {
        records: repaired(c, records)?,
        next: Cursor {
            incarnation: identity(c)?.incarnation,
            commit: Commit(reached),
        },
        more: reached < newest,
    })
}

pub(super) fn of_meeting(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: &MeetingId,
    after: Commit,
    limit: u32,
) -> Result<Vec<StoredRecord>, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(Vec::new());
    };
    let Some(named) = named_meeting(c, organisation, meeting)? else {
        return Ok(Vec::new());
    };
    let mut statement = c.prepare_cached(
        "SELECT r.number, d.id, e.id, r.sequence, r.digest, r.received_ms, r.bytes, NULL, n.id,
                d.number
         FROM record r JOIN epoch e ON e.number = r.epoch JOIN device d ON d.number = e.device
         JOIN named_meeting n ON n.number = r.named_meeting
         WHERE r.named_meeting = ?1 AND r.number > ?2 ORDER BY r.number LIMIT ?3",
    )?;
    let limit = limit.clamp(1, wire::limits::PAGE_ITEMS_MAX);
    let mut rows = statement.query(params![named, signed(after.0), limit])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(read(row)?);
    }
    repaired(c, records)
}

/// A record with the number of its device.
type WithDevice = (i64, StoredRecord);

fn read(row: &Row<'_>) -> Result<WithDevice, StoreError> {
    let aside = match row.get_ref(7)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(QuarantineReason::read(row, 7, "aside.why")?),
    };
    let meeting = match row.get_ref(8)? {
        rusqlite::types::ValueRef::Null => None,
        _ => Some(convert::id(row, 8, "named_meeting.id")?),
    };
    let bytes: Vec<u8> = row.get(6)?;
    let decoded = Record::decode(&bytes);
    if aside.is_none()
        && let Err(error) = decoded
    {
        return Err(damaged("record.bytes")(error.into()));
    }
    let decoded = decoded.ok();
    let of_body = |record: &Record| record.body.meeting().cloned();
    let record = StoredRecord {
        commit: Commit(convert::unsigned(row, 0, "record.number")?),
        device: convert::id(row, 1, "device.id")?,
        epoch: Epoch(convert::bytes(row, 2, "epoch.id")?),
        sequence: convert::sequence(row, 3, "record.sequence")?,
        digest: Digest(convert::bytes(row, 4, "record.digest")?),
        kind: decoded.as_ref().map(|record| record.body.kind()),
        meeting: meeting.or_else(|| decoded.as_ref().and_then(of_body)),
        person: decoded
            .as_ref()
            .and_then(|record| record.body.person().cloned()),
        at: decoded.as_ref().map(|record| record.at.wall),
        repaired_at: None,
        received_at: WallTime(row.get(5)?),
        aside,
        bytes,
    };
    Ok((row.get(9)?, record))
}

/// Fills in what is known today of the clocks that the records were made by.
fn repaired(c: &Connection, records: Vec<WithDevice>) -> Result<Vec<StoredRecord>, StoreError> {
    let mut clocks = KnownClocks::default();
    let mut repaired = Vec::with_capacity(records.len());
    for (device, mut record) in records {
        if let Ok(decoded) = Record::decode(&record.bytes)
            && decoded.device == record.device
        {
            clocks.learn(c, device, &record.device, &decoded)?;
            record.repaired_at = clocks.clocks.repair(&decoded.device, &decoded.at);
        }
        repaired.push(record);
    }
    Ok(repaired)
}

/// The clocks of the boots that were met so far.
#[derive(Default)]
struct KnownClocks {
    clocks: Clocks,
    met: std::collections::HashSet<(DeviceId, vocabulary::BootId)>,
}

impl KnownClocks {
    fn learn(
        &mut self,
        c: &Connection,
        number: i64,
        device: &DeviceId,
        record: &Record,
    ) -> Result<(), StoreError> {
        let boot = record.at.boot;
        if !self.met.insert((device.clone(), boot)) {
            return Ok(());
        }
        for (_, bytes) in observations(c, number, boot, u64::MAX)? {
            let observation =
                Record::decode(&bytes).map_err(|error| damaged("record.bytes")(error.into()))?;
            self.clocks.learn(&observation);
        }
        Ok(())
    }
}

/// The clock observations of a boot up to a commit: commit and bytes, in the order of commits.
pub(super) fn observations(
    c: &Connection,
    device: i64,
    boot: vocabulary::BootId,
    through: u64,
) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT r.number, r.bytes FROM observation o JOIN record r ON r.number = o.record
         WHERE o.device = ?1 AND o.boot = ?2 AND o.record <= ?3 ORDER BY o.record",
    )?;
    let mut rows = statement.query(params![device, boot.0, signed(through)])?;
    let mut observations = Vec::new();
    while let Some(row) = rows.next()? {
        let number = convert::unsigned(row, 0, "record.number")?;
        observations.push((number, row.get(1)?));
    }
    Ok(observations)
}
