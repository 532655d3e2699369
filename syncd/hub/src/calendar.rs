//! Meetings as iCalendar (RFC 5545), in and out: the part of it that calendars agree on. What is
//! not understood and would change when or whether a meeting is held, such as a repetition, is
//! refused by name and never guessed. Nothing here knows a store.

use std::fmt::Write;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};
use vocabulary::{MeetingId, OrganisationId, RoomId, WallTime};
use wire::limits::CALENDAR_EVENTS_MAX;

use crate::ca::hex;
use crate::model::{Meeting, MeetingState};

/// The media type.
pub(crate) const CONTENT_TYPE: &str = "text/calendar";

/// Most bytes of a line, as the standard has it; longer ones are folded.
const LINE_BYTES_MAX: usize = 75;

/// The property that names a room by its id, where the location is a name.
const ROOM: &str = "X-DIEMDANH-ROOM";

/// The zone of times that name none.
const ZONE: &str = "Asia/Ho_Chi_Minh";

/// An event as a calendar has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// The meeting's id: what stands before `@` in the event's own, or made of a digest of it.
    pub id: MeetingId,
    /// What it is about.
    pub title: String,
    /// Where: a room's id or name, as the calendar has it.
    pub place: String,
    /// When it begins.
    pub starts_at: WallTime,
    /// When it ends.
    pub ends_at: WallTime,
    /// The zone that its times were given in.
    pub zone: String,
    /// Whether it will not be held.
    pub cancelled: bool,
}

/// Why a calendar is not followed. Nothing of it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CalendarError {
    /// It is none.
    #[error("the body is no calendar: it has no BEGIN:VCALENDAR")]
    NoCalendar,
    /// It has no end, or one too many.
    #[error("line {0}: BEGIN and END do not fit together")]
    Nesting(usize),
    /// More events than are taken at once.
    #[error("a calendar has at most {CALENDAR_EVENTS_MAX} events; send it in parts")]
    TooMany,
    /// An event repeats itself.
    #[error("event {0:?} repeats itself; send each of its days as an event of its own")]
    Repeats(String),
    /// An event lacks something, or has something that is none.
    #[error("event {event:?}: {what}")]
    Event {
        /// Which event, by its own id.
        event: String,
        /// What is wrong.
        what: String,
    },
}

/// Writes meetings as a calendar; `room` gives a room's name.
pub(crate) fn write<'a>(
    organisation: &OrganisationId,
    meetings: &[Meeting],
    room: impl Fn(&RoomId) -> Option<&'a str>,
    now: WallTime,
) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| fold(&mut text, &format!("{name}:{value}"));
    line("BEGIN", "VCALENDAR");
    line("VERSION", "2.0");
    line("PRODID", "-//diemdanh//hub//VI");
    for meeting in meetings {
        let plan = &meeting.plan;
        line("BEGIN", "VEVENT");
        line("UID", &format!("{}@{organisation}", plan.id));
        line("DTSTAMP", &utc(now));
        line("DTSTART", &utc(plan.starts_at));
        line("DTEND", &utc(plan.ends_at));
        line("SUMMARY", &escape(&plan.title));
        let name = room(&plan.room).unwrap_or(plan.room.as_str());
        line("LOCATION", &escape(name));
        line(ROOM, plan.room.as_str());
        // The standard's number for "newer than what you have" is an integer of 31 bits.
        let sequence = meeting.generation.min(i32::MAX as u64);
        line("SEQUENCE", &sequence.to_string());
        line(
            "STATUS",
            match meeting.state {
                MeetingState::Planned | MeetingState::Closed => "CONFIRMED",
                MeetingState::Cancelled => "CANCELLED",
            },
        );
        line("END", "VEVENT");
    }
    line("END", "VCALENDAR");
    text
}

/// Reads a calendar.
///
/// # Errors
/// [`CalendarError`] names the event and what is wrong with it.
pub(crate) fn read(text: &str) -> Result<Vec<Event>, CalendarError> {
    let mut events = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut properties: Vec<Property> = Vec::new();
    let mut default_zone = ZONE.to_owned();
    let mut seen = false;
    for (number, line) in unfold(text) {
        let Some(property) = Property::of(&line) else {
            continue;
        };
        match (property.name.as_str(), open.len()) {
            ("BEGIN", _) => {
                let part = property.value.to_ascii_uppercase();
                seen |= part == "VCALENDAR";
                if part == "VEVENT" {
                    properties.clear();
                }
                open.push(part);
            }
            ("END", _) => {
                let ended = property.value.to_ascii_uppercase();
                if open.pop() != Some(ended.clone()) {
                    return Err(CalendarError::Nesting(number));
                }
                if ended == "VEVENT" {
                    if events.len() == CALENDAR_EVENTS_MAX {
                        return Err(CalendarError::TooMany);
                    }
                    events.push(event(&properties, &default_zone)?);
                }
            }
            ("X-WR-TIMEZONE", 1) => default_zone = property.value.trim().to_owned(),
            // An alarm within an event says nothing about the meeting.
            (_, 2) if open[1] == "VEVENT" => properties.push(property),
            _ => {}
        }
    }
    match (seen, open.is_empty()) {
        (false, _) => Err(CalendarError::NoCalendar),
        (true, false) => Err(CalendarError::Nesting(text.lines().count())),
        (true, true) => Ok(events),
    }
}

/// One line: a name, parameters, a value.
struct Property {
    name: String,
    parameters: Vec<(String, String)>,
    value: String,
}

impl Property {
    fn of(line: &str) -> Option<Self> {
        let mut quoted = false;
        let colon = line.char_indices().find(|(_, c)| {
            quoted ^= *c == '"';
            *c == ':' && !quoted
        })?;
        let (head, value) = (&line[..colon.0], &line[colon.0 + 1..]);
        let mut parts = head.split(';');
        let name = parts.next()?.trim().to_ascii_uppercase();
        let parameters = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| {
                (
                    name.to_ascii_uppercase(),
                    value.trim_matches('"').to_owned(),
                )
            })
            .collect();
        Some(Self {
            name,
            parameters,
            value: value.to_owned(),
        })
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let mut parameters = self.parameters.iter();
        parameters
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }
}

fn event(properties: &[Property], default_zone: &str) -> Result<Event, CalendarError> {
    let find = |name: &str| properties.iter().find(|property| property.name == name);
    let uid = find("UID").map_or("", |property| property.value.trim());
    let wrong = |what: String| CalendarError::Event {
        event: uid.chars().take(80).collect(),
        what,
    };
    if uid.is_empty() {
        return Err(wrong("it has no UID".to_owned()));
    }
    if ["RRULE", "RDATE", "RECURRENCE-ID"]
        .into_iter()
        .any(|name| find(name).is_some())
    {
        return Err(CalendarError::Repeats(uid.chars().take(80).collect()));
    }
    let start = find("DTSTART").ok_or_else(|| wrong("it has no DTSTART".to_owned()))?;
    let (starts_at, zone) = time(start, default_zone).map_err(&wrong)?;
    let ends_at = match (find("DTEND"), find("DURATION")) {
        (Some(end), _) => time(end, &zone).map_err(&wrong)?.0,
        (None, Some(lasts)) => {
            let lasts = duration(lasts.value.trim());
            let lasts = lasts.ok_or_else(|| wrong("DURATION is none".to_owned()))?;
            starts_at.saturating_add(lasts)
        }
        (None, None) => return Err(wrong("it has neither DTEND nor DURATION".to_owned())),
    };
    let text = |name: &str| find(name).map(|property| unescape(&property.value));
    let place = find(ROOM).map(|property| property.value.trim().to_owned());
    Ok(Event {
        id: meeting_id(uid),
        title: text("SUMMARY").unwrap_or_default(),
        place: place.or_else(|| text("LOCATION")).unwrap_or_default(),
        starts_at,
        ends_at,
        zone,
        cancelled: find("STATUS")
            .is_some_and(|status| status.value.trim().eq_ignore_ascii_case("CANCELLED")),
    })
}

/// The meeting's id for an event's own.
fn meeting_id(uid: &str) -> MeetingId {
    let before = uid.split('@').next().unwrap_or_default();
    MeetingId::new(before).unwrap_or_else(|_| {
        let digest = hex(&Sha256::digest(uid.as_bytes())[..12]);
        MeetingId::new(&format!("ical-{digest}")).expect("the digits of a digest are an id")
    })
}

/// A time, and the zone that it was given in.
fn time(property: &Property, default_zone: &str) -> Result<(WallTime, String), String> {
    let name = &property.name;
    let text = property.value.trim();
    let (text, is_utc) = match text.strip_suffix('Z') {
        Some(text) => (text, true),
        None => (text, false),
    };
    let time = civil(text).ok_or_else(|| {
        format!("{name} must be a day and a time, such as 20260302T083000, with a zone or Z")
    })?;
    let zone = property.parameter("TZID").unwrap_or(default_zone);
    let zone = match zone {
        // The name that one widespread program has for Vietnam's.
        "SE Asia Standard Time" => ZONE,
        zone => zone,
    };
    let known = TimeZone::get(zone).map_err(|_| {
        let zone: String = zone.chars().take(40).collect();
        format!("{name}: there is no time zone {zone:?}; use an IANA name such as {ZONE}")
    })?;
    let at = if is_utc { TimeZone::UTC } else { known };
    let at = at
        .to_timestamp(time)
        .map_err(|_| format!("{name} is out of all calendars"))?;
    Ok((WallTime(at.as_millisecond()), zone.to_owned()))
}

fn civil(text: &str) -> Option<DateTime> {
    let (day, clock) = text.split_once('T')?;
    let digits = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if !digits(day, 8) || !digits(clock, 6) {
        return None;
    }
    let two = |text: &str, at: usize| text[at..at + 2].parse::<i8>().ok();
    // A leap second is the last one that clocks know.
    let second = two(clock, 4)?.min(59);
    DateTime::new(
        day[..4].parse().ok()?,
        two(day, 4)?,
        two(day, 6)?,
        two(clock, 0)?,
        two(clock, 2)?,
        second,
        0,
    )
    .ok()
}

/// `P1W`, `P1DT2H30M`, ….
fn duration(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let mut seconds: u64 = 0;
    let mut number = String::new();
    let mut found = false;
    for character in rest.chars() {
        let unit = match character {
            '0'..='9' if number.len() < 9 => {
                number.push(character);
                continue;
            }
            'T' if number.is_empty() => continue,
            'W' => 7 * 86_400,
            'D' => 86_400,
            'H' => 3600,
            'M' => 60,
            'S' => 1,
            _ => return None,
        };
        let many: u64 = number.parse().ok()?;
        seconds = seconds.checked_add(many.checked_mul(unit)?)?;
        number.clear();
        found = true;
    }
    (found && number.is_empty()).then(|| Duration::from_secs(seconds))
}

/// The lines, each with its number, and what was folded put together again.
fn unfold(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, last))) => last.push_str(rest),
            _ => lines.push((index + 1, line.to_owned())),
        }
    }
    lines
}

/// Writes a line, folded between characters.
fn fold(text: &mut String, line: &str) {
    let mut bytes = 0;
    for character in line.chars() {
        if bytes + character.len_utf8() > LINE_BYTES_MAX {
            text.push_str("\r\n ");
            bytes = 1;
        }
        text.push(character);
        bytes += character.len_utf8();
    }
    text.push_str("\r\n");
}

fn utc(time: WallTime) -> String {
    let mut text = String::new();
    let time = jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    // Writing to a String cannot fail.
    let _ = write!(text, "{}", time.strftime("%Y%m%dT%H%M%SZ"));
    text
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace(';', "\\;")
        .replace(',', "\\,")
        .replace('\n', "\\n")
}

fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                // A title is one line.
                Some('n' | 'N') => plain.push(' '),
                Some(other) => plain.push(other),
                None => {}
            },
            other => plain.push(other),
        }
    }
    plain.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::MeetingPlan;

    fn calendar(event: &str) -> String {
        format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{event}END:VEVENT\r\nEND:VCALENDAR\r\n")
    }

    fn check(event: &str, expect: &str) {
        let told = match read(&calendar(event)) {
            Ok(events) => events
                .iter()
                .map(|e| {
                    let lasts = (e.ends_at.0 - e.starts_at.0) / 60_000;
                    let from = utc(e.starts_at);
                    format!(
                        "{} {:?} at {:?} {from} +{lasts} {}",
                        e.id, e.title, e.place, e.zone
                    )
                })
                .collect::<Vec<_>>()
                .join("; "),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(expect), "{event}: {told}");
    }

    #[test]
    fn events_are_read_in_all_the_ways_that_times_are_written() {
        let plain = "UID:hop-1@x\r\nSUMMARY:Họp\\, giao ban\r\nLOCATION:G1\r\n";
        let expect = "hop-1 \"Họp, giao ban\" at \"G1\" 20260302T013000Z +90 Asia/Ho_Chi_Minh";
        for times in [
            "DTSTART:20260302T013000Z\r\nDTEND:20260302T030000Z\r\n",
            "DTSTART:20260302T083000\r\nDTEND:20260302T100000\r\n",
            "DTSTART;TZID=Asia/Ho_Chi_Minh:20260302T083000\r\nDURATION:PT1H30M\r\n",
            "DTSTART;TZID=\"SE Asia Standard Time\":20260302T083000\r\nDURATION:PT90M\r\n",
            "dtstart:20260302T0130\r\n 00Z\r\nDTEND:20260302T030000Z\r\n",
        ] {
            check(&format!("{plain}{times}"), expect);
        }
    }

    #[test]
    fn what_would_have_to_be_guessed_is_refused() {
        let times = "DTSTART:20260302T013000Z\r\nDTEND:20260302T030000Z\r\n";
        check(&format!("SUMMARY:x\r\n{times}"), "no UID");
        check(
            &format!("UID:a\r\nRRULE:FREQ=WEEKLY\r\n{times}"),
            "repeats itself",
        );
        check("UID:a\r\nDTEND:20260302T030000Z\r\n", "no DTSTART");
        check(
            "UID:a\r\nDTSTART:20260302T030000Z\r\n",
            "neither DTEND nor DURATION",
        );
        check(
            "UID:a\r\nDTSTART;VALUE=DATE:20260302\r\n",
            "a day and a time",
        );
        check(
            "UID:a\r\nDTSTART;TZID=Mars:20260302T013000\r\n",
            "no time zone \"Mars\"",
        );
        check("UID:a\r\nDTSTART:20261302T013000Z\r\n", "a day and a time");
        check("UID:a\r\nBEGIN:VALARM\r\n", "do not fit together");
        assert_eq!(read(""), Err(CalendarError::NoCalendar));
    }

    #[test]
    fn other_programs_ids_become_ids_of_ours_always_the_same() {
        let id = meeting_id("040000008200E00074C5B7101A82E008 {weird}");
        assert_eq!(id, meeting_id("040000008200E00074C5B7101A82E008 {weird}"));
        assert!(id.as_str().starts_with("ical-"), "{id}");
        assert_eq!(meeting_id("hop-1@thanh-pho").as_str(), "hop-1");
    }

    #[test]
    fn what_is_written_is_read_back() {
        let meeting = Meeting {
            plan: MeetingPlan {
                id: MeetingId::new("hop-1").unwrap(),
                title: "Họp giao ban; về \\ nhiều, rất nhiều việc "
                    .repeat(3)
                    .trim()
                    .to_owned(),
                room: RoomId::new("G1").unwrap(),
                doors: Vec::new(),
                starts_at: WallTime(1_772_415_000_000),
                ends_at: WallTime(1_772_420_400_000),
                zone: ZONE.to_owned(),
                quorum: None,
            },
            state: MeetingState::Cancelled,
            generation: 7,
            expected: 0,
        };
        let organisation = OrganisationId::new("mau").unwrap();
        let text = write(
            &organisation,
            std::slice::from_ref(&meeting),
            |_| Some("Phòng, 1"),
            WallTime(0),
        );
        assert!(
            text.lines().all(|line| line.len() <= LINE_BYTES_MAX),
            "{text}"
        );
        let [event] = read(&text).unwrap().try_into().unwrap();
        assert_eq!(event.id, meeting.plan.id);
        assert_eq!(event.title, meeting.plan.title);
        assert_eq!(event.place, "G1");
        assert_eq!(event.starts_at, meeting.plan.starts_at);
        assert_eq!(event.ends_at, meeting.plan.ends_at);
        assert!(event.cancelled);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}", line in "[A-Z;=:TZ0-9P\"]{0,60}") {
            let _ = read(&text);
            let _ = read(&calendar(&format!("{line}\r\n")));
            let _ = read(&calendar(&format!("UID:a\r\nDTSTART:{line}\r\nDURATION:{line}\r\n")));
        }
    }
}
