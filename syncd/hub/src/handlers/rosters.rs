//! Rosters as integrators and secretaries put and read them.

use std::collections::HashMap;
use std::sync::Arc;

use vocabulary::{MeetingId, OrganisationId, PersonId, Role};
use wire::meeting as api;
use wire::problem::ProblemType;

use super::sheet;
use crate::call::{Call, Format};
use crate::convert;
use crate::hub::Hub;
use crate::model::{Entry, RosterView};
use crate::reply::{Failure, Reply};

pub(super) fn get(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let meeting: MeetingId = call.path(0)?;
    let roster = hub
        .store
        .roster(call.organisation()?, &meeting, call.now)?
        .ok_or_else(|| Failure::not_found("meeting", &meeting))?;
    answer(hub, call, &meeting, roster)
}

pub(super) fn put(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let meeting: MeetingId = call.path(0)?;
    let mut entries: Vec<Entry> = match call.format {
        Format::Main => {
            let put: api::PutRoster = call.json()?;
            put.entries.into_iter().map(convert::entry_in).collect()
        }
        Format::Csv => sheet::read_roster(&call.body)?,
    };
    let organisation = call.organisation()?;
    check_substitutes(&entries)?;
    for entry in &mut entries {
        leave_out_what_is_the_person_s_own(hub, organisation, entry)?;
    }
    let found = hub.store.meeting(organisation, &meeting)?;
    check_quorum(found.and_then(|found| found.plan.quorum), &entries)?;
    let (_, roster) =
        hub.store
            .put_roster(organisation, &meeting, &entries, &hub.sealing, call.now)?;
    Reply::json(&view(&meeting, roster))
}

/// Refuses substitutes whose right nobody could check at a door.
fn check_substitutes(entries: &[Entry]) -> Result<(), Failure> {
    let wrong = |entry: &Entry, what: &str| {
        let detail = format!("{}: {what}", entry.person);
        Failure::new(ProblemType::Unprocessable, detail)
    };
    let seats: HashMap<&PersonId, &PersonId> = entries
        .iter()
        .filter_map(|entry| Some((&entry.person, entry.instead_of.as_ref()?)))
        .collect();
    for entry in entries {
        let has_document = entry
            .document
            .as_deref()
            .is_some_and(|text| !text.is_empty());
        match (&entry.instead_of, has_document) {
            (None, false) => {}
            (None, true) => {
                return Err(wrong(entry, "`document` only goes with `instead_of`"));
            }
            (Some(seat), _) if *seat == entry.person => {
                return Err(wrong(
                    entry,
                    "nobody attends for themselves; leave `instead_of` out",
                ));
            }
            (Some(_), false) => {
                return Err(wrong(
                    entry,
                    "`document` must say by which document they attend",
                ));
            }
            (Some(seat), true) if seats.get(seat) == Some(&&entry.person) => {
                let what = format!("they and {seat} cannot attend for each other");
                return Err(wrong(entry, &what));
            }
            (Some(_), true) => {}
        }
    }
    Ok(())
}

/// A title or unit that is empty or the person's own is no other one, however it was put: so the
/// same list is the same, out as a sheet and in again.
fn leave_out_what_is_the_person_s_own(
    hub: &Hub,
    organisation: &OrganisationId,
    entry: &mut Entry,
) -> Result<(), Failure> {
    if entry.title.is_none() && entry.unit.is_none() {
        return Ok(());
    }
    let own = hub.store.person(organisation, &entry.person)?;
    let own = own.map(|person| person.details);
    let differs = |text: &String, own: Option<&String>| !text.is_empty() && Some(text) != own;
    entry.title = entry
        .title
        .take()
        .filter(|title| differs(title, own.as_ref().map(|own| &own.title)));
    entry.unit = entry
        .unit
        .take()
        .filter(|unit| differs(unit, own.as_ref().map(|own| &own.unit)));
    Ok(())
}

/// A quorum is of members; guests do not count towards it.
pub(super) fn check_quorum(quorum: Option<u32>, entries: &[Entry]) -> Result<(), Failure> {
    let members = entries
        .iter()
        .filter(|entry| entry.role == Role::Member)
        .count();
    match quorum {
        Some(quorum) if !entries.is_empty() && quorum as usize > members => {
            let detail = format!(
                "the quorum of {quorum} cannot be reached: there are {members} members on the \
                 roster"
            );
            Err(Failure::new(ProblemType::Unprocessable, detail))
        }
        Some(_) | None => Ok(()),
    }
}

fn answer(
    hub: &Arc<Hub>,
    call: &Call,
    meeting: &MeetingId,
    roster: RosterView,
) -> Result<Reply, Failure> {
    match call.answer {
        Format::Main => Reply::json(&view(meeting, roster)),
        Format::Csv => {
            let organisation = call.organisation()?;
            let name = |id: &PersonId| hub.store.person(organisation, id).map_err(Failure::from);
            sheet::write_roster(&roster, name)
                .map(|text| Reply::of("text/csv; charset=utf-8", text))
        }
    }
}

fn view(meeting: &MeetingId, roster: RosterView) -> api::Roster {
    api::Roster {
        meeting: wire::Id(meeting.clone()),
        generation: roster.generation,
        digest: roster.digest.into(),
        entries: roster.entries.into_iter().map(convert::entry_out).collect(),
        without_reference: roster.without_reference.into_iter().map(wire::Id).collect(),
    }
}
