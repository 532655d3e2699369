//! Devices and those who call with a key: who they are, and what the hub knows them by. Secrets
//! are here only as hashes.

use std::fmt;
use std::str::FromStr;

use vocabulary::{DeviceId, Digest, DoorId, OrganisationId, RoomId, WallTime};
use wire::Scope;

/// The SHA-256 of a secret with enough randomness of its own, as of tokens and keys.
pub type SecretHash = Digest;

/// The id within an API key, before its secret: 1 to [`ApiKeyId::BYTES_MAX`] ASCII letters and
/// digits. It is no secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId(String);

impl ApiKeyId {
    /// Longest id in bytes; sixteen random bytes in any notation fit.
    pub const BYTES_MAX: usize = 32;

    /// Checks and takes over a text; none where it is no such id.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::BYTES_MAX).contains(&text.len());
        (fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            .then(|| Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A device at one or several doors of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id, unique at the hub.
    pub id: DeviceId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Its room.
    pub room: RoomId,
    /// Its doors, all of that room.
    pub doors: Vec<DoorId>,
    /// Its keys, once enrolled.
    pub keys: Option<DeviceKeys>,
    /// When it was revoked.
    pub revoked_at: Option<WallTime>,
    /// How it was when it last said so.
    pub health: Option<Health>,
}

/// The public keys of an enrolled device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceKeys {
    /// X25519, for which meetings' keys are wrapped.
    pub sealing: [u8; 32],
    /// Ed25519, which signs the heads of its chain.
    pub head: [u8; 32],
}

/// A health report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// When the hub got it.
    pub received_at: WallTime,
    /// The report as it came, in JSON; the store does not look inside.
    pub document: String,
}

/// The serial number of a certificate: its bytes as they stand in it, without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateSerial(pub Vec<u8>);

/// A certificate that the hub made for a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCertificate {
    /// Its serial number.
    pub serial: CertificateSerial,
    /// When it ends.
    pub expires_at: WallTime,
    /// The certificate in PEM.
    pub pem: String,
    /// The digest of the signing request that it answers.
    pub request: Digest,
}

/// Whom a certificate shows. Whether it may be used is for the caller to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// The device, with its revocation.
    pub device: Device,
    /// When the certificate ends.
    pub expires_at: WallTime,
    /// Whether the device was enrolled anew since, or revoked: the certificate counts for nothing.
    pub superseded: bool,
}

/// A one-time token to enrol one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The hash of the secret.
    pub hash: SecretHash,
    /// Which device.
    pub device: DeviceId,
    /// Until when.
    pub expires_at: WallTime,
    /// The digest of the signing request that used it up.
    pub used_by: Option<Digest>,
}

/// What became of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenUse {
    /// The device is enrolled with this certificate: the new one, or the one that an earlier
    /// enrolment by the same token and signing request was answered with.
    Enrolled(DeviceCertificate),
    /// Another signing request used the token before.
    Used,
    /// It is past its time.
    Expired,
    /// The device was revoked.
    Revoked,
    /// There is no such token.
    Unknown,
}

/// A key of somebody who calls the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, which is no secret.
    pub id: ApiKeyId,
    /// For which organisation.
    pub organisation: OrganisationId,
    /// The hash of the secret.
    pub hash: SecretHash,
    /// Whose hands it is in.
    pub role: KeyRole,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// What it is for, in the words of whoever made it.
    pub label: String,
    /// When it was made.
    pub made_at: WallTime,
    /// When it was revoked.
    pub revoked_at: Option<WallTime>,
}

/// Whose hands a key is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyRole {
    /// A program that puts meetings and reads rolls.
    Integrator,
    /// Who holds the meetings.
    Secretary,
    /// Who runs the hub.
    Operator,
}

impl KeyRole {
    /// The role's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Integrator => "integrator",
            Self::Secretary => "secretary",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not the name of a role; carries the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role; there are integrator, secretary and operator")]
pub struct KeyRoleError(pub String);

impl FromStr for KeyRole {
    type Err = KeyRoleError;

    fn from_str(text: &str) -> Result<Self, KeyRoleError> {
        [Self::Integrator, Self::Secretary, Self::Operator]
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| KeyRoleError(text.to_owned()))
    }
}
