//! The words that the other crates share: ids, scores, times, outcomes, meetings, rosters.
//!
//! Standard library only. Nothing here does I/O, reads a clock, encodes or encrypts; a value that
//! exists is a valid one, since every constructor checks.

pub mod card;
pub mod id;
pub mod meeting;
pub mod outcome;
pub mod score;
pub mod template;
pub mod time;

pub use card::{CardNumber, CardNumberError};
pub use id::{
    BootId, DeviceId, Digest, DoorId, Epoch, IdError, MeetingId, OrganisationId, PersonId,
    ReferenceId, RoomId, Sequence,
};
pub use meeting::{Attendance, Delegate, Meeting, MeetingError, Role, Roster, RosterEntry};
pub use outcome::{Assurance, Decision, Direction, Means, Ranked, RefusalReason};
pub use score::{ComparisonScore, ScoreError, Threshold};
pub use template::{FeatureSpace, Template, TemplateError};
pub use time::{ClockQuality, Monotonic, Stamp, WallTime};
