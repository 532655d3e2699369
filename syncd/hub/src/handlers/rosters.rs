//! Rosters as integrators and secretaries put and read them.

use std::sync::Arc;

use vocabulary::{MeetingId, PersonId};
use wire::meeting as api;

use super::sheet;
use crate::call::{Call, Format};
use crate::convert;
use crate::hub::Hub;
use crate::model::RosterView;
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
    let entries = match call.format {
        Format::Main => {
            let put: api::PutRoster = call.json()?;
            put.entries.into_iter().map(convert::entry_in).collect()
        }
        Format::Csv => sheet::read_roster(&call.body)?,
    };
    let (_, roster) = hub.store.put_roster(
        call.organisation()?,
        &meeting,
        &entries,
        &hub.sealing,
        call.now,
    )?;
    Reply::json(&view(&meeting, roster))
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
