//! Saving a store while it serves, and making a store of what was saved.
//!
//! A restored store has forgotten what came after the backup. It says so by a new incarnation, and
//! leaves out the numbers that the forgotten may have been given: generations of rosters, so that
//! no door takes a new roster for an old one, and revisions of rolls.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, params};
use vocabulary::WallTime;

use super::convert::Numbered;
use super::database::{OpenError, identify, make_file, open_reader, open_writer, sync_directory};
use super::ingest::newest_commit;
use super::{Entropy, FILE_NAME};
use crate::model::MeetingState;

/// How many generations a restored store leaves out when its clock shows less than they are: more
/// than a meeting had between a backup and the end of the store that it was saved from.
const GENERATIONS_LEFT_OUT: i64 = 1 << 20;

/// Gives a new store its identity.
pub(super) fn identify_new(
    connection: &mut Connection,
    path: &Path,
    entropy: &Entropy,
) -> Result<(), OpenError> {
    let sqlite = OpenError::sqlite(path);
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&sqlite)?;
    let known: bool = transaction
        .query_row("SELECT EXISTS (SELECT 1 FROM store)", [], |row| row.get(0))
        .map_err(&sqlite)?;
    if !known {
        let mut id = [0_u8; 16];
        entropy(&mut id).map_err(OpenError::Random)?;
        transaction
            .execute("INSERT INTO store (one, id) VALUES (1, ?1)", [id])
            .map_err(&sqlite)?;
        new_incarnation(&transaction, path, entropy, (0, 0))?;
    }
    transaction.commit().map_err(sqlite)
}

fn new_incarnation(
    connection: &Connection,
    path: &Path,
    entropy: &Entropy,
    (begins_after, generations_after): (i64, i64),
) -> Result<(), OpenError> {
    let mut id = [0_u8; 16];
    entropy(&mut id).map_err(OpenError::Random)?;
    connection
        .execute(
            "INSERT INTO incarnation (id, begins_after, generations_after) VALUES (?1, ?2, ?3)",
            params![id, begins_after, generations_after],
        )
        .map_err(OpenError::sqlite(path))?;
    Ok(())
}

/// Writes all that is committed to a new file.
pub(super) fn save(path: &Path, vfs: Option<&str>, to: &Path) -> Result<(), OpenError> {
    let sqlite = OpenError::sqlite(path);
    let connection = open_reader(path, vfs).map_err(&sqlite)?;
    // Saving into another file is writing; nothing of the store itself is written by it.
    connection
        .pragma_update(None, "query_only", false)
        .map_err(&sqlite)?;
    if !make_file(to)? {
        return Err(OpenError::Exists {
            path: to.to_owned(),
        });
    }
    let name = to.to_str().ok_or_else(|| OpenError::Io {
        path: to.to_owned(),
        doing: "named in UTF-8",
        source: std::io::Error::from(std::io::ErrorKind::InvalidFilename),
    })?;
    let saved = connection
        .execute("VACUUM INTO ?1", [name])
        .map_err(sqlite)
        .and_then(|_| sync(to));
    if saved.is_err() {
        // Half a backup must not be taken for one.
        let _ = fs::remove_file(to);
    }
    saved
}

/// Makes a store of a backup in a hub's directory that has none yet. It is a new incarnation of
/// the store that was saved.
///
/// Doors take no roster of a generation that is not larger than what they have, and nobody knows
/// any more what they were given since the backup, by this store or by one restored before it. So
/// generations go on from `now` in milliseconds: however often and from whichever backup a store
/// is restored, later is larger.
///
/// # Errors
/// [`OpenError::Exists`] when the directory has a store already; [`OpenError::Foreign`],
/// [`OpenError::NewerVersion`], [`OpenError::Damaged`] for what is no backup of this version.
/// Nothing is left in the directory then.
pub fn restore(
    backup: &Path,
    directory: &Path,
    entropy: &Entropy,
    now: WallTime,
) -> Result<(), OpenError> {
    let path = directory.join(FILE_NAME);
    let exists = |path: &Path| path.symlink_metadata().is_ok();
    if exists(&path) || exists(&suffixed(&path, "-wal")) {
        return Err(OpenError::Exists { path });
    }
    check(backup)?;
    let unfinished = directory.join(format!("{FILE_NAME}.restoring"));
    remove(&unfinished)?;
    make_file(&unfinished)?;
    let restored = copy(backup, &unfinished).and_then(|()| renew(&unfinished, entropy, now));
    if let Err(error) = restored {
        remove(&unfinished)?;
        return Err(error);
    }
    fs::rename(&unfinished, &path).map_err(OpenError::io(&path, "made"))?;
    sync_directory(&path)
}

/// Refuses what is not a whole store.
fn check(backup: &Path) -> Result<(), OpenError> {
    backup.metadata().map_err(OpenError::io(backup, "read"))?;
    let sqlite = OpenError::sqlite(backup);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(backup, flags).map_err(&sqlite)?;
    if identify(&connection, backup)? == 0 {
        return Err(OpenError::Foreign {
            path: backup.to_owned(),
        });
    }
    let found: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(&sqlite)?;
    if found != "ok" {
        return Err(OpenError::Damaged {
            path: backup.to_owned(),
            found,
        });
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), OpenError> {
    let mut source = File::open(from).map_err(OpenError::io(from, "read"))?;
    let mut target = File::options()
        .write(true)
        .truncate(true)
        .open(to)
        .map_err(OpenError::io(to, "written"))?;
    std::io::copy(&mut source, &mut target).map_err(OpenError::io(to, "written"))?;
    sync(to)
}

fn sync(path: &Path) -> Result<(), OpenError> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(OpenError::io(path, "made durable"))
}

/// Makes a new incarnation of what was saved.
fn renew(path: &Path, entropy: &Entropy, now: WallTime) -> Result<(), OpenError> {
    let sqlite = OpenError::sqlite(path);
    let mut connection = open_writer(path, None)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(&sqlite)?;
    let newest = newest_commit(&transaction).map_err(|error| OpenError::Damaged {
        path: path.to_owned(),
        found: error.to_string(),
    })?;
    let largest: i64 = transaction
        .query_row(
            "SELECT coalesce(max(generation), 0) FROM meeting",
            [],
            |row| row.get(0),
        )
        .map_err(&sqlite)?;
    let after = if now.0 > largest {
        now.0
    } else {
        largest.saturating_add(GENERATIONS_LEFT_OUT)
    };
    let begins = (super::convert::signed(newest), after);
    new_incarnation(&transaction, path, entropy, begins)?;
    let closed = MeetingState::Closed.number();
    // What a device was told of before is the current generation or an earlier one; so it stays.
    transaction
        .execute(
            "UPDATE told SET generation = ?1 + (generation >=
                 (SELECT generation FROM meeting WHERE number = told.meeting))
             WHERE meeting IN (SELECT number FROM meeting WHERE state <> ?2)",
            params![after, closed],
        )
        .map_err(&sqlite)?;
    transaction
        .execute(
            "UPDATE meeting SET generation = ?1 + 1 WHERE state <> ?2",
            params![after, closed],
        )
        .map_err(&sqlite)?;
    transaction.commit().map_err(&sqlite)?;
    // All in the one file, which alone is renamed.
    connection
        .pragma_update_and_check(None, "journal_mode", "delete", |row| {
            row.get::<_, String>(0)
        })
        .map_err(&sqlite)?;
    connection.close().map_err(|(_, error)| sqlite(error))?;
    sync(path)
}

fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(OpenError::io(path, "removed")(source))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
