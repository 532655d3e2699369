//! How the hub's database file is opened: how durable a commit is, which version of the tables it
//! has, and what an error of SQLite means to a caller.
//!
//! Several processes may have the file open, as when a command runs beside the hub: they wait for
//! each other's transactions. Nothing here knows a table.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use thiserror::Error;

use super::schema::MIGRATIONS;
use crate::store::{Source, StoreError};

/// SQLite's `application_id`, which tells the hub's file from others.
pub(super) const APPLICATION_ID: i32 = 0x4444_4842;

/// How long to wait for another process's transaction: longer than the longest that there is, a
/// roster of twenty thousand people with their references.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// The write-ahead log is cut back to this when it was longer for a while.
const LOG_BYTES_MAX: u32 = 64 << 20;

/// The largest value in any table is a roster; a row has some short columns beside it.
const VALUE_BYTES_MAX: i32 = record::ROSTER_BYTES_MAX as i32 + (1 << 20);

/// Statements that a connection keeps ready: more than there are different ones.
const STATEMENTS_MAX: usize = 256;

/// Why a store could not be opened, saved or restored.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The system refused; names the file.
    #[error("{}: the file cannot be {doing}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// SQLite refused; names the file.
    #[error("{}: the store cannot be opened or read", path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A newer version of this program wrote it.
    #[error(
        "{}: the store is of version {found}, this program knows up to {supported}; install the \
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
    #[error("{}: this is not a hub's store; name another directory or file", path.display())]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// The check of a file found it damaged.
    #[error("{}: the file is damaged ({found}); use another backup", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What the check said first.
        found: String,
    },
    /// There is a file already where one would be made.
    #[error("{}: there is a file already; move it away first", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
}

impl OpenError {
    pub(super) fn io(path: &Path, doing: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            path,
            doing,
            source,
        }
    }

    pub(super) fn sqlite(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Sqlite {
            path: path.clone(),
            source,
        }
    }
}

/// Opens the file to write, and makes or migrates it.
pub(super) fn open_writer(path: &Path, vfs: Option<&str>) -> Result<Connection, OpenError> {
    if vfs.is_none() {
        make_file(path)?;
    }
    let sqlite = OpenError::sqlite(path);
    let mut connection = open(path, vfs).map_err(&sqlite)?;
    let version = identify(&connection, path)?;
    settle(&connection).map_err(&sqlite)?;
    migrate(&mut connection, path, version)?;
    // A writer that failed may have left frames in the log that the kernel holds in memory and the
    // disk does not have, so they are written anew before anything is appended. When another
    // process stands in the way, it has done so itself.
    let _: i64 = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(&sqlite)?;
    Ok(connection)
}

/// Opens a further connection to a file that [`open_writer`] has opened, which only reads.
pub(super) fn open_reader(path: &Path, vfs: Option<&str>) -> Result<Connection, rusqlite::Error> {
    let connection = open(path, vfs)?;
    harden(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

fn open(path: &Path, vfs: Option<&str>) -> Result<Connection, rusqlite::Error> {
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match vfs {
        None => Connection::open_with_flags(path, flags)?,
        Some(vfs) => {
            flags |= OpenFlags::SQLITE_OPEN_CREATE;
            Connection::open_with_flags_and_vfs(path, flags, vfs)?
        }
    };
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(connection)
}

/// The file's version, if it is a hub's or empty; 0 for an empty one.
pub(super) fn identify(connection: &Connection, path: &Path) -> Result<u32, OpenError> {
    let sqlite = OpenError::sqlite(path);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = pragma("application_id").map_err(&sqlite)?;
    let version = pragma("user_version").map_err(&sqlite)?;
    let tables: u32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(&sqlite)?;
    let empty = application == 0 && version == 0 && tables == 0;
    match u32::try_from(version) {
        Ok(version) if empty || application == APPLICATION_ID => {
            let supported = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
            if version > supported {
                return Err(OpenError::NewerVersion {
                    path: path.to_owned(),
                    found: version,
                    supported,
                });
            }
            Ok(version)
        }
        Ok(_) | Err(_) => Err(OpenError::Foreign {
            path: path.to_owned(),
        }),
    }
}

/// How commits and deletions are done on this connection.
fn settle(connection: &Connection) -> Result<(), rusqlite::Error> {
    harden(connection)?;
    connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    // FULL syncs the log at every commit. NORMAL would lose the last ones at a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_MAX, |_| Ok(()))?;
    // Destroyed keys and references are overwritten.
    connection.pragma_update_and_check(None, "secure_delete", "on", |_| Ok(()))
}

/// Believes nothing that stands in the file's schema, checks pages as they are read, and reads no
/// value that is larger than any of ours.
fn harden(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

/// Takes the steps that the file has not taken, each whole or not at all. Another process may be
/// doing the same, so the version is read again within each step.
fn migrate(connection: &mut Connection, path: &Path, from: u32) -> Result<(), OpenError> {
    let sqlite = OpenError::sqlite(path);
    for (version, step) in (1_u32..).zip(MIGRATIONS).skip(from as usize) {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&sqlite)?;
        let found: u32 = transaction
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(&sqlite)?;
        if found < version {
            transaction.execute_batch(step).map_err(&sqlite)?;
            transaction
                .pragma_update(None, "application_id", APPLICATION_ID)
                .map_err(&sqlite)?;
            transaction
                .pragma_update(None, "user_version", version)
                .map_err(&sqlite)?;
        }
        transaction.commit().map_err(&sqlite)?;
    }
    Ok(())
}

/// Makes the file where there is none, so that it never has other permissions than these, and
/// makes its name durable. SQLite gives what stands beside it the same permissions.
pub(super) fn make_file(path: &Path) -> Result<bool, OpenError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => {
            sync_directory(path)?;
            Ok(true)
        }
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(source) => Err(OpenError::io(path, "made")(source)),
    }
}

/// Makes the name of a file durable.
pub(super) fn sync_directory(path: &Path) -> Result<(), OpenError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(OpenError::io(directory, "made durable"))
}

/// What an error of SQLite means to a caller.
impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        let source: Source = Arc::new(error);
        match code {
            Some(ErrorCode::DiskFull) => Self::Full(source),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Unavailable(source),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged {
                place: "a page of the file",
                source: Some(source),
            },
            _ => Self::System(source),
        }
    }
}

/// Whether after this error nobody knows what is on the disk. A sync that failed is not tried
/// again: the kernel says of the pages that they are clean.
pub(super) fn leaves_doubt(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    )
}

/// That something in a table is not what was written there.
pub(super) fn damaged(
    place: &'static str,
) -> impl FnOnce(Box<dyn Error + Send + Sync>) -> StoreError {
    move |source| StoreError::Damaged {
        place,
        source: Some(Arc::from(source)),
    }
}
