//! What goes into the store of rosters and references, and what it answers.

use seal::SealError;
use thiserror::Error;
use vocabulary::{
    Digest, FeatureSpace, Meeting, MeetingId, OrganisationId, PersonId, ReferenceId, Template,
    WallTime,
};

use crate::error::LedgerError;

/// Where a reference comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A photograph that was handed in. The photograph itself is not kept.
    Photograph,
    /// The kiosk's own camera.
    Camera,
}

impl Origin {
    pub(super) fn number(self) -> i64 {
        match self {
            Self::Photograph => 1,
            Self::Camera => 2,
        }
    }

    pub(super) fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::Photograph),
            2 => Some(Self::Camera),
            _ => None,
        }
    }
}

/// How good the picture was that a reference was made from.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct QualityNumbers {
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

/// One reference of a person, to be kept.
#[derive(Debug, Clone, Copy)]
pub struct Enrolment<'a> {
    /// Whose person.
    pub organisation: &'a OrganisationId,
    /// Who.
    pub person: &'a PersonId,
    /// Which of the person's references; the caller's to choose, the same again replaces.
    pub reference: &'a ReferenceId,
    /// The template.
    pub template: &'a Template,
    /// How good its picture was.
    pub quality: QualityNumbers,
    /// Where it comes from.
    pub origin: Origin,
    /// When it was made.
    pub at: WallTime,
}

/// What came of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    /// The meetings on whose rosters the reference now is, in order of their ids.
    pub meetings: Vec<MeetingId>,
}

/// What came of the import of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Whether anything was written: the roster is news, or its key had to be made anew.
    pub changed: bool,
    /// Who is to be called by face and has no reference: only another means calls them.
    pub without_reference: Vec<PersonId>,
    /// Enrolled references that did not open and are not on the roster.
    pub unreadable: Vec<(PersonId, ReferenceId)>,
}

/// A reference as the list of enrolments shows it, without its template.
#[derive(Debug, Clone, PartialEq)]
pub struct EnrolmentSummary {
    /// Who.
    pub person: PersonId,
    /// Which of the person's references.
    pub reference: ReferenceId,
    /// In which feature space.
    pub space: FeatureSpace,
    /// How good its picture was.
    pub quality: QualityNumbers,
    /// Where it comes from.
    pub origin: Origin,
    /// When it was made.
    pub at: WallTime,
}

/// A roster as the list of rosters shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterSummary {
    /// The meeting.
    pub meeting: Meeting,
    /// Which replacement of its roster this is.
    pub generation: u64,
    /// The digest of the roster.
    pub digest: Digest,
    /// When it was imported.
    pub imported_at: WallTime,
    /// How many people are on it.
    pub entries: usize,
    /// How many of them have a reference on it, in whatever feature space.
    pub with_reference: usize,
    /// Whether the key of its references is there; when not, no face can be compared.
    pub has_key: bool,
}

/// The references of a meeting in one feature space.
#[derive(Debug)]
pub struct References {
    /// Those that opened, in order of person and reference.
    pub references: Vec<(PersonId, ReferenceId, Template)>,
    /// What is wrong with those that did not; they are left out, and named in the error.
    pub broken: Vec<SealError>,
}

/// Why the store did not do what was asked. Nothing was changed then.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file.
    #[error(transparent)]
    Database(#[from] LedgerError),
    /// A key or a template.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// There is no roster of this meeting.
    #[error("there is no roster of meeting {0}; import it first")]
    UnknownMeeting(MeetingId),
    /// A later roster is there already.
    #[error(
        "the roster of meeting {meeting} is of generation {found}, generation {stored} is here; \
         import a later one"
    )]
    Older {
        /// Which meeting.
        meeting: MeetingId,
        /// The generation that came.
        found: u64,
        /// The generation that is there.
        stored: u64,
    },
    /// Another roster of the same generation is there.
    #[error(
        "another roster of meeting {meeting} with generation {generation} is here; give the new \
         one the next generation"
    )]
    Conflict {
        /// Which meeting.
        meeting: MeetingId,
        /// The generation of both.
        generation: u64,
    },
    /// The meeting is another organisation's.
    #[error("meeting {meeting} belongs to organisation {organisation}; give this one another id")]
    OtherOrganisation {
        /// Which meeting.
        meeting: MeetingId,
        /// Whose it is.
        organisation: String,
    },
    /// A generation beyond what a database counts to.
    #[error("the generation {0} is too large; count from 1")]
    Generation(u64),
    /// The person has as many references as allowed.
    #[error("person {person} has {allowed} references, which is the most; remove some first")]
    TooManyReferences {
        /// Who.
        person: PersonId,
        /// How many there may be.
        allowed: usize,
    },
    /// The kiosk has as many rosters as allowed.
    #[error("there are {0} rosters, which is the most; remove those of past meetings first")]
    TooManyMeetings(usize),
    /// A reference came for somebody whom the roster does not call by face.
    #[error(
        "the roster of meeting {meeting} has a reference of person {person}, who is not called by \
         face; whoever sent it must leave it out"
    )]
    NotByFace {
        /// Which meeting.
        meeting: MeetingId,
        /// Who.
        person: PersonId,
    },
    /// A citizen card came for somebody who is not on the roster, or twice for one person.
    #[error(
        "the roster of meeting {meeting} has a citizen card of person {person}, who is not on it \
         or has one already; whoever sent it must leave it out"
    )]
    CardOfNobody {
        /// Which meeting.
        meeting: MeetingId,
        /// Who.
        person: PersonId,
    },
    /// More came with a roster than a meeting can need.
    #[error("meeting {meeting} comes with {found} {what}, at most {allowed} are allowed")]
    TooMuch {
        /// Which meeting.
        meeting: MeetingId,
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        allowed: usize,
    },
    /// The city refuses more records than are remembered one by one.
    #[error(
        "the city did not take {0} records, which is the most that is remembered; look there for \
         the reason"
    )]
    TooManySetAside(usize),
}
