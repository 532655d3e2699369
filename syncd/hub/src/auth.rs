//! Who calls, and whether the operation is for them. Asked of the store at every request, so that
//! a revocation counts from the moment that it is committed.
//!
//! What belongs to another organisation is never "forbidden", which would say that it exists: the
//! organisation is part of every question to the store, so it is not found.

use vocabulary::{DeviceId, OrganisationId, WallTime};
use wire::problem::ProblemType;
use wire::{Access, Scope};

use crate::ca::Presented;
use crate::model::{ApiKey, CertificateSerial, Device, SecretHash, Token};
use crate::reply::Failure;
use crate::secret;
use crate::store::Store;

/// What a request shows of its sender.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credentials {
    /// What stands behind `Authorization: Bearer`.
    pub bearer: Option<String>,
    /// The certificate of the connection, whose chain was checked at the handshake.
    pub certificate: Option<Presented>,
}

/// Who calls.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    /// Somebody.
    Anyone,
    /// Whoever has a device's token.
    Token(Box<Token>, SecretHash),
    /// A device, and the certificate that it showed.
    Device(Box<Device>, Presented),
    /// A program or a person with a key.
    Key(Box<ApiKey>),
}

impl Caller {
    /// Whose name the log and the limits have: a device's or a key's id, neither of them personal.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Anyone => None,
            Self::Token(token, _) => Some(format!("token:{}", token.device)),
            Self::Device(device, _) => Some(format!("device:{}", device.id)),
            Self::Key(key) => Some(format!("key:{}", key.id)),
        }
    }

    /// The caller's organisation, for devices and keys.
    pub fn organisation(&self) -> Option<&OrganisationId> {
        match self {
            Self::Anyone | Self::Token(..) => None,
            Self::Device(device, _) => Some(&device.organisation),
            Self::Key(key) => Some(&key.organisation),
        }
    }
}

/// Decides whether an operation is for whoever calls.
///
/// # Errors
/// 401 without a good credential, 403 with one that is revoked or allows something else.
pub(crate) fn authorise(
    store: &dyn Store,
    access: Access,
    credentials: &Credentials,
    now: WallTime,
) -> Result<Caller, Failure> {
    match access {
        Access::Anyone => Ok(Caller::Anyone),
        Access::Token => token(store, credentials, now),
        Access::Device => device(store, credentials, now, false),
        Access::ExpiredDevice => device(store, credentials, now, true),
        Access::Key(scope) => key(store, credentials, scope),
    }
}

fn token(store: &dyn Store, shown: &Credentials, now: WallTime) -> Result<Caller, Failure> {
    let bearer = shown.bearer.as_deref().ok_or_else(|| {
        unauthenticated("a device's enrolment token is needed: Authorization: Bearer ddt1…")
    })?;
    let unknown = || unauthenticated("the token is unknown; make a new one for this device");
    let hash = secret::token_hash(bearer).ok_or_else(unknown)?;
    let token = store.token(&hash)?.ok_or_else(unknown)?;
    // A token that was used lets its own device in again after its end: the answer was lost.
    if token.used_by.is_none() && token.expires_at < now {
        return Err(unauthenticated(
            "the token is past its time; make a new one for this device",
        ));
    }
    Ok(Caller::Token(Box::new(token), hash))
}

fn device(
    store: &dyn Store,
    shown: &Credentials,
    now: WallTime,
    expired_too: bool,
) -> Result<Caller, Failure> {
    let certificate = shown
        .certificate
        .clone()
        .ok_or_else(|| unauthenticated("a device's certificate is needed; enrol the device"))?;
    let device = known_device(store, &certificate)?;
    if device.revoked_at.is_some() {
        return Err(Failure::new(
            ProblemType::Revoked,
            format!(
                "device {} was revoked; it has to be enrolled again",
                device.id
            ),
        ));
    }
    if certificate.expires_at < now && !expired_too {
        return Err(Failure::new(
            ProblemType::CertificateExpired,
            "the device's certificate has expired; POST a signing request to \
             /device/certificate with it",
        ));
    }
    Ok(Caller::Device(Box::new(device), certificate))
}

/// The device that a certificate shows. One that the store does not know may be from after the
/// backup that it was restored from; since the authority signed it, it counts where the device is
/// known.
fn known_device(store: &dyn Store, certificate: &Presented) -> Result<Device, Failure> {
    let superseded =
        || unauthenticated("the device was enrolled anew since; this certificate counts no more");
    let serial = CertificateSerial(certificate.serial.clone());
    match store.authenticate(&serial)? {
        Some(known) if known.device.id != certificate.device => Err(superseded()),
        // A revoked device is told so, whatever else is true of its certificate.
        Some(known) if known.superseded && known.device.revoked_at.is_none() => Err(superseded()),
        Some(known) => Ok(known.device),
        None => store
            .device(&certificate.device)?
            .filter(|device| device.keys.is_some())
            .ok_or_else(|| unknown_device(&certificate.device)),
    }
}

fn unknown_device(device: &DeviceId) -> Failure {
    unauthenticated(format!("there is no device {device} here; enrol it"))
}

fn key(store: &dyn Store, shown: &Credentials, scope: Scope) -> Result<Caller, Failure> {
    let bearer = shown
        .bearer
        .as_deref()
        .ok_or_else(|| unauthenticated("an API key is needed: Authorization: Bearer ddk1…"))?;
    let unknown = || unauthenticated("the key is unknown");
    let (id, hash) = secret::key_parts(bearer).ok_or_else(unknown)?;
    let key = store
        .api_key(&id)?
        .filter(|key| secret::same(&key.hash, &hash))
        .ok_or_else(unknown)?;
    if key.revoked_at.is_some() {
        let detail = format!("key {id} was revoked");
        return Err(Failure::new(ProblemType::Revoked, detail));
    }
    if !key.scopes.contains(&scope) {
        let detail = format!("key {id} does not have the scope {}", scope.name());
        return Err(Failure::new(ProblemType::Forbidden, detail));
    }
    Ok(Caller::Key(Box::new(key)))
}

fn unauthenticated(detail: impl Into<String>) -> Failure {
    Failure::new(ProblemType::Unauthenticated, detail)
}
