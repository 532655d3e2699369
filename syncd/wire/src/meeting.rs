//! Rooms, doors, meetings and rosters as integrators put and read them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{DoorId, MeetingId, OrganisationId, PersonId, RoomId};

use crate::limits::{DOORS_MAX, PAGE_ITEMS_MAX, ROOMS_MAX, ROSTER_ENTRIES_MAX, ZONE_BYTES_MAX};
use crate::scalar::{Hex32, Id, Name, Timestamp};

/// The caller's organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Organisation {
    /// Its id.
    pub id: Id<OrganisationId>,
    /// Its name.
    pub name: Name,
    /// For how many days portraits that are handed in are kept, encrypted; none where they are
    /// not kept at all, which is so unless the hub's operator said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portraits_kept_days: Option<u32>,
}

/// A room as it is put, under its id in the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutRoom {
    /// What its sign says.
    #[schemars(length(min = 1))]
    pub name: Name,
    /// Its doors, by id. A door belongs to one room.
    #[schemars(length(max = DOORS_MAX))]
    pub doors: Vec<Id<DoorId>>,
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Room {
    /// Its id.
    pub id: Id<RoomId>,
    /// What its sign says.
    pub name: Name,
    /// Its doors.
    pub doors: Vec<Id<DoorId>>,
}

/// All rooms of the organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rooms {
    /// In order of their ids.
    #[schemars(length(max = ROOMS_MAX))]
    pub rooms: Vec<Room>,
}

/// A meeting as an integrator puts it, under the integrator's own id in the path. Putting it again
/// with another time or room moves it. A meeting of several days is one meeting from the first
/// day's beginning to the last day's end, or one meeting a day; both are fine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutMeeting {
    /// What it is about, as the screens show it.
    #[schemars(length(min = 1))]
    pub title: Name,
    /// Where.
    pub room: Id<RoomId>,
    /// At which of the room's doors its roll is taken; none for all.
    #[serde(default)]
    #[schemars(length(max = DOORS_MAX))]
    pub doors: Vec<Id<DoorId>>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it is planned to end.
    pub ends_at: Timestamp,
    /// The IANA time zone in which its times are shown.
    #[serde(default = "zone")]
    #[schemars(length(min = 1, max = ZONE_BYTES_MAX))]
    pub zone: String,
    /// How many members must be present, where a quorum is asked; not more than there are on the
    /// roster once it is put.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "crate::scalar::whole"
    )]
    pub quorum: Option<u32>,
}

fn zone() -> String {
    "Asia/Ho_Chi_Minh".to_owned()
}

/// A meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Meeting {
    /// Its id.
    pub id: Id<MeetingId>,
    /// What it is about.
    pub title: Name,
    /// Where.
    pub room: Id<RoomId>,
    /// At which doors; none for all of the room.
    pub doors: Vec<Id<DoorId>>,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it is planned to end.
    pub ends_at: Timestamp,
    /// The zone that its times are shown in.
    pub zone: String,
    /// How many members must be present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<u32>,
    /// Where it stands.
    pub state: MeetingState,
    /// The generation of its roster; grows with every change of meeting, roster or references.
    pub generation: u64,
    /// How many people are on the roster.
    pub expected: u32,
}

/// Where a meeting stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum MeetingState {
    /// It is planned, or on.
    Planned,
    /// It will not be held.
    Cancelled,
    /// It was closed by the secretary: its roll is complete but for late records.
    Closed,
}

/// A page of meetings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Meetings {
    /// In order of their beginning.
    #[schemars(length(max = PAGE_ITEMS_MAX))]
    pub meetings: Vec<Meeting>,
    /// Where to go on; none on the last page. The `Link` header has the whole address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A roster as an integrator puts it: whole, in the order of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutRoster {
    /// Everybody who is expected.
    #[schemars(length(max = ROSTER_ENTRIES_MAX))]
    pub entries: Vec<RosterEntry>,
}

/// A person in a meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RosterEntry {
    /// Who, by the integrator's id; put the person first.
    pub person: Id<PersonId>,
    /// The title at this meeting, where it differs from the person's; an empty one does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Name>,
    /// The unit at this meeting, where it differs from the person's; an empty one does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Name>,
    /// What the person is to the meeting.
    #[serde(default)]
    pub role: Role,
    /// How the person is called.
    #[serde(default)]
    pub attendance: Attendance,
    /// The person attends for this one, who is on the roster too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<Id<PersonId>>,
    /// By which document; must be there with `instead_of`, and only then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Name>,
}

/// What a person is to a meeting.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Counts towards the quorum.
    #[default]
    Member,
    /// Present by invitation, not counted.
    Guest,
}

/// How a person is called.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Attendance {
    /// By face, or by any other means.
    #[default]
    FaceOrCode,
    /// Not by face.
    CodeOnly,
}

/// A roster as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Roster {
    /// Which meeting.
    pub meeting: Id<MeetingId>,
    /// The generation.
    pub generation: u64,
    /// The digest of its canonical bytes, which records carry.
    pub digest: Hex32,
    /// Everybody who is expected.
    pub entries: Vec<RosterEntry>,
    /// Who is to be called by face and has no reference: only another means calls them.
    pub without_reference: Vec<Id<PersonId>>,
}
