//! What the devices at doors are told, and what they are told to forget.

use std::sync::Arc;

use vocabulary::{MeetingId, WallTime};

use super::Case;
use super::city::{City, HOUR_MS, device, door, entry, meeting, person, plan, room_id, space};
use super::fixture::START;
use crate::model::{DeviceRosterAnswer, KeyChange, SubstituteRight};
use crate::store::{Missing, Store, StoreError, WITHDRAWN_AFTER_END};

pub(super) const CASES: &[Case] = &[
    ("a device is told the meetings of its doors", told),
    (
        "a meeting that goes away is withdrawn, and comes back larger",
        withdrawn,
    ),
    (
        "a meeting that only leaves the window is not withdrawn",
        window,
    ),
    (
        "a device that moves forgets the meetings of its old door",
        moved_device,
    ),
    ("a roster is given whole, or not again", roster),
];

/// Meetings with generations.
type Told = Vec<(String, u64)>;

/// What a device is told in a window of hours: meetings with generations, and what to forget.
fn ask(city: &City, id: &str, from: i64, until: i64) -> (Told, Told) {
    let hours = |hours: i64| WallTime(START.0 + hours * HOUR_MS);
    let ask = || {
        city.store
            .device_meetings(&device(id), hours(from), hours(until), START)
            .unwrap()
    };
    let told = ask();
    assert_eq!(ask(), told, "asking again changes nothing");
    let meetings = told.meetings.iter();
    let withdrawn = told.withdrawn.iter();
    (
        meetings
            .map(|one| (one.meeting.as_str().to_owned(), one.generation))
            .collect(),
        withdrawn
            .map(|one| (one.meeting.as_str().to_owned(), one.generation))
            .collect(),
    )
}

fn list(of: &[(&str, u64)]) -> Told {
    of.iter().map(|(id, n)| ((*id).to_owned(), *n)).collect()
}

fn told(store: Arc<dyn Store>) {
    let city = City::new(store);
    city.put_meeting(&plan("GB-2", 5));
    let mut other_door = plan("GB-3", 1);
    other_door.doors = vec![door("door-2")];
    city.put_meeting(&other_door);
    let mut this_door = plan("GB-1", 0);
    this_door.doors = vec![door("door-2"), door("door-1")];
    city.put_meeting(&this_door);
    let mut other_room = plan("GB-4", 2);
    other_room.room = room_id("room-2");
    city.put_meeting(&other_room);
    assert_eq!(
        ask(&city, "kiosk-1", -1, 48),
        (list(&[("GB-1", 1), ("GB-2", 1)]), vec![])
    );
    assert_eq!(
        ask(&city, "kiosk-1", 2, 5),
        (vec![], vec![]),
        "the window's ends are without"
    );
    assert_eq!(ask(&city, "kiosk-1", 1, 6).0.len(), 2);
    let id = meeting("GB-1");
    city.store
        .close_meeting(&city.organisation, &id, START)
        .unwrap();
    let from = WallTime(i64::MIN);
    let until = WallTime(i64::MAX);
    let found = city
        .store
        .device_meetings(&device("kiosk-1"), from, until, START)
        .unwrap();
    let one = &found.meetings[0];
    assert_eq!(
        (one.closed, one.generation, one.key.is_some()),
        (true, 2, false)
    );
    assert!(found.meetings[1].key.is_some());
    let snapshot = city
        .store
        .roster_snapshot(&city.organisation, &meeting("GB-2"), None, START)
        .unwrap()
        .unwrap();
    assert_eq!(found.meetings[1].digest, snapshot.digest);
    let nobody = city
        .store
        .device_meetings(&device("kiosk-9"), from, until, START);
    assert!(matches!(
        nobody,
        Err(StoreError::Missing(Missing::Device(_)))
    ));
}

fn withdrawn(store: Arc<dyn Store>) {
    let city = City::new(store);
    for id in ["GB-1", "GB-2", "GB-3"] {
        city.put_meeting(&plan(id, 0));
    }
    city.put_meeting(&plan("GB-4", 0));
    let id = meeting("GB-4");
    city.store
        .cancel_meeting(&city.organisation, &id, START)
        .unwrap();
    assert_eq!(ask(&city, "kiosk-1", -1, 48).0.len(), 3);
    let id = meeting("GB-1");
    city.store
        .cancel_meeting(&city.organisation, &id, START)
        .unwrap();
    let mut other_room = plan("GB-2", 0);
    other_room.room = room_id("room-2");
    city.put_meeting(&other_room);
    city.put_meeting(&plan("GB-3", 100));
    let forget = list(&[("GB-1", 1), ("GB-2", 1), ("GB-3", 1)]);
    assert_eq!(ask(&city, "kiosk-1", -1, 48), (vec![], forget.clone()));
    assert_eq!(
        ask(&city, "kiosk-1", -1, 48),
        (vec![], forget),
        "until it surely knows"
    );
    // What comes back does so under a larger generation than what was to be forgotten.
    city.put_meeting(&plan("GB-1", 0));
    let (meetings, forget) = ask(&city, "kiosk-1", -1, 48);
    assert_eq!(meetings, list(&[("GB-1", 3)]));
    assert_eq!(forget, list(&[("GB-2", 1), ("GB-3", 1)]));
    let (meetings, _) = ask(&city, "kiosk-1", 99, 200);
    assert_eq!(meetings, list(&[("GB-3", 2)]));
    let long_after = START.saturating_add(WITHDRAWN_AFTER_END * 2);
    let window = (WallTime(i64::MAX - 1), WallTime(i64::MAX));
    let told = city
        .store
        .device_meetings(&device("kiosk-1"), window.0, window.1, long_after)
        .unwrap();
    assert_eq!(told.withdrawn, []);
}

fn window(store: Arc<dyn Store>) {
    let city = City::new(store);
    city.put_meeting(&plan("GB-1", 0));
    assert_eq!(ask(&city, "kiosk-1", -1, 48).0, list(&[("GB-1", 1)]));
    assert_eq!(ask(&city, "kiosk-1", 5, 48), (vec![], vec![]));
    assert_eq!(
        ask(&city, "kiosk-1", -1, 48),
        (list(&[("GB-1", 1)]), vec![])
    );
}

fn moved_device(store: Arc<dyn Store>) {
    let city = City::new(store);
    city.put_meeting(&plan("GB-1", 0));
    assert_eq!(ask(&city, "kiosk-1", -1, 48).0, list(&[("GB-1", 1)]));
    city.put_device("kiosk-1", "room-2", "door-3");
    assert_eq!(
        ask(&city, "kiosk-1", -1, 48),
        (vec![], list(&[("GB-1", 1)]))
    );
    city.put_device("kiosk-1", "room-1", "door-2");
    assert_eq!(
        ask(&city, "kiosk-1", -1, 48),
        (list(&[("GB-1", 2)]), vec![]),
        "it would not take what it was told to forget"
    );
}

fn roster(store: Arc<dyn Store>) {
    let city = City::new(store);
    let one = city.person("CB-1", "Mẫu Một");
    let two = city.person("CB-2", "Mẫu Hai");
    city.face("CB-1", "r1", &space("a"), 0.5);
    city.face("CB-1", "r1b", &space("bb"), 0.5);
    city.put_meeting(&plan("GB-1", 0));
    let mut substitute = entry("CB-2");
    substitute.instead_of = Some(person("CB-1"));
    substitute.document = Some("12/GUQ".to_owned());
    let (_, view) = city.put_roster("GB-1", &[entry("CB-1"), substitute]);
    let put = |of: Option<&MeetingId>, keys: &[[u8; 32]]| {
        let change = KeyChange::Replace(keys.to_vec());
        city.store
            .change_invitation_keys(&city.organisation, of, &change, START)
            .unwrap();
    };
    put(None, &[[6; 32]]);
    put(Some(&meeting("GB-1")), &[[4; 32], [6; 32]]);
    let get = |id: &str, unless| {
        city.store
            .device_roster(&device("kiosk-1"), &meeting(id), unless, START)
            .unwrap()
    };
    let DeviceRosterAnswer::Here(found) = get("GB-1", Some(view.generation)) else {
        panic!("the roster is there, of another generation");
    };
    let generation = found.roster.generation;
    assert_eq!(generation, view.generation + 2);
    let decoded = record::decode_roster(&found.roster.bytes).unwrap();
    assert_eq!(
        (decoded.generation(), decoded.entries().len()),
        (generation, 2)
    );
    assert_eq!(found.references.len(), 2);
    assert!(
        found
            .references
            .iter()
            .all(|copy| copy.person == one.opaque)
    );
    assert_eq!(found.invitation_keys, [[4; 32], [6; 32]], "each once");
    let right = SubstituteRight {
        person: two.opaque,
        instead_of: one.opaque,
        document: "12/GUQ".to_owned(),
    };
    assert_eq!(found.substitutes, [right]);
    assert_eq!(found.key, city.meeting_key("GB-1"));
    assert!(matches!(
        get("GB-1", Some(generation)),
        DeviceRosterAnswer::Unchanged
    ));
    assert!(matches!(get("GB-9", None), DeviceRosterAnswer::Unknown));
    let mut other_room = plan("GB-1", 0);
    other_room.room = room_id("room-2");
    city.put_meeting(&other_room);
    assert!(matches!(get("GB-1", None), DeviceRosterAnswer::Gone));
    let (_, forget) = ask(&city, "kiosk-1", -1, 48);
    assert_eq!(
        forget,
        list(&[("GB-1", generation)]),
        "told by the roster alone"
    );
    city.put_meeting(&plan("GB-2", 0));
    let id = meeting("GB-2");
    city.store
        .close_meeting(&city.organisation, &id, START)
        .unwrap();
    assert!(matches!(get("GB-2", None), DeviceRosterAnswer::Gone));
}
