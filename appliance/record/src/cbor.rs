//! Deterministic CBOR (RFC 8949 §4.2): the one way in which the types of this crate are written,
//! and a reader that takes nothing else.
//!
//! Maps have ascending integer keys, all lengths are definite, numbers and floats are of the
//! shortest form. The reader walks the keys in that order; whoever decodes compares the encoding
//! of the result with what it read, which catches every other way of writing the same.

use std::convert::Infallible;

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use thiserror::Error;
use vocabulary::{IdError, MeetingError, ScoreError};

use crate::text::TextError;

/// Deepest nesting in a body of an unknown kind. Ours nest three deep.
const DEPTH_MAX: usize = 16;

/// Why bytes are not what they should encode.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// More bytes than allowed.
    #[error("it has {found} bytes, at most {allowed} are allowed")]
    TooLong {
        /// How many there are.
        found: usize,
        /// How many there may be.
        allowed: usize,
    },
    /// The bytes are not CBOR, or another type of it than expected at that place.
    #[error("{field} is not the CBOR that it should be")]
    Cbor {
        /// Which field was read.
        field: &'static str,
        /// What the CBOR decoder says.
        #[source]
        source: minicbor::decode::Error,
    },
    /// Well-formed, but not the one deterministic encoding of its content.
    #[error("it is not in the deterministic encoding")]
    NotCanonical,
    /// An encoding of another version.
    #[error("it is of version {found}, this program reads version {supported}; use a newer one")]
    Version {
        /// The version found.
        found: u64,
        /// The version read here.
        supported: u64,
    },
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field that this version does not have.
    #[error("{of} has a field that does not belong there")]
    Unexpected {
        /// In what.
        of: &'static str,
    },
    /// A number or length outside what the field allows.
    #[error("{0} is out of range")]
    Range(&'static str),
    /// A text is no id.
    #[error("{field} is not an id")]
    Id {
        /// Which field.
        field: &'static str,
        /// Which rule it breaks.
        #[source]
        source: IdError,
    },
    /// A text does not belong into a record.
    #[error("{field} is not a short text")]
    Text {
        /// Which field.
        field: &'static str,
        /// Which rule it breaks.
        #[source]
        source: TextError,
    },
    /// A number is no cosine.
    #[error("{field} is not a cosine")]
    Score {
        /// Which field.
        field: &'static str,
        /// The number.
        #[source]
        source: ScoreError,
    },
    /// The meeting or roster breaks a rule of rosters.
    #[error("the roster is not valid")]
    Roster(#[source] MeetingError),
}

/// Writes deterministic CBOR into memory.
pub(crate) struct Writer(Encoder<Vec<u8>>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(Encoder::new(Vec::with_capacity(384)))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_writer()
    }

    pub(crate) fn map(&mut self, entries: usize) -> &mut Self {
        sure(self.0.map(entries as u64).map(|_| ()));
        self
    }

    pub(crate) fn array(&mut self, items: usize) -> &mut Self {
        sure(self.0.array(items as u64).map(|_| ()));
        self
    }

    pub(crate) fn uint(&mut self, number: u64) -> &mut Self {
        sure(self.0.u64(number).map(|_| ()));
        self
    }

    pub(crate) fn int(&mut self, number: i64) -> &mut Self {
        sure(self.0.i64(number).map(|_| ()));
        self
    }

    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        sure(self.0.str(text).map(|_| ()));
        self
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        sure(self.0.bytes(bytes).map(|_| ()));
        self
    }

    /// The shortest float that keeps the value; −0 becomes 0, since both are the same score.
    pub(crate) fn float(&mut self, value: f32) -> &mut Self {
        let value = value + 0.0;
        sure(if is_half(value) {
            self.0.f16(value).map(|_| ())
        } else {
            self.0.f32(value).map(|_| ())
        });
        self
    }

    /// One item that is encoded already.
    pub(crate) fn item(&mut self, encoded: &[u8]) -> &mut Self {
        self.0.writer_mut().extend_from_slice(encoded);
        self
    }
}

fn sure(written: Result<(), minicbor::encode::Error<Infallible>>) {
    written.expect("writing to memory takes every byte");
}

/// Whether a binary16 float holds the value exactly.
fn is_half(value: f32) -> bool {
    let mut half = [0; 3];
    let written = Encoder::new(half.as_mut_slice()).f16(value).map(|_| ());
    written.is_ok()
        && Decoder::new(&half)
            .f16()
            .is_ok_and(|read| read.to_bits() == value.to_bits())
}

/// Reads what [`Writer`] writes.
pub(crate) struct Reader<'a>(Decoder<'a>);

/// A map being read: how many entries are left, and the key that was read ahead.
pub(crate) struct Map {
    of: &'static str,
    left: u64,
    ahead: Option<u64>,
}

impl<'a> Reader<'a> {
    /// Over bytes that are one item of at most `allowed` bytes.
    pub(crate) fn new(bytes: &'a [u8], allowed: usize) -> Result<Self, DecodeError> {
        if bytes.len() > allowed {
            return Err(DecodeError::TooLong {
                found: bytes.len(),
                allowed,
            });
        }
        Ok(Self(Decoder::new(bytes)))
    }

    pub(crate) fn map(&mut self, of: &'static str) -> Result<Map, DecodeError> {
        let left = self.0.map().map_err(cbor(of))?;
        let left = left.ok_or(DecodeError::NotCanonical)?;
        Ok(Map {
            of,
            left,
            ahead: None,
        })
    }

    pub(crate) fn array(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        let items = self.0.array().map_err(cbor(field))?;
        items.ok_or(DecodeError::NotCanonical)
    }

    /// Steps to the entry with this key, which must be the next one.
    pub(crate) fn need(
        &mut self,
        map: &mut Map,
        key: u64,
        field: &'static str,
    ) -> Result<&mut Self, DecodeError> {
        if self.find(map, key)? {
            Ok(self)
        } else {
            Err(DecodeError::Missing(field))
        }
    }

    /// Steps to the entry with this key and answers whether it is there.
    pub(crate) fn find(&mut self, map: &mut Map, key: u64) -> Result<bool, DecodeError> {
        if map.ahead.is_none() && map.left > 0 {
            map.ahead = Some(self.0.u64().map_err(cbor(map.of))?);
            map.left -= 1;
        }
        let found = map.ahead == Some(key);
        if found {
            map.ahead = None;
        }
        Ok(found)
    }

    /// Refuses entries that nobody asked for.
    pub(crate) fn end(&self, map: &Map) -> Result<(), DecodeError> {
        if map.ahead.is_some() || map.left > 0 {
            return Err(DecodeError::Unexpected { of: map.of });
        }
        Ok(())
    }

    pub(crate) fn uint(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.0.u64().map_err(cbor(field))
    }

    pub(crate) fn uint32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        u32::try_from(self.uint(field)?).map_err(|_| DecodeError::Range(field))
    }

    pub(crate) fn int(&mut self, field: &'static str) -> Result<i64, DecodeError> {
        self.0.i64().map_err(cbor(field))
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<&'a str, DecodeError> {
        self.0.str().map_err(cbor(field))
    }

    pub(crate) fn bytes<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let bytes = self.0.bytes().map_err(cbor(field))?;
        bytes.try_into().map_err(|_| DecodeError::Range(field))
    }

    pub(crate) fn float(&mut self, field: &'static str) -> Result<f32, DecodeError> {
        self.0.f32().map_err(cbor(field))
    }

    /// One canonical item of whatever content, as its bytes.
    pub(crate) fn item(&mut self, field: &'static str) -> Result<&'a [u8], DecodeError> {
        let from = self.0.position();
        canonical(&mut self.0, field, DEPTH_MAX)?;
        Ok(&self.0.input()[from..self.0.position()])
    }

    /// Whether all bytes were read.
    pub(crate) fn finish(&self) -> Result<(), DecodeError> {
        if self.0.position() < self.0.input().len() {
            return Err(DecodeError::NotCanonical);
        }
        Ok(())
    }
}

fn cbor(field: &'static str) -> impl FnOnce(minicbor::decode::Error) -> DecodeError {
    move |source| DecodeError::Cbor { field, source }
}

/// Reads over one item of any content and checks that it is in the deterministic encoding: what
/// can be asked of a body whose kind is not known.
fn canonical(
    decoder: &mut Decoder<'_>,
    field: &'static str,
    depth: usize,
) -> Result<(), DecodeError> {
    let depth = depth.checked_sub(1).ok_or(DecodeError::Range(field))?;
    let from = decoder.position();
    let mut again = Writer::new();
    match decoder.datatype().map_err(cbor(field))? {
        Type::Array => {
            let items = decoder.array().map_err(cbor(field))?;
            let items = items.ok_or(DecodeError::NotCanonical)?;
            same_head(decoder, from, Encoder::array, items)?;
            for _ in 0..items {
                canonical(decoder, field, depth)?;
            }
            return Ok(());
        }
        Type::Map => {
            let entries = decoder.map().map_err(cbor(field))?;
            let entries = entries.ok_or(DecodeError::NotCanonical)?;
            same_head(decoder, from, Encoder::map, entries)?;
            return ascending(decoder, field, depth, entries);
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
            again.uint(decoder.u64().map_err(cbor(field))?);
        }
        Type::I8 | Type::I16 | Type::I32 | Type::I64 | Type::Int => {
            let number = decoder.int().map_err(cbor(field))?;
            sure(again.0.int(number).map(|_| ()));
        }
        Type::Bytes => {
            again.bytes(decoder.bytes().map_err(cbor(field))?);
        }
        Type::String => {
            again.text(decoder.str().map_err(cbor(field))?);
        }
        Type::Bool => {
            sure(
                again
                    .0
                    .bool(decoder.bool().map_err(cbor(field))?)
                    .map(|_| ()),
            );
        }
        Type::Null => {
            decoder.null().map_err(cbor(field))?;
            sure(again.0.null().map(|_| ()));
        }
        Type::F16 | Type::F32 => {
            let value = decoder.f32().map_err(cbor(field))?;
            if !value.is_finite() {
                return Err(DecodeError::Range(field));
            }
            again.float(value);
        }
        // What remains has no place in a record: indefinite lengths, doubles, tags, other simple
        // values, breaks and reserved forms.
        Type::Undefined
        | Type::Simple
        | Type::F64
        | Type::Tag
        | Type::Break
        | Type::BytesIndef
        | Type::StringIndef
        | Type::ArrayIndef
        | Type::MapIndef
        | Type::Unknown(_) => return Err(DecodeError::NotCanonical),
    }
    if again.into_bytes() != decoder.input()[from..decoder.position()] {
        return Err(DecodeError::NotCanonical);
    }
    Ok(())
}

/// Checks the entries of a map: each key's encoding must come after the one before it, byte by
/// byte, which also rules out a key that stands there twice.
fn ascending(
    decoder: &mut Decoder<'_>,
    field: &'static str,
    depth: usize,
    entries: u64,
) -> Result<(), DecodeError> {
    let input = decoder.input();
    let mut last: &[u8] = &[];
    for _ in 0..entries {
        let from = decoder.position();
        canonical(decoder, field, depth)?;
        let key = &input[from..decoder.position()];
        if key <= last {
            return Err(DecodeError::NotCanonical);
        }
        last = key;
        canonical(decoder, field, depth)?;
    }
    Ok(())
}

type WriteHead = fn(
    &mut Encoder<Vec<u8>>,
    u64,
) -> Result<&mut Encoder<Vec<u8>>, minicbor::encode::Error<Infallible>>;

/// Checks that the length of an array or a map, just read, stands there in its shortest form.
fn same_head(
    decoder: &Decoder<'_>,
    from: usize,
    write: WriteHead,
    length: u64,
) -> Result<(), DecodeError> {
    let mut again = Encoder::new(Vec::new());
    sure(write(&mut again, length).map(|_| ()));
    if again.writer().as_slice() != &decoder.input()[from..decoder.position()] {
        return Err(DecodeError::NotCanonical);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_item(bytes: &[u8], expect: bool) {
        let mut reader = Reader::new(bytes, 64).unwrap();
        let read = reader.item("item").and_then(|_| reader.finish());
        assert_eq!(read.is_ok(), expect, "{bytes:02x?}: {read:?}");
    }

    #[test]
    fn only_the_deterministic_form_of_an_item_is_taken() {
        check_item(&[0x17], true);
        check_item(&[0x18, 0x17], false); // 23 in two bytes
        check_item(&[0x20], true); // -1
        check_item(&[0x38, 0x05], false); // -6 in two bytes
        check_item(
            &[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            true,
        );
        check_item(&[0x81, 0x01], true);
        check_item(&[0x98, 0x01, 0x01], false); // a length in two bytes
        check_item(&[0x9f, 0x01, 0xff], false); // an indefinite length
        check_item(&[0xa2, 0x01, 0x01, 0x02, 0x01], true);
        check_item(&[0xa2, 0x02, 0x01, 0x01, 0x01], false); // descending keys
        check_item(&[0xa2, 0x01, 0x01, 0x01, 0x01], false); // a key twice
        check_item(&[0xf9, 0x38, 0x00], true); // 0.5
        check_item(&[0xfa, 0x3f, 0x00, 0x00, 0x00], false); // 0.5 in four bytes
        check_item(&[0xfa, 0x3e, 0xb9, 0xdb, 0x23], true); // 0.363
        check_item(&[0xf9, 0x80, 0x00], false); // -0
        check_item(&[0xf9, 0x7e, 0x00], false); // no number
        check_item(&[0xc1, 0x00], false); // a tag
        check_item(&[0x62, 0xc3, 0x28], false); // not UTF-8
        check_item(&[0xf6], true);
        check_item(&[0xf5], true);
        check_item(&[0x01, 0x01], false); // something after it
        check_item(&[], false);
    }

    #[test]
    fn nesting_ends_somewhere() {
        let nested = |depth: usize| [vec![0x81; depth - 1], vec![0x00]].concat();
        check_item(&nested(DEPTH_MAX), true);
        check_item(&nested(DEPTH_MAX + 1), false);
    }

    #[test]
    fn floats_take_the_shortest_form() {
        let check = |value: f32, expect: &[u8]| {
            let mut writer = Writer::new();
            writer.float(value);
            assert_eq!(writer.into_bytes(), expect, "{value}");
        };
        check(0.0, &[0xf9, 0, 0]);
        check(-0.0, &[0xf9, 0, 0]);
        check(1.0, &[0xf9, 0x3c, 0]);
        check(-0.5, &[0xf9, 0xb8, 0]);
        check(0.1, &[0xfa, 0x3d, 0xcc, 0xcc, 0xcd]);
        check(2.0_f32.powi(-24), &[0xf9, 0, 1]); // the least subnormal of binary16
        check(2.0_f32.powi(-25), &[0xfa, 0x33, 0, 0, 0]);
    }
}
