//! A kiosk beside a daemon: meetings that a city sent are held as any others, closed ones are not,
//! and the two tell each other how they are.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use beside::{FromDaemon, FromKiosk, Trouble};
use ledger::{CityReference, CityRoster, CityStore, LocalReader};
use seal::{
    DataKey, FileKeyStore, KeyId, KeyStore, Scope, TemplateBinding, WrapBinding, seal_template,
    wrap,
};
use vocabulary::{DeviceId, MeetingId, WallTime};

use crate::kit::{DEVICE, Kit, is_set_up};
use crate::portraits::delegate_stays;
use crate::setting::{DELEGATE, MEETING, presence, ready, run};

/// Longest wait for what a running kiosk does at its start.
const START_MAX: Duration = Duration::from_secs(60);

/// A kiosk whose one meeting came from the city: what [`ready`] has, sealed and wrapped anew as a
/// hub does, and no roster of its own.
fn from_city() -> (Kit, CityStore) {
    let mut kit = ready();
    let city = kit.path("city.db");
    kit.city = format!("database = {:?}", city.to_str().unwrap());
    let keys = Arc::new(FileKeyStore::open(&kit.data().join("device.key")).unwrap());
    let mut store = CityStore::open(&city).unwrap();
    fill(&mut store, &kit.data().join("local.db"), &keys);
    std::fs::remove_file(kit.data().join("local.db")).unwrap();
    (kit, store)
}

fn fill(store: &mut CityStore, local: &Path, keys: &Arc<FileKeyStore>) {
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
        substitutes: Vec::new(),
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
