//! What devices are offered: updates and configurations, for whom, and from when to when.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use vocabulary::{DeviceId, Digest, OrganisationId, PersonId, RoomId, WallTime};

use crate::model::Device;

/// The id of an offer, its caller's own: of the same form as all ids.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferId(String);

impl OfferId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OfferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OfferId {
    type Err = vocabulary::IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // All ids have one form; that of people says what it is.
        PersonId::new(text).map(|_| Self(text.to_owned()))
    }
}

/// What is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferKind {
    /// Another version of what runs on the device.
    Update,
    /// Another configuration.
    Configuration,
}

/// An offer. Its content is a file that its digest names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Whose.
    pub organisation: OrganisationId,
    /// Its id, unique in the organisation.
    pub id: OfferId,
    /// What it is.
    pub kind: OfferKind,
    /// Its version.
    pub version: String,
    /// How many bytes its content has.
    pub size_bytes: u64,
    /// The digest of its content.
    pub sha256: Digest,
    /// Its maker's signature.
    pub signature: Vec<u8>,
    /// Which key the signature is by.
    pub signature_key: String,
    /// The rooms whose devices it is for.
    pub rooms: Vec<RoomId>,
    /// The devices that it is for; without rooms and devices all.
    pub devices: Vec<DeviceId>,
    /// Before when no device is told of it.
    pub not_before: Option<WallTime>,
    /// When no device is told of it any more.
    pub expires_at: Option<WallTime>,
    /// The share of these devices that are told of it, 1 to 100.
    pub percent: Option<u8>,
    /// When it was first put.
    pub made_at: WallTime,
}

impl Offer {
    /// Whether it is for a device, at this moment.
    #[must_use]
    pub fn is_for(&self, device: &Device, now: WallTime) -> bool {
        let is_everybodys = self.rooms.is_empty() && self.devices.is_empty();
        let is_meant =
            is_everybodys || self.rooms.contains(&device.room) || self.devices.contains(&device.id);
        is_meant
            && self.organisation == device.organisation
            && self.not_before.is_none_or(|from| from <= now)
            && self.expires_at.is_none_or(|until| now < until)
            && self
                .percent
                .is_none_or(|percent| self.draw(&device.id) < percent)
    }

    /// A number from 0 to 99 that this content draws for a device, always the same: so a share
    /// that grows keeps those that it had, and another content begins with others.
    fn draw(&self, device: &DeviceId) -> u8 {
        let drawn = Sha256::new()
            .chain_update(b"offer share 1")
            .chain_update(self.sha256.0)
            .chain_update(device.as_str())
            .finalize();
        let number = u16::from_be_bytes([drawn[0], drawn[1]]);
        // Of 65536 numbers the last 36 make the first hundredths larger by nothing that counts.
        u8::try_from(number % 100).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer() -> Offer {
        Offer {
            organisation: OrganisationId::new("mau").unwrap(),
            id: "fw-2".parse().unwrap(),
            kind: OfferKind::Update,
            version: "2".to_owned(),
            size_bytes: 10,
            sha256: Digest([1; 32]),
            signature: Vec::new(),
            signature_key: String::new(),
            rooms: Vec::new(),
            devices: Vec::new(),
            not_before: None,
            expires_at: None,
            percent: None,
            made_at: WallTime(0),
        }
    }

    fn device(id: &str, room: &str) -> Device {
        Device {
            id: DeviceId::new(id).unwrap(),
            organisation: OrganisationId::new("mau").unwrap(),
            room: RoomId::new(room).unwrap(),
            doors: Vec::new(),
            keys: None,
            revoked_at: None,
            health: None,
        }
    }

    #[test]
    fn an_offer_is_for_whom_and_when_it_says() {
        let check = |offer: &Offer, expect: [bool; 2]| {
            let found = ["G1", "G2"]
                .map(|room| offer.is_for(&device(&format!("kiosk-{room}"), room), WallTime(100)));
            assert_eq!(found, expect, "{offer:?}");
        };
        let mut one = offer();
        check(&one, [true, true]);
        one.rooms = vec![RoomId::new("G1").unwrap()];
        check(&one, [true, false]);
        one.devices = vec![DeviceId::new("kiosk-G2").unwrap()];
        check(&one, [true, true]);
        one.rooms.clear();
        check(&one, [false, true]);
        one.not_before = Some(WallTime(101));
        check(&one, [false, false]);
        one.not_before = Some(WallTime(100));
        check(&one, [false, true]);
        one.expires_at = Some(WallTime(100));
        check(&one, [false, false]);
        one.expires_at = None;
        one.organisation = OrganisationId::new("khac").unwrap();
        check(&one, [false, false]);
    }

    #[test]
    fn a_share_grows_and_loses_nobody() {
        let devices: Vec<_> = (0..1000)
            .map(|n| device(&format!("kiosk-{n}"), "G1"))
            .collect();
        let mut one = offer();
        let mut before = 0;
        let mut told: Vec<bool> = vec![false; devices.len()];
        for percent in [1, 10, 50, 99, 100] {
            one.percent = Some(percent);
            for (told, device) in told.iter_mut().zip(&devices) {
                let now = one.is_for(device, WallTime(0));
                assert!(now || !*told, "{} at {percent} %", device.id);
                *told = now;
            }
            let count = told.iter().filter(|told| **told).count();
            let expected = usize::from(percent) * 10;
            assert!(
                count.abs_diff(expected) < 60 && count >= before,
                "{count} at {percent} %"
            );
            before = count;
        }
        assert_eq!(before, devices.len());
    }
}
