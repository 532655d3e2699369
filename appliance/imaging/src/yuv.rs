//! YUYV, the uncompressed format of most cameras, to RGB.
//!
//! Never guesses a size: rows and bytes must agree before a pixel is read.

use crate::picture::{Picture, SizeError};

/// Why bytes are not a YUYV picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YuyvError {
    /// YUYV stores pixels in pairs, so a row has an even number of them.
    #[error("a YUYV picture {width} pixels wide does not exist; choose an even width")]
    OddWidth {
        /// The width asked for, in pixels.
        width: u32,
    },
    /// Rows that overlap.
    #[error("rows of {stride} bytes cannot hold {width} YUYV pixels; check the camera's format")]
    Stride {
        /// Bytes from one row to the next.
        stride: usize,
        /// Width in pixels.
        width: u32,
    },
    /// The camera delivered less than it announced.
    #[error(
        "the camera delivered {bytes} bytes of YUYV where {needed} are needed; the frame is dropped"
    )]
    Short {
        /// Bytes delivered.
        bytes: usize,
        /// Bytes needed for the last pixel.
        needed: usize,
    },
    /// The sides make no picture.
    #[error("the camera's frame has no usable size")]
    Size(#[source] SizeError),
}

/// Reads YUYV 4:2:2 (Y0 U Y1 V for two pixels) into `into`, which takes the size of the frame and
/// keeps its memory.
///
/// Colours are converted as ITU-R BT.601 with limited range (Y 16 to 235, U and V 16 to 240), which
/// is what UVC cameras send unless they say otherwise. `stride` is the number of bytes from one row
/// to the next, `2 × width` where none is given.
///
/// # Errors
/// [`YuyvError`] says which of width, stride and bytes do not agree; `into` may then have another
/// size, its pixels are unspecified.
pub fn yuyv_into(
    width: u32,
    height: u32,
    stride: Option<usize>,
    bytes: &[u8],
    into: &mut Picture,
) -> Result<(), YuyvError> {
    if !width.is_multiple_of(2) {
        return Err(YuyvError::OddWidth { width });
    }
    into.reshape(width, height).map_err(YuyvError::Size)?;
    let row_bytes = width as usize * 2;
    let stride = stride.unwrap_or(row_bytes);
    if stride < row_bytes {
        return Err(YuyvError::Stride { stride, width });
    }
    let needed = stride
        .checked_mul(height as usize - 1)
        .and_then(|before| before.checked_add(row_bytes));
    match needed {
        Some(needed) if bytes.len() >= needed => {}
        Some(_) | None => {
            return Err(YuyvError::Short {
                bytes: bytes.len(),
                needed: needed.unwrap_or(usize::MAX),
            });
        }
    }
    let rows = into.rgb_mut().chunks_exact_mut(width as usize * 3);
    for (to, from) in rows.zip(bytes.chunks(stride)) {
        row(&from[..row_bytes], to);
    }
    Ok(())
}

fn row(from: &[u8], to: &mut [u8]) {
    let (pairs, _) = from.as_chunks::<4>();
    let (pixels, _) = to.as_chunks_mut::<6>();
    for (&[y0, u, y1, v], out) in pairs.iter().zip(pixels) {
        let chroma = Chroma::of(u, v);
        let [r, g, b] = chroma.with(y0);
        let [s, h, c] = chroma.with(y1);
        *out = [r, g, b, s, h, c];
    }
}

/// What two pixels share: the offsets that their colour adds to each channel, in 1/256.
#[derive(Clone, Copy)]
struct Chroma {
    red: i32,
    green: i32,
    blue: i32,
}

impl Chroma {
    /// BT.601: R = 1.164 (Y − 16) + 1.596 (V − 128), G = … − 0.392 (U − 128) − 0.813 (V − 128),
    /// B = … + 2.017 (U − 128); the factors are rounded to 1/256.
    fn of(u: u8, v: u8) -> Self {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        Self {
            red: 409 * v,
            green: -100 * u - 208 * v,
            blue: 516 * u,
        }
    }

    fn with(self, y: u8) -> [u8; 3] {
        let y = 298 * (i32::from(y) - 16) + 128;
        [self.red, self.green, self.blue].map(|offset| ((y + offset) >> 8).clamp(0, 255) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(y: u8, u: u8, v: u8) -> [u8; 3] {
        let mut picture = Picture::new(1, 1).unwrap();
        yuyv_into(2, 1, None, &[y, u, y, v], &mut picture).unwrap();
        assert_eq!(picture.rgb()[..3], picture.rgb()[3..]);
        [picture.rgb()[0], picture.rgb()[1], picture.rgb()[2]]
    }

    #[test]
    fn the_named_colours_of_bt_601_come_back() {
        let check = |yuv: [u8; 3], expect: [u8; 3]| {
            let found = converted(yuv[0], yuv[1], yuv[2]);
            let near = found.iter().zip(expect).all(|(a, b)| a.abs_diff(b) <= 2);
            assert!(near, "{yuv:?} gave {found:?}, not {expect:?}");
        };
        check([16, 128, 128], [0, 0, 0]);
        check([235, 128, 128], [255, 255, 255]);
        check([126, 128, 128], [128, 128, 128]);
        check([81, 90, 240], [255, 0, 0]);
        check([145, 54, 34], [0, 255, 0]);
        check([41, 240, 110], [0, 0, 255]);
    }

    #[test]
    fn rows_with_gaps_are_read_and_short_frames_refused() {
        let mut picture = Picture::new(1, 1).unwrap();
        let padded = [16, 128, 16, 128, 9, 9, 235, 128, 235, 128];
        yuyv_into(2, 2, Some(6), &padded, &mut picture).unwrap();
        assert_eq!(picture.rgb()[..6], [0; 6]);
        assert_eq!(picture.rgb()[6..], [255; 6]);
        let mut check = |width, height, stride, count: usize, expect: YuyvError| {
            let found = yuyv_into(width, height, stride, &vec![0; count], &mut picture);
            assert_eq!(found, Err(expect));
        };
        check(3, 1, None, 6, YuyvError::OddWidth { width: 3 });
        check(
            2,
            2,
            None,
            7,
            YuyvError::Short {
                bytes: 7,
                needed: 8,
            },
        );
        check(
            4,
            1,
            Some(4),
            8,
            YuyvError::Stride {
                stride: 4,
                width: 4,
            },
        );
        check(
            2,
            2,
            Some(usize::MAX),
            8,
            YuyvError::Short {
                bytes: 8,
                needed: usize::MAX,
            },
        );
    }
}
