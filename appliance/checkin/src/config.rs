//! What a session is told about its place, and the limits and lengths of time it keeps.

use std::time::Duration;

use record::Text;
use vocabulary::{DeviceId, Direction, DoorId, Epoch, PersonId};

/// Most check-ins and check-outs that may wait for the ledger at once: as many as a frame can have
/// tracks. When the ledger is that far behind, more are refused and their people told so.
pub const PASSAGES_PENDING_MAX: usize = 16;

/// Most refusals that may wait for the ledger at once. They never take the room of a check-in.
pub const REFUSALS_PENDING_MAX: usize = 8;

/// Most other records that may wait for the ledger at once: outcomes of releases, faults, losses.
pub const OWED_PENDING_MAX: usize = 8;

/// Most records that may wait for the ledger at once, of all kinds together.
pub const PENDING_MAX: usize = PASSAGES_PENDING_MAX + REFUSALS_PENDING_MAX + OWED_PENDING_MAX;

/// Most records that are owed: that must be written and could not be yet. Beyond it they are
/// counted and become one record of the loss.
pub const OWED_MAX: usize = 64;

/// Most refusals of one reason that are recorded in any minute. A corridor of passers-by must not
/// fill the ledger; whoever asks why somebody was not called asks about a few minutes, not about
/// thousands of strangers.
pub const REFUSALS_PER_MINUTE_MAX: usize = 6;

/// Most releases that may wait for the door's answer at once.
pub const RELEASES_MAX: usize = 16;

/// Most people and codes before the door that are remembered at once; the one not seen for longest
/// is forgotten first.
pub const SUBJECTS_MAX: usize = 32;

/// Most greetings and notices that are shown at once; the oldest gives way.
pub const SHOWING_MAX: usize = 8;

/// Where a session takes the roll and by which rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionConfig {
    /// The kiosk.
    pub device: DeviceId,
    /// Its ledger file: only records of this one can be named by a release's outcome.
    pub epoch: Epoch,
    /// The door.
    pub door: DoorId,
    /// Which way the door leads: in, and people are checked in; out, and they are checked out.
    pub direction: Direction,
    /// What opens the door.
    pub release: DoorRelease,
    /// What a face is good for.
    pub face: FaceMode,
    /// Who attends for whom. A right of somebody who is not on the roster, or for somebody who is
    /// not, is passed over; of several of one person the first counts.
    pub substitutes: Vec<Substitute>,
    /// The version of the rules of decision, for the records.
    pub policy: u32,
    /// The version of the program, for the records.
    pub software: Text,
    /// How long things last.
    pub timings: Timings,
}

/// Somebody attends for somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitute {
    /// Who comes.
    pub person: PersonId,
    /// For whom.
    pub instead_of: PersonId,
    /// By which document, for the records.
    pub document: Text,
}

/// What opens the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DoorRelease {
    /// Nothing: the roll is taken and the door is not this kiosk's. No release is ever commanded.
    None,
    /// A relay that is told to.
    Relay,
}

/// What a face is good for at this door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaceMode {
    /// It calls its person.
    Decides,
    /// It only proposes, and a second means is asked for: the roster is too large for one face.
    Proposes,
}

/// How long things last. A slow machine scales them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// A greeting is shown.
    pub greeting: Duration,
    /// A notice is shown at least.
    pub notice: Duration,
    /// A notice is shown at most, while the person it is for stands there.
    pub notice_max: Duration,
    /// Before a person who was greeted is greeted again. Shorter, and a face that is lost for a
    /// moment would be told "already called" under its welcome.
    pub greet_again: Duration,
    /// After its last sighting a code counts as taken away.
    pub code_gone: Duration,
    /// Before something that could not be written is tried again.
    pub retry: Duration,
    /// After which a person who waits for the ledger is told that it takes time.
    pub append_slow: Duration,
    /// For the door to answer; then its silence is recorded.
    pub release_answer: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(4),
            notice: Duration::from_secs(4),
            notice_max: Duration::from_secs(15),
            greet_again: Duration::from_secs(10),
            code_gone: Duration::from_secs(2),
            retry: Duration::from_secs(2),
            append_slow: Duration::from_secs(2),
            release_answer: Duration::from_secs(5),
        }
    }
}
