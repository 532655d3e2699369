//! Meetings and rosters, and what a door's device is told of them.

use seal::{CardHash, KeyId, SealedTemplate, WrappedKey};
use vocabulary::{
    Attendance, Digest, DoorId, FeatureSpace, MeetingId, OrganisationId, PersonId, ReferenceId,
    Role, RoomId, WallTime,
};

/// A meeting as it is put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingPlan {
    /// The caller's id, unique in the organisation.
    pub id: MeetingId,
    /// What it is about, as the screens show it; not empty.
    pub title: String,
    /// Where.
    pub room: RoomId,
    /// At which of the room's doors its roll is taken; none for all.
    pub doors: Vec<DoorId>,
    /// When it begins.
    pub starts_at: WallTime,
    /// When it is planned to end.
    pub ends_at: WallTime,
    /// The IANA time zone in which its times are shown.
    pub zone: String,
    /// How many members must be present, where a quorum is asked.
    pub quorum: Option<u32>,
}

/// A meeting as the hub has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// What was put.
    pub plan: MeetingPlan,
    /// Where it stands.
    pub state: MeetingState,
    /// Grows with every change of meeting, roster, names or references, and never otherwise.
    pub generation: u64,
    /// How many people are on the roster.
    pub expected: u32,
}

/// Where a meeting stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MeetingState {
    /// It is planned, or on.
    Planned,
    /// It will not be held; it may be planned again.
    Cancelled,
    /// The secretary closed it: its key is destroyed and nothing about it changes any more.
    Closed,
}

/// Which meetings to list, in order of their beginning and id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeetingQuery {
    /// Only those that end after this.
    pub from: Option<WallTime>,
    /// Only those that begin before this.
    pub until: Option<WallTime>,
    /// Only those behind this one in the order, whether or not it still exists.
    pub after: Option<(WallTime, MeetingId)>,
    /// How many at most.
    pub limit: u32,
}

/// A person on a roster, by the caller's ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Who, by the caller's id.
    pub person: PersonId,
    /// The title at this meeting, where it differs from the person's.
    pub title: Option<String>,
    /// The unit at this meeting, where it differs from the person's.
    pub unit: Option<String>,
    /// What the person is to the meeting.
    pub role: Role,
    /// How the person is called.
    pub attendance: Attendance,
    /// The person attends for this one, who is on the roster too; by the caller's id.
    pub instead_of: Option<PersonId>,
    /// By which document. It goes with `instead_of`.
    pub document: Option<String>,
}

/// A roster as it stands, by the caller's ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterView {
    /// The generation.
    pub generation: u64,
    /// The digest of the canonical roster of this generation.
    pub digest: Digest,
    /// Everybody who is expected, in the order of the list.
    pub entries: Vec<Entry>,
    /// Who is to be called by face and has no reference in any space.
    pub without_reference: Vec<PersonId>,
}

/// The canonical roster of one generation, with opaque ids: what doors hold and records name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterSnapshot {
    /// The generation.
    pub generation: u64,
    /// The digest of `bytes`.
    pub digest: Digest,
    /// What [`record::encode_roster`] wrote.
    pub bytes: Vec<u8>,
}

/// A data key as the hub keeps it: wrapped for the hub's own key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptKey {
    /// The key's id.
    pub id: KeyId,
    /// The key, wrapped.
    pub wrapped: WrappedKey,
}

/// A reference sealed under a meeting's key.
#[derive(Debug, Clone)]
pub struct MeetingReference {
    /// Whose, by opaque id.
    pub person: PersonId,
    /// Which of the person's references.
    pub reference: ReferenceId,
    /// In which feature space.
    pub space: FeatureSpace,
    /// The sealed template.
    pub sealed: SealedTemplate,
}

/// The keyed hash of the citizen card of somebody on a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingCard {
    /// Whose, by opaque id.
    pub person: PersonId,
    /// The hash under the meeting's key.
    pub hash: CardHash,
}

/// Somebody on the roster may attend for somebody else; opaque ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubstituteRight {
    /// Who comes.
    pub person: PersonId,
    /// For whom.
    pub instead_of: PersonId,
    /// By which document; may be empty.
    pub document: String,
}

/// The meetings of a device's doors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceMeetings {
    /// In order of their beginning.
    pub meetings: Vec<DeviceMeeting>,
    /// What the device was told of and must forget.
    pub withdrawn: Vec<Withdrawal>,
}

/// A meeting as a door's device is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceMeeting {
    /// The meeting.
    pub meeting: MeetingId,
    /// Its generation.
    pub generation: u64,
    /// The digest of the canonical roster of this generation.
    pub digest: Digest,
    /// When it begins.
    pub starts_at: WallTime,
    /// When it is planned to end.
    pub ends_at: WallTime,
    /// Whether it was closed.
    pub closed: bool,
    /// The meeting's key, unless destroyed.
    pub key: Option<KeptKey>,
}

/// A meeting that a device must forget: cancelled, or moved away from its doors or out of its
/// window. The device holds no generation above this one, and a later roster has a larger one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// The meeting.
    pub meeting: MeetingId,
    /// The largest generation that the device was told of.
    pub generation: u64,
}

/// What a device gets that asks for a roster.
#[derive(Debug, Clone)]
pub enum DeviceRosterAnswer {
    /// The roster.
    Here(Box<DeviceRoster>),
    /// It is still of the generation that the device named.
    Unchanged,
    /// The meeting was cancelled or closed, or is no longer at the device's doors.
    Gone,
    /// There never was such a meeting.
    Unknown,
}

/// A meeting's roster as a device gets it: all of one generation.
#[derive(Debug, Clone)]
pub struct DeviceRoster {
    /// Whose meeting.
    pub organisation: OrganisationId,
    /// The canonical roster.
    pub roster: RosterSnapshot,
    /// The key that the references are sealed with.
    pub key: KeptKey,
    /// The references of everybody who is called by face, in order of person, id and space.
    pub references: Vec<MeetingReference>,
    /// Ed25519 keys whose invitations are valid.
    pub invitation_keys: Vec<[u8; 32]>,
    /// Who may attend for whom.
    pub substitutes: Vec<SubstituteRight>,
    /// The citizen cards of those who have one there, in order of person.
    pub citizen_cards: Vec<MeetingCard>,
}
