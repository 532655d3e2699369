//! What goes into a session and what comes out: plain data, free of screens, doors and databases.

use std::fmt;

use biometrics::TrackId;
use credential::{VerifiedInvitation, VerifyError};
use record::{Body, Release};
use vocabulary::{Decision, Delegate, FeatureSpace, Means, PersonId, Sequence, Stamp, Threshold};

/// All that a session can be told.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The roll begins to be taken here; the human who said so, where one did. Doing it again is
    /// no second opening.
    Open(Option<PersonId>),
    /// The roll is no longer taken here; the human who said so, where one did.
    Close(Option<PersonId>),
    /// The frames of a track came to a decision.
    Observation(Observation),
    /// A track is no more.
    TrackEnded(TrackId),
    /// An invitation was held before the camera or the scanner, and verified.
    Invitation(VerifiedInvitation),
    /// An invitation was held there that is not to be accepted.
    InvitationRefused(VerifyError),
    /// The record of a [`Command::Append`] is durable.
    Appended {
        /// Of which command.
        token: Token,
        /// The record's number.
        sequence: Sequence,
    },
    /// The record of a [`Command::Append`] was not written and never will be.
    AppendFailed {
        /// Of which command.
        token: Token,
        /// Why.
        why: AppendFailure,
    },
    /// The door answered a [`Command::Release`], or whoever speaks to it gave up.
    ReleaseAnswered {
        /// The record that the door was to open for.
        of: Sequence,
        /// What became of it.
        outcome: Release,
    },
    /// Time has passed. A session needs one a few times a second.
    Tick,
}

/// What the frames of one track came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Which track.
    pub track: TrackId,
    /// The decision.
    pub decision: Decision,
    /// The threshold that it was held against.
    pub threshold: Threshold,
    /// The feature space of the comparison.
    pub space: FeatureSpace,
    /// How many frames were looked at.
    pub frames: u32,
}

/// All that a session can want done.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Write a record durably; answered by [`Input::Appended`] or [`Input::AppendFailed`].
    Append {
        /// What the answer names.
        token: Token,
        /// The moment that it is about.
        at: Stamp,
        /// What happened.
        body: Box<Body>,
    },
    /// Open the door; answered by [`Input::ReleaseAnswered`].
    Release {
        /// The durable record that it opens for.
        of: Sequence,
    },
    /// Somebody is greeted: from now on [`crate::Session::showing`] has it for a while.
    Greet(Greeting),
    /// Somebody is told something: from now on [`crate::Session::showing`] has it for a while.
    Notify(Notice),
}

/// Names one append, for as long as the session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a record was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum AppendFailure {
    /// More waits for the ledger than may.
    #[error("the ledger is too far behind")]
    Busy,
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull,
    /// The file or its disk is read-only.
    #[error("the ledger is read-only")]
    ReadOnly,
    /// Another process holds the file.
    #[error("the ledger is locked")]
    Locked,
    /// The file is corrupt.
    #[error("the ledger is corrupt")]
    Corrupt,
    /// The disk failed in another way.
    #[error("the ledger cannot be written")]
    Io,
}

/// Somebody is called by name: their record is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Who, and how to call them.
    pub delegate: Delegate,
    /// For whom they attend, where it is not for themselves.
    pub instead_of: Option<Delegate>,
    /// Whether another on the roster bears the same name: then the unit is said too.
    pub shared_name: bool,
    /// For what.
    pub kind: GreetingKind,
    /// When they were called; for those called before, that first time.
    pub at: Stamp,
    /// By which means they stand here now.
    pub means: Means,
    /// The track, where it is a face.
    pub track: Option<TrackId>,
}

/// For what somebody is greeted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GreetingKind {
    /// They were checked in.
    Welcome,
    /// They were checked in before.
    AlreadyCalled,
    /// They were checked out.
    Farewell,
    /// They were checked out before.
    AlreadyLeft,
}

/// Somebody is told something that is no greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub kind: NoticeKind,
    /// The track, where it is a face.
    pub track: Option<TrackId>,
}

/// What somebody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeKind {
    /// They are not on this meeting's roster as far as can be told; the secretary can help.
    NotOnRoster,
    /// The face alone does not decide: please show the invitation.
    SecondMeans,
    /// The invitation is not accepted.
    InvitationRefused(VerifyError),
    /// They were recognised and the record is still being written.
    StillRecording(Delegate),
    /// They were recognised and are not recorded.
    NotRecorded(Delegate, AppendFailure),
}
