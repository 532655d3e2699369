//! Citizen cards: a number comes once and goes nowhere but under the organisation's key. Nothing
//! here logs one or gives one back.

use std::sync::Arc;

use seal::{Document, DocumentBinding, Scope, seal_document};
use vocabulary::PersonId;
use wire::enrolment as api;

use crate::call::Call;
use crate::convert;
use crate::hub::Hub;
use crate::reply::{Failure, Reply};
use crate::store::{StoreError, open_card};

pub(super) fn put(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let id: PersonId = call.path(0)?;
    let put: api::PutCitizenCard = call.json()?;
    let organisation = call.organisation()?;
    let person = hub.store.person(organisation, &id)?;
    let person = person.ok_or_else(|| Failure::not_found("person", &id))?;
    let scope = Scope {
        organisation: organisation.clone(),
        meeting: None,
    };
    let kept = hub.store.organisation_key(organisation, &hub.sealing)?;
    let key = hub.sealing.open(&scope, &kept).map_err(StoreError::from)?;
    // Sealing gives other bytes each time: only the numbers tell whether it is the same again.
    let before = hub.store.citizen_card(organisation, &id)?;
    let before = before.and_then(|sealed| open_card(&key, &scope, &person.opaque, &sealed).ok());
    if before.as_ref() != Some(&put.number.0) {
        let binding = DocumentBinding {
            scope: &scope,
            person: &person.opaque,
            document: Document::CitizenCard,
        };
        let sealed = seal_document(&key, &binding, put.number.0.expose());
        let sealed = sealed.map_err(StoreError::from)?;
        hub.store
            .put_citizen_card(organisation, &id, &sealed, &hub.sealing, call.now)?;
    }
    let person = hub.store.person(organisation, &id)?;
    let person = person.ok_or_else(|| Failure::not_found("person", &id))?;
    Reply::json(&convert::person(person))
}

pub(super) fn delete(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let person: PersonId = call.path(0)?;
    hub.store
        .delete_citizen_card(call.organisation()?, &person, call.now)?;
    Ok(Reply::empty())
}
