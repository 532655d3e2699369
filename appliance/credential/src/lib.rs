//! Invitation and citizen-card codes: parse, sign, verify.
