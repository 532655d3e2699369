//! Meetings out of and into other programs' calendars.

use std::collections::HashMap;
use std::sync::Arc;

use vocabulary::{OrganisationId, RoomId};
use wire::limits::CALENDAR_EVENTS_MAX;
use wire::meeting::Meetings;
use wire::problem::ProblemType;

use crate::calendar::{self, CONTENT_TYPE, Event};
use crate::call::Call;
use crate::convert;
use crate::hub::Hub;
use crate::model::{Meeting, MeetingPlan, MeetingQuery, Room};
use crate::reply::{Failure, Reply};

pub(super) fn get(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let organisation = call.organisation()?;
    let mut query = MeetingQuery {
        from: Some(call.time("from")?.unwrap_or(call.now)),
        until: call.time("until")?,
        after: None,
        limit: wire::limits::PAGE_ITEMS_MAX,
    };
    let mut meetings: Vec<Meeting> = Vec::new();
    loop {
        let page = hub.store.meetings(organisation, &query)?;
        meetings.extend(page.items);
        let last = meetings.last().map(|last| &last.plan);
        query.after = last.map(|plan| (plan.starts_at, plan.id.clone()));
        if !page.more || meetings.len() >= CALENDAR_EVENTS_MAX {
            break;
        }
    }
    meetings.truncate(CALENDAR_EVENTS_MAX);
    let rooms = hub.store.rooms(organisation)?;
    let names: HashMap<&RoomId, &str> = rooms
        .iter()
        .map(|room| (&room.id, room.name.as_str()))
        .collect();
    let text = calendar::write(
        organisation,
        &meetings,
        |room| names.get(room).copied(),
        call.now,
    );
    Ok(Reply::of(CONTENT_TYPE, text))
}

pub(super) fn post(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let organisation = call.organisation()?;
    let text = std::str::from_utf8(&call.body)
        .map_err(|_| Failure::malformed("the calendar is not UTF-8"))?;
    let impossible = |what: String| Failure::new(ProblemType::Unprocessable, what);
    let events = calendar::read(text).map_err(|error| impossible(error.to_string()))?;
    let rooms = hub.store.rooms(organisation)?;
    // All are judged before the first is put, so that a calendar with a mistake changes nothing.
    let plans: Vec<(Event, MeetingPlan)> = events
        .into_iter()
        .map(|event| plan(hub, organisation, &rooms, event))
        .collect::<Result<_, _>>()?;
    let mut meetings = Vec::with_capacity(plans.len());
    for (event, plan) in plans {
        if event.cancelled {
            hub.store.cancel_meeting(organisation, &plan.id, call.now)?;
            meetings.extend(hub.store.meeting(organisation, &plan.id)?);
        } else {
            let (_, meeting) =
                hub.store
                    .put_meeting(organisation, &plan, &hub.sealing, call.now)?;
            meetings.push(meeting);
        }
    }
    Reply::json(&Meetings {
        meetings: meetings.into_iter().map(convert::meeting).collect(),
        next: None,
    })
}

/// The meeting that an event stands for. What a calendar does not say stays as it is.
fn plan(
    hub: &Hub,
    organisation: &OrganisationId,
    rooms: &[Room],
    event: Event,
) -> Result<(Event, MeetingPlan), Failure> {
    let wrong = |what: &str| {
        let detail = format!("event {}: {what}", event.id);
        Failure::new(ProblemType::Unprocessable, detail)
    };
    let found = hub.store.meeting(organisation, &event.id)?;
    let kept = found.map(|meeting| meeting.plan);
    let named = rooms
        .iter()
        .find(|room| room.id.as_str() == event.place || room.name == event.place);
    let room = match (named, &kept) {
        (Some(room), _) => room.id.clone(),
        // A cancellation often leaves the place out.
        (None, Some(kept)) if event.cancelled => kept.room.clone(),
        (None, Some(_) | None) => {
            return Err(wrong(
                "its LOCATION is no room's id or name; put the room first, or correct it",
            ));
        }
    };
    let title = wire::Name::new(&event.title).map_err(|error| wrong(&error.to_string()))?;
    if title.as_str().is_empty() && !event.cancelled {
        return Err(wrong("it has no SUMMARY"));
    }
    if event.ends_at <= event.starts_at && !event.cancelled {
        return Err(wrong("it ends before it begins"));
    }
    let doors = kept.as_ref().filter(|kept| kept.room == room);
    let plan = MeetingPlan {
        id: event.id.clone(),
        title: title.as_str().to_owned(),
        doors: doors.map(|kept| kept.doors.clone()).unwrap_or_default(),
        room,
        starts_at: event.starts_at,
        ends_at: event.ends_at,
        zone: event.zone.clone(),
        quorum: kept.and_then(|kept| kept.quorum),
    };
    Ok((event, plan))
}
