//! What can be wrong with a roster's file: where it is, what it is, and the way out.
//!
//! Every message stands for itself; none tells of a person more than the cell that is wrong.

use std::fmt;
use std::io;

use vocabulary::meeting::{LABEL_BYTES_MAX, ROSTER_ENTRIES_MAX};
use vocabulary::{IdError, PersonId};

use super::FILE_BYTES_MAX;
use super::sheet::{HEADER_EXAMPLE, HEADER_ROWS_MAX};

/// Why a file is no roster.
#[derive(Debug)]
pub struct RosterFileError {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub problem: Problem,
}

impl fmt::Display for RosterFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.problem)
    }
}

impl std::error::Error for RosterFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.problem)
    }
}

/// Where in a file something is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A cell of a sheet.
    Cell {
        /// Line of the file, from 1.
        line: u64,
        /// Column, from 0.
        column: usize,
        /// What the column is called.
        header: String,
    },
    /// A field of a JSON file.
    Field(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cell {
                line,
                column,
                header,
            } => write!(f, "line {line}, column {} ({header})", letters(*column)),
            Self::Field(field) => f.write_str(field),
        }
    }
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Its name says nothing about its form.
    #[error("the name has to end in .json, .csv, .tsv or .txt; rename the file or save it anew")]
    Name,
    /// It cannot be read.
    #[error("the file cannot be read; check its name and its permissions")]
    Read(#[source] io::Error),
    /// It is too large.
    #[error("the file is larger than {FILE_BYTES_MAX} bytes; is it a roster?")]
    TooLarge,
    /// It is empty, or has blank lines only.
    #[error("the file is empty; save the sheet again")]
    Empty,
    /// It is a workbook, not a text.
    #[error(
        "this is a spreadsheet's own format; open it there and save it as \"CSV UTF-8\" or \
         \"Unicode text\""
    )]
    Workbook,
    /// It is in no known encoding.
    #[error(
        "line {line} is neither UTF-8 nor UTF-16; in the spreadsheet, save it as \"CSV UTF-8\" or \
         \"Unicode text\""
    )]
    Encoding {
        /// The first line that is not.
        line: usize,
    },
    /// No row looks like a header.
    #[error(
        "no header found in the first {HEADER_ROWS_MAX} rows; name the columns, such as \
         {HEADER_EXAMPLE}"
    )]
    NoHeader,
    /// The header has no column with ids.
    #[error(
        "the header in line {line} has no column of ids (\"Mã\" or \"id\"); each person needs an \
         id that stays the same from meeting to meeting, such as a staff number. Example: \
         {HEADER_EXAMPLE}"
    )]
    NoIds {
        /// The header's line.
        line: u64,
    },
    /// Two columns mean the same.
    #[error(
        "the columns {first:?} and {second:?} of the header in line {line} mean the same; delete \
         or rename one"
    )]
    SameColumns {
        /// The header's line.
        line: u64,
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// The sheet cannot be taken apart.
    #[error("the sheet cannot be read; save it again")]
    Csv(#[source] csv::Error),
    /// The JSON cannot be understood.
    #[error("the JSON is not a roster; correct it where the parser stopped")]
    Json(#[source] serde_json::Error),
    /// Something that is needed is not there.
    #[error("{place}: nothing there; fill it in")]
    Missing {
        /// Where.
        place: Place,
    },
    /// An id is none.
    #[error("{place}: {value:?} is no id; correct it")]
    Id {
        /// Where.
        place: Place,
        /// What is there.
        value: String,
        /// Which rule it breaks.
        #[source]
        source: IdError,
    },
    /// A text has characters that cannot be shown.
    #[error("{place}: there is a control character (U+{code:04X}); type the text anew")]
    Control {
        /// Where.
        place: Place,
        /// The character.
        code: u32,
    },
    /// A text is too long.
    #[error(
        "{place}: {bytes} bytes of text, at most {LABEL_BYTES_MAX} are allowed; shorten it, or \
         close a quotation mark that was left open"
    )]
    TooLong {
        /// Where.
        place: Place,
        /// How long it is.
        bytes: usize,
    },
    /// A value is none of those that mean something.
    #[error("{place}: {value:?} is not understood; write {allowed}")]
    Value {
        /// Where.
        place: Place,
        /// What is there.
        value: String,
        /// What may be there.
        allowed: &'static str,
    },
    /// Two people with one id.
    #[error(
        "{second}: the id {id} is already that of {first}; give each person an id of their own"
    )]
    Duplicate {
        /// The id.
        id: PersonId,
        /// Where it is first.
        first: Place,
        /// Where it is again.
        second: Place,
    },
    /// Nobody is on it.
    #[error("there are no people in it; add at least one")]
    Nobody,
    /// Too many are on it.
    #[error("there are more than {ROSTER_ENTRIES_MAX} people in it; is it one meeting's roster?")]
    TooMany,
}

/// A column as spreadsheets name it: A, B, …, Z, AA, …
fn letters(column: usize) -> String {
    let mut rest = column + 1;
    let mut letters = Vec::new();
    while rest > 0 {
        let digit = (rest - 1) % 26;
        letters.push(char::from(b'A' + digit as u8));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_as_spreadsheets_do() {
        let check = |column: usize, expect: &str| assert_eq!(letters(column), expect);
        check(0, "A");
        check(25, "Z");
        check(26, "AA");
        check(701, "ZZ");
        check(702, "AAA");
    }
}
