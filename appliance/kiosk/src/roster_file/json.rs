//! Rosters as JSON, for programs. The form is described with the module above.
//!
//! The types of the file are its own: a field more in the domain does not change the file.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use vocabulary::{
    Attendance, Delegate, DoorId, Meeting, MeetingId, OrganisationId, Role, RoomId, Roster,
    RosterEntry, WallTime,
};

use super::words::{attendance, id, label, person_id, role, short};
use super::{Home, People, Place, Problem};

/// Most doors of one meeting.
const DOORS_MAX: usize = 64;

/// Meeting and people of a roster as JSON that [`parse`](super::parse) reads back to the same.
///
/// # Errors
/// When the JSON writer fails, which texts and numbers never make it do.
pub fn to_json(roster: &Roster) -> Result<String, serde_json::Error> {
    let meeting = roster.meeting();
    let file = FileDto {
        meeting: MeetingDto {
            id: meeting.id.to_string(),
            title: meeting.title.clone(),
            starts_at: time_text(meeting.starts_at),
            ends_at: time_text(meeting.ends_at),
            organisation: Some(meeting.organisation.to_string()),
            room: Some(meeting.room.to_string()),
            doors: meeting.doors.iter().map(DoorId::to_string).collect(),
            zone: Some(meeting.zone.clone()),
            quorum: meeting.quorum,
        },
        people: roster.entries().iter().map(PersonDto::of).collect(),
    };
    Ok(format!("{}\n", serde_json::to_string_pretty(&file)?))
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDto {
    meeting: MeetingDto,
    people: Vec<PersonDto>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MeetingDto {
    id: String,
    title: String,
    starts_at: String,
    ends_at: String,
    #[serde(default)]
    organisation: Option<String>,
    #[serde(default)]
    room: Option<String>,
    #[serde(default)]
    doors: Vec<String>,
    #[serde(default)]
    zone: Option<String>,
    #[serde(default)]
    quorum: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonDto {
    id: String,
    name: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    attendance: String,
}

impl PersonDto {
    fn of(entry: &RosterEntry) -> Self {
        let delegate = &entry.delegate;
        Self {
            id: delegate.person.to_string(),
            name: delegate.name.clone(),
            title: delegate.title.clone(),
            unit: delegate.unit.clone(),
            role: match entry.role {
                Role::Member => "member",
                Role::Guest => "guest",
            }
            .to_owned(),
            attendance: match entry.attendance {
                Attendance::FaceOrCode => "face",
                Attendance::CodeOnly => "code",
            }
            .to_owned(),
        }
    }

    fn entry(&self, index: usize) -> Result<RosterEntry, Problem> {
        let place = |field: &str| Place::Field(format!("people[{index}].{field}"));
        let person = person_id(&place("id"), self.id.trim())?;
        let name = label(&place("name"), &self.name)?;
        if name.is_empty() {
            return Err(Problem::Missing {
                place: place("name"),
            });
        }
        Ok(RosterEntry {
            delegate: Delegate {
                person,
                name,
                title: label(&place("title"), &self.title)?,
                unit: label(&place("unit"), &self.unit)?,
            },
            role: role(&place("role"), &self.role)?,
            attendance: attendance(&place("attendance"), &self.attendance)?,
        })
    }
}

/// Meeting and people of a JSON text.
pub(super) fn parse(text: &str, home: &Home<'_>) -> Result<(Meeting, Vec<RosterEntry>), Problem> {
    let file: FileDto = serde_json::from_str(text).map_err(Problem::Json)?;
    let meeting = meeting(&file.meeting, home)?;
    let mut people = People::default();
    for (index, person) in file.people.iter().enumerate() {
        let place = Place::Field(format!("people[{index}].id"));
        people.add(place, person.entry(index)?)?;
    }
    Ok((meeting, people.done()?))
}

fn meeting(dto: &MeetingDto, home: &Home<'_>) -> Result<Meeting, Problem> {
    let place = |field: &str| Place::Field(format!("meeting.{field}"));
    let zone = dto.zone.as_deref().unwrap_or(home.zone);
    let time_zone = TimeZone::get(zone).map_err(|_| Problem::Value {
        place: place("zone"),
        value: short(zone),
        allowed: "an IANA time zone such as Asia/Ho_Chi_Minh",
    })?;
    if dto.doors.len() > DOORS_MAX {
        return Err(Problem::Value {
            place: place("doors"),
            value: format!("{} doors", dto.doors.len()),
            allowed: "at most 64 doors",
        });
    }
    let door =
        |(index, text): (usize, &String)| id(&place(&format!("doors[{index}]")), text, DoorId::new);
    let title = label(&place("title"), &dto.title)?;
    if title.is_empty() {
        return Err(Problem::Missing {
            place: place("title"),
        });
    }
    Ok(Meeting {
        id: id(&place("id"), &dto.id, MeetingId::new)?,
        organisation: match &dto.organisation {
            Some(text) => id(&place("organisation"), text, OrganisationId::new)?,
            None => home.organisation.clone(),
        },
        room: match &dto.room {
            Some(text) => id(&place("room"), text, RoomId::new)?,
            None => home.room.clone(),
        },
        doors: dto
            .doors
            .iter()
            .enumerate()
            .map(door)
            .collect::<Result<_, _>>()?,
        title,
        starts_at: time(&place("starts_at"), &dto.starts_at, &time_zone)?,
        ends_at: time(&place("ends_at"), &dto.ends_at, &time_zone)?,
        zone: zone.to_owned(),
        quorum: dto.quorum,
    })
}

/// A time with its offset, or the local time of the zone.
fn time(place: &Place, text: &str, zone: &TimeZone) -> Result<WallTime, Problem> {
    let with_offset = text.parse::<Timestamp>();
    let time = with_offset.or_else(|_| {
        let local = text.parse::<DateTime>()?;
        zone.to_timestamp(local)
    });
    match time {
        Ok(time) => Ok(WallTime(time.as_millisecond())),
        Err(_) => Err(Problem::Value {
            place: place.clone(),
            value: short(text),
            allowed: "a time such as 2026-12-01T08:00:00+07:00 or 2026-12-01T08:00",
        }),
    }
}

fn time_text(time: WallTime) -> String {
    Timestamp::from_millisecond(time.0)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}
