//! From detections to a decision: alignment, quality, tracking, comparison, search, fusion,
//! enrolment rules.
//!
//! Pure: takes pictures, detections, templates and `now`; never reads a clock, a file or a network
//! model.

pub mod geometry;

pub use geometry::{Detection, Landmarks, Point, Rect};
