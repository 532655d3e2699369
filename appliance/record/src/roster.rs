//! The canonical encoding of a roster: what a ledger stores, and what the digest in each record is
//! taken over, so that years later it can be shown by which list the roll was taken.

use vocabulary::{
    Attendance, Delegate, Digest, DoorId, Meeting, MeetingId, OrganisationId, PersonId, Role,
    RoomId, Roster, RosterEntry, WallTime,
};

use crate::cbor::{DecodeError, Reader, Writer};
use crate::codec::{Numbered, id, numbered};
use crate::digest;

/// Most bytes of an encoded roster: the most entries with the longest names, titles and units.
pub const ROSTER_BYTES_MAX: usize = 32 << 20;

/// The version of the roster's encoding.
const VERSION: u64 = 1;

/// The one encoding of a roster.
#[must_use]
pub fn encode_roster(roster: &Roster) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.map(4).uint(0).uint(VERSION).uint(1);
    write_meeting(&mut writer, roster.meeting());
    writer.uint(2).uint(roster.generation());
    writer.uint(3).array(roster.entries().len());
    for entry in roster.entries() {
        write_entry(&mut writer, entry);
    }
    writer.into_bytes()
}

/// Reads what [`encode_roster`] wrote, and nothing else: the result encodes to the same bytes.
///
/// # Errors
/// [`DecodeError`] names the first field that is wrong, or says which rule of rosters is broken.
pub fn decode_roster(bytes: &[u8]) -> Result<Roster, DecodeError> {
    let mut reader = Reader::new(bytes, ROSTER_BYTES_MAX)?;
    let mut map = reader.map("the roster")?;
    let found = reader
        .need(&mut map, 0, "the version")?
        .uint("the version")?;
    if found != VERSION {
        return Err(DecodeError::Version {
            found,
            supported: VERSION,
        });
    }
    let meeting = read_meeting(reader.need(&mut map, 1, "the meeting")?)?;
    let generation = reader.need(&mut map, 2, "the generation")?;
    let generation = generation.uint("the generation")?;
    let entries = reader
        .need(&mut map, 3, "the entries")?
        .array("the entries")?;
    // The number is only believed as entries are found, so it reserves no memory.
    let entries: Vec<_> = (0..entries)
        .map(|_| read_entry(&mut reader))
        .collect::<Result<_, _>>()?;
    reader.end(&map)?;
    reader.finish()?;
    let roster = Roster::new(meeting, generation, entries).map_err(DecodeError::Roster)?;
    if encode_roster(&roster) != bytes {
        return Err(DecodeError::NotCanonical);
    }
    Ok(roster)
}

/// The SHA-256 digest of a roster's encoding.
#[must_use]
pub fn roster_digest(roster: &Roster) -> Digest {
    digest(&encode_roster(roster))
}

fn write_meeting(writer: &mut Writer, meeting: &Meeting) {
    writer.map(8 + usize::from(meeting.quorum.is_some()));
    writer.uint(0).text(meeting.id.as_str());
    writer.uint(1).text(meeting.organisation.as_str());
    writer.uint(2).text(meeting.room.as_str());
    writer.uint(3).array(meeting.doors.len());
    for door in &meeting.doors {
        writer.text(door.as_str());
    }
    writer.uint(4).text(&meeting.title);
    writer.uint(5).int(meeting.starts_at.0);
    writer.uint(6).int(meeting.ends_at.0);
    writer.uint(7).text(&meeting.zone);
    if let Some(quorum) = meeting.quorum {
        writer.uint(8).uint(u64::from(quorum));
    }
}

fn read_meeting(reader: &mut Reader<'_>) -> Result<Meeting, DecodeError> {
    let mut map = reader.map("the meeting")?;
    let meeting = reader.need(&mut map, 0, "the meeting's id")?;
    let meeting = meeting.text("the meeting's id")?;
    let organisation = reader.need(&mut map, 1, "the organisation")?;
    let organisation = organisation.text("the organisation")?;
    let room = reader.need(&mut map, 2, "the room")?.text("the room")?;
    let doors = reader.need(&mut map, 3, "the doors")?.array("the doors")?;
    let doors: Vec<_> = (0..doors)
        .map(|_| DoorId::new(reader.text("a door")?).map_err(id("a door")))
        .collect::<Result<_, _>>()?;
    let title = reader.need(&mut map, 4, "the title")?.text("the title")?;
    let starts_at = reader.need(&mut map, 5, "the start")?.int("the start")?;
    let ends_at = reader.need(&mut map, 6, "the end")?.int("the end")?;
    let zone = reader.need(&mut map, 7, "the zone")?.text("the zone")?;
    let quorum = if reader.find(&mut map, 8)? {
        Some(reader.uint32("the quorum")?)
    } else {
        None
    };
    reader.end(&map)?;
    Ok(Meeting {
        id: MeetingId::new(meeting).map_err(id("the meeting's id"))?,
        organisation: OrganisationId::new(organisation).map_err(id("the organisation"))?,
        room: RoomId::new(room).map_err(id("the room"))?,
        doors,
        title: title.to_owned(),
        starts_at: WallTime(starts_at),
        ends_at: WallTime(ends_at),
        zone: zone.to_owned(),
        quorum,
    })
}

fn write_entry(writer: &mut Writer, entry: &RosterEntry) {
    writer.map(6);
    writer.uint(0).text(entry.delegate.person.as_str());
    writer.uint(1).text(&entry.delegate.name);
    writer.uint(2).text(&entry.delegate.title);
    writer.uint(3).text(&entry.delegate.unit);
    writer.uint(4).uint(entry.role.number());
    writer.uint(5).uint(entry.attendance.number());
}

fn read_entry(reader: &mut Reader<'_>) -> Result<RosterEntry, DecodeError> {
    let mut map = reader.map("a delegate")?;
    let person = reader
        .need(&mut map, 0, "a person's id")?
        .text("a person's id")?;
    let name = reader.need(&mut map, 1, "a name")?.text("a name")?;
    let title = reader.need(&mut map, 2, "a title")?.text("a title")?;
    let unit = reader.need(&mut map, 3, "a unit")?.text("a unit")?;
    let role = Role::read(reader.need(&mut map, 4, "a role")?)?;
    let attendance = Attendance::read(reader.need(&mut map, 5, "an attendance")?)?;
    reader.end(&map)?;
    Ok(RosterEntry {
        delegate: Delegate {
            person: PersonId::new(person).map_err(id("a person's id"))?,
            name: name.to_owned(),
            title: title.to_owned(),
            unit: unit.to_owned(),
        },
        role,
        attendance,
    })
}

numbered!(Role, "a role", Member = 1, Guest = 2);

numbered!(Attendance, "an attendance", FaceOrCode = 1, CodeOnly = 2,);
