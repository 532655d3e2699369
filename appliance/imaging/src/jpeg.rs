//! JPEG, strictly: a camera's frames into a reused buffer, and the check that a file is whole.
//!
//! Never hands out half a picture: what ends early is an error, not grey pixels.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use crate::picture::{Picture, SIDE_PX_MAX, SizeError};

/// Why bytes are not a JPEG picture.
#[derive(Debug, thiserror::Error)]
pub enum JpegError {
    /// The decoder found the data broken or cut off.
    #[error("the JPEG data is damaged or cut off")]
    Damaged(#[source] DecodeErrors),
    /// The data ends before the mark that ends a JPEG picture.
    #[error("the JPEG data ends before the picture does")]
    CutOff,
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
    let mut decoder = Header::read(bytes)?;
    decoder.decode_into(into)
}

/// A JPEG whose header has been read and nothing else.
pub(crate) struct Header<'a> {
    decoder: JpegDecoder<ZCursor<&'a [u8]>>,
    /// Width in pixels as claimed.
    pub(crate) width: u32,
    /// Height in pixels as claimed.
    pub(crate) height: u32,
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
        let (width, height) = decoder.dimensions().ok_or(JpegError::CutOff)?;
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

/// Whether the marker that ends a picture follows its data. The decoder itself does not notice
/// when only the last row of blocks is missing.
pub(crate) fn is_whole(bytes: &[u8]) -> bool {
    const MARKER: u8 = 0xFF;
    const END_OF_IMAGE: u8 = 0xD9;
    const START_OF_SCAN: u8 = 0xDA;
    let mut at = 2;
    let mut in_scan = false;
    while let [first, second, ..] = bytes.get(at..).unwrap_or_default() {
        let stuffed = matches!(second, 0x00 | 0x01 | 0xD0..=0xD8);
        match (*first, *second) {
            (MARKER, END_OF_IMAGE) => return true,
            (MARKER, MARKER) => at += 1,
            (MARKER, _) if stuffed => at += 2,
            (MARKER, kind) => {
                // Every other marker is followed by the length of its segment, itself included.
                let Some([high, low]) = bytes.get(at + 2..at + 4) else {
                    return false;
                };
                in_scan = kind == START_OF_SCAN;
                at += 2 + usize::from(u16::from_be_bytes([*high, *low])).max(2);
            }
            _ if in_scan => at += 1,
            // Stray bytes between segments: look for the next marker.
            _ => at += 1,
        }
    }
    false
}

const _: () = assert!(SIDE_PX_MAX <= u16::MAX as u32);
