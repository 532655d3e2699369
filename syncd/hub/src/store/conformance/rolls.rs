//! Revisions of a meeting's roll: a new one when something changed, and each one stays as it was.

use std::sync::Arc;

use vocabulary::{Digest, WallTime};

use super::Case;
use super::city::{City, entry, meeting, plan};
use super::fixture::{Ledger, START, check_in, check_out, context, fault, observation};
use super::records::send;
use crate::model::{Commit, EventKind, RollRevision, Webhook};
use crate::revisions::Revision;
use crate::store::Store;

pub(super) const CASES: &[Case] = &[
    ("a revision comes to be when something changed", revisions),
    (
        "a late record makes a new revision and leaves the old one",
        late,
    ),
    (
        "a late observation of the clock puts a roll right",
        late_clock,
    ),
    (
        "closed meetings whose roll lacks something are named to who is told of rolls",
        behind,
    ),
];

fn revision(city: &City, number: Option<u32>, now: WallTime) -> Option<Revision> {
    let inputs = city
        .store
        .revision(&city.organisation, &meeting("GB-1"), number, now)
        .unwrap();
    inputs.map(|inputs| Revision::make(&inputs).unwrap())
}

fn newest(city: &City, now: i64) -> Revision {
    revision(city, None, WallTime(now)).unwrap()
}

fn revisions(store: Arc<dyn Store>) {
    let city = City::new(store);
    assert_eq!(
        revision(&city, None, START),
        None,
        "there is no such meeting"
    );
    let person = city.person("CB-1", "Mẫu").opaque;
    city.put_meeting(&plan("GB-1", 0));
    city.put_roster("GB-1", &[entry("CB-1")]);
    let first = newest(&city, 1);
    let expect = RollRevision {
        number: 1,
        commit: Commit(0),
        generation: 2,
        closed: false,
        made_at: WallTime(1),
    };
    assert_eq!((first.of, first.records), (expect, 0));
    assert_eq!(first.roll.rows.len(), 1);
    assert_eq!(newest(&city, 2), first, "nothing changed");
    assert_eq!(revision(&city, Some(2), START), None);
    let mut ledger = Ledger::new("kiosk-1", 1, Digest::ZERO);
    ledger.push(fault());
    send(&city, &ledger, 1, 1);
    assert_eq!(newest(&city, 3), first, "of no meeting");
    let digest = city
        .store
        .roster_snapshot(&city.organisation, &meeting("GB-1"), None, START)
        .unwrap()
        .unwrap()
        .digest;
    ledger.push(check_in(context("GB-1", 2, digest), &person));
    send(&city, &ledger, 2, 2);
    let second = newest(&city, 4);
    assert_eq!(
        (second.of.number, second.of.commit, second.records),
        (2, Commit(2), 1)
    );
    assert_eq!(
        (second.roll.members.came, second.roll.conflicts.len()),
        (1, 0)
    );
    assert_eq!(revision(&city, Some(1), START), Some(first));
    city.person("CB-1", "Mẫu Hai");
    let third = newest(&city, 5);
    assert_eq!((third.of.number, third.of.generation), (3, 3));
    assert_eq!(third.roll.rows[0].delegate.name, "Mẫu Hai");
    let id = meeting("GB-1");
    city.store
        .close_meeting(&city.organisation, &id, START)
        .unwrap();
    let fourth = newest(&city, 6);
    assert_eq!(
        (fourth.of.number, fourth.of.generation, fourth.of.closed),
        (4, 3, true)
    );
    assert_eq!(
        fourth.roll, third.roll,
        "closing changes nothing about who was there"
    );
    assert_eq!(newest(&city, 7), fourth);
    assert_eq!(revision(&city, Some(2), START), Some(second));
}

fn late(store: Arc<dyn Store>) {
    let city = City::new(store);
    let person = city.person("CB-1", "Mẫu").opaque;
    city.put_meeting(&plan("GB-1", 0));
    city.put_roster("GB-1", &[entry("CB-1")]);
    let mut ledger = Ledger::new("kiosk-1", 1, Digest::ZERO);
    ledger.push(check_in(context("GB-1", 2, Digest::ZERO), &person));
    ledger.push(check_out(context("GB-1", 2, Digest::ZERO), &person));
    send(&city, &ledger, 1, 1);
    let id = meeting("GB-1");
    city.store
        .close_meeting(&city.organisation, &id, START)
        .unwrap();
    let before = newest(&city, 1);
    assert_eq!(before.roll.members.present, 1);
    send(&city, &ledger, 2, 2);
    let after = newest(&city, 2);
    assert_eq!(
        (after.of.number, after.roll.members.present),
        (before.of.number + 1, 0)
    );
    assert_eq!(revision(&city, Some(before.of.number), START), Some(before));
}

fn late_clock(store: Arc<dyn Store>) {
    use vocabulary::ClockQuality::{Synchronised, Unknown};
    let city = City::new(store);
    let person = city.person("CB-1", "Mẫu").opaque;
    city.put_meeting(&plan("GB-1", 0));
    city.put_roster("GB-1", &[entry("CB-1")]);
    let mut ledger = Ledger::new("kiosk-1", 1, Digest::ZERO);
    ledger.quality = Unknown;
    ledger.clock_offset_ms = -5_000_000;
    ledger.push(check_in(context("GB-1", 2, Digest::ZERO), &person));
    send(&city, &ledger, 1, 1);
    let came = |revision: &Revision| {
        let called = revision.roll.rows[0].first_called();
        called.unwrap().at.wall.0 - START.0
    };
    let before = newest(&city, 1);
    assert_eq!(came(&before), 1_000 - 5_000_000);
    let truth = WallTime(START.0 + 2_000);
    ledger.push(observation(WallTime(0), truth, Synchronised));
    send(&city, &ledger, 2, 2);
    let after = newest(&city, 2);
    assert_eq!((after.of.number, came(&after)), (2, 1_000));
    assert_eq!(revision(&city, Some(1), START), Some(before));
    assert_eq!(newest(&city, 3), after);
}

fn behind(store: Arc<dyn Store>) {
    let city = City::new(store);
    let person = city.person("CB-1", "Mẫu").opaque;
    let plan = plan("GB-1", 0);
    city.put_meeting(&plan);
    city.put_roster("GB-1", &[entry("CB-1")]);
    let id = meeting("GB-1");
    let named = |ended_after: WallTime| {
        let found = city.store.rolls_behind(ended_after, 10).unwrap();
        assert!(found.len() <= 1);
        found.first() == Some(&(city.organisation.clone(), id.clone()))
    };
    let before = WallTime(plan.ends_at.0 - 1);
    let put = |events: &[EventKind]| {
        let webhook = Webhook {
            organisation: city.organisation.clone(),
            id: "moc-1".parse().unwrap(),
            url: "https://a.example/".to_owned(),
            records: true,
            events: events.to_vec(),
            salt: [5; 16],
        };
        city.store.put_webhook(&webhook, START).unwrap();
    };
    put(&[EventKind::RollRevised]);
    assert!(!named(before), "it is not closed");
    let closed = city.store.close_meeting(&city.organisation, &id, START);
    closed.unwrap();
    put(&[EventKind::MeetingClosed]);
    assert!(!named(before), "nobody is told of rolls");
    put(&[EventKind::RollRevised]);
    assert!(!named(plan.ends_at), "it ended too long ago");
    assert!(named(before), "its roll was not made since it was closed");
    newest(&city, 2);
    assert!(!named(before), "its roll was made");
    let mut ledger = Ledger::new("kiosk-1", 1, Digest::ZERO);
    ledger.push(check_in(context("GB-1", 2, Digest::ZERO), &person));
    send(&city, &ledger, 1, 1);
    assert!(named(before), "a late record came");
    newest(&city, 3);
    assert!(!named(before), "it was taken into the roll");
}
