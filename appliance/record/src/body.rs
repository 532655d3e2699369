//! What a record says: its envelope, and one body for each kind of thing that happens at a door.
//!
//! Only opaque ids stand in here, never a name, never a picture, never a template: names are
//! erasable and the chain is not.

use vocabulary::{
    Assurance, ClockQuality, ComparisonScore, DeviceId, Digest, Direction, DoorId, Epoch,
    FeatureSpace, Means, MeetingId, PersonId, RefusalReason, Sequence, Stamp, Threshold, WallTime,
};

use crate::text::Text;

/// One thing that happened, in its place in the chain of one device.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Whose chain this is.
    pub device: DeviceId,
    /// Which ledger file of the device.
    pub epoch: Epoch,
    /// Its number within the epoch: 1, 2, 3, … without gaps.
    pub sequence: Sequence,
    /// When it was written down, with all that is known about the clock.
    pub at: Stamp,
    /// Digest of the record before it. The first of an epoch names the last of the epoch before,
    /// or [`Digest::ZERO`] where there was none.
    pub previous: Digest,
    /// What happened.
    pub body: Body,
}

/// What happened, by kind. The number of each kind is fixed for ever; see [`Body::kind`].
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// A person was called.
    CheckIn(CheckIn),
    /// A person left.
    CheckOut(CheckOut),
    /// Somebody was not called.
    Refused(Refused),
    /// What became of the door after a check-in.
    ReleaseOutcome(ReleaseOutcome),
    /// An earlier record does not hold.
    Correction(Correction),
    /// What was learnt about the wall clock.
    ClockObservation(ClockObservation),
    /// A part of the device did not do its work.
    Fault(Fault),
    /// Something was lost, and it is known that it was.
    Loss(Loss),
    /// The roll of a meeting began to be taken at a door.
    MeetingOpened(MeetingOpened),
    /// The roll of a meeting is no longer taken at a door.
    MeetingClosed(MeetingClosed),
    /// Of a kind that this version does not know. Only decoding makes one.
    Unknown(Unknown),
}

impl Body {
    /// The number that stands for the kind in the encoding.
    #[must_use]
    pub fn kind(&self) -> u16 {
        match self {
            Self::CheckIn(_) => 1,
            Self::CheckOut(_) => 2,
            Self::Refused(_) => 3,
            Self::ReleaseOutcome(_) => 4,
            Self::Correction(_) => 5,
            Self::ClockObservation(_) => 6,
            Self::Fault(_) => 7,
            Self::Loss(_) => 8,
            Self::MeetingOpened(_) => 9,
            Self::MeetingClosed(_) => 10,
            Self::Unknown(unknown) => unknown.kind(),
        }
    }

    /// The kind in words, for tables and exports.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::CheckIn(_) => "check-in",
            Self::CheckOut(_) => "check-out",
            Self::Refused(_) => "refused",
            Self::ReleaseOutcome(_) => "release-outcome",
            Self::Correction(_) => "correction",
            Self::ClockObservation(_) => "clock-observation",
            Self::Fault(_) => "fault",
            Self::Loss(_) => "loss",
            Self::MeetingOpened(_) => "meeting-opened",
            Self::MeetingClosed(_) => "meeting-closed",
            Self::Unknown(_) => "unknown",
        }
    }

    /// The meeting that the record belongs to, where its body names one.
    #[must_use]
    pub fn meeting(&self) -> Option<&MeetingId> {
        match self {
            Self::CheckIn(CheckIn { context, .. })
            | Self::CheckOut(CheckOut { context, .. })
            | Self::Refused(Refused { context, .. })
            | Self::MeetingOpened(MeetingOpened { context, .. })
            | Self::MeetingClosed(MeetingClosed { context, .. }) => Some(&context.meeting),
            Self::ReleaseOutcome(_)
            | Self::Correction(_)
            | Self::ClockObservation(_)
            | Self::Fault(_)
            | Self::Loss(_)
            | Self::Unknown(_) => None,
        }
    }

    /// The person that the record is about, where its body names one.
    #[must_use]
    pub fn person(&self) -> Option<&PersonId> {
        match self {
            Self::CheckIn(CheckIn { person, .. }) | Self::CheckOut(CheckOut { person, .. }) => {
                Some(person)
            }
            Self::Refused(_)
            | Self::ReleaseOutcome(_)
            | Self::Correction(_)
            | Self::ClockObservation(_)
            | Self::Fault(_)
            | Self::Loss(_)
            | Self::MeetingOpened(_)
            | Self::MeetingClosed(_)
            | Self::Unknown(_) => None,
        }
    }
}

/// Under which circumstances a decision was taken: enough to say years later by which list, which
/// rules and which program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// Of which meeting the roll was taken.
    pub meeting: MeetingId,
    /// Which generation of its roster the door had.
    pub generation: u64,
    /// The digest of that roster, over its canonical encoding.
    pub roster: Digest,
    /// At which door.
    pub door: DoorId,
    /// The version of the rules of decision.
    pub policy: u32,
    /// The version of the program.
    pub software: Text,
}

/// What the comparison of faces came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// How alike.
    pub score: ComparisonScore,
    /// The score that was asked for.
    pub threshold: Threshold,
    /// In which feature space.
    pub space: FeatureSpace,
    /// How many frames were looked at.
    pub frames: u32,
}

/// That a person came in the place of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitution {
    /// Whose place.
    pub for_person: PersonId,
    /// By which document: its number and date, no name.
    pub document: Text,
}

/// A person was called.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckIn {
    /// Under which circumstances.
    pub context: Context,
    /// Who.
    pub person: PersonId,
    /// In whose place, where it is a substitute.
    pub substitute: Option<Substitution>,
    /// Which way the door leads.
    pub direction: Direction,
    /// By which means.
    pub means: Means,
    /// How much it is worth as evidence.
    pub assurance: Assurance,
    /// The comparison, where a face was compared.
    pub comparison: Option<Comparison>,
    /// The human who did it, where one did.
    pub actor: Option<PersonId>,
}

/// A person left.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckOut {
    /// Under which circumstances.
    pub context: Context,
    /// Who.
    pub person: PersonId,
    /// By which means.
    pub means: Means,
    /// How much it is worth as evidence.
    pub assurance: Assurance,
    /// The comparison, where a face was compared.
    pub comparison: Option<Comparison>,
    /// The human who did it, where one did.
    pub actor: Option<PersonId>,
}

/// Somebody was not called. It names no person, so nobody is accused by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// Under which circumstances.
    pub context: Context,
    /// Why.
    pub reason: RefusalReason,
    /// The best comparison, where a face was compared.
    pub comparison: Option<Comparison>,
}

/// What became of the door after a check-in of the same epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReleaseOutcome {
    /// The check-in or check-out that the door was to open for.
    pub of: Sequence,
    /// What became of it.
    pub outcome: Release,
}

/// What became of a door that was to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// The relay said that it opened.
    Opened,
    /// The relay did not answer in time.
    NoAnswer,
    /// The command went out to a relay that never answers.
    SentUnconfirmed,
    /// No relay is configured at this door.
    NotConfigured,
    /// The relay refused, or could not be reached.
    Failed,
}

/// An earlier record does not hold. The record itself stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// Which record of this device: its epoch and number.
    pub of: (Epoch, Sequence),
    /// What is done to it.
    pub amendment: Amendment,
    /// Why. A code and no free text: whoever corrects would write a name into it.
    pub reason: CorrectionReason,
    /// The human who decided so, where one did.
    pub actor: Option<PersonId>,
}

/// What a correction does to the record it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Amendment {
    /// It counts as if it had not been written.
    Annulled,
}

/// Why a record is corrected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CorrectionReason {
    /// It names somebody else than the person who stood there.
    WrongPerson,
    /// The person did not go through the door.
    DidNotPass,
    /// The same passage was written down twice.
    Duplicate,
    /// A trial, not a meeting.
    Trial,
    /// Another reason, kept where it can be erased.
    Other,
}

/// What was learnt about the wall clock: what it showed and what it should have shown at the same
/// moment, that of the record's stamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockObservation {
    /// What the wall clock showed.
    pub before: WallTime,
    /// What it shows from then on.
    pub after: WallTime,
    /// How far that is to be trusted.
    pub quality: ClockQuality,
    /// From whom.
    pub source: ClockSource,
}

/// From whom a clock was set or observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClockSource {
    /// A time service on the network.
    TimeService,
    /// The city's side, by comparing answers.
    Hub,
    /// A battery-backed clock on the board.
    BatteryClock,
    /// A person at the device.
    Person,
    /// It is not known; the clock was seen to jump.
    Unknown,
}

/// A part of the device did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which part.
    pub part: Part,
    /// What happened, in one line of English for technicians, without personal data.
    pub what: Text,
}

/// A part of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The camera or the recorded source in its place.
    Camera,
    /// Detection and comparison.
    Inference,
    /// The ledger's file or disk.
    Ledger,
    /// The screen.
    Screen,
    /// The relay of the door.
    Door,
    /// The scanner of codes and cards.
    Scanner,
    /// The clock.
    Clock,
    /// The roster or its keys.
    Roster,
    /// A thread of the program.
    Thread,
}

/// Something was lost, and it is known that it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loss {
    /// What.
    pub lost: Lost,
    /// Why.
    pub why: LossReason,
}

/// What was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lost {
    /// Records that existed.
    Records {
        /// Of which epoch.
        epoch: Epoch,
        /// The first that is missing.
        from: Sequence,
        /// The last that is missing, where that is known.
        through: Option<Sequence>,
    },
    /// Things that happened and never became records.
    Events {
        /// How many.
        count: u64,
    },
}

/// Why something was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LossReason {
    /// The file could not be read any more.
    Corrupt,
    /// The file was gone.
    Missing,
    /// There was no room on the disk.
    DiskFull,
    /// A queue was full.
    Overflow,
    /// The oldest records were removed for want of space.
    Pruned,
    /// The file could not be written, for another reason than a full disk.
    Unwritable,
}

/// The roll of a meeting began to be taken at a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingOpened {
    /// Of which meeting, by which roster, at which door.
    pub context: Context,
    /// The human who opened it, where one did.
    pub actor: Option<PersonId>,
}

/// The roll of a meeting is no longer taken at a door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingClosed {
    /// Of which meeting, by which roster, at which door.
    pub context: Context,
    /// The human who closed it, where one did.
    pub actor: Option<PersonId>,
}

/// A body of a kind that this version does not know: kept as the bytes it came in, so that the
/// record keeps its digest and a later version can read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    kind: u16,
    bytes: Vec<u8>,
}

impl Unknown {
    /// Only the decoder makes one, of a kind without a name and of bytes it has checked to be one
    /// canonical item.
    pub(crate) fn new(kind: u16, bytes: Vec<u8>) -> Self {
        Self { kind, bytes }
    }

    /// The number of the kind.
    #[must_use]
    pub fn kind(&self) -> u16 {
        self.kind
    }

    /// The body: one item of deterministic CBOR.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
