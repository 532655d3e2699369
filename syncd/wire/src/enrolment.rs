//! People and what they are recognised by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use vocabulary::{PersonId, ReferenceId};

use crate::device::Space;
use crate::limits::{PAGE_ITEMS_MAX, TEMPLATE_BYTES_MAX};
use crate::scalar::{Base64, CardNumber, Id, Name, Timestamp, base64_chars};

/// A person as an integrator puts them, under the integrator's own id in the path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutPerson {
    /// Full name.
    #[schemars(length(min = 1))]
    pub name: Name,
    /// Title before the name, such as "Ông", "Bà", or an office.
    #[serde(default)]
    pub title: Name,
    /// The unit that the person belongs to.
    #[serde(default)]
    pub unit: Name,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// The integrator's id.
    pub id: Id<PersonId>,
    /// The hub's own id, which records and rolls carry: opaque, so that a list of records says
    /// nothing about staff numbers.
    pub opaque: Id<PersonId>,
    /// Full name.
    pub name: Name,
    /// Title before the name.
    pub title: Name,
    /// Unit.
    pub unit: Name,
    /// What the person can be recognised by.
    pub references: Vec<Reference>,
    /// Whether the number of their citizen card is kept, sealed, so that doors know the card.
    #[serde(default)]
    pub citizen_card: bool,
}

/// The number of a person's citizen card (căn cước công dân), as it is handed in, once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutCitizenCard {
    /// Its 12 digits. No answer ever has them again.
    pub number: CardNumber,
}

/// A page of people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct People {
    /// In order of the integrator's ids.
    #[schemars(length(max = PAGE_ITEMS_MAX))]
    pub people: Vec<Person>,
    /// Where to go on; none on the last page. The `Link` header has the whole address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A reference, without its template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reference {
    /// Which of the person's references.
    pub id: Id<ReferenceId>,
    /// In which feature space.
    pub space: Space,
    /// Where it comes from.
    pub origin: Origin,
    /// When it was made.
    pub made_at: Timestamp,
    /// How good the picture was; none for a template that came ready made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<Quality>,
    /// Until when the portrait that it was made from is kept, encrypted; none where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub portrait_kept_until: Option<Timestamp>,
}

impl Eq for Reference {}

/// Where a reference comes from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A portrait that was handed in.
    Portrait,
    /// A template that was handed in.
    Template,
}

/// How good a portrait was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quality {
    /// Width of the face in pixels of the picture.
    pub face_width_px: f32,
    /// Distance of the eyes in pixels of the picture.
    pub eye_distance_px: f32,
    /// The share of fine detail; 0 is an even surface.
    pub sharpness: f32,
    /// Mean luma of the face, 0 to 255.
    pub exposure: f32,
    /// Standard deviation of the luma.
    pub contrast: f32,
    /// Turned to the side, in degrees.
    pub yaw_degrees: f32,
    /// Turned up or down, in degrees.
    pub pitch_degrees: f32,
    /// Tilted, in degrees.
    pub roll_degrees: f32,
}

/// A template that comes ready made, as from another hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutTemplate {
    /// The feature space that it belongs to.
    pub space: Space,
    /// Its values: 1 to 1024 little-endian 32-bit floats, not all of them 0.
    #[schemars(length(min = 8, max = base64_chars(TEMPLATE_BYTES_MAX)))]
    pub values: Base64,
}
