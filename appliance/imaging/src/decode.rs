//! Still pictures from files that strangers made: portraits for enrolment.
//!
//! The header is judged before memory is taken for the pixels, and a picture comes back whole or
//! not at all. Never reads a file itself.

use std::fmt;
use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageError, ImageFormat, Limits};

use crate::jpeg::{self, JpegError};
use crate::picture::{Picture, SIDE_PX_MAX, SizeError};

/// The colour that shows through transparent pixels: portraits are printed on white.
const BACKDROP: u8 = 255;

/// Bytes per pixel that a decoder may take at most while it works (RGBA with 16 bits, twice).
const WORKING_BYTES_PER_PIXEL_MAX: u64 = 16;

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
    /// A telephone's 50 megapixels in a 32 MiB file pass; a bomb of 20,000 × 20,000 does not.
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
    /// Another kind that its decoder does not take.
    #[error("the {kind} file cannot be read; open it in a picture program and save it as PNG")]
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
    let cut_off = || DecodeError::CutOff {
        kind,
        bytes: bytes.len(),
    };
    let whole = jpeg::is_whole(bytes);
    let mut header = match jpeg::Header::read(bytes) {
        Ok(header) => header,
        Err(_) if !whole => return Err(cut_off()),
        Err(error) => return Err(DecodeError::Jpeg(error)),
    };
    check_size(kind, header.width, header.height, limits)?;
    if !whole {
        return Err(cut_off());
    }
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
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), working_limits(limits))?;
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
        let failed = |error| explain(kind, self.bytes.len(), error);
        self.decoder
            .set_limits(working_limits(limits))
            .map_err(failed)?;
        // Metadata that cannot be read says nothing about orientation; the pixels still count.
        let orientation = self.decoder.orientation().ok();
        let image = DynamicImage::from_decoder(self.decoder).map_err(failed)?;
        let mut notes = Vec::new();
        if self.animated || (kind == FileKind::Gif && gif_has_second_frame(self.bytes, limits)) {
            notes.push(DecodeNote::FirstOfAnimation(kind));
        }
        let flat = flattened(image, &mut notes);
        let picture = Picture::from_rgb(flat.width(), flat.height(), flat.into_raw())
            .map_err(|source| DecodeError::Size { kind, source })?;
        let picture = turned(kind, picture, orientation, &mut notes)?;
        Ok(Decoded { picture, notes })
    }
}

fn working_limits(limits: DecodeLimits) -> Limits {
    let mut working = Limits::default();
    working.max_alloc = Some(
        limits
            .pixels_max
            .saturating_mul(WORKING_BYTES_PER_PIXEL_MAX),
    );
    working
}

fn explain(kind: FileKind, bytes: usize, error: ImageError) -> DecodeError {
    match &error {
        ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::CutOff { kind, bytes }
        }
        ImageError::IoError(_)
        | ImageError::Decoding(_)
        | ImageError::Encoding(_)
        | ImageError::Parameter(_)
        | ImageError::Limits(_)
        | ImageError::Unsupported(_) => DecodeError::Damaged {
            kind,
            source: error,
        },
    }
}

/// Whether anything that looks like a second frame follows the first, even a broken one.
fn gif_has_second_frame(bytes: &[u8], limits: DecodeLimits) -> bool {
    let Ok(mut decoder) = GifDecoder::new(Cursor::new(bytes)) else {
        return false;
    };
    decoder.set_limits(working_limits(limits)).is_ok() && decoder.into_frames().nth(1).is_some()
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
