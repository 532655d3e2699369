//! What only the embedded store does: its file, its backups, and what survives what.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::*;
use crate::store::conformance::fixture::{Ledger, START};
use crate::store::{KeyStoreSealing, conformance};

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
fn no_device_fills_its_disk_with_what_is_kept_aside() {
    let directory = tempfile::tempdir().unwrap();
    let options = SqliteOptions {
        aside_bytes_max: 5_000,
        ..SqliteOptions::default()
    };
    let store = SqliteStore::open(directory.path(), options).unwrap();
    conformance::aside_is_bounded(Arc::new(store), 5_000);
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

#[test]
fn what_is_committed_is_there_when_it_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let city = Small::in_store(open(directory.path()));
    let ledger = Ledger::with_faults("kiosk-1", 1, 5);
    city.send(&ledger, 1, 5);
    let identity = city.store.identity().unwrap();
    drop(city);
    let store = open(directory.path());
    assert_eq!(store.identity().unwrap(), identity);
    let position = store.position(&ledger.device, &ledger.epoch).unwrap();
    assert_eq!(position.committed_through.0, 5);
}

#[test]
fn two_processes_see_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let city = Small::in_store(open(directory.path()));
    let beside = open(directory.path());
    assert_eq!(beside.identity().unwrap(), city.store.identity().unwrap());
    let ledger = Ledger::with_faults("kiosk-1", 1, 6);
    city.send(&ledger, 1, 3);
    let taken = beside.ingest(&ledger.device, &ledger.batch(4, 6), START);
    assert_eq!(taken.unwrap().accepted, Some((Commit(4), Commit(6))));
    beside.revoke_device(&ledger.device, START).unwrap();
    let seen = city.store.device(&ledger.device).unwrap().unwrap();
    assert_eq!(seen.revoked_at, Some(START));
}

#[test]
fn somebody_elses_and_newer_files_are_left_alone() {
    let check = |prepare: &str, expect: &str| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE_NAME);
        Connection::open(&path)
            .unwrap()
            .execute_batch(prepare)
            .unwrap();
        let before = std::fs::read(&path).unwrap();
        let opened = SqliteStore::open(directory.path(), SqliteOptions::default());
        let error = opened.err().unwrap().to_string();
        assert!(error.contains(expect), "{error}");
        assert!(error.contains(FILE_NAME), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    };
    check("CREATE TABLE theirs (x)", "not a hub's store");
    check(
        "PRAGMA application_id = 7; CREATE TABLE theirs (x)",
        "not a hub's store",
    );
    let newer = format!(
        "PRAGMA application_id = {}; PRAGMA user_version = 99; CREATE TABLE a (x)",
        database::APPLICATION_ID
    );
    check(&newer, "of version 99, this program knows up to");
}

#[test]
fn a_commit_is_as_durable_as_it_can_be_and_deleted_keys_are_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let writer = lock(&store.writer);
    let pragma = |name| -> String {
        writer
            .connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| format!("{value:?}"))
            .unwrap()
    };
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
    assert_eq!(pragma("synchronous"), "Integer(2)");
    assert_eq!(pragma("secure_delete"), "Integer(1)");
}

#[test]
fn a_batch_that_fails_takes_no_other_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let city = Small::in_store(open(directory.path()));
    let good = Ledger::with_faults("kiosk-1", 1, 3);
    let nobody = Ledger::with_faults("kiosk-9", 1, 3);
    let mut empty = good.batch(1, 3);
    empty.records.clear();
    let batches = [
        (&nobody.device, nobody.all()),
        (&good.device, good.batch(1, 2)),
        (&good.device, empty),
        (&good.device, good.batch(3, 3)),
    ];
    let examined: Vec<_> = batches
        .iter()
        .map(|(_, batch)| crate::ingest::examine(batch).unwrap_or_default())
        .collect();
    let all: Vec<_> = batches
        .iter()
        .zip(&examined)
        .map(|((device, batch), examined)| batches::Arrived {
            device,
            batch,
            examined,
            now: START,
        })
        .collect();
    let answers = lock(&city.store.writer).take(&all);
    let taken: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().ok().and_then(|taken| taken.accepted))
        .collect();
    let expect = [
        None,
        Some((Commit(1), Commit(2))),
        None,
        Some((Commit(3), Commit(3))),
    ];
    assert_eq!(taken, expect);
    assert!(answers[0].is_err() && answers[2].is_err());
}

#[test]
fn a_restored_store_is_a_new_incarnation_and_is_filled_up_again() {
    let directory = tempfile::tempdir().unwrap();
    let restored = tempfile::tempdir().unwrap();
    let backup = directory.path().join("backup.db");
    let city = Small::in_store(open(directory.path()));
    let ledger = Ledger::with_faults("kiosk-1", 1, 8);
    city.send(&ledger, 1, 3);
    city.store.backup(&backup).unwrap();
    let mode = backup.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    city.send(&ledger, 4, 8);
    let first = city.store.first_cursor().unwrap();
    let after_five = Cursor {
        commit: Commit(5),
        ..first
    };
    let before = city.store.identity().unwrap();
    let again = city.store.backup(&backup);
    assert!(matches!(again, Err(OpenError::Exists { .. })));
    drop(city);

    let entropy = SqliteOptions::default().entropy;
    restore(&backup, restored.path(), &entropy, START).unwrap();
    let twice = restore(&backup, restored.path(), &entropy, START);
    assert!(matches!(twice, Err(OpenError::Exists { .. })));
    let names: Vec<_> = std::fs::read_dir(restored.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing else is left there");
    let city = Small {
        store: open(restored.path()),
    };
    let now = city.store.identity().unwrap();
    assert_eq!(now.store, before.store);
    assert_ne!(now.incarnation, before.incarnation);
    let position = city.store.position(&ledger.device, &ledger.epoch).unwrap();
    assert_eq!(position.committed_through.0, 3);

    // Records of another device come first now, under numbers that others had before.
    city.declare("kiosk-2");
    let other = Ledger::with_faults("kiosk-2", 1, 2);
    city.send(&other, 1, 2);
    city.send(&ledger, 4, 8);
    let page = city
        .store
        .records(&organisation(), after_five, 100)
        .unwrap();
    let seen: Vec<_> = page
        .records
        .iter()
        .map(|one| (one.device.as_str(), one.sequence.0))
        .collect();
    let expect = [
        ("kiosk-2", 1),
        ("kiosk-2", 2),
        ("kiosk-1", 4),
        ("kiosk-1", 5),
        ("kiosk-1", 6),
        ("kiosk-1", 7),
        ("kiosk-1", 8),
    ];
    assert_eq!(seen, expect, "a cursor of before misses nothing");
    assert_eq!(page.next.incarnation, now.incarnation);
}

#[test]
fn a_restored_store_gives_no_number_again() {
    let directory = tempfile::tempdir().unwrap();
    let restored = tempfile::tempdir().unwrap();
    let backup = directory.path().join("backup.db");
    let city = Small::in_store(open(directory.path()));
    let generation = city.put_meeting("GB-1", "a");
    let told = city.told();
    assert_eq!(told.meetings[0].generation, generation);
    assert_eq!(city.revision(), 1);
    city.store.backup(&backup).unwrap();
    let later = city.put_meeting("GB-1", "b");
    assert_eq!(
        (city.told().meetings[0].generation, city.revision()),
        (later, 2)
    );
    drop(city);
    restore(
        &backup,
        restored.path(),
        &SqliteOptions::default().entropy,
        START,
    )
    .unwrap();
    let city = Small {
        store: open(restored.path()),
    };
    let told = city.told();
    assert!(
        told.meetings[0].generation > later,
        "doors take what it says"
    );
    assert!(city.revision() > 2, "nobody was given this revision before");
    city.store
        .cancel_meeting(&organisation(), &meeting("GB-1"), START)
        .unwrap();
    let withdrawn = city.told().withdrawn;
    assert!(withdrawn[0].generation > later, "and forget what they had");
}

#[test]
fn what_is_no_backup_is_not_restored() {
    let directory = tempfile::tempdir().unwrap();
    let target = tempfile::tempdir().unwrap();
    let entropy = SqliteOptions::default().entropy;
    let file = directory.path().join("backup.db");
    let check = |expect: &str| {
        let error = restore(&file, target.path(), &entropy, START).unwrap_err();
        let text = format!("{error} {:?}", std::error::Error::source(&error));
        assert!(text.contains(expect), "{text}");
        assert_eq!(std::fs::read_dir(target.path()).unwrap().count(), 0);
    };
    check("cannot be read");
    std::fs::write(&file, b"no database at all").unwrap();
    check("file is not a database");
    std::fs::write(&file, b"").unwrap();
    check("not a hub's store");
    std::fs::remove_file(&file).unwrap();
    let city = Small::in_store(open(directory.path()));
    let ledger = Ledger::with_faults("kiosk-1", 1, 400);
    city.send(&ledger, 1, 400);
    city.store.backup(&file).unwrap();
    let mut bytes = std::fs::read(&file).unwrap();
    let end = bytes.len();
    bytes[end - 20_000..end - 8_000].fill(0x5a);
    std::fs::write(&file, &bytes).unwrap();
    check("damaged");
}

#[test]
fn it_is_saved_whole_while_records_come_in() {
    let directory = tempfile::tempdir().unwrap();
    let restored = tempfile::tempdir().unwrap();
    let backup = directory.path().join("backup.db");
    let city = Small::in_store(open(directory.path()));
    let ledger = Ledger::with_faults("kiosk-1", 1, 300);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            for first in (1..=300).step_by(10) {
                city.send(&ledger, first, first + 9);
            }
        });
        city.store.backup(&backup).unwrap();
        sender.join().unwrap();
    });
    restore(
        &backup,
        restored.path(),
        &SqliteOptions::default().entropy,
        START,
    )
    .unwrap();
    let store = open(restored.path());
    let through = store
        .position(&ledger.device, &ledger.epoch)
        .unwrap()
        .committed_through
        .0;
    assert_eq!(through % 10, 0, "whole batches");
    let first = store.first_cursor().unwrap();
    let page = store.records(&organisation(), first, 500).unwrap();
    assert_eq!(page.records.len() as u64, through);
}

/// What runs for every batch, every poll and every page finds its rows by an index.
#[test]
fn no_statement_that_runs_often_searches_a_whole_table() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path());
    let check = |sql: &str| {
        let plan: Vec<String> = store
            .read(|c| {
                let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let rows = statement.query_map([], |row| row.get(3))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .unwrap();
        for step in plan {
            assert!(
                !step.starts_with("SCAN") || step.contains("CONSTANT"),
                "{sql}: {step}"
            );
        }
    };
    check("SELECT digest FROM record WHERE epoch = 1 AND sequence = 1");
    check("SELECT number FROM record WHERE named_meeting = 1 AND number > 5 ORDER BY number");
    check("SELECT sequence FROM aside WHERE epoch = 1 AND sequence BETWEEN 1 AND 2");
    check("SELECT d.id FROM certificate c JOIN device d ON d.number = c.device WHERE c.serial = 1");
    check("SELECT number FROM meeting WHERE organisation = 1 AND room = 'r' AND ends_ms > 5");
    check("SELECT meeting FROM entry WHERE person = 1");
    check("SELECT meeting FROM meeting_reference WHERE person = 1 AND id = 'r'");
    check("SELECT number FROM meeting WHERE key IS NOT NULL AND ends_ms < 5 ORDER BY ends_ms");
}

/// One organisation with a room, a door and a device.
struct Small {
    store: SqliteStore,
}

impl Small {
    fn in_store(store: SqliteStore) -> Self {
        let city = Self { store };
        let put = Organisation {
            id: organisation(),
            name: "Mẫu".to_owned(),
        };
        city.store.put_organisation(&put, START).unwrap();
        let room = Room {
            id: "room-1".parse().unwrap(),
            name: "Phòng 1".to_owned(),
            doors: vec!["door-1".parse().unwrap()],
        };
        city.store.put_room(&put.id, &room, START).unwrap();
        city.declare("kiosk-1");
        city
    }

    fn declare(&self, id: &str) {
        let doors = ["door-1".parse().unwrap()];
        let room = "room-1".parse().unwrap();
        self.store
            .put_device(&organisation(), &id.parse().unwrap(), &room, &doors, START)
            .unwrap();
    }

    fn send(&self, ledger: &Ledger, first: usize, last: usize) {
        let batch = ledger.batch(first, last);
        let taken = self.store.ingest(&ledger.device, &batch, START).unwrap();
        assert_eq!(taken.position.committed_through.0 as usize, last);
    }

    fn put_meeting(&self, id: &str, title: &str) -> u64 {
        let plan = MeetingPlan {
            id: meeting(id),
            title: title.to_owned(),
            room: "room-1".parse().unwrap(),
            doors: Vec::new(),
            starts_at: START,
            ends_at: WallTime(START.0 + 1_000),
            zone: "Asia/Ho_Chi_Minh".to_owned(),
            quorum: None,
        };
        let keys = Arc::new(seal::MemoryKeyStore::generate().unwrap());
        let sealing = KeyStoreSealing::new(keys);
        let put = self
            .store
            .put_meeting(&organisation(), &plan, &sealing, START);
        put.unwrap().1.generation
    }

    fn told(&self) -> DeviceMeetings {
        let (from, until) = (WallTime(i64::MIN), WallTime(i64::MAX));
        self.store
            .device_meetings(&"kiosk-1".parse().unwrap(), from, until, START)
            .unwrap()
    }

    fn revision(&self) -> u32 {
        let inputs = self
            .store
            .revision(&organisation(), &meeting("GB-1"), None, START);
        inputs.unwrap().unwrap().revision.number
    }
}

fn organisation() -> OrganisationId {
    "mau".parse().unwrap()
}

fn meeting(id: &str) -> MeetingId {
    id.parse().unwrap()
}
