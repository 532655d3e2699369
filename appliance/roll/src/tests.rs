//! The roll by tables: a few lines of what happened at which door, and what the list must say.

use proptest::prelude::*;
use record::{
    Amendment, Body, CheckIn, CheckOut, Context, Correction, CorrectionReason, Record, Refused,
    Substitution, Text, roster_digest,
};
use vocabulary::{
    Assurance, Attendance, BootId, ClockQuality, Delegate, DeviceId, Digest, Direction, DoorId,
    Epoch, Means, Meeting, MeetingId, Monotonic, OrganisationId, PersonId, RefusalReason, Role,
    RoomId, Roster, RosterEntry, Sequence, Stamp, WallTime,
};

use crate::{CONFLICTS_MAX, Conflict, Presence, Quorum, RecordId, Roll, Row, Tally};

/// A, B and C are members, G is a guest; A and B bear one name.
fn roster(quorum: Option<u32>) -> Roster {
    let meeting = Meeting {
        id: MeetingId::new("HOP-1").unwrap(),
        organisation: OrganisationId::new("SO-X").unwrap(),
        room: RoomId::new("P1").unwrap(),
        doors: vec![],
        title: "Họp giao ban".into(),
        starts_at: WallTime(0),
        ends_at: WallTime(1000),
        zone: "Asia/Ho_Chi_Minh".into(),
        quorum,
    };
    let entry = |id: &str, name: &str, role| RosterEntry {
        delegate: Delegate {
            person: person(id),
            name: name.into(),
            title: "Ông".into(),
            unit: format!("Phòng {id}"),
        },
        role,
        attendance: Attendance::FaceOrCode,
    };
    let entries = vec![
        entry("A", "Mẫu Một", Role::Member),
        entry("B", "Mẫu Một", Role::Member),
        entry("C", "Mẫu Ba", Role::Member),
        entry("G", "Mẫu Khách", Role::Guest),
    ];
    Roster::new(meeting, 3, entries).unwrap()
}

fn person(id: &str) -> PersonId {
    PersonId::new(id).unwrap()
}

/// What happens: at which door (each has a kiosk of its own), when, and what.
#[derive(Debug, Clone, Copy)]
struct Event {
    door: &'static str,
    at: i64,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    In(&'static str),
    By(&'static str, Means, Assurance),
    For(&'static str, &'static str),
    Out(&'static str),
    Undo(u64),
    Elsewhere(&'static str),
    Generation(u64, &'static str),
    Refused,
}
use What::*;

fn at(door: &'static str, at: i64, what: What) -> Event {
    Event { door, at, what }
}

/// Each door's events, in the order given, numbered from 1.
fn records(events: &[Event]) -> Vec<Record> {
    let mut numbers = std::collections::HashMap::new();
    events
        .iter()
        .map(|event| {
            let number = numbers.entry(event.door).or_insert(0);
            *number += 1;
            Record {
                device: DeviceId::new(&format!("K-{}", event.door)).unwrap(),
                epoch: Epoch([1; 16]),
                sequence: Sequence(*number),
                at: stamp(event.at),
                previous: Digest::ZERO,
                body: body(event),
            }
        })
        .collect()
}

fn stamp(at: i64) -> Stamp {
    Stamp {
        wall: WallTime(at),
        quality: ClockQuality::Synchronised,
        boot: BootId([2; 16]),
        monotonic: Monotonic(0),
    }
}

fn body(event: &Event) -> Body {
    let context = Context {
        meeting: MeetingId::new("HOP-1").unwrap(),
        generation: 3,
        roster: roster_digest(&roster(None)),
        door: DoorId::new(event.door).unwrap(),
        policy: 1,
        software: Text::clipped("test"),
    };
    let check_in = |id, substitute| CheckIn {
        context: context.clone(),
        person: person(id),
        substitute,
        direction: Direction::In,
        means: Means::Face,
        assurance: Assurance::Compared,
        comparison: None,
        actor: None,
    };
    match event.what {
        In(id) => Body::CheckIn(check_in(id, None)),
        By(id, means, assurance) => Body::CheckIn(CheckIn {
            means,
            assurance,
            ..check_in(id, None)
        }),
        For(id, absent) => {
            let substitution = Substitution {
                for_person: person(absent),
                document: Text::clipped("Giấy ủy quyền 12"),
            };
            Body::CheckIn(check_in(id, Some(substitution)))
        }
        Out(id) => Body::CheckOut(CheckOut {
            context,
            person: person(id),
            means: Means::Face,
            assurance: Assurance::Compared,
            comparison: None,
            actor: None,
        }),
        Undo(number) => Body::Correction(Correction {
            of: (Epoch([1; 16]), Sequence(number)),
            amendment: Amendment::Annulled,
            reason: CorrectionReason::WrongPerson,
            actor: Some(person("THU-KY")),
        }),
        Elsewhere(id) => {
            let mut check_in = check_in(id, None);
            check_in.context.meeting = MeetingId::new("HOP-2").unwrap();
            Body::CheckIn(check_in)
        }
        Generation(generation, id) => {
            let mut check_in = check_in(id, None);
            check_in.context.generation = generation;
            Body::CheckIn(check_in)
        }
        Refused => Body::Refused(Refused {
            context,
            reason: RefusalReason::NotOnRoster,
            comparison: None,
        }),
    }
}

fn id(door: &str, number: u64) -> RecordId {
    RecordId {
        device: DeviceId::new(&format!("K-{door}")).unwrap(),
        epoch: Epoch([1; 16]),
        sequence: Sequence(number),
    }
}

fn roll(events: &[Event]) -> Roll {
    Roll::of(&roster(None), &records(events))
}

/// The rows in short: for each seat its intervals, as "who from-until".
fn stays(roll: &Roll) -> Vec<String> {
    let text = |row: &Row| {
        let stays: Vec<String> = row
            .intervals
            .iter()
            .map(|i| {
                let until = i
                    .until
                    .as_ref()
                    .map_or(String::new(), |u| u.at.wall.0.to_string());
                format!("{} {}-{until}", i.person, i.from.at.wall.0)
            })
            .collect();
        format!("{}: {}", row.delegate.person, stays.join(", "))
    };
    roll.rows.iter().map(text).collect()
}

fn check(events: &[Event], expect: [&str; 4], conflicts: &[Conflict]) -> Roll {
    let roll = roll(events);
    assert_eq!(stays(&roll), expect);
    assert_eq!(roll.conflicts, conflicts);
    roll
}

#[test]
fn nobody_came() {
    let roll = check(&[at("1", 5, Refused)], ["A: ", "B: ", "C: ", "G: "], &[]);
    assert!(
        roll.rows
            .iter()
            .all(|row| row.presence() == Presence::Absent)
    );
    assert_eq!((roll.present(), roll.expected()), (0, 4));
    assert_eq!(roll.quorum, Quorum::NotAsked);
}

#[test]
fn coming_opens_and_leaving_closes() {
    let events = [
        at("1", 10, In("A")),
        at("1", 11, In("A")),
        at("1", 20, Out("A")),
        at("1", 30, In("A")),
        at("1", 40, In("C")),
        at("1", 50, Out("C")),
        at("1", 60, In("G")),
    ];
    let roll = check(
        &events,
        ["A: A 10-20, A 30-", "B: ", "C: C 40-50", "G: G 60-"],
        &[],
    );
    let presences: Vec<_> = roll.rows.iter().map(Row::presence).collect();
    let expect = [
        Presence::Present,
        Presence::Absent,
        Presence::Left,
        Presence::Present,
    ];
    assert_eq!(presences, expect);
    assert_eq!(roll.rows[0].intervals[0].again.len(), 1);
    assert_eq!(roll.rows[0].first_called().unwrap().record, id("1", 1));
    let tally = |expected, came, present| Tally {
        expected,
        came,
        present,
    };
    assert_eq!(
        (roll.members, roll.guests),
        (tally(3, 2, 1), tally(1, 1, 1))
    );
    for (time, all, members) in [(9, 0, 0), (10, 1, 1), (20, 0, 0), (45, 2, 2), (999, 2, 1)] {
        assert_eq!(roll.present_at(WallTime(time)), all, "at {time}");
        assert_eq!(
            roll.members_present_at(WallTime(time)),
            members,
            "at {time}"
        );
        assert_eq!(
            roll.rows[0].present_at(WallTime(time)),
            [10, 45, 999].contains(&time)
        );
    }
}

#[test]
fn only_members_who_are_there_make_a_quorum() {
    let check = |events: &[Event], expect| {
        let roll = Roll::of(&roster(Some(2)), &records(events));
        assert_eq!(roll.quorum, expect);
    };
    let (a, b, g) = (
        at("1", 1, In("A")),
        at("1", 2, In("B")),
        at("1", 3, In("G")),
    );
    check(&[a, g], Quorum::Missing(2));
    check(&[a, b], Quorum::Reached(2));
    check(&[a, b, at("1", 9, Out("B"))], Quorum::Missing(2));
    // One person in two members' seats is one person.
    check(&[a, at("1", 2, For("A", "B"))], Quorum::Missing(2));
    check(&[a, at("1", 2, For("X", "B"))], Quorum::Reached(2));
}

#[test]
fn people_of_one_name_are_told_apart() {
    let shared: Vec<bool> = roll(&[]).rows.iter().map(|row| row.name_shared).collect();
    assert_eq!(shared, [true, true, false, false]);
}

#[test]
fn a_second_means_adds_evidence_and_no_presence() {
    let card = By("A", Means::CitizenCard, Assurance::Claimed);
    let face = By("A", Means::Face, Assurance::Compared);
    let roll = check(
        &[at("1", 1, card), at("1", 2, face)],
        ["A: A 1-", "B: ", "C: ", "G: "],
        &[],
    );
    assert_eq!(roll.rows[0].intervals[0].from.assurance, Assurance::Claimed);
    assert_eq!(roll.rows[0].assurance(), Some(Assurance::Compared));
    assert_eq!(roll.rows[1].assurance(), None);
}

#[test]
fn a_correction_annuls_and_its_own_correction_restores() {
    let none = ["A: ", "B: ", "C: ", "G: "];
    let wrong = [at("1", 1, In("A")), at("1", 5, Undo(1))];
    let roll = check(&wrong, none, &[]);
    assert_eq!(roll.annulled.len(), 1);
    let annulled = &roll.annulled[0];
    assert_eq!((&annulled.record, &annulled.by), (&id("1", 1), &id("1", 2)));
    assert_eq!(annulled.person, person("A"));
    assert_eq!(annulled.actor, Some(person("THU-KY")));

    let undone = [wrong[0], wrong[1], at("1", 6, Undo(2))];
    let roll = check(&undone, ["A: A 1-", "B: ", "C: ", "G: "], &[]);
    assert!(roll.annulled.is_empty());
    check(
        &[undone[0], undone[1], undone[2], at("1", 7, Undo(3))],
        none,
        &[],
    );

    // An annulled going leaves the person in the room.
    let stayed = [
        at("1", 1, In("A")),
        at("1", 2, Out("A")),
        at("1", 3, Undo(2)),
    ];
    check(&stayed, ["A: A 1-", "B: ", "C: ", "G: "], &[]);
}

#[test]
fn a_correction_of_what_does_not_come_before_it_is_named() {
    let nothing = |number| Conflict::NothingToCorrect {
        correction: id("1", number),
    };
    let none = ["A: ", "B: ", "C: ", "G: "];
    check(&[at("1", 1, Undo(1))], none, &[nothing(1)]);
    check(&[at("1", 1, Undo(7))], none, &[nothing(1)]);
    // The number is another device's.
    let events = [at("2", 1, In("A")), at("1", 2, Undo(1))];
    check(&events, ["A: A 1-", "B: ", "C: ", "G: "], &[nothing(1)]);
    check(
        &[at("1", 1, Undo(2)), at("1", 2, In("A"))],
        ["A: A 2-", "B: ", "C: ", "G: "],
        &[nothing(1)],
    );
}

#[test]
fn only_this_meeting_counts_and_other_rosters_are_named() {
    let events = [
        at("1", 1, Elsewhere("A")),
        at("1", 2, Generation(2, "B")),
        at("1", 3, Generation(2, "C")),
        at("1", 4, In("G")),
    ];
    let older = Conflict::OtherGeneration {
        generation: 2,
        count: 2,
        first: id("1", 2),
    };
    check(&events, ["A: ", "B: B 2-", "C: C 3-", "G: G 4-"], &[older]);

    let mut others = records(&[at("1", 1, In("A"))]);
    if let Body::CheckIn(check_in) = &mut others[0].body {
        check_in.context.roster = Digest([9; 32]);
    }
    let contents = Conflict::OtherContents {
        count: 1,
        first: id("1", 1),
    };
    assert_eq!(Roll::of(&roster(None), &others).conflicts, [contents]);
}

#[test]
fn whoever_is_not_expected_is_named_and_not_counted() {
    let unknown = |number, id_: &str| Conflict::NotOnRoster {
        record: id("1", number),
        person: person(id_),
    };
    let events = [
        at("1", 1, In("X")),
        at("1", 2, Out("Y")),
        at("1", 3, For("A", "Z")),
        at("1", 4, Out("B")),
    ];
    let left = Conflict::LeftWithoutComing {
        person: person("B"),
        record: id("1", 4),
    };
    let conflicts = [unknown(1, "X"), unknown(2, "Y"), unknown(3, "Z"), left];
    check(&events, ["A: ", "B: ", "C: ", "G: "], &conflicts);
}

#[test]
fn a_substitute_fills_the_seat_once() {
    let events = [at("1", 1, For("X", "A")), at("1", 9, Out("X"))];
    let roll = check(&events, ["A: X 1-9", "B: ", "C: ", "G: "], &[]);
    let document = roll.rows[0].intervals[0].substitute_by.as_ref();
    assert_eq!(document.map(Text::as_str), Some("Giấy ủy quyền 12"));
    // Leaving again is leaving without having come, not being unknown.
    let again = [events[0], events[1], at("1", 10, Out("X"))];
    let left = Conflict::LeftWithoutComing {
        person: person("X"),
        record: id("1", 3),
    };
    check(&again, ["A: X 1-9", "B: ", "C: ", "G: "], &[left]);

    let both = [at("1", 1, For("X", "A")), at("1", 2, In("A"))];
    let taken = Conflict::SeatTaken {
        seat: person("A"),
        by: person("X"),
        record: id("1", 2),
    };
    let roll = check(&both, ["A: X 1-, A 2-", "B: ", "C: ", "G: "], &[taken]);
    assert_eq!(roll.present(), 1);

    // A guest who sits for a member counts once, as a member; leaving leaves both seats.
    let two = [at("1", 1, In("G")), at("1", 2, For("G", "A"))];
    let seats = |number| Conflict::TwoSeats {
        person: person("G"),
        first: person("G"),
        second: person("A"),
        record: id("1", number),
    };
    let roll = check(&two, ["A: G 2-", "B: ", "C: ", "G: G 1-"], &[seats(2)]);
    assert_eq!((roll.members.present, roll.guests.present), (1, 0));
    let gone = [two[0], two[1], at("1", 8, Out("G"))];
    check(&gone, ["A: G 2-8", "B: ", "C: ", "G: G 1-8"], &[seats(2)]);
}

#[test]
fn one_person_at_two_doors_is_named() {
    let two = Conflict::TwoPlaces {
        person: person("A"),
        first: id("1", 1),
        second: id("2", 1),
    };
    let events = [at("2", 5, In("A")), at("1", 1, In("A"))];
    check(&events, ["A: A 1-", "B: ", "C: ", "G: "], &[two]);
    // Out by one door and in by another is an ordinary walk.
    let walk = [
        at("1", 1, In("A")),
        at("1", 4, Out("A")),
        at("2", 5, In("A")),
    ];
    check(&walk, ["A: A 1-4, A 5-", "B: ", "C: ", "G: "], &[]);
}

#[test]
fn the_chain_orders_a_device_whatever_its_clock_says() {
    // The clock was set back between coming and going.
    let events = [
        at("1", 100, In("A")),
        at("1", 40, Out("A")),
        at("2", 90, In("B")),
    ];
    let mut backwards = records(&events);
    backwards.reverse();
    let roll = Roll::of(&roster(None), &backwards);
    assert_eq!(stays(&roll)[0], "A: A 100-40");
    assert_eq!(roll.rows[0].presence(), Presence::Left);
    assert_eq!(roll.conflicts, []);
}

#[test]
fn a_new_epoch_follows_the_one_it_names() {
    let old = records(&[at("1", 100, In("A"))]).remove(0);
    let mut new = records(&[at("1", 3, Out("A"))]).remove(0);
    // A new ledger file on a board that had lost its clock.
    new.epoch = Epoch([0; 16]);
    new.previous = record::digest(&old.encode());
    let roll = Roll::of(&roster(None), [&new, &old]);
    assert_eq!(stays(&roll)[0], "A: A 100-3");
    assert_eq!(roll.conflicts, []);
}

#[test]
fn a_record_given_twice_counts_once_and_a_fork_is_named() {
    let record = records(&[at("1", 1, In("A"))]).remove(0);
    let roll = Roll::of(&roster(None), [&record, &record]);
    assert_eq!(stays(&roll)[0], "A: A 1-");
    assert!(roll.rows[0].intervals[0].again.is_empty());
    let mut other = record.clone();
    other.at = stamp(2);
    let roll = Roll::of(&roster(None), [&record, &other]);
    assert_eq!(stays(&roll)[0], "A: A 1-");
    assert_eq!(roll.conflicts, [Conflict::Fork { record: id("1", 1) }]);
}

#[test]
fn conflicts_are_bounded_and_counted() {
    let events = vec![at("1", 1, In("X")); CONFLICTS_MAX + 7];
    let roll = roll(&events);
    assert_eq!(roll.conflicts.len(), CONFLICTS_MAX);
    assert_eq!(roll.conflicts_left_off, 7);
}

fn any_event() -> impl Strategy<Value = Event> {
    let who = || prop::sample::select(vec!["A", "B", "C", "G", "X"]);
    let what = prop_oneof![
        4 => who().prop_map(In),
        3 => who().prop_map(Out),
        1 => (who(), who()).prop_map(|(one, other)| For(one, other)),
        1 => (1_u64..12).prop_map(Undo),
    ];
    (prop::sample::select(vec!["1", "2", "3"]), 0_i64..50, what)
        .prop_map(|(door, time, what)| at(door, time, what))
}

proptest! {
    #[test]
    fn the_order_of_reading_does_not_matter(
        events in prop::collection::vec(any_event(), 0..24),
        shuffle in any::<u64>(),
    ) {
        let records = records(&events);
        let mut mixed: Vec<&Record> = records.iter().collect();
        // A few rounds of a linear congruential generator are shuffle enough here.
        let mut state = shuffle;
        for index in (1..mixed.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            mixed.swap(index, (state >> 33) as usize % (index + 1));
        }
        prop_assert_eq!(Roll::of(&roster(None), mixed), Roll::of(&roster(None), &records));
    }

    #[test]
    fn counts_agree_with_the_rows(events in prop::collection::vec(any_event(), 0..24)) {
        let roll = roll(&events);
        let filled = roll.rows.iter().filter(|row| row.presence() == Presence::Present).count();
        let people: std::collections::HashSet<_> = roll
            .rows
            .iter()
            .flat_map(|row| &row.intervals)
            .filter(|interval| interval.until.is_none())
            .map(|interval| &interval.person)
            .collect();
        prop_assert!(roll.present() as usize <= filled.min(people.len()));
        for tally in [roll.members, roll.guests] {
            prop_assert!(tally.present <= tally.came && tally.came <= tally.expected);
        }
        for row in &roll.rows {
            for (index, one) in row.intervals.iter().enumerate() {
                // A person's stays follow each other: an open one is the last.
                let later = row.intervals[index + 1..].iter().any(|i| i.person == one.person);
                prop_assert!(one.until.is_some() || !later);
            }
        }
    }
}
