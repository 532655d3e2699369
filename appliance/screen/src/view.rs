//! What the screen shows, as plain data: no drawing, no clock, no file.
//!
//! A view never claims more than its maker knows: an attendance is shown as recorded only where
//! `recorded_at` says when it was.

use std::sync::Arc;

use imaging::Picture;
use vocabulary::RefusalReason;

/// A time of day as people at the door read it, in the meeting's zone. The maker of a view does
/// the conversion; out-of-range numbers are printed as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weekday {
    /// Thứ Hai.
    Monday,
    /// Thứ Ba.
    Tuesday,
    /// Thứ Tư.
    Wednesday,
    /// Thứ Năm.
    Thursday,
    /// Thứ Sáu.
    Friday,
    /// Thứ Bảy.
    Saturday,
    /// Chủ Nhật.
    Sunday,
}

/// A date as people at the door read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Date {
    /// Year of the common era.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// Its day of the week.
    pub weekday: Weekday,
}

/// One whole screen.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The room's name, as on its sign.
    pub room: String,
    /// Today.
    pub today: Date,
    /// Now.
    pub now: TimeOfDay,
    /// How else than by face a delegate may be called at this door.
    pub other_means: OtherMeans,
    /// What the house's staff should know. It stands small at the foot of the screen while nobody
    /// is before the camera, and never beside a greeting.
    pub note: Option<Note>,
    /// What happens.
    pub scene: Scene,
}

/// A sentence for staff, in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// In Vietnamese.
    pub vi: String,
    /// In English.
    pub en: String,
}

/// How else than by face a delegate may be called. The screen offers only what works here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OtherMeans {
    /// The secretary at their desk, who is always there.
    Secretary,
    /// An invitation's QR code held before the camera, or the secretary.
    InvitationOrSecretary,
}

/// What happens at the door.
#[derive(Debug, Clone, PartialEq)]
pub enum Scene {
    /// The kiosk starts; nothing is recorded yet.
    Starting,
    /// Nothing is planned for this room.
    NoMeeting {
        /// The next meeting here, where one is known.
        next: Option<MeetingInfo>,
    },
    /// A meeting is near, but its roll is not open.
    BeforeMeeting {
        /// The meeting.
        meeting: MeetingInfo,
        /// When the roll opens.
        opens_at: TimeOfDay,
    },
    /// The roll is open and nobody stands before the camera.
    Idle {
        /// The meeting.
        meeting: MeetingInfo,
        /// How many have come.
        count: Count,
    },
    /// Somebody stands before the camera.
    Looking(Looking),
    /// One or more people are greeted; no entry draws like a short [`Scene::Looking`] without a
    /// picture.
    Welcome(Vec<Welcome>),
    /// A person comes back who was called before.
    AlreadyCalled {
        /// Who.
        person: Person,
        /// When they were called first.
        first_at: TimeOfDay,
    },
    /// Nobody was called, and this is the way on. It shows no name: nobody is accused.
    Refused(RefusalReason),
    /// The meeting is over.
    AfterMeeting {
        /// The meeting.
        meeting: MeetingInfo,
        /// How many came.
        count: Count,
    },
    /// The door cannot do its work, or only in part.
    Trouble(Trouble),
}

/// A meeting as delegates read of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeetingInfo {
    /// What it is called.
    pub title: String,
    /// When it starts.
    pub starts_at: TimeOfDay,
    /// When it ends, as planned.
    pub ends_at: TimeOfDay,
    /// On which day; none for today, which needs no saying.
    pub date: Option<Date>,
}

/// How many of how many have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Count {
    /// Called at this door.
    pub present: u32,
    /// On the roster.
    pub expected: u32,
}

/// The live picture and what is asked of those in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Looking {
    /// The camera's picture as it came; the screen mirrors it. None while there is none.
    pub picture: Option<Arc<Picture>>,
    /// The faces in it, at most [`FACES_MAX`] are drawn.
    pub faces: Vec<FaceBox>,
    /// What would help now.
    pub hint: Hint,
    /// How many have come; none hides it.
    pub count: Option<Count>,
}

/// Most faces marked in the live picture.
pub const FACES_MAX: usize = 16;

/// A face in the live picture, in pixels of the picture before it is mirrored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceBox {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// What the kiosk makes of it.
    pub state: FaceState,
}

/// How far the kiosk has come with a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaceState {
    /// Seen, but not usable as it stands: too far, turned away, too dark.
    Seen,
    /// Being compared; 0 to 1 of what is needed to decide.
    Comparing(f32),
    /// Decided.
    Done,
}

/// What would help the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hint {
    /// Nothing special: look here.
    LookHere,
    /// The face is too small.
    ComeCloser,
    /// The face is too large or leaves the picture.
    StepBack,
    /// The face is turned away.
    FaceForward,
    /// It is too dark.
    MoreLight,
    /// It is too bright behind or on the face.
    LessLight,
    /// The face is blurred.
    HoldStill,
    /// All is well, the comparison runs.
    OneMoment,
}

/// A person as they are addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Full name.
    pub name: String,
    /// Office or form of address; may be empty. "Ông", "Bà" and the like replace "đồng chí" in
    /// the greeting instead of standing under the name.
    pub title: String,
    /// Unit; may be empty.
    pub unit: String,
    /// Another person on this roster bears the same name: the unit is then set apart.
    pub namesake: bool,
}

/// One greeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// Who.
    pub person: Person,
    /// For whom they have come in their place (dự thay); none when for themselves.
    pub substitute_for: Option<String>,
    /// When the attendance was durably recorded; none while it is not, and then the screen does
    /// not say so.
    pub recorded_at: Option<TimeOfDay>,
}

/// Why the door cannot do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What kind.
    pub kind: TroubleKind,
    /// A few words for IT staff beside the code, such as a path or a number; no personal data;
    /// may be empty.
    pub detail: String,
}

/// Kinds of trouble, each with its own code for IT staff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TroubleKind {
    /// The camera does not answer or is unplugged.
    CameraLost,
    /// No space left for records.
    DiskFull,
    /// The ledger's file cannot be written.
    LedgerReadOnly,
    /// The ledger is damaged.
    LedgerCorrupt,
    /// Another process writes the ledger.
    LedgerLocked,
    /// The ledger was written by a newer version of this software.
    LedgerNewer,
    /// The ledger fails otherwise.
    LedgerFailed,
    /// A model's file is missing.
    ModelMissing,
    /// A model's file is not the one that was approved.
    ModelChanged,
    /// The library that computes the models is missing or fails.
    InferenceFailed,
    /// The clock cannot be trusted; attendance is recorded nevertheless.
    ClockUnsure,
    /// Something else has failed; the detail says what.
    Other,
}

impl TroubleKind {
    /// Every kind, in the order of the codes.
    pub const ALL: [Self; 12] = [
        Self::CameraLost,
        Self::DiskFull,
        Self::LedgerReadOnly,
        Self::LedgerCorrupt,
        Self::LedgerLocked,
        Self::LedgerNewer,
        Self::LedgerFailed,
        Self::ModelMissing,
        Self::ModelChanged,
        Self::InferenceFailed,
        Self::ClockUnsure,
        Self::Other,
    ];

    /// The short code that IT staff look up.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::CameraLost => "CAM-01",
            Self::DiskFull => "LED-01",
            Self::LedgerReadOnly => "LED-02",
            Self::LedgerCorrupt => "LED-03",
            Self::LedgerLocked => "LED-04",
            Self::LedgerNewer => "LED-05",
            Self::LedgerFailed => "LED-06",
            Self::ModelMissing => "MOD-01",
            Self::ModelChanged => "MOD-02",
            Self::InferenceFailed => "MOD-03",
            Self::ClockUnsure => "CLK-01",
            Self::Other => "SYS-01",
        }
    }

    /// Whether attendance is still recorded at this door.
    #[must_use]
    pub fn records(self) -> bool {
        match self {
            Self::ClockUnsure => true,
            Self::CameraLost
            | Self::DiskFull
            | Self::LedgerReadOnly
            | Self::LedgerCorrupt
            | Self::LedgerLocked
            | Self::LedgerNewer
            | Self::LedgerFailed
            | Self::ModelMissing
            | Self::ModelChanged
            | Self::InferenceFailed
            | Self::Other => false,
        }
    }
}
