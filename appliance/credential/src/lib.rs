//! What a delegate brings along when the face does not do: a signed invitation, as the text of a
//! QR code. Read, made and verified here, offline, with nothing but a public key.
//!
//! An invitation is proof that its bearer was handed something by the organisation, and no more
//! ([`vocabulary::Assurance::Possession`]). It names ids only; whoever reads the code off a lost
//! sheet learns no name.
//!
//! Nothing here draws or reads a QR code, keeps a key in a file, draws random numbers or reads a
//! clock: seeds, nonces and `now` come as arguments. The only other credential that is planned, the
//! code of a citizen card, is not read yet: it is an unsigned claim, and what it is compared with
//! comes with rosters that do not carry it today.

mod base45;
pub mod invitation;
pub mod key;
pub mod keyring;

pub use invitation::{
    Invitation, InvitationError, NONCE_BYTES, ParseError, SignedInvitation, TEXT_BYTES_MAX,
    Validity, VerifiedInvitation, VerifyError,
};
pub use key::{KeyError, PUBLIC_KEY_BYTES, PublicKey, SEED_BYTES, SigningKey};
pub use keyring::{Keyring, KeyringError, Refused};
