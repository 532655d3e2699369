//! What an operator does at the hub itself, by commands: organisations, rooms, devices and their
//! tokens, keys, revocations, closing a meeting. Each function is one command; it prints nothing,
//! and a secret that it gives back is nowhere else.

use std::fs::File;
use std::io::{self, Read};
use std::time::Duration;

use vocabulary::{
    DeviceId, DoorId, MeetingId, OrganisationId, PersonId, ReferenceId, RoomId, WallTime,
};
use wire::Scope;
use wire::limits::{
    OFFER_BYTES_MAX, OFFER_PART_BYTES, OFFER_SIGNATURE_BYTES_MAX, OFFER_TARGETS_MAX,
};
pub use wire::limits::{PORTRAIT_DAYS_MAX, TOKEN_LASTS, TOKEN_LASTS_MAX};

use crate::ca::Presented;
use crate::convert;
use crate::enrol::{self, NewReference};
use crate::hub::Hub;
use crate::model::{
    ApiKey, ApiKeyId, Change, Device, InvitationKey, KeyChange, KeyRole, Meeting, MeetingQuery,
    Offer, OfferId, Organisation, Origin, Page, Person, PortraitKeeping, Room,
};
use crate::offers::ContentError;
use crate::plan::{self, Counts, Model, Row, Step};
use crate::secret;
use crate::store::{Missing, StoreError};

/// Why a command was not followed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such scope.
    #[error("{text:?} is no scope; there are: {known}")]
    Scope {
        /// What was asked for.
        text: String,
        /// All that there are.
        known: String,
    },
    /// A token that would be good for longer than allowed, or not at all.
    #[error("a token is good for 1 minute to {} days", TOKEN_LASTS_MAX.as_secs() / 86_400)]
    TokenLasts,
    /// A key without any scope could do nothing.
    #[error("a key needs at least one scope")]
    NoScopes,
    /// A key of invitations is none.
    #[error("{key} is no key of invitations")]
    InvitationKey {
        /// What was given.
        key: wire::Hex32,
        /// Why not.
        #[source]
        source: credential::KeyError,
    },
    /// Portraits cannot be kept for so long, or for no time.
    #[error(
        "portraits are kept for 1 to {PORTRAIT_DAYS_MAX} days, not for {0}; to keep none, switch \
         it off"
    )]
    PortraitDays(u32),
    /// The hub makes no references of its own.
    #[error("this needs the hub's models; name them by --manifest and --models ({0})")]
    NoModels(String),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
}

/// The scopes that a role has when nothing else is said.
#[must_use]
pub fn scopes_of(role: KeyRole) -> &'static [Scope] {
    match role {
        KeyRole::Integrator => &[
            Scope::MeetingsRead,
            Scope::MeetingsWrite,
            Scope::PeopleRead,
            Scope::PeopleWrite,
            Scope::EnrolmentsWrite,
            Scope::RollRead,
            Scope::RecordsRead,
            Scope::WebhooksWrite,
        ],
        KeyRole::Secretary => &[
            Scope::MeetingsRead,
            Scope::MeetingsWrite,
            Scope::MeetingsClose,
            Scope::PeopleRead,
            Scope::RollRead,
        ],
        KeyRole::Operator => &[
            Scope::MeetingsRead,
            Scope::DevicesRead,
            Scope::DevicesWrite,
            Scope::MetricsRead,
        ],
    }
}

/// Reads scopes by their names.
///
/// # Errors
/// [`AdminError::Scope`] names the first that there is not, and all that there are.
pub fn scopes(names: &[String]) -> Result<Vec<Scope>, AdminError> {
    let read = |name: &String| {
        Scope::from_name(name.trim()).ok_or_else(|| AdminError::Scope {
            text: name.chars().take(40).collect(),
            known: Scope::ALL
                .iter()
                .map(|scope| scope.name())
                .collect::<Vec<_>>()
                .join(", "),
        })
    };
    names.iter().map(read).collect()
}

/// Makes an organisation, or changes its name.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn put_organisation(hub: &Hub, id: OrganisationId, name: &str) -> Result<Change, AdminError> {
    let organisation = Organisation {
        id,
        name: name.to_owned(),
    };
    Ok(hub.store().put_organisation(&organisation, hub.now())?)
}

/// All organisations.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn organisations(hub: &Hub) -> Result<Vec<Organisation>, AdminError> {
    Ok(hub.store().organisations()?)
}

/// Makes a room with its doors, or changes them.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn put_room(
    hub: &Hub,
    organisation: &OrganisationId,
    id: RoomId,
    name: &str,
    doors: Vec<DoorId>,
) -> Result<Change, AdminError> {
    let room = Room {
        id,
        name: name.to_owned(),
        doors,
    };
    Ok(hub.store().put_room(organisation, &room, hub.now())?)
}

/// All rooms of an organisation.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn rooms(hub: &Hub, organisation: &OrganisationId) -> Result<Vec<Room>, AdminError> {
    Ok(hub.store().rooms(organisation)?)
}

/// Declares a device at doors of a room, or moves it there. Without doors, at all of the room's.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn put_device(
    hub: &Hub,
    organisation: &OrganisationId,
    device: &DeviceId,
    room: &RoomId,
    doors: &[DoorId],
) -> Result<Change, AdminError> {
    let all;
    let doors = if doors.is_empty() {
        let found = hub.store().room(organisation, room)?;
        all = found
            .ok_or_else(|| StoreError::from(Missing::Room(room.clone())))?
            .doors;
        &all
    } else {
        doors
    };
    let now = hub.now();
    Ok(hub
        .store()
        .put_device(organisation, device, room, doors, now)?)
}

/// Devices of an organisation, at most a page behind `after`.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn devices(
    hub: &Hub,
    organisation: &OrganisationId,
    after: Option<&DeviceId>,
) -> Result<Page<Device>, AdminError> {
    let limit = wire::limits::PAGE_ITEMS_MAX;
    Ok(hub.store().devices(organisation, after, limit)?)
}

/// Makes a one-time token for a device; earlier unused ones count no more. The text is to be given
/// to the device, and is nowhere else.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn new_token(hub: &Hub, device: &DeviceId, lasts: Duration) -> Result<String, AdminError> {
    if !(Duration::from_secs(60)..=TOKEN_LASTS_MAX).contains(&lasts) {
        return Err(AdminError::TokenLasts);
    }
    let token = secret::new_token(&hub.ca().fingerprint()).map_err(AdminError::Random)?;
    let now = hub.now();
    let expires_at = now.saturating_add(lasts);
    hub.store()
        .put_token(&token.hash, device, expires_at, now)?;
    Ok(token.text)
}

/// Revokes a device: from now on nothing is answered to it.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn revoke_device(hub: &Hub, device: &DeviceId) -> Result<Change, AdminError> {
    Ok(hub.store().revoke_device(device, hub.now())?)
}

/// Lets a revoked device be enrolled again, by a new token.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn reinstate_device(hub: &Hub, device: &DeviceId) -> Result<Change, AdminError> {
    Ok(hub.store().reinstate_device(device, hub.now())?)
}

/// Makes a key for the API, with the scopes of its role or with these. The text is to be given to
/// whoever uses it, and is nowhere else.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn new_key(
    hub: &Hub,
    organisation: &OrganisationId,
    role: KeyRole,
    scopes: Option<Vec<Scope>>,
    label: &str,
) -> Result<String, AdminError> {
    let mut scopes = scopes.unwrap_or_else(|| scopes_of(role).to_vec());
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(AdminError::NoScopes);
    }
    let drawn = secret::new_key().map_err(AdminError::Random)?;
    hub.store().put_api_key(&ApiKey {
        id: drawn.id,
        organisation: organisation.clone(),
        hash: drawn.hash,
        role,
        scopes,
        label: label.to_owned(),
        made_at: hub.now(),
        revoked_at: None,
    })?;
    Ok(drawn.text)
}

/// All keys for an organisation, revoked ones too.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn keys(hub: &Hub, organisation: &OrganisationId) -> Result<Vec<ApiKey>, AdminError> {
    Ok(hub.store().api_keys(organisation)?)
}

/// Revokes a key.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn revoke_key(hub: &Hub, key: &ApiKeyId) -> Result<Change, AdminError> {
    Ok(hub.store().revoke_api_key(key, hub.now())?)
}

/// Meetings of an organisation that end after now, at most a page behind `after`.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn meetings(
    hub: &Hub,
    organisation: &OrganisationId,
    after: Option<(WallTime, MeetingId)>,
) -> Result<Page<Meeting>, AdminError> {
    let query = MeetingQuery {
        from: Some(hub.now()),
        after,
        limit: wire::limits::PAGE_ITEMS_MAX,
        ..MeetingQuery::default()
    };
    Ok(hub.store().meetings(organisation, &query)?)
}

/// Enrolled devices and where they stand while the hub's authority is being replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// How many have the certificate that they should have.
    pub current: usize,
    /// Those that have not renewed theirs since the last step, in order of their ids within each
    /// organisation.
    pub behind: Vec<DeviceId>,
}

/// Looks which devices have followed the last step of replacing the hub's authority.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn authority_standing(hub: &Hub) -> Result<Standing, AdminError> {
    let ca = hub.ca();
    let mut standing = Standing::default();
    for organisation in organisations(hub)? {
        let mut after = None;
        loop {
            let page = devices(hub, &organisation.id, after.as_ref())?;
            for device in page.items.iter().filter(|one| one.revoked_at.is_none()) {
                let Some(pem) = hub.store().newest_certificate(&device.id)? else {
                    continue;
                };
                match Presented::of_pem(&pem).is_some_and(|shown| ca.is_current(&shown)) {
                    true => standing.current += 1,
                    false => standing.behind.push(device.id.clone()),
                }
            }
            after = page.items.last().map(|device| device.id.clone());
            if !page.more {
                break;
            }
        }
    }
    Ok(standing)
}

/// Closes a meeting: its key is destroyed, and its roll is complete but for late records.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn close_meeting(
    hub: &Hub,
    organisation: &OrganisationId,
    meeting: &MeetingId,
) -> Result<Change, AdminError> {
    let (change, _) = hub
        .store()
        .close_meeting(organisation, meeting, hub.now())?;
    Ok(change)
}

/// The keys whose invitations are valid at all meetings of an organisation, or those that a
/// meeting has beside these.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn invitation_keys(
    hub: &Hub,
    organisation: &OrganisationId,
    meeting: Option<&MeetingId>,
) -> Result<Vec<InvitationKey>, AdminError> {
    Ok(hub.store().invitation_keys(organisation, meeting)?)
}

/// Lets invitations that a key signs be valid, beside those of other keys or instead of those of
/// one.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn put_invitation_key(
    hub: &Hub,
    organisation: &OrganisationId,
    meeting: Option<&MeetingId>,
    key: wire::Hex32,
    instead_of: Option<wire::Hex32>,
) -> Result<Change, AdminError> {
    credential::PublicKey::from_bytes(&key.0)
        .map_err(|source| AdminError::InvitationKey { key, source })?;
    let change = KeyChange::Put {
        key: key.0,
        instead_of: instead_of.map(|key| key.0),
    };
    change_keys(hub, organisation, meeting, &change)
}

/// Lets invitations that a key signed be valid no longer.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn withdraw_invitation_key(
    hub: &Hub,
    organisation: &OrganisationId,
    meeting: Option<&MeetingId>,
    key: wire::Hex32,
) -> Result<Change, AdminError> {
    change_keys(hub, organisation, meeting, &KeyChange::Withdraw(key.0))
}

fn change_keys(
    hub: &Hub,
    organisation: &OrganisationId,
    meeting: Option<&MeetingId>,
    change: &KeyChange,
) -> Result<Change, AdminError> {
    let store = hub.store();
    let (change, _) = store.change_invitation_keys(organisation, meeting, change, hub.now())?;
    Ok(change)
}

/// Why an offer was not taken.
#[derive(Debug, thiserror::Error)]
pub enum OfferError {
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is no offer.
    #[error("{0}")]
    Invalid(&'static str),
    /// It is for a room that is not there.
    #[error("there is no room {0}; put it first")]
    Room(RoomId),
    /// It is for a device that is not there.
    #[error("there is no device {0}; declare it first")]
    Device(DeviceId),
    /// Its content was not taken.
    #[error(transparent)]
    Content(#[from] ContentError),
}

/// Offers an update or a configuration, or changes for whom and when it is. Its content follows.
///
/// # Errors
/// [`OfferError`] says why not.
pub fn put_offer(hub: &Hub, offer: &Offer) -> Result<Change, OfferError> {
    let invalid = [
        (offer.version.is_empty(), "`version` is empty"),
        (
            !(1..=OFFER_BYTES_MAX).contains(&offer.size_bytes),
            "`size_bytes` is 0, or more than an offer may have",
        ),
        (
            offer.signature.len() > OFFER_SIGNATURE_BYTES_MAX,
            "`signature` is too long",
        ),
        (
            offer.rooms.len() > OFFER_TARGETS_MAX || offer.devices.len() > OFFER_TARGETS_MAX,
            "there are too many `rooms` or `devices`; leave both out for all of them",
        ),
        (
            offer
                .percent
                .is_some_and(|share| !(1..=100).contains(&share)),
            "`percent` is a number from 1 to 100",
        ),
        (
            offer
                .expires_at
                .is_some_and(|end| offer.not_before.is_some_and(|from| end <= from)),
            "`expires_at` is not after `not_before`",
        ),
    ];
    if let Some((_, why)) = invalid.into_iter().find(|(is_so, _)| *is_so) {
        return Err(OfferError::Invalid(why));
    }
    for room in &offer.rooms {
        if hub.store.room(&offer.organisation, room)?.is_none() {
            return Err(OfferError::Room(room.clone()));
        }
    }
    for id in &offer.devices {
        let device = hub.store.device(id)?;
        if device.is_none_or(|device| device.organisation != offer.organisation) {
            return Err(OfferError::Device(id.clone()));
        }
    }
    Ok(hub.store.put_offer(offer)?)
}

/// Takes the content of an offer from a file, from its beginning.
///
/// # Errors
/// [`OfferError`] says why not.
pub fn put_offer_content(hub: &Hub, offer: &Offer, file: &mut File) -> Result<(), OfferError> {
    let io = |error: io::Error| OfferError::Content(error.into());
    let mut buffer = Vec::new();
    for part in 1.. {
        buffer.clear();
        let mut piece = file.by_ref().take(OFFER_PART_BYTES as u64);
        piece.read_to_end(&mut buffer).map_err(io)?;
        if buffer.is_empty() {
            break;
        }
        hub.offers.take(offer, part, &buffer)?;
    }
    Ok(())
}

/// All offers of an organisation, and of each how many bytes of its content are here.
///
/// # Errors
/// [`OfferError`] says why not.
pub fn offers(hub: &Hub, organisation: &OrganisationId) -> Result<Vec<(Offer, u64)>, OfferError> {
    let offers = hub.store.offers(organisation)?.into_iter();
    let with_bytes = offers.map(|offer| {
        let received = hub.offers.received(&offer);
        let received = received.map_err(|error| OfferError::Content(error.into()))?;
        Ok((offer, received))
    });
    with_bytes.collect()
}

/// Withdraws an offer: devices forget what they have fetched of it.
///
/// # Errors
/// [`OfferError`] says why not.
pub fn withdraw_offer(
    hub: &Hub,
    organisation: &OrganisationId,
    id: &OfferId,
) -> Result<Change, OfferError> {
    let change = hub.store.delete_offer(organisation, id)?;
    hub.forget_contents();
    Ok(change)
}

/// Whether an organisation keeps portraits, and what it has of them.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn portrait_keeping(
    hub: &Hub,
    organisation: &OrganisationId,
) -> Result<PortraitKeeping, AdminError> {
    Ok(hub.store().portrait_keeping(organisation)?)
}

/// Lets an organisation keep portraits, encrypted, for so many days from when each is handed in;
/// with none, no longer. Answers as well how many were destroyed by that.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn keep_portraits(
    hub: &Hub,
    organisation: &OrganisationId,
    days: Option<u32>,
) -> Result<(Change, u64), AdminError> {
    if let Some(days) = days.filter(|days| !(1..=PORTRAIT_DAYS_MAX).contains(days)) {
        return Err(AdminError::PortraitDays(days));
    }
    let now = hub.now();
    Ok(hub.store().set_portrait_days(organisation, days, now)?)
}

/// The model that references are made by, where the hub has models: the newest.
///
/// # Errors
/// [`AdminError::NoModels`].
pub fn own_model(hub: &Hub) -> Result<Model, AdminError> {
    let own = hub.portraits.as_ref();
    let own = own.map_err(|why| AdminError::NoModels(why.clone()))?;
    let newest = own.spaces().last().cloned().map(Model::Of);
    newest.ok_or_else(|| AdminError::NoModels("there is no comparer".to_owned()))
}

/// Tells, a page of people at a time, what each needs before doors may compare by a model, and
/// gives the sums.
///
/// # Errors
/// [`AdminError`] says why not.
pub fn model_plan(
    hub: &Hub,
    organisation: &OrganisationId,
    model: &Model,
    mut tell: impl FnMut(&[Row]),
) -> Result<Counts, AdminError> {
    let mut counts = Counts::default();
    each_page(hub, organisation, |people| {
        let rows: Vec<Row> = people.into_iter().map(|one| Row::of(one, model)).collect();
        rows.iter().for_each(|row| counts.add(&row.step));
        tell(&rows);
        Ok(())
    })?;
    Ok(counts)
}

/// What became of portraits that references were to be made of again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Remade {
    /// References were made.
    pub made: u64,
    /// The portrait gives none by this hub's models; its person is to be photographed.
    pub refused: u64,
    /// The portrait's day came meanwhile, or it does not open.
    pub lost: u64,
}

/// Makes references again, by the hub's models, of kept portraits of people who have none by its
/// newest one. Those that are there stay, since doors may still compare by them. Doing it again
/// makes what is missing.
///
/// # Errors
/// [`AdminError::NoModels`]; [`AdminError::Store`].
pub fn remake_references(hub: &Hub, organisation: &OrganisationId) -> Result<Remade, AdminError> {
    let model = own_model(hub)?;
    let mut remade = Remade::default();
    each_page(hub, organisation, |people| {
        for person in people {
            let Step::FromPortrait(portraits) = plan::step(&person, &model) else {
                continue;
            };
            for reference in portraits {
                remake(hub, organisation, &person, &reference, &mut remade)?;
            }
        }
        Ok(())
    })?;
    Ok(remade)
}

fn remake(
    hub: &Hub,
    organisation: &OrganisationId,
    person: &Person,
    reference: &ReferenceId,
    remade: &mut Remade,
) -> Result<(), AdminError> {
    let portraits = hub.portraits.as_ref();
    let portraits = portraits.map_err(|why| AdminError::NoModels(why.clone()))?;
    let now = hub.now();
    let portrait = match enrol::kept_portrait(hub, organisation, person, reference, now) {
        Ok(Some(portrait)) => portrait,
        Ok(None) | Err(StoreError::Sealing(_)) => {
            remade.lost += 1;
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let Ok(made) = portraits.reference(&portrait) else {
        remade.refused += 1;
        return Ok(());
    };
    let new = NewReference {
        id: reference,
        templates: &made.templates,
        origin: Origin::Portrait,
        quality: Some(convert::quality_in(made.quality)),
        content: &portrait,
    };
    enrol::keep(hub, organisation, person, &new, now)?;
    remade.made += 1;
    Ok(())
}

/// All people of an organisation, a page at a time.
fn each_page(
    hub: &Hub,
    organisation: &OrganisationId,
    mut take: impl FnMut(Vec<Person>) -> Result<(), AdminError>,
) -> Result<(), AdminError> {
    let mut after: Option<PersonId> = None;
    loop {
        let limit = wire::limits::PAGE_ITEMS_MAX;
        let page = hub.store().people(organisation, after.as_ref(), limit)?;
        after = page.items.last().map(|person| person.details.id.clone());
        take(page.items)?;
        if !page.more {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_by_name_and_unknown_ones_named() {
        let all: Vec<String> = Scope::ALL.iter().map(|s| s.name().to_owned()).collect();
        assert_eq!(scopes(&all).unwrap(), Scope::ALL);
        let error = scopes(&["roll:write".to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains("roll:write") && error.contains("roll:read"),
            "{error}"
        );
    }

    #[test]
    fn nobody_but_the_secretary_closes_and_only_the_operator_sees_metrics() {
        let has = |role, scope| scopes_of(role).contains(&scope);
        for role in [KeyRole::Integrator, KeyRole::Operator] {
            assert!(!has(role, Scope::MeetingsClose));
        }
        for role in [KeyRole::Integrator, KeyRole::Secretary] {
            assert!(!has(role, Scope::MetricsRead) && !has(role, Scope::DevicesWrite));
        }
    }
}
