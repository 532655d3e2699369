//! Short texts inside records. Bounded, so that a record's size is; never a name, so that names
//! stay erasable while the chain is not.

use std::fmt;

use thiserror::Error;

/// Longest text in bytes of UTF-8: a document's number and date, a version or one line of a fault
/// fit; an essay does not belong into a chain.
pub const TEXT_BYTES_MAX: usize = 160;

/// Why a text does not go into a record.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TextError {
    /// More than [`TEXT_BYTES_MAX`] bytes; carries the length found.
    #[error("the text has {0} bytes, at most {TEXT_BYTES_MAX} are allowed; shorten it")]
    TooLong(usize),
    /// A control character such as a line break; carries it.
    #[error("the text contains the control character {0:?}; write it in one line")]
    Control(char),
}

/// One line of at most [`TEXT_BYTES_MAX`] bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Text(String);

impl Text {
    /// Checks and takes over a text.
    ///
    /// # Errors
    /// [`TextError`] says which rule the text breaks.
    pub fn new(text: &str) -> Result<Self, TextError> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(TextError::TooLong(text.len()));
        }
        match text.chars().find(|c| c.is_control()) {
            Some(control) => Err(TextError::Control(control)),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// Makes a text of whatever is given: control characters become spaces, what is too long is
    /// cut at a character. For messages of machines, where a part is worth more than a refusal.
    #[must_use]
    pub fn clipped(text: &str) -> Self {
        let mut clipped = String::with_capacity(text.len().min(TEXT_BYTES_MAX));
        for character in text.chars() {
            let character = if character.is_control() {
                ' '
            } else {
                character
            };
            if clipped.len() + character.len_utf8() > TEXT_BYTES_MAX {
                break;
            }
            clipped.push(character);
        }
        Self(clipped)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Text {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_bounded_line() {
        let check = |text: &str, expect: Result<(), TextError>| {
            assert_eq!(Text::new(text).map(|_| ()), expect, "{text:?}");
        };
        check("", Ok(()));
        check("Giấy ủy quyền số 12", Ok(()));
        check("two\nlines", Err(TextError::Control('\n')));
        check(&"x".repeat(161), Err(TextError::TooLong(161)));
    }

    #[test]
    fn clipping_cuts_at_a_character() {
        assert_eq!(Text::clipped("a\nb").as_str(), "a b");
        let long = "ễ".repeat(100);
        let clipped = Text::clipped(&long);
        assert_eq!(clipped.as_str(), "ễ".repeat(TEXT_BYTES_MAX / 3));
        assert_eq!(Text::new(clipped.as_str()), Ok(clipped));
    }
}
