//! Who is called, greeted, let in, and told what.

use record::{Amendment, Body, CheckIn, Context, Correction, CorrectionReason, Release};
use vocabulary::{Digest, Direction, Epoch, Means, MeetingId, Monotonic, Sequence};

use super::fixture::{
    Door, EPOCH, answered, appended, code, config, doubtful, ended, face, invitation,
    nobody_to_compare, notice_text, person, record, roster, stranger, weak_face,
};
use crate::{
    Command, DoorRelease, FaceMode, GreetingKind, Headcount, Input, REFUSALS_PER_MINUTE_MAX,
    Session, Shown, Substitute,
};

/// What a session shows, as texts.
fn shown(door: &Door) -> Vec<String> {
    let text = |what: &Shown| match what {
        Shown::Greeting(greeting) => format!("{:?} {}", greeting.kind, greeting.delegate.person),
        Shown::Notice(notice) => notice_text(notice),
    };
    door.0
        .showing()
        .iter()
        .map(|showing| text(&showing.what))
        .collect()
}

#[test]
fn a_known_face_is_recorded_then_let_in_then_greeted() {
    let mut door = Door::new(|_| ());
    door.check(&[
        (100, face(1, "A"), &["append 1: in A Face Compared 0.600"]),
        // Nothing happens until the ledger says so.
        (120, face(1, "A"), &[]),
        (140, Input::Tick, &[]),
        (
            150,
            appended(1, 7),
            &["release 7", "Welcome A at 100 (track 1)"],
        ),
        (160, face(1, "A"), &[]),
        (
            200,
            answered(7, Release::Opened),
            &["append 2: door Opened for 7"],
        ),
        (210, appended(2, 8), &[]),
        // The relay repeats itself: nothing new.
        (220, answered(7, Release::Failed), &[]),
    ]);
    assert_eq!(
        door.0.headcount(),
        Headcount {
            present: 1,
            expected: 44
        }
    );
    assert_eq!(door.0.pending(), 0);
}

#[test]
fn a_greeting_says_what_the_screen_needs() {
    let mut door = Door::new(|_| ());
    door.at(100, face(1, "A"));
    let mut out = Vec::new();
    door.0
        .handle(&super::fixture::now(150), appended(1, 7), &mut out);
    let Some(Command::Greet(greeting)) = out.pop() else {
        panic!("no greeting");
    };
    assert_eq!(greeting.delegate, roster().entries()[0].delegate);
    assert!(
        greeting.shared_name,
        "two are called so, the unit belongs beside it"
    );
    assert_eq!(
        (greeting.kind, greeting.means),
        (GreetingKind::Welcome, Means::Face)
    );
    assert_eq!(greeting.at.monotonic, Monotonic::from_millis(100));
    door.at(200, face(2, "C"));
    door.0
        .handle(&super::fixture::now(250), appended(2, 8), &mut out);
    let Some(Command::Greet(greeting)) = out.pop() else {
        panic!("no greeting");
    };
    assert!(!greeting.shared_name);
}

#[test]
fn a_record_says_under_which_circumstances() {
    let mut door = Door::new(|_| ());
    let mut out = Vec::new();
    door.0
        .handle(&super::fixture::now(100), face(1, "A"), &mut out);
    let [Command::Append { at, body, .. }] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(*at, super::fixture::now(100));
    let Body::CheckIn(check_in) = &**body else {
        panic!("{body:?}");
    };
    let expect = Context {
        meeting: MeetingId::new("HOP-1").unwrap(),
        generation: 1,
        roster: record::roster_digest(&roster()),
        door: config().door,
        policy: 1,
        software: config().software,
    };
    assert_eq!(check_in.context, expect);
    let comparison = check_in.comparison.as_ref().unwrap();
    assert_eq!((comparison.threshold.value(), comparison.frames), (0.5, 3));
    assert_eq!(comparison.space.name(), "test");
}

#[test]
fn a_substitute_is_recorded_and_greeted_for_whom_they_attend() {
    let right = |person_id: &str, instead_of: &str| Substitute {
        person: person(person_id),
        instead_of: person(instead_of),
        document: record::Text::clipped("12/GUQ"),
    };
    let mut door = Door::new(|config| {
        config.substitutes = vec![
            right("A", "C"),
            // A second right of one person, and such of and for people who are not expected or
            // are one and the same, count for nothing.
            right("A", "Q"),
            right("X", "C"),
            right("B", "X"),
            right("P0", "P0"),
        ];
    });
    door.check(&[
        (
            100,
            face(1, "A"),
            &["append 1: in A for C by 12/GUQ Face Compared 0.600"],
        ),
        (
            150,
            appended(1, 7),
            &["release 7", "Welcome A for C at 100 (track 1)"],
        ),
        // By a code as well as by face.
        (
            12_000,
            code("A", 1),
            &[
                "release 7",
                "AlreadyCalled A for C at 100",
                "append 2: door NoAnswer for 7",
            ],
        ),
        (
            12_100,
            face(2, "B"),
            &["append 3: in B Face Compared 0.600"],
        ),
        (
            12_200,
            face(3, "P0"),
            &["append 4: in P0 Face Compared 0.600"],
        ),
    ]);
    let mut by_code = Door::new(|config| config.substitutes = vec![right("Q", "C")]);
    by_code.check(&[(
        100,
        code("Q", 1),
        &["append 1: in Q for C by 12/GUQ Invitation Possession"],
    )]);
}

#[test]
fn several_people_at_once_each_get_their_own() {
    let mut door = Door::new(|c| c.release = DoorRelease::None);
    door.check(&[
        (100, face(1, "A"), &["append 1: in A Face Compared 0.600"]),
        (
            100,
            stranger(2),
            &[
                "not on the roster (track 2)",
                "append 2: refused NotOnRoster 0.200",
            ],
        ),
        (100, face(3, "C"), &["append 3: in C Face Compared 0.600"]),
        (
            150,
            appended(3, 3),
            &[
                "Welcome C at 100 (track 3)",
                "append 4: door NotConfigured for 3",
            ],
        ),
        (
            151,
            appended(1, 1),
            &[
                "Welcome A at 100 (track 1)",
                "append 5: door NotConfigured for 1",
            ],
        ),
    ]);
    assert_eq!(
        shown(&door),
        ["not on the roster (track 2)", "Welcome C", "Welcome A"]
    );
}

#[test]
fn a_person_is_recorded_once() {
    let mut door = Door::new(|_| ());
    door.check(&[
        (0, face(1, "A"), &["append 1: in A Face Compared 0.600"]),
        // The tracker lost and found the face, and the invitation is shown as well.
        (10, face(2, "A"), &[]),
        (20, code("A", 1), &[]),
        (
            30,
            appended(1, 7),
            &["release 7", "Welcome A at 0 (track 1)"],
        ),
        (40, face(2, "A"), &[]),
        (50, face(3, "A"), &[]),
        (60, code("A", 1), &[]),
        (
            70,
            answered(7, Release::Opened),
            &["append 2: door Opened for 7"],
        ),
        // They come back later: the same record lets them in, and the first time is named.
        (
            20_000,
            face(4, "A"),
            &["release 7", "AlreadyCalled A at 0 (track 4)"],
        ),
        (20_100, face(4, "A"), &[]),
        (
            20_200,
            answered(7, Release::Opened),
            &["append 3: door Opened for 7"],
        ),
        (21_000, face(5, "A"), &[]),
        (40_000, code("A", 1), &["release 7", "AlreadyCalled A at 0"]),
        // The code is held there: it stays one code.
        (41_900, code("A", 1), &[]),
        (43_800, code("A", 1), &[]),
        (45_700, code("A", 1), &["append 4: door NoAnswer for 7"]),
        (47_600, code("A", 1), &[]),
        (49_500, code("A", 1), &[]),
        (51_400, code("A", 1), &[]),
    ]);
}

#[test]
fn without_a_door_nothing_is_ever_released() {
    let mut door = Door::new(|c| c.release = DoorRelease::None);
    door.check(&[
        (0, face(1, "A"), &["append 1: in A Face Compared 0.600"]),
        (
            30,
            appended(1, 7),
            &[
                "Welcome A at 0 (track 1)",
                "append 2: door NotConfigured for 7",
            ],
        ),
        (20_000, face(2, "A"), &["AlreadyCalled A at 0 (track 2)"]),
        (20_000, answered(7, Release::Opened), &[]),
    ]);
}

#[test]
fn a_silent_door_is_recorded() {
    let mut door = Door::new(|_| ());
    door.check(&[
        (0, face(1, "A"), &["append 1: in A Face Compared 0.600"]),
        (
            30,
            appended(1, 7),
            &["release 7", "Welcome A at 0 (track 1)"],
        ),
        (5_029, Input::Tick, &[]),
        (5_030, Input::Tick, &["append 2: door NoAnswer for 7"]),
        (5_040, answered(7, Release::Opened), &[]),
    ]);
}

#[test]
fn a_door_is_not_told_twice_for_one_record_at_a_time() {
    let mut door = Door::new(|c| c.timings.release_answer = std::time::Duration::from_secs(60));
    door.check(&[
        (0, face(1, "A"), &["append 1: in A Face Compared 0.600"]),
        (
            30,
            appended(1, 7),
            &["release 7", "Welcome A at 0 (track 1)"],
        ),
        (20_000, face(2, "A"), &["AlreadyCalled A at 0 (track 2)"]),
        (
            20_100,
            answered(7, Release::Opened),
            &["append 2: door Opened for 7"],
        ),
        (
            40_000,
            face(3, "A"),
            &["release 7", "AlreadyCalled A at 0 (track 3)"],
        ),
    ]);
}

#[test]
fn a_restart_owes_outcomes_only_where_none_is_written() {
    let mut before = Door::new(|_| ());
    let mut bodies = Vec::new();
    let mut take = |door: &mut Door, input| {
        let mut out = Vec::new();
        door.0.handle(&super::fixture::now(0), input, &mut out);
        bodies.extend(out.into_iter().filter_map(|command| match command {
            Command::Append { body, .. } => Some(*body),
            Command::Release { .. } | Command::Greet(_) | Command::Notify(_) => None,
        }));
    };
    take(&mut before, face(1, "A"));
    take(&mut before, appended(1, 1));
    take(&mut before, answered(1, Release::Opened));
    take(&mut before, face(2, "C"));
    // A secretary wrote B down; no door was asked.
    let Body::CheckIn(check_in) = bodies[0].clone() else {
        panic!("{bodies:?}");
    };
    bodies.push(Body::CheckIn(CheckIn {
        person: person("B"),
        means: Means::Secretary,
        actor: Some(person("THU-KY")),
        ..check_in
    }));
    let records: Vec<_> = (1..)
        .zip(bodies)
        .map(|(n, body)| record(n, 0, body))
        .collect();
    let mut door = Door::restored(|_| (), &records);
    assert_eq!(door.0.headcount().present, 3);
    assert_eq!(door.at(10, Input::Tick), ["append 1: door NoAnswer for 3"]);
    let mut door = Door::restored(|c| c.release = DoorRelease::None, &records);
    assert_eq!(
        door.at(10, Input::Tick),
        ["append 1: door NotConfigured for 3"]
    );
}

#[test]
fn a_stranger_is_told_courteously_and_recorded_once() {
    let mut door = Door::new(|_| ());
    door.check(&[
        (
            0,
            stranger(1),
            &[
                "not on the roster (track 1)",
                "append 1: refused NotOnRoster 0.200",
            ],
        ),
        (100, stranger(1), &[]),
        (200, appended(1, 1), &[]),
        (
            300,
            doubtful(1, "A", Some("B")),
            &["second means (track 1)"],
        ),
        (400, stranger(1), &["not on the roster (track 1)"]),
        (
            500,
            nobody_to_compare(2),
            &[
                "not on the roster (track 2)",
                "append 2: refused NotOnRoster",
            ],
        ),
        // Better frames: it is somebody after all.
        (600, face(1, "C"), &["append 3: in C Face Compared 0.600"]),
        (
            700,
            appended(3, 9),
            &["release 9", "Welcome C at 600 (track 1)"],
        ),
        (800, stranger(1), &[]),
    ]);
    assert_eq!(shown(&door), ["not on the roster (track 2)", "Welcome C"]);
}

#[test]
fn passers_by_do_not_fill_the_ledger() {
    let mut door = Door::new(|_| ());
    let mut recorded = 0;
    for track in 0..100 {
        let commands = door.at(track * 100, stranger(track));
        assert_eq!(commands[0], format!("not on the roster (track {track})"));
        let appends = commands.iter().filter(|c| c.starts_with("append")).count();
        recorded += appends;
        if appends == 1 {
            door.at(track * 100, appended(recorded as u64, 1));
        }
        door.at(track * 100 + 50, ended(track));
    }
    assert_eq!(recorded, REFUSALS_PER_MINUTE_MAX);
    assert_eq!(
        door.0.refusals_left_out(),
        100 - REFUSALS_PER_MINUTE_MAX as u64
    );
    // Another reason has a limit of its own, and a minute later there is room again.
    assert_eq!(door.at(9_990, doubtful(200, "A", Some("B"))).len(), 2);
    assert_eq!(door.at(60_000, stranger(201)).len(), 2);
}

#[test]
fn a_doubtful_face_is_settled_by_a_code() {
    let mut door = Door::new(|_| ());
    door.check(&[
        (
            0,
            doubtful(1, "A", Some("B")),
            &[
                "second means (track 1)",
                "append 1: refused Ambiguous 0.600",
            ],
        ),
        (100, appended(1, 1), &[]),
        (200, code("B", 1), &["append 2: in B Invitation Possession"]),
        (300, appended(2, 2), &["release 2", "Welcome B at 200"]),
        // The face in front is answered for.
        (400, doubtful(1, "A", Some("B")), &[]),
    ]);
    assert_eq!(shown(&door), ["Welcome B"]);
}

#[test]
fn a_face_that_only_proposes_counts_with_the_code_of_its_person() {
    let mut door = Door::new(|c| c.face = FaceMode::Proposes);
    door.check(&[
        (
            0,
            face(1, "A"),
            &[
                "second means (track 1)",
                "append 1: refused Ambiguous 0.600",
            ],
        ),
        (
            100,
            code("A", 1),
            &["append 2: in A Invitation Compared 0.600"],
        ),
        (200, appended(2, 2), &["release 2", "Welcome A at 100"]),
        (250, face(1, "A"), &[]),
        // Another's code is worth no more than itself.
        (
            300,
            face(2, "C"),
            &[
                "second means (track 2)",
                "append 3: refused Ambiguous 0.600",
            ],
        ),
        (400, code("B", 1), &["append 4: in B Invitation Possession"]),
    ]);
}

#[test]
fn the_policy_s_own_proposal_is_treated_alike() {
    let mut door = Door::new(|_| ());
    door.check(&[
        (
            0,
            doubtful(1, "A", None),
            &[
                "second means (track 1)",
                "append 1: refused Ambiguous 0.600",
            ],
        ),
        (
            100,
            code("A", 1),
            &["append 2: in A Invitation Compared 0.600"],
        ),
    ]);
}

#[test]
fn a_face_never_names_whom_it_must_not() {
    let fault = "append 2: fault Inference";
    let mut door = Door::new(|_| ());
    // Q is to be called by code only: not even the comparison is kept.
    let unnamed: &[&str] = &[
        "second means (track 1)",
        "append 1: refused Ambiguous",
        fault,
    ];
    door.check(&[
        (0, face(1, "Q"), unnamed),
        (100, code("Q", 1), &["append 3: in Q Invitation Possession"]),
        (
            200,
            doubtful(2, "Q", None),
            &["second means (track 2)", "append 4: refused Ambiguous"],
        ),
        // Nobody of this roster; the defect is recorded once.
        (
            300,
            face(3, "X"),
            &["second means (track 3)", "append 5: refused Ambiguous"],
        ),
    ]);
    // Nor is the face tied to the code that came after it.
    assert!(shown(&door).contains(&"second means (track 1)".to_owned()));
    let mut door = Door::new(|_| ());
    let low: &[&str] = &[
        "second means (track 1)",
        "append 1: refused Ambiguous 0.400",
        fault,
    ];
    door.check(&[
        (0, weak_face(1, "A"), low),
        (50, code("A", 1), &["append 3: in A Invitation Possession"]),
    ]);
}

#[test]
fn an_invitation_that_is_not_accepted_is_told_why() {
    let refused = |why| Input::InvitationRefused(why);
    let expired = credential::VerifyError::Expired {
        not_after: vocabulary::WallTime(0),
    };
    let mut door = Door::new(|_| ());
    door.check(&[
        (
            0,
            refused(credential::VerifyError::Signature),
            &[
                "refused: the invitation is not signed by the organisation of this meeting",
                "append 1: refused InvalidCredential",
            ],
        ),
        (50, refused(credential::VerifyError::Signature), &[]),
        (
            100,
            refused(expired),
            &["refused: the invitation is no longer valid"],
        ),
        (
            200,
            Input::Invitation(invitation("HOP-2", "A", 1)),
            &[
                "refused: the invitation is for another meeting",
                "append 2: refused InvalidCredential",
            ],
        ),
        (
            300,
            code("X", 1),
            &["not on the roster", "append 3: refused NotOnRoster"],
        ),
    ]);
}

#[test]
fn a_door_that_leads_out_lets_people_leave() {
    let mut door = Door::new(|c| c.direction = Direction::Out);
    door.check(&[
        (0, face(1, "A"), &["append 1: out A Face Compared 0.600"]),
        (
            50,
            appended(1, 7),
            &["release 7", "Farewell A at 0 (track 1)"],
        ),
        (
            20_000,
            face(2, "A"),
            &[
                "release 7",
                "AlreadyLeft A at 0 (track 2)",
                "append 2: door NoAnswer for 7",
            ],
        ),
    ]);
    let mut door = Door::new(|c| {
        c.direction = Direction::Out;
        c.release = DoorRelease::None;
    });
    door.at(0, face(1, "A"));
    door.at(50, appended(1, 7));
    assert_eq!(
        door.at(20_000, face(2, "A")),
        ["AlreadyLeft A at 0 (track 2)"]
    );
}

#[test]
fn what_is_shown_ends_by_itself() {
    let mut door = Door::new(|_| ());
    door.at(0, face(1, "A"));
    door.at(0, stranger(2));
    door.at(0, stranger(3));
    door.at(0, appended(1, 1));
    let check = |door: &mut Door, at_ms, expect: &[&str]| {
        door.at(at_ms, Input::Tick);
        assert_eq!(shown(door), expect, "at {at_ms}");
    };
    let (two, three) = ("not on the roster (track 2)", "not on the roster (track 3)");
    door.at(1_000, ended(3));
    check(&mut door, 3_999, &[two, three, "Welcome A"]);
    // Whoever still stands there may go on reading, up to a limit.
    check(&mut door, 4_000, &[two]);
    check(&mut door, 14_999, &[two]);
    check(&mut door, 15_000, &[]);
}

#[test]
fn a_restart_goes_on_where_the_records_leave_off() {
    let mut before = Door::new(|_| ());
    let mut out = Vec::new();
    before
        .0
        .handle(&super::fixture::now(100), Input::Open(None), &mut out);
    before
        .0
        .handle(&super::fixture::now(100), face(1, "A"), &mut out);
    before
        .0
        .handle(&super::fixture::now(200), face(2, "C"), &mut out);
    let mut records: Vec<_> = (1..)
        .zip(out)
        .filter_map(|(number, command)| match command {
            Command::Append { at, body, .. } => {
                Some(record(number, at.monotonic.as_millis(), *body))
            }
            Command::Release { .. } | Command::Greet(_) | Command::Notify(_) => None,
        })
        .collect();
    assert_eq!(records.len(), 3);
    // C's was a mistake, and B came by another ledger file of this kiosk.
    records.push(record(
        4,
        300,
        Body::Correction(Correction {
            of: (EPOCH, Sequence(3)),
            amendment: Amendment::Annulled,
            reason: CorrectionReason::WrongPerson,
            actor: None,
        }),
    ));
    let Body::CheckIn(check_in) = records[1].body.clone() else {
        panic!("{records:?}");
    };
    let mut other = record(
        1,
        50,
        Body::CheckIn(CheckIn {
            person: person("B"),
            ..check_in
        }),
    );
    other.epoch = Epoch([9; 16]);
    records.push(other);

    let mut door = Door::restored(|_| (), &records);
    assert_eq!(door.0.headcount().present, 2);
    door.check(&[
        // Whether the door opened for A and for C nobody knows.
        (
            9_000,
            Input::Open(None),
            &[
                "append 1: door NoAnswer for 2",
                "append 2: door NoAnswer for 3",
            ],
        ),
        (
            9_000,
            face(1, "A"),
            &["release 2", "AlreadyCalled A at 100 (track 1)"],
        ),
        // A door does not open by a record that its outcome could not name.
        (9_000, face(2, "B"), &["AlreadyCalled B at 50 (track 2)"]),
        (9_000, face(3, "C"), &["append 3: in C Face Compared 0.600"]),
        (9_100, Input::Close(None), &["append 4: closed"]),
        (9_100, Input::Close(None), &[]),
    ]);
}

#[test]
fn records_of_another_meeting_do_not_count() {
    let mut door = Door::new(|_| ());
    let mut out = Vec::new();
    door.0
        .handle(&super::fixture::now(100), Input::Open(None), &mut out);
    door.0
        .handle(&super::fixture::now(100), face(1, "A"), &mut out);
    let records: Vec<_> = (1..)
        .zip(out)
        .map(|(number, command)| {
            let Command::Append { body, .. } = command else {
                panic!("{command:?}");
            };
            let mut body = *body;
            match &mut body {
                Body::CheckIn(CheckIn { context, .. })
                | Body::MeetingOpened(record::MeetingOpened { context, .. }) => {
                    context.meeting = MeetingId::new("HOP-2").unwrap();
                }
                other => panic!("{other:?}"),
            }
            record(number, 100, body)
        })
        .collect();
    let session = Session::restore(roster(), config(), &records);
    assert_eq!(session.headcount().present, 0);
    let mut door = Door(session);
    assert_eq!(door.at(0, Input::Open(None)), ["append 1: opened"]);
}

#[test]
fn a_meeting_is_opened_again_by_another_roster_or_after_its_end() {
    let mut door = Door::new(|_| ());
    let mut out = Vec::new();
    for input in [Input::Open(None), Input::Close(None)] {
        door.0.handle(&super::fixture::now(100), input, &mut out);
    }
    let bodies: Vec<Body> = out
        .into_iter()
        .filter_map(|command| match command {
            Command::Append { body, .. } => Some(*body),
            Command::Release { .. } | Command::Greet(_) | Command::Notify(_) => None,
        })
        .collect();
    let mut other = bodies[0].clone();
    if let Body::MeetingOpened(opened) = &mut other {
        opened.context.roster = Digest([9; 32]);
    }
    let check = |bodies: &[&Body], expect: &[&str]| {
        let records: Vec<_> = (1..)
            .zip(bodies)
            .map(|(number, body)| record(number, 100, (*body).clone()))
            .collect();
        let mut door = Door::restored(|_| (), &records);
        assert_eq!(door.at(200, Input::Open(None)), expect);
    };
    check(&[], &["append 1: opened"]);
    check(&[&bodies[0]], &[]);
    check(&[&bodies[0], &bodies[1]], &["append 1: opened"]);
    check(&[&other], &["append 1: opened"]);
}

#[test]
fn a_second_means_of_someone_inside_only_answers_the_face() {
    let mut door = Door::new(|c| c.release = DoorRelease::None);
    door.at(0, face(1, "A"));
    door.at(50, appended(1, 7));
    door.check(&[
        (
            20_000,
            doubtful(2, "A", Some("B")),
            &[
                "second means (track 2)",
                "append 3: refused Ambiguous 0.600",
            ],
        ),
        (20_100, code("A", 1), &["AlreadyCalled A at 0"]),
    ]);
    assert_eq!(shown(&door), ["AlreadyCalled A"]);
}
