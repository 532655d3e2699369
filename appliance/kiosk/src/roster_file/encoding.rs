//! The encodings in which spreadsheets save text.
//!
//! Decides by the bytes alone and never replaces what it cannot read: a name with a wrong letter is
//! another name.

use super::Problem;

/// Text from UTF-8 or UTF-16, with or without the mark at its beginning.
pub(super) fn decode(bytes: &[u8]) -> Result<String, Problem> {
    let is_workbook = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\xD0\xCF\x11\xE0");
    if is_workbook {
        return Err(Problem::Workbook);
    }
    let text = match bytes {
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf8(rest)?,
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes)?,
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes)?,
        // ASCII letters, which every header or separator has, leave one byte of two zero.
        [0, _, ..] => utf16(bytes, u16::from_be_bytes)?,
        _ if has_zero_among_first(bytes) => utf16(bytes, u16::from_le_bytes)?,
        _ => utf8(bytes)?,
    };
    if text.trim().is_empty() {
        return Err(Problem::Empty);
    }
    Ok(text)
}

fn has_zero_among_first(bytes: &[u8]) -> bool {
    bytes.iter().take(256).any(|byte| *byte == 0)
}

fn utf8(bytes: &[u8]) -> Result<String, Problem> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(error) => {
            let good = &bytes[..error.valid_up_to()];
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(Problem::Encoding { line })
        }
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, Problem> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    let mut line = 1;
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let character = character.map_err(|_| Problem::Encoding { line })?;
        line += usize::from(character == '\n');
        text.push(character);
    }
    if odd.is_empty() {
        Ok(text)
    } else {
        Err(Problem::Encoding { line })
    }
}
