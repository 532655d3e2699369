//! All records of an organisation's devices, from a cursor.

use std::sync::Arc;

use record::{Body, Record};
use vocabulary::OrganisationId;
use wire::roll as api;
use wire::scalar::{Base64, Hex16};
use wire::{Id, Timestamp};

use crate::ca::hex;
use crate::call::{Call, cursor, cursor_parts};
use crate::convert;
use crate::hub::Hub;
use crate::model::{Commit, Cursor, StoredRecord};
use crate::reply::{Failure, Reply};

/// The word in cursors of this list.
const LIST: &str = "records";

pub(super) fn list(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let after = match call.text("after") {
        Some(text) => read_cursor(text)?,
        None => hub.store.first_cursor()?,
    };
    let page = page(hub, call.organisation()?, after, call.limit()?)?;
    let link = call.link(&page.next);
    let more = page.more;
    let reply = Reply::json(&page)?;
    Ok(if more {
        reply.with("link", link)
    } else {
        reply
    })
}

/// A page of records as the API has them.
pub(super) fn page(
    hub: &Hub,
    organisation: &OrganisationId,
    after: Cursor,
    limit: u32,
) -> Result<api::Records, Failure> {
    let page = hub.store.records(organisation, after, limit)?;
    Ok(api::Records {
        records: page.records.into_iter().map(record_out).collect(),
        next: write_cursor(&page.next),
        more: page.more,
    })
}

/// A cursor of this list, as text.
pub(super) fn write_cursor(place: &Cursor) -> String {
    let commit = place.commit.0.to_string();
    cursor(LIST, &[&hex(&place.incarnation), &commit])
}

/// A cursor of this list.
pub(super) fn read_cursor(text: &str) -> Result<Cursor, Failure> {
    let wrong = || Failure::malformed("`after` in the query is no cursor of records");
    let parts = cursor_parts(LIST, text)?;
    let [incarnation, commit] = parts.as_slice() else {
        return Err(wrong());
    };
    let incarnation: Hex16 = incarnation.parse().map_err(|_| wrong())?;
    Ok(Cursor {
        incarnation: incarnation.0,
        commit: Commit(commit.parse().map_err(|_| wrong())?),
    })
}

/// A record's kind in words; none where the hub does not know it.
fn kind(bytes: &[u8]) -> Option<String> {
    match Record::decode(bytes).ok()?.body {
        Body::Unknown(_) => None,
        body => Some(body.kind_name().to_owned()),
    }
}

pub(crate) fn record_out(record: StoredRecord) -> api::Record {
    api::Record {
        device: Id(record.device),
        epoch: record.epoch.into(),
        sequence: record.sequence.0,
        digest: record.digest.into(),
        kind: kind(&record.bytes),
        meeting: record.meeting.map(Id),
        person: record.person.map(Id),
        at: record.at.map(Timestamp),
        repaired_at: record.repaired_at.map(Timestamp),
        received_at: Timestamp(record.received_at),
        quarantined: record.aside.map(convert::quarantine),
        bytes: Base64(record.bytes),
    }
}
