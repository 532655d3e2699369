//! Why a store did not do what it was asked, sorted by what the caller can do about it.

use std::error::Error;
use std::sync::Arc;

use seal::SealError;
use thiserror::Error;
use vocabulary::{DeviceId, DoorId, MeetingError, MeetingId, OrganisationId, PersonId, RoomId};

use crate::ingest::BatchError;
use crate::model::{ApiKeyId, OfferId};

/// What a store's own machinery said. Shared, since one failed commit may concern several callers.
pub type Source = Arc<dyn Error + Send + Sync>;

/// Why an operation was not done; nothing of it was.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// Something that it is about is not there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// It contradicts what is there.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// A meeting, a roster, a name or a title is not one.
    #[error(transparent)]
    Invalid(#[from] MeetingError),
    /// There would be more than a limit allows.
    #[error("there would be more than {max} {what}; take some away first")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        max: u64,
    },
    /// It is no batch of records.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A key or a reference could not be sealed or opened.
    #[error("a key or a reference could not be sealed or opened with the hub's key")]
    Sealing(#[source] Arc<SealError>),
    /// There is no room.
    #[error("the store's disk is full; free some space")]
    Full(#[source] Source),
    /// It cannot be reached, or somebody else holds it for too long. Try again.
    #[error("the store does not answer in time; try again")]
    Unavailable(#[source] Source),
    /// An earlier failure left it open whether the last write is on the disk, so nothing is
    /// written any more.
    #[error("the store failed to write before; start the hub again, and look at its disk")]
    Failed,
    /// What stands in it is not what was written.
    #[error("the store is damaged at {place}; restore a backup")]
    Damaged {
        /// Where.
        place: &'static str,
        /// What was found.
        #[source]
        source: Option<Source>,
    },
    /// The disk or the system failed in another way.
    #[error("the store's disk or the system failed")]
    System(#[source] Source),
}

impl From<SealError> for StoreError {
    fn from(source: SealError) -> Self {
        Self::Sealing(Arc::new(source))
    }
}

/// What is not there.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Missing {
    /// An organisation.
    #[error("there is no organisation {0}; make it first")]
    Organisation(OrganisationId),
    /// A room.
    #[error("there is no room {0}; put it first")]
    Room(RoomId),
    /// A door of a room.
    #[error("room {room} has no door {door}; put the room with it first")]
    Door {
        /// Of which room.
        room: RoomId,
        /// Which door.
        door: DoorId,
    },
    /// A person.
    #[error("there is no person {0}; put them first")]
    Person(PersonId),
    /// The person that somebody attends for is not on the roster.
    #[error("{person} attends for {instead_of}, who is not on the roster; add them")]
    Substituted {
        /// Who attends.
        person: PersonId,
        /// For whom.
        instead_of: PersonId,
    },
    /// A meeting.
    #[error("there is no meeting {0}")]
    Meeting(MeetingId),
    /// A device.
    #[error("there is no device {0}; declare it first")]
    Device(DeviceId),
    /// A caller's key.
    #[error("there is no key {0}")]
    ApiKey(ApiKeyId),
}

/// What is in the way.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Conflict {
    /// The meeting was closed, and nothing about it changes any more.
    #[error("meeting {0} is closed; use another id for a new one")]
    Closed(MeetingId),
    /// Something else is offered under the same id.
    #[error("offer {0} is something else; withdraw it, or take another id")]
    OfferExists(OfferId),
    /// The meeting was cancelled.
    #[error("meeting {0} is cancelled; put it again to plan it again")]
    Cancelled(MeetingId),
    /// The door belongs to another room.
    #[error("door {door} belongs to room {room}; take it away there first")]
    DoorElsewhere {
        /// Which door.
        door: DoorId,
        /// Where it is.
        room: RoomId,
    },
    /// A device hangs at the door that would be taken away.
    #[error("device {device} hangs at door {door}; move it first")]
    DoorInUse {
        /// Which door.
        door: DoorId,
        /// Which device.
        device: DeviceId,
    },
    /// A planned meeting names the door that would be taken away.
    #[error("meeting {meeting} is planned at door {door}; move it first")]
    DoorPlanned {
        /// Which door.
        door: DoorId,
        /// Which meeting.
        meeting: MeetingId,
    },
    /// The id is taken by another organisation's device. A certificate carries it and no
    /// organisation, so it is unique at the hub. Whose it is, and whether it is a device's at all,
    /// is not said.
    #[error("the id {0} is not free at this hub; use another, such as with your own id before it")]
    DeviceElsewhere(DeviceId),
    /// The id stands for the hub itself.
    #[error("the id {0} is not free at this hub; use another, such as with your own id before it")]
    DeviceReserved(DeviceId),
    /// The device was revoked.
    #[error("device {0} is revoked; reinstate it first")]
    DeviceRevoked(DeviceId),
    /// There is a key of this id.
    #[error("there is a key {0} already; draw another id")]
    KeyExists(ApiKeyId),
}
