//! What a roll consists of, and the questions that it answers.

use std::collections::HashSet;

use record::{CorrectionReason, Record, Text};
use vocabulary::{
    Assurance, Delegate, DeviceId, DoorId, Epoch, Means, MeetingId, PersonId, Role, Sequence,
    Stamp, WallTime,
};

/// The roll of one meeting, as its records tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Roll {
    /// Of which meeting.
    pub meeting: MeetingId,
    /// By which generation of the roster.
    pub generation: u64,
    /// One row for each entry of the roster, in its order.
    pub rows: Vec<Row>,
    /// The members, who count towards the quorum.
    pub members: Tally,
    /// The guests, who do not.
    pub guests: Tally,
    /// Whether there is a quorum.
    pub quorum: Quorum,
    /// The check-ins and check-outs that no longer count, in the order of the records.
    pub annulled: Vec<Annulled>,
    /// What does not fit, in the order of the records.
    pub conflicts: Vec<Conflict>,
    /// How many more conflicts there are than [`crate::CONFLICTS_MAX`]; they are not in the list.
    pub conflicts_left_off: usize,
}

impl Roll {
    /// How many are in the room now, members and guests.
    #[must_use]
    pub fn present(&self) -> u32 {
        self.members.present + self.guests.present
    }

    /// How many are expected, members and guests.
    #[must_use]
    pub fn expected(&self) -> u32 {
        self.members.expected + self.guests.expected
    }

    /// How many were in the room at a time, members and guests.
    #[must_use]
    pub fn present_at(&self, time: WallTime) -> u32 {
        let (members, guests) = count(&self.rows, |interval| interval.covers(time));
        members + guests
    }

    /// How many members were in the room at a time: what a quorum is held against.
    #[must_use]
    pub fn members_present_at(&self, time: WallTime) -> u32 {
        count(&self.rows, |interval| interval.covers(time)).0
    }
}

/// One delegate's presence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Who.
    pub delegate: Delegate,
    /// What they are to the meeting.
    pub role: Role,
    /// Whether another on the roster bears the same name: then the unit belongs beside it.
    pub name_shared: bool,
    /// When the seat was filled, by the delegate or a substitute, in the order in which the
    /// intervals began.
    pub intervals: Vec<Interval>,
}

impl Row {
    /// Whether the seat is filled now, was, or never was.
    #[must_use]
    pub fn presence(&self) -> Presence {
        if self.intervals.iter().any(|i| i.until.is_none()) {
            Presence::Present
        } else if self.intervals.is_empty() {
            Presence::Absent
        } else {
            Presence::Left
        }
    }

    /// The passage that the delegate, or a substitute, was first called by.
    #[must_use]
    pub fn first_called(&self) -> Option<&Passage> {
        self.intervals.first().map(|interval| &interval.from)
    }

    /// The best assurance of all that says the seat was filled.
    #[must_use]
    pub fn assurance(&self) -> Option<Assurance> {
        self.intervals
            .iter()
            .flat_map(|interval| std::iter::once(&interval.from).chain(&interval.again))
            .map(|passage| passage.assurance)
            .max()
    }

    /// The stay of a person that has not ended.
    pub(crate) fn open_for(&mut self, person: &PersonId) -> Option<&mut Interval> {
        self.intervals
            .iter_mut()
            .find(|interval| interval.until.is_none() && interval.person == *person)
    }

    /// Whether the seat was filled at a time.
    #[must_use]
    pub fn present_at(&self, time: WallTime) -> bool {
        self.intervals.iter().any(|interval| interval.covers(time))
    }
}

/// Whether a seat is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Presence {
    /// Now.
    Present,
    /// It was, and no longer is.
    Left,
    /// It never was.
    Absent,
}

/// One stay in the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// Who stayed.
    pub person: PersonId,
    /// By which document that person came in the delegate's place; none for the delegate.
    pub substitute_by: Option<Text>,
    /// The coming.
    pub from: Passage,
    /// The going; none while the person is in the room or to the end of the meeting.
    pub until: Option<Passage>,
    /// Further check-ins in between: no more presence, but more evidence.
    pub again: Vec<Passage>,
}

impl Interval {
    /// Whether a time lies within: from the coming until just before the going.
    #[must_use]
    pub fn covers(&self, time: WallTime) -> bool {
        self.from.at.wall <= time && self.until.as_ref().is_none_or(|until| time < until.at.wall)
    }
}

/// One coming or going, as its record tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The record.
    pub record: RecordId,
    /// When.
    pub at: Stamp,
    /// Through which door.
    pub door: DoorId,
    /// By which means.
    pub means: Means,
    /// How much it is worth as evidence.
    pub assurance: Assurance,
    /// The human who wrote it down, where one did.
    pub actor: Option<PersonId>,
}

/// Which record: no two that exist share it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    /// Of which kiosk.
    pub device: DeviceId,
    /// Of which of its ledger files.
    pub epoch: Epoch,
    /// Its number there.
    pub sequence: Sequence,
}

impl RecordId {
    /// The id of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self {
            device: record.device.clone(),
            epoch: record.epoch,
            sequence: record.sequence,
        }
    }
}

/// A count of seats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// On the roster.
    pub expected: u32,
    /// Filled at any time.
    pub came: u32,
    /// Filled now. Nobody is counted twice at one time: where one person fills two seats or two
    /// fill one, the count errs on the low side, since a quorum depends on it.
    pub present: u32,
}

/// Whether there is a quorum, of the members in the room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// The meeting asks for none.
    NotAsked,
    /// There is; carries how many are needed.
    Reached(u32),
    /// There is not; carries how many are needed.
    Missing(u32),
}

/// A check-in or check-out that no longer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annulled {
    /// The record.
    pub record: RecordId,
    /// Whom it names.
    pub person: PersonId,
    /// The correction.
    pub by: RecordId,
    /// Why.
    pub reason: CorrectionReason,
    /// Who decided so, where a human did.
    pub actor: Option<PersonId>,
}

/// Something in the records that does not fit the roster or another record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// A record names a person who is not on this roster: as present, or as the one substituted.
    NotOnRoster {
        /// The record.
        record: RecordId,
        /// Whom it names.
        person: PersonId,
    },
    /// Records were decided by another generation of the roster than this one.
    OtherGeneration {
        /// Which.
        generation: u64,
        /// How many check-ins and check-outs.
        count: u32,
        /// The first of them.
        first: RecordId,
    },
    /// Records were decided by a roster of the same generation with other contents.
    OtherContents {
        /// How many check-ins and check-outs.
        count: u32,
        /// The first of them.
        first: RecordId,
    },
    /// A person in the room was called again at another door.
    TwoPlaces {
        /// Who.
        person: PersonId,
        /// The passage that the person came in by.
        first: RecordId,
        /// The one that does not fit.
        second: RecordId,
    },
    /// A person fills the seats of two delegates at once.
    TwoSeats {
        /// Who.
        person: PersonId,
        /// The seat that was filled first.
        first: PersonId,
        /// The other.
        second: PersonId,
        /// The record that filled the other.
        record: RecordId,
    },
    /// Two persons fill the seat of one delegate at once: the delegate and a substitute, or two
    /// substitutes.
    SeatTaken {
        /// Whose seat.
        seat: PersonId,
        /// Who fills it.
        by: PersonId,
        /// The record of whoever came second.
        record: RecordId,
    },
    /// Somebody left who was not in the room by these records.
    LeftWithoutComing {
        /// Who.
        person: PersonId,
        /// The record.
        record: RecordId,
    },
    /// A correction names a record that does not come before it.
    NothingToCorrect {
        /// The correction.
        correction: RecordId,
    },
    /// Two different records bear one id. The first that was read counts.
    Fork {
        /// The id.
        record: RecordId,
    },
}

/// Counts the seats that one of the chosen intervals fills: members, guests.
pub(crate) fn count(rows: &[Row], chosen: impl Fn(&Interval) -> bool) -> (u32, u32) {
    let mut counted = HashSet::new();
    let mut of_role = |role| {
        let mut seats = 0;
        for row in rows.iter().filter(|row| row.role == role) {
            let own = |interval: &&Interval| interval.person == row.delegate.person;
            let fills = || row.intervals.iter().filter(|interval| chosen(interval));
            let occupant = fills()
                .filter(own)
                .chain(fills().filter(|interval| !own(interval)))
                .map(|interval| &interval.person)
                .find(|person| !counted.contains(*person));
            if let Some(person) = occupant {
                counted.insert(person.clone());
                seats += 1;
            }
        }
        seats
    };
    // Members first: whoever fills a member's and a guest's seat counts as a member.
    (of_role(Role::Member), of_role(Role::Guest))
}
