//! Webhooks: where to, how far, and when again.

use rusqlite::{Connection, Row, params};
use vocabulary::{OrganisationId, WallTime};

use super::convert::{self, signed};
use super::database::damaged;
use super::events::newest as newest_event;
use super::ingest::newest_commit;
use super::organisations;
use crate::model::{
    Change, Commit, Cursor, EventKind, KeptWebhook, Webhook, WebhookId, WebhookState,
};
use crate::store::{StoreError, WEBHOOKS_MAX};

const COLUMNS: &str = "o.id, w.id, w.url, w.salt, w.incarnation, w.after_commit, w.delivered_ms,
    w.failing_since_ms, w.failures, w.problem, w.next_ms, w.records, w.events, w.after_event";

pub(super) fn put(
    c: &Connection,
    webhook: &Webhook,
    incarnation: [u8; 16],
    now: WallTime,
) -> Result<Change, StoreError> {
    let organisation = organisations::number(c, &webhook.organisation)?;
    let events = kinds_text(&webhook.events);
    // What it was not told of until now, it is told of from now on.
    let changed = c.execute(
        "UPDATE webhook SET url = ?3, failures = 0, failing_since_ms = NULL, problem = NULL,
             next_ms = ?4, leased_ms = NULL, records = ?5, events = ?6,
             after_commit = CASE WHEN records THEN after_commit ELSE ?7 END,
             incarnation = CASE WHEN records THEN incarnation ELSE ?8 END,
             after_event = CASE WHEN events = '' THEN ?9 ELSE after_event END
         WHERE organisation = ?1 AND id = ?2 AND (url <> ?3 OR records <> ?5 OR events <> ?6)",
        params![
            organisation,
            webhook.id.as_str(),
            webhook.url,
            now.0,
            webhook.records,
            events,
            signed(newest_commit(c)?),
            incarnation,
            newest_event(c)?
        ],
    )?;
    if changed > 0 {
        return Ok(Change::Changed);
    }
    let (count, exists): (u64, bool) = c.query_row(
        "SELECT count(*), coalesce(max(id = ?2), 0) FROM webhook WHERE organisation = ?1",
        params![organisation, webhook.id.as_str()],
        |row| Ok((convert_count(row)?, row.get(1)?)),
    )?;
    if exists {
        return Ok(Change::Same);
    }
    if count >= WEBHOOKS_MAX as u64 {
        return Err(StoreError::TooMany {
            what: "webhooks",
            max: WEBHOOKS_MAX as u64,
        });
    }
    c.execute(
        "INSERT INTO webhook (organisation, id, url, salt, incarnation, after_commit, failures,
             next_ms, records, events, after_event)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?8, ?9, ?10)",
        params![
            organisation,
            webhook.id.as_str(),
            webhook.url,
            webhook.salt,
            incarnation,
            signed(newest_commit(c)?),
            now.0,
            webhook.records,
            events,
            newest_event(c)?
        ],
    )?;
    Ok(Change::Made)
}

/// The numbers of kinds, with spaces between.
fn kinds_text(kinds: &[EventKind]) -> String {
    let numbers = kinds.iter().map(|kind| kind.number().to_string());
    numbers.collect::<Vec<_>>().join(" ")
}

/// The kinds of such numbers; those of a later version are passed over.
fn kinds(text: &str) -> Vec<EventKind> {
    let numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    numbers.filter_map(EventKind::of).collect()
}

fn convert_count(row: &Row<'_>) -> rusqlite::Result<u64> {
    row.get::<_, i64>(0).map(i64::unsigned_abs)
}

pub(super) fn all(
    c: &Connection,
    organisation: &OrganisationId,
) -> Result<Vec<KeptWebhook>, StoreError> {
    let mut statement = c.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM webhook w JOIN organisation o ON o.number = w.organisation
         WHERE o.id = ?1 ORDER BY w.id"
    ))?;
    let mut rows = statement.query([organisation.as_str()])?;
    let mut webhooks = Vec::new();
    while let Some(row) = rows.next()? {
        webhooks.push(read(row)?);
    }
    Ok(webhooks)
}

pub(super) fn delete(
    c: &Connection,
    organisation: &OrganisationId,
    id: &WebhookId,
) -> Result<Change, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(Change::Same);
    };
    c.execute(
        "DELETE FROM delivery WHERE organisation = ?1 AND webhook = ?2",
        params![organisation, id.as_str()],
    )?;
    let deleted = c.execute(
        "DELETE FROM webhook WHERE organisation = ?1 AND id = ?2",
        params![organisation, id.as_str()],
    )?;
    Ok(Change::when(deleted > 0))
}

/// Whether one is due, without writing anything.
pub(super) fn is_due(
    c: &Connection,
    incarnation: [u8; 16],
    now: WallTime,
) -> Result<bool, StoreError> {
    let newest = signed(newest_commit(c)?);
    let due = c.query_row(
        &format!("SELECT EXISTS (SELECT 1 FROM webhook w WHERE {DUE})"),
        params![now.0, newest, incarnation, newest_event(c)?],
        |row| row.get(0),
    )?;
    Ok(due)
}

/// It is time, nobody else has it, and there is something to deliver.
const DUE: &str = "(w.next_ms <= ?1 OR EXISTS (SELECT 1 FROM delivery d
        WHERE d.organisation = w.organisation AND d.webhook = w.id AND d.again = 1))
    AND (w.leased_ms IS NULL OR w.leased_ms <= ?1)
    AND ((w.records AND (w.after_commit < ?2 OR w.incarnation <> ?3))
        OR (w.events <> '' AND w.after_event < ?4)
        OR EXISTS (SELECT 1 FROM delivery d WHERE d.organisation = w.organisation
            AND d.webhook = w.id AND d.again = 1))";

pub(super) fn claim(
    c: &Connection,
    incarnation: [u8; 16],
    now: WallTime,
    until: WallTime,
    limit: u32,
) -> Result<Vec<KeptWebhook>, StoreError> {
    let newest = signed(newest_commit(c)?);
    let mut statement = c.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM webhook w JOIN organisation o ON o.number = w.organisation
         WHERE {DUE} ORDER BY w.next_ms, w.organisation, w.id LIMIT ?5"
    ))?;
    let mut rows = statement.query(params![now.0, newest, incarnation, newest_event(c)?, limit])?;
    let mut claimed = Vec::new();
    while let Some(row) = rows.next()? {
        claimed.push(read(row)?);
    }
    for kept in &claimed {
        let organisation = organisations::number(c, &kept.webhook.organisation)?;
        c.prepare_cached("UPDATE webhook SET leased_ms = ?3 WHERE organisation = ?1 AND id = ?2")?
            .execute(params![organisation, kept.webhook.id.as_str(), until.0])?;
    }
    Ok(claimed)
}

pub(super) fn put_state(
    c: &Connection,
    organisation: &OrganisationId,
    id: &WebhookId,
    state: &WebhookState,
) -> Result<Change, StoreError> {
    let Some(organisation) = organisations::find(c, organisation)? else {
        return Ok(Change::Same);
    };
    let changed = c
        .prepare_cached(
            "UPDATE webhook SET incarnation = ?3, after_commit = ?4, delivered_ms = ?5,
                 failing_since_ms = ?6, failures = ?7, problem = ?8, next_ms = ?9,
                 leased_ms = NULL, after_event = ?10
             WHERE organisation = ?1 AND id = ?2",
        )?
        .execute(params![
            organisation,
            id.as_str(),
            state.after.incarnation,
            signed(state.after.commit.0),
            state.delivered_at.map(|time| time.0),
            state.failing_since.map(|time| time.0),
            state.failures,
            state.problem,
            state.next_at.map(|time| time.0),
            signed(state.after_event),
        ])?;
    Ok(Change::when(changed > 0))
}

fn read(row: &Row<'_>) -> Result<KeptWebhook, StoreError> {
    let id: String = row.get(1)?;
    let time = |column| {
        row.get::<_, Option<i64>>(column)
            .map(|time| time.map(WallTime))
    };
    Ok(KeptWebhook {
        webhook: Webhook {
            organisation: convert::id(row, 0, "organisation.id")?,
            id: id
                .parse()
                .map_err(|error: vocabulary::IdError| damaged("webhook.id")(error.into()))?,
            url: row.get(2)?,
            records: row.get(11)?,
            events: kinds(&row.get::<_, String>(12)?),
            salt: convert::bytes(row, 3, "webhook.salt")?,
        },
        state: WebhookState {
            after: Cursor {
                incarnation: convert::bytes(row, 4, "webhook.incarnation")?,
                commit: Commit(convert::unsigned(row, 5, "webhook.after_commit")?),
            },
            after_event: convert::unsigned(row, 13, "webhook.after_event")?,
            delivered_at: time(6)?,
            failing_since: time(7)?,
            failures: row.get(8)?,
            problem: row.get(9)?,
            next_at: time(10)?,
        },
    })
}
