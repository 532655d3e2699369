//! Meetings, rosters, and when a generation grows: with everything that a door would see
//! differently, and with nothing else.

use std::sync::Arc;

use record::{decode_roster, roster_digest};
use vocabulary::{Attendance, MeetingError, MeetingId, Role, WallTime};

use super::Case;
use super::city::{City, HOUR_MS, door, entry, meeting, person, plan, reference, room_id, space};
use super::fixture::START;
use crate::model::{Change, KeyChange, MeetingQuery, MeetingState, PersonDetails};
use crate::store::{Conflict, Missing, Store, StoreError};

pub(super) const CASES: &[Case] = &[
    (
        "a meeting is put, changed, cancelled, planned again and closed",
        life,
    ),
    ("a meeting is at doors of its room", doors),
    ("meetings are listed in order of their beginning", pages),
    ("a roster is put whole and refused whole", put_roster),
    ("a generation grows by what a door would see", generations),
    (
        "invitation keys are put, rotated and withdrawn, for all meetings and for one",
        invitation_keys,
    ),
    ("a canonical roster stays readable", snapshots),
    ("references are copied under the meeting's key", copies),
    ("keys are destroyed with all that they seal", keys),
];

fn life(store: Arc<dyn Store>) {
    let city = City::new(store);
    let mut put = plan("GB-1", 0);
    let (change, found) = city.put_meeting(&put);
    assert_eq!(
        (change, found.generation, found.expected),
        (Change::Made, 1, 0)
    );
    assert_eq!(city.put_meeting(&put), (Change::Same, found));
    put.title = "Giao ban mới".to_owned();
    let (change, found) = city.put_meeting(&put);
    assert_eq!((change, found.generation), (Change::Changed, 2));
    let store = &city.store;
    let id = meeting("GB-1");
    let cancel = || store.cancel_meeting(&city.organisation, &id, START);
    assert_eq!(cancel().unwrap(), Change::Changed);
    assert_eq!(cancel().unwrap(), Change::Same);
    assert_eq!(city.generation("GB-1"), 3);
    let close = || store.close_meeting(&city.organisation, &id, START);
    assert!(matches!(
        close(),
        Err(StoreError::Conflict(Conflict::Cancelled(_)))
    ));
    let (change, found) = city.put_meeting(&put);
    assert_eq!(
        (change, found.state, found.generation),
        (Change::Changed, MeetingState::Planned, 4)
    );
    let (change, found) = close().unwrap();
    assert_eq!(
        (change, found.state, found.generation),
        (Change::Changed, MeetingState::Closed, 5)
    );
    assert_eq!(close().unwrap(), (Change::Same, found.clone()));
    assert_eq!(city.put_meeting(&put), (Change::Same, found), "as it was");
    put.title = "Khác".to_owned();
    let changed = store.put_meeting(&city.organisation, &put, &city.sealing, START);
    assert!(matches!(
        changed,
        Err(StoreError::Conflict(Conflict::Closed(_)))
    ));
    assert!(matches!(
        cancel(),
        Err(StoreError::Conflict(Conflict::Closed(_)))
    ));
    let nothing = store.cancel_meeting(&city.organisation, &meeting("GB-9"), START);
    assert_eq!(nothing.unwrap(), Change::Same);
    let nothing = store.close_meeting(&city.organisation, &meeting("GB-9"), START);
    assert!(matches!(
        nothing,
        Err(StoreError::Missing(Missing::Meeting(_)))
    ));
}

fn doors(store: Arc<dyn Store>) {
    let city = City::new(store);
    let mut put = plan("GB-1", 0);
    put.doors = vec![door("door-3")];
    let refused = |put: &crate::model::MeetingPlan| {
        city.store
            .put_meeting(&city.organisation, put, &city.sealing, START)
            .unwrap_err()
    };
    assert!(matches!(
        refused(&put),
        StoreError::Missing(Missing::Door { .. })
    ));
    put.room = room_id("room-9");
    assert!(matches!(
        refused(&put),
        StoreError::Missing(Missing::Room(_))
    ));
    put.room = room_id("room-2");
    assert_eq!(city.put_meeting(&put).0, Change::Made);
}

fn pages(store: Arc<dyn Store>) {
    let city = City::new(store);
    for (id, hours) in [("GB-3", 5), ("GB-2", 1), ("GB-1", 5), ("GB-4", 30)] {
        city.put_meeting(&plan(id, hours));
    }
    let list = |query: MeetingQuery| {
        let page = city.store.meetings(&city.organisation, &query).unwrap();
        let ids: Vec<_> = page
            .items
            .iter()
            .map(|one| one.plan.id.as_str().to_owned())
            .collect();
        (ids.join(" "), page.more)
    };
    let all = MeetingQuery {
        limit: 10,
        ..MeetingQuery::default()
    };
    assert_eq!(list(all.clone()), ("GB-2 GB-1 GB-3 GB-4".to_owned(), false));
    let hours = |hours: i64| WallTime(START.0 + hours * HOUR_MS);
    let first = MeetingQuery {
        limit: 2,
        ..all.clone()
    };
    assert_eq!(list(first), ("GB-2 GB-1".to_owned(), true));
    let next = MeetingQuery {
        after: Some((hours(5), meeting("GB-1"))),
        ..all.clone()
    };
    assert_eq!(list(next), ("GB-3 GB-4".to_owned(), false));
    let window = MeetingQuery {
        from: Some(hours(3)),
        until: Some(hours(30)),
        ..all
    };
    assert_eq!(list(window), ("GB-1 GB-3".to_owned(), false));
}

fn put_roster(store: Arc<dyn Store>) {
    let city = City::new(store);
    let mut put = plan("GB-1", 0);
    put.quorum = Some(2);
    city.put_meeting(&put);
    for id in ["CB-1", "CB-2", "CB-3"] {
        city.person(id, "Mẫu");
    }
    let refused = |entries: &[_]| {
        city.store
            .put_roster(
                &city.organisation,
                &meeting("GB-1"),
                entries,
                &city.sealing,
                START,
            )
            .unwrap_err()
    };
    let nobody = refused(&[entry("CB-1"), entry("CB-9")]);
    assert!(matches!(nobody, StoreError::Missing(Missing::Person(_))));
    let twice = refused(&[entry("CB-1"), entry("CB-2"), entry("CB-1")]);
    assert!(matches!(
        twice,
        StoreError::Invalid(MeetingError::Duplicate(_))
    ));
    let few = refused(&[entry("CB-1")]);
    assert!(matches!(
        few,
        StoreError::Invalid(MeetingError::Quorum { .. })
    ));
    let mut substitute = entry("CB-2");
    substitute.instead_of = Some(person("CB-3"));
    substitute.document = Some("12/GUQ".to_owned());
    let loose = refused(&[entry("CB-1"), substitute.clone()]);
    assert!(matches!(
        loose,
        StoreError::Missing(Missing::Substituted { .. })
    ));
    assert_eq!(city.generation("GB-1"), 1, "nothing of it was done");
    let mut guest = entry("CB-3");
    guest.role = Role::Guest;
    guest.title = Some("Chủ tịch".to_owned());
    guest.attendance = Attendance::CodeOnly;
    let entries = [entry("CB-1"), substitute, guest];
    let (change, view) = city.put_roster("GB-1", &entries);
    assert_eq!((change, view.generation), (Change::Made, 2));
    assert_eq!(view.entries, entries);
    assert_eq!(view.without_reference, [person("CB-1"), person("CB-2")]);
    assert_eq!(
        city.put_roster("GB-1", &entries),
        (Change::Same, view.clone())
    );
    let read = city
        .store
        .roster(&city.organisation, &meeting("GB-1"), START);
    assert_eq!(read.unwrap(), Some(view));
    put.quorum = Some(4);
    let high = city
        .store
        .put_meeting(&city.organisation, &put, &city.sealing, START);
    assert!(matches!(
        high,
        Err(StoreError::Invalid(MeetingError::Quorum { .. }))
    ));
    let id = meeting("GB-1");
    city.store
        .cancel_meeting(&city.organisation, &id, START)
        .unwrap();
    let late = refused(&entries[..2]);
    assert!(matches!(
        late,
        StoreError::Missing(_) | StoreError::Conflict(Conflict::Cancelled(_))
    ));
}

fn generations(store: Arc<dyn Store>) {
    let city = City::new(store);
    city.person("CB-1", "Mẫu Một");
    city.person("CB-2", "Mẫu Hai");
    city.put_meeting(&plan("GB-1", 0));
    let mut titled = entry("CB-1");
    titled.title = Some("Chủ tịch".to_owned());
    city.put_roster("GB-1", &[titled.clone()]);
    let grows = |what: &str, by: u64, act: &dyn Fn()| {
        let before = city.generation("GB-1");
        act();
        assert_eq!(city.generation("GB-1") - before, by, "{what}");
    };
    let rename = |id: &str, name: &str, title: &str, hours: i64| {
        let details = PersonDetails {
            id: person(id),
            name: name.to_owned(),
            title: title.to_owned(),
            unit: "Phòng mẫu".to_owned(),
        };
        let now = WallTime(START.0 + hours * HOUR_MS);
        city.store
            .put_person(&city.organisation, &details, now)
            .unwrap();
    };
    let one = space("a");
    let face = |id: &str, way: f32, hours: i64| {
        let now = WallTime(START.0 + hours * HOUR_MS);
        city.try_face(id, "r1", &one, way, now).unwrap();
    };
    grows("the same roster", 0, &|| {
        drop(city.put_roster("GB-1", &[titled.clone()]))
    });
    grows("another name", 1, &|| rename("CB-1", "Mẫu Ba", "Bà", 0));
    grows("the same name", 0, &|| rename("CB-1", "Mẫu Ba", "Bà", 0));
    grows("a title that it overrides", 0, &|| {
        rename("CB-1", "Mẫu Ba", "Ông", 0)
    });
    grows("somebody else's name", 0, &|| {
        rename("CB-2", "Mẫu Bốn", "Bà", 0)
    });
    grows("a name long after its end", 0, &|| {
        rename("CB-1", "Mẫu Sáu", "Bà", 27)
    });
    grows("a reference", 1, &|| face("CB-1", 0.5, 0));
    grows("the same reference", 0, &|| face("CB-1", 0.5, 0));
    grows("another reference", 1, &|| face("CB-1", 0.6, 0));
    grows("somebody else's reference", 0, &|| face("CB-2", 0.5, 0));
    let delete = |id: &str| {
        let which = reference("r1");
        city.store
            .delete_reference(&city.organisation, &person(id), &which, START)
            .unwrap();
    };
    grows("no reference any more", 1, &|| delete("CB-1"));
    grows("no reference twice", 0, &|| delete("CB-1"));
    let keys = |meeting: Option<&str>, keys: &[u8]| {
        let meeting = meeting.map(super::city::meeting);
        let change = KeyChange::Replace(keys.iter().map(|key| [*key; 32]).collect());
        city.store
            .change_invitation_keys(&city.organisation, meeting.as_ref(), &change, START)
            .unwrap();
    };
    grows("an invitation key", 1, &|| keys(None, &[1]));
    grows("the same invitation key", 0, &|| keys(None, &[1]));
    grows("two more at once", 1, &|| keys(None, &[3, 2, 1]));
    grows("no more of one", 1, &|| keys(None, &[3, 1]));
    grows("one of its own", 1, &|| keys(Some("GB-1"), &[4]));
    grows("that one again", 0, &|| keys(Some("GB-1"), &[4, 4]));
    grows("reading", 0, &|| {
        city.store
            .roster_snapshot(&city.organisation, &meeting("GB-1"), None, START)
            .unwrap();
    });
    let mut by_code = entry("CB-1");
    by_code.attendance = Attendance::CodeOnly;
    grows("another way to be called", 1, &|| {
        drop(city.put_roster("GB-1", &[by_code.clone()]))
    });
    grows("a reference that is not used", 0, &|| face("CB-1", 0.9, 0));
}

fn invitation_keys(store: Arc<dyn Store>) {
    let city = City::new(store);
    city.put_meeting(&plan("GB-1", 0));
    let id = meeting("GB-1");
    let change = |of: Option<&MeetingId>, change: KeyChange, hours: i64| {
        let now = WallTime(START.0 + hours * HOUR_MS);
        city.store
            .change_invitation_keys(&city.organisation, of, &change, now)
    };
    let put = |key: u8, instead_of: Option<u8>| KeyChange::Put {
        key: [key; 32],
        instead_of: instead_of.map(|key| [key; 32]),
    };
    let (made, keys) = change(None, put(5, None), 1).unwrap();
    assert_eq!((made, keys.len()), (Change::Made, 1));
    let (again, same) = change(None, put(5, None), 2).unwrap();
    assert_eq!(
        (again, same),
        (Change::Same, keys.clone()),
        "since as before"
    );
    assert_eq!(keys[0].since, Some(WallTime(START.0 + HOUR_MS)));
    let (rotated, keys) = change(None, put(6, Some(5)), 3).unwrap();
    assert_eq!(
        (rotated, keys[0].key, keys.len()),
        (Change::Changed, [6; 32], 1)
    );
    let (own, keys) = change(Some(&id), put(7, None), 4).unwrap();
    assert_eq!((own, keys[0].key, keys.len()), (Change::Made, [7; 32], 1));
    let list = |of| city.store.invitation_keys(&city.organisation, of);
    assert_eq!(list(None).unwrap()[0].key, [6; 32]);
    assert_eq!(list(Some(&id)).unwrap(), keys);
    let (gone, keys) = change(None, KeyChange::Withdraw([6; 32]), 5).unwrap();
    assert_eq!((gone, keys.len()), (Change::Changed, 0));
    let (gone, _) = change(None, KeyChange::Withdraw([6; 32]), 6).unwrap();
    assert_eq!(gone, Change::Same);
    let many = KeyChange::Replace((0..=16).map(|key| [key; 32]).collect());
    assert!(matches!(
        change(None, many, 7),
        Err(StoreError::TooMany { .. })
    ));
    let nowhere = meeting("GB-9");
    for found in [
        list(Some(&nowhere)).map(drop),
        change(Some(&nowhere), put(1, None), 8).map(drop),
    ] {
        assert!(matches!(
            found,
            Err(StoreError::Missing(Missing::Meeting(_)))
        ));
    }
    city.store
        .close_meeting(&city.organisation, &id, START)
        .unwrap();
    assert_eq!(change(Some(&id), put(7, None), 9).unwrap().0, Change::Same);
    let late = change(Some(&id), KeyChange::Withdraw([7; 32]), 9);
    assert!(matches!(
        late,
        Err(StoreError::Conflict(Conflict::Closed(_)))
    ));
}

fn snapshots(store: Arc<dyn Store>) {
    let city = City::new(store);
    let known = city.person("CB-1", "Mẫu Một");
    let mut put = plan("GB-1", 0);
    put.quorum = Some(1);
    city.put_meeting(&put);
    let snapshot = |generation| {
        city.store
            .roster_snapshot(&city.organisation, &meeting("GB-1"), generation, START)
            .unwrap()
    };
    let empty = snapshot(None).unwrap();
    assert_eq!(decode_roster(&empty.bytes).unwrap().entries().len(), 0);
    city.put_roster("GB-1", &[entry("CB-1")]);
    let first = snapshot(None).unwrap();
    let roster = decode_roster(&first.bytes).unwrap();
    assert_eq!((roster.generation(), first.generation), (2, 2));
    assert_eq!(roster_digest(&roster), first.digest);
    assert_eq!(roster.entries()[0].delegate.person, known.opaque);
    assert_eq!(roster.meeting().quorum, Some(1));
    city.person("CB-1", "Mẫu Hai");
    let second = snapshot(None).unwrap();
    assert_eq!(second.generation, 3);
    assert_eq!(snapshot(Some(2)), Some(first), "it stays as it was");
    assert_eq!(snapshot(Some(3)), Some(second));
    assert_eq!(snapshot(Some(9)), None);
}

fn copies(store: Arc<dyn Store>) {
    let city = City::new(store);
    let one = space("a");
    let enrolled = city.person("CB-1", "Mẫu Một");
    city.face("CB-1", "r1", &one, 0.5);
    city.person("CB-2", "Mẫu Hai");
    city.put_meeting(&plan("GB-1", 0));
    city.put_meeting(&plan("GB-2", 5));
    city.put_roster("GB-1", &[entry("CB-1"), entry("CB-2")]);
    city.put_roster("GB-2", &[entry("CB-1")]);
    let ways = |id: &str| {
        let copies = city.copies(id).into_iter();
        let mut ways: Vec<_> = copies
            .map(|(person, which, way)| (person == enrolled.opaque, which, (way * 10.0).round()))
            .collect();
        ways.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
        ways
    };
    assert_eq!(ways("GB-1"), [(true, reference("r1"), 5.0)]);
    // Whether people are enrolled before the roster comes or after makes no difference.
    city.face("CB-2", "r1", &one, 0.9);
    assert_eq!(
        ways("GB-1"),
        [(true, reference("r1"), 5.0), (false, reference("r1"), 9.0)]
    );
    city.face("CB-1", "r1", &one, 0.6);
    for id in ["GB-1", "GB-2"] {
        assert_eq!(ways(id)[0], (true, reference("r1"), 6.0), "{id}");
    }
    let which = reference("r1");
    city.store
        .delete_reference(&city.organisation, &person("CB-1"), &which, START)
        .unwrap();
    assert_eq!(ways("GB-2"), []);
    let mut by_code = entry("CB-2");
    by_code.attendance = Attendance::CodeOnly;
    city.put_roster("GB-1", &[entry("CB-1"), by_code]);
    assert_eq!(
        ways("GB-1"),
        [],
        "who is not called by face needs no reference there"
    );
}

fn keys(store: Arc<dyn Store>) {
    let city = City::new(store);
    city.person("CB-1", "Mẫu Một");
    city.face("CB-1", "r1", &space("a"), 0.5);
    for (id, hours) in [("GB-1", 0), ("GB-2", 5), ("GB-3", 9)] {
        city.put_meeting(&plan(id, hours));
        city.put_roster(id, &[entry("CB-1")]);
    }
    let key = city.meeting_key("GB-1");
    let id = meeting("GB-1");
    city.store
        .cancel_meeting(&city.organisation, &id, START)
        .unwrap();
    assert_eq!(city.copies("GB-1"), []);
    city.put_meeting(&plan("GB-1", 0));
    assert_ne!(city.meeting_key("GB-1"), key, "another key");
    assert_eq!(city.copies("GB-1").len(), 1, "with what it sealed");
    let id = meeting("GB-2");
    city.store
        .close_meeting(&city.organisation, &id, START)
        .unwrap();
    assert_eq!(city.copies("GB-2"), []);
    let ended = |hours: i64| WallTime(START.0 + hours * HOUR_MS);
    assert_eq!(city.store.destroy_keys(ended(2), 10).unwrap(), 0);
    assert_eq!(city.store.destroy_keys(ended(3), 10).unwrap(), 1);
    assert_eq!(city.store.destroy_keys(ended(3), 10).unwrap(), 0);
    let left = |id: &str| {
        let copies = city
            .store
            .meeting_references(&city.organisation, &meeting(id));
        copies.unwrap().len()
    };
    assert_eq!((left("GB-1"), left("GB-3")), (0, 1));
}
