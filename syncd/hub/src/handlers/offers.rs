//! Offers of updates and of configuration: put and withdrawn by operators, listed and fetched a
//! range at a time by devices. What is in them is nobody's business here.

use std::sync::Arc;

use vocabulary::Digest;
use wire::limits::OFFER_PART_BYTES;
use wire::offer as api;
use wire::problem::ProblemType;
use wire::scalar::{Base64, Hex};
use wire::{Id, Timestamp};

use crate::admin::{self, OfferError};
use crate::ca::hex;
use crate::call::Call;
use crate::convert;
use crate::hub::Hub;
use crate::model::{Offer, OfferId, OfferKind};
use crate::offers::ContentError;
use crate::range::{Range, decide};
use crate::reply::{Failure, Reply, ReplyBody, chain, json_bytes};

use super::device::{holds, weak_tag};

pub(super) fn list(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let offers = hub.store.offers(call.organisation()?)?;
    let offers: Result<_, Failure> = offers.into_iter().map(|offer| out(hub, offer)).collect();
    Reply::json(&api::Offers { offers: offers? })
}

pub(super) fn get(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    Reply::json(&out(hub, own(hub, call)?)?)
}

pub(super) fn put(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: OfferId = call.path(0)?;
    let put: api::PutOffer = call.json()?;
    let offer = Offer {
        organisation: call.organisation()?.clone(),
        id,
        kind: match put.kind {
            api::OfferKind::Update => OfferKind::Update,
            api::OfferKind::Configuration => OfferKind::Configuration,
        },
        version: put.version.as_str().to_owned(),
        size_bytes: put.size_bytes,
        sha256: put.sha256.into(),
        signature: put.signature.0,
        signature_key: put.signature_key.as_str().to_owned(),
        rooms: put.rooms.into_iter().map(|room| room.0).collect(),
        devices: put.devices.into_iter().map(|device| device.0).collect(),
        not_before: put.not_before.map(|time| time.0),
        expires_at: put.expires_at.map(|time| time.0),
        percent: put.percent,
        made_at: call.now,
    };
    admin::put_offer(hub, &offer).map_err(failed)?;
    Reply::json(&out(hub, own(hub, call)?)?)
}

pub(super) fn part(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let offer = own(hub, call)?;
    let part = call
        .number("part")?
        .ok_or_else(|| Failure::malformed("`part` in the query says which part this is"))?;
    hub.offers
        .take(&offer, part, &call.body)
        .map_err(|error| failed(error.into()))?;
    Reply::json(&out(hub, offer)?)
}

pub(super) fn withdraw(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: OfferId = call.path(0)?;
    hub.store.delete_offer(call.organisation()?, &id)?;
    hub.forget_contents();
    Ok(Reply::empty())
}

pub(super) fn of_device(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let (device, _) = call.device()?;
    let mut offers = Vec::new();
    for offer in hub.store.offers(&device.organisation)? {
        if offer.is_for(device, call.now) && is_whole(hub, &offer)? {
            offers.push(api::DeviceOffer {
                id: id_out(&offer.id)?,
                kind: kind(offer.kind),
                version: convert::name(&offer.version),
                size_bytes: offer.size_bytes,
                sha256: offer.sha256.into(),
                signature: Base64(offer.signature),
                signature_key: convert::name(&offer.signature_key),
                expires_at: offer.expires_at.map(Timestamp),
            });
        }
    }
    let bytes = json_bytes(&api::DeviceOffers { offers })?;
    let tag = weak_tag(&bytes);
    if holds(call, &tag) {
        return Ok(Reply::not_modified(tag));
    }
    Ok(Reply::of_json(bytes).with("etag", tag))
}

pub(super) fn content(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let (device, _) = call.device()?;
    let id: OfferId = call.path(0)?;
    let found = hub.store.offers(&device.organisation)?;
    let found = found.into_iter().find(|offer| offer.id == id);
    // Whether it is over, withdrawn, or another's, it is not there for this device.
    let offer = found
        .filter(|offer| offer.is_for(device, call.now))
        .ok_or_else(|| Failure::not_found("offer", &id))?;
    let file = hub.offers.open(&offer).map_err(unreadable)?;
    let file = file.ok_or_else(|| Failure::not_found("offer", &id))?;
    let tag = content_tag(&offer.sha256);
    if holds(call, &tag) {
        return Ok(Reply::not_modified(tag));
    }
    let size = offer.size_bytes;
    let range = call.range.as_deref();
    let (status, from, to) = match decide(range, call.if_range.as_deref(), &tag, size) {
        Range::Whole => (None, 0, size.saturating_sub(1)),
        Range::Part { from, to } => (Some(206), from, to),
        Range::Unsatisfiable => {
            let detail = format!("the content has {size} bytes; ask for some of them");
            return Err(Failure {
                content_range: Some(format!("bytes */{size}")),
                ..Failure::new(ProblemType::RangeNotSatisfiable, detail)
            });
        }
    };
    let reply = Reply {
        status,
        headers: vec![("etag", tag), ("accept-ranges", "bytes".to_owned())],
        body: ReplyBody::File(file, from, to - from + 1),
    };
    Ok(match status {
        Some(_) => reply.with("content-range", format!("bytes {from}-{to}/{size}")),
        None => reply,
    })
}

/// A content's tag: strong, since its digest says every byte.
fn content_tag(sha256: &Digest) -> String {
    format!("\"{}\"", hex(&sha256.0))
}

fn own(hub: &Hub, call: &Call) -> Result<Offer, Failure> {
    let id: OfferId = call.path(0)?;
    let offers = hub.store.offers(call.organisation()?)?;
    let found = offers.into_iter().find(|offer| offer.id == id);
    found.ok_or_else(|| Failure::not_found("offer", &id))
}

fn is_whole(hub: &Hub, offer: &Offer) -> Result<bool, Failure> {
    let file = hub.offers.open(offer).map_err(unreadable)?;
    Ok(file.is_some())
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::internal("an offer's content", &error)
}

fn failed(error: OfferError) -> Failure {
    let detail = error.to_string();
    match error {
        OfferError::Store(error) => error.into(),
        OfferError::Invalid(_) | OfferError::Room(_) | OfferError::Device(_) => {
            Failure::new(ProblemType::Unprocessable, detail)
        }
        OfferError::Content(error) => match error {
            ContentError::NoPart { .. } | ContentError::Length { .. } => {
                Failure::new(ProblemType::Unprocessable, detail)
            }
            ContentError::Digest { .. } => Failure::new(ProblemType::Unprocessable, detail),
            ContentError::Gap { .. } => Failure::new(ProblemType::Conflict, detail),
            ContentError::Io(error) => Failure {
                cause: Some(chain(&error)),
                ..Failure::new(
                    ProblemType::Unavailable,
                    "the hub's disk takes no contents now",
                )
            },
        },
    }
}

fn id_out(id: &OfferId) -> Result<Id<api::OfferId>, Failure> {
    let read = id.as_str().parse();
    read.map(Id)
        .map_err(|error: vocabulary::IdError| Failure::internal("an offer's id", &error))
}

fn kind(kind: OfferKind) -> api::OfferKind {
    match kind {
        OfferKind::Update => api::OfferKind::Update,
        OfferKind::Configuration => api::OfferKind::Configuration,
    }
}

fn out(hub: &Hub, offer: Offer) -> Result<api::Offer, Failure> {
    let received_bytes = hub.offers.received(&offer).map_err(unreadable)?;
    let next_part =
        (received_bytes < offer.size_bytes).then(|| received_bytes / OFFER_PART_BYTES as u64 + 1);
    Ok(api::Offer {
        id: id_out(&offer.id)?,
        put: api::OfferTerms {
            kind: kind(offer.kind),
            version: convert::name(&offer.version),
            size_bytes: offer.size_bytes,
            sha256: Hex(offer.sha256.0),
            signature: Base64(offer.signature),
            signature_key: convert::name(&offer.signature_key),
            rooms: offer.rooms.into_iter().map(Id).collect(),
            devices: offer.devices.into_iter().map(Id).collect(),
            not_before: offer.not_before.map(Timestamp),
            expires_at: offer.expires_at.map(Timestamp),
            percent: offer.percent,
        },
        received_bytes,
        next_part: next_part.and_then(|part| u32::try_from(part).ok()),
        made_at: Timestamp(offer.made_at),
    })
}
