//! Records and a roster to the list that a meeting is held on: who was present, from when until
//! when, in whose place, by which means, whether there is a quorum, and what does not fit.
//!
//! - A check-in opens an interval of presence, a check-out closes it. A check-in inside an open
//!   interval of the same person adds no presence; it is kept as further evidence.
//! - A correction annuls the record that it names, and a correction of a correction lets that
//!   record count again. Nothing is deleted: [`Roll::annulled`] lists what no longer counts.
//! - Only records of the roster's own meeting count, by whichever generation of the roster they
//!   were decided.
//! - Whoever comes as a substitute fills the seat of the one they come for, and nobody is counted
//!   twice.
//! - What does not fit is never dropped silently and never repaired: it is a named [`Conflict`].
//!
//! Nothing here reads a clock, a file or a network, and nothing is formatted: tables, CSV and JSON
//! are made by who shows them. The end of a meeting closes no interval: whoever did not check out
//! was present until the end.

mod build;
mod order;
#[cfg(test)]
mod tests;
mod types;

pub use build::CONFLICTS_MAX;
pub use types::{
    Annulled, Conflict, Interval, Passage, Presence, Quorum, RecordId, Roll, Row, Tally,
};
