//! Keeping what a person is recognised by: sealed under the organisation's key, for the person's
//! opaque id, and for nothing else. Used by whatever hands a template or a portrait in.

use seal::{
    DataKey, Document, DocumentBinding, Scope, SealError, SealedDocument, TemplateBinding,
    open_document, seal_document, seal_template,
};
use vocabulary::{OrganisationId, ReferenceId, Template, WallTime};
use zeroize::Zeroizing;

use crate::hub::Hub;
use crate::model::{Change, Enrolment, Origin, Person, Quality, ReferenceTemplate};
use crate::store::StoreError;

/// Templates of one picture, and where they come from.
pub(crate) struct NewReference<'a> {
    /// Which of the person's references.
    pub id: &'a ReferenceId,
    /// The templates, each in a feature space of its own.
    pub templates: &'a [Template],
    /// Where they come from.
    pub origin: Origin,
    /// How good the picture was.
    pub quality: Option<Quality>,
    /// What was handed in, to tell the same put again from another.
    pub content: &'a [u8],
}

/// Seals templates and keeps them; the portrait too, where the organisation keeps portraits.
pub(crate) fn keep(
    hub: &Hub,
    organisation: &OrganisationId,
    person: &Person,
    new: &NewReference<'_>,
    now: WallTime,
) -> Result<Change, StoreError> {
    let (scope, key) = opened(hub, organisation)?;
    let keeps = hub.store.portrait_keeping(organisation)?.days.is_some();
    let portrait = match new.origin {
        Origin::Portrait if keeps => {
            let binding = portrait_binding(&scope, person, new.id);
            Some(seal_document(&key, &binding, new.content)?)
        }
        Origin::Portrait | Origin::Template => None,
    };
    let seal = |template: &Template| -> Result<ReferenceTemplate, SealError> {
        let space = template.space();
        let binding = TemplateBinding {
            scope: &scope,
            person: &person.opaque,
            reference: new.id,
            space,
        };
        Ok(ReferenceTemplate {
            space: space.clone(),
            sealed: seal_template(&key, &binding, template)?,
        })
    };
    let enrolment = Enrolment {
        id: new.id.clone(),
        origin: new.origin,
        content: hub.content_digest(&[new.content]),
        quality: new.quality,
        templates: new.templates.iter().map(seal).collect::<Result<_, _>>()?,
        portrait,
    };
    let id = &person.details.id;
    hub.store
        .put_reference(organisation, id, &enrolment, &hub.sealing, now)
}

/// A portrait that was kept, opened; wiped from memory when dropped.
pub(crate) fn kept_portrait(
    hub: &Hub,
    organisation: &OrganisationId,
    person: &Person,
    reference: &ReferenceId,
    now: WallTime,
) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
    let id = &person.details.id;
    let sealed: Option<SealedDocument> = hub.store.portrait(organisation, id, reference, now)?;
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let (scope, key) = opened(hub, organisation)?;
    let binding = portrait_binding(&scope, person, reference);
    Ok(Some(open_document(&key, &binding, &sealed)?))
}

fn opened(hub: &Hub, organisation: &OrganisationId) -> Result<(Scope, DataKey), StoreError> {
    let scope = Scope {
        organisation: organisation.clone(),
        meeting: None,
    };
    let kept = hub.store.organisation_key(organisation, &hub.sealing)?;
    let key = hub.sealing.open(&scope, &kept)?;
    Ok((scope, key))
}

fn portrait_binding<'a>(
    scope: &'a Scope,
    person: &'a Person,
    reference: &'a ReferenceId,
) -> DocumentBinding<'a> {
    DocumentBinding {
        scope,
        person: &person.opaque,
        document: Document::Portrait(reference),
    }
}
