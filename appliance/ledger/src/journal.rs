//! The writing side of `ledger.db`: gives each record its place in the chain and answers when it
//! is on the disk, never before.

use std::path::{Path, PathBuf};
use std::time::Duration;

use record::{Body, Chain, RECORD_BYTES_MAX, Record};
use rusqlite::{Connection, OptionalExtension, Statement, TransactionBehavior, params};
use vocabulary::{DeviceId, Digest, Epoch, Sequence, Stamp};

use crate::database::{Lock, Place, Purpose, open_writer};
use crate::error::{Damage, LedgerError};
use crate::reader::{Stored, read_rows};

/// Most records of one batch: a transaction that long still takes well under a second.
pub const BATCH_RECORDS_MAX: usize = 1000;

/// How many of the last records are read and checked whenever the file is opened. All of them is
/// what `verify` is for; these are the ones that a power cut or a dying card hits.
const TAIL_RECORDS: u64 = 100;

/// `ledger.db`: the identity of the file and its records. A record's row is never changed.
pub(crate) const LEDGER: Purpose = Purpose {
    name: "a ledger",
    application_id: 0x4444_4c47,
    migrations: &["
        CREATE TABLE ledger (
            id INTEGER PRIMARY KEY CHECK (id = 1),
            device TEXT NOT NULL,
            epoch BLOB NOT NULL CHECK (length(epoch) = 16),
            predecessor BLOB NOT NULL CHECK (length(predecessor) = 32),
            created_ms INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE record (
            sequence INTEGER PRIMARY KEY CHECK (sequence > 0),
            digest BLOB NOT NULL CHECK (length(digest) = 32),
            bytes BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 4096)
        ) STRICT;
        CREATE TRIGGER record_stays BEFORE UPDATE ON record
            BEGIN SELECT RAISE(ABORT, 'a record is never changed'); END;
        CREATE TRIGGER record_is_kept BEFORE DELETE ON record
            BEGIN SELECT RAISE(ABORT, 'a record is never removed'); END;
    "],
    mode: 0o640,
    secure_delete: false,
};

const INSERT: &str = "INSERT INTO record (sequence, digest, bytes) VALUES (?1, ?2, ?3)";

/// The place that a record got. It is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its number.
    pub sequence: Sequence,
    /// Its digest.
    pub digest: Digest,
}

/// The last record of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Its number.
    pub sequence: Sequence,
    /// Its digest.
    pub digest: Digest,
    /// When it was written.
    pub at: Stamp,
}

/// How a new ledger file is begun.
#[derive(Debug, Clone, Copy)]
pub struct Beginning {
    /// The digest of the last record of the file that it succeeds; zero for none.
    pub predecessor: Digest,
    /// Its epoch. A random one when not said, as it should be wherever time is real.
    pub epoch: Option<Epoch>,
}

impl Default for Beginning {
    fn default() -> Self {
        Self {
            predecessor: Digest::ZERO,
            epoch: None,
        }
    }
}

/// The ledger as its one writing process has it.
///
/// After a failure that leaves it open what is on the disk, every further append answers
/// [`LedgerError::Failed`]; opening the file again finds out.
pub struct Ledger {
    // Closed before the lock is given up: fields are dropped in this order.
    connection: Connection,
    path: PathBuf,
    place: Place,
    device: DeviceId,
    epoch: Epoch,
    head: Digest,
    tail: Option<Tail>,
    behind: Option<Duration>,
    failed: bool,
    _lock: Lock,
}

impl Ledger {
    /// Opens the ledger of a device for writing; makes a new one with a new epoch where there is
    /// none, and migrates an older one. Reads the last records and checks how they are chained.
    ///
    /// # Errors
    /// [`LedgerError`] says what is wrong with the file and what to do.
    pub fn open(path: &Path, device: &DeviceId, now: Stamp) -> Result<Self, LedgerError> {
        Self::open_after(path, device, now, Beginning::default())
    }

    /// As [`Ledger::open`], but says how a new file is begun. On a file that exists this has no
    /// effect.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn open_after(
        path: &Path,
        device: &DeviceId,
        now: Stamp,
        beginning: Beginning,
    ) -> Result<Self, LedgerError> {
        let lock = Lock::take(path)?;
        let connection = open_writer(path, &LEDGER)?;
        let identity = match read_identity(&connection, path)? {
            Some(identity) => identity,
            None => begin(&connection, path, device, now, beginning)?,
        };
        if identity.device != *device {
            return Err(LedgerError::OtherDevice {
                path: path.to_owned(),
                found: identity.device,
                expected: device.clone(),
            });
        }
        let tail = check_tail(&connection, path, &identity)?;
        let behind = tail.and_then(|tail| {
            let behind_ms = tail.at.wall.0.checked_sub(now.wall.0)?;
            u64::try_from(behind_ms).ok().filter(|ms| *ms > 0)
        });
        Ok(Self {
            connection,
            path: path.to_owned(),
            place: Place::of(path),
            device: identity.device,
            epoch: identity.epoch,
            head: tail.map_or(identity.predecessor, |tail| tail.digest),
            tail,
            behind: behind.map(Duration::from_millis),
            failed: false,
            _lock: lock,
        })
    }

    /// Writes one record down and answers when it is durable.
    ///
    /// # Errors
    /// [`LedgerError`]: nothing was recorded. After [`LedgerError::Io`], [`LedgerError::Corrupt`]
    /// and [`LedgerError::Moved`] that is for the next opening to say.
    pub fn append(&mut self, at: Stamp, body: Body) -> Result<Appended, LedgerError> {
        self.check_usable()?;
        let (bytes, tail) = self.next(at, body)?;
        // A statement outside a transaction is one of its own: it returns when it is committed.
        let written = insert(&self.connection, &bytes, &tail);
        written.map_err(|error| self.fail(error))?;
        self.check_place()?;
        Ok(self.advance(tail))
    }

    /// Writes several records down as one and answers when all are durable; at most
    /// [`BATCH_RECORDS_MAX`].
    ///
    /// # Errors
    /// As [`Ledger::append`]: either all or none were recorded.
    pub fn append_batch(
        &mut self,
        at: Stamp,
        bodies: Vec<Body>,
    ) -> Result<Vec<Appended>, LedgerError> {
        self.check_usable()?;
        if bodies.len() > BATCH_RECORDS_MAX {
            return Err(LedgerError::TooMuch {
                path: self.path.clone(),
                what: "the batch",
                found: bodies.len(),
                allowed: BATCH_RECORDS_MAX,
            });
        }
        if bodies.is_empty() {
            return Ok(Vec::new());
        }
        let before = (self.tail, self.head);
        let written = self.write_batch(at, bodies);
        if written.is_err() {
            (self.tail, self.head) = before;
        }
        written
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

    /// The last record, where there is one.
    #[must_use]
    pub fn tail(&self) -> Option<Tail> {
        self.tail
    }

    /// By how much the wall clock was behind the last record's when the file was opened; none when
    /// it was not. A record's time is what the clock said, so this is for the caller to record.
    #[must_use]
    pub fn clock_behind(&self) -> Option<Duration> {
        self.behind
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write_batch(&mut self, at: Stamp, bodies: Vec<Body>) -> Result<Vec<Appended>, LedgerError> {
        let mut encoded = Vec::with_capacity(bodies.len());
        for body in bodies {
            let (bytes, tail) = self.next(at, body)?;
            self.advance(tail);
            encoded.push((bytes, tail));
        }
        let written = write_rows(&mut self.connection, &encoded);
        written.map_err(|error| self.fail(error))?;
        self.check_place()?;
        let appended = encoded.iter().map(|(_, tail)| Appended {
            sequence: tail.sequence,
            digest: tail.digest,
        });
        Ok(appended.collect())
    }

    /// Encodes the record that comes next, and says what the tail will be.
    fn next(&self, at: Stamp, body: Body) -> Result<(Vec<u8>, Tail), LedgerError> {
        let sequence = self
            .tail
            .map_or(Sequence::FIRST, |tail| tail.sequence.next());
        let record = Record {
            device: self.device.clone(),
            epoch: self.epoch,
            sequence,
            at,
            previous: self.head,
            body,
        };
        let bytes = record.encode();
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(LedgerError::TooMuch {
                path: self.path.clone(),
                what: "the record",
                found: bytes.len(),
                allowed: RECORD_BYTES_MAX,
            });
        }
        let digest = record::digest(&bytes);
        Ok((
            bytes,
            Tail {
                sequence,
                digest,
                at,
            },
        ))
    }

    fn advance(&mut self, tail: Tail) -> Appended {
        self.head = tail.digest;
        self.tail = Some(tail);
        Appended {
            sequence: tail.sequence,
            digest: tail.digest,
        }
    }

    fn check_usable(&self) -> Result<(), LedgerError> {
        if self.failed {
            return Err(LedgerError::Failed {
                path: self.path.clone(),
            });
        }
        Ok(())
    }

    /// Looks after a commit whether what was written still has a name.
    fn check_place(&mut self) -> Result<(), LedgerError> {
        if self.place.is_as_found() {
            return Ok(());
        }
        self.failed = true;
        Err(LedgerError::Moved {
            path: self.path.clone(),
        })
    }

    fn fail(&mut self, error: rusqlite::Error) -> LedgerError {
        let error = LedgerError::sqlite(&self.path, error);
        self.failed = !error.leaves_file_known() || !self.connection.is_autocommit();
        error
    }
}

struct Identity {
    device: DeviceId,
    epoch: Epoch,
    predecessor: Digest,
}

/// What the file says of itself; nothing where it has just been made.
fn read_identity(connection: &Connection, path: &Path) -> Result<Option<Identity>, LedgerError> {
    let row = connection
        .query_row(
            "SELECT device, epoch, predecessor FROM ledger WHERE id = 1",
            [],
            |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()
        .map_err(|error| LedgerError::sqlite(path, error))?;
    let Some((device, epoch, predecessor)) = row else {
        return Ok(None);
    };
    let device = DeviceId::new(&device).map_err(|source| LedgerError::corrupt(path, source))?;
    Ok(Some(Identity {
        device,
        epoch: Epoch(epoch),
        predecessor: Digest(predecessor),
    }))
}

/// As [`read_identity`] for those who only read: a file without identity is no ledger yet.
pub(crate) fn identity(
    connection: &Connection,
    path: &Path,
) -> Result<(DeviceId, Epoch, Digest), LedgerError> {
    let identity = read_identity(connection, path)?;
    let identity = identity.ok_or_else(|| LedgerError::Foreign {
        path: path.to_owned(),
        expected: LEDGER.name,
    })?;
    Ok((identity.device, identity.epoch, identity.predecessor))
}

/// Gives a new file its identity.
fn begin(
    connection: &Connection,
    path: &Path,
    device: &DeviceId,
    now: Stamp,
    beginning: Beginning,
) -> Result<Identity, LedgerError> {
    let Beginning { predecessor, epoch } = beginning;
    let epoch = match epoch {
        Some(Epoch(epoch)) => epoch,
        None => {
            let mut epoch = [0; 16];
            getrandom::fill(&mut epoch).map_err(|source| LedgerError::Random {
                path: path.to_owned(),
                source,
            })?;
            epoch
        }
    };
    connection
        .execute(
            "INSERT INTO ledger (id, device, epoch, predecessor, created_ms)
             VALUES (1, ?1, ?2, ?3, ?4)",
            params![device.as_str(), epoch, predecessor.0, now.wall.0],
        )
        .map_err(|error| LedgerError::sqlite(path, error))?;
    Ok(Identity {
        device: device.clone(),
        epoch: Epoch(epoch),
        predecessor,
    })
}

/// Reads the last records and checks that they are chained to each other and, in a short ledger,
/// to its beginning.
fn check_tail(
    connection: &Connection,
    path: &Path,
    identity: &Identity,
) -> Result<Option<Tail>, LedgerError> {
    let last: Option<i64> = connection
        .query_row("SELECT max(sequence) FROM record", [], |row| row.get(0))
        .map_err(|error| LedgerError::sqlite(path, error))?;
    let Some(last) = last.and_then(|last| u64::try_from(last).ok()) else {
        return Ok(None);
    };
    let from = last.saturating_sub(TAIL_RECORDS);
    let limit = usize::try_from(TAIL_RECORDS).unwrap_or(usize::MAX);
    let rows = read_rows(connection, path, Sequence(from), limit)?;
    let first = rows.first().map_or(Digest::ZERO, |row| row.record.previous);
    let mut chain = if from == 0 {
        Chain::succeed(identity.device.clone(), identity.predecessor)
    } else {
        Chain::resume(
            identity.device.clone(),
            identity.epoch,
            Sequence(from),
            first,
        )
    };
    let mut tail = None;
    for Stored {
        record,
        bytes,
        digest,
    } in rows
    {
        let checked = chain.check(&bytes);
        checked.map_err(|source| LedgerError::corrupt(path, source))?;
        if record.epoch != identity.epoch {
            return Err(LedgerError::corrupt(path, Damage::Field("the epoch")));
        }
        tail = Some(Tail {
            sequence: record.sequence,
            digest,
            at: record.at,
        });
    }
    match tail {
        Some(tail) if tail.sequence.0 == last => Ok(Some(tail)),
        Some(_) | None => Err(LedgerError::corrupt(path, Damage::Field("the last record"))),
    }
}

fn insert(connection: &Connection, bytes: &[u8], tail: &Tail) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare_cached(INSERT)?;
    insert_with(&mut statement, bytes, tail)
}

fn insert_with(
    statement: &mut Statement<'_>,
    bytes: &[u8],
    tail: &Tail,
) -> Result<(), rusqlite::Error> {
    // SQLite counts rows to 2^63, so a number beyond that cannot have been reached.
    let sequence = i64::try_from(tail.sequence.0).unwrap_or(i64::MAX);
    statement.execute(params![sequence, tail.digest.0, bytes])?;
    Ok(())
}

fn write_rows(
    connection: &mut Connection,
    rows: &[(Vec<u8>, Tail)],
) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut statement = transaction.prepare_cached(INSERT)?;
    for (bytes, tail) in rows {
        insert_with(&mut statement, bytes, tail)?;
    }
    drop(statement);
    transaction.commit()
}
