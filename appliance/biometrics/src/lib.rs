//! From detections to a decision: alignment, quality, tracking, comparison, search, fusion,
//! enrolment rules.
//!
//! Pure: takes pictures, detections, templates and `now`; never reads a clock, a file or a network
//! model.

pub mod align;
pub mod enrolment;
mod flat;
pub mod fusion;
pub mod gallery;
pub mod geometry;
pub mod look_alike;
pub mod policy;
pub mod quality;
pub mod track;

pub use align::{ALIGNED_SIDE_PX, AlignError, Similarity, align};
pub use enrolment::{EnrolmentRefusal, EnrolmentRules, Portrait, check_portrait};
pub use flat::search_flat;
pub use fusion::{Evidence, FusionError};
pub use gallery::{Candidate, Gallery, GalleryError, Scoring};
pub use geometry::{Detection, Landmarks, Point, Rect};
pub use look_alike::{LookAlike, look_alikes};
pub use policy::{OperatingPoint, Policy, PolicyConfig, PolicyError};
pub use quality::{Quality, QualityDefect, QualityLimits, assess, assess_aligned};
pub use track::{Stage, Track, TrackId, TrackUpdate, Tracker, TrackerConfig};
