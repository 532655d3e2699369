//! The power goes off while a commit or a checkpoint is being written: of what was not yet synced,
//! any part of any sector may be on the disk and any may not. Whatever is, every acknowledged
//! record is there, and of a commit under way all or nothing.
//!
//! The files are copied between two syncs, mixed sector by sector, and opened as after a start. A
//! disk that answers a sync without having done it is beyond what can be tested so.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::Path;

use ledger::{Ledger, Reader, verify};
use support::cut::{Files, Random, directory, mix};
use support::{at, body, open};
use vocabulary::Sequence;

/// How many random mixtures of each case are tried.
const MIXTURES: u64 = 60;

/// Opens the files as after a start, checks every record against what was written, goes on, and
/// answers how many records there were.
fn records_after_start(files: &Files, written: &[Vec<u8>], what: &str) -> usize {
    let directory = directory();
    let path = directory.path().join("ledger.db");
    files.put(&path);
    let mut ledger = open(&path).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let reader = Reader::open(&path).unwrap();
    let read = reader.records_after(Sequence(0));
    let read: Vec<_> = read.map(|stored| stored.unwrap().bytes).collect();
    assert!(written.starts_with(&read), "{what}: {} records", read.len());
    ledger.append(at(9), body(9)).unwrap();
    drop((ledger, reader));
    let verified = verify(&path, |_, _| ()).unwrap();
    assert_eq!(verified.records, read.len() as u64 + 1, "{what}");
    read.len()
}

fn encoded(path: &Path) -> Vec<Vec<u8>> {
    let reader = Reader::open(path).unwrap();
    let records = reader.records_after(Sequence(0));
    records.map(|stored| stored.unwrap().bytes).collect()
}

/// Cuts a commit in every way: `before` is synced, `after` was being written.
fn check_commit(before: &Files, after: &Files, acknowledged: usize, written: &[Vec<u8>]) {
    let whole = [acknowledged, written.len()];
    let check = |log: Vec<u8>, what: &str| {
        let files = Files {
            database: after.database.clone(),
            log,
        };
        let records = records_after_start(&files, written, what);
        assert!(whole.contains(&records), "{what}: {records} of {whole:?}");
    };
    assert_eq!(records_after_start(before, written, "before"), acknowledged);
    assert_eq!(records_after_start(after, written, "after"), written.len());
    if after.log.len() > before.log.len() && after.log.starts_with(&before.log) {
        for length in (before.log.len()..after.log.len()).step_by(97) {
            check(
                after.log[..length].to_vec(),
                &format!("cut off at {length}"),
            );
        }
    }
    for seed in 0..MIXTURES {
        let log = mix(&before.log, &after.log, &mut Random(seed));
        check(log, &format!("mixture of seed {seed}"));
    }
}

fn some(ledger: &mut Ledger, from: u64, count: u64) {
    for number in from..from + count {
        ledger.append(at(number), body(number)).unwrap();
    }
}

#[test]
fn a_cut_within_a_commit_loses_nothing_acknowledged() {
    let directory = directory();
    let path = directory.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    some(&mut ledger, 1, 30);
    let before = Files::copy(&path);
    some(&mut ledger, 31, 1);
    check_commit(&before, &Files::copy(&path), 30, &encoded(&path));
}

#[test]
fn a_cut_within_a_batch_leaves_all_of_it_or_nothing() {
    let directory = directory();
    let path = directory.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    some(&mut ledger, 1, 30);
    let before = Files::copy(&path);
    let batch = (31..=90).map(body).collect();
    ledger.append_batch(at(31), batch).unwrap();
    check_commit(&before, &Files::copy(&path), 30, &encoded(&path));
}

#[test]
fn a_cut_within_the_first_commit_of_a_log_begun_anew_loses_nothing() {
    let directory = directory();
    let path = directory.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    // The log is brought into the file every thousand pages, and the commit after that begins it
    // anew from its start, over the old frames.
    let mut appended = 900;
    for number in 1..=appended {
        ledger.append(at(number), body(number)).unwrap();
    }
    let mut before = Files::copy(&path);
    let after = loop {
        appended += 1;
        assert!(appended < 2000, "the log was never begun anew");
        some(&mut ledger, appended, 1);
        let after = Files::copy(&path);
        if after.log[..32] != before.log[..32] {
            break after;
        }
        before = after;
    };
    let acknowledged = usize::try_from(appended).unwrap() - 1;
    check_commit(&before, &after, acknowledged, &encoded(&path));
}

#[test]
fn a_cut_within_a_checkpoint_loses_nothing() {
    let directory = directory();
    let path = directory.path().join("ledger.db");
    let mut ledger = open(&path).unwrap();
    some(&mut ledger, 1, 200);
    let before = Files::copy(&path);
    let written = encoded(&path);
    // Closing brings the log into the file. The log stays until the file is synced.
    drop(ledger);
    let after = Files::copy(&path);
    assert!(before.log.len() > 4096 && after.log.is_empty());
    for seed in 0..MIXTURES {
        let files = Files {
            database: mix(&before.database, &after.database, &mut Random(seed)),
            log: before.log.clone(),
        };
        let what = format!("mixture of seed {seed}");
        assert_eq!(records_after_start(&files, &written, &what), 200, "{what}");
    }
}
