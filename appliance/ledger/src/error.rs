//! What can go wrong with a database file, sorted by what the screen says and what to do about it.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;
use vocabulary::{DeviceId, Sequence};

type Source = Box<dyn Error + Send + Sync>;

/// Why a database could not be opened, read or written. Each names the file and the way out.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// No room for what was to be written; nothing of it was.
    #[error("{}: the disk is full, nothing was recorded; free some space", path.display())]
    DiskFull {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Source,
    },
    /// The file, its directory or its disk does not let itself be written.
    #[error(
        "{}: it cannot be written; give the file, what stands beside it and its directory to the \
         account that runs this, or mount the disk writable", path.display()
    )]
    ReadOnly {
        /// Which file.
        path: PathBuf,
        /// What the system said, where it was asked.
        #[source]
        source: Option<Source>,
    },
    /// Another process has it.
    #[error("{}: {} uses it; end that one first, or wait", path.display(), holder(*by))]
    Locked {
        /// Which file.
        path: PathBuf,
        /// The number of the process that holds it, where it said so.
        by: Option<u32>,
    },
    /// What stands in the file is not what was written.
    #[error(
        "{}: the file is damaged; keep a copy of it and of what stands beside it, then move them \
         away so that a new one begins (`kiosk ledger verify` says how far a ledger is whole)",
        path.display()
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What was found.
        #[source]
        source: Source,
    },
    /// There is none.
    #[error("{}: there is no such file", path.display())]
    Missing {
        /// Which file.
        path: PathBuf,
    },
    /// A newer version of this program wrote it.
    #[error(
        "{}: the file is of version {found}, this program knows up to {supported}; install the \
         version that wrote it, or a newer one", path.display()
    )]
    NewerVersion {
        /// Which file.
        path: PathBuf,
        /// The version of the file.
        found: u32,
        /// The newest version known here.
        supported: u32,
    },
    /// A database of something else.
    #[error("{}: this is not {expected}; name another file", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// The ledger of another device.
    #[error(
        "{}: this is the ledger of device {found}, not of {expected}; correct the device's id, or \
         name another file", path.display()
    )]
    OtherDevice {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        found: DeviceId,
        /// Whose it should be.
        expected: DeviceId,
    },
    /// The disk or the system failed in another way.
    #[error("{}: the disk or the system failed; see what it says and try again", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Source,
    },
    /// An earlier failure left it open whether the last write is on the disk.
    #[error("{}: a write failed before; close the file and open it again", path.display())]
    Failed {
        /// Which file.
        path: PathBuf,
    },
    /// Somebody moved, removed or replaced the file while it was in use.
    #[error(
        "{}: the file was moved or removed while it was in use, nothing was recorded; put it back \
         with what stood beside it, or start again with a new one", path.display()
    )]
    Moved {
        /// Where the file was.
        path: PathBuf,
    },
    /// More was to be written at once than may be.
    #[error("{}: {what} has {found}, at most {allowed} are allowed", path.display())]
    TooMuch {
        /// Which file.
        path: PathBuf,
        /// What is too much.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        allowed: usize,
    },
    /// No random numbers, without which no new file begins.
    #[error("{}: the system gives no random numbers for a new file", path.display())]
    Random {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: getrandom::Error,
    },
}

/// What to tell those who stand before the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerErrorKind {
    /// No room on the disk.
    DiskFull,
    /// The file does not let itself be written.
    ReadOnly,
    /// Another process has it.
    Locked,
    /// The file is damaged.
    Corrupt,
    /// The file is of a newer version.
    NewerVersion,
    /// It is no file or the wrong one, or more than allowed: a mistake of set-up.
    Misuse,
    /// Anything else that the disk or the system did.
    Io,
}

impl LedgerError {
    /// What to tell those who stand before the screen.
    #[must_use]
    pub fn kind(&self) -> LedgerErrorKind {
        match self {
            Self::DiskFull { .. } => LedgerErrorKind::DiskFull,
            Self::ReadOnly { .. } => LedgerErrorKind::ReadOnly,
            Self::Locked { .. } => LedgerErrorKind::Locked,
            Self::Corrupt { .. } => LedgerErrorKind::Corrupt,
            Self::NewerVersion { .. } => LedgerErrorKind::NewerVersion,
            Self::Missing { .. }
            | Self::Foreign { .. }
            | Self::OtherDevice { .. }
            | Self::TooMuch { .. } => LedgerErrorKind::Misuse,
            Self::Io { .. } | Self::Failed { .. } | Self::Moved { .. } | Self::Random { .. } => {
                LedgerErrorKind::Io
            }
        }
    }

    /// Whether the file may still be written after this, once the cause is gone. After any other
    /// failure of a write nobody knows what is on the disk until the file is opened again: an
    /// `fsync` that is tried again answers that all is well, and it is not.
    pub(crate) fn leaves_file_known(&self) -> bool {
        match self {
            Self::DiskFull { .. } | Self::Locked { .. } | Self::TooMuch { .. } => true,
            Self::ReadOnly { .. }
            | Self::Corrupt { .. }
            | Self::NewerVersion { .. }
            | Self::Missing { .. }
            | Self::Foreign { .. }
            | Self::OtherDevice { .. }
            | Self::Io { .. }
            | Self::Failed { .. }
            | Self::Moved { .. }
            | Self::Random { .. } => false,
        }
    }

    /// Sorts what SQLite said.
    pub(crate) fn sqlite(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull {
                path,
                source: Box::new(error),
            },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly {
                path,
                source: Some(Box::new(error)),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Locked { path, by: None }
            }
            Some(
                ErrorCode::DatabaseCorrupt
                | ErrorCode::TooBig
                | ErrorCode::NotADatabase
                | ErrorCode::TypeMismatch
                | ErrorCode::ConstraintViolation,
            ) => Self::Corrupt {
                path,
                source: Box::new(error),
            },
            _ => Self::other(path, error),
        }
    }

    /// What is no error code of SQLite's: a missing row or a value of another type means that the
    /// file is not as we wrote it.
    fn other(path: PathBuf, error: rusqlite::Error) -> Self {
        if error.sqlite_extended_error_code() == Some(SQLITE_IOERR_SHMSIZE) {
            return Self::DiskFull {
                path,
                source: Box::new(error),
            };
        }
        let short_read = error.sqlite_extended_error_code() == Some(SQLITE_IOERR_SHORT_READ);
        if error.sqlite_error_code().is_none() || short_read {
            Self::Corrupt {
                path,
                source: Box::new(error),
            }
        } else {
            Self::Io {
                path,
                source: Box::new(error),
            }
        }
    }

    /// Sorts what the operating system said.
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        let kind = source.kind();
        let source: Source = Box::new(source);
        match kind {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly {
                path,
                source: Some(source),
            },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::DiskFull { path, source }
            }
            _ => Self::Io { path, source },
        }
    }

    /// A row that contradicts what was written.
    pub(crate) fn corrupt(path: &Path, source: impl Error + Send + Sync + 'static) -> Self {
        Self::Corrupt {
            path: path.to_owned(),
            source: Box::new(source),
        }
    }
}

/// The index of the log, which writer and readers share, could not be made larger.
const SQLITE_IOERR_SHMSIZE: i32 = rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

/// The file ended within a page.
const SQLITE_IOERR_SHORT_READ: i32 = rusqlite::ffi::SQLITE_IOERR_SHORT_READ;

/// What contradicts itself in a file that is otherwise readable.
#[derive(Debug, Error)]
pub(crate) enum Damage {
    #[error("record {0} is not what its digest says")]
    Digest(Sequence),
    #[error("row {row} holds record {found}")]
    Row { row: Sequence, found: Sequence },
    #[error("{0} has an impossible length or content")]
    Field(&'static str),
}

fn holder(by: Option<u32>) -> String {
    match by {
        Some(process) => format!("process {process}"),
        None => "another process".to_owned(),
    }
}
