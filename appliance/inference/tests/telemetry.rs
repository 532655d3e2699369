//! Proof that ONNX Runtime reports to nobody: a child process runs both networks in an empty
//! environment and is looked at from outside and inside.
//!
//! With telemetry on, the published library starts threads, keeps files in the user's cache
//! directory and opens sockets, in this order and at leisure. So the proof is that a process which
//! ran the networks has one thread, no socket, and that nothing was written. That this would be
//! seen is proved on a control: the same library with only the API's switch off leaves traces. The
//! control runs where there is no network, or not at all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output};
use std::thread;

use common::{library, networks};
use imaging::Picture;
use inference::{InferenceError, Runtime, forbid_telemetry};

/// What a child is told to do, as its first argument.
const OURS: &str = "child-ours";
const LATE: &str = "child-late";
const CONTROL: &str = "child-control";

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some(OURS) => child_ours(),
        Some(LATE) => child_late(),
        Some(CONTROL) => child_control(),
        _ => parent(),
    }
    ExitCode::SUCCESS
}

fn parent() {
    let Some(library) = library() else {
        return;
    };
    assert!(library.is_file());
    networks_run_without_a_trace();
    what_is_too_late_is_refused();
    the_control_leaves_traces();
}

fn networks_run_without_a_trace() {
    let place = tempfile::tempdir().unwrap();
    let output = run(&mut child(OURS, place.path()));
    assert_eq!(text(&output.stderr), "", "it prints nothing");
    assert_eq!(text(&output.stdout), "threads 1\nsockets 0\n");
    assert_eq!(files_below(place.path()), Vec::<String>::new());
    println!("telemetry: both networks ran with one thread, no socket and no file");
}

fn what_is_too_late_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let output = run(&mut child(LATE, place.path()));
    assert_eq!(
        text(&output.stdout),
        "refused\n",
        "{}",
        text(&output.stderr)
    );
    assert_eq!(files_below(place.path()), Vec::<String>::new());
    println!("telemetry: no start where it is too late to forbid it");
}

fn the_control_leaves_traces() {
    let place = tempfile::tempdir().unwrap();
    let command = child(CONTROL, place.path());
    let mut without_network = Command::new("unshare");
    without_network
        .args(["--map-root-user", "--net"])
        .arg(command.get_program());
    without_network
        .args(command.get_args())
        .current_dir(place.path())
        .env_clear();
    for (key, value) in command.get_envs() {
        without_network.envs(value.map(|value| (key, value)));
    }
    let Some(output) = without_network
        .output()
        .ok()
        .filter(|output| output.status.success())
    else {
        println!("telemetry: control skipped, as no process without a network can be made here");
        return;
    };
    let files = files_below(place.path());
    let threads = text(&output.stdout);
    assert!(
        !files.is_empty() && threads != "threads 1\n",
        "a control without traces: {threads}"
    );
    println!(
        "telemetry: the control was seen ({} files, {})",
        files.len(),
        threads.trim()
    );
}

/// As the kiosk does it: forbid, load, run.
fn child_ours() {
    forbid_telemetry().unwrap();
    let (_, mut detector, mut comparer) = networks().unwrap();
    for _ in 0..3 {
        detector
            .detect(&Picture::new(320, 240).unwrap(), &mut Vec::new())
            .unwrap();
        comparer.template(&Picture::new(112, 112).unwrap()).unwrap();
    }
    println!("threads {}\nsockets {}", threads(), sockets());
}

/// Another thread runs, and nobody forbade anything.
fn child_late() {
    let waiting = thread::spawn(thread::park);
    let refused = Runtime::load(&library().unwrap());
    assert!(matches!(
        refused,
        Err(InferenceError::TelemetryNotForbidden { .. })
    ));
    waiting.thread().unpark();
    waiting.join().unwrap();
    println!("refused");
}

/// The library with the switch that its API has, and without the environment variable.
fn child_control() {
    let builder = ort::init_from(library().unwrap()).unwrap();
    let _environment = builder.with_telemetry(false).build().unwrap();
    println!("threads {}", threads());
}

fn child(role: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    // An environment that says "this is a test" or "this is CI" would itself turn telemetry off.
    command.arg(role).current_dir(place).env_clear();
    command
        .env("HOME", place.join("home"))
        .env("TMPDIR", place.join("tmp"));
    command.env("DIEMDANH_SETUP", fs::canonicalize(common::setup()).unwrap());
    fs::create_dir(place.join("home")).unwrap();
    fs::create_dir(place.join("tmp")).unwrap();
    command
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    output
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

fn sockets() -> usize {
    fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

fn files_below(place: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path.display().to_string());
        }
    }
    found
}
