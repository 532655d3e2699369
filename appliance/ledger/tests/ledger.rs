//! Append, read, open again: what a ledger promises where nothing goes wrong, and what it refuses.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use ledger::{
    BATCH_RECORDS_MAX, Beginning, Ledger, LedgerError, LedgerErrorKind, READ_RECORDS_MAX, Reader,
    verify,
};
use record::{Chain, Record};
use support::{at, body, device, open};
use vocabulary::{DeviceId, Digest, Sequence};

#[test]
fn what_was_appended_is_read_in_another_connection() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    let first = ledger.append(at(1), body(1)).unwrap();
    let reader = Reader::open(&path).unwrap();
    let second = ledger.append(at(2), body(2)).unwrap();

    let read = reader.read_after(Sequence(0), 10).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(
        read[0].record,
        Record {
            device: device(),
            epoch: ledger.epoch(),
            sequence: Sequence::FIRST,
            at: at(1),
            previous: Digest::ZERO,
            body: body(1),
        }
    );
    assert_eq!(read[0].digest, first.digest);
    assert_eq!(read[0].digest, record::digest(&read[0].bytes));
    assert_eq!(read[1].record.previous, first.digest);
    assert_eq!(read[1].record.sequence, second.sequence);
    assert_eq!(reader.read_after(Sequence(1), 10).unwrap(), read[1..]);
    assert_eq!(reader.read_after(Sequence(0), 1).unwrap(), read[..1]);
    assert_eq!(reader.read_after(Sequence(2), 10).unwrap(), []);
}

#[test]
fn a_ledger_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    let epoch = ledger.epoch();
    for number in 1..=150 {
        ledger.append(at(number), body(number)).unwrap();
    }
    let tail = ledger.tail();
    drop(ledger);
    let mut ledger = open(&path).unwrap();
    assert_eq!(ledger.epoch(), epoch);
    assert_eq!(ledger.tail(), tail);
    let next = ledger.append(at(151), body(151)).unwrap();
    assert_eq!(next.sequence, Sequence(151));
    let verified = verify(&path, |_, _| ()).unwrap();
    assert_eq!((verified.records, verified.head), (151, next.digest));
    assert_eq!(verified.last_at, Some(at(151)));
    assert_eq!((verified.device, verified.epoch), (device(), epoch));
}

#[test]
fn a_batch_is_as_good_as_its_records_one_by_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    ledger.append(at(1), body(1)).unwrap();
    let bodies = (2..=4).map(body).collect();
    let appended = ledger.append_batch(at(2), bodies).unwrap();
    let numbers: Vec<_> = appended.iter().map(|a| a.sequence.0).collect();
    assert_eq!(numbers, [2, 3, 4]);
    assert_eq!(ledger.append_batch(at(3), vec![]).unwrap(), []);
    assert_eq!(ledger.append(at(4), body(5)).unwrap().sequence, Sequence(5));

    let mut chain = Chain::start(device());
    for stored in Reader::open(&path).unwrap().records_after(Sequence(0)) {
        chain.check(&stored.unwrap().bytes).unwrap();
    }
    assert_eq!(chain.last(), Sequence(5));
}

#[test]
fn a_batch_beyond_the_limit_is_refused_and_nothing_of_it_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    let bodies = vec![body(1); BATCH_RECORDS_MAX + 1];
    let error = ledger.append_batch(at(1), bodies).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the batch has 1001, at most 1000"),
        "{error}"
    );
    assert_eq!(ledger.append(at(1), body(1)).unwrap().sequence, Sequence(1));
}

#[test]
fn reading_goes_on_beyond_one_batch() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    for _ in 0..2 {
        ledger.append_batch(at(1), vec![body(1); 1000]).unwrap();
    }
    ledger.append_batch(at(1), vec![body(1); 3]).unwrap();
    let reader = Reader::open(&path).unwrap();
    let all = reader.read_after(Sequence(0), usize::MAX).unwrap();
    assert_eq!(all.len(), READ_RECORDS_MAX);
    let numbers: Vec<_> = reader
        .records_after(Sequence(1))
        .map(|stored| stored.unwrap().record.sequence.0)
        .collect();
    assert_eq!(numbers, (2..=2003).collect::<Vec<_>>());
}

#[test]
fn every_file_is_an_epoch_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let one = open(&directory.path().join("1.db")).unwrap();
    let other = open(&directory.path().join("2.db")).unwrap();
    assert_ne!(one.epoch(), other.epoch());
}

fn after(predecessor: Digest) -> Beginning {
    Beginning {
        predecessor,
        ..Beginning::default()
    }
}

#[test]
fn a_successor_names_the_last_record_of_the_file_before() {
    let directory = tempfile::tempdir().unwrap();
    let mut old = open(&directory.path().join("old.db")).unwrap();
    let last = old.append(at(1), body(1)).unwrap();
    let path = directory.path().join("new.db");
    let mut new = Ledger::open_after(&path, &device(), at(2), after(last.digest)).unwrap();
    new.append(at(3), body(2)).unwrap();
    drop(new);

    let verified = verify(&path, |_, _| ()).unwrap();
    assert_eq!((verified.predecessor, verified.records), (last.digest, 1));
    let mut chain = Chain::resume(device(), old.epoch(), last.sequence, last.digest);
    let stored = Reader::open(&path)
        .unwrap()
        .read_after(Sequence(0), 1)
        .unwrap();
    assert_eq!(chain.check(&stored[0].bytes).unwrap(), stored[0].record);
    // Opened again, it stays who it is, whatever is said of its predecessor.
    let again = Ledger::open_after(&path, &device(), at(4), after(Digest([9; 32]))).unwrap();
    assert_eq!(again.epoch(), verified.epoch);
}

#[test]
fn a_clock_that_went_back_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let mut ledger = Ledger::open(&path, &device(), at(100)).unwrap();
    assert_eq!(ledger.clock_behind(), None);
    ledger.append(at(100), body(1)).unwrap();
    drop(ledger);
    let ledger = Ledger::open(&path, &device(), at(70)).unwrap();
    assert_eq!(ledger.clock_behind(), Some(Duration::from_secs(30)));
    drop(ledger);
    let ledger = Ledger::open(&path, &device(), at(100)).unwrap();
    assert_eq!(ledger.clock_behind(), None);
}

#[test]
fn another_devices_ledger_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    drop(open(&path).unwrap());
    let other = DeviceId::new("kiosk-08").unwrap();
    let error = Ledger::open(&path, &other, at(0)).err().unwrap();
    assert!(matches!(error, LedgerError::OtherDevice { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("of device kiosk-07, not of kiosk-08"),
        "{error}"
    );
}

fn check_refused(prepare: impl Fn(&std::path::Path), kind: LedgerErrorKind, says: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    prepare(&path);
    let before = std::fs::read(&path).ok();
    let error = open(&path).err().unwrap();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(says), "{text}");
    assert!(text.contains(&path.display().to_string()), "{text}");
    let error = Reader::open(&path).err().unwrap();
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(std::fs::read(&path).ok(), before, "it was written to");
}

#[test]
fn what_is_no_ledger_of_this_version_is_refused_and_left_alone() {
    check_refused(
        |path| std::fs::write(path, [b'x'; 8192]).unwrap(),
        LedgerErrorKind::Corrupt,
        "the file is damaged",
    );
    check_refused(
        |path| {
            drop(open(path).unwrap());
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.pragma_update(None, "user_version", 7).unwrap();
        },
        LedgerErrorKind::NewerVersion,
        "of version 7, this program knows up to 1; install",
    );
    check_refused(
        |path| {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
        },
        LedgerErrorKind::Misuse,
        "this is not a ledger",
    );
}

#[test]
fn a_missing_file_is_made_by_the_writer_and_named_by_the_reader() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    let error = Reader::open(&path).err().unwrap();
    assert!(matches!(error, LedgerError::Missing { .. }), "{error}");
    assert!(!path.exists());
    let nowhere = directory.path().join("none/ledger.db");
    let error = open(&nowhere).err().unwrap();
    assert!(error.to_string().contains("none/ledger.db"), "{error}");
    open(&path).unwrap();
}

#[test]
fn a_record_can_be_neither_changed_nor_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger.db");
    open(&path).unwrap().append(at(1), body(1)).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    for statement in [
        "UPDATE record SET digest = zeroblob(32)",
        "DELETE FROM record",
    ] {
        let error = connection.execute(statement, []).unwrap_err();
        assert!(error.to_string().contains("a record is never"), "{error}");
    }
}

#[test]
fn a_path_with_strange_characters_is_a_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sổ ?mode=memory#%41.db");
    open(&path).unwrap().append(at(1), body(1)).unwrap();
    assert!(path.exists());
    assert_eq!(verify(&path, |_, _| ()).unwrap().records, 1);
}
