//! Organisations, rooms, people, references.

use std::sync::Arc;

use vocabulary::{MeetingError, WallTime};

use super::Case;
use super::city::{
    City, device, door, entry, meeting, organisation, person, plan, reference, room, room_id, space,
};
use super::fixture::START;
use crate::model::{Change, Organisation, PersonDetails};
use crate::store::{Conflict, Missing, Store, StoreError};

pub(super) const CASES: &[Case] = &[
    ("what is put again changes nothing", put_again),
    ("a door belongs to one room", one_room),
    ("a door in use is not taken away", door_in_use),
    ("people have an id of their own and pages", people),
    ("a name that no screen shows is refused", bad_names),
    ("references are kept, replaced and taken away", references),
    (
        "a person has at most so many references",
        too_many_references,
    ),
];

fn put_again(store: Arc<dyn Store>) {
    let city = City::new(store);
    let store = &city.store;
    let mut put = Organisation {
        id: city.organisation.clone(),
        name: "Cơ quan mẫu".to_owned(),
    };
    assert_eq!(store.put_organisation(&put, START).unwrap(), Change::Same);
    put.name = "Tên mới".to_owned();
    assert_eq!(
        store.put_organisation(&put, START).unwrap(),
        Change::Changed
    );
    assert_eq!(store.organisation(&put.id).unwrap(), Some(put.clone()));
    assert_eq!(store.organisations().unwrap(), [put]);
    assert_eq!(store.organisation(&organisation("khac")).unwrap(), None);

    let again = room("room-1", &["door-2", "door-1", "door-1"]);
    let change = store.put_room(&city.organisation, &again, START).unwrap();
    assert_eq!(change, Change::Same);
    let rooms = store.rooms(&city.organisation).unwrap();
    assert_eq!(
        rooms,
        [
            room("room-1", &["door-1", "door-2"]),
            room("room-2", &["door-3"])
        ]
    );
    assert_eq!(city.put_device("kiosk-1", "room-1", "door-1"), Change::Same);
    assert_eq!(
        city.put_device("kiosk-1", "room-1", "door-2"),
        Change::Changed
    );
    let identity = store.identity().unwrap();
    assert_eq!(store.identity().unwrap(), identity);
    store.check().unwrap();
}

fn one_room(store: Arc<dyn Store>) {
    let city = City::new(store);
    let taken = room("room-3", &["door-4", "door-1"]);
    let error = city.store.put_room(&city.organisation, &taken, START);
    let expect = Conflict::DoorElsewhere {
        door: door("door-1"),
        room: room_id("room-1"),
    };
    assert!(matches!(error, Err(StoreError::Conflict(found)) if found == expect));
    let found = city.store.room(&city.organisation, &room_id("room-3"));
    assert_eq!(found.unwrap(), None, "nothing of it was done");
    let nowhere = city
        .store
        .put_room(&organisation("khac"), &room("room-1", &[]), START);
    assert!(matches!(
        nowhere,
        Err(StoreError::Missing(Missing::Organisation(_)))
    ));
}

fn door_in_use(store: Arc<dyn Store>) {
    let city = City::new(store);
    let mut at_door_2 = plan("GB-1", 0);
    at_door_2.doors = vec![door("door-2")];
    city.put_meeting(&at_door_2);
    let put = |doors: &[&str], now| {
        city.store
            .put_room(&city.organisation, &room("room-1", doors), now)
    };
    let expect = Conflict::DoorInUse {
        door: door("door-1"),
        device: device("kiosk-1"),
    };
    let found = put(&["door-2"], START);
    assert!(matches!(found, Err(StoreError::Conflict(found)) if found == expect));
    let expect = Conflict::DoorPlanned {
        door: door("door-2"),
        meeting: meeting("GB-1"),
    };
    let found = put(&["door-1"], START);
    assert!(matches!(found, Err(StoreError::Conflict(found)) if found == expect));
    put(&["door-1"], WallTime(START.0 + 999_999_999)).unwrap();
}

fn people(store: Arc<dyn Store>) {
    let city = City::new(store);
    let first = city.person("CB-1", "Nguyễn Thị Mẫu");
    assert!(first.opaque.as_str().starts_with("p-") && first.opaque.as_str().len() == 28);
    for id in ["CB-3", "CB-2", "CB-10"] {
        let other = city.person(id, "Nguyễn Thị Mẫu");
        assert_ne!(other.opaque, first.opaque, "a namesake is somebody else");
    }
    let again = city.person("CB-1", "Nguyễn Thị Mẫu Hai");
    assert_eq!(again.opaque, first.opaque);
    let page = |after: Option<&str>, limit| {
        let after = after.map(person);
        let page = city.store.people(&city.organisation, after.as_ref(), limit);
        let page = page.unwrap();
        let ids: Vec<_> = page
            .items
            .iter()
            .map(|one| one.details.id.as_str().to_owned())
            .collect();
        (ids.join(" "), page.more)
    };
    assert_eq!(page(None, 3), ("CB-1 CB-10 CB-2".to_owned(), true));
    assert_eq!(page(Some("CB-2"), 3), ("CB-3".to_owned(), false));
    assert_eq!(page(Some("CB-9"), 3), (String::new(), false));
    let opaque = [first.opaque.clone(), person("p-nobody")];
    let known = city.store.people_by_opaque(&city.organisation, &opaque);
    assert_eq!(known.unwrap(), [(first.opaque, person("CB-1"))]);
    let nobody = city.store.person(&organisation("khac"), &person("CB-1"));
    assert_eq!(nobody.unwrap(), None);
}

fn bad_names(store: Arc<dyn Store>) {
    let city = City::new(store);
    let refused = |name: &str, unit: &str| {
        let details = PersonDetails {
            id: person("CB-1"),
            name: name.to_owned(),
            title: String::new(),
            unit: unit.to_owned(),
        };
        let put = city.store.put_person(&city.organisation, &details, START);
        matches!(put, Err(StoreError::Invalid(_)))
    };
    assert!(refused(" ", ""));
    assert!(refused("a\nb", ""));
    assert!(refused("Mẫu", &"x".repeat(257)));
    assert!(!refused("'; DROP TABLE person; --", "\" OR 1=1"));
    let found = city.store.person(&city.organisation, &person("CB-1"));
    let found = found.unwrap().unwrap().details;
    assert_eq!(found.name, "'; DROP TABLE person; --");
    let mut backwards = plan("GB-1", 0);
    backwards.ends_at = backwards.starts_at;
    let put = city
        .store
        .put_meeting(&city.organisation, &backwards, &city.sealing, START);
    let expect = MeetingError::EndsBeforeStart(meeting("GB-1"));
    assert!(matches!(put, Err(StoreError::Invalid(found)) if found == expect));
}

fn references(store: Arc<dyn Store>) {
    let city = City::new(store);
    let (one, two) = (space("a"), space("bb"));
    city.person("CB-1", "Mẫu Một");
    assert_eq!(city.face("CB-1", "r1", &one, 0.5), Change::Made);
    assert_eq!(city.face("CB-1", "r1", &one, 0.5), Change::Same);
    assert_eq!(city.face("CB-1", "r2", &one, 0.7), Change::Made);
    let ids = || {
        let found = city.store.person(&city.organisation, &person("CB-1"));
        let references = found.unwrap().unwrap().references;
        references
            .into_iter()
            .map(|one| (one.id.as_str().to_owned(), one.space))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids(),
        [
            ("r1".to_owned(), one.clone()),
            ("r2".to_owned(), one.clone())
        ]
    );
    assert_eq!(city.face("CB-1", "r1", &two, 0.6), Change::Changed);
    assert_eq!(ids(), [("r1".to_owned(), two), ("r2".to_owned(), one)]);
    let delete = |id: &str, which: &str| {
        city.store
            .delete_reference(&city.organisation, &person(id), &reference(which), START)
            .unwrap()
    };
    assert_eq!(delete("CB-1", "r1"), Change::Changed);
    assert_eq!(delete("CB-1", "r1"), Change::Same);
    assert_eq!(delete("CB-9", "r1"), Change::Same);
    assert_eq!(ids().len(), 1);
}

fn too_many_references(store: Arc<dyn Store>) {
    let city = City::new(store);
    city.person("CB-1", "Mẫu Một");
    city.put_meeting(&plan("GB-1", 0));
    city.put_roster("GB-1", &[entry("CB-1")]);
    let one = space("a");
    for number in 0..wire::limits::REFERENCES_PER_PERSON_MAX {
        city.face("CB-1", &format!("r{number}"), &one, 0.5);
    }
    let generation = city.generation("GB-1");
    let beyond = city.try_face("CB-1", "beyond", &one, 0.5, START);
    assert!(matches!(beyond, Err(StoreError::TooMany { max: 16, .. })));
    assert_eq!(city.generation("GB-1"), generation);
    assert_eq!(
        city.copies("GB-1").len(),
        wire::limits::REFERENCES_PER_PERSON_MAX
    );
    assert_eq!(
        city.face("CB-1", "another-space", &space("bb"), 0.5),
        Change::Made
    );
}
