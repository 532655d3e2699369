//! What devices ask: to be enrolled and renewed, for the meetings of their doors and the rosters
//! of these, and to take their records.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use seal::{DataKey, DevicePublicKey, KeyId, Scope, WrapBinding, wrap};
use sha2::{Digest as _, Sha256};
use vocabulary::{DeviceId, Epoch, MeetingId, OrganisationId, WallTime};
use wire::device as api;
use wire::limits::{
    DEVICE_CERTIFICATE_LASTS, DEVICE_RENEWAL_AFTER, HEALTH_SPACES_MAX, HEALTH_TROUBLES_MAX,
    KEY_RELEASED_BEFORE, OFFERS_MAX,
};
use wire::problem::ProblemType;
use wire::scalar::{Base64, Hex, Hex16};
use wire::{Id, Packing, Timestamp};

use crate::auth::Caller;
use crate::ca::{RequestedKey, hex};
use crate::call::Call;
use crate::convert;
use crate::hub::Hub;
use crate::ingest::Batch;
use crate::model::{
    CertificateSerial, Device, DeviceCertificate, DeviceKeys, DeviceMeeting, DeviceRoster,
    DeviceRosterAnswer, Health, KeptKey, Position, TokenUse,
};
use crate::reply::{Failure, Reply, ReplyBody, chain};

/// How long before now a device's window begins when it does not say: a meeting of yesterday may
/// still be on.
const WINDOW_BACK: Duration = Duration::from_secs(24 * 3600);

/// How far ahead a device's window reaches when it does not say.
const WINDOW_AHEAD: Duration = Duration::from_secs(35 * 24 * 3600);

/// Most bytes of packed rosters that are kept ready: a day's meetings of a city.
const ROSTERS_BYTES_MAX: usize = 128 << 20;

pub(super) fn enrol(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let Caller::Token(token, hash) = &call.caller else {
        return Err(Failure::internal("an enrolment has no token", &""));
    };
    let asked: api::EnrolDevice = call.json()?;
    let requested = requested_key(&asked.csr)?;
    let keys = DeviceKeys {
        sealing: asked.sealing_key.0,
        head: asked.head_key.0,
    };
    check_keys(&token.device, &keys)?;
    let certificate = sign(hub, &token.device, &requested, call.now)?;
    let used = hub
        .store
        .enrol_device(hash, &keys, &certificate, call.now)?;
    let certificate = match used {
        TokenUse::Enrolled(certificate) => certificate,
        TokenUse::Used => {
            return Err(Failure::new(
                ProblemType::TokenUsed,
                "the token was used by another device's key; make a new one, and find out by whom",
            ));
        }
        TokenUse::Revoked => {
            let detail = format!("device {} was revoked", token.device);
            return Err(Failure::new(ProblemType::Revoked, detail));
        }
        TokenUse::Expired | TokenUse::Unknown => {
            return Err(Failure::new(
                ProblemType::Unauthenticated,
                "the token is past its time or was replaced; make a new one for this device",
            ));
        }
    };
    let device = hub.store.device(&token.device)?;
    let device = device.ok_or_else(|| Failure::not_found("device", &token.device))?;
    Reply::json(&enrolled(hub, &device, certificate))
}

pub(super) fn renew(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let (device, _) = call.device()?;
    let asked: api::RenewCertificate = call.json()?;
    let requested = requested_key(&asked.csr)?;
    let certificate = sign(hub, &device.id, &requested, call.now)?;
    let certificate = hub
        .store
        .renew_certificate(&device.id, &certificate, call.now)?;
    Reply::json(&enrolled(hub, device, certificate))
}

pub(super) fn health(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let (device, certificate) = call.device()?;
    let report: api::Health = call.json()?;
    for (field, found, most) in [
        ("spaces", report.spaces.len(), HEALTH_SPACES_MAX),
        ("troubles", report.troubles.len(), HEALTH_TROUBLES_MAX),
        ("offers", report.offers.len(), OFFERS_MAX),
    ] {
        if found > most {
            let detail = format!("`{field}` in the body has {found} items, {most} are the most");
            return Err(Failure::malformed(detail));
        }
    }
    if report
        .spaces
        .iter()
        .any(|space| space.name.as_str().is_empty())
    {
        return Err(Failure::malformed(
            "`spaces` in the body has one without a name",
        ));
    }
    let document = serde_json::to_string(&report)
        .map_err(|error| Failure::internal("a health report", &error))?;
    let health = Health {
        received_at: call.now,
        document,
    };
    hub.store.put_health(&device.id, &health)?;
    Reply::json(&api::HealthAnswer {
        now: Timestamp(call.now),
        store: store_id(hub),
        renew_at: Timestamp(if hub.ca().is_current(certificate) {
            renew_at(certificate.expires_at)
        } else {
            // The hub's authority is being replaced: the answer to a renewal tells of the next one.
            // Long ago, so that it is time by any clock.
            certificate.not_before
        }),
    })
}

pub(super) fn meetings(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let (device, _) = call.device()?;
    let from = call
        .time("from")?
        .unwrap_or(call.now.saturating_sub(WINDOW_BACK));
    let until = call
        .time("until")?
        .unwrap_or(call.now.saturating_add(WINDOW_AHEAD));
    let told = hub
        .store
        .device_meetings(&device.id, from, until, call.now)?;
    let plain = |meeting: &DeviceMeeting| api::DeviceMeeting {
        meeting: Id(meeting.meeting.clone()),
        generation: meeting.generation,
        digest: meeting.digest.into(),
        starts_at: Timestamp(meeting.starts_at),
        ends_at: Timestamp(meeting.ends_at),
        closed: meeting.closed,
        key: None,
        recorded_elsewhere: Vec::new(),
    };
    let released = |meeting: &DeviceMeeting| {
        let released_from = meeting.starts_at.saturating_sub(KEY_RELEASED_BEFORE);
        let kept = meeting.key.as_ref();
        kept.filter(|_| !meeting.closed && released_from <= call.now)
            .cloned()
    };
    let mut answer = api::DeviceMeetings {
        meetings: told.meetings.iter().map(plain).collect(),
        withdrawn: told
            .withdrawn
            .into_iter()
            .map(|withdrawal| api::Withdrawn {
                meeting: Id(withdrawal.meeting),
                generation: withdrawal.generation,
            })
            .collect(),
        now: Timestamp(call.now),
    };
    let keys: Vec<Option<KeptKey>> = told.meetings.iter().map(released).collect();
    // Wrapping the same key twice gives different bytes, and the clock never stands still: the tag
    // is made of all the rest.
    let etag = meetings_tag(device, &answer, &keys)?;
    if holds(call, &etag) {
        return Ok(Reply::not_modified(etag));
    }
    for (meeting, kept) in answer.meetings.iter_mut().zip(keys) {
        if let Some(kept) = kept {
            meeting.key = Some(wrapped(hub, device, &meeting.meeting.0, &kept)?);
        }
    }
    Reply::json(&answer).map(|reply| reply.with("etag", etag))
}

fn meetings_tag(
    device: &Device,
    answer: &api::DeviceMeetings,
    keys: &[Option<KeptKey>],
) -> Result<String, Failure> {
    let mut hasher = Sha256::new();
    let parts = serde_json::to_vec(&(&answer.meetings, &answer.withdrawn));
    hasher.update(parts.map_err(|error| Failure::internal("a tag", &error))?);
    for key in keys {
        hasher.update(key.as_ref().map_or([0; 16], |key| key.id.0));
    }
    // A device that was enrolled anew has another key to wrap for.
    hasher.update(device.keys.map_or([0; 32], |keys| keys.sealing));
    Ok(format!("W/\"{}\"", hex(&hasher.finalize()[..12])))
}

pub(super) fn roster(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let (device, _) = call.device()?;
    let meeting: MeetingId = call.path(0)?;
    let packing = call.packing.unwrap_or(Packing::Zstd);
    let place = (device.organisation.clone(), meeting.clone(), packing);
    let cached = hub.rosters.find(&place);
    let mut unless = call
        .if_none_match
        .as_deref()
        .and_then(|tags| generation_of(hub, tags));
    let asked_for = unless;
    if unless.is_none() {
        unless = cached.as_ref().map(|(generation, _)| *generation);
    }
    let answer = hub
        .store
        .device_roster(&device.id, &meeting, unless, call.now)?;
    let roster = match answer {
        DeviceRosterAnswer::Here(roster) => roster,
        DeviceRosterAnswer::Unchanged => {
            if let Some(generation) = asked_for {
                return Ok(Reply::not_modified(roster_tag(hub, generation)));
            }
            if let Some((generation, packed)) = cached {
                hub.metrics.roster(true);
                return Ok(packed_roster(hub, generation, packing, packed));
            }
            return Err(Failure::internal("a roster is unchanged from none", &""));
        }
        DeviceRosterAnswer::Gone => {
            let detail = format!("meeting {meeting} is no longer at this device's doors");
            return Err(Failure::new(ProblemType::Gone, detail));
        }
        DeviceRosterAnswer::Unknown => return Err(Failure::not_found("meeting", &meeting)),
    };
    let generation = roster.roster.generation;
    // Two hundred devices ask at once when a roster changes; one of them has it made.
    let mut building = hub.rosters.lock();
    let packed = match building.find(&place) {
        Some((made, packed)) if made == generation => {
            hub.metrics.roster(true);
            packed
        }
        Some(_) | None => {
            let packed = pack(*roster, &meeting, packing)?;
            hub.metrics.roster(false);
            building.keep(place, generation, packed.clone());
            packed
        }
    };
    drop(building);
    Ok(packed_roster(hub, generation, packing, packed))
}

fn packed_roster(hub: &Hub, generation: u64, packing: Packing, packed: Bytes) -> Reply {
    Reply {
        status: None,
        headers: vec![("etag", roster_tag(hub, generation))],
        body: ReplyBody::Packed("application/json", packing, packed),
    }
}

fn pack(roster: DeviceRoster, meeting: &MeetingId, packing: Packing) -> Result<Bytes, Failure> {
    let text = |text: &str| convert::name(text);
    let answer = api::DeviceRoster {
        organisation: Id(roster.organisation),
        meeting: Id(meeting.clone()),
        generation: roster.roster.generation,
        digest: roster.roster.digest.into(),
        roster: Base64(roster.roster.bytes),
        key: Hex(roster.key.id.0),
        references: roster
            .references
            .into_iter()
            .map(|reference| api::SealedReference {
                person: Id(reference.person),
                reference: Id(reference.reference),
                space: convert::space(&reference.space),
                sealed: Base64(reference.sealed.as_bytes().to_vec()),
            })
            .collect(),
        invitation_keys: roster.invitation_keys.into_iter().map(Hex).collect(),
        substitutes: roster
            .substitutes
            .into_iter()
            .map(|right| api::SubstituteRight {
                person: Id(right.person),
                instead_of: Id(right.instead_of),
                document: text(&right.document),
            })
            .collect(),
        citizen_cards: roster
            .citizen_cards
            .into_iter()
            .map(|card| api::CitizenCard {
                person: Id(card.person),
                hash: Hex(card.hash.0),
            })
            .collect(),
    };
    packing
        .pack_with(|writer| serde_json::to_writer(writer, &answer).map_err(Into::into))
        .map(Bytes::from)
        .map_err(|error| Failure::internal("a roster", &error))
}

/// A roster's tag: its generation, within the incarnation of the store that counts them.
fn roster_tag(hub: &Hub, generation: u64) -> String {
    format!("W/\"{}-{generation}\"", hex(&hub.identity.incarnation[..6]))
}

fn generation_of(hub: &Hub, tags: &str) -> Option<u64> {
    let prefix = hex(&hub.identity.incarnation[..6]);
    tags.split(',').find_map(|tag| {
        let tag = tag.trim();
        let tag = tag.strip_prefix("W/").unwrap_or(tag);
        let inner = tag.strip_prefix('"')?.strip_suffix('"')?;
        inner.strip_prefix(&prefix)?.strip_prefix('-')?.parse().ok()
    })
}

/// A tag of bytes that are the same in meaning when they are the same.
pub(super) fn weak_tag(bytes: &[u8]) -> String {
    format!("W/\"{}\"", hex(&Sha256::digest(bytes)[..12]))
}

/// Whether the caller has what the tag stands for.
pub(super) fn holds(call: &Call, etag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    call.if_none_match.as_deref().is_some_and(|tags| {
        tags.trim() == "*" || tags.split(',').any(|tag| opaque(tag) == opaque(etag))
    })
}

pub(super) fn position(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let (device, _) = call.device()?;
    let epoch: Hex16 = call.path(0)?;
    let position = hub.store.position(&device.id, &Epoch::from(epoch))?;
    Reply::json(&position_out(hub, position))
}

pub(super) fn records(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let (device, _) = call.device()?;
    let sent: api::SendRecords = call.json()?;
    let batch = Batch {
        epoch: sent.epoch.into(),
        first: vocabulary::Sequence(sent.first),
        oldest: vocabulary::Sequence(sent.oldest),
        records: sent.records.into_iter().map(|record| record.0).collect(),
        head: sent.head.map(|head| head.0),
    };
    let ingested = hub.store.ingest(&device.id, &batch, call.now)?;
    let quarantined = ingested.quarantined.len() as u64;
    hub.metrics.records(batch.records.len() as u64, quarantined);
    if ingested.accepted.is_some() {
        hub.records_came.notify_waiters();
    }
    Reply::json(&api::RecordsAccepted {
        position: position_out(hub, ingested.position),
        quarantined: ingested
            .quarantined
            .into_iter()
            .map(|aside| api::Quarantined {
                sequence: aside.sequence.0,
                digest: aside.digest.into(),
                why: convert::quarantine(aside.why),
            })
            .collect(),
    })
}

fn position_out(hub: &Hub, position: Position) -> api::Position {
    api::Position {
        store: store_id(hub),
        epoch: position.epoch.into(),
        committed_through: position.committed_through.0,
        digest: position.digest.map(Into::into),
    }
}

fn store_id(hub: &Hub) -> api::StoreId {
    api::StoreId {
        store: Hex(hub.identity.store),
        incarnation: Hex(hub.identity.incarnation),
    }
}

fn requested_key(csr: &str) -> Result<RequestedKey, Failure> {
    RequestedKey::of_csr(csr)
        .map_err(|error| Failure::new(ProblemType::Unprocessable, format!("`csr`: {error}")))
}

/// Refuses keys with which nothing could be done later, while somebody stands beside the device.
fn check_keys(device: &DeviceId, keys: &DeviceKeys) -> Result<(), Failure> {
    let wrong = |what: &str, why: &str| {
        Failure::new(ProblemType::Unprocessable, format!("`{what}`: {why}"))
    };
    record::VerifyingKey::from_bytes(&keys.head)
        .map_err(|_| wrong("head_key", "it is no Ed25519 public key"))?;
    let trial = || {
        let organisation = OrganisationId::new("trial").ok()?;
        let binding = WrapBinding {
            device: device.clone(),
            key: KeyId([0; 16]),
            scope: Scope {
                organisation,
                meeting: None,
            },
        };
        let key = DataKey::generate().ok()?;
        wrap(&key, &binding, &DevicePublicKey(keys.sealing)).ok()
    };
    trial()
        .map(drop)
        .ok_or_else(|| wrong("sealing_key", "nothing can be sealed for this X25519 key"))
}

fn sign(
    hub: &Hub,
    device: &DeviceId,
    key: &RequestedKey,
    now: WallTime,
) -> Result<DeviceCertificate, Failure> {
    let signed = hub
        .newest_ca()
        .and_then(|ca| ca.sign_device(device, key, now))
        .map_err(|error| Failure::internal("signing", &chain(&error)))?;
    Ok(DeviceCertificate {
        serial: CertificateSerial(signed.serial.to_vec()),
        expires_at: signed.expires_at,
        pem: signed.pem,
        // The key and not the request: one made again for the same key is the same wish.
        request: key.digest(),
    })
}

fn enrolled(hub: &Hub, device: &Device, certificate: DeviceCertificate) -> api::Enrolled {
    api::Enrolled {
        device: Id(device.id.clone()),
        organisation: Id(device.organisation.clone()),
        room: Id(device.room.clone()),
        doors: device.doors.iter().cloned().map(Id).collect(),
        certificate: certificate.pem,
        authorities: hub.ca().authorities_pem(),
        expires_at: Timestamp(certificate.expires_at),
        renew_at: Timestamp(renew_at(certificate.expires_at)),
        store: store_id(hub),
    }
}

/// When a certificate that ends then is to be renewed.
fn renew_at(expires_at: WallTime) -> WallTime {
    expires_at.saturating_sub(DEVICE_CERTIFICATE_LASTS - DEVICE_RENEWAL_AFTER)
}

fn wrapped(
    hub: &Hub,
    device: &Device,
    meeting: &MeetingId,
    kept: &KeptKey,
) -> Result<api::MeetingKey, Failure> {
    let keys = device
        .keys
        .ok_or_else(|| Failure::internal("an enrolled device has no keys", &device.id))?;
    let scope = Scope {
        organisation: device.organisation.clone(),
        meeting: Some(meeting.clone()),
    };
    let failed = |error: seal::SealError| Failure::internal("a meeting's key", &chain(&error));
    let key = hub.sealing.open(&scope, kept).map_err(failed)?;
    let binding = WrapBinding {
        device: device.id.clone(),
        key: kept.id,
        scope,
    };
    let wrapped = wrap(&key, &binding, &DevicePublicKey(keys.sealing)).map_err(failed)?;
    Ok(api::MeetingKey {
        id: Hex(kept.id.0),
        wrapped: Base64(wrapped.as_bytes().to_vec()),
    })
}

type Place = (OrganisationId, MeetingId, Packing);

/// Rosters as devices get them, packed, since all devices of a room get the same. What is here is
/// asked of the store before it is used, so it is never older than what the store has.
#[derive(Default)]
pub(crate) struct RosterCache(Mutex<Rosters>);

#[derive(Default)]
struct Rosters {
    /// The newest last.
    kept: VecDeque<(Place, u64, Bytes)>,
    bytes: usize,
}

impl RosterCache {
    fn find(&self, place: &Place) -> Option<(u64, Bytes)> {
        self.lock().find(place)
    }

    fn lock(&self) -> MutexGuard<'_, Rosters> {
        // Whatever a panic left behind is whole: each change is one push and one number.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rosters {
    fn find(&self, place: &Place) -> Option<(u64, Bytes)> {
        self.kept
            .iter()
            .find(|(kept, ..)| kept == place)
            .map(|(_, generation, packed)| (*generation, packed.clone()))
    }

    fn keep(&mut self, place: Place, generation: u64, packed: Bytes) {
        self.kept.retain(|(kept, ..)| *kept != place);
        self.kept.push_back((place, generation, packed));
        self.bytes = self.kept.iter().map(|(.., packed)| packed.len()).sum();
        while self.bytes > ROSTERS_BYTES_MAX {
            let Some((.., packed)) = self.kept.pop_front() else {
                break;
            };
            self.bytes -= packed.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_rosters_go_first_and_one_meeting_has_one() {
        let mut rosters = Rosters::default();
        let place = |id: &str| {
            let organisation = OrganisationId::new("mau").unwrap();
            (organisation, MeetingId::new(id).unwrap(), Packing::Gzip)
        };
        let large = Bytes::from(vec![0; ROSTERS_BYTES_MAX / 2]);
        rosters.keep(place("a"), 1, large.clone());
        rosters.keep(place("b"), 1, large.clone());
        rosters.keep(place("b"), 2, large.clone());
        assert_eq!(rosters.find(&place("b")).unwrap().0, 2);
        assert!(rosters.find(&place("a")).is_some());
        rosters.keep(place("c"), 1, large);
        assert!(rosters.find(&place("a")).is_none());
        assert!(rosters.find(&place("b")).is_some());
    }
}
