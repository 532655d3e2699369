//! What only the embedded store does: its file, its backups, and what survives what.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::*;
use crate::store::conformance;

fn open(directory: &Path) -> SqliteStore {
    SqliteStore::open(directory, SqliteOptions::default()).unwrap()
}

#[test]
fn it_does_what_every_store_must() {
    let directories = Mutex::new(Vec::new());
    conformance::run(&|| {
        let directory = tempfile::tempdir().unwrap();
        let store = open(directory.path());
        directories.lock().unwrap().push(directory);
        Arc::new(store)
    });
}

#[test]
fn its_files_are_the_owners_only() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    store.check().unwrap();
    for name in [FILE_NAME.to_owned(), format!("{FILE_NAME}-wal")] {
        let mode = directory
            .path()
            .join(&name)
            .metadata()
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{name}");
    }
}
