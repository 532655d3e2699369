//! The key that unwraps meetings' keys, opened in this one place. Whoever opens it leaves its
//! public half beside it, so that the daemon, which must not read the key, can have this device
//! enrolled.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use seal::{DevicePublicKey, FileKeyStore, KeyStore as _, KeyStoreError};

use crate::config::Data;

/// The first line of the public key's file; 64 hexadecimal digits follow on the second.
const HEADER: &str = "diemdanh device public key 1";

/// Who may read the public key: everybody.
const MODE: u32 = 0o644;

/// Opens the key of this device, or makes one where there is none.
///
/// # Errors
/// [`KeyStoreError`] names the file and the way out.
pub fn open_or_create(data: &Data) -> Result<FileKeyStore, KeyStoreError> {
    FileKeyStore::open_or_create(&data.key()).inspect(|keys| publish(keys, &data.public_key()))
}

/// Opens the key of this device, which exists.
///
/// # Errors
/// [`KeyStoreError`] names the file and the way out.
pub fn open(data: &Data) -> Result<FileKeyStore, KeyStoreError> {
    FileKeyStore::open(&data.key()).inspect(|keys| publish(keys, &data.public_key()))
}

/// The public half of a key in hexadecimal digits.
pub fn public_digits(keys: &FileKeyStore) -> String {
    let DevicePublicKey(bytes) = keys.public_key();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes the public half down where it is not so already. Without it the kiosk still does all its
/// work, so a failure is only told.
fn publish(keys: &FileKeyStore, path: &Path) {
    let text = format!("{HEADER}\n{}\n", public_digits(keys));
    if fs::read(path).is_ok_and(|found| found == text.as_bytes()) {
        return;
    }
    if let Err(error) = replace(path, &text) {
        tracing::warn!(path = %path.display(), %error, "the public key is not written");
    }
}

/// Puts a file in the place of another, whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let part = path.with_added_extension(format!("{}.new", std::process::id()));
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(&part)
        .and_then(|mut file: File| {
            file.set_permissions(Permissions::from_mode(MODE))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What could not be moved to its place is of no use.
        let _ = fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> (tempfile::TempDir, Data) {
        let directory = tempfile::tempdir().unwrap();
        let data = Data {
            directory: directory.path().to_owned(),
        };
        (directory, data)
    }

    #[test]
    fn the_public_key_is_there_for_everybody_whenever_the_key_was_opened() {
        let (_directory, data) = data();
        let keys = open_or_create(&data).unwrap();
        let text = fs::read_to_string(data.public_key()).unwrap();
        let digits = text.lines().last().unwrap();
        let digest = vocabulary::Digest::from_hex(digits).unwrap();
        assert_eq!(digest.0, keys.public_key().0);
        let mode = fs::metadata(data.public_key()).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, MODE);
        fs::write(data.public_key(), "something else").unwrap();
        open(&data).unwrap();
        assert_eq!(fs::read_to_string(data.public_key()).unwrap(), text);
        assert_eq!(fs::read_dir(&data.directory).unwrap().count(), 2);
    }

    #[test]
    fn a_key_opens_also_where_its_public_half_cannot_be_written() {
        let (_directory, data) = data();
        fs::create_dir(data.public_key()).unwrap();
        fs::write(data.public_key().join("in-the-way"), "").unwrap();
        open_or_create(&data).unwrap();
    }
}
