//! What integrators read: a meeting's roll, and all records from a cursor.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{DeviceId, DoorId, MeetingId, PersonId};

use crate::device::QuarantineReason;
use crate::limits::PAGE_ITEMS_MAX;
use crate::scalar::{Base64, Hex16, Hex32, Id, Name, Timestamp};

/// The roll of a meeting. A revision never changes: a late record makes a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Roll {
    /// Which meeting.
    pub meeting: Id<MeetingId>,
    /// What it is about.
    pub title: Name,
    /// Which revision, from 1.
    #[schemars(range(min = 1))]
    pub revision: u32,
    /// When this revision came to be.
    pub made_at: Timestamp,
    /// The generation of the roster that it was made with.
    pub generation: u64,
    /// How many records it was made from.
    pub records: u64,
    /// Whether the meeting was closed.
    pub closed: bool,
    /// How many are expected.
    pub expected: u32,
    /// How many came, whether or not they left again.
    pub attended: u32,
    /// The quorum, where one is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<RollQuorum>,
    /// Everybody on the roster, in its order.
    pub rows: Vec<RollRow>,
    /// What a person should look at: two records that contradict each other, a record of somebody
    /// who is not on the roster. In English, by opaque ids.
    pub conflicts: Vec<String>,
}

/// The quorum of a meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RollQuorum {
    /// How many members must be present.
    pub needed: u32,
    /// How many members came.
    pub attended: u32,
}

/// A person on a roll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RollRow {
    /// Who, by the integrator's id; none for a person who was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Id<PersonId>>,
    /// Who, by the hub's opaque id, as in records.
    pub opaque: Id<PersonId>,
    /// Name on the roster.
    pub name: Name,
    /// Title on the roster.
    pub title: Name,
    /// Unit on the roster.
    pub unit: Name,
    /// Whether the person came.
    pub attended: bool,
    /// When the person was there.
    pub intervals: Vec<Presence>,
    /// Who came instead, by opaque id, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub substitute: Option<Id<PersonId>>,
}

/// A stretch of time at the meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Presence {
    /// From when, by the repaired clock.
    pub from: Timestamp,
    /// Until when; none where no leaving was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// By which means the person was called: `face`, `invitation`, `citizen-card`,
    /// `secretary`.
    #[schemars(extend("enum" = ["face", "invitation", "citizen-card", "secretary"]))]
    pub means: String,
    /// What that is worth as evidence, from least: `claimed`, `possession`, `compared`, `vouched`.
    #[schemars(extend("enum" = ["claimed", "possession", "compared", "vouched"]))]
    pub assurance: String,
    /// At which door, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub door: Option<Id<DoorId>>,
}

/// A page of records, in the order in which the hub got them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Records {
    /// The records.
    #[schemars(length(max = PAGE_ITEMS_MAX))]
    pub records: Vec<Record>,
    /// Where to go on: always there, also when nothing is new, to ask again later. A cursor never
    /// skips a record.
    pub next: String,
    /// Whether more are there already.
    pub more: bool,
}

/// A record as the hub has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Record {
    /// Which device made it.
    pub device: Id<DeviceId>,
    /// In which epoch of its ledger.
    pub epoch: Hex16,
    /// Its number there.
    pub sequence: u64,
    /// The SHA-256 of its canonical bytes, which the next record names.
    pub digest: Hex32,
    /// What happened: `check-in`, `check-out`, `refused` …; none for a kind that the hub does not
    /// know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// At which meeting, for kinds that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meeting: Option<Id<MeetingId>>,
    /// About whom, by opaque id, for kinds that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Id<PersonId>>,
    /// When, by the device's own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// When, by what the hub learnt later of that clock; none where it knows no better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_at: Option<Timestamp>,
    /// When the hub got it.
    pub received_at: Timestamp,
    /// Why it is kept aside, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<QuarantineReason>,
    /// Its canonical bytes (deterministic CBOR).
    pub bytes: Base64,
}
