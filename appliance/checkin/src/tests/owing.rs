//! What happens while the ledger fails or is slow, and that nothing is forgotten over it.

use record::Release;

use super::fixture::{Door, answered, appended, code, ended, face, failed, stranger};
use crate::{
    AppendFailure, DoorRelease, Input, OWED_MAX, OWED_PENDING_MAX, PASSAGES_PENDING_MAX,
    PENDING_MAX, REFUSALS_PENDING_MAX, RELEASES_MAX, SHOWING_MAX, SUBJECTS_MAX,
};

#[test]
fn nobody_is_told_recorded_who_is_not_and_it_is_tried_again() {
    let mut door = Door::new(|_| ());
    door.check(&[
        (0, face(1, "A"), &["append 1: in A Face Compared 0.600"]),
        (
            10,
            failed(1, AppendFailure::DiskFull),
            &["not recorded A: the disk is full (track 1)"],
        ),
        (100, face(1, "A"), &[]),
        (1_000, stranger(1), &[]),
        // Again while they stand there, and the fault itself tries whether the ledger is well.
        (
            2_010,
            Input::Tick,
            &[
                "append 2: in A Face Compared 0.600",
                "append 3: fault Ledger",
            ],
        ),
        (2_020, failed(2, AppendFailure::DiskFull), &[]),
        (2_020, failed(3, AppendFailure::DiskFull), &[]),
        (
            4_020,
            Input::Tick,
            &[
                "append 4: in A Face Compared 0.600",
                "append 5: fault Ledger",
            ],
        ),
    ]);
    assert_eq!(door.0.trouble(), Some(AppendFailure::DiskFull));
    door.check(&[
        (
            4_030,
            appended(4, 1),
            &["release 1", "Welcome A at 4020 (track 1)"],
        ),
        (4_040, appended(5, 2), &[]),
        (
            4_050,
            answered(1, Release::Opened),
            &["append 6: door Opened for 1"],
        ),
    ]);
    assert_eq!(door.0.trouble(), None);
}

#[test]
fn whoever_leaves_unrecorded_becomes_a_loss() {
    let mut door = Door::new(|_| ());
    door.check(&[
        (0, face(1, "A"), &["append 1: in A Face Compared 0.600"]),
        (0, face(2, "C"), &["append 2: in C Face Compared 0.600"]),
        (0, code("Q", 1), &["append 3: in Q Invitation Possession"]),
        (
            0,
            stranger(3),
            &[
                "not on the roster (track 3)",
                "append 4: refused NotOnRoster 0.200",
            ],
        ),
        (5, ended(2), &[]),
        (
            10,
            failed(1, AppendFailure::ReadOnly),
            &["not recorded A: the ledger is read-only (track 1)"],
        ),
        // C is gone already, and so is known never to be recorded by this.
        (
            10,
            failed(2, AppendFailure::ReadOnly),
            &["not recorded C: the ledger is read-only (track 2)"],
        ),
        (
            10,
            failed(3, AppendFailure::ReadOnly),
            &["not recorded Q: the ledger is read-only"],
        ),
        (10, failed(4, AppendFailure::ReadOnly), &[]),
        (500, ended(1), &[]),
        (2_020, Input::Tick, &["append 5: fault Ledger"]),
        (
            2_030,
            appended(5, 1),
            &["append 6: loss Events { count: 4 } Unwritable"],
        ),
    ]);
}

#[test]
fn whoever_waits_is_told_that_it_takes_time() {
    let mut door = Door::new(|_| ());
    door.check(&[
        (0, face(1, "A"), &["append 1: in A Face Compared 0.600"]),
        (1_999, Input::Tick, &[]),
        (2_000, Input::Tick, &["still recording A (track 1)"]),
        (2_500, Input::Tick, &[]),
        (3_000, ended(1), &[]),
        // Late, but recorded: the person is greeted and let in.
        (
            9_000,
            appended(1, 1),
            &["release 1", "Welcome A at 0 (track 1)"],
        ),
        (9_010, appended(1, 1), &[]),
        (9_010, failed(1, AppendFailure::Io), &[]),
    ]);
    assert_eq!(door.0.trouble(), None);
    assert_eq!(door.0.showing().len(), 1);
}

#[test]
fn what_waits_for_the_ledger_is_limited_and_refused_loudly() {
    let mut door = Door::new(|_| ());
    let people = 20;
    for n in 0..people {
        let commands = door.at(0, face(n, &format!("P{n}")));
        let expect = if n < PASSAGES_PENDING_MAX as u64 {
            format!("append {}: in P{n} Face Compared 0.600", n + 1)
        } else {
            format!("not recorded P{n}: the ledger is too far behind (track {n})")
        };
        assert_eq!(commands, [expect]);
    }
    assert_eq!(door.0.pending(), PASSAGES_PENDING_MAX);
    // A refusal has room of its own, and no more than that.
    let mut refused = 0;
    for n in 0..SUBJECTS_MAX as u64 {
        door.at(61_000 * n, ended(100 + n - u64::from(n > 0)));
        let commands = door.at(61_000 * n, stranger(100 + n));
        refused += commands.iter().filter(|c| c.contains("refused")).count();
    }
    assert_eq!(refused, REFUSALS_PENDING_MAX);
    assert!(door.0.pending() <= PENDING_MAX);
    // As soon as there is room, those who still stand there are tried again.
    let later = 61_000 * SUBJECTS_MAX as u64;
    let commands = door.at(later, appended(1, 1));
    assert_eq!(commands[..2], ["release 1", "Welcome P0 at 0 (track 0)"]);
    assert!(
        commands[2].ends_with("in P16 Face Compared 0.600"),
        "{commands:?}"
    );
}

#[test]
fn what_is_owed_is_limited_and_the_rest_becomes_a_loss() {
    let mut door = Door::new(|c| c.release = DoorRelease::None);
    let mut token = 0;
    // A meeting opened and closed over and over while nothing is answered.
    for _ in 0..OWED_MAX {
        for input in [Input::Open(None), Input::Close(None)] {
            token += door.at(0, input).len() as u64;
        }
    }
    assert_eq!(token, OWED_PENDING_MAX as u64);
    let mut written = Vec::new();
    let mut answered = 0;
    while answered < token {
        answered += 1;
        let commands = door.at(10, appended(answered, answered));
        token += commands.len() as u64;
        written.extend(commands);
    }
    let lost = 2 * OWED_MAX - OWED_PENDING_MAX - OWED_MAX;
    let expect = format!("append {token}: loss Events {{ count: {lost} }} Overflow");
    assert_eq!(written.last(), Some(&expect));
    assert_eq!(written.len(), OWED_MAX + 1);
}

#[test]
fn releases_are_limited_and_what_did_not_open_is_recorded() {
    let mut door = Door::new(|_| ());
    let mut releases = 0;
    let mut failures = 0;
    let mut token = 0;
    for n in 0..20 {
        token += 1;
        assert_eq!(door.at(0, face(n, &format!("P{n}"))).len(), 1);
        for command in door.at(0, appended(token, n + 1)) {
            releases += usize::from(command.starts_with("release"));
            if command.contains("door Failed") {
                failures += 1;
                token += 1;
                door.at(0, appended(token, 100 + n));
            }
        }
        door.at(0, ended(n));
    }
    assert_eq!((releases, failures), (RELEASES_MAX, 20 - RELEASES_MAX));
    assert!(door.0.showing().len() <= SHOWING_MAX);
}

#[test]
fn a_crowd_pushes_out_who_was_seen_longest_ago() {
    let mut door = Door::new(|_| ());
    for n in 0..=SUBJECTS_MAX as u64 {
        door.at(n, stranger(n));
    }
    // The first was forgotten and is told anew, the last is not.
    let last = SUBJECTS_MAX as u64;
    assert!(door.at(100, stranger(last)).is_empty());
    assert_eq!(door.at(100, stranger(0)), ["not on the roster (track 0)"]);
}
