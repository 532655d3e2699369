//! Keys whose invitations are valid: at all meetings of an organisation, and at single ones beside
//! these.

use rusqlite::{Connection, params};
use vocabulary::{MeetingId, OrganisationId, WallTime};
use wire::limits::INVITATION_KEYS_MAX;

use super::{convert, meetings, organisations};
use crate::model::{Change, InvitationKey, KeyChange, MeetingState};
use crate::store::{Conflict, StoreError};

/// What stands in place of a meeting's number for all meetings of the organisation.
const ALL_MEETINGS: i64 = 0;

pub(super) fn list(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: Option<&MeetingId>,
) -> Result<Vec<InvitationKey>, StoreError> {
    let number = organisations::number(c, organisation)?;
    let meeting = match meeting {
        None => ALL_MEETINGS,
        Some(meeting) => meetings::need(c, number, meeting)?.number,
    };
    of(c, number, meeting)
}

pub(super) fn change(
    c: &Connection,
    organisation: &OrganisationId,
    meeting: Option<&MeetingId>,
    change: &KeyChange,
    now: WallTime,
) -> Result<(Change, Vec<InvitationKey>), StoreError> {
    let organisation = organisations::number(c, organisation)?;
    let row = meeting
        .map(|meeting| meetings::need(c, organisation, meeting))
        .transpose()?;
    let meeting = row.as_ref().map_or(ALL_MEETINGS, |row| row.number);
    let before = of(c, organisation, meeting)?;
    let wanted = change.of(before.iter().map(|one| one.key));
    if before.iter().map(|one| one.key).eq(wanted.iter().copied()) {
        return Ok((Change::Same, before));
    }
    if let Some(row) = &row {
        let id = || row.meeting.plan.id.clone();
        match row.meeting.state {
            MeetingState::Planned => {}
            MeetingState::Cancelled => return Err(Conflict::Cancelled(id()).into()),
            MeetingState::Closed => return Err(Conflict::Closed(id()).into()),
        }
    }
    if wanted.len() > INVITATION_KEYS_MAX {
        return Err(StoreError::TooMany {
            what: "invitation keys in one place",
            max: INVITATION_KEYS_MAX as u64,
        });
    }
    let mut delete = c.prepare_cached(
        "DELETE FROM invitation_key WHERE organisation = ?1 AND meeting = ?2 AND key = ?3",
    )?;
    for gone in before.iter().filter(|one| !wanted.contains(&one.key)) {
        delete.execute(params![organisation, meeting, gone.key])?;
    }
    let mut insert = c.prepare_cached(
        "INSERT OR IGNORE INTO invitation_key (organisation, meeting, key, since_ms)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for key in &wanted {
        insert.execute(params![organisation, meeting, key, now.0])?;
    }
    match row {
        None => meetings::advance_all(c, organisation, now)?,
        Some(row) => meetings::advance(c, row.number)?,
    }
    let change = if before.is_empty() {
        Change::Made
    } else {
        Change::Changed
    };
    Ok((change, of(c, organisation, meeting)?))
}

/// All keys whose invitations are valid at a meeting, each once, in their order.
pub(super) fn valid_at(
    c: &Connection,
    organisation: i64,
    meeting: i64,
) -> Result<Vec<[u8; 32]>, StoreError> {
    let mut keys: Vec<[u8; 32]> = of(c, organisation, ALL_MEETINGS)?
        .into_iter()
        .chain(of(c, organisation, meeting)?)
        .map(|one| one.key)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

fn of(c: &Connection, organisation: i64, meeting: i64) -> Result<Vec<InvitationKey>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT key, since_ms FROM invitation_key
         WHERE organisation = ?1 AND meeting = ?2 ORDER BY key",
    )?;
    let mut rows = statement.query([organisation, meeting])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(InvitationKey {
            key: convert::bytes(row, 0, "invitation_key.key")?,
            since: row.get::<_, Option<i64>>(1)?.map(WallTime),
        });
    }
    Ok(keys)
}
