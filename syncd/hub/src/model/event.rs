//! What integrators are told of beside records: events of meetings, rolls and devices; and what
//! became of deliveries.

use std::fmt;
use std::str::FromStr;

use vocabulary::WallTime;

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $variant:ident = $number:literal;)*) => {
        /// What happened. The numbers are the store's, and never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind {
            $($(#[$doc])* $variant,)*
        }

        impl EventKind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The store's number.
            #[must_use]
            pub fn number(self) -> i64 {
                match self { $(Self::$variant => $number,)* }
            }

            /// The kind of a number; none for one of a later version.
            #[must_use]
            pub fn of(number: i64) -> Option<Self> {
                Self::ALL.iter().copied().find(|kind| kind.number() == number)
            }
        }
    };
}

event_kinds! {
    /// A meeting or its roster was put, and is another now.
    MeetingChanged = 1;
    /// A meeting was cancelled.
    MeetingCancelled = 2;
    /// A meeting was closed.
    MeetingClosed = 3;
    /// There is a new revision of a meeting's roll.
    RollRevised = 4;
    /// A device has not reported for some time.
    DeviceSilent = 5;
    /// A device reports a trouble that it had not before.
    DeviceTrouble = 6;
    /// A device was revoked.
    DeviceRevoked = 7;
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number; they only grow.
    pub number: u64,
    /// When.
    pub at: WallTime,
    /// What.
    pub kind: EventKind,
    /// The id of the meeting or the device.
    pub subject: String,
    /// The generation of a meeting, the revision of a roll; 0 of a device.
    pub version: u64,
}

/// What a webhook was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The record of this commit.
    Record(u64),
    /// The event of this number.
    Event(u64),
}

/// A text that names nothing that a webhook is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no id of a delivery, which is r- or e- and a number; the list has them")]
pub struct ToldError;

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(commit) => write!(f, "r-{commit}"),
            Self::Event(number) => write!(f, "e-{number}"),
        }
    }
}

impl FromStr for Told {
    type Err = ToldError;

    fn from_str(text: &str) -> Result<Self, ToldError> {
        let (kind, number) = text.split_once('-').ok_or(ToldError)?;
        let number = number.parse().map_err(|_| ToldError)?;
        match kind {
            "r" => Ok(Self::Record(number)),
            "e" => Ok(Self::Event(number)),
            _ => Err(ToldError),
        }
    }
}

/// A delivery that failed once, at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The id that its receiver sees.
    pub id: String,
    /// The type that its receiver sees.
    pub kind: String,
    /// What was told.
    pub told: Told,
    /// When it was tried first.
    pub first_at: WallTime,
    /// When it was tried last.
    pub tried_at: WallTime,
    /// How often.
    pub tries: u32,
    /// What the receiver answered the last time, where it did.
    pub status: Option<u16>,
    /// What went wrong the last time; without personal data.
    pub problem: Option<String>,
    /// Whether it was taken in the end.
    pub is_taken: bool,
    /// Whether it is to be sent once more.
    pub again: bool,
}
