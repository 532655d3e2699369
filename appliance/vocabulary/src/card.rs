//! The number of a citizen card (căn cước công dân). It identifies a person for life, so a value of
//! it is never shown, not even in `Debug`; whoever compares numbers compares keyed hashes of them.

use std::fmt;

/// Digits of a number.
pub const CARD_DIGITS: usize = 12;

/// The 12 digits of a citizen card's number.
#[derive(Clone, PartialEq, Eq)]
pub struct CardNumber([u8; CARD_DIGITS]);

/// The text is no number of a citizen card. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardNumberError;

impl fmt::Display for CardNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a citizen card's number has {CARD_DIGITS} digits and nothing else"
        )
    }
}

impl std::error::Error for CardNumberError {}

impl CardNumber {
    /// Checks and takes over a text.
    ///
    /// # Errors
    /// [`CardNumberError`] when it is not twelve ASCII digits.
    pub fn new(text: &str) -> Result<Self, CardNumberError> {
        let digits: [u8; CARD_DIGITS] = text.as_bytes().try_into().map_err(|_| CardNumberError)?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(CardNumberError);
        }
        Ok(Self(digits))
    }

    /// The digits in ASCII, to be sealed or hashed and for nothing else.
    #[must_use]
    pub fn expose(&self) -> &[u8; CARD_DIGITS] {
        &self.0
    }
}

impl fmt::Debug for CardNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_digits_are_a_number_and_are_never_shown() {
        let number = CardNumber::new("001099000001").unwrap();
        assert_eq!(number.expose(), b"001099000001");
        assert_eq!(format!("{number:?}"), "CardNumber(…)");
        for text in ["", "00109900000", "0010990000012", "00109900000x", "٠٠١٠٩٩"] {
            let error = CardNumber::new(text).unwrap_err().to_string();
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }
}
