//! The roll of a meeting in numbered revisions. A revision is fixed by what it is made from: all
//! records up to one commit, and one generation of the roster. It can be made again at any time and
//! is the same then; what comes later makes a new one. Nothing here does I/O.

use record::{DecodeError, Record, decode_roster};
use roll::Roll;
use thiserror::Error;
use vocabulary::Roster;

use crate::model::{RevisionInputs, RollRevision};
use crate::times::Clocks;

/// A revision, made.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// Which, and what it is made from.
    pub of: RollRevision,
    /// The roster that it was made by.
    pub roster: Roster,
    /// How many records of the meeting it is made from.
    pub records: u64,
    /// The roll. Its times are the repaired ones where there are any.
    pub roll: Roll,
}

/// Why a revision cannot be made. What a store holds was checked when it came in, so it is damaged.
#[derive(Debug, Error)]
pub enum RevisionError {
    /// The roster does not decode.
    #[error("the roster of revision {number} is damaged; restore a backup")]
    Roster {
        /// Of which revision.
        number: u32,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
    /// A record does not decode.
    #[error("a record of revision {number} is damaged; restore a backup")]
    Record {
        /// Of which revision.
        number: u32,
        /// What is wrong.
        #[source]
        source: DecodeError,
    },
}

impl Revision {
    /// Makes a revision from what a store has for it.
    ///
    /// # Errors
    /// [`RevisionError`] when something of it does not decode.
    pub fn make(inputs: &RevisionInputs) -> Result<Self, RevisionError> {
        let number = inputs.revision.number;
        let roster = decode_roster(&inputs.roster)
            .map_err(|source| RevisionError::Roster { number, source })?;
        let decode = |bytes: &Vec<u8>| {
            Record::decode(bytes).map_err(|source| RevisionError::Record { number, source })
        };
        let observations: Vec<Record> = inputs
            .observations
            .iter()
            .map(decode)
            .collect::<Result<_, _>>()?;
        let mut records: Vec<Record> = inputs
            .records
            .iter()
            .map(decode)
            .collect::<Result<_, _>>()?;
        let clocks = Clocks::of(&observations);
        for record in &mut records {
            if let Some(time) = clocks.repair(&record.device, &record.at) {
                record.at.wall = time;
            }
        }
        Ok(Self {
            of: inputs.revision,
            records: records.len() as u64,
            roll: Roll::of(&roster, &records),
            roster,
        })
    }
}
