//! What devices and the hub say to each other: enrolment, renewal, health, rosters down, records
//! up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{DeviceId, DoorId, MeetingId, OrganisationId, PersonId, ReferenceId, RoomId};

use crate::limits::{
    BATCH_RECORDS_MAX, CSR_BYTES_MAX, DEVICE_MEETINGS_MAX, HEALTH_SPACES_MAX, HEALTH_TROUBLES_MAX,
    OFFERS_MAX,
};
use crate::offer::OfferReport;
use crate::scalar::{Base64, Hex16, Hex32, Id, Name, Timestamp};

/// What a device sends to be enrolled, with its one-time token as bearer. The same token with the
/// same signing request is answered the same again, so that a lost reply costs nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrolDevice {
    /// The certificate signing request (RFC 2986) in PEM, made with the device's own key. What it
    /// says of itself beside the key is not used.
    #[schemars(length(max = CSR_BYTES_MAX))]
    pub csr: String,
    /// The device's X25519 public key, for which meetings' keys are wrapped (RFC 9180).
    pub sealing_key: Hex32,
    /// The Ed25519 public key that signs the heads of its chain of records.
    pub head_key: Hex32,
    /// What runs on the device.
    pub versions: Versions,
}

/// What runs on a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Versions {
    /// The daemon's version.
    pub syncd: Name,
    /// The kiosk's version, where it is known.
    pub kiosk: Name,
    /// The operating system's, where it is known.
    pub system: Name,
}

/// A device's certificate and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Enrolled {
    /// The device's id, which its certificate carries and its records must.
    pub device: Id<DeviceId>,
    /// Whose device it is.
    pub organisation: Id<OrganisationId>,
    /// Its room.
    pub room: Id<RoomId>,
    /// Its doors.
    pub doors: Vec<Id<DoorId>>,
    /// The certificate in PEM, the device's own first.
    pub certificate: String,
    /// All certificates in PEM by which the hub may show itself from now on. More than one while
    /// the hub's own authority is being replaced; the device trusts these and no others.
    pub authorities: String,
    /// When the certificate ends.
    pub expires_at: Timestamp,
    /// When to ask for the next one.
    pub renew_at: Timestamp,
    /// The hub's store.
    pub store: StoreId,
}

/// What a device sends to have its certificate renewed. The only thing that an expired
/// certificate, unless revoked, may still be used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewCertificate {
    /// The certificate signing request in PEM, with the same key or a new one.
    #[schemars(length(max = CSR_BYTES_MAX))]
    pub csr: String,
}

/// Which store answers. A store restored from a backup is a new incarnation of the same store:
/// what it acknowledged later than the backup is not there any more and must be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct StoreId {
    /// The store, for as long as it lives.
    pub store: Hex16,
    /// Drawn anew at each restoration.
    pub incarnation: Hex16,
}

/// How a device is. Sent every few minutes; the last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// The device's clock when it wrote this.
    pub at: Timestamp,
    /// What runs on it.
    #[serde(default)]
    pub versions: Versions,
    /// Feature spaces that it compares in, as `name/digest`.
    #[serde(default)]
    #[schemars(length(max = HEALTH_SPACES_MAX))]
    pub spaces: Vec<Space>,
    /// Records that wait to be sent.
    pub waiting: u64,
    /// Free bytes where the records are kept, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_free_bytes: Option<u64>,
    /// Whether the camera gives pictures, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera_works: Option<bool>,
    /// What the device's clock shows less the hub's, in milliseconds, as the device saw it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_offset_ms: Option<i64>,
    /// What does not work, in English, without personal data.
    #[serde(default)]
    #[schemars(length(max = HEALTH_TROUBLES_MAX))]
    pub troubles: Vec<Name>,
    /// How far it is with what it is offered. Left out where it is offered nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = OFFERS_MAX))]
    pub offers: Vec<OfferReport>,
}

/// What the hub answers to a health report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HealthAnswer {
    /// The hub's clock, to compare one's own with.
    pub now: Timestamp,
    /// The store.
    pub store: StoreId,
    /// When to ask for a new certificate.
    pub renew_at: Timestamp,
}

/// A feature space: templates are only compared within one.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Space {
    /// The name of the comparer that makes the templates.
    #[schemars(length(min = 1))]
    pub name: Name,
    /// The digest of the comparer's published file.
    pub digest: Hex32,
}

/// The meetings of a device's doors in a window of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceMeetings {
    /// The meetings, in order of their beginning.
    #[schemars(length(max = DEVICE_MEETINGS_MAX))]
    pub meetings: Vec<DeviceMeeting>,
    /// Meetings that this device was told of and must forget: cancelled, moved to another room, or
    /// out of its window.
    pub withdrawn: Vec<Withdrawn>,
    /// The hub's clock.
    pub now: Timestamp,
}

/// A meeting as a door's device is told of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceMeeting {
    /// The meeting.
    pub meeting: Id<MeetingId>,
    /// Which version of its roster is current. It only grows; a device refuses to go back.
    pub generation: u64,
    /// The digest of the roster's canonical bytes.
    pub digest: Hex32,
    /// When it begins.
    pub starts_at: Timestamp,
    /// When it is planned to end.
    pub ends_at: Timestamp,
    /// Whether the secretary closed it: its key is destroyed and its roll is not taken any more.
    pub closed: bool,
    /// The meeting's key, wrapped for this device; none when it is not released yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<MeetingKey>,
    /// Reserved: who came and went at other doors of the room, so that a door does not call again
    /// whom another one called. No hub fills it yet and no device reads it: whatever stands here
    /// is passed over, so that its form can still be settled.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "crate::scalar::passed_over"
    )]
    pub recorded_elsewhere: Vec<RecordedElsewhere>,
}

/// Reserved: a person came or went at another door of the room. See
/// [`DeviceMeeting::recorded_elsewhere`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordedElsewhere {
    /// Who.
    pub person: Id<PersonId>,
    /// At which door.
    pub door: Id<DoorId>,
    /// Whether they came in; they went out otherwise.
    pub inside: bool,
    /// Since when, by the hub's best knowledge.
    pub since: Timestamp,
    /// The digest of the record that says so.
    pub record: Hex32,
}

/// The key that a meeting's references are sealed with, for one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MeetingKey {
    /// The key's own id.
    pub id: Hex16,
    /// The wrapped key.
    pub wrapped: Base64,
}

/// A meeting that a device must forget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Withdrawn {
    /// The meeting.
    pub meeting: Id<MeetingId>,
    /// The generation of its withdrawal; a later roster has a larger one.
    pub generation: u64,
}

/// A meeting's roster, whole, with sealed references. It is the same for all devices; only the
/// key is each device's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceRoster {
    /// Whose meeting.
    pub organisation: Id<OrganisationId>,
    /// The meeting.
    pub meeting: Id<MeetingId>,
    /// The generation of the roster.
    pub generation: u64,
    /// The digest of `roster`.
    pub digest: Hex32,
    /// The roster's canonical bytes (deterministic CBOR), as records name them by digest.
    pub roster: Base64,
    /// The key that the references are sealed with.
    pub key: Hex16,
    /// The references of everybody who is to be called by face.
    pub references: Vec<SealedReference>,
    /// Ed25519 keys whose invitations are valid at this meeting.
    #[serde(default)]
    pub invitation_keys: Vec<Hex32>,
    /// Who may attend for whom.
    #[serde(default)]
    pub substitutes: Vec<SubstituteRight>,
    /// Keyed hashes of the citizen cards of those on the roster who have one there: HMAC-SHA256 of
    /// the number's 12 digits, under a key derived from the meeting's (HMAC-SHA256 of format,
    /// organisation and meeting). Without that key they say nothing.
    #[serde(default)]
    pub citizen_cards: Vec<CitizenCard>,
}

/// The citizen card of somebody on a roster, for one meeting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CitizenCard {
    /// Whose.
    pub person: Id<PersonId>,
    /// The keyed hash of its number.
    pub hash: Hex32,
}

/// A reference, sealed under the meeting's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SealedReference {
    /// Whose.
    pub person: Id<PersonId>,
    /// Which of the person's references.
    pub reference: Id<ReferenceId>,
    /// In which feature space.
    pub space: Space,
    /// The sealed template.
    pub sealed: Base64,
}

/// Somebody on the roster may attend for somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubstituteRight {
    /// Who comes.
    pub person: Id<PersonId>,
    /// For whom.
    pub instead_of: Id<PersonId>,
    /// By which document.
    pub document: Name,
}

/// Records on their way up: consecutive, of one epoch, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendRecords {
    /// The epoch of the device's ledger.
    pub epoch: Hex16,
    /// The number of the first record here.
    #[schemars(range(min = 1))]
    pub first: u64,
    /// The oldest record of this epoch that the device still has. What is older and not at the
    /// hub is lost; the hub notes it and goes on.
    #[schemars(range(min = 1))]
    pub oldest: u64,
    /// Each record's canonical bytes.
    #[schemars(length(min = 1, max = BATCH_RECORDS_MAX))]
    pub records: Vec<Base64>,
    /// The device's signature over the head of the chain, with or beyond the last record here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Base64>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RecordsAccepted {
    /// Where the hub stands now, but not beyond the last record here: it may have more from a clone
    /// of the device, which this one never had.
    pub position: Position,
    /// Records that are kept aside for people to look at. They are acknowledged like all others.
    pub quarantined: Vec<Quarantined>,
}

/// How far the hub has a device's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Position {
    /// Which store.
    pub store: StoreId,
    /// Of which epoch.
    pub epoch: Hex16,
    /// Everything up to this number is durably here, 0 for nothing. A batch that begins behind
    /// the next number changes nothing and is answered with this: go on from there.
    pub committed_through: u64,
    /// The digest of the record that is held under that number; none where that one is kept aside
    /// or lost, and in the answer to `getPosition` also where any before it is. A device whose own
    /// record there has another digest is not the only one with this ledger, and sends all of it
    /// again; so does one that is answered none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Hex32>,
}

/// A record that the hub keeps aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quarantined {
    /// Its number, by its place in the batch.
    pub sequence: u64,
    /// The digest of its bytes.
    pub digest: Hex32,
    /// Why.
    pub why: QuarantineReason,
}

/// Why a record is kept aside.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum QuarantineReason {
    /// The hub has another record under the same number: a cloned device, or a changed one.
    Fork,
    /// It does not name the record before it.
    BrokenChain,
    /// Its bytes are no record.
    Undecodable,
    /// It says that it is another device's, epoch's or number's.
    Misplaced,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn meeting() -> Value {
        json!({
            "meeting": "GB-1", "generation": 3, "digest": "11".repeat(32),
            "starts_at": "2026-03-02T01:30:00Z", "ends_at": "2026-03-02T03:30:00Z",
            "closed": false,
        })
    }

    /// As a daemon was built that had never heard of the reserved field.
    #[derive(Debug, PartialEq, Deserialize)]
    struct OlderMeeting {
        meeting: Id<MeetingId>,
        generation: u64,
        closed: bool,
        key: Option<MeetingKey>,
    }

    #[test]
    fn what_is_reserved_is_empty_from_us_and_passed_over_by_old_and_new() {
        let plain: DeviceMeeting = serde_json::from_value(meeting()).unwrap();
        let written = serde_json::to_value(&plain).unwrap();
        assert!(written.get("recorded_elsewhere").is_none(), "{written}");
        let record = RecordedElsewhere {
            person: "p-1".parse().map(Id).unwrap(),
            door: "A2".parse().map(Id).unwrap(),
            inside: true,
            since: "2026-03-02T01:20:00Z".parse().unwrap(),
            record: Hex32::from(vocabulary::Digest([1; 32])),
        };
        // As reserved today, and as a later version may have settled it.
        for reserved in [
            json!([record]),
            json!([]),
            json!(null),
            json!({ "through": "c1", "passages": [{ "who": 7 }] }),
        ] {
            let mut later = meeting();
            later["recorded_elsewhere"] = reserved.clone();
            later["unheard_of"] = json!({ "x": [1, 2] });
            let read: DeviceMeeting = serde_json::from_value(later.clone()).unwrap();
            assert_eq!(read, plain, "{reserved}");
            let older: OlderMeeting = serde_json::from_value(later).unwrap();
            assert_eq!((older.generation, older.key), (3, None), "{reserved}");
        }
    }
}
