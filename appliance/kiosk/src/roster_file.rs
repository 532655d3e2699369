//! Rosters as files: JSON for programs, CSV as a secretary saves it from a spreadsheet.
//!
//! Reading is forgiving about form (encoding, separator, order and language of the columns, blank
//! rows) and strict about content: what is wrong is refused with its line, its column and the way
//! out, and nothing is guessed. Nothing is logged here; names are personal data.
//!
//! The JSON form, with every field (those marked may be left out):
//!
//! ```json
//! {
//!   "meeting": {
//!     "id": "GB-2026-12",
//!     "title": "Họp giao ban tháng 12",
//!     "starts_at": "2026-12-01T08:00:00+07:00",
//!     "ends_at": "2026-12-01T11:30:00+07:00",
//!     "organisation": "ubnd-mau",          // left out: the kiosk's own
//!     "room": "A1",                        // left out: the kiosk's own
//!     "doors": ["A1-1"],                   // left out: every door of the room
//!     "zone": "Asia/Ho_Chi_Minh",          // left out: the kiosk's own
//!     "quorum": 20                         // left out: none
//!   },
//!   "people": [
//!     {
//!       "id": "CB-001",
//!       "name": "Nguyễn Văn Mẫu",
//!       "title": "Ông",                    // left out: none
//!       "unit": "Sở Ví dụ",                // left out: none
//!       "role": "member",                  // or "guest"; left out: member
//!       "attendance": "face"               // or "code"; left out: face
//!     }
//!   ]
//! }
//! ```
//!
//! Times without an offset (`2026-12-01T08:00`) are those of the meeting's zone.

mod encoding;
mod json;
mod problem;
mod sheet;
#[cfg(test)]
mod tests;
mod words;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use vocabulary::meeting::ROSTER_ENTRIES_MAX;
use vocabulary::{Delegate, Meeting, OrganisationId, PersonId, RoomId, RosterEntry};

pub use self::sheet::to_csv;
pub use json::to_json;
pub use problem::{Place, Problem, RosterFileError};

/// Largest file in bytes. The longest roster has some 3 MB.
pub const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Ignored columns and shared names that a note lists at most; the rest is counted.
const NOTED_MAX: usize = 10;

/// The form of a roster's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Meeting and people.
    Json,
    /// The people alone, separated by commas, semicolons or tabs.
    Csv,
}

/// What a JSON roster may leave out about its meeting.
#[derive(Debug, Clone, Copy)]
pub struct Home<'a> {
    /// Whose meetings they are.
    pub organisation: &'a OrganisationId,
    /// Where they are.
    pub room: &'a RoomId,
    /// The IANA zone of their times.
    pub zone: &'a str,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterFile {
    /// The meeting; a CSV file has none.
    pub meeting: Option<Meeting>,
    /// The people, in the order of the file.
    pub entries: Vec<RosterEntry>,
    /// What was accepted and should be known.
    pub notes: Vec<Note>,
}

/// What was accepted and should be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Several people bear one name.
    SharedName {
        /// The name.
        name: String,
        /// Their ids.
        people: Vec<PersonId>,
        /// Whether all of them have units, and different ones, so that these tell them apart.
        told_apart: bool,
    },
    /// More names are shared than are listed.
    MoreSharedNames(usize),
    /// Columns that mean nothing here.
    IgnoredColumns(Vec<String>),
    /// The roster is so large that a face alone only proposes.
    FaceOnlyProposes {
        /// How many people are on it.
        people: usize,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SharedName {
                name,
                people,
                told_apart,
            } => {
                let ids: Vec<_> = people
                    .iter()
                    .take(NOTED_MAX)
                    .map(PersonId::as_str)
                    .collect();
                write!(
                    f,
                    "{} people are called {name} ({}); ",
                    people.len(),
                    ids.join(", ")
                )?;
                if *told_apart {
                    write!(f, "screen and roll add the unit")
                } else {
                    write!(
                        f,
                        "give each a unit of their own, so that people can tell them apart"
                    )
                }
            }
            Self::MoreSharedNames(count) => write!(f, "{count} more names are shared"),
            Self::IgnoredColumns(columns) => {
                let shown: Vec<_> = columns
                    .iter()
                    .take(NOTED_MAX)
                    .map(|c| words::short(c))
                    .collect();
                write!(f, "these columns are not used: {}", shown.join(", "))
            }
            Self::FaceOnlyProposes { people } => write!(
                f,
                "once all {people} people on the roster are enrolled, a face alone is not certain \
                 enough: it only proposes, and a second means (invitation code) is asked for"
            ),
        }
    }
}

/// The note for a roster on which a face alone does not decide.
pub fn note_on_size(people: usize, face_decides: bool) -> Option<Note> {
    (!face_decides).then_some(Note::FaceOnlyProposes { people })
}

/// Reads a file; its name says which form it has.
///
/// # Errors
/// [`RosterFileError`] names the file, the place in it, what is wrong and what to do.
pub fn read(path: &Path, home: &Home<'_>) -> Result<RosterFile, RosterFileError> {
    let parsed = form_of(path).and_then(|form| {
        let bytes = read_bytes(path)?;
        parse(form, &bytes, home)
    });
    parsed.map_err(|problem| RosterFileError {
        file: path.display().to_string(),
        problem,
    })
}

/// Takes a file's bytes apart.
///
/// # Errors
/// [`Problem`] names the place, what is wrong and what to do.
pub fn parse(form: Form, bytes: &[u8], home: &Home<'_>) -> Result<RosterFile, Problem> {
    let text = encoding::decode(bytes)?;
    let (meeting, entries, mut notes) = match form {
        Form::Json => {
            let (meeting, entries) = json::parse(&text, home)?;
            (Some(meeting), entries, Vec::new())
        }
        Form::Csv => {
            let (entries, notes) = sheet::parse(&text)?;
            (None, entries, notes)
        }
    };
    notes.extend(shared_names(&entries));
    Ok(RosterFile {
        meeting,
        entries,
        notes,
    })
}

fn form_of(path: &Path) -> Result<Form, Problem> {
    let ending = path.extension().and_then(|ending| ending.to_str());
    match ending.map(str::to_ascii_lowercase).as_deref() {
        Some("json") => Ok(Form::Json),
        Some("csv" | "tsv" | "txt") => Ok(Form::Csv),
        Some("xls" | "xlsx" | "xlsm" | "ods") => Err(Problem::Workbook),
        Some(_) | None => Err(Problem::Name),
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(path).map_err(Problem::Read)?;
    if !metadata.is_file() {
        return Err(Problem::Read(io::Error::other("it is not a regular file")));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Problem::Read)?;
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(Problem::Read)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Problem::TooLarge);
    }
    Ok(bytes)
}

/// People gathered so far, and where each id is.
#[derive(Default)]
struct People {
    entries: Vec<RosterEntry>,
    places: HashMap<PersonId, Place>,
}

impl People {
    fn add(&mut self, place: Place, entry: RosterEntry) -> Result<(), Problem> {
        if self.entries.len() == ROSTER_ENTRIES_MAX {
            return Err(Problem::TooMany);
        }
        let id = entry.delegate.person.clone();
        if let Some(first) = self.places.get(&id) {
            return Err(Problem::Duplicate {
                id,
                first: first.clone(),
                second: place,
            });
        }
        self.places.insert(id, place);
        self.entries.push(entry);
        Ok(())
    }

    fn done(self) -> Result<Vec<RosterEntry>, Problem> {
        if self.entries.is_empty() {
            return Err(Problem::Nobody);
        }
        Ok(self.entries)
    }
}

/// A note for each name that several people bear, in the order of the roster.
fn shared_names(entries: &[RosterEntry]) -> Vec<Note> {
    let mut by_name: HashMap<&str, Vec<&Delegate>> = HashMap::new();
    for entry in entries {
        let delegates = by_name.entry(&entry.delegate.name).or_default();
        delegates.push(&entry.delegate);
    }
    let shared: Vec<_> = entries
        .iter()
        .filter_map(|entry| {
            let delegates = &by_name[entry.delegate.name.as_str()];
            let is_first = delegates[0].person == entry.delegate.person;
            (delegates.len() > 1 && is_first).then_some(delegates)
        })
        .collect();
    let mut notes: Vec<_> = shared
        .iter()
        .take(NOTED_MAX)
        .map(|delegates| {
            let mut units: Vec<_> = delegates.iter().map(|one| one.unit.as_str()).collect();
            units.sort_unstable();
            units.dedup();
            Note::SharedName {
                name: delegates[0].name.clone(),
                people: delegates.iter().map(|one| one.person.clone()).collect(),
                told_apart: units.len() == delegates.len() && !units.contains(&""),
            }
        })
        .collect();
    let more = shared.len().saturating_sub(NOTED_MAX);
    if more > 0 {
        notes.push(Note::MoreSharedNames(more));
    }
    notes
}
