//! The plan for a model that comes in: who is ready for it, and who must be photographed again.

use std::sync::Arc;

use vocabulary::PersonId;
use wire::plan as api;
use wire::problem::ProblemType;
use wire::{Hex32, Id};

use crate::call::{Call, Format, cursor};
use crate::convert;
use crate::hub::Hub;
use crate::plan::{self, Model, Row, Step};
use crate::reply::{Failure, Reply};

/// The word in cursors of this list.
const LIST: &str = "plan";

pub(super) fn get(hub: &Arc<Hub>, call: &Call) -> Result<Reply, Failure> {
    let organisation = call.organisation()?;
    let model = model(hub, call)?;
    let after = call
        .cursor(LIST)?
        .map(|parts| PersonId::new(&parts.join(" ")))
        .transpose()
        .map_err(|_| Failure::malformed("`after` in the query is no cursor of this plan"))?;
    let page = hub
        .store
        .people(organisation, after.as_ref(), call.limit()?)?;
    let next = page
        .items
        .last()
        .filter(|_| page.more)
        .map(|person| cursor(LIST, &[person.details.id.as_str()]));
    let rows: Vec<Row> = page
        .items
        .into_iter()
        .map(|person| Row::of(person, &model))
        .collect();
    let reply = match call.answer {
        Format::Csv => Reply::of("text/csv; charset=utf-8", csv(&rows)?),
        Format::Main => Reply::json(&api::ModelPlan {
            model: model.digest().into(),
            spaces: spaces(hub, call)?,
            people: rows.into_iter().map(row_out).collect(),
            next: next.clone(),
        })?,
    };
    Ok(match next {
        Some(next) => reply.with("link", call.link(&next)),
        None => reply,
    })
}

/// Which model the plan is for: the one that is named, or the newest that this hub has.
fn model(hub: &Hub, call: &Call) -> Result<Model, Failure> {
    if let Some(named) = call.text("model") {
        let model: Hex32 = named
            .parse()
            .map_err(|error| Failure::malformed(format!("`model` in the query: {error}")))?;
        return Ok(Model::Named(model.into()));
    }
    let own = hub.portraits.as_ref().ok();
    let newest = own.and_then(|portraits| portraits.spaces().last());
    newest.cloned().map(Model::Of).ok_or_else(|| {
        Failure::new(
            ProblemType::Unprocessable,
            "this hub has no model of its own; name one by `model`, the digest of its file",
        )
    })
}

fn spaces(hub: &Hub, call: &Call) -> Result<Vec<api::PlanSpace>, Failure> {
    let mut counted = hub.store.reference_spaces(call.organisation()?)?;
    let own = hub.portraits.as_ref().map_or(&[][..], |own| own.spaces());
    for space in own {
        if counted.iter().all(|(other, _)| other != space) {
            counted.push((space.clone(), 0));
        }
    }
    let out = |(space, people)| api::PlanSpace {
        made_here: own.contains(&space),
        space: convert::space(&space),
        people,
    };
    Ok(counted.into_iter().map(out).collect())
}

/// The mark at the beginning makes spreadsheets read UTF-8.
fn csv(rows: &[Row]) -> Result<String, Failure> {
    let sheet = plan::sheet(rows, true);
    sheet
        .map(|text| format!("\u{feff}{text}"))
        .map_err(|error| Failure::internal("a plan", &error))
}

fn row_out(row: Row) -> api::PlanRow {
    let (step, portraits) = match row.step {
        Step::Ready => (api::PlanStep::Ready, Vec::new()),
        Step::FromPortrait(portraits) => (api::PlanStep::FromPortrait, portraits),
        Step::Photograph => (api::PlanStep::Photograph, Vec::new()),
        Step::NeverEnrolled => (api::PlanStep::NeverEnrolled, Vec::new()),
    };
    api::PlanRow {
        person: Id(row.person),
        name: convert::name(&row.name),
        step,
        portraits: portraits.into_iter().map(Id).collect(),
    }
}
