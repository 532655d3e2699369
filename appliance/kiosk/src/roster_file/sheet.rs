//! Rosters as sheets: CSV with commas, semicolons or tabs, as spreadsheets save it.
//!
//! The separator and the header are found, not assumed. A cell is only ever text: what is written
//! cannot become a formula, and what was guarded against that is read back as it was.

use std::collections::HashMap;

use ::sheet::{Column, attendance_word, guard_formula, role_word, unguard_formula};
use vocabulary::{Delegate, Roster, RosterEntry};

use super::words::{attendance, label, person_id, role, short, squeeze};
use super::{Note, People, Place, Problem};

/// Rows at the top of a sheet in which the header is looked for: above it may stand whose list it
/// is and of which meeting.
pub(super) const HEADER_ROWS_MAX: usize = 20;

/// What a header should look like, for errors.
pub(super) const HEADER_EXAMPLE: &str = "Mã;Họ và tên;Chức danh;Đơn vị;Vai trò;Hình thức";

/// The people of a roster as CSV that spreadsheets open with their Vietnamese letters intact, and
/// that [`parse`](super::parse) reads back to the same.
///
/// # Errors
/// When the CSV writer fails, which writing to memory never makes it do.
pub fn to_csv(roster: &Roster) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "Mã",
        "Họ và tên",
        "Chức danh",
        "Đơn vị",
        "Vai trò",
        "Hình thức",
    ])?;
    for entry in roster.entries() {
        let delegate = &entry.delegate;
        writer.write_record([
            delegate.person.as_str(),
            &guard_formula(&delegate.name),
            &guard_formula(&delegate.title),
            &guard_formula(&delegate.unit),
            role_word(entry.role),
            attendance_word(entry.attendance),
        ])?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    // The mark at the beginning makes spreadsheets read the file as UTF-8.
    Ok(format!("\u{feff}{}", String::from_utf8_lossy(&bytes)))
}

/// Whether a roster that is imported at a door has a use for the column.
fn is_used(column: Column) -> bool {
    match column {
        Column::Id
        | Column::Name
        | Column::Family
        | Column::Title
        | Column::Unit
        | Column::Role
        | Column::Attendance => true,
        Column::InsteadOf | Column::Document | Column::Number => false,
    }
}

/// The header of a sheet: where each column is.
struct Header {
    line: u64,
    columns: HashMap<Column, usize>,
    names: Vec<String>,
}

impl Header {
    /// Reads a row as a header; none when it does not name people.
    fn read(row: &Row) -> Result<Option<Self>, Problem> {
        let line = row.line;
        let names: Vec<String> = row.cells.iter().map(squeeze).collect();
        if !names
            .iter()
            .any(|name| Column::of(name) == Some(Column::Name))
        {
            return Ok(None);
        }
        let mut columns: HashMap<Column, usize> = HashMap::new();
        for (index, name) in names.iter().enumerate() {
            let Some(column) = Column::of(name).filter(|column| is_used(*column)) else {
                continue;
            };
            if let Some(first) = columns.insert(column, index) {
                return Err(Problem::SameColumns {
                    line,
                    first: short(&names[first]),
                    second: short(name),
                });
            }
        }
        if columns.contains_key(&Column::Id) {
            Ok(Some(Self {
                line,
                columns,
                names,
            }))
        } else {
            Err(Problem::NoIds { line })
        }
    }

    /// Columns that are named and mean nothing here. A running number is expected and not worth a
    /// note.
    fn ignored(&self) -> Vec<String> {
        self.names
            .iter()
            .filter(|name| {
                let column = Column::of(name);
                !column.is_some_and(is_used)
                    && column != Some(Column::Number)
                    && name.chars().any(char::is_alphanumeric)
            })
            .cloned()
            .collect()
    }

    /// The place and the text of a person's cell; an empty text where the sheet has no such column
    /// or the row ends before it.
    fn cell<'r>(&self, row: &'r Row, column: Column) -> (Place, &'r str) {
        let index = self.columns.get(&column).copied();
        let place = Place::Cell {
            line: row.line,
            column: index.unwrap_or(0),
            header: index.map_or_else(String::new, |index| short(&self.names[index])),
        };
        let text = index
            .and_then(|index| row.cells.get(index))
            .unwrap_or_default();
        (place, unguard_formula(text.trim()))
    }

    fn entry(&self, row: &Row) -> Result<(Place, RosterEntry), Problem> {
        let (place, id) = self.cell(row, Column::Id);
        let person = person_id(&place, &squeeze(id))?;
        let (name_place, given) = self.cell(row, Column::Name);
        let (family_place, family) = self.cell(row, Column::Family);
        let family = label(&family_place, family)?;
        let given = label(&name_place, given)?;
        let name = label(&name_place, &format!("{family} {given}"))?;
        if name.is_empty() {
            return Err(Problem::Missing { place: name_place });
        }
        let text = |column| {
            let (place, text) = self.cell(row, column);
            label(&place, text)
        };
        let delegate = Delegate {
            person,
            name,
            title: text(Column::Title)?,
            unit: text(Column::Unit)?,
        };
        let (role_place, role_text) = self.cell(row, Column::Role);
        let (attendance_place, attendance_text) = self.cell(row, Column::Attendance);
        let entry = RosterEntry {
            delegate,
            role: role(&role_place, role_text)?,
            attendance: attendance(&attendance_place, attendance_text)?,
        };
        Ok((place, entry))
    }
}

/// People of a sheet, and what should be known about it.
pub(super) fn parse(text: &str) -> Result<(Vec<RosterEntry>, Vec<Note>), Problem> {
    // One kind of line end, so that lines are counted alike however the sheet was saved.
    let text = &text.replace("\r\n", "\n").replace('\r', "\n");
    let mut rows = Rows::new(text, separator(text)?);
    let mut header = None;
    for _ in 0..HEADER_ROWS_MAX {
        let Some(row) = rows.next()? else {
            break;
        };
        header = Header::read(&row)?;
        if header.is_some() {
            break;
        }
    }
    let header = header.ok_or(Problem::NoHeader)?;
    tracing::debug!(
        line = header.line,
        columns = header.columns.len(),
        "header found"
    );
    let mut people = People::default();
    while let Some(row) = rows.next()? {
        if row.cells.iter().all(|cell| squeeze(cell).is_empty()) {
            continue;
        }
        let (place, entry) = header.entry(&row)?;
        people.add(place, entry)?;
    }
    let ignored = header.ignored();
    let note = (!ignored.is_empty()).then_some(Note::IgnoredColumns(ignored));
    Ok((people.done()?, note.into_iter().collect()))
}

/// A row and the line of the file that it begins in.
struct Row {
    line: u64,
    cells: csv::StringRecord,
}

/// The rows of a sheet; lines without a single character are passed over.
struct Rows<'t> {
    text: &'t str,
    reader: csv::Reader<&'t [u8]>,
}

impl<'t> Rows<'t> {
    fn new(text: &'t str, separator: u8) -> Self {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(text.as_bytes());
        Self { text, reader }
    }

    fn next(&mut self) -> Result<Option<Row>, Problem> {
        let mut cells = csv::StringRecord::new();
        if !self.reader.read_record(&mut cells).map_err(Problem::Csv)? {
            return Ok(None);
        }
        let Some(position) = cells.position() else {
            return Ok(Some(Row { line: 0, cells }));
        };
        // The position is that of the blank lines before the row, where there are any.
        let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        let from_there = self.text.as_bytes().get(start..).unwrap_or_default();
        let blank = from_there.iter().take_while(|byte| **byte == b'\n').count();
        let line = position.line() + blank as u64;
        Ok(Some(Row { line, cells }))
    }
}

/// The separator with which the top of the sheet has the most headers that mean something.
fn separator(text: &str) -> Result<u8, Problem> {
    let mut best = (0, b',');
    for separator in [b',', b';', b'\t'] {
        let mut rows = Rows::new(text, separator);
        let mut known = 0;
        for _ in 0..HEADER_ROWS_MAX {
            let Some(row) = rows.next()? else {
                break;
            };
            let meant = row.cells.iter().filter(|name| Column::of(name).is_some());
            known = known.max(meant.count());
        }
        if known > best.0 {
            best = (known, separator);
        }
    }
    Ok(best.1)
}
