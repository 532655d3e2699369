//! Texts and values as people type them, brought into one form.
//!
//! Forgiving about space, case, diacritics and language; what would look like something else on a
//! screen is refused, and nothing is guessed.

use unicode_normalization::UnicodeNormalization;
use vocabulary::meeting::LABEL_BYTES_MAX;
use vocabulary::{Attendance, IdError, PersonId, Role};

use super::{Place, Problem};

/// How much of a wrong value an error repeats, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// The id of a person; an empty text is told as missing.
pub(super) fn person_id(place: &Place, text: &str) -> Result<PersonId, Problem> {
    if text.is_empty() {
        return Err(Problem::Missing {
            place: place.clone(),
        });
    }
    id(place, text, PersonId::new)
}

/// An id of any kind.
pub(super) fn id<T>(
    place: &Place,
    text: &str,
    new: impl Fn(&str) -> Result<T, IdError>,
) -> Result<T, Problem> {
    new(text).map_err(|source| Problem::Id {
        place: place.clone(),
        value: short(text),
        source,
    })
}

/// What somebody is to the meeting; nothing means a member.
pub(super) fn role(place: &Place, text: &str) -> Result<Role, Problem> {
    ::sheet::role(text).ok_or_else(|| Problem::Value {
        place: place.clone(),
        value: short(text),
        allowed: "\"Đại biểu\" or \"Khách mời\" (member or guest), or leave it empty",
    })
}

/// How somebody is called; nothing means by face.
pub(super) fn attendance(place: &Place, text: &str) -> Result<Attendance, Problem> {
    ::sheet::attendance(text).ok_or_else(|| Problem::Value {
        place: place.clone(),
        value: short(text),
        allowed: "\"Khuôn mặt\" or \"Mã QR\" (face or code), or leave it empty",
    })
}

/// A text as people read it: in NFC, without space around it, with single spaces inside.
pub(super) fn label(place: &Place, text: &str) -> Result<String, Problem> {
    if let Some(character) = text.chars().find(|c| is_refused(*c)) {
        return Err(Problem::Control {
            place: place.clone(),
            code: character.into(),
        });
    }
    let label = squeeze(text);
    if label.len() > LABEL_BYTES_MAX {
        return Err(Problem::TooLong {
            place: place.clone(),
            bytes: label.len(),
        });
    }
    Ok(label)
}

/// Control characters other than white space, and those that turn the direction of writing and so
/// make a name look like another.
fn is_refused(character: char) -> bool {
    let turns = matches!(character, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    turns || (character.is_control() && !character.is_whitespace())
}

/// NFC, white space folded, invisible characters that come with copied text left out.
pub(super) fn squeeze(text: &str) -> String {
    let visible: String = text
        .nfc()
        .filter(|c| {
            !matches!(
                c,
                '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}'
            )
        })
        .collect();
    let words: Vec<_> = visible.split_whitespace().collect();
    words.join(" ")
}

/// As much of a value as an error repeats.
pub(super) fn short(text: &str) -> String {
    let mut short: String = squeeze(text)
        .chars()
        .filter(|c| !is_refused(*c))
        .take(SHOWN_CHARS_MAX + 1)
        .collect();
    if short.chars().count() > SHOWN_CHARS_MAX {
        short.pop();
        short.push('…');
    }
    short
}
