//! The rules of the house that a machine can check: the crate table of ARCHITECTURE.md against
//! what cargo says, and what pure crates and source files must not contain.
//!
//! It never knows a rule that the table does not state: which crates there are, what they may use
//! and which of them are pure is read from there.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use acceptance::root;
use serde_json::Value;

/// Libraries of others that one crate alone may use, by its name in the table.
const ONLY_IN: [(&str, &str); 4] = [
    ("ort", "inference"),
    ("rusqlite", "hub ledger simulation"),
    ("nokhwa", "camera"),
    ("clap", "daemon kiosk models processes"),
];

/// Libraries that read clocks, files or devices or that bring threads.
const NOT_PURE: [&str; 14] = [
    "clap",
    "crossbeam-channel",
    "getrandom",
    "indicatif",
    "jiff",
    "mio",
    "nokhwa",
    "ort",
    "reqwest",
    "rusqlite",
    "rustix",
    "signal-hook",
    "tempfile",
    "tokio",
];

/// What pure code must not name.
const NOT_PURE_NAMES: [&str; 11] = [
    "SystemTime",
    "Instant",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "thread::spawn",
    "thread::sleep",
    "println!",
    "eprintln!",
];

/// Words that this field has better ones for.
const NOT_OUR_WORDS: [&str; 4] = ["face_id", "liveness", "spoof", "confidence"];

/// How the names of limits end.
const LIMIT_ENDINGS: [&str; 3] = ["_MAX", "_EVERY", "_LASTS"];

/// Limits within hub, daemon and their core that no peer can meet: queues, files, rests, how often
/// something of one's own is looked at.
const INNER_LIMITS: &[&str] = &[
    "ABOUT_BYTES_MAX",
    "ANSWERS_MAX",
    "ANSWER_BYTES_MAX",
    "ANSWER_WAIT_MAX",
    "ASK_EVERY",
    "AUTHORITIES_BYTES_MAX",
    "AUTHORITY_LASTS",
    "BLOCKING_MAX",
    "BUFFER_BYTES_MAX",
    "BYTES_MAX",
    "CERTIFICATE_BYTES_MAX",
    "CERTIFICATE_LOOKED_AT_EVERY",
    "CHAIN_MAX",
    "CONNECT_TIME_MAX",
    "DETAIL_CHARS_MAX",
    "DISCARDED_BYTES_MAX",
    "DISCARD_TIME_MAX",
    "EVENTS_MAX",
    "FACTS_EVERY",
    "FILE_BYTES_MAX",
    "FIRST_WAIT_MAX",
    "FRAME_BYTES_MAX",
    "HEALTH_BYTES_MAX",
    "HOUSEKEEPING_EVERY",
    "KEEP_WAIT_MAX",
    "KEY_BYTES_MAX",
    "LINE_BYTES_MAX",
    "LOG_BYTES_MAX",
    "LOOK_EVERY",
    "MEETINGS_MAX",
    "NAMES_MAX",
    "OFFERS_ANSWER_BYTES_MAX",
    "OFFER_AGAIN_EVERY",
    "PASSED_MAX",
    "PIECES_MAX",
    "PROXY_CONNECTIONS_MAX",
    "REQUEST_MAX",
    "ROSTERS_BYTES_MAX",
    "ROUND_TRIP_MAX",
    "SANDBOX_TOKEN_LASTS",
    "SERVER_CERTIFICATE_LASTS",
    "SERVING_TIME_MAX",
    "SET_ASIDE_MAX",
    "SLEEP_MAX",
    "SMALL_FILE_BYTES_MAX",
    "STATEMENTS_MAX",
    "STOPPED_ASK_EVERY",
    "STOPPING_TIME_MAX",
    "STOP_MAX",
    "TIMESTAMP_CHARS_MAX",
    "TOGETHER_MAX",
    "TOKEN_BYTES_MAX",
    "VALUE_BYTES_MAX",
    "VOUCHERS_MAX",
    "WAIT_MAX",
];

/// Longest line of a source file in characters.
const COLUMNS_MAX: usize = 100;

/// A row of the table.
#[derive(Debug)]
struct Row {
    owns: String,
    may_use: BTreeSet<String>,
}

impl Row {
    fn is_pure(&self) -> bool {
        self.owns.contains("pure") || self.owns.contains("std only")
    }
}

/// A crate as cargo knows it; dependencies by the name of their package.
#[derive(Debug)]
struct Crate {
    directory: String,
    uses: BTreeSet<String>,
}

#[test]
fn the_crate_table_holds_every_crate_and_no_other() {
    let in_table: BTreeSet<String> = table().into_keys().collect();
    let in_workspace: BTreeSet<String> = crates().into_values().map(|one| one.directory).collect();
    assert_eq!(
        in_table, in_workspace,
        "ARCHITECTURE.md (left) and Cargo.toml (right)"
    );
}

#[test]
fn a_crate_uses_only_what_the_table_lets_it_use() {
    let table = table();
    let crates = crates();
    let mut broken = Vec::new();
    for (package, one) in &crates {
        let row = &table[&one.directory];
        let ours = one.uses.iter().filter_map(|name| crates.get(name));
        for used in ours {
            let name = short(&used.directory);
            if !row.may_use.contains(name) {
                broken.push(format!("{package} uses {name}"));
            }
        }
    }
    assert_eq!(
        broken,
        Vec::<String>::new(),
        "not in the table of ARCHITECTURE.md"
    );
}

#[test]
fn the_table_names_only_crates_that_are() {
    let table = table();
    let names: BTreeSet<&str> = table.keys().map(|directory| short(directory)).collect();
    for (directory, row) in &table {
        for used in &row.may_use {
            assert!(
                names.contains(used.as_str()),
                "{directory} may use {used}, which is no crate"
            );
        }
    }
}

#[test]
fn foreign_libraries_stay_where_they_belong() {
    let crates = crates();
    for (library, homes) in ONLY_IN {
        for one in crates.values().filter(|one| one.uses.contains(library)) {
            let name = short(&one.directory);
            let at_home = homes.split(' ').any(|home| home == name);
            assert!(at_home, "{name} uses {library}, which belongs into {homes}");
        }
    }
}

#[test]
fn pure_crates_use_nothing_that_acts() {
    let table = table();
    assert!(
        table.values().filter(|row| row.is_pure()).count() >= 5,
        "the table states them"
    );
    for one in crates()
        .values()
        .filter(|one| table[&one.directory].is_pure())
    {
        let acting: Vec<_> = NOT_PURE
            .iter()
            .filter(|name| one.uses.contains(**name))
            .collect();
        assert!(
            acting.is_empty(),
            "{} is pure and uses {acting:?}",
            one.directory
        );
        if table[&one.directory].owns.contains("std only") {
            assert!(one.uses.is_empty(), "{} uses {:?}", one.directory, one.uses);
        }
    }
}

#[test]
fn pure_sources_name_no_clock_file_or_thread() {
    let mut broken = Vec::new();
    for (directory, _) in table().into_iter().filter(|(_, row)| row.is_pure()) {
        for path in rust_files(&root().join(&directory).join("src")) {
            let text = fs::read_to_string(&path).unwrap();
            broken.extend(impure(&text).map(|line| format!("{}: {line}", shown(&path))));
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn what_is_impure_is_seen() {
    let check = |text: &str, expect: usize| assert_eq!(impure(text).count(), expect, "{text}");
    check("let now = std::time::Instant::now();", 1);
    check("use std::{fs, io};", 1);
    check("// Instant would be wrong here\nlet instantaneous = 1;", 0);
    check("#[cfg(test)]\nmod tests {\n    use std::fs;\n}\n", 0);
}

#[test]
fn the_daemon_beside_a_kiosk_has_nothing_of_the_city_in_it() {
    let edge = libraries_of_daemon(&["--no-default-features"]);
    for name in ["axum", "conformance", "hub", "inference", "ort"] {
        assert!(!edge.contains(name), "the edge build has {name} in it");
    }
    let city = libraries_of_daemon(&["--no-default-features", "--features", "hub"]);
    for name in ["hub", "inference", "ort", "reqwest", "sync"] {
        assert!(city.contains(name), "the city's build lacks {name}");
    }
    assert!(edge.contains("reqwest") && edge.contains("sync"));
}

#[test]
fn a_limit_that_peers_meet_stands_once_and_in_the_document() {
    let named: BTreeSet<&str> = wire::limits::ALL.iter().map(|limit| limit.name).collect();
    let mut broken = Vec::new();
    for part in ["hub", "sync", "daemon", "wire"] {
        for path in rust_files(&root().join("syncd").join(part).join("src")) {
            if path.ends_with("wire/src/limits.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let own = text.split("#[cfg(test)]").next().unwrap_or_default();
            for name in constants(own) {
                let known = named.contains(name) || INNER_LIMITS.contains(&name);
                let is_limit = LIMIT_ENDINGS.iter().any(|ending| name.ends_with(ending));
                if named.contains(name) {
                    broken.push(format!(
                        "{}: {name} stands in wire::limits too",
                        shown(&path)
                    ));
                } else if is_limit && !known {
                    broken.push(format!("{}: {name}", shown(&path)));
                }
            }
        }
    }
    assert_eq!(
        broken,
        Vec::<String>::new(),
        "a limit that a peer can meet belongs into wire::limits, which the document is made from; \
         one that only the inside of a program knows into INNER_LIMITS here"
    );
}

/// The names of the constants that a text defines.
fn constants(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let (name, _) = line.strip_prefix("const ")?.split_once(':')?;
        Some(name)
    })
}

#[test]
fn every_source_file_says_why_it_is_there() {
    for path in all_rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//! "),
            "{} does not open with //!",
            shown(&path)
        );
    }
}

#[test]
fn lines_fit_a_hundred_columns() {
    let mut broken = Vec::new();
    for path in all_rust_files() {
        let text = fs::read_to_string(&path).unwrap();
        for (index, line) in text.lines().enumerate() {
            if line.chars().count() > COLUMNS_MAX {
                broken.push(format!("{}:{}", shown(&path), index + 1));
            }
        }
    }
    assert_eq!(
        broken,
        Vec::<String>::new(),
        "longer than {COLUMNS_MAX} columns"
    );
}

#[test]
fn the_words_are_the_fields_own() {
    let this = root().join("tests/tests/house.rs");
    let mut broken = Vec::new();
    for path in all_rust_files().into_iter().filter(|path| *path != this) {
        let text = fs::read_to_string(&path).unwrap().to_lowercase();
        for word in NOT_OUR_WORDS.iter().filter(|word| text.contains(**word)) {
            broken.push(format!("{} says {word}", shown(&path)));
        }
    }
    assert_eq!(broken, Vec::<String>::new());
}

/// The table of ARCHITECTURE.md: the rows after its heading, by the crate's directory.
fn table() -> BTreeMap<String, Row> {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let rows: BTreeMap<String, Row> = text
        .lines()
        .skip_while(|line| !line.starts_with("| crate |"))
        .skip(2)
        .map_while(|line| line.strip_prefix('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let [directory, owns, may_use, ..] = cells[..] else {
                panic!("a row of the crate table has three cells: {line}");
            };
            let may_use = may_use.split(',').map(|name| name.trim().to_owned());
            let row = Row {
                owns: owns.to_owned(),
                may_use: may_use.filter(|name| !name.is_empty()).collect(),
            };
            (directory.to_owned(), row)
        })
        .collect();
    assert!(!rows.is_empty(), "ARCHITECTURE.md has no crate table");
    rows
}

/// The workspace's crates by package name, with what they are built from (tests may use more).
fn crates() -> BTreeMap<String, Crate> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut crates = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        let dependencies = package["dependencies"].as_array().unwrap();
        let one = Crate {
            directory: shown(manifest.parent().unwrap()),
            uses: dependencies
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| text(&dependency["name"]))
                .collect(),
        };
        crates.insert(text(&package["name"]), one);
    }
    crates
}

/// The packages that the daemon is built from, with these features.
fn libraries_of_daemon(features: &[&str]) -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = [
        "tree",
        "--offline",
        "--locked",
        "-p",
        "daemon",
        "-e",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let output = Command::new(cargo)
        .args(tree)
        .args(features)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// The lines that name what acts, outside of comments and of the tests at a file's end.
fn impure(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .filter(|line| !line.trim_start().starts_with("//"))
        .filter(|line| {
            let inside = line.contains("use std::{");
            NOT_PURE_NAMES.iter().any(|name| names(line, name))
                || (inside
                    && ["env", "fs", "net", "process", "thread"]
                        .iter()
                        .any(|m| names(line, m)))
        })
}

/// Whether a line has the name as a whole word.
fn names(line: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_word);
        let after = line[at + name.len()..].chars().next().is_some_and(is_word);
        !before && !after
    })
}

/// The name by which the table calls a crate elsewhere: the last part of its directory.
fn short(directory: &str) -> &str {
    directory.rsplit('/').next().unwrap_or(directory)
}

fn all_rust_files() -> Vec<PathBuf> {
    table()
        .keys()
        .flat_map(|directory| rust_files(&root().join(directory)))
        .collect()
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}
