//! People, by the integrator's ids.

use std::sync::Arc;

use vocabulary::PersonId;
use wire::enrolment as api;

use crate::call::{Call, cursor};
use crate::convert;
use crate::hub::Hub;
use crate::model::PersonDetails;
use crate::reply::{Failure, Reply};

/// The word in cursors of this list.
const LIST: &str = "people";

pub(super) fn list(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let after = call
        .cursor(LIST)?
        .map(|parts| PersonId::new(&parts.join(" ")))
        .transpose()
        .map_err(|_| Failure::malformed("`after` in the query is no cursor of people"))?;
    let page = hub
        .store
        .people(call.organisation()?, after.as_ref(), call.limit()?)?;
    let next = page
        .items
        .last()
        .filter(|_| page.more)
        .map(|person| cursor(LIST, &[person.details.id.as_str()]));
    let people = page.items.into_iter().map(convert::person).collect();
    let reply = Reply::json(&api::People {
        people,
        next: next.clone(),
    })?;
    Ok(match next {
        Some(next) => reply.with("link", call.link(&next)),
        None => reply,
    })
}

pub(super) fn get(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: PersonId = call.path(0)?;
    let person = hub.store.person(call.organisation()?, &id)?;
    let person = person.ok_or_else(|| Failure::not_found("person", &id))?;
    Reply::json(&convert::person(person))
}

pub(super) fn put(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: PersonId = call.path(0)?;
    let put: api::PutPerson = call.json()?;
    let details = PersonDetails {
        id,
        name: put.name.as_str().to_owned(),
        title: put.title.as_str().to_owned(),
        unit: put.unit.as_str().to_owned(),
    };
    let (_, person) = hub
        .store
        .put_person(call.organisation()?, &details, call.now)?;
    Reply::json(&convert::person(person))
}
