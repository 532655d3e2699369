//! Walks the whole chain of a ledger and names the first link that is broken. Works on a file that
//! another process is writing: it sees the records that were there when it began.

use std::path::Path;

use record::{Chain, ChainError};
use rusqlite::Connection;
use thiserror::Error;
use vocabulary::{DeviceId, Digest, Epoch, Sequence, Stamp};

use crate::database::Opened;
use crate::error::LedgerError;
use crate::journal::{LEDGER, identity};

/// What a whole and unbroken ledger holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Whose it is.
    pub device: DeviceId,
    /// The id of the file.
    pub epoch: Epoch,
    /// The digest of the last record of the ledger before this one; [`Digest::ZERO`] for none.
    pub predecessor: Digest,
    /// How many records it has, which is the number of the last.
    pub records: u64,
    /// The digest of the last record; that of the predecessor where there is none.
    pub head: Digest,
    /// When the last record was written.
    pub last_at: Option<Stamp>,
}

/// The first thing that is wrong with a ledger.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The file could not be opened, or is no ledger.
    #[error("the ledger cannot be verified")]
    Open(#[source] LedgerError),
    /// The file could not be read at this place.
    #[error("the ledger cannot be read at record {sequence} of epoch {epoch}")]
    Unreadable {
        /// In which epoch.
        epoch: Epoch,
        /// The number of the record that should come.
        sequence: Sequence,
        /// What stopped the reading.
        #[source]
        source: LedgerError,
    },
    /// The bytes of a record are not those that were written.
    #[error(
        "record {sequence} of epoch {epoch} was changed: its digest is {found}, {stored} was \
         written"
    )]
    Digest {
        /// In which epoch.
        epoch: Epoch,
        /// Its number.
        sequence: Sequence,
        /// The digest that was written beside it.
        stored: Digest,
        /// The digest that its bytes have.
        found: Digest,
    },
    /// A row stands where another should.
    #[error("record {sequence} of epoch {epoch} is missing, the next row has number {found}")]
    Gap {
        /// In which epoch.
        epoch: Epoch,
        /// The number of the record that should stand there.
        sequence: Sequence,
        /// The number of the row that stands there.
        found: i64,
    },
    /// The record does not follow from the one before it.
    #[error("the chain is broken at record {sequence} of epoch {epoch}")]
    Chain {
        /// In which epoch.
        epoch: Epoch,
        /// The number of the record that should stand there.
        sequence: Sequence,
        /// What is broken.
        #[source]
        source: Box<ChainError>,
    },
    /// All records are there and unbroken, and the file around them is not.
    #[error("the records are unbroken up to {records}, but the file is damaged: {what}")]
    Structure {
        /// How many records were read.
        records: u64,
        /// What SQLite found first.
        what: String,
    },
}

/// Reads a whole ledger and checks every record, every link and the file's structure.
///
/// `progress` is told the number of records read so far and how many there are, now and then.
///
/// # Errors
/// [`VerifyError`] names the first broken link: epoch, number and what differs.
pub fn verify(path: &Path, mut progress: impl FnMut(u64, u64)) -> Result<Verified, VerifyError> {
    let mut opened_file = Opened::open(path, &LEDGER).map_err(VerifyError::Open)?;
    let opened = |error| VerifyError::Open(LedgerError::sqlite(path, error));
    // One read transaction: the file stands still for this reader, whoever writes meanwhile.
    let snapshot = opened_file.connection.transaction().map_err(opened)?;
    let (device, epoch, predecessor) = identity(&snapshot, path).map_err(VerifyError::Open)?;
    let mut walk = Walk {
        path,
        epoch,
        chain: Chain::succeed(device.clone(), predecessor),
        last_at: None,
    };
    walk.read(&snapshot, &mut progress)?;
    check_structure(&snapshot, path, walk.chain.last())?;
    Ok(Verified {
        device,
        epoch,
        predecessor,
        records: walk.chain.last().0,
        head: walk.chain.head(),
        last_at: walk.last_at,
    })
}

/// How often progress is told.
const PROGRESS_RECORDS: u64 = 1000;

struct Walk<'a> {
    path: &'a Path,
    epoch: Epoch,
    chain: Chain,
    last_at: Option<Stamp>,
}

impl Walk<'_> {
    fn read(
        &mut self,
        connection: &Connection,
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), VerifyError> {
        let all: i64 = connection
            .query_row("SELECT coalesce(max(sequence), 0) FROM record", [], |row| {
                row.get(0)
            })
            .map_err(|error| self.unreadable(error))?;
        let all = u64::try_from(all).unwrap_or(0);
        let mut statement = connection
            .prepare("SELECT sequence, digest, bytes FROM record ORDER BY sequence")
            .map_err(|error| self.unreadable(error))?;
        let mut rows = statement
            .query([])
            .map_err(|error| self.unreadable(error))?;
        loop {
            let row = rows.next().map_err(|error| self.unreadable(error))?;
            let Some(row) = row else {
                return Ok(());
            };
            let read = (|| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))();
            let (number, digest, bytes) = read.map_err(|error| self.unreadable(error))?;
            self.check(number, Digest(digest), bytes)?;
            if self.chain.last().0.is_multiple_of(PROGRESS_RECORDS) {
                progress(self.chain.last().0, all);
            }
        }
    }

    fn check(&mut self, row: i64, stored: Digest, bytes: Vec<u8>) -> Result<(), VerifyError> {
        let (epoch, sequence) = (self.epoch, self.chain.last().next());
        if u64::try_from(row).ok() != Some(sequence.0) {
            return Err(VerifyError::Gap {
                epoch,
                sequence,
                found: row,
            });
        }
        let found = record::digest(&bytes);
        if found != stored {
            return Err(VerifyError::Digest {
                epoch,
                sequence,
                stored,
                found,
            });
        }
        let record = self.chain.check(&bytes);
        let record = record.map_err(|source| VerifyError::Chain {
            epoch,
            sequence,
            source: Box::new(source),
        })?;
        if record.epoch != epoch {
            return Err(VerifyError::Structure {
                records: sequence.0,
                what: format!("its records are of epoch {}, it says {epoch}", record.epoch),
            });
        }
        self.last_at = Some(record.at);
        Ok(())
    }

    fn unreadable(&self, error: rusqlite::Error) -> VerifyError {
        VerifyError::Unreadable {
            epoch: self.epoch,
            sequence: self.chain.last().next(),
            source: LedgerError::sqlite(self.path, error),
        }
    }
}

/// Asks SQLite whether the pages hang together: what the records alone do not show.
fn check_structure(
    connection: &Connection,
    path: &Path,
    last: Sequence,
) -> Result<(), VerifyError> {
    let found: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(|error| VerifyError::Open(LedgerError::sqlite(path, error)))?;
    if found != "ok" {
        return Err(VerifyError::Structure {
            records: last.0,
            what: found,
        });
    }
    Ok(())
}
