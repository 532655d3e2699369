//! Offers: what, for whom, from when to when. Their contents are no rows.

use rusqlite::{Connection, Row, params};
use vocabulary::{DeviceId, Digest, OrganisationId, RoomId, WallTime};

use super::convert::{self, signed};
use super::database::damaged;
use super::organisations;
use crate::model::{Change, Offer, OfferId, OfferKind};
use crate::store::{Conflict, OFFERS_BYTES_MAX, OFFERS_MAX, StoreError};

const COLUMNS: &str = "o.id, f.id, f.kind, f.version, f.size_bytes, f.sha256, f.signature,
    f.signature_key, f.rooms, f.devices, f.not_before_ms, f.expires_ms, f.percent, f.made_ms";

pub(super) fn put(c: &Connection, offer: &Offer) -> Result<Change, StoreError> {
    let organisation = organisations::number(c, &offer.organisation)?;
    if let Some(kept) = one(c, &offer.organisation, &offer.id)? {
        let content = |offer: &Offer| {
            let kind = kind_number(offer.kind);
            (kind, offer.version.clone(), offer.size_bytes, offer.sha256)
        };
        let signed_by = |offer: &Offer| (offer.signature.clone(), offer.signature_key.clone());
        if content(&kept) != content(offer) || signed_by(&kept) != signed_by(offer) {
            return Err(Conflict::OfferExists(offer.id.clone()).into());
        }
        let put = Offer {
            made_at: kept.made_at,
            ..offer.clone()
        };
        if put == kept {
            return Ok(Change::Same);
        }
        write(c, organisation, &put)?;
        return Ok(Change::Changed);
    }
    let (count, bytes): (i64, i64) = c.query_row(
        "SELECT count(*), coalesce(sum(size_bytes), 0) FROM offer WHERE organisation = ?1",
        [organisation],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if count.unsigned_abs() >= OFFERS_MAX as u64 {
        return Err(StoreError::TooMany {
            what: "offers",
            max: OFFERS_MAX as u64,
        });
    }
    if bytes.unsigned_abs().saturating_add(offer.size_bytes) > OFFERS_BYTES_MAX {
        return Err(StoreError::TooMany {
            what: "bytes of offers",
            max: OFFERS_BYTES_MAX,
        });
    }
    write(c, organisation, offer)?;
    Ok(Change::Made)
}

fn write(c: &Connection, organisation: i64, offer: &Offer) -> Result<(), StoreError> {
    c.execute(
        "INSERT OR REPLACE INTO offer (organisation, id, kind, version, size_bytes, sha256,
             signature, signature_key, rooms, devices, not_before_ms, expires_ms, percent, made_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            organisation,
            offer.id.as_str(),
            kind_number(offer.kind),
            offer.version,
            signed(offer.size_bytes),
            offer.sha256.0,
            offer.signature,
            offer.signature_key,
            words(offer.rooms.iter().map(RoomId::as_str)),
            words(offer.devices.iter().map(DeviceId::as_str)),
            offer.not_before.map(|time| time.0),
            offer.expires_at.map(|time| time.0),
            offer.percent,
            offer.made_at.0,
        ],
    )?;
    Ok(())
}

fn one(
    c: &Connection,
    organisation: &OrganisationId,
    id: &OfferId,
) -> Result<Option<Offer>, StoreError> {
    let found = all(c, organisation)?;
    Ok(found.into_iter().find(|offer| offer.id == *id))
}

pub(super) fn all(c: &Connection, organisation: &OrganisationId) -> Result<Vec<Offer>, StoreError> {
    let mut statement = c.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM offer f JOIN organisation o ON o.number = f.organisation
         WHERE o.id = ?1 ORDER BY f.id"
    ))?;
    let mut rows = statement.query([organisation.as_str()])?;
    let mut offers = Vec::new();
    while let Some(row) = rows.next()? {
        offers.push(read(row)?);
    }
    Ok(offers)
}

pub(super) fn delete(
    c: &Connection,
    organisation: &OrganisationId,
    id: &OfferId,
) -> Result<Change, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(Change::Same);
    };
    let deleted = c.execute(
        "DELETE FROM offer WHERE organisation = ?1 AND id = ?2",
        params![organisation, id.as_str()],
    )?;
    Ok(Change::when(deleted > 0))
}

pub(super) fn digests(c: &Connection) -> Result<Vec<Digest>, StoreError> {
    let mut statement = c.prepare_cached("SELECT DISTINCT sha256 FROM offer ORDER BY sha256")?;
    let mut rows = statement.query([])?;
    let mut digests = Vec::new();
    while let Some(row) = rows.next()? {
        digests.push(Digest(convert::bytes(row, 0, "offer.sha256")?));
    }
    Ok(digests)
}

fn kind_number(kind: OfferKind) -> i64 {
    match kind {
        OfferKind::Update => 1,
        OfferKind::Configuration => 2,
    }
}

/// Ids with spaces between, which no id has.
fn words<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    ids.collect::<Vec<_>>().join(" ")
}

fn read(row: &Row<'_>) -> Result<Offer, StoreError> {
    let time = |column| {
        row.get::<_, Option<i64>>(column)
            .map(|time| time.map(WallTime))
    };
    let kind = match row.get(2)? {
        1 => OfferKind::Update,
        2 => OfferKind::Configuration,
        other => {
            let other: i64 = other;
            return Err(damaged("offer.kind")(format!("{other} is no kind").into()));
        }
    };
    let id: String = row.get(1)?;
    let (rooms, devices): (String, String) = (row.get(8)?, row.get(9)?);
    let none = |error: vocabulary::IdError| damaged("offer")(error.into());
    Ok(Offer {
        organisation: convert::id(row, 0, "organisation.id")?,
        id: id.parse().map_err(none)?,
        kind,
        version: row.get(3)?,
        size_bytes: convert::unsigned(row, 4, "offer.size_bytes")?,
        sha256: Digest(convert::bytes(row, 5, "offer.sha256")?),
        signature: row.get(6)?,
        signature_key: row.get(7)?,
        rooms: rooms
            .split_whitespace()
            .map(RoomId::new)
            .collect::<Result<_, _>>()
            .map_err(none)?,
        devices: devices
            .split_whitespace()
            .map(DeviceId::new)
            .collect::<Result<_, _>>()
            .map_err(none)?,
        not_before: time(10)?,
        expires_at: time(11)?,
        percent: row.get(12)?,
        made_at: WallTime(row.get(13)?),
    })
}
