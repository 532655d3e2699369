//! A kiosk beside a daemon: meetings that a city sent are held as any others, closed ones are not,
//! and the two tell each other how they are.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use beside::{FromDaemon, FromKiosk, Trouble};
use ledger::{CityReference, CityRoster, CityStore, LocalReader, SubstituteRight};
use seal::{
    DataKey, FileKeyStore, KeyId, KeyStore, Scope, TemplateBinding, WrapBinding, seal_template,
    wrap,
};
use vocabulary::{DeviceId, MeetingId, PersonId, WallTime};

use crate::kit::{DEVICE, Kit, is_set_up};
use crate::portraits::delegate_stays;
use crate::setting::{DELEGATE, MEETING, presence, ready, roll, run};

/// Longest wait for what a running kiosk does at its start.
const START_MAX: Duration = Duration::from_secs(60);

/// A kiosk whose one meeting came from the city: what [`ready`] has, sealed and wrapped anew as a
/// hub does, and no roster of its own.
fn from_city() -> (Kit, CityStore) {
    from_city_with(&[])
}

/// The same, where somebody attends for somebody else.
fn from_city_with(substitutes: &[SubstituteRight]) -> (Kit, CityStore) {
    let mut kit = ready();
    let city = kit.path("city.db");
    kit.city = format!("database = {:?}", city.to_str().unwrap());
    let keys = Arc::new(FileKeyStore::open(&kit.data().join("device.key")).unwrap());
    let mut store = CityStore::open(&city).unwrap();
    let local = kit.data().join("local.db");
    fill(&mut store, &local, &keys, substitutes);
    std::fs::remove_file(kit.data().join("local.db")).unwrap();
    (kit, store)
}

fn fill(
    store: &mut CityStore,
    local: &Path,
    keys: &Arc<FileKeyStore>,
    substitutes: &[SubstituteRight],
) {
    let device = DeviceId::new(DEVICE).unwrap();
    let local = LocalReader::open(local, &device, keys.clone()).unwrap();
    let meeting = MeetingId::new(MEETING).unwrap();
    let roster = local.roster(&meeting).unwrap().unwrap();
    let organisation = roster.meeting().organisation.clone();
    let space = local.enrolments(&organisation).unwrap()[0].space.clone();
    let opened = local.references(&meeting, &space).unwrap();
    let scope = Scope {
        organisation: organisation.clone(),
        meeting: Some(meeting.clone()),
    };
    let (key, id) = (DataKey::generate().unwrap(), KeyId([9; 16]));
    let references = opened
        .references
        .into_iter()
        .map(|(person, reference, template)| {
            let binding = TemplateBinding {
                scope: &scope,
                person: &person,
                reference: &reference,
                space: &space,
            };
            let sealed = seal_template(&key, &binding, &template).unwrap();
            CityReference {
                person,
                reference,
                space: space.clone(),
                sealed,
            }
        });
    let sent = CityRoster {
        roster,
        key: id,
        references: references.collect(),
        invitation_keys: Vec::new(),
        substitutes: substitutes.to_vec(),
        citizen_cards: Vec::new(),
    };
    store.put_roster(&sent, WallTime(1)).unwrap();
    let binding = WrapBinding {
        device,
        key: id,
        scope,
    };
    let wrapped = wrap(&key, &binding, keys.public_key()).unwrap();
    store
        .put_key(&organisation, &meeting, id, &wrapped)
        .unwrap();
}

#[test]
fn a_meeting_that_the_city_sent_is_held() {
    if !is_set_up() {
        return;
    }
    let (kit, _store) = from_city();
    let list = kit.run(&["roster", "list"]).done();
    assert!(list.contains(MEETING) && list.contains("city"), "{list}");
    run(&kit).done();
    assert!(kit.showed("welcome"), "{:?}", kit.scenes());
    let present = presence(&kit);
    let delegate = present.iter().find(|(id, _)| id == DELEGATE).unwrap();
    assert_eq!(delegate.1, "present", "{present:?}");
}

#[test]
fn a_substitute_s_face_fills_the_seat_of_whom_they_attend_for() {
    if !is_set_up() {
        return;
    }
    let person = |id: &str| PersonId::new(id).unwrap();
    let document = "Giấy uỷ quyền số 01/UQ-MẪU";
    let right = SubstituteRight {
        person: person(DELEGATE),
        instead_of: person("CB-003"),
        document: document.to_owned(),
    };
    let (kit, _store) = from_city_with(&[right]);
    run(&kit).done();
    assert!(kit.showed("welcome"), "{:?}", kit.scenes());
    let export = kit.run(&["ledger", "export"]).done();
    let check_ins: Vec<serde_json::Value> = export
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|record: &serde_json::Value| record.to_string().contains(document))
        .collect();
    let [check_in] = check_ins.as_slice() else {
        panic!("one check-in names the document: {export}");
    };
    let text = check_in.to_string();
    assert!(text.contains(r#""for":"CB-003""#), "{text}");
    let roll = roll(&kit);
    let people = roll["people"].as_array().unwrap();
    let row = |id: &str| people.iter().find(|row| row["id"] == id).unwrap();
    assert_eq!(row("CB-003")["presence"], "present", "{roll}");
    assert!(row("CB-003").to_string().contains(document), "{roll}");
    assert_ne!(row(DELEGATE)["presence"], "present", "{roll}");
}

/// Has a kiosk compare by a model that nobody has references by: the published one in a feature
/// space of its own. The one that they have references by is there as well, or not.
fn with_new_model(kit: &mut Kit, beside_the_one_before: bool) {
    let manifest = std::fs::read_to_string(&kit.manifest).unwrap();
    let begins = manifest.find("[[model]]\nid = \"sface-2021dec\"").unwrap();
    let rest = &manifest[begins + 1..];
    let ends = rest
        .find("\n[[model]]")
        .map_or(manifest.len(), |at| begins + 1 + at);
    let before = &manifest[begins..ends];
    let new = before.replace("\"sface-2021dec\"", "\"sface-moi\"");
    let manifest = match beside_the_one_before {
        true => format!("{manifest}\n{new}"),
        false => manifest.replace(before, &new),
    };
    kit.manifest = kit.file("manifest.toml", manifest);
    kit.comparer = "comparer = \"sface-moi\"".to_owned();
}

#[test]
fn a_model_that_the_next_meeting_has_no_references_by_is_refused_for_the_one_before() {
    if !is_set_up() {
        return;
    }
    let (mut kit, _store) = from_city();
    with_new_model(&mut kit, true);
    // There is no camera here, which doctor does not like either.
    let doctor = kit.run(&["doctor"]).expect(1).stdout;
    let line = doctor.lines().find(|line| line.contains("models")).unwrap();
    assert!(line.starts_with("note"), "{line}");
    assert!(line.contains("the one before is used"), "{line}");
    run(&kit).done();
    assert!(kit.showed("welcome"), "{:?}", kit.scenes());
}

#[test]
fn without_the_model_before_nobody_is_called_by_face_and_nobody_turned_away() {
    if !is_set_up() {
        return;
    }
    let (mut kit, _store) = from_city();
    with_new_model(&mut kit, false);
    let doctor = kit.run(&["doctor"]).expect(1).stdout;
    let line = doctor.lines().find(|line| line.contains("models")).unwrap();
    assert!(line.starts_with("BAD"), "{line}");
    assert!(line.contains("nobody is called by face"), "{line}");
    let socket = kit.path("kiosk.sock");
    kit.city
        .push_str(&format!("\nsocket = {:?}", socket.to_str().unwrap()));
    let recording = delegate_stays(&kit, 40);
    let args = ["run", "--replay", recording.to_str().unwrap()];
    let mut running = kit.start("RUST_LOG", "error", &args);
    let deadline = Instant::now() + START_MAX;
    let told = loop {
        assert!(
            running.is_running() && Instant::now() < deadline,
            "no trouble was told"
        );
        // It answers before it has looked at the meeting, and then knows of no trouble yet.
        match exchange(&socket, &FromDaemon::default()) {
            Some(kiosk) if !kiosk.troubles.is_empty() => break kiosk,
            Some(_) | None => std::thread::yield_now(),
        }
    };
    assert!(
        told.troubles[0].en.contains("nobody is called by face"),
        "{:?}",
        told.troubles
    );
    let status = running.wait(START_MAX);
    running.output(status).done();
    assert!(!kit.showed("welcome"), "{:?}", kit.scenes());
    let export = kit.run(&["ledger", "export"]).done();
    assert!(export.contains("meeting-opened"), "{export}");
    assert!(!export.contains("refused"), "{export}");
}

#[test]
fn a_meeting_that_was_closed_or_withdrawn_is_not_held() {
    if !is_set_up() {
        return;
    }
    let (kit, mut store) = from_city();
    let meeting = MeetingId::new(MEETING).unwrap();
    store.close(&meeting, 50).unwrap();
    let list = kit.run(&["roster", "list"]).done();
    assert!(list.contains("city, closed"), "{list}");
    run(&kit).refused(1, &["no meeting is open"]);
    store.withdraw(&meeting, 51).unwrap();
    run(&kit).refused(1, &["no meeting is open"]);
    kit.run(&["roll", "--meeting", MEETING])
        .refused(1, &["no roster of meeting GB-12"]);
}

#[test]
fn the_daemon_is_told_how_the_kiosk_is() {
    if !is_set_up() {
        return;
    }
    let (mut kit, _store) = from_city();
    let socket = kit.path("kiosk.sock");
    kit.city
        .push_str(&format!("\nsocket = {:?}", socket.to_str().unwrap()));
    let recording = delegate_stays(&kit, 40);
    let args = ["run", "--replay", recording.to_str().unwrap()];
    let mut running = kit.start("RUST_LOG", "error", &args);
    let told = FromDaemon {
        troubles: vec![Trouble {
            vi: "Chưa kết nối được với trung tâm".to_owned(),
            en: "the hub cannot be reached".to_owned(),
        }],
        ..FromDaemon::default()
    };
    let deadline = Instant::now() + START_MAX;
    let kiosk = loop {
        assert!(
            running.is_running() && Instant::now() < deadline,
            "no answer"
        );
        if let Some(kiosk) = exchange(&socket, &told)
            && kiosk.ledger.is_some()
            && kiosk.camera_works.is_some()
        {
            break kiosk;
        }
        std::thread::yield_now();
    };
    assert_eq!(kiosk.version, env!("CARGO_PKG_VERSION"));
    assert_eq!(kiosk.camera_works, Some(true));
    assert_eq!(kiosk.spaces.len(), 1);
    assert!(
        kiosk.spaces[0].name().contains("sface"),
        "{:?}",
        kiosk.spaces
    );
    let status = running.wait(START_MAX);
    running.output(status).done();
    assert!(!socket.exists(), "the socket is taken away");
}

fn exchange(socket: &Path, told: &FromDaemon) -> Option<FromKiosk> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.write_all(&told.encode()).ok()?;
    let mut line = Vec::new();
    BufReader::new(stream).read_until(b'\n', &mut line).ok()?;
    FromKiosk::decode(&line).ok()
}

#[test]
fn a_new_kiosk_makes_its_key_for_enrolment() {
    let kit = Kit::new();
    let digits = kit.run(&["key"]).done();
    assert_eq!(digits.trim().len(), 64, "{digits}");
    let published = std::fs::read_to_string(kit.data().join("device.pub")).unwrap();
    assert_eq!(published.lines().last(), Some(digits.trim()));
    assert_eq!(kit.run(&["key"]).done(), digits, "the same again");
}
