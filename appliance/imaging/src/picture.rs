//! The one pixel format inside the appliance: packed RGB, eight bits a channel, rows without gaps.

use std::fmt;

use vocabulary::Monotonic;

/// Longest side of a picture in pixels. Beyond any camera this is meant for; a header that claims
/// more is refused before a byte of it is allocated.
pub const SIDE_PX_MAX: u32 = 8192;

/// Why a picture of this size is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeError {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Bytes given for them.
    pub bytes: usize,
}

impl fmt::Display for SizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}×{} pixels from {} bytes make no picture; sides go from 1 to {SIDE_PX_MAX}",
            self.width, self.height, self.bytes
        )
    }
}

impl std::error::Error for SizeError {}

/// A picture: `width × height` pixels of R, G, B, row by row from the top.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({}×{})", self.width, self.height)
    }
}

impl Picture {
    /// A black picture.
    ///
    /// # Errors
    /// [`SizeError`] when a side is zero or above [`SIDE_PX_MAX`].
    pub fn new(width: u32, height: u32) -> Result<Self, SizeError> {
        let mut picture = Self {
            width: 1,
            height: 1,
            pixels: Vec::new(),
        };
        picture.reshape(width, height)?;
        Ok(picture)
    }

    /// Takes over `width × height × 3` bytes.
    ///
    /// # Errors
    /// [`SizeError`] when the sides are out of range or the bytes are not exactly that many.
    pub fn from_rgb(width: u32, height: u32, pixels: Vec<u8>) -> Result<Self, SizeError> {
        if byte_count(width, height) == Some(pixels.len()) {
            Ok(Self {
                width,
                height,
                pixels,
            })
        } else {
            Err(SizeError {
                width,
                height,
                bytes: pixels.len(),
            })
        }
    }

    /// Gives the picture other sides, reusing its memory; what the pixels hold afterwards is
    /// unspecified.
    ///
    /// # Errors
    /// [`SizeError`] when a side is out of range; the picture is then unchanged.
    pub fn reshape(&mut self, width: u32, height: u32) -> Result<(), SizeError> {
        let bytes = byte_count(width, height).ok_or(SizeError {
            width,
            height,
            bytes: 0,
        })?;
        self.pixels.resize(bytes, 0);
        (self.width, self.height) = (width, height);
        Ok(())
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// All bytes, R, G, B, row by row.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.pixels
    }

    /// Gives the bytes away.
    #[must_use]
    pub fn into_rgb(self) -> Vec<u8> {
        self.pixels
    }

    /// All bytes, to be written.
    #[must_use]
    pub fn rgb_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }
}

fn byte_count(width: u32, height: u32) -> Option<usize> {
    let sides = 1..=SIDE_PX_MAX;
    (sides.contains(&width) && sides.contains(&height))
        .then(|| width as usize * height as usize * 3)
}

/// A picture from a camera, and when it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The pixels.
    pub picture: Picture,
    /// When the camera delivered it, by the machine's monotonic clock.
    pub captured_at: Monotonic,
    /// Counts the frames of one source from 0; a gap tells of dropped frames.
    pub number: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_and_bytes_must_agree() {
        assert!(Picture::new(0, 5).is_err());
        assert!(Picture::new(SIDE_PX_MAX + 1, 5).is_err());
        assert!(Picture::from_rgb(2, 1, vec![0; 5]).is_err());
        assert_eq!(Picture::from_rgb(2, 1, vec![7; 6]).unwrap().rgb(), &[7; 6]);
    }
}
