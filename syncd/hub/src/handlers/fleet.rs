//! Devices as operators see them: declared, given tokens, revoked; and the notes about their
//! records.

use std::sync::Arc;

use vocabulary::DeviceId;
use wire::fleet as api;
use wire::{Id, Timestamp};

use crate::admin::{self, AdminError, TOKEN_LASTS};
use crate::call::{Call, cursor};
use crate::hub::Hub;
use crate::model::{Device, Note, NoteKind, NoteNumber};
use crate::reply::{Failure, Reply};

/// The word in cursors of devices.
const DEVICES: &str = "devices";

/// The word in cursors of notes.
const NOTES: &str = "notes";

pub(super) fn list(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let after = call
        .cursor(DEVICES)?
        .map(|parts| DeviceId::new(&parts.join(" ")))
        .transpose()
        .map_err(|_| Failure::malformed("`after` in the query is no cursor of devices"))?;
    let page = hub
        .store
        .devices(call.organisation()?, after.as_ref(), call.limit()?)?;
    let next = page
        .items
        .last()
        .filter(|_| page.more)
        .map(|device| cursor(DEVICES, &[device.id.as_str()]));
    let reply = Reply::json(&api::Devices {
        devices: page.items.into_iter().map(device_out).collect(),
        next: next.clone(),
    })?;
    Ok(match next {
        Some(next) => reply.with("link", call.link(&next)),
        None => reply,
    })
}

pub(super) fn get(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    Reply::json(&device_out(own(hub, call)?))
}

pub(super) fn put(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: DeviceId = call.path(0)?;
    let put: api::PutDevice = call.json()?;
    let doors: Vec<_> = put.doors.into_iter().map(|door| door.0).collect();
    admin::put_device(hub, call.organisation()?, &id, &put.room.0, &doors).map_err(failed)?;
    Reply::json(&device_out(own(hub, call)?))
}

pub(super) fn revoke(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let device = own(hub, call)?;
    hub.store.revoke_device(&device.id, call.now)?;
    Ok(Reply::empty())
}

pub(super) fn reinstate(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let device = own(hub, call)?;
    hub.store.reinstate_device(&device.id, call.now)?;
    Reply::json(&device_out(own(hub, call)?))
}

pub(super) fn token(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let device = own(hub, call)?;
    let token = admin::new_token(hub, &device.id, TOKEN_LASTS).map_err(failed)?;
    Reply::json(&api::EnrolmentToken {
        device: Id(device.id),
        token,
        expires_at: Timestamp(call.now.saturating_add(TOKEN_LASTS)),
    })
}

pub(super) fn notes(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let wrong = || Failure::malformed("`after` in the query is no cursor of notes");
    let after = match call.cursor(NOTES)? {
        None => NoteNumber(0),
        Some(parts) => NoteNumber(parts.concat().parse().map_err(|_| wrong())?),
    };
    let limit = call.limit()?;
    let notes = hub.store.notes(call.organisation()?, after, limit)?;
    let last = notes.last().map_or(after, |note| note.number);
    let is_full = notes.len() >= limit as usize;
    let next = cursor(NOTES, &[&last.0.to_string()]);
    let reply = Reply::json(&api::Notes {
        notes: notes.into_iter().map(note_out).collect(),
        next: next.clone(),
    })?;
    Ok(if is_full {
        reply.with("link", call.link(&next))
    } else {
        reply
    })
}

/// The device that the path names, where it is the caller's.
fn own(hub: &Hub, call: &Call) -> Result<Device, Failure> {
    let id: DeviceId = call.path(0)?;
    let organisation = call.organisation()?;
    hub.store
        .device(&id)?
        .filter(|device| device.organisation == *organisation)
        .ok_or_else(|| Failure::not_found("device", &id))
}

fn failed(error: AdminError) -> Failure {
    match error {
        AdminError::Store(error) => error.into(),
        AdminError::Scope { .. }
        | AdminError::TokenLasts
        | AdminError::NoScopes
        | AdminError::InvitationKey { .. }
        | AdminError::PortraitDays(_)
        | AdminError::NoModels(_)
        | AdminError::Random(_) => Failure::internal("a token", &error),
    }
}

fn device_out(device: Device) -> api::Device {
    let health = device.health.as_ref();
    api::Device {
        id: Id(device.id),
        room: Id(device.room),
        doors: device.doors.into_iter().map(Id).collect(),
        enrolled: device.keys.is_some(),
        revoked_at: device.revoked_at.map(Timestamp),
        reported_at: health.map(|health| Timestamp(health.received_at)),
        // A report of an earlier version that reads no more is left out.
        health: health.and_then(|health| serde_json::from_str(&health.document).ok()),
    }
}

fn note_out(note: Note) -> api::Note {
    let (kind, detail) = match note.kind {
        NoteKind::Lost { from, through } => (
            api::NoteKind::Lost,
            format!("records {from} to {through} are gone at the device and never came here"),
        ),
        NoteKind::KeptAside(aside) => (
            api::NoteKind::KeptAside,
            format!("record {} is kept aside: {}", aside.sequence, aside.why),
        ),
        NoteKind::UnknownMeeting { sequence, meeting } => (
            api::NoteKind::UnknownMeeting,
            format!("record {sequence} is the first that names the unknown meeting {meeting}"),
        ),
        NoteKind::UnknownKind { sequence, kind } => (
            api::NoteKind::UnknownKind,
            format!("record {sequence} is the first of the unknown kind {kind}"),
        ),
        NoteKind::EpochUnlinked { previous } => (
            api::NoteKind::EpochUnlinked,
            format!("the first record names {previous}, which is not the end of an epoch here"),
        ),
        NoteKind::HeadInvalid => (
            api::NoteKind::HeadInvalid,
            "a signed head is none, or not the device's".to_owned(),
        ),
        NoteKind::HeadContradicts { sequence, digest } => (
            api::NoteKind::HeadContradicts,
            format!("a signed head names {digest} as record {sequence}; the hub has another"),
        ),
    };
    api::Note {
        number: note.number.0,
        at: Timestamp(note.at),
        device: Id(note.device),
        epoch: note.epoch.into(),
        kind,
        detail,
    }
}
