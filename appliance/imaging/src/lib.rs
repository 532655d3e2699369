//! Frames and pictures: bounded decoding, scaling, colour.
//!
//! Pure: bytes in, pixels out. Nothing here opens a file, and nothing here stores a picture.

pub mod decode;
pub mod jpeg;
pub mod luma;
pub mod picture;
pub mod scale;
pub mod yuv;

pub use decode::{DecodeError, DecodeLimits, DecodeNote, Decoded, FileKind, decode};
pub use jpeg::{JpegError, decode_jpeg_into};
pub use luma::luma_of;
pub use picture::{Frame, Picture, SizeError};
pub use scale::{ScaleError, Scaler, bounded_size};
pub use yuv::{YuyvError, yuyv_into};
