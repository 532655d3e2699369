//! Organisations with their rooms, doors and keys, and the keys of those who call for them.

use rusqlite::{Connection, OptionalExtension, Row, params};
use seal::Scope;
use vocabulary::{DoorId, MeetingId, OrganisationId, RoomId, WallTime};
use wire::Scope as Permission;

use super::convert::{self, Numbered};
use super::database::damaged;
use super::people;
use crate::model::{ApiKey, ApiKeyId, Change, KeptKey, MeetingState, Organisation, Room};
use crate::store::{
    Conflict, DOORS_MAX, Missing, ORGANISATIONS_MAX, ROOMS_MAX, Sealing, StoreError,
};

/// An organisation's number.
pub(super) fn number(c: &Connection, id: &OrganisationId) -> Result<i64, StoreError> {
    let found = find(c, id)?;
    found.ok_or_else(|| Missing::Organisation(id.clone()).into())
}

/// An organisation's number, if there is one.
pub(super) fn find(c: &Connection, id: &OrganisationId) -> Result<Option<i64>, StoreError> {
    let mut statement = c.prepare_cached("SELECT number FROM organisation WHERE id = ?1")?;
    Ok(statement
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?)
}

/// Refuses to go beyond a limit: `sql` counts what there is.
pub(super) fn below(
    c: &Connection,
    what: &'static str,
    max: usize,
    sql: &str,
    of: impl rusqlite::Params,
) -> Result<(), StoreError> {
    let count: i64 = c.prepare_cached(sql)?.query_row(of, |row| row.get(0))?;
    if usize::try_from(count).is_ok_and(|count| count < max) {
        Ok(())
    } else {
        Err(StoreError::TooMany {
            what,
            max: max as u64,
        })
    }
}

pub(super) fn put(c: &Connection, organisation: &Organisation) -> Result<Change, StoreError> {
    let of = || format!("organisation {}", organisation.id);
    people::check_label("name", &organisation.name, of, true)?;
    match one(c, &organisation.id)? {
        Some(found) if found == *organisation => Ok(Change::Same),
        Some(_) => {
            c.prepare_cached("UPDATE organisation SET name = ?2 WHERE id = ?1")?
                .execute(params![organisation.id.as_str(), organisation.name])?;
            Ok(Change::Changed)
        }
        None => {
            let count = "SELECT count(*) FROM organisation";
            below(c, "organisations", ORGANISATIONS_MAX, count, [])?;
            c.prepare_cached("INSERT INTO organisation (id, name) VALUES (?1, ?2)")?
                .execute(params![organisation.id.as_str(), organisation.name])?;
            Ok(Change::Made)
        }
    }
}

pub(super) fn one(c: &Connection, id: &OrganisationId) -> Result<Option<Organisation>, StoreError> {
    let name = c
        .prepare_cached("SELECT name FROM organisation WHERE id = ?1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    Ok(name.map(|name| Organisation {
        id: id.clone(),
        name,
    }))
}

pub(super) fn all(c: &Connection) -> Result<Vec<Organisation>, StoreError> {
    let mut statement = c.prepare_cached("SELECT id, name FROM organisation ORDER BY id")?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Organisation {
            id: convert::id(row, 0, "organisation.id")?,
            name: row.get(1)?,
        });
    }
    Ok(all)
}

pub(super) fn put_room(
    c: &Connection,
    organisation: &OrganisationId,
    room: &Room,
    now: WallTime,
) -> Result<Change, StoreError> {
    let number = number(c, organisation)?;
    people::check_label("name", &room.name, || format!("room {}", room.id), true)?;
    let mut wanted = room.clone();
    wanted.doors.sort_unstable();
    wanted.doors.dedup();
    if wanted.doors.len() > DOORS_MAX {
        return Err(StoreError::TooMany {
            what: "doors of one room",
            max: DOORS_MAX as u64,
        });
    }
    let found = self::room(c, organisation, &room.id)?;
    if found.as_ref() == Some(&wanted) {
        return Ok(Change::Same);
    }
    if found.is_none() {
        let count = "SELECT count(*) FROM room WHERE organisation = ?1";
        below(c, "rooms of one organisation", ROOMS_MAX, count, [number])?;
    }
    let before = found.as_ref().map_or(&[][..], |found| &found.doors[..]);
    for door in before.iter().filter(|door| !wanted.doors.contains(door)) {
        refuse_in_use(c, number, &room.id, door, now)?;
    }
    c.prepare_cached(
        "INSERT INTO room (organisation, id, name) VALUES (?1, ?2, ?3)
         ON CONFLICT (organisation, id) DO UPDATE SET name = ?3",
    )?
    .execute(params![number, room.id.as_str(), room.name])?;
    c.prepare_cached("DELETE FROM door WHERE organisation = ?1 AND room = ?2")?
        .execute(params![number, room.id.as_str()])?;
    for door in &wanted.doors {
        refuse_elsewhere(c, number, door)?;
        c.prepare_cached("INSERT INTO door (organisation, id, room) VALUES (?1, ?2, ?3)")?
            .execute(params![number, door.as_str(), room.id.as_str()])?;
    }
    Ok(if found.is_some() {
        Change::Changed
    } else {
        Change::Made
    })
}

fn refuse_elsewhere(c: &Connection, organisation: i64, door: &DoorId) -> Result<(), StoreError> {
    let mut statement =
        c.prepare_cached("SELECT room FROM door WHERE organisation = ?1 AND id = ?2")?;
    let mut rows = statement.query(params![organisation, door.as_str()])?;
    match rows.next()? {
        None => Ok(()),
        Some(row) => Err(Conflict::DoorElsewhere {
            door: door.clone(),
            room: convert::id(row, 0, "door.room")?,
        }
        .into()),
    }
}

/// Refuses to take a door away that a device or a planned meeting has.
fn refuse_in_use(
    c: &Connection,
    organisation: i64,
    room: &RoomId,
    door: &DoorId,
    now: WallTime,
) -> Result<(), StoreError> {
    let has = "instr(' ' || doors || ' ', ' ' || ?3 || ' ') > 0";
    let mut statement = c.prepare_cached(&format!(
        "SELECT id FROM device WHERE organisation = ?1 AND room = ?2 AND {has} LIMIT 1"
    ))?;
    let mut rows = statement.query(params![organisation, room.as_str(), door.as_str()])?;
    if let Some(row) = rows.next()? {
        return Err(Conflict::DoorInUse {
            door: door.clone(),
            device: convert::id(row, 0, "device.id")?,
        }
        .into());
    }
    let mut statement = c.prepare_cached(&format!(
        "SELECT id FROM meeting WHERE organisation = ?1 AND room = ?2 AND {has}
         AND state = ?4 AND ends_ms > ?5 LIMIT 1"
    ))?;
    let planned = MeetingState::Planned.number();
    let mut rows = statement.query(params![
        organisation,
        room.as_str(),
        door.as_str(),
        planned,
        now.0
    ])?;
    match rows.next()? {
        None => Ok(()),
        Some(row) => Err(Conflict::DoorPlanned {
            door: door.clone(),
            meeting: convert::id::<MeetingId>(row, 0, "meeting.id")?,
        }
        .into()),
    }
}

pub(super) fn room(
    c: &Connection,
    organisation: &OrganisationId,
    id: &RoomId,
) -> Result<Option<Room>, StoreError> {
    let Some(organisation) = find(c, organisation)? else {
        return Ok(None);
    };
    let name: Option<String> = c
        .prepare_cached("SELECT name FROM room WHERE organisation = ?1 AND id = ?2")?
        .query_row(params![organisation, id.as_str()], |row| row.get(0))
        .optional()?;
    let Some(name) = name else {
        return Ok(None);
    };
    Ok(Some(Room {
        id: id.clone(),
        name,
        doors: doors(c, organisation, id)?,
    }))
}

pub(super) fn rooms(
    c: &Connection,
    organisation: &OrganisationId,
) -> Result<Vec<Room>, StoreError> {
    let Some(organisation) = find(c, organisation)? else {
        return Ok(Vec::new());
    };
    let mut statement =
        c.prepare_cached("SELECT id, name FROM room WHERE organisation = ?1 ORDER BY id")?;
    let mut rows = statement.query([organisation])?;
    let mut rooms = Vec::new();
    while let Some(row) = rows.next()? {
        let id: RoomId = convert::id(row, 0, "room.id")?;
        rooms.push(Room {
            doors: doors(c, organisation, &id)?,
            id,
            name: row.get(1)?,
        });
    }
    Ok(rooms)
}

fn doors(c: &Connection, organisation: i64, room: &RoomId) -> Result<Vec<DoorId>, StoreError> {
    let mut statement =
        c.prepare_cached("SELECT id FROM door WHERE organisation = ?1 AND room = ?2 ORDER BY id")?;
    let mut rows = statement.query(params![organisation, room.as_str()])?;
    let mut doors = Vec::new();
    while let Some(row) = rows.next()? {
        doors.push(convert::id(row, 0, "door.id")?);
    }
    Ok(doors)
}

/// Refuses a room that is not there, and doors that it does not have.
pub(super) fn check_doors(
    c: &Connection,
    organisation: i64,
    room: &RoomId,
    wanted: &[DoorId],
) -> Result<(), StoreError> {
    let there: bool = c
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM room WHERE organisation = ?1 AND id = ?2)")?
        .query_row(params![organisation, room.as_str()], |row| row.get(0))?;
    if !there {
        return Err(Missing::Room(room.clone()).into());
    }
    let has = doors(c, organisation, room)?;
    match wanted.iter().find(|door| !has.contains(door)) {
        None => Ok(()),
        Some(door) => Err(Missing::Door {
            room: room.clone(),
            door: door.clone(),
        }
        .into()),
    }
}

pub(super) fn key(c: &Connection, id: &OrganisationId) -> Result<Option<KeptKey>, StoreError> {
    let mut statement = c.prepare_cached("SELECT key_id, key FROM organisation WHERE id = ?1")?;
    let mut rows = statement.query([id.as_str()])?;
    match rows.next()? {
        None => Err(Missing::Organisation(id.clone()).into()),
        Some(row) => convert::key(row, 0, "organisation.key"),
    }
}

pub(super) fn key_or_new(
    c: &Connection,
    id: &OrganisationId,
    sealing: &dyn Sealing,
) -> Result<KeptKey, StoreError> {
    if let Some(key) = key(c, id)? {
        return Ok(key);
    }
    let key = sealing.make_key(&scope(id))?;
    c.prepare_cached("UPDATE organisation SET key_id = ?2, key = ?3 WHERE id = ?1")?
        .execute(params![id.as_str(), key.id.0, key.wrapped.as_bytes()])?;
    Ok(key)
}

/// What the key of an organisation's enrolments seals.
pub(super) fn scope(id: &OrganisationId) -> Scope {
    Scope {
        organisation: id.clone(),
        meeting: None,
    }
}

pub(super) fn put_api_key(c: &Connection, key: &ApiKey) -> Result<(), StoreError> {
    let organisation = number(c, &key.organisation)?;
    people::check_label("label", &key.label, || format!("key {}", key.id), false)?;
    if api_key(c, &key.id)?.is_some() {
        return Err(Conflict::KeyExists(key.id.clone()).into());
    }
    let mut scopes: Vec<&str> = key.scopes.iter().map(|scope| scope.name()).collect();
    scopes.sort_unstable();
    scopes.dedup();
    c.prepare_cached(
        "INSERT INTO api_key (id, organisation, hash, role, scopes, label, made_ms, revoked_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        key.id.as_str(),
        organisation,
        key.hash.0,
        key.role.name(),
        scopes.join(" "),
        key.label,
        key.made_at.0,
        key.revoked_at.map(|at| at.0),
    ])?;
    Ok(())
}

const API_KEY: &str = "
    SELECT k.id, o.id, k.hash, k.role, k.scopes, k.label, k.made_ms, k.revoked_ms
    FROM api_key k JOIN organisation o ON o.number = k.organisation";

pub(super) fn api_key(c: &Connection, id: &ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
    let mut statement = c.prepare_cached(&format!("{API_KEY} WHERE k.id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    rows.next()?.map(read_api_key).transpose()
}

pub(super) fn api_keys(
    c: &Connection,
    organisation: &OrganisationId,
) -> Result<Vec<ApiKey>, StoreError> {
    let sql = format!("{API_KEY} WHERE o.id = ?1 ORDER BY k.number");
    let mut statement = c.prepare_cached(&sql)?;
    let mut rows = statement.query([organisation.as_str()])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        keys.push(read_api_key(row)?);
    }
    Ok(keys)
}

fn read_api_key(row: &Row<'_>) -> Result<ApiKey, StoreError> {
    let id: String = row.get(0)?;
    let scopes: String = row.get(4)?;
    Ok(ApiKey {
        id: ApiKeyId::new(&id).ok_or_else(|| damaged("api_key.id")("not an id".into()))?,
        organisation: convert::id(row, 1, "organisation.id")?,
        hash: vocabulary::Digest(convert::bytes(row, 2, "api_key.hash")?),
        role: convert::id(row, 3, "api_key.role")?,
        // A scope of a newer version means nothing here and gives nothing.
        scopes: scopes
            .split_ascii_whitespace()
            .filter_map(Permission::from_name)
            .collect(),
        label: row.get(5)?,
        made_at: WallTime(row.get(6)?),
        revoked_at: row.get::<_, Option<i64>>(7)?.map(WallTime),
    })
}

pub(super) fn revoke_api_key(
    c: &Connection,
    id: &ApiKeyId,
    now: WallTime,
) -> Result<Change, StoreError> {
    let key = api_key(c, id)?.ok_or_else(|| Missing::ApiKey(id.clone()))?;
    if key.revoked_at.is_some() {
        return Ok(Change::Same);
    }
    c.prepare_cached("UPDATE api_key SET revoked_ms = ?2 WHERE id = ?1")?
        .execute(params![id.as_str(), now.0])?;
    Ok(Change::Changed)
}
