//! What the run makes for itself, under a random prefix, and remembers from one part to the next.

use record::{Body, Record};
use vocabulary::{BootId, ClockQuality, DeviceId, Digest, Epoch, Monotonic, Sequence, Stamp};
use vocabulary::{PersonId, WallTime};
use wire::device::{DeviceRoster, Enrolled, MeetingKey};
use wire::meeting::PutMeeting;
use wire::{Name, Timestamp};

use crate::client::SetUpError;

/// The run's own things.
pub(crate) struct World {
    /// What every id begins with.
    pub(crate) prefix: String,
    /// The server's clock at the beginning is not known; ours is near enough for a window of days.
    pub(crate) now: WallTime,
    /// The opaque ids of the run's people, in the order of their numbers.
    pub(crate) opaque: Vec<PersonId>,
    /// What the device got at its enrolment.
    pub(crate) enrolled: Option<Enrolled>,
    /// The sealing key of the device.
    pub(crate) keys: seal::MemoryKeyStore,
    /// The meeting's roster and key as the device got them.
    pub(crate) roster: Option<(DeviceRoster, MeetingKey)>,
    /// The signing key of the device's chain.
    pub(crate) head_key: record::SigningKey,
}

impl World {
    pub(crate) fn new() -> Result<Self, SetUpError> {
        let tag = random::<6>()?;
        let prefix: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_millis());
        Ok(Self {
            prefix: format!("conformance-{prefix}"),
            now: WallTime(i64::try_from(now).unwrap_or(i64::MAX)),
            opaque: Vec::new(),
            enrolled: None,
            keys: seal::MemoryKeyStore::generate().map_err(|_| SetUpError::NoKey)?,
            roster: None,
            head_key: record::SigningKey::from_bytes(&random::<32>()?),
        })
    }

    pub(crate) fn person(&self, number: usize) -> String {
        format!("{}-p{number}", self.prefix)
    }

    pub(crate) fn meeting(&self) -> String {
        format!("{}-m", self.prefix)
    }

    /// A meeting that is on now, in a room.
    pub(crate) fn put_meeting(&self, room: &str) -> Result<PutMeeting, String> {
        let hours = |hours: i64| Timestamp(WallTime(self.now.0 + hours * 3_600_000));
        Ok(PutMeeting {
            title: name("Họp thử hợp chuẩn")?,
            room: wire::Id(
                room.parse()
                    .map_err(|error| format!("the room's id: {error}"))?,
            ),
            doors: Vec::new(),
            starts_at: hours(-1),
            ends_at: hours(3),
            zone: "Asia/Ho_Chi_Minh".to_owned(),
            quorum: None,
        })
    }
}

/// A name that is known to be one.
pub(crate) fn name(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], SetUpError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(SetUpError::Random)?;
    Ok(bytes)
}

/// A chain of records, as a device would make it.
pub(crate) struct Chain {
    pub(crate) device: DeviceId,
    pub(crate) epoch: Epoch,
    pub(crate) previous: Digest,
    pub(crate) next: u64,
    pub(crate) at: WallTime,
}

impl Chain {
    /// Makes the next record.
    pub(crate) fn append(&mut self, body: Body) -> Vec<u8> {
        let bytes = self.make(self.next, body).encode();
        self.previous = record::digest(&bytes);
        self.next += 1;
        bytes
    }

    /// A record that claims a number, after the chain as it stands.
    pub(crate) fn make(&self, sequence: u64, body: Body) -> Record {
        Record {
            device: self.device.clone(),
            epoch: self.epoch,
            sequence: Sequence(sequence),
            at: Stamp {
                wall: WallTime(self.at.0 + i64::try_from(sequence).unwrap_or(0) * 1000),
                quality: ClockQuality::Synchronised,
                boot: BootId([7; 16]),
                monotonic: Monotonic::from_millis(sequence * 1000),
            },
            previous: self.previous,
            body,
        }
    }
}
