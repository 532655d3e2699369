//! Meetings: planned, moved, cancelled, closed.

use std::sync::Arc;

use jiff::tz::TimeZone;
use vocabulary::{MeetingId, WallTime};
use wire::meeting as api;
use wire::problem::ProblemType;

use super::rosters::check_quorum;
use crate::call::{Call, cursor};
use crate::convert;
use crate::hub::Hub;
use crate::model::{MeetingPlan, MeetingQuery};
use crate::reply::{Failure, Reply};

/// The word in cursors of this list.
const LIST: &str = "meetings";

pub(super) fn list(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let after = call.cursor(LIST)?.map(|parts| place(&parts)).transpose()?;
    let query = MeetingQuery {
        from: call.time("from")?,
        until: call.time("until")?,
        after,
        limit: call.limit()?,
    };
    let page = hub.store.meetings(call.organisation()?, &query)?;
    let next = page.items.last().filter(|_| page.more).map(|meeting| {
        let plan = &meeting.plan;
        cursor(LIST, &[&plan.starts_at.0.to_string(), plan.id.as_str()])
    });
    let reply = Reply::json(&api::Meetings {
        meetings: page.items.into_iter().map(convert::meeting).collect(),
        next: next.clone(),
    })?;
    Ok(match next {
        Some(next) => reply.with("link", call.link(&next)),
        None => reply,
    })
}

fn place(parts: &[String]) -> Result<(WallTime, MeetingId), Failure> {
    let wrong = || Failure::malformed("`after` in the query is no cursor of meetings");
    let [starts_at, id] = parts else {
        return Err(wrong());
    };
    let starts_at = starts_at.parse().map(WallTime).map_err(|_| wrong())?;
    Ok((starts_at, MeetingId::new(id).map_err(|_| wrong())?))
}

pub(super) fn get(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: MeetingId = call.path(0)?;
    let meeting = hub.store.meeting(call.organisation()?, &id)?;
    let meeting = meeting.ok_or_else(|| Failure::not_found("meeting", &id))?;
    Reply::json(&convert::meeting(meeting))
}

pub(super) fn put(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: MeetingId = call.path(0)?;
    let put: api::PutMeeting = call.json()?;
    if TimeZone::get(&put.zone).is_err() {
        let detail = format!("`zone`: there is no time zone {:?}", short(&put.zone));
        return Err(Failure::new(ProblemType::Unprocessable, detail));
    }
    let plan = MeetingPlan {
        id,
        title: put.title.as_str().to_owned(),
        room: put.room.0,
        doors: put.doors.into_iter().map(|door| door.0).collect(),
        starts_at: put.starts_at.0,
        ends_at: put.ends_at.0,
        zone: put.zone,
        quorum: put.quorum,
    };
    if plan.quorum.is_some()
        && let Some(roster) = hub.store.roster(call.organisation()?, &plan.id, call.now)?
    {
        check_quorum(plan.quorum, &roster.entries)?;
    }
    let (_, meeting) =
        hub.store
            .put_meeting(call.organisation()?, &plan, &hub.sealing, call.now)?;
    Reply::json(&convert::meeting(meeting))
}

/// As much of a wrong text as an answer repeats.
fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

pub(super) fn cancel(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: MeetingId = call.path(0)?;
    hub.store
        .cancel_meeting(call.organisation()?, &id, call.now)?;
    Ok(Reply::empty())
}

pub(super) fn close(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: MeetingId = call.path(0)?;
    let (_, meeting) = hub
        .store
        .close_meeting(call.organisation()?, &id, call.now)?;
    Reply::json(&convert::meeting(meeting))
}
