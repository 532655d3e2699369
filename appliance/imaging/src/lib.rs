//! Frames and pictures: bounded decoding, scaling, colour.
//!
//! Pure: bytes in, pixels out. Nothing here opens a file, and nothing here stores a picture.

pub mod picture;

pub use picture::{Frame, Picture, SizeError};
