//! Organisations, their rooms and their people, and what people are recognised by.

use seal::{SealedDocument, SealedTemplate};
use vocabulary::{
    Digest, DoorId, FeatureSpace, OrganisationId, PersonId, ReferenceId, RoomId, WallTime,
};

/// What a put did. Putting the same again is a success that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    /// It was not there before.
    Made,
    /// It was there and is different now.
    Changed,
    /// It was there just so, or (for taking away) was not there.
    Same,
}

impl Change {
    /// Of what was there: whether anything of it changed.
    #[must_use]
    pub fn when(changed: bool) -> Self {
        if changed { Self::Changed } else { Self::Same }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// Whether more follow; go on after the last item.
    pub more: bool,
}

/// An organisation that meetings, people and devices belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organisation {
    /// Its id, unique at the hub.
    pub id: OrganisationId,
    /// Its name.
    pub name: String,
}

/// A meeting room with its doors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Its id, unique in the organisation.
    pub id: RoomId,
    /// What its sign says.
    pub name: String,
    /// Its doors, in the order of their ids. A door belongs to one room.
    pub doors: Vec<DoorId>,
}

/// A person as they are put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonDetails {
    /// The caller's id, unique in the organisation.
    pub id: PersonId,
    /// Full name, not empty.
    pub name: String,
    /// Title before the name; may be empty.
    pub title: String,
    /// The unit that the person belongs to; may be empty.
    pub unit: String,
}

/// A person as the hub has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// What was put.
    pub details: PersonDetails,
    /// The hub's own random id, `p-` and 26 characters of base 32: what rosters at doors,
    /// references and records carry.
    pub opaque: PersonId,
    /// What the person can be recognised by, in order of id and space.
    pub references: Vec<Reference>,
    /// Whether the number of their citizen card is kept.
    pub citizen_card: bool,
}

/// A reference in one feature space, without its template.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Which of the person's references.
    pub id: ReferenceId,
    /// In which feature space.
    pub space: FeatureSpace,
    /// Where it comes from.
    pub origin: Origin,
    /// How good the picture was; none for a template that came ready made.
    pub quality: Option<Quality>,
    /// When it was made.
    pub made_at: WallTime,
    /// Until when the portrait that it was made from is kept; none where it is not.
    pub portrait_until: Option<WallTime>,
}

/// Whether an organisation keeps portraits, and what it has of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortraitKeeping {
    /// For how many days from the day that one is handed in; none when it keeps none.
    pub days: Option<u32>,
    /// How many are kept.
    pub kept: u64,
    /// Their bytes, sealed.
    pub bytes: u64,
}

/// Where a reference comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A portrait that was handed in.
    Portrait,
    /// A template that was handed in.
    Template,
}

/// How good a portrait was.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    /// Width of the face's box in pixels of the picture.
    pub face_width_px: f32,
    /// Distance of the eyes in pixels of the picture.
    pub eye_distance_px: f32,
    /// The share of fine detail; 0 is an even surface.
    pub sharpness: f32,
    /// Mean luma of the face, 0 to 255.
    pub exposure: f32,
    /// Standard deviation of the luma, 0 to 127.5.
    pub contrast: f32,
    /// Turned to the side, in degrees.
    pub yaw_degrees: f32,
    /// Turned up or down, in degrees.
    pub pitch_degrees: f32,
    /// Tilted, in degrees.
    pub roll_degrees: f32,
}

/// A reference as it is put: one picture or template, in one or several feature spaces.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// Which of the person's references; the caller's to choose. The same again in further spaces
    /// is added to those that are there; another one of the same id takes the place of all.
    pub id: ReferenceId,
    /// Where it comes from.
    pub origin: Origin,
    /// Tells the same reference put again from another one, since sealing the same template twice
    /// gives different bytes: a digest of what was handed in, keyed so that it says nothing to
    /// whoever reads it.
    pub content: Digest,
    /// How good the picture was.
    pub quality: Option<Quality>,
    /// The templates, sealed under the organisation's key for the person's *opaque* id.
    pub templates: Vec<ReferenceTemplate>,
    /// The portrait that they were made from, sealed likewise, for an organisation that keeps it.
    pub portrait: Option<SealedDocument>,
}

/// A sealed template in its feature space.
#[derive(Debug, Clone)]
pub struct ReferenceTemplate {
    /// The feature space.
    pub space: FeatureSpace,
    /// The sealed template.
    pub sealed: SealedTemplate,
}
