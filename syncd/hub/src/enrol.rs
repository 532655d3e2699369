//! Keeping a template: sealed under the organisation's key, for the person's opaque id, and for
//! nothing else. Used by whatever hands a template in.

use seal::{Scope, SealError, TemplateBinding, seal_template};
use vocabulary::{OrganisationId, ReferenceId, Template, WallTime};

use crate::hub::Hub;
use crate::model::{Change, Enrolment, Origin, Person, Quality, ReferenceTemplate};
use crate::store::StoreError;

/// A template and where it comes from.
pub(crate) struct NewReference<'a> {
    /// Which of the person's references.
    pub id: &'a ReferenceId,
    /// The template.
    pub template: &'a Template,
    /// Where it comes from.
    pub origin: Origin,
    /// How good the picture was.
    pub quality: Option<Quality>,
    /// What was handed in, to tell the same put again from another.
    pub content: &'a [u8],
}

/// Seals a template and keeps it.
pub(crate) fn keep(
    hub: &Hub,
    organisation: &OrganisationId,
    person: &Person,
    new: &NewReference<'_>,
    now: WallTime,
) -> Result<Change, StoreError> {
    let scope = Scope {
        organisation: organisation.clone(),
        meeting: None,
    };
    let space = new.template.space();
    let kept = hub.store.organisation_key(organisation, &hub.sealing)?;
    let seal = || -> Result<_, SealError> {
        let key = hub.sealing.open(&scope, &kept)?;
        let binding = TemplateBinding {
            scope: &scope,
            person: &person.opaque,
            reference: new.id,
            space,
        };
        seal_template(&key, &binding, new.template)
    };
    let digest = space.digest().0;
    let enrolment = Enrolment {
        id: new.id.clone(),
        origin: new.origin,
        content: hub.content_digest(&[space.name().as_bytes(), &digest, new.content]),
        quality: new.quality,
        templates: vec![ReferenceTemplate {
            space: space.clone(),
            sealed: seal()?,
        }],
    };
    let id = &person.details.id;
    hub.store
        .put_reference(organisation, id, &enrolment, &hub.sealing, now)
}
