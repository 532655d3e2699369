//! What a power cut leaves: the files between two syncs, mixed sector by sector.

#![allow(dead_code, reason = "no test file uses all of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// In memory where possible: what is tried here is the order of writes, not the disk.
pub fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A database's files at one moment.
#[derive(Clone, PartialEq)]
pub struct Files {
    /// The database.
    pub database: Vec<u8>,
    /// Its write-ahead log.
    pub log: Vec<u8>,
}

impl Files {
    /// Copies them by another process: closing a file would take SQLite's locks from this one.
    pub fn copy(path: &Path) -> Self {
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

    /// Puts them where a database is to be opened as after a start.
    pub fn put(&self, path: &Path) {
        fs::write(path, &self.database).unwrap();
        fs::write(suffixed(path, "-wal"), &self.log).unwrap();
    }
}

/// The path of a file beside a database.
pub fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// SplitMix64: the same mixtures every time, named by their seed.
pub struct Random(pub u64);

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
pub fn mix(old: &[u8], new: &[u8], random: &mut Random) -> Vec<u8> {
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
