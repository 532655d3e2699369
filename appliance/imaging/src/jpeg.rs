//! JPEG, strictly: a camera's frames into a reused buffer, and the check that a file is whole.
//!
//! Never hands out half a picture: what ends early is an error, not grey pixels.

use std::fmt;

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use crate::picture::{Picture, SizeError};

/// Most segments before the coded data that are looked through; cameras send six to ten.
const SEGMENTS_MAX: usize = 64;

/// Why bytes are not a JPEG picture.
#[derive(Debug, thiserror::Error)]
pub enum JpegError {
    /// The decoder found the data broken or cut off.
    #[error("the JPEG data is damaged or cut off")]
    Damaged(#[source] DecodeErrors),
    /// There is no header of a picture in the data.
    #[error("the JPEG data has no picture header")]
    NoHeader,
    /// The header claims sides that make no picture.
    #[error("the JPEG header claims an unusable size")]
    Size(#[source] SizeError),
}

/// Decodes one JPEG, such as a frame of a motion-JPEG camera, into `into`, which takes its size and
/// keeps its memory.
///
/// Grey and CMYK data become RGB. The orientation in metadata is not applied: cameras write none.
///
/// # Errors
/// [`JpegError`]; `into` may then have another size, its pixels are unspecified. The size in the
/// header is checked before memory is taken for it.
pub fn decode_jpeg_into(bytes: &[u8], into: &mut Picture) -> Result<(), JpegError> {
    // The decoder takes the end mark for the end of the picture wherever it stands, and makes up
    // the rows that are missing. It does notice that data runs out, but for the last few bytes that
    // it reads ahead, so the mark is kept from it.
    let bytes = one_scan_end(bytes).map_or(bytes, |end| &bytes[..end]);
    let mut decoder = Header::read(bytes)?;
    decoder.decode_into(into)
}

/// Where the end mark stands of a sequential picture in a single scan, which is what cameras send.
/// None for every other picture, whose decoding needs the mark, and where there is no mark.
fn one_scan_end(bytes: &[u8]) -> Option<usize> {
    const START_OF_SCAN: u8 = 0xDA;
    let mut components = None;
    let mut at = 2;
    for _ in 0..SEGMENTS_MAX {
        let [Outline::MARKER, kind, high, low] = *bytes.get(at..)?.first_chunk()? else {
            return None;
        };
        let length = 2 + usize::from(u16::from_be_bytes([high, low]));
        match kind {
            // Baseline and extended, Huffman-coded.
            0xC0 | 0xC1 => components = Some(*bytes.get(at + 9)?),
            START_OF_SCAN if components == Some(*bytes.get(at + 4)?) => {
                return scan_end(bytes, at + length);
            }
            START_OF_SCAN => return None,
            _ if Outline::is_frame_header(kind) => return None,
            _ => {}
        }
        at += length;
    }
    None
}

/// Where the end mark stands that ends the coded data beginning at `at`; none where another
/// segment follows the data.
fn scan_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += bytes
            .get(at..)?
            .iter()
            .position(|b| *b == Outline::MARKER)?;
        match *bytes.get(at + 1)? {
            Outline::END_OF_IMAGE => return Some(at),
            // A marker may be preceded by any number of fill bytes.
            Outline::MARKER => at += 1,
            // Stuffing and restart marks belong to the data.
            0x00 | 0xD0..=0xD7 => at += 2,
            _ => return None,
        }
    }
}

/// A JPEG whose header has been read and nothing else.
pub(crate) struct Header<'a> {
    decoder: JpegDecoder<ZCursor<&'a [u8]>>,
    /// Width in pixels as claimed.
    pub(crate) width: u32,
    /// Height in pixels as claimed.
    pub(crate) height: u32,
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({}×{})", self.width, self.height)
    }
}

impl<'a> Header<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, JpegError> {
        // The side limit is left to the caller, so that the error names the sides.
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(usize::from(u16::MAX))
            .set_max_height(usize::from(u16::MAX))
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        decoder.decode_headers().map_err(JpegError::Damaged)?;
        let (width, height) = decoder.dimensions().ok_or(JpegError::NoHeader)?;
        Ok(Self {
            decoder,
            width: u32::try_from(width).unwrap_or(u32::MAX),
            height: u32::try_from(height).unwrap_or(u32::MAX),
        })
    }

    /// The raw EXIF block, where there is one.
    pub(crate) fn exif(&self) -> Option<&[u8]> {
        self.decoder.exif().map(Vec::as_slice)
    }

    pub(crate) fn decode_into(&mut self, into: &mut Picture) -> Result<(), JpegError> {
        into.reshape(self.width, self.height)
            .map_err(JpegError::Size)?;
        self.decoder
            .decode_into(into.rgb_mut())
            .map_err(JpegError::Damaged)
    }
}

/// What the markers of a JPEG say without decoding anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outline {
    /// The sides that the first frame header claims, in pixels, even when nothing follows it.
    pub(crate) size: Option<(u32, u32)>,
    /// Whether the marker that ends a picture is there. The decoder itself does not notice when
    /// only the last row of blocks is missing.
    pub(crate) whole: bool,
}

impl Outline {
    const MARKER: u8 = 0xFF;
    const END_OF_IMAGE: u8 = 0xD9;

    /// Walks the segments, and the coded data between them byte by byte.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut outline = Self {
            size: None,
            whole: false,
        };
        let mut at = 0;
        while let Some([first, second]) = bytes.get(at..).and_then(<[u8]>::first_chunk::<2>) {
            at += match (*first, *second) {
                (Self::MARKER, Self::END_OF_IMAGE) => {
                    outline.whole = true;
                    break;
                }
                // Stuffing, restart marks and the start of the image have no segment.
                (Self::MARKER, 0x00 | 0x01 | 0xD0..=0xD8) => 2,
                (Self::MARKER, kind) if kind != Self::MARKER => {
                    let segment = bytes.get(at + 2..).unwrap_or_default();
                    if Self::is_frame_header(kind) {
                        outline.size = outline.size.or_else(|| Self::size_in(segment));
                    }
                    // The length counts itself and not the marker.
                    2 + segment
                        .first_chunk()
                        .map_or(0, |length| usize::from(u16::from_be_bytes(*length)))
                }
                _ => 1,
            };
        }
        outline
    }

    /// SOF0 to SOF15; the codes in between are tables.
    fn is_frame_header(kind: u8) -> bool {
        matches!(kind, 0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF)
    }

    fn size_in(segment: &[u8]) -> Option<(u32, u32)> {
        let [_, _, _, y1, y0, x1, x0] = segment.first_chunk::<7>()?;
        let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
        Some((side(*x1, *x0), side(*y1, *y0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &[u8] = include_bytes!("../fixtures/gradient-restart.jpg");
    const PROGRESSIVE: &[u8] = include_bytes!("../fixtures/gradient-progressive.jpg");

    #[test]
    fn a_frame_reuses_the_memory_of_the_one_before() {
        let mut picture = Picture::new(640, 480).unwrap();
        let before = picture.rgb().as_ptr();
        decode_jpeg_into(PLAIN, &mut picture).unwrap();
        assert_eq!((picture.width(), picture.height()), (32, 24));
        assert_eq!(picture.rgb().as_ptr(), before);
    }

    #[test]
    fn the_outline_is_read_without_decoding() {
        let check = |bytes: &[u8], size: Option<(u32, u32)>, whole: bool| {
            assert_eq!(Outline::of(bytes), Outline { size, whole });
        };
        check(PLAIN, Some((32, 24)), true);
        check(PROGRESSIVE, Some((32, 24)), true);
        check(&PLAIN[..PLAIN.len() - 1], Some((32, 24)), false);
        check(&PLAIN[..10], None, false);
        check(&[], None, false);
        check(&[0xFF; 9], None, false);
    }

    #[test]
    fn camera_frames_cut_in_the_middle_are_refused() {
        let mut picture = Picture::new(1, 1).unwrap();
        for length in [0, 3, 100, PLAIN.len() / 2] {
            assert!(
                decode_jpeg_into(&PLAIN[..length], &mut picture).is_err(),
                "{length}"
            );
        }
    }

    #[test]
    fn an_end_mark_before_the_end_does_not_make_a_picture_whole() {
        let refused = |bytes: &[u8]| {
            let mut picture = Picture::new(1, 1).unwrap();
            decode_jpeg_into(bytes, &mut picture).is_err()
        };
        let coded = &PLAIN[..PLAIN.len() - 2];
        let scan = PLAIN
            .windows(2)
            .position(|two| two == [0xFF, 0xDA])
            .unwrap();
        let header_end = scan + 14;
        for length in [header_end, (header_end + coded.len()) / 2] {
            let mut early = coded[..length].to_vec();
            early.extend_from_slice(&[0xFF, 0xD9]);
            assert!(refused(&early), "{length}");
            early.extend_from_slice(&coded[length..]);
            assert!(refused(&early), "{length}");
        }
        // A header that claims more rows than follow.
        let mut taller = PLAIN.to_vec();
        let frame = PLAIN
            .windows(2)
            .position(|two| two == [0xFF, 0xC0])
            .unwrap();
        taller[frame + 6] = 48;
        assert!(refused(&taller));
    }

    #[test]
    fn a_whole_picture_needs_no_end_mark() {
        let decoded = |bytes: &[u8]| {
            let mut picture = Picture::new(1, 1).unwrap();
            decode_jpeg_into(bytes, &mut picture)
                .map(|()| picture)
                .unwrap()
        };
        assert_eq!(decoded(&PLAIN[..PLAIN.len() - 2]), decoded(PLAIN));
    }

    #[test]
    fn only_the_mark_that_ends_a_single_scan_is_kept_from_the_decoder() {
        let check = |bytes: &[u8], expect: Option<usize>| {
            assert_eq!(one_scan_end(bytes), expect);
        };
        check(PLAIN, Some(PLAIN.len() - 2));
        check(&PLAIN[..PLAIN.len() - 2], None);
        check(PROGRESSIVE, None);
        for length in 0..PLAIN.len() {
            check(&PLAIN[..length], None);
        }
        // Fill bytes before the mark are no data; what follows the mark does not count.
        let mut filled = PLAIN[..PLAIN.len() - 2].to_vec();
        filled.extend_from_slice(&[0xFF, 0xFF, 0xD9, 0, 0, 0xFF, 0xD8]);
        check(&filled, Some(PLAIN.len() - 1));
    }
}
