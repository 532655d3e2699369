//! Devices: who they are, their tokens and certificates, how they are.

use rusqlite::{Connection, OptionalExtension, Row, params};
use vocabulary::{DeviceId, Digest, DoorId, OrganisationId, RoomId, WallTime};

use super::convert::{self, signed};
use super::organisations;
use crate::model::{
    Authenticated, CertificateSerial, Change, Device, DeviceCertificate, DeviceKeys, Health, Page,
    SecretHash, Token, TokenUse,
};
use crate::store::{Conflict, DEVICES_MAX, DOORS_MAX, HUB_DEVICE, Missing, StoreError};

/// Within this time the same signing request is answered with the same certificate: long enough
/// for a device that tries again after a lost answer.
const SAME_CERTIFICATE_MS: i64 = 3_600_000;

/// Most bytes of a health report; the API's own limit of a body.
const HEALTH_BYTES_MAX: usize = wire::limits::BODY_BYTES_MAX;

/// What taking a batch needs of a device.
pub(super) struct IngestRow {
    pub(super) number: i64,
    pub(super) organisation: i64,
    pub(super) head_key: Option<[u8; 32]>,
    pub(super) aside_bytes: u64,
}

/// A device with the numbers that only the store needs.
pub(super) struct DeviceRow {
    pub(super) number: i64,
    pub(super) organisation_number: i64,
    pub(super) organisation: OrganisationId,
    pub(super) room: RoomId,
    pub(super) doors: Vec<DoorId>,
}

pub(super) fn ingest_row(c: &Connection, id: &DeviceId) -> Result<IngestRow, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT number, organisation, head_key, aside_bytes FROM device WHERE id = ?1",
    )?;
    let mut rows = statement.query([id.as_str()])?;
    let row = rows.next()?.ok_or_else(|| Missing::Device(id.clone()))?;
    Ok(IngestRow {
        number: row.get(0)?,
        organisation: row.get(1)?,
        head_key: convert::maybe_bytes(row, 2, "device.head_key")?,
        aside_bytes: convert::unsigned(row, 3, "device.aside_bytes")?,
    })
}

pub(super) fn row(c: &Connection, id: &DeviceId) -> Result<DeviceRow, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT d.number, o.number, o.id, d.room, d.doors FROM device d
         JOIN organisation o ON o.number = d.organisation WHERE d.id = ?1",
    )?;
    let mut rows = statement.query([id.as_str()])?;
    let row = rows.next()?.ok_or_else(|| Missing::Device(id.clone()))?;
    Ok(DeviceRow {
        number: row.get(0)?,
        organisation_number: row.get(1)?,
        organisation: convert::id(row, 2, "organisation.id")?,
        room: convert::id(row, 3, "device.room")?,
        doors: convert::doors(row, 4, "device.doors")?,
    })
}

fn number(c: &Connection, id: &DeviceId) -> Result<i64, StoreError> {
    ingest_row(c, id).map(|row| row.number)
}

pub(super) fn put(
    c: &Connection,
    organisation: &OrganisationId,
    id: &DeviceId,
    room: &RoomId,
    doors: &[DoorId],
) -> Result<Change, StoreError> {
    if id.as_str() == HUB_DEVICE {
        return Err(Conflict::DeviceReserved(id.clone()).into());
    }
    let number = organisations::number(c, organisation)?;
    if doors.len() > DOORS_MAX {
        return Err(StoreError::TooMany {
            what: "doors of one device",
            max: DOORS_MAX as u64,
        });
    }
    let found = one(c, id)?;
    if let Some(found) = &found
        && found.organisation != *organisation
    {
        return Err(Conflict::DeviceElsewhere(id.clone()).into());
    }
    organisations::check_doors(c, number, room, doors)?;
    let text = convert::doors_text(doors);
    match found {
        Some(found) if found.room == *room && convert::doors_text(&found.doors) == text => {
            Ok(Change::Same)
        }
        Some(_) => {
            c.prepare_cached("UPDATE device SET room = ?2, doors = ?3 WHERE id = ?1")?
                .execute(params![id.as_str(), room.as_str(), text])?;
            Ok(Change::Changed)
        }
        None => {
            let count = "SELECT count(*) FROM device";
            organisations::below(c, "devices", DEVICES_MAX, count, [])?;
            c.prepare_cached(
                "INSERT INTO device (id, organisation, room, doors) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![id.as_str(), number, room.as_str(), text])?;
            Ok(Change::Made)
        }
    }
}

const DEVICE: &str = "
    SELECT d.id, o.id, d.room, d.doors, d.sealing_key, d.head_key, d.revoked_ms, d.health,
           d.health_ms
    FROM device d JOIN organisation o ON o.number = d.organisation";

pub(super) fn one(c: &Connection, id: &DeviceId) -> Result<Option<Device>, StoreError> {
    let mut statement = c.prepare_cached(&format!("{DEVICE} WHERE d.id = ?1"))?;
    let mut rows = statement.query([id.as_str()])?;
    rows.next()?.map(read).transpose()
}

pub(super) fn page(
    c: &Connection,
    organisation: &OrganisationId,
    after: Option<&DeviceId>,
    limit: u32,
) -> Result<Page<Device>, StoreError> {
    let limit = limit.clamp(1, wire::limits::PAGE_ITEMS_MAX) as usize;
    let sql = format!("{DEVICE} WHERE o.id = ?1 AND d.id > ?2 ORDER BY d.id LIMIT ?3");
    let mut statement = c.prepare_cached(&sql)?;
    let after = after.map_or("", DeviceId::as_str);
    let mut rows = statement.query(params![
        organisation.as_str(),
        after,
        signed(limit as u64 + 1)
    ])?;
    let mut page = Page {
        items: Vec::new(),
        more: false,
    };
    while let Some(row) = rows.next()? {
        if page.items.len() == limit {
            page.more = true;
            break;
        }
        page.items.push(read(row)?);
    }
    Ok(page)
}

fn read(row: &Row<'_>) -> Result<Device, StoreError> {
    let sealing = convert::maybe_bytes(row, 4, "device.sealing_key")?;
    let head = convert::maybe_bytes(row, 5, "device.head_key")?;
    let health = row.get::<_, Option<String>>(7)?;
    let received_ms = row.get::<_, Option<i64>>(8)?;
    Ok(Device {
        id: convert::id(row, 0, "device.id")?,
        organisation: convert::id(row, 1, "organisation.id")?,
        room: convert::id(row, 2, "device.room")?,
        doors: convert::doors(row, 3, "device.doors")?,
        keys: sealing
            .zip(head)
            .map(|(sealing, head)| DeviceKeys { sealing, head }),
        revoked_at: row.get::<_, Option<i64>>(6)?.map(WallTime),
        health: health.zip(received_ms).map(|(document, received)| Health {
            received_at: WallTime(received),
            document,
        }),
    })
}

pub(super) fn revoke(c: &Connection, id: &DeviceId, now: WallTime) -> Result<Change, StoreError> {
    let number = number(c, id)?;
    c.prepare_cached("DELETE FROM token WHERE device = ?1 AND used_by IS NULL")?
        .execute([number])?;
    supersede(c, number)?;
    let revoked = c
        .prepare_cached(
            "UPDATE device SET revoked_ms = ?2 WHERE number = ?1 AND revoked_ms IS NULL",
        )?
        .execute(params![number, now.0])?;
    Ok(Change::when(revoked > 0))
}

pub(super) fn reinstate(c: &Connection, id: &DeviceId) -> Result<Change, StoreError> {
    let number = number(c, id)?;
    let reinstated = c
        .prepare_cached(
            "UPDATE device SET revoked_ms = NULL WHERE number = ?1 AND revoked_ms IS NOT NULL",
        )?
        .execute([number])?;
    Ok(Change::when(reinstated > 0))
}

fn supersede(c: &Connection, device: i64) -> Result<(), StoreError> {
    c.prepare_cached("UPDATE certificate SET superseded = 1 WHERE device = ?1")?
        .execute([device])?;
    Ok(())
}

pub(super) fn put_health(
    c: &Connection,
    device: &DeviceId,
    health: &Health,
) -> Result<(), StoreError> {
    if health.document.len() > HEALTH_BYTES_MAX {
        return Err(StoreError::TooMany {
            what: "bytes of a health report",
            max: HEALTH_BYTES_MAX as u64,
        });
    }
    let changed = c
        .prepare_cached("UPDATE device SET health = ?2, health_ms = ?3 WHERE id = ?1")?
        .execute(params![
            device.as_str(),
            health.document,
            health.received_at.0
        ])?;
    if changed == 0 {
        return Err(Missing::Device(device.clone()).into());
    }
    Ok(())
}

pub(super) fn put_token(
    c: &Connection,
    hash: &SecretHash,
    device: &DeviceId,
    expires_at: WallTime,
) -> Result<(), StoreError> {
    let found = one(c, device)?.ok_or_else(|| Missing::Device(device.clone()))?;
    if found.revoked_at.is_some() {
        return Err(Conflict::DeviceRevoked(device.clone()).into());
    }
    let number = number(c, device)?;
    c.prepare_cached("DELETE FROM token WHERE device = ?1 AND used_by IS NULL")?
        .execute([number])?;
    c.prepare_cached("INSERT INTO token (hash, device, expires_ms) VALUES (?1, ?2, ?3)")?
        .execute(params![hash.0, number, expires_at.0])?;
    Ok(())
}

pub(super) fn token(c: &Connection, hash: &SecretHash) -> Result<Option<Token>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT d.id, t.expires_ms, t.used_by FROM token t
         JOIN device d ON d.number = t.device WHERE t.hash = ?1",
    )?;
    let mut rows = statement.query([hash.0])?;
    let Some(row) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Token {
        hash: *hash,
        device: convert::id(row, 0, "device.id")?,
        expires_at: WallTime(row.get(1)?),
        used_by: convert::maybe_bytes(row, 2, "token.used_by")?.map(Digest),
    }))
}

pub(super) fn enrol(
    c: &Connection,
    hash: &SecretHash,
    keys: &DeviceKeys,
    certificate: &DeviceCertificate,
    now: WallTime,
) -> Result<TokenUse, StoreError> {
    let Some(token) = token(c, hash)? else {
        return Ok(TokenUse::Unknown);
    };
    let device = one(c, &token.device)?.ok_or_else(|| Missing::Device(token.device.clone()))?;
    if device.revoked_at.is_some() {
        return Ok(TokenUse::Revoked);
    }
    if let Some(used_by) = token.used_by {
        let earlier = certificate_of_token(c, hash)?;
        return Ok(match earlier {
            Some(earlier) if used_by == certificate.request => TokenUse::Enrolled(earlier),
            Some(_) | None => TokenUse::Used,
        });
    }
    if token.expires_at <= now {
        return Ok(TokenUse::Expired);
    }
    let number = number(c, &token.device)?;
    supersede(c, number)?;
    let row = insert(c, number, certificate, now)?;
    c.prepare_cached("UPDATE device SET sealing_key = ?2, head_key = ?3 WHERE number = ?1")?
        .execute(params![number, keys.sealing, keys.head])?;
    c.prepare_cached("UPDATE token SET used_by = ?2, certificate = ?3 WHERE hash = ?1")?
        .execute(params![hash.0, certificate.request.0, row])?;
    Ok(TokenUse::Enrolled(certificate.clone()))
}

fn insert(
    c: &Connection,
    device: i64,
    certificate: &DeviceCertificate,
    now: WallTime,
) -> Result<i64, StoreError> {
    let number = c
        .prepare_cached(
            "INSERT INTO certificate (serial, device, expires_ms, made_ms, pem, request, superseded)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
        )?
        .insert(params![
            certificate.serial.0,
            device,
            certificate.expires_at.0,
            now.0,
            certificate.pem,
            certificate.request.0,
        ])?;
    Ok(number)
}

fn certificate_of_token(
    c: &Connection,
    hash: &SecretHash,
) -> Result<Option<DeviceCertificate>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT c.serial, c.expires_ms, c.pem, c.request FROM token t
         JOIN certificate c ON c.number = t.certificate
         WHERE t.hash = ?1 AND c.superseded = 0",
    )?;
    let mut rows = statement.query([hash.0])?;
    rows.next()?.map(read_certificate).transpose()
}

fn read_certificate(row: &Row<'_>) -> Result<DeviceCertificate, StoreError> {
    Ok(DeviceCertificate {
        serial: CertificateSerial(row.get(0)?),
        expires_at: WallTime(row.get(1)?),
        pem: row.get(2)?,
        request: Digest(convert::bytes(row, 3, "certificate.request")?),
    })
}

pub(super) fn renew(
    c: &Connection,
    device: &DeviceId,
    certificate: &DeviceCertificate,
    now: WallTime,
) -> Result<DeviceCertificate, StoreError> {
    let found = one(c, device)?.ok_or_else(|| Missing::Device(device.clone()))?;
    if found.revoked_at.is_some() {
        return Err(Conflict::DeviceRevoked(device.clone()).into());
    }
    let number = number(c, device)?;
    let mut statement = c.prepare_cached(
        "SELECT serial, expires_ms, pem, request FROM certificate
         WHERE device = ?1 AND superseded = 0 AND made_ms > ?2 AND request = ?3
         AND number = (SELECT max(number) FROM certificate WHERE device = ?1)",
    )?;
    let since = now.0.saturating_sub(SAME_CERTIFICATE_MS);
    let mut rows = statement.query(params![number, since, certificate.request.0])?;
    if let Some(row) = rows.next()? {
        return read_certificate(row);
    }
    insert(c, number, certificate, now)?;
    Ok(certificate.clone())
}

pub(super) fn authenticate(
    c: &Connection,
    serial: &CertificateSerial,
) -> Result<Option<Authenticated>, StoreError> {
    let found: Option<(String, i64, bool)> = c
        .prepare_cached(
            "SELECT d.id, c.expires_ms, c.superseded FROM certificate c
             JOIN device d ON d.number = c.device WHERE c.serial = ?1",
        )?
        .query_row([&serial.0], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((id, expires_ms, superseded)) = found else {
        return Ok(None);
    };
    let id = id.parse().map_err(|error: vocabulary::IdError| {
        super::database::damaged("device.id")(error.into())
    })?;
    let device = one(c, &id)?.ok_or(Missing::Device(id))?;
    Ok(Some(Authenticated {
        device,
        expires_at: WallTime(expires_ms),
        superseded,
    }))
}

/// The newest certificate of a device that counts.
pub(super) fn newest_certificate(
    c: &Connection,
    device: &DeviceId,
) -> Result<Option<String>, StoreError> {
    let number: Option<i64> = c
        .prepare_cached("SELECT number FROM device WHERE id = ?1")?
        .query_row([device.as_str()], |row| row.get(0))
        .optional()?;
    let number = number.ok_or_else(|| Missing::Device(device.clone()))?;
    let mut newest = c.prepare_cached(
        "SELECT pem FROM certificate WHERE device = ?1 AND superseded = 0
         ORDER BY number DESC LIMIT 1",
    )?;
    Ok(newest.query_row([number], |row| row.get(0)).optional()?)
}
