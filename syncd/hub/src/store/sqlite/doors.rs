//! What the devices at doors are told, and what they were told before: a device that was told of a
//! meeting is told as well when it has to forget it.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use vocabulary::{DeviceId, DoorId, MeetingId, OrganisationId, WallTime};
use wire::limits::DEVICE_MEETINGS_MAX;

use super::convert::{self, signed};
use super::devices::{self, DeviceRow};
use super::meetings::{self, MeetingRow};
use super::rosters::{self, Read};
use super::{cards, invitations, references};
use crate::model::{
    DeviceMeeting, DeviceMeetings, DeviceRoster, DeviceRosterAnswer, MeetingState, Withdrawal,
};
use crate::store::{StoreError, WITHDRAWN_AFTER_END};

/// Which meetings a device asks for, and when.
#[derive(Clone, Copy)]
pub(super) struct Window {
    pub(super) from: WallTime,
    pub(super) until: WallTime,
    pub(super) now: WallTime,
}

/// The largest generation of a meeting that a device was told of.
#[derive(Clone, Copy)]
struct Told {
    generation: u64,
    withdrawn: bool,
}

pub(super) fn meetings(
    c: &Connection,
    device: &DeviceId,
    window: Window,
) -> Result<Read<DeviceMeetings>, StoreError> {
    let device = devices::row(c, device)?;
    let told = told(c, device.number)?;
    let rows = at_doors(c, &device, window)?;
    let mut listed = Vec::with_capacity(rows.len());
    for row in &rows {
        let generation = row.meeting.generation;
        let up_to_date = told
            .get(&row.number)
            .is_some_and(|told| told.generation == generation && !told.withdrawn);
        match rosters::digest_at(c, row.number, generation)? {
            Some(digest) if up_to_date => listed.push(as_told(row, digest)),
            Some(_) | None => return Ok(Read::NotYetMade),
        }
    }
    let withdrawn = to_forget(c, &device, &told, &rows, window)?;
    if withdrawn.iter().any(|(number, _)| !told[number].withdrawn) {
        return Ok(Read::NotYetMade);
    }
    Ok(Read::Here(DeviceMeetings {
        meetings: listed,
        withdrawn: withdrawn.into_iter().map(|(_, one)| one).collect(),
    }))
}

pub(super) fn tell_meetings(
    c: &Connection,
    device: &DeviceId,
    window: Window,
) -> Result<DeviceMeetings, StoreError> {
    let device = devices::row(c, device)?;
    let told = told(c, device.number)?;
    let rows = at_doors(c, &device, window)?;
    let withdrawn = to_forget(c, &device, &told, &rows, window)?;
    let mut listed = Vec::with_capacity(rows.len());
    for row in rows {
        let row = above_withdrawal(c, row, &told)?;
        let digest = rosters::made(c, &device.organisation, &row)?;
        tell(c, device.number, &row)?;
        listed.push(as_told(&row, digest));
    }
    for (number, _) in &withdrawn {
        c.prepare_cached("UPDATE told SET withdrawn = 1 WHERE device = ?1 AND meeting = ?2")?
            .execute(params![device.number, number])?;
    }
    Ok(DeviceMeetings {
        meetings: listed,
        withdrawn: withdrawn.into_iter().map(|(_, one)| one).collect(),
    })
}

/// A device that was told to forget a meeting takes it again only under a larger generation.
fn above_withdrawal(
    c: &Connection,
    row: MeetingRow,
    told: &BTreeMap<i64, Told>,
) -> Result<MeetingRow, StoreError> {
    let below = told
        .get(&row.number)
        .is_some_and(|told| told.withdrawn && told.generation >= row.meeting.generation);
    if !below || row.meeting.state == MeetingState::Closed {
        return Ok(row);
    }
    meetings::advance(c, row.number)?;
    meetings::need(c, row.organisation, &row.meeting.plan.id)
}

fn tell(c: &Connection, device: i64, row: &MeetingRow) -> Result<(), StoreError> {
    c.prepare_cached(
        "INSERT INTO told (device, meeting, generation, withdrawn) VALUES (?1, ?2, ?3, 0)
         ON CONFLICT (device, meeting) DO UPDATE SET generation = ?3, withdrawn = 0",
    )?
    .execute(params![device, row.number, signed(row.meeting.generation)])?;
    Ok(())
}

fn as_told(row: &MeetingRow, digest: vocabulary::Digest) -> DeviceMeeting {
    let plan = &row.meeting.plan;
    DeviceMeeting {
        meeting: plan.id.clone(),
        generation: row.meeting.generation,
        digest,
        starts_at: plan.starts_at,
        ends_at: plan.ends_at,
        closed: row.meeting.state == MeetingState::Closed,
        key: row.key.clone(),
    }
}

fn told(c: &Connection, device: i64) -> Result<BTreeMap<i64, Told>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT meeting, generation, withdrawn FROM told WHERE device = ?1")?;
    let mut rows = statement.query([device])?;
    let mut told = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let one = Told {
            generation: convert::unsigned(row, 1, "told.generation")?,
            withdrawn: row.get(2)?,
        };
        told.insert(row.get(0)?, one);
    }
    Ok(told)
}

/// The planned and closed meetings at a device's doors in a window, the earliest of them.
fn at_doors(
    c: &Connection,
    device: &DeviceRow,
    window: Window,
) -> Result<Vec<MeetingRow>, StoreError> {
    let number = device.organisation_number;
    let mut rows = meetings::of_room(c, number, &device.room, window.from, window.until)?;
    rows.retain(|row| shares_a_door(&row.meeting.plan.doors, &device.doors));
    rows.truncate(DEVICE_MEETINGS_MAX);
    Ok(rows)
}

/// Whether a meeting at these doors, or at all of the room when none is named, is at one of the
/// device's.
fn shares_a_door(meeting: &[DoorId], device: &[DoorId]) -> bool {
    meeting.is_empty() || meeting.iter().any(|door| device.contains(door))
}

/// What a device was told of and must forget, by the numbers of the meetings.
fn to_forget(
    c: &Connection,
    device: &DeviceRow,
    told: &BTreeMap<i64, Told>,
    listed: &[MeetingRow],
    window: Window,
) -> Result<Vec<(i64, Withdrawal)>, StoreError> {
    let mut withdrawn = Vec::new();
    for (number, told) in told {
        if listed.iter().any(|row| row.number == *number) {
            continue;
        }
        let Some(row) = meetings::by_number(c, *number)? else {
            continue;
        };
        let plan = &row.meeting.plan;
        if plan.ends_at < window.now.saturating_sub(WITHDRAWN_AFTER_END) {
            continue;
        }
        let moved_away = plan.room != device.room || !shares_a_door(&plan.doors, &device.doors);
        let moved_in_time = row.meeting.generation > told.generation
            && (plan.ends_at <= window.from || plan.starts_at >= window.until);
        let forget = match row.meeting.state {
            MeetingState::Cancelled => true,
            MeetingState::Planned => moved_away || moved_in_time || told.withdrawn,
            MeetingState::Closed => moved_away || told.withdrawn,
        };
        if forget {
            let withdrawal = Withdrawal {
                meeting: plan.id.clone(),
                generation: told.generation,
            };
            withdrawn.push((*number, withdrawal));
        }
    }
    withdrawn.sort_by(|one, other| one.1.meeting.cmp(&other.1.meeting));
    Ok(withdrawn)
}

pub(super) fn roster(
    c: &Connection,
    device: &DeviceId,
    meeting: &MeetingId,
    unless: Option<u64>,
) -> Result<Read<DeviceRosterAnswer>, StoreError> {
    let device = devices::row(c, device)?;
    let row = match for_device(c, &device, meeting)? {
        Ok(row) => row,
        Err(answer) => return Ok(Read::Here(answer)),
    };
    let generation = row.meeting.generation;
    let told = told_of(c, device.number, row.number)?;
    if told.is_none_or(|told| told.generation != generation || told.withdrawn) {
        return Ok(Read::NotYetMade);
    }
    if unless == Some(generation) {
        return Ok(Read::Here(DeviceRosterAnswer::Unchanged));
    }
    match fill(c, &device.organisation, &row)? {
        None => Ok(Read::NotYetMade),
        Some(roster) => Ok(Read::Here(DeviceRosterAnswer::Here(Box::new(roster)))),
    }
}

pub(super) fn tell_roster(
    c: &Connection,
    device: &DeviceId,
    meeting: &MeetingId,
    unless: Option<u64>,
) -> Result<DeviceRosterAnswer, StoreError> {
    let device = devices::row(c, device)?;
    let row = match for_device(c, &device, meeting)? {
        Ok(row) => row,
        Err(answer) => return Ok(answer),
    };
    let told = told_of(c, device.number, row.number)?;
    let told = told.into_iter().map(|told| (row.number, told)).collect();
    let row = above_withdrawal(c, row, &told)?;
    rosters::made(c, &device.organisation, &row)?;
    tell(c, device.number, &row)?;
    if unless == Some(row.meeting.generation) {
        return Ok(DeviceRosterAnswer::Unchanged);
    }
    let roster = fill(c, &device.organisation, &row)?;
    Ok(roster.map_or(DeviceRosterAnswer::Gone, |roster| {
        DeviceRosterAnswer::Here(Box::new(roster))
    }))
}

fn told_of(c: &Connection, device: i64, meeting: i64) -> Result<Option<Told>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT generation, withdrawn FROM told WHERE device = ?1 AND meeting = ?2",
    )?;
    let mut rows = statement.query(params![device, meeting])?;
    match rows.next()? {
        None => Ok(None),
        Some(row) => Ok(Some(Told {
            generation: convert::unsigned(row, 0, "told.generation")?,
            withdrawn: row.get(1)?,
        })),
    }
}

/// The meeting, if its roster is for this device; or the answer instead.
fn for_device(
    c: &Connection,
    device: &DeviceRow,
    meeting: &MeetingId,
) -> Result<Result<MeetingRow, DeviceRosterAnswer>, StoreError> {
    let Some(row) = meetings::find(c, device.organisation_number, meeting)? else {
        return Ok(Err(DeviceRosterAnswer::Unknown));
    };
    let plan = &row.meeting.plan;
    let here = plan.room == device.room && shares_a_door(&plan.doors, &device.doors);
    let open = row.meeting.state == MeetingState::Planned && row.key.is_some();
    Ok(if here && open {
        Ok(row)
    } else {
        Err(DeviceRosterAnswer::Gone)
    })
}

/// Everything of one generation; none while its canonical roster is not made.
fn fill(
    c: &Connection,
    organisation: &OrganisationId,
    row: &MeetingRow,
) -> Result<Option<DeviceRoster>, StoreError> {
    let snapshot = rosters::snapshot_at(c, row.number, row.meeting.generation)?;
    let (Some(roster), Some(key)) = (snapshot, row.key.clone()) else {
        return Ok(None);
    };
    Ok(Some(DeviceRoster {
        organisation: organisation.clone(),
        roster,
        key,
        references: references::copies(c, row.number)?,
        invitation_keys: invitations::valid_at(c, row.organisation, row.number)?,
        substitutes: rosters::substitutes(c, row.number)?,
        citizen_cards: cards::of_meeting(c, row.number)?,
    }))
}
