//! Rolls: revisions of who came, computed from what the store says that a revision is made of.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use roll::{Conflict, Interval, Quorum, Roll, Row};
use vocabulary::{Assurance, Means, MeetingId, PersonId};
use wire::roll as api;
use wire::{Id, Timestamp};

use super::sheet;
use crate::call::{Call, Format};
use crate::convert::name;
use crate::hub::Hub;
use crate::reply::{Failure, Reply, chain};
use crate::revisions::Revision;

pub(super) fn get(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let meeting: MeetingId = call.path(0)?;
    let organisation = call.organisation()?;
    let number = call.number("revision")?;
    let inputs = hub
        .store
        .revision(organisation, &meeting, number, call.now)?
        .ok_or_else(|| match number {
            Some(number) => Failure::not_found("revision", &number),
            None => Failure::not_found("meeting", &meeting),
        })?;
    let made =
        Revision::make(&inputs).map_err(|error| Failure::internal("a roll", &chain(&error)))?;
    let opaque: Vec<PersonId> = made
        .roll
        .rows
        .iter()
        .map(|row| row.delegate.person.clone())
        .collect();
    let own = hub.store.people_by_opaque(organisation, &opaque)?;
    let own: HashMap<PersonId, PersonId> = own.into_iter().collect();
    let answer = roll_out(&made, &own);
    match call.answer {
        Format::Main => Reply::json(&answer),
        Format::Csv => {
            let zone = TimeZone::get(&made.roster.meeting().zone).unwrap_or(TimeZone::UTC);
            let text = sheet::write_roll(&answer, &zone)?;
            Ok(Reply::of("text/csv; charset=utf-8", text))
        }
    }
}

fn roll_out(made: &Revision, own: &HashMap<PersonId, PersonId>) -> api::Roll {
    let Revision {
        of: revision,
        roster,
        records,
        roll,
    } = made;
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let attended = roll
        .rows
        .iter()
        .filter(|row| !row.intervals.is_empty())
        .count();
    api::Roll {
        meeting: Id(roll.meeting.clone()),
        title: name(&roster.meeting().title),
        revision: revision.number,
        made_at: Timestamp(revision.made_at),
        generation: roll.generation,
        records: *records,
        closed: revision.closed,
        expected: roll.expected(),
        attended: count(attended),
        quorum: match roll.quorum {
            Quorum::NotAsked => None,
            Quorum::Reached(needed) | Quorum::Missing(needed) => Some(api::RollQuorum {
                needed,
                attended: roll.members.came,
            }),
        },
        rows: roll.rows.iter().map(|row| row_out(row, own)).collect(),
        conflicts: conflicts(roll),
    }
}

fn row_out(row: &Row, own: &HashMap<PersonId, PersonId>) -> api::RollRow {
    let delegate = &row.delegate;
    let substitute = row
        .intervals
        .iter()
        .find(|interval| interval.person != delegate.person)
        .map(|interval| Id(interval.person.clone()));
    api::RollRow {
        person: own.get(&delegate.person).cloned().map(Id),
        opaque: Id(delegate.person.clone()),
        name: name(&delegate.name),
        title: name(&delegate.title),
        unit: name(&delegate.unit),
        attended: !row.intervals.is_empty(),
        intervals: row.intervals.iter().map(presence).collect(),
        substitute,
    }
}

fn presence(interval: &Interval) -> api::Presence {
    api::Presence {
        from: Timestamp(interval.from.at.wall),
        until: interval
            .until
            .as_ref()
            .map(|until| Timestamp(until.at.wall)),
        means: means(interval.from.means).to_owned(),
        assurance: assurance(interval.from.assurance).to_owned(),
        door: Some(Id(interval.from.door.clone())),
    }
}

fn means(means: Means) -> &'static str {
    match means {
        Means::Face => "face",
        Means::Invitation => "invitation",
        Means::CitizenCard => "citizen-card",
        Means::Secretary => "secretary",
    }
}

fn assurance(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::Claimed => "claimed",
        Assurance::Possession => "possession",
        Assurance::Compared => "compared",
        Assurance::Vouched => "vouched",
    }
}

fn conflicts(roll: &Roll) -> Vec<String> {
    let mut texts: Vec<String> = roll.conflicts.iter().map(conflict).collect();
    if roll.conflicts_left_off > 0 {
        texts.push(format!("and {} more", roll.conflicts_left_off));
    }
    texts
}

fn conflict(conflict: &Conflict) -> String {
    match conflict {
        Conflict::NotOnRoster { record, person } => format!(
            "record {} of {} names {person}, who is not on this roster",
            record.sequence, record.device
        ),
        Conflict::OtherGeneration {
            generation,
            count,
            first,
        } => format!(
            "{count} records from {} of {} on were decided by generation {generation} of the \
             roster",
            first.sequence, first.device
        ),
        Conflict::OtherContents { count, first } => format!(
            "{count} records from {} of {} on were decided by a roster of the same generation with \
             other contents",
            first.sequence, first.device
        ),
        Conflict::TwoPlaces { person, second, .. } => format!(
            "{person} was called at another door while present (record {} of {})",
            second.sequence, second.device
        ),
        Conflict::TwoSeats {
            person,
            first,
            second,
            ..
        } => format!("{person} fills the seats of both {first} and {second}"),
        Conflict::SeatTaken { seat, by, .. } => {
            format!("the seat of {seat} is filled twice, by {by} as well")
        }
        Conflict::LeftWithoutComing { person, record } => format!(
            "{person} left (record {} of {}) without having come",
            record.sequence, record.device
        ),
        Conflict::NothingToCorrect { correction } => format!(
            "record {} of {} corrects a record that is not before it",
            correction.sequence, correction.device
        ),
        Conflict::Fork { record } => format!(
            "two different records of {} bear the number {}",
            record.device, record.sequence
        ),
    }
}
