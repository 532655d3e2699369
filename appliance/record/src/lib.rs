//! The attendance record: envelope, kinds, canonical encoding, chain, signatures, verification.
//!
//! A record is evidence: years later it must still be the same bytes. Nothing here does I/O, reads
//! a clock or draws random numbers, and no name, picture or template ever stands in a record.

mod body;
mod cbor;
mod chain;
mod codec;
mod head;
mod roster;
mod text;

pub use body::{
    Amendment, Body, CheckIn, CheckOut, ClockObservation, ClockSource, Comparison, Context,
    Correction, CorrectionReason, Fault, Loss, LossReason, Lost, MeetingClosed, MeetingOpened,
    Part, Record, Refused, Release, ReleaseOutcome, Substitution, Unknown,
};
pub use cbor::DecodeError;
pub use chain::{Break, Chain, ChainError};
pub use codec::RECORD_BYTES_MAX;
pub use ed25519_dalek::{SigningKey, VerifyingKey};
pub use head::{Head, HeadError, SIGNED_HEAD_BYTES_MAX, SignedHead};
pub use roster::{ROSTER_BYTES_MAX, decode_roster, encode_roster, roster_digest};
pub use text::{TEXT_BYTES_MAX, Text, TextError};

use sha2::{Digest as _, Sha256};
use vocabulary::Digest;

/// The SHA-256 digest of bytes: a record's digest when they are its encoding.
#[must_use]
pub fn digest(bytes: &[u8]) -> Digest {
    Digest(Sha256::digest(bytes).into())
}
