//! Single values as JSON has them: ids, times, bytes, digests, names. Each is checked when it is
//! read, so that whoever holds one need not check again.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use vocabulary::{Digest, Epoch, WallTime};

use crate::limits::{ID_BYTES_MAX, LABEL_BYTES_MAX};

/// An id of ours as JSON has it: 1 to 64 ASCII letters and digits, after the first also `-`, `_`
/// and `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<T>(pub T);

impl<T: fmt::Display> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Display> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, "an id", |text| text.parse().map(Self))
    }
}

impl<T> JsonSchema for Id<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$",
            "minLength": 1,
            "maxLength": ID_BYTES_MAX,
        })
    }
}

/// Most characters of a time: nobody needs more digits.
pub(crate) const TIMESTAMP_CHARS_MAX: usize = 40;

/// A moment in RFC 3339, always UTC, to the millisecond: `2026-03-02T01:30:00.000Z`. It is read
/// with any offset and any number of digits; what is finer than a millisecond is cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub WallTime);

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A clock may be wrong by any amount; what no calendar holds is shown at its end.
        let time = jiff::Timestamp::from_millisecond(self.0.0).unwrap_or(if self.0.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        write!(f, "{time:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time: jiff::Timestamp = text.parse()?;
        Ok(Self(WallTime(time.as_millisecond())))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, "a time in RFC 3339", str::parse)
    }
}

impl JsonSchema for Timestamp {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "maxLength": TIMESTAMP_CHARS_MAX })
    }
}

/// How many characters so many bytes have in base64.
pub(crate) const fn base64_chars(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// Bytes in base64 (RFC 4648 §4, padded).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, "bytes in base64", |text| {
            STANDARD.decode(text).map(Self)
        })
    }
}

impl JsonSchema for Base64 {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Base64".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "contentEncoding": "base64" })
    }
}

/// Thirty-two bytes, or the sixteen of an epoch, in lower-case hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hex<const N: usize>(pub [u8; N]);

/// A SHA-256 digest in hexadecimal.
pub type Hex32 = Hex<32>;

/// A random id of 128 bits in hexadecimal: an epoch, a store, an incarnation.
pub type Hex16 = Hex<16>;

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> FromStr for Hex<N> {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        let error = HexError { digits: 2 * N };
        if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(error);
        }
        let mut bytes = [0; N];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16)
                .map_err(|_| error.clone())?;
        }
        Ok(Self(bytes))
    }
}

/// The text is not the hexadecimal that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{digits} hexadecimal digits are expected")]
pub struct HexError {
    /// How many digits there should be.
    pub digits: usize,
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, "hexadecimal digits", str::parse)
    }
}

impl<const N: usize> JsonSchema for Hex<N> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Hex{N}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": format!("^[0-9a-f]{{{}}}$", 2 * N) })
    }
}

impl From<Digest> for Hex32 {
    fn from(digest: Digest) -> Self {
        Self(digest.0)
    }
}

impl From<Hex32> for Digest {
    fn from(hex: Hex32) -> Self {
        Self(hex.0)
    }
}

impl From<Epoch> for Hex16 {
    fn from(epoch: Epoch) -> Self {
        Self(epoch.0)
    }
}

impl From<Hex16> for Epoch {
    fn from(hex: Hex16) -> Self {
        Self(hex.0)
    }
}

/// A name, a title or a unit: at most [`LABEL_BYTES_MAX`] bytes of UTF-8 without control
/// characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(String);

impl Name {
    /// Checks and takes over a name; it may be empty.
    ///
    /// # Errors
    /// [`NameError`] when it is too long or has control characters.
    pub fn new(text: &str) -> Result<Self, NameError> {
        let text = text.trim();
        if text.len() > LABEL_BYTES_MAX {
            return Err(NameError::TooLong(text.len()));
        }
        if text.chars().any(char::is_control) {
            return Err(NameError::Control);
        }
        Ok(Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has too many bytes.
    #[error("it has {0} bytes, {LABEL_BYTES_MAX} are the most")]
    TooLong(usize),
    /// It has a line break, a tab or another control character.
    #[error("it has control characters")]
    Control,
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parse(deserializer, "a name", Self::new)
    }
}

impl JsonSchema for Name {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": format!(
                "At most {LABEL_BYTES_MAX} bytes in UTF-8, without control characters; space \
                 around it is not kept."
            ),
            "x-bytes-max": LABEL_BYTES_MAX,
            "maxLength": LABEL_BYTES_MAX,
            "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
        })
    }
}

/// The number of a citizen card. It is read and never shown: neither in `Debug` nor in an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardNumber(pub vocabulary::CardNumber);

impl Serialize for CardNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.expose().map(char::from).iter().collect::<String>())
    }
}

impl<'de> Deserialize<'de> for CardNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Through a value of any type, since the usual errors repeat what they found.
        let value = serde_json::Value::deserialize(deserializer)?;
        let text = value.as_str().unwrap_or_default();
        vocabulary::CardNumber::new(text)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

impl JsonSchema for CardNumber {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CardNumber".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]{12}$" })
    }
}

/// Reads a whole number, also one that is written with a point, as JSON leaves open: `40.0` is 40.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let point = number.as_f64().filter(|value| value.fract() == 0.0);
    let whole = number.as_u64().or_else(|| {
        // Beyond 2^53 no such number is exact, and none is needed.
        point
            .filter(|value| (0.0..9e15).contains(value))
            .map(|value| value as u64)
    });
    whole
        .and_then(|whole| u32::try_from(whole).ok())
        .map(Some)
        .ok_or_else(|| {
            D::Error::custom(format_args!(
                "{number} is no whole number up to {}",
                u32::MAX
            ))
        })
}

/// Reads whatever stands there and takes nothing of it: for what is reserved.
pub(crate) fn passed_over<'de, D: Deserializer<'de>, T>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer)?;
    Ok(Vec::new())
}

/// Reads a string without copying it and parses it.
fn parse<'de, D, T, E>(
    deserializer: D,
    what: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    struct Parse<F>(&'static str, F);
    impl<T, E: fmt::Display, F: FnOnce(&str) -> Result<T, E>> Visitor<'_> for Parse<F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E2: Error>(self, text: &str) -> Result<T, E2> {
            (self.1)(text).map_err(|error| E2::custom(format_args!("not {}: {error}", self.0)))
        }
    }
    deserializer.deserialize_str(Parse(what, parse))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vocabulary::PersonId;

    use super::*;

    #[test]
    fn times_are_written_in_utc_to_the_millisecond() {
        let check = |text: &str, expect: &str| {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(time.to_string(), expect);
        };
        check("2026-03-02T08:30:00+07:00", "2026-03-02T01:30:00.000Z");
        check("2026-03-02T01:30:00.123987Z", "2026-03-02T01:30:00.123Z");
        check("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z");
        assert!(
            "2026-03-02 08:30".parse::<Timestamp>().is_err(),
            "no offset"
        );
    }

    #[test]
    fn a_clock_out_of_all_calendars_is_still_shown() {
        assert!(
            Timestamp(WallTime(i64::MAX))
                .to_string()
                .starts_with("9999-")
        );
        assert!(Timestamp(WallTime(i64::MIN)).to_string().starts_with('-'));
    }

    #[test]
    fn what_is_not_an_id_is_refused_by_name() {
        let error = serde_json::from_str::<Id<PersonId>>("\"../x\"").unwrap_err();
        assert!(error.to_string().contains("not an id"), "{error}");
    }

    #[test]
    fn whole_numbers_are_read_in_both_of_their_forms() {
        let check = |text: &str, expect: Option<Option<u32>>| {
            let read = whole(&mut serde_json::Deserializer::from_str(text));
            assert_eq!(read.ok(), expect, "{text}");
        };
        check("40", Some(Some(40)));
        check("40.0", Some(Some(40)));
        check("null", Some(None));
        check("40.5", None);
        check("-1", None);
        check("4294967296", None);
        check("1e400", None);
    }

    proptest! {
        #[test]
        fn bytes_and_digests_come_back(bytes: Vec<u8>, digest: [u8; 32]) {
            let json = serde_json::to_string(&(Base64(bytes.clone()), Hex(digest))).unwrap();
            let back: (Base64, Hex32) = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back, (Base64(bytes), Hex(digest)));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = Name::new(&text);
            let _ = text.parse::<Hex32>();
            let _ = text.parse::<Timestamp>();
        }
    }
}
