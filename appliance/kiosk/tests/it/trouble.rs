//! What keeps a kiosk from its work: it is named on the screen, by the message and by the exit
//! status, nobody is welcomed who was not recorded, and nothing that was recorded is lost.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use ledger::{Ledger, LocalStore};
use record::{Body, Fault, Part, Text};
use seal::FileKeyStore;
use vocabulary::{BootId, ClockQuality, DeviceId, Monotonic, Stamp, WallTime};

use crate::kit::{DEVICE, Files, Kit, NO_CAMERA, is_set_up, is_superuser, root};
use crate::portraits::delegate_comes;
use crate::setting::{MEETING, ROSTER, called, import, presence, ready, roll, run};

/// Records that fill many pages of a ledger.
const MANY_RECORDS: u64 = 400;

/// Bytes of a database's page.
const PAGE_BYTES: usize = 4096;

/// Attendance cannot be recorded: status 3, the trouble on the screen, and nobody welcomed.
fn expect_not_recording(kit: &Kit, said: &[&str]) {
    kit.clear_screens();
    run(kit).refused(3, &[&["attendance is not being recorded"], said].concat());
    let scenes = kit.scenes();
    assert_eq!(
        scenes.last().map(String::as_str),
        Some("trouble"),
        "{scenes:?}"
    );
    assert!(
        !kit.showed("welcome") && !kit.showed("already-called"),
        "{scenes:?}"
    );
}

fn stamp() -> Stamp {
    Stamp {
        wall: WallTime(1_790_000_000_000),
        quality: ClockQuality::FreeRunning,
        boot: BootId([7; 16]),
        monotonic: Monotonic::from_millis(1),
    }
}

fn open_ledger(kit: &Kit) -> Ledger {
    let device = DeviceId::new(DEVICE).unwrap();
    Ledger::open(&kit.ledger(), &device, stamp()).unwrap()
}

/// Writes many records that mean nothing to any meeting.
fn fill(kit: &Kit) {
    let mut ledger = open_ledger(kit);
    for number in 0..MANY_RECORDS / 50 {
        let body = |index: u64| {
            let what = Text::new(&format!("event {}", 50 * number + index)).unwrap();
            Body::Fault(Fault {
                part: Part::Camera,
                what,
            })
        };
        ledger
            .append_batch(stamp(), (0..50).map(body).collect())
            .unwrap();
    }
}

#[test]
fn a_ledger_that_another_process_holds_is_named_with_that_process() {
    if !is_set_up() {
        return;
    }
    let kit = called();
    let before = roll(&kit);
    let held = open_ledger(&kit);
    let holder = format!("process {} uses it", std::process::id());
    expect_not_recording(
        &kit,
        &["LED-04", "ledger.db", &holder, "end that one first"],
    );
    // Reading goes on meanwhile.
    assert_eq!(roll(&kit), before);
    drop(held);
    run(&kit).done();
    assert_eq!(roll(&kit), before);
}

#[test]
fn rosters_that_another_process_changes_are_left_alone() {
    let kit = Kit::new();
    let sheet = kit.file("people.csv", ROSTER);
    import(&kit, &sheet).done();
    let device = DeviceId::new(DEVICE).unwrap();
    let keys = FileKeyStore::open(&kit.data().join("device.key")).unwrap();
    let held = LocalStore::open(&kit.data().join("local.db"), &device, Arc::new(keys)).unwrap();
    let changed = kit.file("changed.csv", ROSTER.replace("Sở Khác", "Sở Mới"));
    let holder = format!("process {} uses it", std::process::id());
    import(&kit, &changed).refused(1, &["local.db", &holder, "end that one first"]);
    // Reading goes on meanwhile, and shows what was there.
    let json = kit.run(&["roster", "export", MEETING]).done();
    assert!(json.contains("Sở Khác"), "{json}");
    drop(held);
    import(&kit, &changed).done();
}

#[test]
fn what_was_never_there_is_said_with_what_makes_it() {
    let kit = Kit::new();
    for command in ["verify", "export"] {
        kit.run(&["ledger", command])
            .refused(1, &["no ledger yet", "kiosk run"]);
    }
    kit.run(&["roll"])
        .refused(1, &["no ledger yet", "kiosk run"]);
    kit.run(&["roster", "list"])
        .refused(1, &["no rosters", "kiosk roster import"]);
    assert!(!kit.data().exists(), "looking makes nothing");
}

#[test]
fn a_ledger_of_a_newer_version_is_left_alone() {
    if !is_set_up() {
        return;
    }
    let kit = called();
    let before = roll(&kit);
    let set_version = |version: u32| {
        let database = rusqlite::Connection::open(kit.ledger()).unwrap();
        database
            .pragma_update(None, "user_version", version)
            .unwrap();
    };
    set_version(99);
    let said = [
        "LED-05",
        "ledger.db",
        "version 99",
        "install the version that wrote it",
    ];
    expect_not_recording(&kit, &said);
    kit.run(&["roll"]).refused(3, &["version 99"]);
    kit.run(&["ledger", "export"]).refused(3, &["version 99"]);
    let verified = kit
        .run(&["ledger", "verify"])
        .refused(1, &["version 99", "install the version"]);
    assert!(
        !verified.stderr.contains("broken"),
        "it is not: {}",
        verified.stderr
    );
    set_version(1);
    assert_eq!(roll(&kit), before);
}

/// Wraps the program so that the superuser's right to write anything does not help it. `false`
/// where that cannot be had.
fn bind_to_permissions(kit: &mut Kit) -> bool {
    if !is_superuser() {
        return true;
    }
    let rights = "--bounding-set=-dac_override,-dac_read_search \
                  --inh-caps=-dac_override,-dac_read_search";
    let probe = format!("setpriv {rights} true");
    if !Command::new("sh")
        .args(["-c", &probe])
        .status()
        .unwrap()
        .success()
    {
        eprintln!("not checked: the superuser's rights cannot be given up here");
        return false;
    }
    kit.wrapped = Some(format!("exec setpriv {rights} \"$0\" \"$@\""));
    true
}

#[test]
fn a_ledger_that_cannot_be_written_is_shown() {
    if !is_set_up() {
        return;
    }
    let mut kit = called();
    if !bind_to_permissions(&mut kit) {
        return;
    }
    let before = presence(&kit);
    let mode = |path: &Path, mode: u32| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let said = [
        "LED-02",
        "ledger.db",
        "it cannot be written",
        "give the file, what stands beside it and its directory",
    ];
    mode(&kit.ledger(), 0o444);
    expect_not_recording(&kit, &said);
    mode(&kit.data(), 0o555);
    expect_not_recording(&kit, &said);
    assert_eq!(presence(&kit), before);
    mode(&kit.data(), 0o755);
    for entry in fs::read_dir(kit.data()).unwrap() {
        mode(&entry.unwrap().path(), 0o600);
    }
    run(&kit).done();
    assert_eq!(presence(&kit), before);
}

#[test]
fn a_damaged_ledger_is_shown_wherever_the_damage_is() {
    if !is_set_up() {
        return;
    }
    let kit = called();
    // The records of the meeting come first, so that the damage is far from the end.
    fill(&kit);
    let whole = fs::read(kit.ledger()).unwrap();
    let pages = whole.len() / PAGE_BYTES;
    assert!(pages > 10, "{pages} pages");
    let said = ["LED-03", "ledger.db", "the file is damaged", "keep a copy"];
    for page in [0, pages / 2, pages - 1] {
        let mut damaged = whole.clone();
        damaged[page * PAGE_BYTES..(page + 1) * PAGE_BYTES].fill(0xA5);
        fs::write(kit.ledger(), &damaged).unwrap();
        expect_not_recording(&kit, &said);
        let verified = kit.run(&["ledger", "verify"]).refused(1, &["ledger.db"]);
        assert!(!verified.stdout.contains("unbroken"), "page {page}");
        kit.run(&["roll"]).refused(3, &["LED-03"]);
    }
    fs::write(kit.ledger(), &whole).unwrap();
    kit.clear_screens();
    run(&kit).done();
    assert!(kit.showed("already-called"), "{:?}", kit.scenes());
}

#[test]
fn a_write_that_fails_is_shown_and_nobody_is_welcomed() {
    if !is_set_up() {
        return;
    }
    let mut kit = ready();
    // No file may grow beyond what the screens need; the ledger is already larger.
    fill(&kit);
    let largest = 400 * 1024;
    let size = fs::metadata(kit.ledger()).unwrap().len();
    assert!(size < largest, "{size}");
    let limit = "trap '' XFSZ; ulimit -f 24; exec \"$0\" \"$@\"";
    kit.wrapped = Some(limit.to_owned());
    kit.clear_screens();
    run(&kit).refused(3, &["attendance is not being recorded", "ledger.db"]);
    assert!(!kit.showed("welcome"), "{:?}", kit.scenes());
    kit.wrapped = None;
    let said = kit.run(&["ledger", "verify"]).done();
    assert!(said.contains("unbroken"), "{said}");
    kit.clear_screens();
    run(&kit).done();
    assert!(kit.showed("welcome"), "{:?}", kit.scenes());
}

#[test]
fn a_full_disk_is_shown_and_nobody_is_welcomed() {
    if !is_set_up() {
        return;
    }
    let mut kit = ready();
    let probe = "mount -t tmpfs -o size=600k none \"$0\"";
    let isolate = "unshare --user --map-root-user --mount";
    let mounted = Command::new("sh")
        .args(["-c", &format!("exec {isolate} sh -c '{probe}' \"$0\"")])
        .arg(kit.data())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("not checked: this system lets nobody mount a small disk in a namespace");
        return;
    }
    // The data lie on a disk of their own, which leaves so much room after they are on it. What is
    // there at the end is kept for a look.
    let script = r#"
        set -e
        data="$1"; copy="$2"; room_kib="$3"; shift 3
        cp -a "$data" "$copy"
        mount -t tmpfs -o size=600k none "$data"
        cp -a "$copy"/. "$data"
        rm -r "$copy"
        free_kib=$(df --output=avail -k "$data" | tail -1)
        head -c $(( (free_kib - room_kib) * 1024 )) /dev/zero > "$data/ballast"
        status=0
        "$0" "$@" || status=$?
        rm "$data/ballast"
        cp -a "$data" "$copy"
        exit $status
    "#;
    kit.file("script.sh", script);
    for room_kib in [0, 40, 64] {
        let after = kit.path(&format!("after-{room_kib}"));
        kit.wrapped = Some(format!(
            "exec {isolate} sh -c \"$(cat {:?})\" \"$0\" {:?} {after:?} {room_kib} \"$@\"",
            kit.path("script.sh"),
            kit.data(),
        ));
        let said = ["LED-01", ".db", "the disk is full", "free some space"];
        expect_not_recording(&kit, &said);
        // With room again it goes on from there.
        let later = Kit::new();
        Files::take(&after).put(&later.data());
        run(&later).done();
        assert!(later.showed("welcome"), "{room_kib}: {:?}", later.scenes());
        let said = later.run(&["ledger", "verify"]).done();
        assert!(said.contains("unbroken"), "{said}");
    }
}

#[test]
fn a_missing_or_changed_model_is_named_with_what_to_do() {
    if !is_set_up() {
        return;
    }
    let mut kit = ready();
    kit.models = kit.path("models");
    fs::create_dir_all(kit.models.join("prepared")).unwrap();
    let names: Vec<_> = fs::read_dir(root().join("models/files/prepared"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    let (from, to) = (
        root().join("models/files/prepared"),
        kit.models.join("prepared"),
    );
    for name in &names {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
    let check = |said: &[&str]| {
        kit.clear_screens();
        run(&kit).refused(1, said);
        assert_eq!(kit.scenes(), ["trouble"]);
        kit.run(&["enrol", "--person", "CB-003", "x.jpg"])
            .refused(1, &said[1..]);
        let doctor = kit.run(&["doctor"]).expect(1);
        let bad = doctor
            .stdout
            .lines()
            .find(|line| line.starts_with("BAD   models"));
        assert!(bad.is_some(), "{}", doctor.stdout);
    };
    for name in &names {
        let name = name.to_str().unwrap();
        let (file, original) = (to.join(name), from.join(name));
        fs::remove_file(&file).unwrap();
        check(&["MOD-01", name, "is missing", "deploy/setup"]);
        let mut bytes = fs::read(&original).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();
        let expected = sha256(&original);
        let found = sha256(&file);
        check(&["MOD-02", name, &expected, &found, "deploy/setup"]);
        fs::copy(&original, &file).unwrap();
    }
    kit.clear_screens();
    run(&kit).done();
    assert!(kit.showed("welcome"), "{:?}", kit.scenes());
}

fn sha256(path: &Path) -> String {
    use sha2::{Digest as _, Sha256};
    let digest = Sha256::digest(fs::read(path).unwrap());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_camera_that_is_not_there_is_named_on_screen_and_by_status() {
    if !is_set_up() {
        return;
    }
    let kit = ready();
    kit.run(&["run"]).refused(1, &["CAM-01", NO_CAMERA, "plug"]);
    assert_eq!(kit.scenes(), ["trouble"]);
    kit.run(&["enrol", "--person", "CB-003", "--camera"])
        .refused(1, &[NO_CAMERA]);
    for (path, said) in [("not-there", "check its name"), ("screens", "no pictures")] {
        fs::create_dir_all(kit.path("screens")).unwrap();
        kit.clear_screens();
        fs::create_dir_all(kit.path("screens")).unwrap();
        kit.run(&["run", "--replay", path])
            .refused(1, &["CAM-01", path, said]);
    }
}

#[test]
fn a_broken_configuration_names_key_and_line() {
    let kit = Kit::new();
    let check = |content: &str, said: &[&str]| {
        kit.file("broken.toml", content);
        let program = env!("CARGO_BIN_EXE_kiosk");
        let mut command = Command::new(program);
        command
            .args(["--config", "broken.toml", "run"])
            .current_dir(kit.path(""));
        let output = command.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        for part in [&["broken.toml"], said].concat() {
            assert!(stderr.contains(part), "{part:?} is not in {stderr}");
        }
        assert_eq!(output.status.code(), Some(1));
    };
    check(
        "[camera]\nwidht_px = 640\n",
        &["line 2", "widht_px", "width_px"],
    );
    check(
        "[camera]\n\nwidth_px = 7\n",
        &["line 3", "width_px", "160 to 4096"],
    );
    check("[device]\nid = \"a/b\"\n", &["line 2", "id"]);
    check("[recognition\n", &["line 1"]);
    check("\n[door]\n", &["line 2", "door"]);
    // Nothing was made by any of it.
    assert!(!kit.path("var").exists());
}

#[test]
fn doctor_says_a_line_for_each_thing_and_fails_without_a_camera() {
    if !is_set_up() {
        return;
    }
    let kit = called();
    let recording = delegate_comes(&kit);
    assert!(recording.exists());
    let output = kit.run(&["doctor"]).refused(1, &["1 of 7 things", "BAD"]);
    let lines: Vec<&str> = output.stdout.lines().collect();
    let things = [
        "models", "screen", "disk", "ledger", "rosters", "clock", "camera",
    ];
    assert_eq!(lines.len(), things.len(), "{}", output.stdout);
    for (line, thing) in lines.iter().zip(things) {
        assert_eq!(line[6..].split(' ').next(), Some(thing), "{line}");
        let mark = line[..4].trim();
        assert_eq!(mark == "BAD", thing == "camera", "{line}");
        assert!(["good", "note", "BAD"].contains(&mark), "{line}");
    }
    assert!(
        output.stdout.contains("unbroken, 3 records"),
        "{}",
        output.stdout
    );
    assert!(
        lines[6].contains(NO_CAMERA) && lines[6].contains("plug"),
        "{}",
        lines[6]
    );
}
