//! Which keys sign invitations: codes that a door believes without asking anybody.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::INVITATION_KEYS_MAX;
use crate::scalar::{Hex32, Timestamp};

/// The public keys by which invitations are valid, as they are put: whole. To rotate a key, put
/// the new one beside the old one, and put the list without the old one when no invitation signed
/// by it is to count any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutInvitationKeys {
    /// Ed25519 public keys (RFC 8032), 32 bytes each. One of small order is refused: it would
    /// accept forgeries.
    #[schemars(length(max = INVITATION_KEYS_MAX))]
    pub keys: Vec<Hex32>,
}

/// The public keys by which invitations are valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InvitationKeys {
    /// In the order of the keys. Of a meeting, only its own: those of the organisation count there
    /// as well.
    pub keys: Vec<InvitationKey>,
}

/// A public key that signs invitations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InvitationKey {
    /// The Ed25519 public key. It is its own name.
    pub key: Hex32,
    /// Since when it counts, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}
