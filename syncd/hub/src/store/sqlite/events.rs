//! Events: what happened to meetings, rolls and devices, in the order in which it did; and
//! deliveries of webhooks that were not taken at once.

use rusqlite::{Connection, Row, params};
use vocabulary::{OrganisationId, WallTime};

use super::convert::{self, signed};
use super::database::damaged;
use super::organisations;
use crate::model::{Change, Delivery, Event, EventKind, Health, Told, WebhookId};
use crate::store::{DELIVERIES_KEPT_MAX, EVENTS_KEPT_MAX, StoreError};

/// Writes down that something happened, within the transaction in which it does.
pub(super) fn note(
    c: &Connection,
    organisation: i64,
    kind: EventKind,
    subject: &str,
    version: u64,
    now: WallTime,
) -> Result<(), StoreError> {
    c.prepare_cached(
        "INSERT INTO event (organisation, at_ms, kind, subject, version)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        organisation,
        now.0,
        kind.number(),
        subject,
        signed(version)
    ])?;
    let kept = i64::try_from(EVENTS_KEPT_MAX).unwrap_or(i64::MAX);
    c.prepare_cached("DELETE FROM event WHERE number <= ?1")?
        .execute([c.last_insert_rowid().saturating_sub(kept)])?;
    Ok(())
}

/// The same for a device, wherever it belongs.
pub(super) fn note_device(
    c: &Connection,
    device: &str,
    kind: EventKind,
    now: WallTime,
) -> Result<(), StoreError> {
    let organisation = c
        .prepare_cached("SELECT organisation FROM device WHERE id = ?1")?
        .query_row([device], |row| row.get(0))?;
    note(c, organisation, kind, device, 0, now)
}

/// Notes a trouble of a device when its report has one that the report before had not.
pub(super) fn note_trouble(
    c: &Connection,
    device: &str,
    health: &Health,
) -> Result<(), StoreError> {
    let before: Option<String> = c
        .prepare_cached("SELECT health FROM device WHERE id = ?1")?
        .query_row([device], |row| row.get(0))?;
    let known = troubles(before.as_deref().unwrap_or_default());
    let is_new = |trouble: &String| !known.contains(trouble);
    if troubles(&health.document).iter().any(is_new) {
        note_device(c, device, EventKind::DeviceTrouble, health.received_at)?;
    }
    Ok(())
}

/// The troubles that a health report names, without the numbers in them: a disk that fills is one.
fn troubles(document: &str) -> Vec<String> {
    let report: serde_json::Value = serde_json::from_str(document).unwrap_or_default();
    let troubles = report["troubles"].as_array().into_iter().flatten();
    let texts = troubles.filter_map(serde_json::Value::as_str);
    texts
        .map(|text| text.chars().filter(|c| !c.is_ascii_digit()).collect())
        .collect()
}

/// Notes devices that reported once and did not since a time, each once for each silence.
pub(super) fn note_silent(
    c: &Connection,
    reported_before: WallTime,
    now: WallTime,
    limit: u32,
) -> Result<u32, StoreError> {
    let noted = c.execute(
        "INSERT INTO event (organisation, at_ms, kind, subject, version)
         SELECT d.organisation, ?2, ?3, d.id, 0 FROM device d
         WHERE d.revoked_ms IS NULL AND d.health_ms < ?1 AND NOT EXISTS (
             SELECT 1 FROM event e WHERE e.kind = ?3 AND e.subject = d.id AND e.at_ms >= d.health_ms
         ) ORDER BY d.id LIMIT ?4",
        params![
            reported_before.0,
            now.0,
            EventKind::DeviceSilent.number(),
            limit
        ],
    )?;
    Ok(u32::try_from(noted).unwrap_or(u32::MAX))
}

/// The number of the newest event.
pub(super) fn newest(c: &Connection) -> Result<i64, StoreError> {
    Ok(
        c.prepare_cached("SELECT coalesce(max(number), 0) FROM event")?
            .query_row([], |row| row.get(0))?,
    )
}

pub(super) fn after(
    c: &Connection,
    organisation: &OrganisationId,
    after: u64,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT e.number, e.at_ms, e.kind, e.subject, e.version
         FROM event e JOIN organisation o ON o.number = e.organisation
         WHERE o.id = ?1 AND e.number > ?2 ORDER BY e.number LIMIT ?3",
    )?;
    let mut rows = statement.query(params![organisation.as_str(), signed(after), limit])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let kind: i64 = row.get(2)?;
        events.push(Event {
            number: convert::unsigned(row, 0, "event.number")?,
            at: WallTime(row.get(1)?),
            kind: EventKind::of(kind)
                .ok_or_else(|| damaged("event.kind")(format!("{kind} is no kind").into()))?,
            subject: row.get(3)?,
            version: convert::unsigned(row, 4, "event.version")?,
        });
    }
    Ok(events)
}

/// Keeps what became of a delivery: one that failed, or that failed before and is taken now.
pub(super) fn put_delivery(
    c: &Connection,
    organisation: &OrganisationId,
    webhook: &WebhookId,
    delivery: &Delivery,
) -> Result<Change, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(Change::Same);
    };
    let (is_record, place) = match delivery.told {
        Told::Record(place) => (true, place),
        Told::Event(place) => (false, place),
    };
    let changed = c.execute(
        "UPDATE delivery SET tries = tries + 1, tried_ms = ?4, status = ?5, problem = ?6,
             taken = ?7, again = 0
         WHERE organisation = ?1 AND webhook = ?2 AND is_record = ?3 AND place = ?8",
        params![
            organisation,
            webhook.as_str(),
            is_record,
            delivery.tried_at.0,
            delivery.status,
            delivery.problem,
            delivery.is_taken,
            signed(place)
        ],
    )?;
    if changed > 0 {
        return Ok(Change::Changed);
    }
    if delivery.is_taken {
        return Ok(Change::Same);
    }
    // The webhook may have been taken away while this was under way.
    let made = c.execute(
        "INSERT INTO delivery (organisation, webhook, id, kind, is_record, place, first_ms,
             tried_ms, tries, status, problem, taken, again)
         SELECT organisation, id, ?3, ?4, ?5, ?6, ?7, ?7, 1, ?8, ?9, 0, 0 FROM webhook
         WHERE organisation = ?1 AND id = ?2",
        params![
            organisation,
            webhook.as_str(),
            delivery.id,
            delivery.kind,
            is_record,
            signed(place),
            delivery.tried_at.0,
            delivery.status,
            delivery.problem
        ],
    )?;
    if made == 0 {
        return Ok(Change::Same);
    }
    c.execute(
        "DELETE FROM delivery WHERE organisation = ?1 AND webhook = ?2 AND number NOT IN (
             SELECT number FROM delivery WHERE organisation = ?1 AND webhook = ?2
             ORDER BY number DESC LIMIT ?3)",
        params![
            organisation,
            webhook.as_str(),
            signed(DELIVERIES_KEPT_MAX as u64)
        ],
    )?;
    Ok(Change::Made)
}

pub(super) fn deliveries(
    c: &Connection,
    organisation: &OrganisationId,
    webhook: &WebhookId,
) -> Result<Vec<Delivery>, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(Vec::new());
    };
    let mut statement = c.prepare_cached(
        "SELECT id, kind, is_record, place, first_ms, tried_ms, tries, status, problem, taken, again
         FROM delivery WHERE organisation = ?1 AND webhook = ?2 ORDER BY number DESC",
    )?;
    let mut rows = statement.query(params![organisation, webhook.as_str()])?;
    let mut deliveries = Vec::new();
    while let Some(row) = rows.next()? {
        deliveries.push(read(row)?);
    }
    Ok(deliveries)
}

fn read(row: &Row<'_>) -> Result<Delivery, StoreError> {
    let place = convert::unsigned(row, 3, "delivery.place")?;
    Ok(Delivery {
        id: row.get(0)?,
        kind: row.get(1)?,
        told: if row.get(2)? {
            Told::Record(place)
        } else {
            Told::Event(place)
        },
        first_at: WallTime(row.get(4)?),
        tried_at: WallTime(row.get(5)?),
        tries: row.get(6)?,
        status: row.get(7)?,
        problem: row.get(8)?,
        is_taken: row.get(9)?,
        again: row.get(10)?,
    })
}

/// Has a delivery sent once more.
pub(super) fn again(
    c: &Connection,
    organisation: &OrganisationId,
    webhook: &WebhookId,
    told: Told,
) -> Result<Change, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(Change::Same);
    };
    let (is_record, place) = match told {
        Told::Record(place) => (true, place),
        Told::Event(place) => (false, place),
    };
    let changed = c.execute(
        "UPDATE delivery SET again = 1
         WHERE organisation = ?1 AND webhook = ?2 AND is_record = ?3 AND place = ?4",
        params![organisation, webhook.as_str(), is_record, signed(place)],
    )?;
    Ok(if changed > 0 {
        Change::Changed
    } else {
        Change::Same
    })
}
