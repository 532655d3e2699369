//! Records as the hub has them, how far it has each device's, and what people should look at.

use std::fmt;

use vocabulary::{DeviceId, Digest, Epoch, MeetingId, PersonId, Sequence, WallTime};

/// The place of a record in the order in which the hub committed them: 1, 2, 3, … It only grows
/// within one incarnation; 0 is before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Commit(pub u64);

/// A place in the list of records, for as long as the store lives. A store restored from a backup
/// has forgotten what came after it and gives the same numbers to other records; the incarnation
/// tells where to go on then, so that nothing is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The incarnation that gave it.
    pub incarnation: [u8; 16],
    /// Behind which record.
    pub commit: Commit,
}

/// Which store this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StoreIdentity {
    /// The store, for as long as it lives.
    pub store: [u8; 16],
    /// Drawn anew at each restoration.
    pub incarnation: [u8; 16],
}

/// Why a record is kept aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuarantineReason {
    /// Another record is held under the same number: a cloned device, or a changed record.
    Fork,
    /// It does not name the record before it.
    BrokenChain,
    /// Its bytes are no record, or of a version that this hub cannot read.
    Undecodable,
    /// It says that it is another device's, epoch's or number's.
    Misplaced,
}

impl fmt::Display for QuarantineReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fork => "fork",
            Self::BrokenChain => "broken chain",
            Self::Undecodable => "undecodable",
            Self::Misplaced => "misplaced",
        })
    }
}

/// A record of a batch that is kept aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quarantined {
    /// Its number, by its place in the batch.
    pub sequence: Sequence,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Why.
    pub why: QuarantineReason,
}

/// How far the hub has a device's records of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Of which epoch.
    pub epoch: Epoch,
    /// Everything up to this number is held, kept aside, or known to be lost; 0 for nothing.
    pub committed_through: Sequence,
    /// The digest of the record that is held under that number, where one is. A device that has
    /// another one there has been cloned, and has to send again all that it has.
    pub digest: Option<Digest>,
}

/// What became of a batch. All of it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingested {
    /// How far the device is acknowledged: never beyond the batch, since a clone may have sent
    /// more than this device has.
    pub position: Position,
    /// Records of the batch that are kept aside, also those that were before.
    pub quarantined: Vec<Quarantined>,
    /// The commit numbers that records of this batch got, first and last; none when nothing was
    /// new.
    pub accepted: Option<(Commit, Commit)>,
}

/// A record as the hub has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Its place in the order of commits.
    pub commit: Commit,
    /// Which device made it.
    pub device: DeviceId,
    /// In which epoch of its ledger.
    pub epoch: Epoch,
    /// Its number there; for a record kept aside, by its place in the batch.
    pub sequence: Sequence,
    /// The digest of its bytes.
    pub digest: Digest,
    /// The number of its kind; none where it does not decode.
    pub kind: Option<u16>,
    /// Its meeting. For a correction and an outcome at the door, the one of the record it is of.
    pub meeting: Option<MeetingId>,
    /// About whom, by opaque id.
    pub person: Option<PersonId>,
    /// When, by the device's clock; none where it does not decode.
    pub at: Option<WallTime>,
    /// When, by what is known of that clock today; none where nothing better is known.
    pub repaired_at: Option<WallTime>,
    /// When the hub got it.
    pub received_at: WallTime,
    /// Why it is kept aside, where it is.
    pub aside: Option<QuarantineReason>,
    /// Its canonical bytes.
    pub bytes: Vec<u8>,
}

/// A page of records in the order of commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordPage {
    /// The records; may be none although more follow.
    pub records: Vec<StoredRecord>,
    /// Where to go on.
    pub next: Cursor,
    /// Whether more are there already.
    pub more: bool,
}

/// The number of a note: 1, 2, 3, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct NoteNumber(pub u64);

/// Something about a device's records that people should know. Each is noted once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Its number.
    pub number: NoteNumber,
    /// When the hub found out.
    pub at: WallTime,
    /// Which device.
    pub device: DeviceId,
    /// In which epoch of its ledger.
    pub epoch: Epoch,
    /// What.
    pub kind: NoteKind,
}

/// What a note says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NoteKind {
    /// The device no longer has these records, and they never came here.
    Lost {
        /// The first.
        from: Sequence,
        /// The last.
        through: Sequence,
    },
    /// A record is kept aside.
    KeptAside(Quarantined),
    /// A record names a meeting that the hub does not have. It is kept like all others; noted
    /// once for the epoch and meeting.
    UnknownMeeting {
        /// The first record that names it.
        sequence: Sequence,
        /// Which meeting.
        meeting: MeetingId,
    },
    /// A record is of a kind that this hub does not know. It is kept like all others; noted once
    /// for the epoch and kind.
    UnknownKind {
        /// The first record of the kind.
        sequence: Sequence,
        /// The number of the kind.
        kind: u16,
    },
    /// The first record of an epoch does not name the last record of an epoch before it.
    EpochUnlinked {
        /// The digest that it names.
        previous: Digest,
    },
    /// What should be a signed head is none, or another device's, or not signed by its key.
    HeadInvalid,
    /// A head that the device did sign names another record than the one that is held.
    HeadContradicts {
        /// Under which number.
        sequence: Sequence,
        /// The digest that the head names.
        digest: Digest,
    },
}

/// The newest believed head of an epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptHead {
    /// Of which device.
    pub device: DeviceId,
    /// Of which epoch.
    pub epoch: Epoch,
    /// The number of the record that it names.
    pub sequence: Sequence,
    /// The signed head as it came.
    pub bytes: Vec<u8>,
}

/// One revision of a meeting's roll: what it was made from, so that it can be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollRevision {
    /// Which, from 1. It never changes once it is there.
    pub number: u32,
    /// From all records up to this one.
    pub commit: Commit,
    /// By this generation of the roster.
    pub generation: u64,
    /// Whether the meeting was closed.
    pub closed: bool,
    /// When it came to be.
    pub made_at: WallTime,
}

/// What a revision is computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionInputs {
    /// Which revision.
    pub revision: RollRevision,
    /// The canonical roster.
    pub roster: Vec<u8>,
    /// The canonical bytes of the meeting's records that are held, in the order of commits.
    pub records: Vec<Vec<u8>>,
    /// The clock observations of the devices that made these, in the order of commits.
    pub observations: Vec<Vec<u8>>,
}

/// How much there is, for whoever watches the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// The newest commit number: how many records were taken.
    pub commit: Commit,
    /// Of these, kept aside.
    pub kept_aside: u64,
    /// Notes.
    pub notes: u64,
    /// Devices that are declared.
    pub devices: u64,
    /// Of these, revoked.
    pub devices_revoked: u64,
    /// Meetings that are planned.
    pub meetings_planned: u64,
}
