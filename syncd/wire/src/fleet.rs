//! Devices as operators see them, and what people should look at about their records.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{DeviceId, DoorId, RoomId};

use crate::device::Health;
use crate::limits::{DOORS_MAX, PAGE_ITEMS_MAX};
use crate::scalar::{Hex16, Id, Timestamp};

/// A device as it is declared, under its id in the path. Devices' ids are unique at the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutDevice {
    /// In which room it hangs.
    pub room: Id<RoomId>,
    /// At which of the room's doors; none for all.
    #[serde(default)]
    #[schemars(length(max = DOORS_MAX))]
    pub doors: Vec<Id<DoorId>>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    /// Its id.
    pub id: Id<DeviceId>,
    /// Its room.
    pub room: Id<RoomId>,
    /// Its doors.
    pub doors: Vec<Id<DoorId>>,
    /// Whether it has been enrolled.
    pub enrolled: bool,
    /// When it was revoked, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// When it last reported how it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reported_at: Option<Timestamp>,
    /// What it reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
}

/// A page of devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Devices {
    /// In order of their ids.
    #[schemars(length(max = PAGE_ITEMS_MAX))]
    pub devices: Vec<Device>,
    /// Where to go on; none on the last page. The `Link` header has the whole address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A one-time token to enrol a device with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnrolmentToken {
    /// For which device.
    pub device: Id<DeviceId>,
    /// The token. It is told this once.
    pub token: String,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// Something about a device's records that people should know. Each is noted once, and none of
/// it kept a record from being taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// Its number; they only grow.
    pub number: u64,
    /// When the hub found out.
    pub at: Timestamp,
    /// Which device.
    pub device: Id<DeviceId>,
    /// In which epoch of its ledger.
    pub epoch: Hex16,
    /// What kind of thing.
    pub kind: NoteKind,
    /// What exactly, in English, without names of people.
    pub detail: String,
}

/// What a note is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// Records are gone at the device and never came here.
    Lost,
    /// A record is kept aside.
    KeptAside,
    /// Records name a meeting that the hub does not have.
    UnknownMeeting,
    /// Records are of a kind that the hub does not know.
    UnknownKind,
    /// An epoch does not say which one it follows.
    EpochUnlinked,
    /// A signed head is none, or not the device's.
    HeadInvalid,
    /// A signed head names another record than the hub has.
    HeadContradicts,
}

/// A page of notes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notes {
    /// The oldest first.
    #[schemars(length(max = PAGE_ITEMS_MAX))]
    pub notes: Vec<Note>,
    /// Where to go on: always there, also when nothing is new, to ask again later.
    pub next: String,
}
