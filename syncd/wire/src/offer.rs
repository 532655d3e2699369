//! Offers: an update or a configuration that devices may fetch, a range at a time. What it means
//! and who made it is for whoever applies it: to the hub its bytes and its signature are opaque.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{DeviceId, IdError, PersonId, RoomId};

use crate::limits::{
    OFFER_BYTES_MAX, OFFER_PART_BYTES, OFFER_SIGNATURE_BYTES_MAX, OFFER_TARGETS_MAX, OFFERS_MAX,
};
use crate::scalar::{Base64, Hex32, Id, Name, Timestamp, base64_chars};

/// The id of an offer, its caller's own: of the same form as all ids, so that a device may name a
/// file by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OfferId(String);

impl fmt::Display for OfferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for OfferId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        // All ids have one form; that of people says what it is.
        PersonId::new(text).map(|_| Self(text.to_owned()))
    }
}

/// What is offered.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum OfferKind {
    /// Another version of what runs on the device.
    Update,
    /// Another configuration.
    Configuration,
}

/// An offer as it is put, under the caller's own id in the path; its content follows in parts. The
/// same again is a success. Kind, version, size, digest and signature of an offer never change;
/// for whom and when it is may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutOffer {
    /// What it is.
    pub kind: OfferKind,
    /// Its version, as people and the device tell it from others.
    #[schemars(length(min = 1))]
    pub version: Name,
    /// How many bytes its content has.
    #[schemars(range(min = 1, max = OFFER_BYTES_MAX))]
    pub size_bytes: u64,
    /// The SHA-256 of its content.
    pub sha256: Hex32,
    /// Its maker's signature. Opaque to the hub.
    #[serde(default)]
    #[schemars(length(max = base64_chars(OFFER_SIGNATURE_BYTES_MAX)))]
    pub signature: Base64,
    /// Which key the signature is by. Opaque to the hub.
    #[serde(default)]
    pub signature_key: Name,
    /// The rooms whose devices it is for.
    #[serde(default)]
    #[schemars(length(max = OFFER_TARGETS_MAX))]
    pub rooms: Vec<Id<RoomId>>,
    /// The devices that it is for, beside those of the rooms. Without rooms and devices it is for
    /// all of the organisation.
    #[serde(default)]
    #[schemars(length(max = OFFER_TARGETS_MAX))]
    pub devices: Vec<Id<DeviceId>>,
    /// Before when no device is told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When no device is told of it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The share of these devices that are told of it, in percent; all where it is left out. Those
    /// of a smaller share are among those of a larger one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub percent: Option<u8>,
}

/// An offer, and how much of its content is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offer {
    /// Its id.
    pub id: Id<OfferId>,
    /// What was put.
    #[serde(flatten)]
    pub put: OfferTerms,
    /// How many bytes of its content the hub has. No device is told of it before that is all.
    pub received_bytes: u64,
    /// The number of the part that is to be sent next; none when all are here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_part: Option<u32>,
    /// When it was first put.
    pub made_at: Timestamp,
}

/// What was put of an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OfferTerms {
    /// What it is.
    pub kind: OfferKind,
    /// Its version.
    pub version: Name,
    /// How many bytes its content has.
    pub size_bytes: u64,
    /// The SHA-256 of its content.
    pub sha256: Hex32,
    /// Its maker's signature.
    pub signature: Base64,
    /// Which key the signature is by.
    pub signature_key: Name,
    /// The rooms whose devices it is for.
    pub rooms: Vec<Id<RoomId>>,
    /// The devices that it is for.
    pub devices: Vec<Id<DeviceId>>,
    /// Before when no device is told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// When no device is told of it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The share of these devices that are told of it, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<u8>,
}

/// All offers of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Offers {
    /// In order of their ids.
    #[schemars(length(max = OFFERS_MAX))]
    pub offers: Vec<Offer>,
}

/// The offers for a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceOffers {
    /// In order of their ids. What is not in here any more is withdrawn or over.
    #[schemars(length(max = OFFERS_MAX))]
    pub offers: Vec<DeviceOffer>,
}

/// An offer as a device is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceOffer {
    /// Its id.
    pub id: Id<OfferId>,
    /// What it is.
    pub kind: OfferKind,
    /// Its version.
    pub version: Name,
    /// How many bytes its content has.
    pub size_bytes: u64,
    /// The SHA-256 of its content.
    pub sha256: Hex32,
    /// Its maker's signature.
    #[serde(default)]
    pub signature: Base64,
    /// Which key the signature is by.
    #[serde(default)]
    pub signature_key: Name,
    /// When it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// How far a device is with an offer, as it reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfferReport {
    /// Which offer.
    pub offer: Id<OfferId>,
    /// Which content: an id may come back with another.
    pub sha256: Hex32,
    /// How far it is.
    pub state: OfferState,
    /// How many bytes of it the device has.
    pub received_bytes: u64,
}

/// How far a device is with an offer.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum OfferState {
    /// It is being fetched.
    Fetching,
    /// All of it is there, and its digest is the one that was told.
    Fetched,
    /// All of it came, and its digest is another one. It is fetched again a day later.
    Refused,
}

/// How many parts a content of so many bytes comes in, and is sent in: each of
/// [`OFFER_PART_BYTES`] but the last.
#[must_use]
pub fn parts(size_bytes: u64) -> u64 {
    size_bytes.div_ceil(OFFER_PART_BYTES as u64)
}
