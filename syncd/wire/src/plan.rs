//! Who must be photographed again when a model comes in that nobody has references for yet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{PersonId, ReferenceId};

use crate::device::Space;
use crate::scalar::{Hex32, Id, Name};

/// The plan for one model, a page of people at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelPlan {
    /// The digest of the model's published file, as in a feature space.
    pub model: Hex32,
    /// Every feature space in which the organisation has references, or this hub makes them.
    pub spaces: Vec<PlanSpace>,
    /// In order of the integrator's ids.
    pub people: Vec<PlanRow>,
    /// Where to go on; none on the last page. The `Link` header has the whole address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A feature space, and for how many people there are references in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanSpace {
    /// Which.
    pub space: Space,
    /// How many of the organisation's people have a reference in it.
    pub people: u64,
    /// Whether this hub makes references in it of portraits that are handed in.
    pub made_here: bool,
}

/// What a person needs before a door may compare by the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanRow {
    /// The integrator's id.
    pub person: Id<PersonId>,
    /// Full name.
    pub name: Name,
    /// What they need.
    pub step: PlanStep,
    /// For `from-portrait`: which of their references have a portrait that was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub portraits: Vec<Id<ReferenceId>>,
}

/// What a person needs before a door may compare by a model.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum PlanStep {
    /// Nothing: a reference is there.
    Ready,
    /// Their references can be made again from a portrait that was kept: the hub's operator does
    /// that by a command.
    FromPortrait,
    /// To be photographed again: no portrait was kept.
    Photograph,
    /// To be photographed for the first time.
    NeverEnrolled,
}
