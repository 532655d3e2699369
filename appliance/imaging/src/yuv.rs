//! YUYV, the uncompressed format of most cameras, to RGB.
//!
//! Never guesses a size: rows and bytes must agree before a pixel is read.

use pulp::{Arch, Simd, WithSimd};

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
    Arch::new().dispatch(Rows {
        width: width as usize,
        stride,
        from: bytes,
        to: into.rgb_mut(),
    });
    Ok(())
}

/// Pixels that are converted side by side: as many as a wide register has bytes.
const PIXELS_PER_BLOCK: usize = 32;

/// All rows, to be compiled for each set of instructions.
struct Rows<'a> {
    width: usize,
    stride: usize,
    from: &'a [u8],
    to: &'a mut [u8],
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = self.to.chunks_exact_mut(self.width * 3);
        for (to, from) in rows.zip(self.from.chunks(self.stride)) {
            let (blocks, rest) = from[..self.width * 2].as_chunks::<{ PIXELS_PER_BLOCK * 2 }>();
            let (wide, narrow) = to.as_chunks_mut::<{ PIXELS_PER_BLOCK * 3 }>();
            for (from, to) in blocks.iter().zip(wide) {
                block(from, to);
            }
            let (pairs, _) = rest.as_chunks::<4>();
            let (pixels, _) = narrow.as_chunks_mut::<6>();
            for (&[y0, u, y1, v], to) in pairs.iter().zip(pixels) {
                let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
                let [r, g, b] = rgb_of(y0.into(), u, v);
                let [s, h, c] = rgb_of(y1.into(), u, v);
                *to = [r, g, b, s, h, c];
            }
        }
    }
}

/// Plain loops over planes: the compiler makes wide instructions of each.
#[inline(always)]
fn block(from: &[u8; PIXELS_PER_BLOCK * 2], to: &mut [u8; PIXELS_PER_BLOCK * 3]) {
    let (mut y, mut u, mut v) = (
        [0; PIXELS_PER_BLOCK],
        [0; PIXELS_PER_BLOCK],
        [0; PIXELS_PER_BLOCK],
    );
    for pair in 0..PIXELS_PER_BLOCK / 2 {
        for at in [2 * pair, 2 * pair + 1] {
            y[at] = i32::from(from[2 * at]);
            u[at] = i32::from(from[4 * pair + 1]) - 128;
            v[at] = i32::from(from[4 * pair + 3]) - 128;
        }
    }
    let mut planes = [[0; PIXELS_PER_BLOCK]; 3];
    for at in 0..PIXELS_PER_BLOCK {
        let rgb = rgb_of(y[at], u[at], v[at]);
        (planes[0][at], planes[1][at], planes[2][at]) = (rgb[0], rgb[1], rgb[2]);
    }
    for at in 0..PIXELS_PER_BLOCK {
        to[3 * at] = planes[0][at];
        to[3 * at + 1] = planes[1][at];
        to[3 * at + 2] = planes[2][at];
    }
}

/// BT.601: R = 1.164 (Y − 16) + 1.596 V, G = 1.164 (Y − 16) − 0.392 U − 0.813 V,
/// B = 1.164 (Y − 16) + 2.017 U, with U and V around 0; the factors are rounded to 1/256.
#[inline(always)]
fn rgb_of(y: i32, u: i32, v: i32) -> [u8; 3] {
    let y = 298 * (y - 16) + 128;
    [y + 409 * v, y - 100 * u - 208 * v, y + 516 * u]
        .map(|channel| (channel >> 8).clamp(0, 255) as u8)
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

    /// Block and pair must agree: a row of 70 pixels has two blocks and three pairs.
    #[test]
    fn every_place_in_a_row_is_converted_alike() {
        let row: Vec<u8> = (0..140_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        let mut picture = Picture::new(1, 1).unwrap();
        yuyv_into(70, 1, None, &row, &mut picture).unwrap();
        for (pair, bytes) in row.chunks_exact(4).enumerate() {
            let mut two = Picture::new(1, 1).unwrap();
            yuyv_into(2, 1, None, bytes, &mut two).unwrap();
            assert_eq!(
                picture.rgb()[pair * 6..pair * 6 + 6],
                *two.rgb(),
                "pair {pair}"
            );
        }
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
