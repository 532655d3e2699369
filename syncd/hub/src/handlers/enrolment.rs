//! What people are recognised by: portraits, which are not kept unless their organisation says so,
//! and templates, which are kept sealed.

use std::sync::Arc;

use vocabulary::{FeatureSpace, PersonId, ReferenceId, Template};
use wire::enrolment as api;
use wire::problem::ProblemType;

use crate::call::Call;
use crate::convert;
use crate::enrol::{self, NewReference};
use crate::hub::Hub;
use crate::model::{Origin, Person};
use inference::PortraitError as Refusal;

use crate::portrait::PortraitError;
use crate::reply::{Failure, Reply, chain};

pub(super) fn portrait(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let (person, reference) = place(hub, call)?;
    let portraits = hub.portraits.as_ref().map_err(|why| {
        let detail = format!("{why}; hand in a template instead, or ask the hub's operator");
        Failure::new(ProblemType::NotOffered, detail)
    })?;
    let made = portraits.reference(&call.body).map_err(refused)?;
    let new = NewReference {
        id: &reference,
        templates: &made.templates,
        origin: Origin::Portrait,
        quality: Some(convert::quality_in(made.quality)),
        content: &call.body,
    };
    keep(hub, call, &person, &new)
}

pub(super) fn template(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let (person, reference) = place(hub, call)?;
    let put: api::PutTemplate = call.json()?;
    if put.space.name.as_str().is_empty() {
        return Err(Failure::malformed("`space.name` in the body: it is empty"));
    }
    let space = FeatureSpace::new(put.space.name.as_str(), put.space.digest.into());
    let template = read_template(space, &put.values.0)
        .map_err(|why| Failure::new(ProblemType::Unprocessable, format!("`values`: {why}")))?;
    let new = NewReference {
        id: &reference,
        templates: std::slice::from_ref(&template),
        origin: Origin::Template,
        quality: None,
        content: &call.body,
    };
    keep(hub, call, &person, &new)
}

pub(super) fn delete(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let person: PersonId = call.path(0)?;
    let reference: ReferenceId = call.path(1)?;
    hub.store
        .delete_reference(call.organisation()?, &person, &reference, call.now)?;
    Ok(Reply::empty())
}

/// The person and the reference that the path names.
fn place(hub: &Arc<Hub>, call: &Call) -> Result<(Person, ReferenceId), Failure> {
    let id: PersonId = call.path(0)?;
    let reference: ReferenceId = call.path(1)?;
    let person = hub.store.person(call.organisation()?, &id)?;
    let person = person.ok_or_else(|| Failure::not_found("person", &id))?;
    Ok((person, reference))
}

/// Little-endian floats, brought to length one, as every template is compared.
fn read_template(space: FeatureSpace, bytes: &[u8]) -> Result<Template, String> {
    let (values, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(format!("{} bytes are no 32-bit floats", bytes.len()));
    }
    let values: Vec<f32> = values
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect();
    Template::normalise(space, &values).map_err(|error| error.to_string())
}

fn keep(
    hub: &Arc<Hub>,
    call: &Call,
    person: &Person,
    new: &NewReference<'_>,
) -> Result<Reply, Failure> {
    let organisation = call.organisation()?;
    enrol::keep(hub, organisation, person, new, call.now)?;
    let person = hub.store.person(organisation, &person.details.id)?;
    let newest = new.templates.last().map(vocabulary::Template::space);
    let made = person.and_then(|person| {
        let mut made = person.references.into_iter();
        made.find(|made| made.id == *new.id && Some(&made.space) == newest)
    });
    let made = made.ok_or_else(|| Failure::not_found("reference", new.id))?;
    Reply::json(&convert::reference(made))
}

fn refused(error: PortraitError) -> Failure {
    match &error {
        PortraitError::Decode(_)
        | PortraitError::Portrait(Refusal::Refused(_) | Refusal::Align(_)) => {
            Failure::new(ProblemType::PortraitRefused, chain(&error))
        }
        PortraitError::Portrait(Refusal::Inference(_) | Refusal::Scale(_) | Refusal::Size(_)) => {
            Failure::internal("a portrait", &chain(&error))
        }
    }
}
