//! Rosters down, the clock and the certificate, through the machine's own face.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod door;

use std::time::Duration;

use door::*;
use sync::{Call, Change, Command, Event, HeldMeeting, Holding, Trouble};
use vocabulary::{DeviceId, OrganisationId, RoomId, WallTime};
use wire::device::{DeviceRoster, Enrolled};
use wire::problem::ProblemType;
use wire::scalar::Hex;
use wire::{Id, Timestamp};

const LIST_WAIT: Duration = Duration::from_secs(130);

/// Does in `city.db` what was commanded since the last time, and says what it was.
fn city(door: &mut Door) -> Vec<String> {
    let mut did = Vec::new();
    for command in std::mem::take(&mut door.done) {
        let (name, change) = match command {
            Command::StoreRoster(fetched) => {
                let meeting = fetched.roster.meeting().id.clone();
                let generation = fetched.roster.generation();
                let name = format!("roster {meeting} {generation}");
                let change = Change::Roster {
                    meeting,
                    generation,
                };
                (name, change)
            }
            Command::StoreKey { meeting, key } => {
                let name = format!("key {meeting}");
                let key = key.id;
                (name, Change::Key { meeting, key })
            }
            Command::Withdraw {
                meeting,
                generation,
            } => {
                let name = format!("withdraw {meeting} {generation}");
                let change = Change::Withdrawal {
                    meeting,
                    generation,
                };
                (name, change)
            }
            Command::Close {
                meeting,
                generation,
            } => {
                let name = format!("close {meeting} {generation}");
                let change = Change::Closing {
                    meeting,
                    generation,
                };
                (name, change)
            }
            _ => continue,
        };
        did.push(name);
        let failed = None;
        door.handle(Event::Stored { change, failed });
    }
    did
}

/// Does all there is to do, answering each roster asked for by `rosters`.
fn settle(door: &mut Door, rosters: impl Fn(&str) -> DeviceRoster) -> Vec<String> {
    let mut did = city(door);
    while door.has_call("getDeviceRoster") {
        let request = door.call("getDeviceRoster");
        let Call::Roster { meeting } = &request.call else {
            unreachable!();
        };
        let answer = ok(&rosters(meeting.as_str()));
        door.handle(Event::Answered {
            id: request.id,
            answer,
        });
        did.extend(city(door));
        did.extend(city(door));
    }
    did
}

fn holding(meeting: &str, generation: u64) -> Door {
    let mut memory = remembered(0);
    memory.meetings.push(HeldMeeting {
        meeting: meeting_id(meeting),
        generation,
        holding: Holding::Roster,
        key: Some(Hex([9; 16])),
    });
    Door::with(0, memory)
}

#[test]
fn a_roster_comes_whole_with_its_key_and_then_not_again() {
    let mut door = Door::new(0, 0);
    door.answer("listDeviceMeetings", list(vec![listed("M", 1)], vec![]));
    let did = settle(&mut door, |name| device_roster(name, 1));
    assert_eq!(did, ["roster M 1", "key M"]);
    door.wait(LIST_WAIT);
    let request = door.call("listDeviceMeetings");
    assert_eq!(
        request.call,
        Call::Meetings {
            etag: Some("\"tag\"".into())
        }
    );
    door.handle(Event::Answered {
        id: request.id,
        answer: list(vec![listed("M", 1)], vec![]),
    });
    assert!(settle(&mut door, |name| device_roster(name, 1)).is_empty());
}

#[test]
fn a_generation_never_goes_back() {
    let check = |listed_as: u64, answered: u64, expect: &[&str]| {
        let mut door = holding("M", 5);
        let answer = list(vec![listed("M", listed_as)], vec![]);
        door.answer("listDeviceMeetings", answer);
        let did = settle(&mut door, |name| device_roster(name, answered));
        assert_eq!(did, expect, "{listed_as} {answered}");
    };
    check(4, 4, &[]);
    check(5, 5, &[]);
    check(6, 6, &["roster M 6", "key M"]);
    check(6, 7, &["roster M 7", "key M"]);
    check(6, 5, &[]);
    check(6, 4, &[]);
    check(7, 6, &[]);
}

#[test]
fn a_withdrawal_counts_when_it_is_not_older_than_what_is_held() {
    let check = |generation: u64, expect: &[&str]| {
        let mut door = holding("M", 5);
        let answer = list(vec![], vec![("M", generation), ("other", 9)]);
        door.answer("listDeviceMeetings", answer);
        assert_eq!(settle(&mut door, |name| device_roster(name, 1)), expect);
    };
    check(4, &[]);
    check(5, &["withdraw M 5"]);
    check(6, &["withdraw M 6"]);
    let mut door = holding("M", 5);
    door.answer("listDeviceMeetings", list(vec![], vec![("M", 6)]));
    assert_eq!(city(&mut door), ["withdraw M 6"]);
    for (generation, expect) in [(6, vec![]), (7, vec!["roster M 7", "key M"])] {
        door.wait(LIST_WAIT);
        let answer = list(vec![listed("M", generation)], vec![("M", 6)]);
        door.answer("listDeviceMeetings", answer);
        assert_eq!(
            settle(&mut door, |name| device_roster(name, generation)),
            expect
        );
    }
}

#[test]
fn a_closing_is_told_once_and_a_new_key_is_kept() {
    let mut door = holding("M", 5);
    let mut meeting = listed("M", 5);
    meeting.key.as_mut().unwrap().id = Hex([8; 16]);
    door.answer("listDeviceMeetings", list(vec![meeting], vec![]));
    assert_eq!(city(&mut door), ["key M"]);
    let mut meeting = listed("M", 6);
    meeting.closed = true;
    for expect in [vec!["close M 6"], vec![]] {
        door.wait(LIST_WAIT);
        door.answer("listDeviceMeetings", list(vec![meeting.clone()], vec![]));
        assert_eq!(city(&mut door), expect);
    }
}

#[test]
fn a_roster_that_is_of_no_use_stops_none_of_the_others() {
    let check = |name: &str, spoil: fn(&mut DeviceRoster)| {
        let mut door = Door::new(0, 0);
        let meetings = vec![listed("A", 1), listed("B", 1), listed("C", 1)];
        door.answer("listDeviceMeetings", list(meetings.clone(), vec![]));
        let spoilt = |meeting: &str| {
            let mut roster = device_roster(meeting, 1);
            if meeting == "B" {
                spoil(&mut roster);
            }
            roster
        };
        let did = settle(&mut door, spoilt);
        assert_eq!(
            did,
            ["roster A 1", "key A", "roster C 1", "key C"],
            "{name}"
        );
        assert!(door.has_trouble(|one| *one == Trouble::RosterUnusable(meeting_id("B"))));
        door.wait(LIST_WAIT);
        let request = door.call("listDeviceMeetings");
        assert_eq!(request.call, Call::Meetings { etag: None }, "{name}");
        door.handle(Event::Answered {
            id: request.id,
            answer: list(meetings, vec![]),
        });
        let did = settle(&mut door, |name| device_roster(name, 1));
        assert_eq!(did, ["roster B 1", "key B"], "{name}");
        assert!(!door.has_trouble(|one| matches!(one, Trouble::RosterUnusable(_))));
    };
    check("a changed byte", |roster| roster.roster.0[40] ^= 1);
    check("a digest", |roster| roster.digest = Hex([7; 32]));
    check("another meeting's", |roster| {
        *roster = device_roster("A", 1)
    });
    check("no roster", |roster| roster.roster.0 = vec![1, 2, 3]);
    check("another organisation", |roster| {
        roster.organisation = Id(OrganisationId::new("other").unwrap());
    });
    check("a stranger's reference", |roster| {
        roster.substitutes.push(wire::device::SubstituteRight {
            person: Id(vocabulary::PersonId::new("p-9").unwrap()),
            instead_of: Id(vocabulary::PersonId::new("p-1").unwrap()),
            document: wire::Name::default(),
        });
    });
}

#[test]
fn a_roster_that_never_comes_delays_none_of_the_others() {
    let mut door = holding("other", 1);
    let all = || {
        list(
            ["a", "b", "c"].map(|meeting| listed(meeting, 1)).into(),
            vec![],
        )
    };
    let mut asked = Vec::new();
    for _ in 0..4 {
        door.answer("listDeviceMeetings", all());
        while door.has_call("getDeviceRoster") {
            let request = door.call("getDeviceRoster");
            let Call::Roster { meeting } = &request.call else {
                unreachable!();
            };
            asked.push(meeting.to_string());
            let comes = meeting.as_str() == "c";
            let answer = if comes {
                ok(&device_roster("c", 1))
            } else {
                status(500)
            };
            door.handle(Event::Answered {
                id: request.id,
                answer,
            });
            city(&mut door);
        }
        door.wait(LIST_WAIT);
    }
    assert_eq!(asked, ["a", "b", "c", "a", "b"]);
}

#[test]
fn a_city_db_that_cannot_be_written_is_tried_again() {
    let mut door = Door::new(0, 0);
    door.answer("listDeviceMeetings", list(vec![listed("M", 1)], vec![]));
    let request = door.call("getDeviceRoster");
    door.handle(Event::Answered {
        id: request.id,
        answer: ok(&device_roster("M", 1)),
    });
    door.done.clear();
    let change = Change::Roster {
        meeting: meeting_id("M"),
        generation: 1,
    };
    let failed = Some("the disk is full".to_owned());
    door.handle(Event::Stored { change, failed });
    assert!(door.has_trouble(|one| *one == Trouble::CityUnwritable));
    door.wait(LIST_WAIT);
    door.answer("listDeviceMeetings", list(vec![listed("M", 1)], vec![]));
    let did = settle(&mut door, |name| device_roster(name, 1));
    assert_eq!(did, ["roster M 1", "key M"]);
    assert!(!door.has_trouble(|one| *one == Trouble::CityUnwritable));
}

#[test]
fn the_clock_is_compared_and_told_when_it_moved() {
    let mut door = Door::new(0, 0);
    let hub = WallTime(BEGIN.0 - 60_000);
    door.answer("reportHealth", ok(&health(FIRST_LIFE, hub)));
    let observed = |door: &Door| {
        let observed = door.done.iter().filter_map(|command| match command {
            Command::ObserveClock { at, hub } => Some(at.wall.0 - hub.0),
            _ => None,
        });
        observed.collect::<Vec<_>>()
    };
    assert_eq!(observed(&door), [60_000]);
    assert!(door.has_trouble(|one| *one == Trouble::ClockWrong(60)));
    door.wait(Duration::from_secs(300));
    let hub = WallTime(door.now.wall.0 - 60_400);
    door.answer("reportHealth", ok(&health(FIRST_LIFE, hub)));
    assert_eq!(observed(&door), [60_000], "it has not moved");
    door.now.wall = WallTime(door.now.wall.0 + 10 * 365 * DAY_MS);
    door.wait(Duration::from_secs(300));
    door.answer("reportHealth", ok(&health(FIRST_LIFE, hub)));
    assert_eq!(observed(&door).len(), 2);
}

#[test]
fn a_certificate_is_renewed_by_the_best_time_there_is() {
    let check = |clock: WallTime, last_record: Option<WallTime>, expect: bool| {
        let mut memory = remembered(0);
        memory.last_record_at = last_record;
        let mut door = Door::with(0, memory);
        door.now.wall = clock;
        door.handle(Event::Tick);
        assert_eq!(
            door.has_call("renewCertificate"),
            expect,
            "{clock:?} {last_record:?}"
        );
    };
    let later = WallTime(BEGIN.0 + 31 * DAY_MS);
    check(BEGIN, None, false);
    check(later, None, true);
    check(WallTime(0), None, false);
    check(WallTime(0), Some(later), true);
    // Once the hub was heard, its clock counts and not the one that is ten years ahead.
    let mut door = Door::new(0, 0);
    door.answer("reportHealth", ok(&health(FIRST_LIFE, BEGIN)));
    door.now.wall = WallTime(BEGIN.0 + 3650 * DAY_MS);
    door.handle(Event::Tick);
    assert!(!door.has_call("renewCertificate"));
}

#[test]
fn an_expired_certificate_is_renewed_and_everything_goes_on() {
    let mut door = Door::new(3, 0);
    door.answer("sendRecords", problem(ProblemType::CertificateExpired));
    assert!(door.has_trouble(|one| *one == Trouble::CertificateExpired));
    let enrolled = Enrolled {
        device: Id(DeviceId::new("device").unwrap()),
        organisation: Id(OrganisationId::new("org").unwrap()),
        room: Id(RoomId::new("room").unwrap()),
        doors: Vec::new(),
        certificate: "new".into(),
        authorities: "authority".into(),
        expires_at: Timestamp(WallTime(BEGIN.0 + 90 * DAY_MS)),
        renew_at: Timestamp(WallTime(BEGIN.0 + 60 * DAY_MS)),
        store: store_id(FIRST_LIFE),
    };
    door.answer("renewCertificate", ok(&enrolled));
    let kept = |one: &Command| matches!(one, Command::StoreCertificate(_));
    assert!(door.done.iter().any(kept));
    assert!(!door.has_call("sendRecords"), "not before it is kept");
    let change = Change::Certificate;
    let failed = None;
    door.handle(Event::Stored { change, failed });
    assert!(door.has_call("sendRecords"));
    assert!(!door.has_trouble(|one| *one == Trouble::CertificateExpired));
}
