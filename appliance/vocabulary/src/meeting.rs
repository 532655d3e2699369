//! Meetings and their rosters: who is expected, and how each may be called.

use std::collections::HashSet;
use std::fmt;

use crate::id::{DoorId, MeetingId, OrganisationId, PersonId, RoomId};
use crate::time::WallTime;

/// Most people on one roster. A city's largest hall seats some thousands; beyond this it is a
/// mistake in a file.
pub const ROSTER_ENTRIES_MAX: usize = 20_000;

/// Longest name, title or unit in bytes of UTF-8 (a name of 45 characters has at most 135).
pub const LABEL_BYTES_MAX: usize = 256;

/// Why a meeting or roster is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeetingError {
    /// The end is not after the start.
    EndsBeforeStart(MeetingId),
    /// A text is empty where it must not be; names the field and whose it is.
    Empty {
        /// Which field.
        field: &'static str,
        /// Of which meeting or person.
        of: String,
    },
    /// A text is longer than [`LABEL_BYTES_MAX`] or has control characters.
    Label {
        /// Which field.
        field: &'static str,
        /// Of which meeting or person.
        of: String,
    },
    /// A person stands on the roster twice.
    Duplicate(PersonId),
    /// More than [`ROSTER_ENTRIES_MAX`] entries; carries the count.
    TooMany(usize),
    /// A quorum larger than the roster.
    Quorum {
        /// The quorum asked for.
        quorum: u32,
        /// The people on the roster.
        entries: usize,
    },
}

impl fmt::Display for MeetingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndsBeforeStart(meeting) => {
                write!(
                    f,
                    "meeting {meeting} ends before it starts; correct its times"
                )
            }
            Self::Empty { field, of } => write!(f, "{of} has no {field}; fill it in"),
            Self::Label { field, of } => write!(
                f,
                "the {field} of {of} has control characters or more than {LABEL_BYTES_MAX} bytes; \
                 shorten it"
            ),
            Self::Duplicate(person) => write!(
                f,
                "person {person} is on the roster twice; give each person an id of their own"
            ),
            Self::TooMany(count) => write!(
                f,
                "the roster has {count} people, at most {ROSTER_ENTRIES_MAX} are allowed"
            ),
            Self::Quorum { quorum, entries } => write!(
                f,
                "the quorum of {quorum} is larger than the roster of {entries}; correct one of them"
            ),
        }
    }
}

impl std::error::Error for MeetingError {}

/// A meeting as the door needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// Its id.
    pub id: MeetingId,
    /// Whose meeting it is.
    pub organisation: OrganisationId,
    /// Where.
    pub room: RoomId,
    /// The doors at which the roll is taken; none means every door of the room.
    pub doors: Vec<DoorId>,
    /// What it is called on the screen.
    pub title: String,
    /// When it starts.
    pub starts_at: WallTime,
    /// When it ends, as planned.
    pub ends_at: WallTime,
    /// The IANA time zone in which people read its times, such as `Asia/Ho_Chi_Minh`.
    pub zone: String,
    /// How many of the roster must be present; none where no quorum is asked.
    pub quorum: Option<u32>,
}

/// What a delegate is to the meeting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Counts towards the quorum.
    Member,
    /// Present by invitation, not counted.
    Guest,
}

/// How a person is to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attendance {
    /// By face, or by any other means.
    FaceOrCode,
    /// Not by face: by own wish, or for want of a reference.
    CodeOnly,
}

/// A person as the screen calls them. Names are personal data: they live in the roster, never in
/// a record or a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegate {
    /// Who.
    pub person: PersonId,
    /// Full name, in Unicode NFC.
    pub name: String,
    /// Title before the name, such as "Ông", "Bà", or an office; may be empty.
    pub title: String,
    /// The unit that the person belongs to; may be empty.
    pub unit: String,
}

/// A person in a meeting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterEntry {
    /// Who, and how to call them.
    pub delegate: Delegate,
    /// What they are to the meeting.
    pub role: Role,
    /// How they are to be called.
    pub attendance: Attendance,
}

/// Who is expected at a meeting, as of one generation: rosters are replaced whole, never patched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    meeting: Meeting,
    generation: u64,
    entries: Vec<RosterEntry>,
}

impl Roster {
    /// Checks and takes over a roster; `generation` grows with every replacement, from 1.
    ///
    /// # Errors
    /// [`MeetingError`] names the first person or field that is wrong.
    pub fn new(
        meeting: Meeting,
        generation: u64,
        entries: Vec<RosterEntry>,
    ) -> Result<Self, MeetingError> {
        if meeting.ends_at <= meeting.starts_at {
            return Err(MeetingError::EndsBeforeStart(meeting.id));
        }
        label(
            "title",
            &meeting.title,
            || format!("meeting {}", meeting.id),
            true,
        )?;
        if entries.len() > ROSTER_ENTRIES_MAX {
            return Err(MeetingError::TooMany(entries.len()));
        }
        let mut seen = HashSet::with_capacity(entries.len());
        for entry in &entries {
            let delegate = &entry.delegate;
            let of = || format!("person {}", delegate.person);
            label("name", &delegate.name, of, true)?;
            label("title", &delegate.title, of, false)?;
            label("unit", &delegate.unit, of, false)?;
            if !seen.insert(&delegate.person) {
                return Err(MeetingError::Duplicate(delegate.person.clone()));
            }
        }
        if let Some(quorum) = meeting.quorum
            && quorum as usize > entries.len()
        {
            return Err(MeetingError::Quorum {
                quorum,
                entries: entries.len(),
            });
        }
        Ok(Self {
            meeting,
            generation,
            entries,
        })
    }

    /// The meeting.
    #[must_use]
    pub fn meeting(&self) -> &Meeting {
        &self.meeting
    }

    /// Which replacement of the roster this is, from 1.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The people, in the order of the list.
    #[must_use]
    pub fn entries(&self) -> &[RosterEntry] {
        &self.entries
    }

    /// The entry of one person.
    #[must_use]
    pub fn entry(&self, person: &PersonId) -> Option<&RosterEntry> {
        self.entries
            .iter()
            .find(|entry| entry.delegate.person == *person)
    }

    /// Names that more than one person bears: for these the screen and the roll add the unit.
    #[must_use]
    pub fn shared_names(&self) -> HashSet<&str> {
        let mut seen = HashSet::new();
        self.entries
            .iter()
            .map(|entry| entry.delegate.name.as_str())
            .filter(|name| !seen.insert(*name))
            .collect()
    }
}

fn label(
    field: &'static str,
    text: &str,
    of: impl Fn() -> String,
    required: bool,
) -> Result<(), MeetingError> {
    if required && text.trim().is_empty() {
        return Err(MeetingError::Empty { field, of: of() });
    }
    if text.len() > LABEL_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(MeetingError::Label { field, of: of() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meeting() -> Meeting {
        Meeting {
            id: MeetingId::new("M1").unwrap(),
            organisation: OrganisationId::new("org").unwrap(),
            room: RoomId::new("A").unwrap(),
            doors: vec![],
            title: "Họp giao ban".into(),
            starts_at: WallTime(0),
            ends_at: WallTime(1),
            zone: "Asia/Ho_Chi_Minh".into(),
            quorum: None,
        }
    }

    fn entry(id: &str, name: &str) -> RosterEntry {
        RosterEntry {
            delegate: Delegate {
                person: PersonId::new(id).unwrap(),
                name: name.into(),
                title: String::new(),
                unit: String::new(),
            },
            role: Role::Member,
            attendance: Attendance::FaceOrCode,
        }
    }

    fn check(
        change: impl Fn(&mut Meeting),
        entries: Vec<RosterEntry>,
        expect: Result<(), MeetingError>,
    ) {
        let mut meeting = meeting();
        change(&mut meeting);
        assert_eq!(Roster::new(meeting, 1, entries).map(|_| ()), expect);
    }

    #[test]
    fn a_roster_that_exists_is_valid() {
        let two = || vec![entry("1", "Mẫu Một"), entry("2", "Mẫu Hai")];
        check(|_| (), two(), Ok(()));
        check(
            |m| m.ends_at = m.starts_at,
            two(),
            Err(MeetingError::EndsBeforeStart(MeetingId::new("M1").unwrap())),
        );
        check(
            |_| (),
            vec![entry("1", "Mẫu Một"), entry("1", "Mẫu Hai")],
            Err(MeetingError::Duplicate(PersonId::new("1").unwrap())),
        );
        check(
            |m| m.quorum = Some(3),
            two(),
            Err(MeetingError::Quorum {
                quorum: 3,
                entries: 2,
            }),
        );
        check(
            |_| (),
            vec![entry("1", " ")],
            Err(MeetingError::Empty {
                field: "name",
                of: "person 1".into(),
            }),
        );
        check(
            |_| (),
            vec![entry("1", "a\u{7}b")],
            Err(MeetingError::Label {
                field: "name",
                of: "person 1".into(),
            }),
        );
    }

    #[test]
    fn shared_names_are_those_borne_twice() {
        let entries = vec![
            entry("1", "Mẫu Một"),
            entry("2", "Mẫu Một"),
            entry("3", "Mẫu Ba"),
        ];
        let roster = Roster::new(meeting(), 1, entries).unwrap();
        assert_eq!(roster.shared_names(), HashSet::from(["Mẫu Một"]));
    }
}
