//! The chain: each record names the digest of the one before it, so nothing can be taken out,
//! put in or changed without a break that is seen. Walks it and names the first broken link.

use thiserror::Error;
use vocabulary::{DeviceId, Digest, Epoch, Sequence};

use crate::body::Record;
use crate::cbor::DecodeError;
use crate::digest;

/// The end of a chain, up to which all was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    device: DeviceId,
    epoch: Option<Epoch>,
    head: Digest,
    last: Sequence,
}

impl Chain {
    /// The chain of a device from its very first record.
    #[must_use]
    pub fn start(device: DeviceId) -> Self {
        Self::succeed(device, Digest::ZERO)
    }

    /// The chain of a device whose next record begins a new epoch after the record with this
    /// digest.
    #[must_use]
    pub fn succeed(device: DeviceId, head: Digest) -> Self {
        Self {
            device,
            epoch: None,
            head,
            last: Sequence(0),
        }
    }

    /// The chain of a device within an epoch, after the record of this number and digest.
    #[must_use]
    pub fn resume(device: DeviceId, epoch: Epoch, last: Sequence, head: Digest) -> Self {
        Self {
            device,
            epoch: Some(epoch),
            head,
            last,
        }
    }

    /// Takes the next record when it fits, and stays as it was when not.
    ///
    /// A record of another epoch is taken as the beginning of that epoch: it must be number 1 and
    /// name the last record of the epoch before.
    ///
    /// # Errors
    /// [`ChainError`] names the place in the chain and what is broken there.
    pub fn check(&mut self, bytes: &[u8]) -> Result<Record, ChainError> {
        let record =
            Record::decode(bytes).map_err(|source| self.broken(Break::Decode(Box::new(source))))?;
        if record.device != self.device {
            return Err(self.broken(Break::Device {
                expected: self.device.clone(),
                found: record.device,
            }));
        }
        let new_epoch = self.epoch != Some(record.epoch);
        let expected = if new_epoch {
            Sequence::FIRST
        } else {
            self.last.next()
        };
        let broken = |what| ChainError {
            epoch: Some(record.epoch),
            sequence: expected,
            what,
        };
        if record.sequence != expected {
            return Err(broken(Break::Sequence {
                found: record.sequence,
            }));
        }
        if record.previous != self.head {
            return Err(broken(Break::Previous {
                expected: self.head,
                found: record.previous,
            }));
        }
        self.epoch = Some(record.epoch);
        self.last = record.sequence;
        self.head = digest(bytes);
        Ok(record)
    }

    /// The epoch of the last record, where there is one.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }

    /// The number of the last record in its epoch; 0 before the first.
    #[must_use]
    pub fn last(&self) -> Sequence {
        self.last
    }

    /// The digest of the last record.
    #[must_use]
    pub fn head(&self) -> Digest {
        self.head
    }

    fn broken(&self, what: Break) -> ChainError {
        ChainError {
            epoch: self.epoch,
            sequence: self.last.next(),
            what,
        }
    }
}

/// The first broken link of a chain.
#[derive(Debug, Error)]
#[error("the chain is broken at record {sequence} of {}", name(*epoch))]
pub struct ChainError {
    /// In which epoch; none before the first record could be read.
    pub epoch: Option<Epoch>,
    /// The number of the record that should stand there.
    pub sequence: Sequence,
    /// What is broken.
    #[source]
    pub what: Break,
}

/// What is broken in a chain.
#[derive(Debug, Error)]
pub enum Break {
    /// The bytes are no record.
    #[error("the bytes there are no record")]
    Decode(#[source] Box<DecodeError>),
    /// The record is another device's.
    #[error("the record there is of device {found}, this chain is of device {expected}")]
    Device {
        /// Whose chain it is.
        expected: DeviceId,
        /// Whose record stands there.
        found: DeviceId,
    },
    /// Records are missing, or stand there twice or in another order.
    #[error("the record there has number {found}")]
    Sequence {
        /// The number of the record that stands there.
        found: Sequence,
    },
    /// The record before was changed, or this one was made to follow another.
    #[error("it names {found} as the record before, which is {expected}")]
    Previous {
        /// The digest of the record before.
        expected: Digest,
        /// The digest that it names.
        found: Digest,
    },
}

fn name(epoch: Option<Epoch>) -> String {
    epoch.map_or_else(
        || "an epoch not known yet".to_owned(),
        |epoch| format!("epoch {epoch}"),
    )
}
