//! The reading side of `ledger.db`, for other processes and other threads: bounded batches, each
//! record checked against its digest.

use std::collections::VecDeque;
use std::path::Path;

use record::Record;
use rusqlite::{Connection, params};
use vocabulary::{DeviceId, Digest, Epoch, Sequence};

use crate::database::Opened;
use crate::error::{Damage, LedgerError};
use crate::journal::{LEDGER, identity};

/// Most records of one read: about a megabyte, which the smallest board has to spare.
pub const READ_RECORDS_MAX: usize = 1000;

/// A record as it lies in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// Its encoding: the evidence.
    pub bytes: Vec<u8>,
    /// The SHA-256 digest of these bytes.
    pub digest: Digest,
}

/// A ledger that somebody else may be writing.
pub struct Reader {
    file: Opened,
    device: DeviceId,
    epoch: Epoch,
    predecessor: Digest,
}

impl Reader {
    /// Opens a ledger for reading. It takes no lock and changes nothing.
    ///
    /// # Errors
    /// [`LedgerError`] says what is wrong with the file and what to do.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let file = Opened::open(path, &LEDGER)?;
        let (device, epoch, predecessor) = identity(&file.connection, path)?;
        Ok(Self {
            file,
            device,
            epoch,
            predecessor,
        })
    }

    /// The records after the one of this number (0 for the beginning), in order; at most `limit`
    /// and at most [`READ_RECORDS_MAX`]. An empty answer is the end, for now.
    ///
    /// # Errors
    /// [`LedgerError::Corrupt`] names the record that is not what was written.
    pub fn read_after(&self, sequence: Sequence, limit: usize) -> Result<Vec<Stored>, LedgerError> {
        let limit = limit.min(READ_RECORDS_MAX);
        let rows = read_rows(&self.file.connection, self.file.path(), sequence, limit)?;
        self.file.check()?;
        Ok(rows)
    }

    /// All records after the one of this number, read batch by batch. The first error ends it.
    #[must_use]
    pub fn records_after(&self, sequence: Sequence) -> Records<'_> {
        Records {
            reader: self,
            after: sequence,
            batch: VecDeque::new(),
            ended: false,
        }
    }

    /// The numbers of the oldest and the newest record, where there is any. All between them are
    /// there: records are never removed one by one.
    ///
    /// # Errors
    /// [`LedgerError`] when the file cannot be read.
    pub fn span(&self) -> Result<Option<(Sequence, Sequence)>, LedgerError> {
        let path = self.file.path();
        // Two look-ups; asked for in one, SQLite reads every row between them.
        let (oldest, newest): (Option<i64>, Option<i64>) = self
            .file
            .connection
            .query_row(
                "SELECT (SELECT min(sequence) FROM record), (SELECT max(sequence) FROM record)",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(|error| LedgerError::sqlite(path, error))?;
        self.file.check()?;
        let number = |number: i64| {
            let number = u64::try_from(number).map(Sequence);
            number.map_err(|_| LedgerError::corrupt(path, Damage::Field("a record's number")))
        };
        match oldest.zip(newest) {
            Some((oldest, newest)) => Ok(Some((number(oldest)?, number(newest)?))),
            None => Ok(None),
        }
    }

    /// How many records come after the one of this number (0 for the beginning).
    ///
    /// # Errors
    /// [`LedgerError`] when the file cannot be read.
    pub fn count_after(&self, sequence: Sequence) -> Result<u64, LedgerError> {
        let span = self.span()?;
        Ok(span.map_or(0, |(oldest, newest)| {
            let before = sequence.0.max(oldest.0.saturating_sub(1));
            newest.0.saturating_sub(before)
        }))
    }

    /// Whether it still sees what is written under this name. A ledger that was moved away, or
    /// that nobody was writing when it was opened and somebody writes now, is to be opened anew.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.file.is_current()
    }

    /// A number that is another one after every append of another process; cheap to ask for.
    ///
    /// # Errors
    /// [`LedgerError`] when the file cannot be read.
    pub fn version(&self) -> Result<i64, LedgerError> {
        self.file.version()
    }

    /// The digest of the last record of the ledger before this one; [`Digest::ZERO`] for none.
    #[must_use]
    pub fn predecessor(&self) -> Digest {
        self.predecessor
    }

    /// Whose ledger this is.
    #[must_use]
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    /// The id of this file.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}

/// The records of a ledger; see [`Reader::records_after`].
pub struct Records<'a> {
    reader: &'a Reader,
    after: Sequence,
    batch: VecDeque<Stored>,
    ended: bool,
}

impl Iterator for Records<'_> {
    type Item = Result<Stored, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.is_empty() && !self.ended {
            match self.reader.read_after(self.after, READ_RECORDS_MAX) {
                Ok(batch) => self.batch = batch.into(),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
            self.ended = self.batch.is_empty();
        }
        let stored = self.batch.pop_front()?;
        self.after = stored.record.sequence;
        Some(Ok(stored))
    }
}

pub(crate) fn read_rows(
    connection: &Connection,
    path: &Path,
    after: Sequence,
    limit: usize,
) -> Result<Vec<Stored>, LedgerError> {
    let sqlite = |error| LedgerError::sqlite(path, error);
    let mut statement = connection
        .prepare_cached(
            "SELECT sequence, digest, bytes FROM record WHERE sequence > ?1
             ORDER BY sequence LIMIT ?2",
        )
        .map_err(sqlite)?;
    let after = i64::try_from(after.0).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after, limit]).map_err(sqlite)?;
    let mut read = Vec::new();
    while let Some(row) = rows.next().map_err(sqlite)? {
        let number: i64 = row.get(0).map_err(sqlite)?;
        let row_number = Sequence(u64::try_from(number).unwrap_or(0));
        let stored = Digest(row.get(1).map_err(sqlite)?);
        let bytes: Vec<u8> = row.get(2).map_err(sqlite)?;
        read.push(check_row(row_number, stored, bytes, path)?);
    }
    Ok(read)
}

fn check_row(
    row: Sequence,
    digest: Digest,
    bytes: Vec<u8>,
    path: &Path,
) -> Result<Stored, LedgerError> {
    if record::digest(&bytes) != digest {
        return Err(LedgerError::corrupt(path, Damage::Digest(row)));
    }
    let record = Record::decode(&bytes).map_err(|source| LedgerError::corrupt(path, source))?;
    if record.sequence != row {
        return Err(LedgerError::corrupt(
            path,
            Damage::Row {
                row,
                found: record.sequence,
            },
        ));
    }
    Ok(Stored {
        record,
        bytes,
        digest,
    })
}
