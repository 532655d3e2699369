//! Which meeting the door is for, by room, door and time. Pure: the rosters' meetings and `now` in,
//! a choice out.

use std::time::Duration;

use vocabulary::{DoorId, Meeting, RoomId, WallTime};

use crate::config::MeetingWindow;

/// What the door is for at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice<'a> {
    /// No meeting is planned at this door.
    Nothing,
    /// The next meeting is this one; its roll is not open yet.
    Before(&'a Meeting),
    /// The roll of this meeting is taken.
    Open(&'a Meeting),
    /// The last meeting of this door is over.
    After(&'a Meeting),
}

/// Chooses among the meetings for one door, each with whether it was closed: a closed one is over,
/// whatever the clock says. Where two are open at once, the one that started last
/// is taken: people who come now mostly come for it. Equal starts go by id, so that a choice never
/// flickers.
pub fn choose<'a>(
    meetings: impl Iterator<Item = (&'a Meeting, bool)>,
    room: &RoomId,
    door: &DoorId,
    window: &MeetingWindow,
    now: WallTime,
) -> Choice<'a> {
    let here: Vec<(&Meeting, bool)> = meetings
        .filter(|(meeting, _)| {
            meeting.room == *room && (meeting.doors.is_empty() || meeting.doors.contains(door))
        })
        .collect();
    let all = || here.iter().copied();
    let here = || {
        all()
            .filter(|(_, closed)| !closed)
            .map(|(meeting, _)| meeting)
    };
    let open = here()
        .filter(|meeting| opens_at(meeting, window) <= now && now < closes_at(meeting, window))
        .max_by_key(|meeting| (meeting.starts_at <= now, meeting.starts_at, &meeting.id));
    if let Some(meeting) = open {
        return Choice::Open(meeting);
    }
    let next = here()
        .filter(|meeting| now < opens_at(meeting, window))
        .min_by_key(|meeting| (meeting.starts_at, &meeting.id));
    let last = all()
        .filter(|(meeting, closed)| *closed || closes_at(meeting, window) <= now)
        .map(|(meeting, _)| meeting)
        .max_by_key(|meeting| (meeting.ends_at, &meeting.id));
    match (next, last) {
        (Some(next), _) => Choice::Before(next),
        (None, Some(last)) => Choice::After(last),
        (None, None) => Choice::Nothing,
    }
}

/// When the roll of a meeting opens.
pub fn opens_at(meeting: &Meeting, window: &MeetingWindow) -> WallTime {
    meeting
        .starts_at
        .saturating_sub(minutes(window.opens_before_minutes))
}

/// When the roll of a meeting closes.
pub fn closes_at(meeting: &Meeting, window: &MeetingWindow) -> WallTime {
    meeting
        .ends_at
        .saturating_add(minutes(window.closes_after_minutes))
}

fn minutes(minutes: u32) -> Duration {
    Duration::from_secs(u64::from(minutes) * 60)
}

#[cfg(test)]
mod tests {
    use vocabulary::{MeetingId, OrganisationId};

    use super::*;

    const HOUR_MS: i64 = 3_600_000;

    fn meeting(id: &str, room: &str, doors: &[&str], from: i64, until: i64) -> Meeting {
        Meeting {
            id: MeetingId::new(id).unwrap(),
            organisation: OrganisationId::new("org").unwrap(),
            room: RoomId::new(room).unwrap(),
            doors: doors
                .iter()
                .map(|door| DoorId::new(door).unwrap())
                .collect(),
            title: "Họp".into(),
            starts_at: WallTime(from * HOUR_MS),
            ends_at: WallTime(until * HOUR_MS),
            zone: "Asia/Ho_Chi_Minh".into(),
            quorum: None,
        }
    }

    #[test]
    fn the_door_is_for_the_meeting_whose_time_it_is() {
        let meetings = [
            meeting("early", "A", &[], 8, 10),
            meeting("late", "A", &["d1"], 11, 12),
            meeting("elsewhere", "B", &[], 8, 10),
            meeting("other-door", "A", &["d2"], 14, 15),
        ];
        let window = MeetingWindow {
            opens_before_minutes: 60,
            closes_after_minutes: 120,
        };
        let check = |hour: i64, expect: Choice<'_>| {
            let (room, door) = (RoomId::new("A").unwrap(), DoorId::new("d1").unwrap());
            let now = WallTime(hour * HOUR_MS);
            assert_eq!(
                choose(
                    meetings.iter().map(|of| (of, false)),
                    &room,
                    &door,
                    &window,
                    now
                ),
                expect,
                "at {hour} h"
            );
        };
        check(6, Choice::Before(&meetings[0]));
        check(7, Choice::Open(&meetings[0]));
        check(10, Choice::Open(&meetings[0]));
        check(11, Choice::Open(&meetings[1]));
        check(13, Choice::Open(&meetings[1]));
        check(14, Choice::After(&meetings[1]));
        let room = RoomId::new("C").unwrap();
        let door = DoorId::new("d1").unwrap();
        let all = || meetings.iter().map(|of| (of, false));
        assert_eq!(
            choose(all(), &room, &door, &window, WallTime(0)),
            Choice::Nothing
        );
        let closed = || meetings.iter().map(|of| (of, of.id.as_str() == "early"));
        let room = RoomId::new("A").unwrap();
        let check = |hour: i64, expect: Choice<'_>| {
            let now = WallTime(hour * HOUR_MS);
            assert_eq!(choose(closed(), &room, &door, &window, now), expect);
        };
        check(9, Choice::Before(&meetings[1]));
        check(10, Choice::Open(&meetings[1]));
        let only = || std::iter::once((&meetings[0], true));
        let now = WallTime(9 * HOUR_MS);
        let choice = choose(only(), &room, &door, &window, now);
        assert_eq!(choice, Choice::After(&meetings[0]));
    }
}
