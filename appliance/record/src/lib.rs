//! The attendance record: envelope, kinds, canonical encoding, chain, signatures, verification.
//!
//! A record is evidence: years later it must still be the same bytes. Nothing here does I/O, reads
//! a clock or draws random numbers, and no name, picture or template ever stands in a record.

mod body;
mod text;

pub use body::{
    Amendment, Body, CheckIn, CheckOut, ClockObservation, ClockSource, Comparison, Context,
    Correction, CorrectionReason, Fault, Loss, LossReason, Lost, MeetingClosed, MeetingOpened,
    Part, Record, Refused, Release, ReleaseOutcome, Substitution, Unknown,
};
pub use text::{TEXT_BYTES_MAX, Text, TextError};
