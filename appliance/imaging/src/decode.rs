//! Still pictures from files that strangers made: portraits for enrolment.
//!
//! The header is judged before memory is taken for the pixels, and a picture comes back whole or
//! not at all. Never reads a file itself.

use std::error::Error;
use std::fmt;
use std::io::{self, Cursor};

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageError, ImageFormat, Limits};

use crate::jpeg::{Header, JpegError, Outline};
use crate::picture::{Picture, SIDE_PX_MAX, SizeError};

/// The colour that shows through transparent pixels: portraits are printed on white.
const BACKDROP: u8 = 255;

/// Bytes per pixel that a decoder may take at most while it works: 16-bit RGBA, twice.
const WORKING_BYTES_PER_PIXEL_MAX: u64 = 16;

/// What a decoder may take on top of that, for its tables and for very small pictures.
const WORKING_BYTES_MIN: u64 = 1 << 20;

/// How much a file may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Largest file in bytes.
    pub bytes_max: usize,
    /// Longest side in pixels; above [`SIDE_PX_MAX`] it means that.
    pub side_px_max: u32,
    /// Most pixels, width times height.
    pub pixels_max: u64,
}

impl Default for DecodeLimits {
    /// A telephone's 50 megapixels in a 32 MiB file pass; 20,000 × 20,000 pixels do not.
    fn default() -> Self {
        Self {
            bytes_max: 32 << 20,
            side_px_max: SIDE_PX_MAX,
            pixels_max: 50_000_000,
        }
    }
}

/// The kinds of files that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG, and the first frame of an animated one.
    Png,
    /// GIF, and the first frame of an animated one.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// WebP, and the first frame of an animated one.
    WebP,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::WebP => "WebP",
        })
    }
}

/// Why a file is no picture. Each says the way out; whose file it is, the caller says.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not a single byte.
    #[error("the file is empty (0 bytes); copy it again from where it came")]
    Empty,
    /// Larger than the limit.
    #[error("the file has {bytes} bytes, at most {bytes_max} are read; save it smaller")]
    TooManyBytes {
        /// Bytes of the file.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// None of the kinds that are read.
    #[error("the file is not a JPEG, PNG, GIF, BMP or WebP picture; save it as JPEG or PNG")]
    UnknownKind,
    /// The header claims more than the limits allow; nothing was decoded.
    #[error(
        "the {kind} picture claims {width}×{height} pixels, at most {side_px_max} a side and \
         {pixels_max} in all are read; scale it down"
    )]
    TooLarge {
        /// What the file is.
        kind: FileKind,
        /// Width claimed, in pixels.
        width: u32,
        /// Height claimed, in pixels.
        height: u32,
        /// Longest side allowed, in pixels.
        side_px_max: u32,
        /// Most pixels allowed.
        pixels_max: u64,
    },
    /// The data ends before the picture does.
    #[error("the {kind} file is cut off after {bytes} bytes; copy it again from where it came")]
    CutOff {
        /// What the file is.
        kind: FileKind,
        /// Bytes there are.
        bytes: usize,
    },
    /// A JPEG that its decoder does not take.
    #[error("the JPEG file cannot be read; open it in a picture program and save it again")]
    Jpeg(#[source] JpegError),
    /// Another kind that its decoder does not take; some decoders do not tell damage from an end
    /// that comes early.
    #[error(
        "the {kind} file is damaged or cut off; copy it again from where it came, or save it as \
         PNG in a picture program"
    )]
    Damaged {
        /// What the file is.
        kind: FileKind,
        /// What the decoder says.
        #[source]
        source: ImageError,
    },
    /// What was decoded makes no picture.
    #[error("the {kind} file decodes to no usable size; save it again as PNG")]
    Size {
        /// What the file is.
        kind: FileKind,
        /// Its sides.
        #[source]
        source: SizeError,
    },
}

/// What was done to a file so that it became a picture. Worth a line to who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecodeNote {
    /// The file is animated; only its first frame was taken.
    FirstOfAnimation(FileKind),
    /// The camera was held sideways, upside down or mirrored; the picture was turned upright.
    Turned,
    /// Transparent pixels were laid on white.
    LaidOnWhite,
}

impl fmt::Display for DecodeNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstOfAnimation(kind) => {
                write!(f, "the {kind} file is animated, its first frame was taken")
            }
            Self::Turned => write!(f, "the picture was turned upright as its metadata says"),
            Self::LaidOnWhite => write!(f, "transparent parts were laid on white"),
        }
    }
}

/// A decoded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The pixels, upright.
    pub picture: Picture,
    /// What was done to the file on the way.
    pub notes: Vec<DecodeNote>,
}

/// Decodes a whole JPEG, PNG, GIF, BMP or WebP file.
///
/// Grey, palette, 16-bit and CMYK pixels become eight-bit RGB, transparency is laid on white, the
/// EXIF orientation is applied, and of an animation the first frame is taken.
///
/// # Errors
/// [`DecodeError`]: the file is empty, too large, of another kind, larger in pixels than allowed
/// (judged by the header alone), cut off or damaged.
pub fn decode(bytes: &[u8], limits: DecodeLimits) -> Result<Decoded, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    if bytes.len() > limits.bytes_max {
        return Err(DecodeError::TooManyBytes {
            bytes: bytes.len(),
            bytes_max: limits.bytes_max,
        });
    }
    match kind_of(bytes).ok_or(DecodeError::UnknownKind)? {
        FileKind::Jpeg => decode_jpeg(bytes, limits),
        kind @ FileKind::Png => Opened::new(kind, bytes, png(bytes, limits))?.finish(limits),
        kind @ FileKind::Gif => Opened::new(kind, bytes, gif(bytes))?.finish(limits),
        kind @ FileKind::Bmp => Opened::new(kind, bytes, bmp(bytes))?.finish(limits),
        kind @ FileKind::WebP => Opened::new(kind, bytes, webp(bytes))?.finish(limits),
    }
}

fn kind_of(bytes: &[u8]) -> Option<FileKind> {
    match image::guess_format(bytes).ok()? {
        ImageFormat::Jpeg => Some(FileKind::Jpeg),
        ImageFormat::Png => Some(FileKind::Png),
        ImageFormat::Gif => Some(FileKind::Gif),
        ImageFormat::Bmp => Some(FileKind::Bmp),
        ImageFormat::WebP => Some(FileKind::WebP),
        // Another crate's open enum: whatever else it knows is not read here.
        _ => None,
    }
}

fn decode_jpeg(bytes: &[u8], limits: DecodeLimits) -> Result<Decoded, DecodeError> {
    let kind = FileKind::Jpeg;
    let outline = Outline::of(bytes);
    if let Some((width, height)) = outline.size {
        check_size(kind, width, height, limits)?;
    }
    if !outline.whole {
        return Err(DecodeError::CutOff {
            kind,
            bytes: bytes.len(),
        });
    }
    let mut header = Header::read(bytes).map_err(DecodeError::Jpeg)?;
    check_size(kind, header.width, header.height, limits)?;
    let mut picture = Picture::new(1, 1).map_err(|source| DecodeError::Size { kind, source })?;
    header
        .decode_into(&mut picture)
        .map_err(DecodeError::Jpeg)?;
    let orientation = header.exif().and_then(Orientation::from_exif_chunk);
    let mut notes = Vec::new();
    let picture = turned(kind, picture, orientation, &mut notes)?;
    Ok(Decoded { picture, notes })
}

fn check_size(
    kind: FileKind,
    width: u32,
    height: u32,
    limits: DecodeLimits,
) -> Result<(), DecodeError> {
    let side_px_max = limits.side_px_max.min(SIDE_PX_MAX);
    let pixels = u64::from(width) * u64::from(height);
    if width > side_px_max || height > side_px_max || pixels > limits.pixels_max {
        return Err(DecodeError::TooLarge {
            kind,
            width,
            height,
            side_px_max,
            pixels_max: limits.pixels_max,
        });
    }
    Ok(())
}

/// Applies what the metadata says about how the camera was held.
fn turned(
    kind: FileKind,
    picture: Picture,
    orientation: Option<Orientation>,
    notes: &mut Vec<DecodeNote>,
) -> Result<Picture, DecodeError> {
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    if orientation == Orientation::NoTransforms {
        return Ok(picture);
    }
    notes.push(DecodeNote::Turned);
    let (width, height) = (picture.width(), picture.height());
    let size_error = |source| DecodeError::Size { kind, source };
    let buffer = image::RgbImage::from_raw(width, height, picture.into_rgb()).ok_or_else(|| {
        size_error(SizeError {
            width,
            height,
            bytes: 0,
        })
    })?;
    let mut image = DynamicImage::ImageRgb8(buffer);
    image.apply_orientation(orientation);
    let upright = image.into_rgb8();
    Picture::from_rgb(upright.width(), upright.height(), upright.into_raw()).map_err(size_error)
}

/// A decoder of the `image` crate after it has read the header, and whether its file is animated.
struct Opened<'a> {
    kind: FileKind,
    bytes: &'a [u8],
    decoder: Box<dyn ImageDecoder + 'a>,
    animated: bool,
}

type Opening<'a> = Result<(Box<dyn ImageDecoder + 'a>, bool), ImageError>;

fn png(bytes: &[u8], limits: DecodeLimits) -> Opening<'_> {
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), working_limits(limits.pixels_max))?;
    let animated = decoder.is_apng()?;
    Ok((Box::new(decoder), animated))
}

fn gif(bytes: &[u8]) -> Opening<'_> {
    Ok((Box::new(GifDecoder::new(Cursor::new(bytes))?), false))
}

fn bmp(bytes: &[u8]) -> Opening<'_> {
    Ok((Box::new(BmpDecoder::new(Cursor::new(bytes))?), false))
}

fn webp(bytes: &[u8]) -> Opening<'_> {
    let decoder = WebPDecoder::new(Cursor::new(bytes))?;
    let animated = decoder.has_animation();
    Ok((Box::new(decoder), animated))
}

impl<'a> Opened<'a> {
    fn new(kind: FileKind, bytes: &'a [u8], opening: Opening<'a>) -> Result<Self, DecodeError> {
        let (decoder, animated) = opening.map_err(|error| explain(kind, bytes.len(), error))?;
        Ok(Self {
            kind,
            bytes,
            decoder,
            animated,
        })
    }

    fn finish(mut self, limits: DecodeLimits) -> Result<Decoded, DecodeError> {
        let kind = self.kind;
        let (width, height) = self.decoder.dimensions();
        check_size(kind, width, height, limits)?;
        let working = working_limits(u64::from(width) * u64::from(height));
        let failed = |error| explain(kind, self.bytes.len(), error);
        self.decoder.set_limits(working.clone()).map_err(failed)?;
        // Metadata that cannot be read says nothing about orientation; the pixels still count.
        let orientation = self.decoder.orientation().ok();
        let image = DynamicImage::from_decoder(self.decoder).map_err(failed)?;
        let mut notes = Vec::new();
        if self.animated || (kind == FileKind::Gif && gif_has_second_frame(self.bytes, working)) {
            notes.push(DecodeNote::FirstOfAnimation(kind));
        }
        let flat = flattened(image, &mut notes);
        let picture = Picture::from_rgb(flat.width(), flat.height(), flat.into_raw())
            .map_err(|source| DecodeError::Size { kind, source })?;
        let picture = turned(kind, picture, orientation, &mut notes)?;
        Ok(Decoded { picture, notes })
    }
}

/// What a decoder may allocate for so many pixels.
fn working_limits(pixels: u64) -> Limits {
    let most = pixels.saturating_mul(WORKING_BYTES_PER_PIXEL_MAX);
    let mut working = Limits::default();
    working.max_alloc = Some(most.saturating_add(WORKING_BYTES_MIN));
    working
}

/// Tells a file that ends early from one that is broken: the decoders hide the end of the data
/// among their causes.
fn explain(kind: FileKind, bytes: usize, error: ImageError) -> DecodeError {
    let ended = |io: &io::Error| io.kind() == io::ErrorKind::UnexpectedEof;
    let mut cut_off = matches!(&error, ImageError::IoError(io) if ended(io));
    let mut cause = error.source();
    while let Some(inner) = cause {
        cut_off |= inner.downcast_ref().is_some_and(ended);
        cause = inner.source();
    }
    if cut_off {
        DecodeError::CutOff { kind, bytes }
    } else {
        DecodeError::Damaged {
            kind,
            source: error,
        }
    }
}

/// Whether a whole second frame follows the first.
fn gif_has_second_frame(bytes: &[u8], working: Limits) -> bool {
    let Ok(mut decoder) = GifDecoder::new(Cursor::new(bytes)) else {
        return false;
    };
    decoder.set_limits(working).is_ok() && matches!(decoder.into_frames().nth(1), Some(Ok(_)))
}

/// Eight-bit RGB; what is transparent is laid on white.
fn flattened(image: DynamicImage, notes: &mut Vec<DecodeNote>) -> image::RgbImage {
    if !image.color().has_alpha() {
        return image.into_rgb8();
    }
    let layered = image.into_rgba8();
    if layered.pixels().any(|pixel| pixel.0[3] < u8::MAX) {
        notes.push(DecodeNote::LaidOnWhite);
    }
    let mut flat = image::RgbImage::new(layered.width(), layered.height());
    for (to, from) in flat.pixels_mut().zip(layered.pixels()) {
        let [red, green, blue, alpha] = from.0;
        to.0 = [red, green, blue].map(|channel| over(channel, alpha));
    }
    flat
}

fn over(channel: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    let sum = u32::from(channel) * alpha + u32::from(BACKDROP) * (255 - alpha);
    ((sum + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    use image::codecs::gif::GifEncoder;
    use image::codecs::jpeg::JpegEncoder;
    use image::{Frame, ImageEncoder, Rgba, RgbaImage};
    use proptest::prelude::*;

    const SIDES: (u32, u32) = (33, 25);

    fn gradient() -> image::RgbImage {
        image::RgbImage::from_fn(SIDES.0, SIDES.1, |x, y| {
            image::Rgb([(x * 7) as u8, (y * 9) as u8, ((x + y) * 4) as u8])
        })
    }

    fn encoded(kind: FileKind) -> Vec<u8> {
        let format = match kind {
            FileKind::Jpeg => ImageFormat::Jpeg,
            FileKind::Png => ImageFormat::Png,
            FileKind::Gif => ImageFormat::Gif,
            FileKind::Bmp => ImageFormat::Bmp,
            FileKind::WebP => ImageFormat::WebP,
        };
        let mut bytes = Cursor::new(Vec::new());
        gradient().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    const KINDS: [FileKind; 5] = [
        FileKind::Jpeg,
        FileKind::Png,
        FileKind::Gif,
        FileKind::Bmp,
        FileKind::WebP,
    ];

    fn opened(bytes: &[u8]) -> Decoded {
        decode(bytes, DecodeLimits::default()).unwrap()
    }

    fn refused(bytes: &[u8]) -> DecodeError {
        decode(bytes, DecodeLimits::default()).unwrap_err()
    }

    /// Largest difference of a channel between a decoded picture and the gradient.
    fn off_by(picture: &Picture) -> u8 {
        let expect = gradient();
        let pairs = picture.rgb().iter().zip(expect.as_raw());
        pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
    }

    #[test]
    fn every_kind_comes_back_as_it_went() {
        let check = |kind, off_by_max| {
            let decoded = opened(&encoded(kind));
            assert_eq!((decoded.picture.width(), decoded.picture.height()), SIDES);
            let off = off_by(&decoded.picture);
            assert!(off <= off_by_max, "{kind}: off by {off}");
            assert_eq!(decoded.notes, [], "{kind}");
        };
        check(FileKind::Png, 0);
        check(FileKind::Bmp, 0);
        check(FileKind::WebP, 0);
        check(FileKind::Jpeg, 40);
        check(FileKind::Gif, 60);
    }

    #[test]
    fn progressive_grey_cmyk_and_restarting_jpegs_are_read() {
        let check = |bytes: &[u8], expect_left: [u8; 3], expect_right: [u8; 3]| {
            let picture = opened(bytes).picture;
            assert_eq!((picture.width(), picture.height()), (32, 24));
            let near = |at: usize, expect: [u8; 3]| {
                let found = &picture.rgb()[at * 3..at * 3 + 3];
                let off = found.iter().zip(expect).map(|(a, b)| a.abs_diff(b)).max();
                assert!(off.unwrap() <= 24, "pixel {at}: {found:?}, not {expect:?}");
            };
            // In the middle row, whose colours are (8x, 120, 4 (x + 12)).
            near(12 * 32, expect_left);
            near(12 * 32 + 31, expect_right);
        };
        let (left, right) = ([0, 120, 48], [248, 120, 172]);
        check(
            include_bytes!("../fixtures/gradient-progressive.jpg"),
            left,
            right,
        );
        check(
            include_bytes!("../fixtures/gradient-restart.jpg"),
            left,
            right,
        );
        check(include_bytes!("../fixtures/gradient-cmyk.jpg"), left, right);
        let (left, right) = ([76; 3], [164; 3]);
        check(include_bytes!("../fixtures/gradient-grey.jpg"), left, right);
    }

    #[test]
    fn what_is_no_picture_is_named() {
        assert!(matches!(refused(&[]), DecodeError::Empty));
        assert!(matches!(refused(b"%PDF-1.7"), DecodeError::UnknownKind));
        let limits = DecodeLimits {
            bytes_max: 10,
            ..DecodeLimits::default()
        };
        assert!(matches!(
            decode(&[0; 11], limits),
            Err(DecodeError::TooManyBytes {
                bytes: 11,
                bytes_max: 10
            })
        ));
    }

    /// A JPEG frame header of that many pixels, and nothing after it.
    fn jpeg_header_claiming(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xC0, 0, 17, 8];
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes.extend([3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1]);
        bytes
    }

    #[test]
    fn a_header_that_claims_too_much_is_refused_before_the_rest_is_read() {
        let check = |bytes: &[u8], kind: FileKind| match refused(bytes) {
            DecodeError::TooLarge {
                kind: found,
                width: 20_000,
                height: 20_000,
                ..
            } => assert_eq!(found, kind),
            other => panic!("{kind}: {other:?}"),
        };
        check(&jpeg_header_claiming(20_000, 20_000), FileKind::Jpeg);
        // A whole file whose header alone is changed.
        let mut jpeg = encoded(FileKind::Jpeg);
        let at = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        jpeg[at + 5..at + 9].copy_from_slice(&[0x4E, 0x20, 0x4E, 0x20]);
        check(&jpeg, FileKind::Jpeg);
        let mut gif = encoded(FileKind::Gif);
        gif[6..10].copy_from_slice(&[0x20, 0x4E, 0x20, 0x4E]);
        check(&gif, FileKind::Gif);
        let mut bmp = encoded(FileKind::Bmp);
        bmp[18..22].copy_from_slice(&20_000_u32.to_le_bytes());
        bmp[22..26].copy_from_slice(&20_000_u32.to_le_bytes());
        check(&bmp, FileKind::Bmp);
    }

    #[test]
    fn many_pixels_are_refused_even_on_short_sides() {
        let limits = DecodeLimits {
            pixels_max: u64::from(SIDES.0 * SIDES.1) - 1,
            ..DecodeLimits::default()
        };
        for kind in KINDS {
            let refused = decode(&encoded(kind), limits).unwrap_err();
            assert!(matches!(refused, DecodeError::TooLarge { .. }), "{kind}");
        }
    }

    #[test]
    fn a_cut_off_file_is_refused_or_loses_nothing() {
        for kind in KINDS {
            let bytes = encoded(kind);
            let whole = opened(&bytes);
            for length in 1..bytes.len() {
                match decode(&bytes[..length], DecodeLimits::default()) {
                    Ok(part) => assert!(part == whole, "{kind}: {length} of {}", bytes.len()),
                    Err(
                        DecodeError::CutOff { .. }
                        | DecodeError::Damaged { .. }
                        | DecodeError::UnknownKind,
                    ) => {}
                    Err(other) => panic!("{kind}: {length} of {}: {other:?}", bytes.len()),
                }
            }
        }
    }

    #[test]
    fn half_a_file_is_called_cut_off() {
        for kind in KINDS {
            let bytes = encoded(kind);
            let error = refused(&bytes[..bytes.len() / 2]);
            assert!(error.to_string().contains("cut off"), "{error:?}");
            assert!(error.to_string().contains(&kind.to_string()), "{error:?}");
        }
        let progressive = include_bytes!("../fixtures/gradient-progressive.jpg");
        assert!(matches!(
            refused(&progressive[..progressive.len() - 40]),
            DecodeError::CutOff { .. }
        ));
    }

    #[test]
    fn of_an_animation_the_first_frame_is_taken_and_said() {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for shade in [40, 200] {
            let picture = RgbaImage::from_pixel(8, 8, Rgba([shade, shade, shade, 255]));
            encoder.encode_frame(Frame::new(picture)).unwrap();
        }
        drop(encoder);
        let decoded = opened(&bytes);
        let note = DecodeNote::FirstOfAnimation(FileKind::Gif);
        assert_eq!(decoded.notes, [note]);
        assert!(decoded.picture.rgb().iter().all(|v| v.abs_diff(40) < 4));
    }

    #[test]
    fn transparency_is_laid_on_white_and_said() {
        let picture = RgbaImage::from_fn(2, 1, |x, _| {
            Rgba([0, 100, 200, if x == 0 { 0 } else { 255 }])
        });
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let decoded = opened(bytes.get_ref());
        assert_eq!(decoded.picture.rgb(), &[255, 255, 255, 0, 100, 200]);
        assert_eq!(decoded.notes, [DecodeNote::LaidOnWhite]);
    }

    #[test]
    fn sixteen_bits_and_grey_become_eight_bit_rgb() {
        let deep = image::ImageBuffer::from_fn(1, 1, |_, _| image::Luma([0x80FF_u16]));
        let mut bytes = Cursor::new(Vec::new());
        deep.write_to(&mut bytes, ImageFormat::Png).unwrap();
        assert_eq!(opened(bytes.get_ref()).picture.rgb(), &[0x80; 3]);
    }

    /// The gradient as a JPEG whose EXIF block says how the camera was held.
    fn held(orientation: u16) -> Vec<u8> {
        let mut exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
        exif.extend(orientation.to_be_bytes());
        exif.extend([0; 6]);
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
        encoder.set_exif_metadata(exif).unwrap();
        let (width, height) = SIDES;
        encoder
            .write_image(
                gradient().as_raw(),
                width,
                height,
                image::ExtendedColorType::Rgb8,
            )
            .unwrap();
        bytes
    }

    #[test]
    fn a_camera_held_sideways_gives_an_upright_picture() {
        let plain = opened(&held(1));
        assert_eq!(plain.notes, []);
        // Where the upper left pixel of the file comes to lie: column and row from the edges.
        let check = |orientation: u16, sides: (u32, u32), corner: (u32, u32)| {
            let turned = opened(&held(orientation));
            assert_eq!(turned.notes, [DecodeNote::Turned], "{orientation}");
            let picture = turned.picture;
            assert_eq!((picture.width(), picture.height()), sides, "{orientation}");
            let at = (corner.1 * sides.0 + corner.0) as usize * 3;
            assert_eq!(
                picture.rgb()[at..at + 3],
                plain.picture.rgb()[..3],
                "{orientation}"
            );
        };
        let (width, height) = SIDES;
        check(3, (width, height), (width - 1, height - 1));
        check(6, (height, width), (height - 1, 0));
        check(8, (height, width), (0, width - 1));
        check(2, (width, height), (width - 1, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        /// Whatever is changed in a file, decoding ends in a picture within the limits or in an
        /// error.
        #[test]
        fn changed_bytes_never_panic(
            which in 0_usize..5,
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
            keep in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) {
            let mut bytes = encoded(KINDS[which]);
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            if cut {
                bytes.truncate(keep.index(bytes.len()));
            }
            let limits = DecodeLimits { pixels_max: 1 << 20, ..DecodeLimits::default() };
            if let Ok(decoded) = decode(&bytes, limits) {
                let picture = decoded.picture;
                let pixels = u64::from(picture.width()) * u64::from(picture.height());
                prop_assert!(pixels <= limits.pixels_max);
                prop_assert!(pixels * 3 == picture.rgb().len() as u64);
            }
        }

        #[test]
        fn any_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes, DecodeLimits::default());
        }
    }
}
