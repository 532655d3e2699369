//! All that can wake the kiosk, in one closed list. It fits on a screen so that it can be known.

use std::sync::Arc;

use checkin::{AppendFailure, Substitute};
use ledger::Appended;
use record::Record;
use vocabulary::{Digest, Meeting, MeetingId, Roster};

use crate::perceive::{Perceived, Target};
use crate::trouble::Trouble;

/// Most events that wait. The loop handles thousands a second, so a full queue means that it
/// stands still; the threads then wait with it rather than lose a decision.
pub const EVENTS_MAX: usize = 256;

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// A frame was looked at.
    Perceived(Perceived),
    /// The camera came, went, or ended.
    Camera(CameraEvent),
    /// A record is durable, or is not.
    Committed {
        /// Which append command this answers.
        token: u64,
        /// Where the record lies; or why it does not.
        result: Result<Appended, (AppendFailure, Trouble)>,
    },
    /// The meetings whose rosters are on this kiosk, newly read.
    Meetings(Result<Vec<Known>, Trouble>),
    /// A meeting's roster, references and earlier records are in memory.
    Loaded(Result<Box<LoadedMeeting>, Trouble>),
    /// The key of a meeting that is over was to be destroyed.
    Forgotten {
        /// Of which meeting.
        meeting: MeetingId,
        /// Whether it is.
        done: bool,
    },
    /// A part of the kiosk does not do its work, or does it again.
    Part(PartEvent),
    /// The daemon told how things are with the city.
    City(beside::FromDaemon),
    /// Time has passed.
    Tick,
    /// The kiosk is asked to stop.
    Stop,
}

/// What the camera thread tells.
#[derive(Debug)]
pub enum CameraEvent {
    /// The camera is lost; it is being looked for.
    Lost(String),
    /// It is back.
    Back,
    /// The recording has been played to its end, and its last frame has been looked at.
    Ended,
    /// The source can never give another frame.
    Failed(String),
}

/// What other threads tell of themselves.
#[derive(Debug)]
pub enum PartEvent {
    /// Frames cannot be looked at; the reason, without personal data.
    InferenceFailed(String),
    /// Frames are looked at again.
    InferenceWorks,
    /// A view could not be shown.
    ScreenFailed(String),
    /// A thread has panicked; its name. Without it the kiosk cannot go on.
    Died(&'static str),
}

/// A meeting whose roster is on this kiosk.
#[derive(Debug, Clone)]
pub struct Known {
    /// The meeting.
    pub meeting: Meeting,
    /// What is here of it.
    pub edition: Edition,
    /// Whether the secretary closed it.
    pub closed: bool,
    /// Whether this kiosk's own commands brought it, so that its key is this kiosk's to destroy.
    pub is_ours: bool,
}

/// What is here of a meeting. Another one is held from when it is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edition {
    /// The digest of its roster.
    pub roster: Digest,
    /// Whether the key of its references is there: it may come after the roster, and go before it.
    pub has_key: bool,
}

/// A meeting, ready to be held at the door.
#[derive(Debug)]
pub struct LoadedMeeting {
    /// Who is expected.
    pub roster: Roster,
    /// Which edition this is.
    pub edition: Edition,
    /// Against whom faces are compared.
    pub target: Arc<Target>,
    /// Who attends for whom.
    pub substitutes: Vec<Substitute>,
    /// Whether there are references, and none by this kiosk's model.
    pub nobody_by_face: bool,
    /// What was recorded before, by this or an earlier run.
    pub records: Vec<Record>,
}
