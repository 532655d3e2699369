//! The attendance record: envelope, kinds, canonical encoding, chain, signatures, verification.
