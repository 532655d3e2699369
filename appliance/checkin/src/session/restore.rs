//! What a session starts from: the roster, and what the records already say.

use std::collections::{BTreeMap, BTreeSet};

use record::{
    Body, CheckIn, CheckOut, Context, MeetingClosed, MeetingOpened, Record, Release, ReleaseOutcome,
};
use roll::{Conflict, RecordId, Roll};
use vocabulary::{PersonId, Sequence, Stamp};

use super::Standing;
use crate::book::Book;
use crate::config::{DoorRelease, SessionConfig};

/// Where people stand by the roll so far. Of several stays of one person an open one counts, else
/// the last. A door that leads out and is taken alone knows of leaving only.
pub(super) fn standings(
    roll: &Roll,
    config: &SessionConfig,
    records: &[&Record],
) -> BTreeMap<PersonId, Standing> {
    let ours = |id: &RecordId| id.device == config.device && id.epoch == config.epoch;
    let mut standings: BTreeMap<PersonId, Standing> = BTreeMap::new();
    for interval in roll.rows.iter().flat_map(|row| &row.intervals) {
        let passage = interval.until.as_ref().unwrap_or(&interval.from);
        let standing = Standing {
            inside: interval.until.is_none(),
            since: passage.at,
            of: ours(&passage.record).then_some(passage.record.sequence),
            greeted: None,
        };
        let known = standings.get(&interval.person);
        if known.is_none_or(|known| standing.inside || !known.inside) {
            standings.insert(interval.person.clone(), standing);
        }
    }
    let times: BTreeMap<Sequence, Stamp> = of_this_ledger(config, records)
        .into_iter()
        .map(|record| (record.sequence, record.at))
        .collect();
    for conflict in &roll.conflicts {
        if let Conflict::LeftWithoutComing { person, record } = conflict
            && let Some(since) = times.get(&record.sequence).filter(|_| ours(record))
        {
            standings.entry(person.clone()).or_insert(Standing {
                inside: false,
                since: *since,
                of: Some(record.sequence),
                greeted: None,
            });
        }
    }
    standings
}

/// The outcomes that passages of this door still lack: the kiosk stopped between the record and
/// the door's answer, and whether the door opened is not known. A passage that a human wrote down
/// asked nothing of the door.
pub(super) fn unanswered(
    book: &Book,
    config: &SessionConfig,
    records: &[&Record],
) -> Vec<ReleaseOutcome> {
    let is_ours = |context: &Context, actor: &Option<PersonId>| {
        context.meeting == book.roster.meeting().id
            && context.door == config.door
            && actor.is_none()
    };
    let mut unanswered = BTreeSet::new();
    for record in of_this_ledger(config, records) {
        match &record.body {
            Body::CheckIn(CheckIn { context, actor, .. })
            | Body::CheckOut(CheckOut { context, actor, .. }) => {
                if is_ours(context, actor) {
                    unanswered.insert(record.sequence);
                }
            }
            Body::ReleaseOutcome(outcome) => {
                unanswered.remove(&outcome.of);
            }
            Body::Refused(_)
            | Body::MeetingOpened(_)
            | Body::MeetingClosed(_)
            | Body::Correction(_)
            | Body::ClockObservation(_)
            | Body::Fault(_)
            | Body::Loss(_)
            | Body::Unknown(_) => {}
        }
    }
    let outcome = match config.release {
        DoorRelease::Relay => Release::NoAnswer,
        DoorRelease::None => Release::NotConfigured,
    };
    let outcomes = unanswered.into_iter();
    outcomes.map(|of| ReleaseOutcome { of, outcome }).collect()
}

/// Whether the newest word of this door's records is that the meeting was opened by this roster.
pub(super) fn was_opened(book: &Book, config: &SessionConfig, records: &[&Record]) -> bool {
    let ours = |context: &Context| {
        context.meeting == book.roster.meeting().id
            && context.door == config.door
            && context.roster == book.digest
    };
    of_this_ledger(config, records)
        .iter()
        .fold(false, |opened, record| match &record.body {
            Body::MeetingOpened(MeetingOpened { context, .. }) if ours(context) => true,
            Body::MeetingClosed(MeetingClosed { context, .. }) if ours(context) => false,
            Body::MeetingOpened(_)
            | Body::MeetingClosed(_)
            | Body::CheckIn(_)
            | Body::CheckOut(_)
            | Body::Refused(_)
            | Body::ReleaseOutcome(_)
            | Body::Correction(_)
            | Body::ClockObservation(_)
            | Body::Fault(_)
            | Body::Loss(_)
            | Body::Unknown(_) => opened,
        })
}

/// The records of the ledger file that the session writes to, in order.
fn of_this_ledger<'a>(config: &SessionConfig, records: &[&'a Record]) -> Vec<&'a Record> {
    let mut ours: Vec<&Record> = records
        .iter()
        .copied()
        .filter(|record| record.device == config.device && record.epoch == config.epoch)
        .collect();
    ours.sort_by_key(|record| record.sequence);
    ours
}
