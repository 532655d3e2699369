//! SHA-256 digests of files, read, written and compared.
//!
//! Why it exists: a digest is compared as 32 bytes, never as text whose case or spaces might
//! differ. It never truncates a digest.

use crate::error::DigestError;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// The SHA-256 digest of a file's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`DigestError`] when there are more, fewer or other characters.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let digits = text.as_bytes();
        if digits.len() != 64 {
            return Err(DigestError::Length(text.chars().count()));
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn nibble(digit: u8) -> Result<u8, DigestError> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        b'A'..=b'F' => Ok(digit - b'A' + 10),
        other => Err(DigestError::Character(other.escape_ascii().to_string())),
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_file_has_the_published_digest() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), empty);
        assert_eq!(Digest::parse(empty).unwrap(), Digest::of(b""));
        assert_eq!(
            Digest::parse(&empty.to_uppercase()).unwrap(),
            Digest::of(b"")
        );
    }

    #[test]
    fn what_is_not_a_digest_is_refused_with_the_reason() {
        let check = |text: &str, expect: &str| {
            assert_eq!(Digest::parse(text).unwrap_err().to_string(), expect);
        };
        check("", "a sha256 has 64 hexadecimal digits, this has 0");
        check("e3b0", "a sha256 has 64 hexadecimal digits, this has 4");
        check(
            &"g".repeat(64),
            "a sha256 has hexadecimal digits only, not 'g'",
        );
        check(
            &"é".repeat(32),
            "a sha256 has hexadecimal digits only, not '\\xc3'",
        );
    }
}
