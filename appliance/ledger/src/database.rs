//! How every database file here is opened: who may write, how durable a commit is, which version
//! of the tables it has. One writing process per file, held by a lock beside it.
//!
//! A database that exists is opened by SQLite alone. Whoever closes a file, however it was opened,
//! gives up all locks that the process has on it (POSIX), and with them those of SQLite.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, MAIN_DB, OpenFlags, Transaction, TransactionBehavior};

use crate::error::{Damage, LedgerError};

/// How long to wait for a reader that stands in the way, or for somebody's shell on the file.
/// Longer than any of our readers holds a page, shorter than a person waits.
const BUSY_WAIT: Duration = Duration::from_secs(2);

/// The write-ahead log is cut back to this when it was longer for a while: a few thousand records.
const LOG_BYTES_MAX: u32 = 8 << 20;

/// The largest value in any table is a roster; a row has some short columns beside it.
const VALUE_BYTES_MAX: i32 = record::ROSTER_BYTES_MAX as i32 + (1 << 20);

/// The smallest page that SQLite has, and so the smallest database that is not empty.
const DATABASE_BYTES_MIN: u64 = 512;

/// What a file is for.
pub(crate) struct Purpose {
    /// How errors call it.
    pub(crate) name: &'static str,
    /// SQLite's `application_id`, which tells our files apart.
    pub(crate) application_id: i32,
    /// The steps from each version to the next; the file's `user_version` counts those done.
    pub(crate) migrations: &'static [&'static str],
    /// Permission bits of a new file.
    pub(crate) mode: u32,
    /// Whether what is deleted is overwritten.
    pub(crate) secure_delete: bool,
}

/// That this process is the one that writes a file; for as long as it lives.
pub(crate) struct Lock {
    file: File,
}

impl Lock {
    /// Takes the lock beside a file, or says who has it. It does not wait.
    pub(crate) fn take(path: &Path) -> Result<Self, LedgerError> {
        let beside = suffixed(path, ".lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(&beside)
            .map_err(|source| LedgerError::io(&beside, source))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::Locked {
                    path: path.to_owned(),
                    by: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(LedgerError::io(&beside, source)),
        }
        // Who holds it is a courtesy to whoever finds it held; the lock does not depend on it.
        let _ = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Gives the lock up by name. Closing the file would not do: a process that another thread is
    /// starting has a copy of it until its program is loaded, and the lock lives as long as that.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

fn read_holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Opens a file for writing, and makes or migrates it. The caller holds its [`Lock`].
pub(crate) fn open_writer(path: &Path, purpose: &Purpose) -> Result<Connection, LedgerError> {
    make_file(path, purpose.mode)?;
    check_length(path)?;
    let sqlite = |error| LedgerError::sqlite(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    if connection.is_readonly(MAIN_DB).map_err(sqlite)? {
        return Err(LedgerError::ReadOnly {
            path: path.to_owned(),
            source: None,
        });
    }
    connection.busy_timeout(BUSY_WAIT).map_err(sqlite)?;
    let version = identify(&connection, path, purpose)?;
    settle(&connection, purpose).map_err(sqlite)?;
    migrate(&mut connection, path, purpose, version)?;
    empty_log(&connection, path)?;
    Ok(connection)
}

/// A file as those have it who only read.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    path: PathBuf,
    place: Place,
    /// How the file was, when nobody was writing it and it was opened as one that never changes.
    still: Option<Still>,
}

impl Opened {
    /// Opens a file that another process may be writing, for reading only. The file and its
    /// directory may belong to another account, which lets this one read and no more.
    pub(crate) fn open(path: &Path, purpose: &Purpose) -> Result<Self, LedgerError> {
        // SQLite says of a missing file that it cannot open it, which helps nobody.
        path.metadata().map_err(|source| match source.kind() {
            std::io::ErrorKind::NotFound => LedgerError::Missing {
                path: path.to_owned(),
            },
            _ => LedgerError::io(path, source),
        })?;
        let place = Place::of(path);
        match open_shared(path, purpose) {
            Ok(connection) => Ok(Self {
                connection,
                path: path.to_owned(),
                place,
                still: None,
            }),
            // On a read-only disk, or in another account's directory, SQLite cannot make the file
            // through which readers and the writer agree. Without a log there is no writer to
            // agree with, and all is in the one file.
            Err(error @ (LedgerError::Io { .. } | LedgerError::ReadOnly { .. })) => {
                let Some(still) = Still::of(path) else {
                    return Err(error);
                };
                let opened = Self {
                    connection: open_immutable(path, purpose)?,
                    path: path.to_owned(),
                    place,
                    still: Some(still),
                };
                opened.check()?;
                Ok(opened)
            }
            Err(error) => Err(error),
        }
    }

    /// The same for a connection that writes.
    pub(crate) fn writing(connection: Connection, path: &Path) -> Self {
        Self {
            connection,
            path: path.to_owned(),
            place: Place::of(path),
            still: None,
        }
    }

    /// Begins a change, which waits for no reader, and says of which file.
    pub(crate) fn begin(&mut self) -> Result<(Transaction<'_>, &Path), LedgerError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| LedgerError::sqlite(&self.path, error))?;
        Ok((transaction, &self.path))
    }

    /// Whether it still sees what is written under this name. Where it does not, it is opened anew.
    pub(crate) fn is_current(&self) -> bool {
        self.place.is_same_file()
            && self
                .still
                .as_ref()
                .is_none_or(|still| Still::of(&self.path).as_ref() == Some(still))
    }

    /// After a read: whether what was read can be believed. A file that was opened as one that
    /// never changes, and has a writer now, may have been read half before a change and half after.
    pub(crate) fn check(&self) -> Result<(), LedgerError> {
        let changed = |still: &Still| Still::of(&self.path).as_ref() != Some(still);
        if self.still.as_ref().is_some_and(changed) {
            return Err(LedgerError::Locked {
                path: self.path.clone(),
                by: None,
            });
        }
        Ok(())
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A number that is another one after every change that somebody else committed. Asking for it
    /// reads no page of the file.
    pub(crate) fn version(&self) -> Result<i64, LedgerError> {
        self.connection
            .pragma_query_value(None, "data_version", |row| row.get(0))
            .map_err(|error| LedgerError::sqlite(&self.path, error))
    }
}

/// A file that nobody is writing.
#[derive(PartialEq)]
struct Still {
    file: (u64, u64),
    length: u64,
    changed: (i64, i64),
}

impl Still {
    /// None while there is a log: somebody writes the file, or did not finish.
    fn of(path: &Path) -> Option<Self> {
        let log = suffixed(path, "-wal").metadata();
        if log.is_ok_and(|metadata| metadata.len() > 0) {
            return None;
        }
        let metadata = path.metadata().ok()?;
        Some(Self {
            file: (metadata.dev(), metadata.ino()),
            length: metadata.len(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

fn open_shared(path: &Path, purpose: &Purpose) -> Result<Connection, LedgerError> {
    let sqlite = |error| LedgerError::sqlite(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    connection.busy_timeout(BUSY_WAIT).map_err(sqlite)?;
    check_reader(connection, path, purpose)
}

fn open_immutable(path: &Path, purpose: &Purpose) -> Result<Connection, LedgerError> {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri, flags)
        .map_err(|error| LedgerError::sqlite(path, error))?;
    check_reader(connection, path, purpose)
}

fn check_reader(
    connection: Connection,
    path: &Path,
    purpose: &Purpose,
) -> Result<Connection, LedgerError> {
    let foreign = || LedgerError::Foreign {
        path: path.to_owned(),
        expected: purpose.name,
    };
    if identify(&connection, path, purpose)? == 0 {
        return Err(foreign());
    }
    harden(&connection).map_err(|error| LedgerError::sqlite(path, error))?;
    Ok(connection)
}

/// The file's version, if it is one of ours or empty; 0 for an empty one.
fn identify(connection: &Connection, path: &Path, purpose: &Purpose) -> Result<u32, LedgerError> {
    let sqlite = |error| LedgerError::sqlite(path, error);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application = pragma("application_id").map_err(sqlite)?;
    let version = pragma("user_version").map_err(sqlite)?;
    let tables: u32 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sqlite)?;
    let empty = application == 0 && version == 0 && tables == 0;
    let version = u32::try_from(version).ok();
    match version {
        Some(version) if empty || application == purpose.application_id => {
            let supported = u32::try_from(purpose.migrations.len()).unwrap_or(u32::MAX);
            if version > supported {
                return Err(LedgerError::NewerVersion {
                    path: path.to_owned(),
                    found: version,
                    supported,
                });
            }
            Ok(version)
        }
        Some(_) | None => Err(LedgerError::Foreign {
            path: path.to_owned(),
            expected: purpose.name,
        }),
    }
}

/// How commits and deletions are done on this connection.
fn settle(connection: &Connection, purpose: &Purpose) -> Result<(), rusqlite::Error> {
    harden(connection)?;
    connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0))?;
    // FULL syncs the log at every commit. NORMAL would lose the last ones at a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_BYTES_MAX, |_| Ok(()))?;
    connection.pragma_update_and_check(
        None,
        "secure_delete",
        if purpose.secure_delete { "on" } else { "off" },
        |_| Ok(()),
    )
}

/// Believes nothing that stands in the file's schema, checks pages as they are read, and reads no
/// value that is larger than any of ours.
fn harden(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

/// Takes the steps that the file has not taken, each whole or not at all.
fn migrate(
    connection: &mut Connection,
    path: &Path,
    purpose: &Purpose,
    from: u32,
) -> Result<(), LedgerError> {
    let sqlite = |error| LedgerError::sqlite(path, error);
    let steps = (1_u32..).zip(purpose.migrations).skip(from as usize);
    for (version, step) in steps {
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Exclusive)
            .map_err(sqlite)?;
        transaction.execute_batch(step).map_err(sqlite)?;
        transaction
            .pragma_update(None, "application_id", purpose.application_id)
            .map_err(sqlite)?;
        transaction
            .pragma_update(None, "user_version", version)
            .map_err(sqlite)?;
        transaction.commit().map_err(sqlite)?;
    }
    Ok(())
}

/// Brings all of the log into the file and empties the log.
///
/// A writer that failed may have left frames in the log that the kernel holds in memory and the
/// disk does not have. Appending after them would put good records behind a hole, so they are
/// written anew first, or the file is not used.
pub(crate) fn empty_log(connection: &Connection, path: &Path) -> Result<(), LedgerError> {
    let busy: i64 = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(|error| LedgerError::sqlite(path, error))?;
    if busy != 0 {
        return Err(LedgerError::Locked {
            path: path.to_owned(),
            by: None,
        });
    }
    Ok(())
}

/// Which files a connection writes: those that stood under these names when it was opened.
pub(crate) struct Place {
    path: PathBuf,
    log: PathBuf,
    found: [Option<(u64, u64)>; 2],
}

impl Place {
    /// The files under this name, now.
    pub(crate) fn of(path: &Path) -> Self {
        let log = suffixed(path, "-wal");
        let found = [inode(path), inode(&log)];
        Self {
            path: path.to_owned(),
            log,
            found,
        }
    }

    /// Whether they are the same still. SQLite goes on writing to a file without a name, and all
    /// of it is gone when the file is closed.
    pub(crate) fn is_as_found(&self) -> bool {
        [inode(&self.path), inode(&self.log)] == self.found && self.found[0].is_some()
    }

    /// Whether the file, whatever became of its log, is the same still.
    pub(crate) fn is_same_file(&self) -> bool {
        inode(&self.path) == self.found[0] && self.found[0].is_some()
    }
}

fn inode(path: &Path) -> Option<(u64, u64)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Makes the file where there is none, so that it never has other permissions than these, and
/// makes its name durable.
fn make_file(path: &Path, mode: u32) -> Result<(), LedgerError> {
    let io = |source| LedgerError::io(path, source);
    let made = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path);
    match made {
        Ok(file) => {
            // The process's mask may have taken bits away, and the account that shall read the
            // file and the log beside it, which gets the same bits, could not.
            file.set_permissions(Permissions::from_mode(mode))
                .map_err(io)?;
            let directory = match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                Some(_) | None => Path::new("."),
            };
            File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(io)
        }
        Err(source) if source.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(io(source)),
    }
}

/// Refuses what SQLite would take for a new database and begin anew over: a file cut off within its
/// first bytes, and an emptied one whose log is still there.
fn check_length(path: &Path) -> Result<(), LedgerError> {
    let metadata = path.metadata();
    let length = metadata
        .map_err(|source| LedgerError::io(path, source))?
        .len();
    let log = suffixed(path, "-wal");
    let has_log = log.metadata().is_ok_and(|metadata| metadata.len() > 0);
    if length >= DATABASE_BYTES_MIN || (length == 0 && !has_log) {
        return Ok(());
    }
    Err(LedgerError::corrupt(
        path,
        Damage::Field("the file's length"),
    ))
}

pub(crate) fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Purpose = Purpose {
        name: "a test",
        application_id: 42,
        migrations: &["CREATE TABLE a (x INTEGER) STRICT"],
        mode: 0o600,
        secure_delete: false,
    };

    const TWO: Purpose = Purpose {
        migrations: &[
            "CREATE TABLE a (x INTEGER) STRICT",
            "ALTER TABLE a ADD COLUMN y INTEGER; INSERT INTO a VALUES (1, 2)",
        ],
        ..ONE
    };

    /// The second step fails halfway.
    const BROKEN: Purpose = Purpose {
        migrations: &[
            "CREATE TABLE a (x INTEGER) STRICT",
            "ALTER TABLE a ADD COLUMN y INTEGER; INSERT INTO nowhere VALUES (1)",
        ],
        ..ONE
    };

    fn columns(connection: &Connection) -> usize {
        connection
            .prepare("SELECT * FROM a")
            .unwrap()
            .column_count()
    }

    fn version(connection: &Connection) -> u32 {
        let read = connection.pragma_query_value(None, "user_version", |row| row.get(0));
        read.unwrap()
    }

    #[test]
    fn a_lock_that_is_given_up_is_free_whoever_has_a_copy_of_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let lock = Lock::take(&path).unwrap();
        let copy = lock.file.try_clone().unwrap();
        assert!(matches!(Lock::take(&path), Err(LedgerError::Locked { .. })));
        drop(lock);
        assert!(Lock::take(&path).is_ok());
        drop(copy);
    }

    #[test]
    fn an_old_file_takes_the_steps_that_it_lacks() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        drop(open_writer(&path, &ONE).unwrap());
        let connection = open_writer(&path, &TWO).unwrap();
        assert_eq!((version(&connection), columns(&connection)), (2, 2));
        drop(connection);
        let again = open_writer(&path, &TWO).unwrap();
        let rows: u32 = again
            .query_row("SELECT count(*) FROM a", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 1, "no step is taken twice");
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        drop(open_writer(&path, &ONE).unwrap());
        assert!(open_writer(&path, &BROKEN).is_err());
        let connection = open_writer(&path, &ONE).unwrap();
        assert_eq!((version(&connection), columns(&connection)), (1, 1));
    }

    #[test]
    fn a_newer_file_is_refused_by_both_versions_and_untouched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        drop(open_writer(&path, &TWO).unwrap());
        let before = std::fs::read(&path).unwrap();
        for error in [
            open_writer(&path, &ONE).err().unwrap(),
            Opened::open(&path, &ONE).err().unwrap(),
        ] {
            let text = error.to_string();
            assert!(
                text.contains("of version 2, this program knows up to 1"),
                "{text}"
            );
            assert!(text.contains("install the version that wrote it"), "{text}");
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_commit_is_as_durable_as_it_can_be() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let connection = open_writer(&path, &ONE).unwrap();
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        let synchronous: u32 = connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        assert_eq!((mode.as_str(), synchronous), ("wal", 2));
    }

    #[test]
    fn somebody_elses_database_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.db");
        let other = Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE theirs (x)").unwrap();
        drop(other);
        let before = std::fs::read(&path).unwrap();
        let error = open_writer(&path, &ONE).err().unwrap();
        assert!(error.to_string().contains("this is not a test"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}
