//! From records to a roll: order them, find what was annulled, then let each check-in and
//! check-out act on the seats.

use std::collections::{BTreeMap, HashMap, HashSet};

use record::{Amendment, Body, CheckIn, CheckOut, Context, Correction, Record};
use vocabulary::{Digest, PersonId, Role, Roster};

use crate::order::in_order;
use crate::types::{
    Annulled, Conflict, Interval, Passage, Quorum, RecordId, Roll, Row, Tally, count,
};

/// Most conflicts that a roll lists. More than a person can go through are no help, and a broken
/// set of records must not fill the memory.
pub const CONFLICTS_MAX: usize = 1000;

impl Roll {
    /// The roll of the roster's meeting by `records`, which may come from several devices, in any
    /// order, and of other meetings as well.
    #[must_use]
    pub fn of<'a>(roster: &Roster, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let (records, forks) = in_order(records);
        let mut builder = Builder::new(roster);
        forks.into_iter().for_each(|fork| builder.conflict(fork));
        let annulments = builder.annulments(&records);
        for (index, record) in records.iter().enumerate() {
            builder.take(record, annulments.get(&index));
        }
        builder.finish(roster)
    }
}

struct Builder<'a> {
    roster: &'a Roster,
    digest: Digest,
    seats: HashMap<PersonId, usize>,
    rows: Vec<Row>,
    /// The seats that each person in the room fills.
    inside: HashMap<PersonId, Vec<usize>>,
    /// Whoever stands on the roster or came as a substitute.
    known: HashSet<PersonId>,
    annulled: Vec<Annulled>,
    /// Of other generations, and (under this one's number) of other contents.
    other_rosters: BTreeMap<u64, (u32, RecordId)>,
    conflicts: Vec<Conflict>,
    conflicts_left_off: usize,
}

impl<'a> Builder<'a> {
    fn new(roster: &'a Roster) -> Self {
        let shared = roster.shared_names();
        let rows: Vec<Row> = roster
            .entries()
            .iter()
            .map(|entry| Row {
                delegate: entry.delegate.clone(),
                role: entry.role,
                name_shared: shared.contains(entry.delegate.name.as_str()),
                intervals: Vec::new(),
            })
            .collect();
        let seats = rows
            .iter()
            .enumerate()
            .map(|(index, row)| (row.delegate.person.clone(), index))
            .collect();
        Self {
            roster,
            digest: record::roster_digest(roster),
            seats,
            known: rows.iter().map(|row| row.delegate.person.clone()).collect(),
            rows,
            inside: HashMap::new(),
            annulled: Vec::new(),
            other_rosters: BTreeMap::new(),
            conflicts: Vec::new(),
            conflicts_left_off: 0,
        }
    }

    fn conflict(&mut self, conflict: Conflict) {
        if self.conflicts.len() < CONFLICTS_MAX {
            self.conflicts.push(conflict);
        } else {
            self.conflicts_left_off += 1;
        }
    }

    /// The corrections in force, by the place in the order of the record that each annuls. From
    /// the last to the first, so that a correction that was itself corrected has no effect.
    fn annulments<'r>(
        &mut self,
        records: &[&'r Record],
    ) -> HashMap<usize, (&'r Record, &'r Correction)> {
        let places: HashMap<RecordId, usize> = records
            .iter()
            .enumerate()
            .map(|(index, record)| (RecordId::of(record), index))
            .collect();
        let mut annulments = HashMap::new();
        let mut unfounded = Vec::new();
        for (index, record) in records.iter().enumerate().rev() {
            let Body::Correction(correction) = &record.body else {
                continue;
            };
            let (epoch, sequence) = correction.of;
            let device = record.device.clone();
            let target = RecordId {
                device,
                epoch,
                sequence,
            };
            match places.get(&target).filter(|place| **place < index) {
                None => unfounded.push(Conflict::NothingToCorrect {
                    correction: RecordId::of(record),
                }),
                Some(place) if !annulments.contains_key(&index) => match correction.amendment {
                    Amendment::Annulled => {
                        annulments.insert(*place, (*record, correction));
                    }
                },
                Some(_) => {}
            }
        }
        unfounded.into_iter().rev().for_each(|c| self.conflict(c));
        annulments
    }

    fn take(&mut self, record: &Record, annulled: Option<&(&Record, &Correction)>) {
        let Some(passing) = Passing::of(&record.body) else {
            return;
        };
        if passing.context().meeting != self.roster.meeting().id {
            return;
        }
        if let Some((by, correction)) = annulled {
            self.annulled.push(Annulled {
                record: RecordId::of(record),
                person: passing.person().clone(),
                by: RecordId::of(by),
                reason: correction.reason,
                actor: correction.actor.clone(),
            });
            return;
        }
        self.compare_rosters(record, passing.context());
        match passing {
            Passing::In(check_in) => self.come(record, check_in),
            Passing::Out(check_out) => self.go(record, check_out),
        }
    }

    fn compare_rosters(&mut self, record: &Record, context: &Context) {
        if context.generation != self.roster.generation() || context.roster != self.digest {
            self.other_rosters
                .entry(context.generation)
                .or_insert_with(|| (0, RecordId::of(record)))
                .0 += 1;
        }
    }

    fn come(&mut self, record: &Record, check_in: &CheckIn) {
        let person = &check_in.person;
        let (seat_of, substitute_by) = match &check_in.substitute {
            Some(substitution) => (&substitution.for_person, Some(&substitution.document)),
            None => (person, None),
        };
        let Some(seat) = self.seats.get(seat_of).copied() else {
            self.conflict(Conflict::NotOnRoster {
                record: RecordId::of(record),
                person: seat_of.clone(),
            });
            return;
        };
        let passage = Passage {
            record: RecordId::of(record),
            at: record.at,
            door: check_in.context.door.clone(),
            means: check_in.means,
            assurance: check_in.assurance,
            actor: check_in.actor.clone(),
        };
        if let Some(open) = self.rows[seat].open_for(person) {
            let first = (open.from.door != passage.door).then(|| open.from.record.clone());
            let second = passage.record.clone();
            open.again.push(passage);
            if let Some(first) = first {
                let person = person.clone();
                self.conflict(Conflict::TwoPlaces {
                    person,
                    first,
                    second,
                });
            }
            return;
        }
        self.name_double_seats(seat, person, record);
        self.known.insert(person.clone());
        self.inside.entry(person.clone()).or_default().push(seat);
        self.rows[seat].intervals.push(Interval {
            person: person.clone(),
            substitute_by: substitute_by.cloned(),
            from: passage,
            until: None,
            again: Vec::new(),
        });
    }

    /// Names what is odd about `person` taking the seat: they sit elsewhere, or another sits here.
    fn name_double_seats(&mut self, seat: usize, person: &PersonId, record: &Record) {
        let seat_of = self.rows[seat].delegate.person.clone();
        let elsewhere = self.inside.get(person).and_then(|seats| seats.first());
        if let Some(first) = elsewhere.map(|first| self.rows[*first].delegate.person.clone()) {
            self.conflict(Conflict::TwoSeats {
                person: person.clone(),
                first,
                second: seat_of.clone(),
                record: RecordId::of(record),
            });
        }
        let other = self.rows[seat]
            .intervals
            .iter()
            .find(|interval| interval.until.is_none())
            .map(|interval| interval.person.clone());
        if let Some(by) = other {
            self.conflict(Conflict::SeatTaken {
                seat: seat_of,
                by,
                record: RecordId::of(record),
            });
        }
    }

    /// Whoever leaves, leaves every seat that they filled.
    fn go(&mut self, record: &Record, check_out: &CheckOut) {
        let person = &check_out.person;
        let seats = self.inside.remove(person).unwrap_or_default();
        if seats.is_empty() {
            let (record, person) = (RecordId::of(record), person.clone());
            self.conflict(if self.known.contains(&person) {
                Conflict::LeftWithoutComing { person, record }
            } else {
                Conflict::NotOnRoster { record, person }
            });
        }
        for seat in seats {
            if let Some(open) = self.rows[seat].open_for(person) {
                open.until = Some(Passage {
                    record: RecordId::of(record),
                    at: record.at,
                    door: check_out.context.door.clone(),
                    means: check_out.means,
                    assurance: check_out.assurance,
                    actor: check_out.actor.clone(),
                });
            }
        }
    }

    fn finish(mut self, roster: &Roster) -> Roll {
        for (generation, (count, first)) in std::mem::take(&mut self.other_rosters) {
            self.conflict(if generation == roster.generation() {
                Conflict::OtherContents { count, first }
            } else {
                Conflict::OtherGeneration {
                    generation,
                    count,
                    first,
                }
            });
        }
        let (members, guests) = tallies(&self.rows);
        let quorum = match roster.meeting().quorum {
            None => Quorum::NotAsked,
            Some(needed) if members.present >= needed => Quorum::Reached(needed),
            Some(needed) => Quorum::Missing(needed),
        };
        Roll {
            meeting: roster.meeting().id.clone(),
            generation: roster.generation(),
            rows: self.rows,
            members,
            guests,
            quorum,
            annulled: self.annulled,
            conflicts: self.conflicts,
            conflicts_left_off: self.conflicts_left_off,
        }
    }
}

fn tallies(rows: &[Row]) -> (Tally, Tally) {
    let (members, guests) = count(rows, |interval| interval.until.is_none());
    let tally = |role, present| {
        let (mut expected, mut came) = (0, 0);
        for row in rows.iter().filter(|row| row.role == role) {
            expected += 1;
            came += u32::from(!row.intervals.is_empty());
        }
        Tally {
            expected,
            came,
            present,
        }
    };
    (tally(Role::Member, members), tally(Role::Guest, guests))
}

/// A record that lets somebody come or go.
#[derive(Clone, Copy)]
enum Passing<'a> {
    In(&'a CheckIn),
    Out(&'a CheckOut),
}

impl<'a> Passing<'a> {
    fn of(body: &'a Body) -> Option<Self> {
        match body {
            Body::CheckIn(check_in) => Some(Self::In(check_in)),
            Body::CheckOut(check_out) => Some(Self::Out(check_out)),
            Body::Refused(_)
            | Body::ReleaseOutcome(_)
            | Body::Correction(_)
            | Body::ClockObservation(_)
            | Body::Fault(_)
            | Body::Loss(_)
            | Body::MeetingOpened(_)
            | Body::MeetingClosed(_)
            | Body::Unknown(_) => None,
        }
    }

    fn context(self) -> &'a Context {
        match self {
            Self::In(check_in) => &check_in.context,
            Self::Out(check_out) => &check_out.context,
        }
    }

    fn person(self) -> &'a PersonId {
        match self {
            Self::In(check_in) => &check_in.person,
            Self::Out(check_out) => &check_out.person,
        }
    }
}
