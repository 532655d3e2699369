//! Opaque identifiers. They never carry a name: names are erasable, records are not.

use std::fmt;
use std::sync::Arc;

/// Longest textual id in bytes. Callers' own ids (UUIDs, staff numbers) fit; a name in full rarely
/// does, and that is meant.
pub const ID_BYTES_MAX: usize = 64;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdError {
    /// No characters at all.
    Empty,
    /// More than [`ID_BYTES_MAX`] bytes; carries the length found.
    TooLong(usize),
    /// A character other than ASCII letters, digits, `-`, `_`, `.`, or one of the latter three at
    /// the beginning; carries it.
    Character(char),
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "the id is empty"),
            Self::TooLong(bytes) => {
                write!(
                    f,
                    "the id has {bytes} bytes, at most {ID_BYTES_MAX} are allowed"
                )
            }
            Self::Character(character) => write!(
                f,
                "the id contains {character:?}; allowed are ASCII letters and digits, and after \
                 the first character also '-', '_' and '.'"
            ),
        }
    }
}

impl std::error::Error for IdError {}

/// Checks the form that all textual ids share. It admits nothing that means something to a path, a
/// shell or SQL.
fn check(text: &str) -> Result<(), IdError> {
    let first = text.chars().next().ok_or(IdError::Empty)?;
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong(text.len()));
    }
    if !first.is_ascii_alphanumeric() {
        return Err(IdError::Character(first));
    }
    match text
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c)))
    {
        Some(character) => Err(IdError::Character(character)),
        None => Ok(()),
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 1 to [`ID_BYTES_MAX`] bytes of ASCII letters, digits, `-`, `_`, `.`; cheap to clone.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and takes over a text.
            ///
            /// # Errors
            /// [`IdError`] says which rule the text breaks.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
    };
}

text_id!(
    /// An organisation whose people and meetings these are.
    OrganisationId
);
text_id!(
    /// A person of an organisation: the subject of recognition, the delegate of meetings.
    PersonId
);
text_id!(
    /// A meeting; one of several days keeps its id.
    MeetingId
);
text_id!(
    /// A meeting room.
    RoomId
);
text_id!(
    /// One door of a room, where a kiosk hangs.
    DoorId
);
text_id!(
    /// A kiosk.
    DeviceId
);
text_id!(
    /// One reference (enrolled template) of a person.
    ReferenceId
);

macro_rules! byte_id {
    ($(#[$doc:meta])* $name:ident, $length:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// Reads lower- or upper-case hexadecimal of exactly the right length.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0; $length];
                if text.len() != 2 * $length || !text.is_ascii() {
                    return None;
                }
                for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
                    let high = char::from(pair[0]).to_digit(16)?;
                    let low = char::from(pair[1]).to_digit(16)?;
                    *byte = u8::try_from(high * 16 + low).ok()?;
                }
                Some(Self(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

byte_id!(
    /// The random id of one ledger file. A new file is a new epoch, so a copied or restored card
    /// cannot pass for the old one.
    Epoch,
    16
);
byte_id!(
    /// The kernel's random id of one boot: monotonic times compare only within it.
    BootId,
    16
);
byte_id!(
    /// A SHA-256 digest.
    Digest,
    32
);

impl Digest {
    /// What the first record of an epoch without a predecessor names as the one before it.
    pub const ZERO: Self = Self([0; 32]);
}

/// The number of a record within its epoch: 1, 2, 3, … without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The first record of an epoch.
    pub const FIRST: Self = Self(1);

    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_admits_only_what_means_nothing_elsewhere() {
        let check = |text: &str, expect: Result<(), IdError>| {
            assert_eq!(PersonId::new(text).map(|_| ()), expect, "{text:?}");
        };
        check("CB-001", Ok(()));
        check("a.b_c", Ok(()));
        check("", Err(IdError::Empty));
        check("../etc", Err(IdError::Character('.')));
        check("a'; DROP", Err(IdError::Character('\'')));
        check("Nguyễn", Err(IdError::Character('ễ')));
        check(&"x".repeat(65), Err(IdError::TooLong(65)));
    }

    #[test]
    fn hexadecimal_goes_there_and_back() {
        let epoch = Epoch(*b"0123456789abcdef");
        assert_eq!(Epoch::from_hex(&epoch.to_string()), Some(epoch));
        assert_eq!(Epoch::from_hex("xyz"), None);
        assert_eq!(Epoch::from_hex(&"é".repeat(16)), None);
    }
}
