//! Frames of motion-JPEG cameras: JPEG, but often without its Huffman tables.
//!
//! Many cameras leave the tables out of each frame and mean the ones that the standard gives as
//! typical (ITU-T T.81, annex K.3.3); a JPEG decoder needs them put back. Pure; never touches a
//! frame that has its own.

use imaging::{JpegError, Picture, decode_jpeg_into};

/// The byte that begins every marker.
const MARKER: u8 = 0xFF;
/// Marks the Huffman tables.
const HUFFMAN_TABLES: u8 = 0xC4;
/// Marks the beginning of the compressed data; the tables have to stand before it.
const START_OF_SCAN: u8 = 0xDA;

/// Bytes of all four tables with their marker and length.
const TABLES_BYTES: usize = 420;

/// Most segments before the compressed data; usual are six to ten.
const SEGMENTS_MAX: usize = 64;

/// Decodes frame after frame, reusing its memory.
#[derive(Default)]
pub(crate) struct MotionJpeg {
    scratch: Vec<u8>,
}

impl MotionJpeg {
    /// Decodes one frame into `into`, which takes its size and keeps its memory.
    pub(crate) fn decode(&mut self, bytes: &[u8], into: &mut Picture) -> Result<(), JpegError> {
        let Some(scan) = scan_without_tables(bytes) else {
            return decode_jpeg_into(bytes, into);
        };
        let (before, after) = bytes.split_at(scan);
        self.scratch.clear();
        self.scratch.reserve(bytes.len() + TABLES_BYTES);
        self.scratch.extend_from_slice(before);
        push_tables(&mut self.scratch);
        self.scratch.extend_from_slice(after);
        decode_jpeg_into(&self.scratch, into)
    }
}

/// Where the compressed data of a frame begins that has no tables of its own; none for every other
/// frame, and for what is no JPEG.
fn scan_without_tables(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    for _ in 0..SEGMENTS_MAX {
        let [MARKER, kind, high, low] = *bytes.get(at..)?.first_chunk()? else {
            return None;
        };
        match kind {
            HUFFMAN_TABLES => return None,
            START_OF_SCAN => return Some(at),
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    None
}

/// Appends the typical tables as one segment.
fn push_tables(to: &mut Vec<u8>) {
    let dc_values: [u8; 12] = std::array::from_fn(|value| value as u8);
    let tables: [(u8, &[u8; 16], &[u8]); 4] = [
        (0x00, &LUMA_DC_LENGTHS, &dc_values),
        (0x01, &CHROMA_DC_LENGTHS, &dc_values),
        (0x10, &LUMA_AC_LENGTHS, &LUMA_AC_VALUES),
        (0x11, &CHROMA_AC_LENGTHS, &CHROMA_AC_VALUES),
    ];
    // The length counts itself, but not the marker.
    let [high, low] = (TABLES_BYTES as u16 - 2).to_be_bytes();
    to.extend_from_slice(&[MARKER, HUFFMAN_TABLES, high, low]);
    for (class_and_slot, lengths, values) in tables {
        to.push(class_and_slot);
        to.extend_from_slice(lengths);
        to.extend_from_slice(values);
    }
}

/// Table K.3: how many codes there are of each length from 1 to 16 bits.
const LUMA_DC_LENGTHS: [u8; 16] = [0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0];

/// Table K.4: how many codes there are of each length from 1 to 16 bits.
const CHROMA_DC_LENGTHS: [u8; 16] = [0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0];

/// Table K.5: how many codes there are of each length from 1 to 16 bits.
const LUMA_AC_LENGTHS: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 125];

/// Table K.5: what the codes stand for.
#[rustfmt::skip]
const LUMA_AC_VALUES: [u8; 162] = [
    1, 2, 3, 0, 4, 17, 5, 18, 33, 49, 65, 6, 19, 81, 97, 7,
    34, 113, 20, 50, 129, 145, 161, 8, 35, 66, 177, 193, 21, 82, 209, 240,
    36, 51, 98, 114, 130, 9, 10, 22, 23, 24, 25, 26, 37, 38, 39, 40,
    41, 42, 52, 53, 54, 55, 56, 57, 58, 67, 68, 69, 70, 71, 72, 73,
    74, 83, 84, 85, 86, 87, 88, 89, 90, 99, 100, 101, 102, 103, 104, 105,
    106, 115, 116, 117, 118, 119, 120, 121, 122, 131, 132, 133, 134, 135, 136, 137,
    138, 146, 147, 148, 149, 150, 151, 152, 153, 154, 162, 163, 164, 165, 166, 167,
    168, 169, 170, 178, 179, 180, 181, 182, 183, 184, 185, 186, 194, 195, 196, 197,
    198, 199, 200, 201, 202, 210, 211, 212, 213, 214, 215, 216, 217, 218, 225, 226,
    227, 228, 229, 230, 231, 232, 233, 234, 241, 242, 243, 244, 245, 246, 247, 248,
    249, 250,
];

/// Table K.6: how many codes there are of each length from 1 to 16 bits.
const CHROMA_AC_LENGTHS: [u8; 16] = [0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 119];

/// Table K.6: what the codes stand for.
#[rustfmt::skip]
const CHROMA_AC_VALUES: [u8; 162] = [
    0, 1, 2, 3, 17, 4, 5, 33, 49, 6, 18, 65, 81, 7, 97, 113,
    19, 34, 50, 129, 8, 20, 66, 145, 161, 177, 193, 9, 35, 51, 82, 240,
    21, 98, 114, 209, 10, 22, 36, 52, 225, 37, 241, 23, 24, 25, 26, 38,
    39, 40, 41, 42, 53, 54, 55, 56, 57, 58, 67, 68, 69, 70, 71, 72,
    73, 74, 83, 84, 85, 86, 87, 88, 89, 90, 99, 100, 101, 102, 103, 104,
    105, 106, 115, 116, 117, 118, 119, 120, 121, 122, 130, 131, 132, 133, 134, 135,
    136, 137, 138, 146, 147, 148, 149, 150, 151, 152, 153, 154, 162, 163, 164, 165,
    166, 167, 168, 169, 170, 178, 179, 180, 181, 182, 183, 184, 185, 186, 194, 195,
    196, 197, 198, 199, 200, 201, 202, 210, 211, 212, 213, 214, 215, 216, 217, 218,
    226, 227, 228, 229, 230, 231, 232, 233, 234, 242, 243, 244, 245, 246, 247, 248,
    249, 250,
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A colourful JPEG; its encoder uses the typical tables, each in a segment of its own.
    fn jpeg() -> Vec<u8> {
        let picture = image::RgbImage::from_fn(64, 48, |x, y| {
            image::Rgb([(x * 4) as u8, (y * 5) as u8, (x * y) as u8])
        });
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture
            .write_to(&mut bytes, image::ImageFormat::Jpeg)
            .unwrap();
        bytes.into_inner()
    }

    fn without_tables(bytes: &[u8]) -> Vec<u8> {
        let mut stripped = bytes[..2].to_vec();
        let mut at = 2;
        while bytes[at + 1] != START_OF_SCAN {
            let length = 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
            if bytes[at + 1] != HUFFMAN_TABLES {
                stripped.extend_from_slice(&bytes[at..at + length]);
            }
            at += length;
        }
        stripped.extend_from_slice(&bytes[at..]);
        stripped
    }

    fn decoded(bytes: &[u8]) -> Result<Picture, JpegError> {
        let mut picture = Picture::new(1, 1).unwrap();
        MotionJpeg::default()
            .decode(bytes, &mut picture)
            .map(|()| picture)
    }

    #[test]
    fn the_tables_are_as_long_as_they_say() {
        let mut tables = Vec::new();
        push_tables(&mut tables);
        assert_eq!(tables.len(), TABLES_BYTES);
    }

    #[test]
    fn a_frame_without_tables_is_the_same_picture() {
        let whole = jpeg();
        let stripped = without_tables(&whole);
        assert!(stripped.len() < whole.len());
        let mut picture = Picture::new(1, 1).unwrap();
        assert!(decode_jpeg_into(&stripped, &mut picture).is_err());
        assert_eq!(decoded(&stripped).unwrap(), decoded(&whole).unwrap());
    }

    #[test]
    fn padding_after_a_frame_does_no_harm() {
        let mut padded = jpeg();
        let whole = decoded(&padded).unwrap();
        padded.extend_from_slice(&[0; 100]);
        assert_eq!(decoded(&padded).unwrap(), whole);
    }

    #[test]
    fn a_frame_that_is_cut_off_is_an_error() {
        let whole = jpeg();
        for part in [0, 1, 2, 20, whole.len() / 2] {
            assert!(decoded(&whole[..part]).is_err(), "{part} bytes");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_decoder(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            at in 0..1000_usize,
            byte in any::<u8>(),
        ) {
            let _ = decoded(&bytes);
            let mut damaged = without_tables(&jpeg());
            let at = at % damaged.len();
            damaged[at] = byte;
            let _ = decoded(&damaged);
        }
    }
}
