//! The whole hub into a directory of its own and back: the store together with the keys without
//! which it is of no use. Whoever has such a directory has the city's data; it is readable by its
//! owner alone, and belongs where the hub's own directory would be kept.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::ca;
use crate::hub::{DIGEST_KEY, Hub, HubError, KEY, failed, make_directory, system_time};
use crate::store::sqlite::{self, FILE_NAME, SqliteOptions};

/// The files beside the store that make a hub itself again.
const KEYS: [&str; 5] = [KEY, DIGEST_KEY, ca::CURRENT, ca::NEXT, ca::PREVIOUS];

/// Most bytes of a file with a key; all are under 4 KiB.
const KEY_BYTES_MAX: u64 = 64 << 10;

/// Saves a hub into a directory that is not there yet, while it goes on working.
///
/// # Errors
/// [`HubError`] names the file or directory; what was saved until then is taken away again.
pub fn backup(hub: &Hub, to: &Path) -> Result<(), HubError> {
    let store = hub.embedded.as_ref().ok_or(HubError::StoreElsewhere)?;
    DirBuilder::new()
        .mode(0o700)
        .create(to)
        .map_err(failed(to, "created"))?;
    let saved = store
        .backup(&to.join(FILE_NAME))
        .map_err(HubError::from)
        .and_then(|()| copy_keys(&hub.dir, to))
        .and_then(|()| sync_directory(to));
    if saved.is_err() {
        // Half a backup must not be taken for one.
        let _ = fs::remove_dir_all(to);
    }
    saved
}

/// Makes a hub of a backup, in a directory that has none. Its store is a new incarnation: devices
/// see that, and send again what they recorded since the backup.
///
/// # Errors
/// [`HubError`] names the file or directory.
pub fn restore(dir: &Path, from: &Path) -> Result<(), HubError> {
    make_directory(dir)?;
    for name in KEYS {
        let (kept, saved) = (read_key(&dir.join(name))?, read_key(&from.join(name))?);
        if kept.is_some() && kept != saved {
            return Err(HubError::AnotherHub(dir.join(name)));
        }
    }
    let entropy = SqliteOptions::default().entropy;
    sqlite::restore(&from.join(FILE_NAME), dir, &entropy, system_time())?;
    copy_keys(from, dir)?;
    sync_directory(dir)
}

fn copy_keys(from: &Path, to: &Path) -> Result<(), HubError> {
    for name in KEYS {
        let target = to.join(name);
        // During most of a hub's life there is no second authority.
        let Some(bytes) = read_key(&from.join(name))? else {
            continue;
        };
        if read_key(&target)?.is_some() {
            continue;
        }
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&target)
            .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
            .map_err(failed(&target, "created"))?;
    }
    Ok(())
}

fn read_key(path: &Path) -> Result<Option<Vec<u8>>, HubError> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened
            .and_then(|file| file.take(KEY_BYTES_MAX).read_to_end(&mut bytes))
            .map(|_| Some(bytes))
            .map_err(failed(path, "read")),
    }
}

fn sync_directory(dir: &Path) -> Result<(), HubError> {
    File::open(dir)
        .and_then(|opened| opened.sync_all())
        .map_err(failed(dir, "made durable"))
}
