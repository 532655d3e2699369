//! The power goes off while a commit or a checkpoint is being written: of what was not yet synced,
//! any part of any sector may be on the disk and any may not. Whatever is, every acknowledged
//! record is there, and of a commit under way all or nothing.
//!
//! The files are copied between two syncs, mixed sector by sector, and opened as after a start. A
//! disk that answers a sync without having done it is beyond what can be tested so.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ledger::{Ledger, Reader, verify};
use support::{at, body, open};
use tempfile::TempDir;
use vocabulary::Sequence;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// How many random mixtures of each case are tried.
const MIXTURES: u64 = 60;

/// In memory where possible: what is tried here is the order of writes, not the disk.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// The ledger's files at one moment.
#[derive(Clone, PartialEq)]
struct Files {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Files {
    /// Copies them by another process: closing a file would take SQLite's locks from this one.
    fn copy(path: &Path) -> Self {
        let to = directory();
        let read = |suffix: &str| {
            let from = suffixed(path, suffix);
            if !from.exists() {
                return Vec::new();
            }
            let copy = to.path().join("copy");
            let done = Command::new("cp").arg(&from).arg(&copy).status().unwrap();
            assert!(done.success());
            fs::read(copy).unwrap()
        };
        Self {
            database: read(""),
            log: read("-wal"),
        }
    }

    /// Opens them as after a start, checks every record against what was written, goes on, and
    /// answers how many records there were.
    fn records_after_start(&self, written: &[Vec<u8>], what: &str) -> usize {
        let directory = directory();
        let path = directory.path().join("ledger.db");
        fs::write(&path, &self.database).unwrap();
        fs::write(suffixed(&path, "-wal"), &self.log).unwrap();
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
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// SplitMix64: the same mixtures every time, named by their seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Some sectors as they were and some as they were to be; where the file grew, some of the new
/// ones are zero. The length is one of the two or lies between.
fn mix(old: &[u8], new: &[u8], random: &mut Random) -> Vec<u8> {
    let longest = old.len().max(new.len());
    let mut mixed = Vec::with_capacity(longest);
    while mixed.len() < longest {
        let from = mixed.len();
        let until = (from + SECTOR_BYTES).min(longest);
        let source = if random.next().is_multiple_of(2) {
            old
        } else {
            new
        };
        mixed.extend((from..until).map(|byte| source.get(byte).copied().unwrap_or(0)));
    }
    let shortest = old.len().min(new.len());
    let spread = (longest - shortest) as u64 + 1;
    mixed.truncate(shortest + usize::try_from(random.next() % spread).unwrap());
    mixed
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
        let records = files.records_after_start(written, what);
        assert!(whole.contains(&records), "{what}: {records} of {whole:?}");
    };
    assert_eq!(before.records_after_start(written, "before"), acknowledged);
    assert_eq!(after.records_after_start(written, "after"), written.len());
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
        assert_eq!(files.records_after_start(&written, &what), 200, "{what}");
    }
}
