//! The organisation, its rooms and their doors.

use std::sync::Arc;

use vocabulary::RoomId;
use wire::Id;
use wire::meeting as api;

use crate::call::Call;
use crate::convert::name;
use crate::hub::Hub;
use crate::model;
use crate::reply::{Failure, Reply};

pub(super) fn organisation(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id = call.organisation()?;
    let organisation = hub
        .store
        .organisation(id)?
        .ok_or_else(|| Failure::not_found("organisation", id))?;
    Reply::json(&api::Organisation {
        id: Id(organisation.id),
        name: name(&organisation.name),
        portraits_kept_days: hub.store.portrait_keeping(id)?.days,
    })
}

pub(super) fn list(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let rooms = hub.store.rooms(call.organisation()?)?;
    Reply::json(&api::Rooms {
        rooms: rooms.into_iter().map(room).collect(),
    })
}

pub(super) fn get(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: RoomId = call.path(0)?;
    let found = hub.store.room(call.organisation()?, &id)?;
    Reply::json(&room(found.ok_or_else(|| Failure::not_found("room", &id))?))
}

pub(super) fn put(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: RoomId = call.path(0)?;
    let put: api::PutRoom = call.json()?;
    let organisation = call.organisation()?;
    let wanted = model::Room {
        id: id.clone(),
        name: put.name.as_str().to_owned(),
        doors: put.doors.into_iter().map(|door| door.0).collect(),
    };
    hub.store.put_room(organisation, &wanted, call.now)?;
    let found = hub.store.room(organisation, &id)?;
    Reply::json(&room(found.ok_or_else(|| Failure::not_found("room", &id))?))
}

fn room(room: model::Room) -> api::Room {
    api::Room {
        id: Id(room.id),
        name: name(&room.name),
        doors: room.doors.into_iter().map(Id).collect(),
    }
}
