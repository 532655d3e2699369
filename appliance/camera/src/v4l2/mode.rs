//! In which format, size and rate a camera is to give its pictures.
//!
//! Pure: what the camera offers and what is wished for in, an order of preference out.

use std::fmt;

use imaging::picture::SIDE_PX_MAX;

/// How a camera sends its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// Uncompressed YUV 4:2:2: exact, and needs no decoder.
    Yuyv,
    /// Each frame a JPEG: what USB 2 has room for at larger sizes.
    Mjpeg,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yuyv => "YUYV",
            Self::Mjpeg => "MJPEG",
        })
    }
}

/// One way in which a camera gives pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mode {
    /// How the pixels come.
    pub encoding: Encoding,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}×{} at {} frames a second",
            self.encoding, self.width, self.height, self.fps
        )
    }
}

/// What is wished for; the closest that the camera offers is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames a second.
    pub fps: u32,
}

impl Default for Wish {
    /// 640×480 at 15: a face at arm's length is some 150 pixels wide then, and the detector is
    /// quick.
    fn default() -> Self {
        Self {
            width: 640,
            height: 480,
            fps: 15,
        }
    }
}

/// The usable modes, the best first: the closest size (too small counts double, since pixels that
/// are not there cannot be made), then a sufficient rate, then the exact encoding, then the lowest
/// rate that suffices.
pub(crate) fn rank(offered: &[Mode], wish: &Wish) -> Vec<Mode> {
    let mut modes: Vec<_> = offered
        .iter()
        .filter(|mode| {
            let sides = 1..=SIDE_PX_MAX;
            sides.contains(&mode.width) && sides.contains(&mode.height)
        })
        .copied()
        .collect();
    modes.sort_by_key(|mode| {
        let away = |side: u32, wished: u32| {
            let (side, wished) = (u64::from(side), u64::from(wished));
            if side < wished {
                2 * (wished - side)
            } else {
                side - wished
            }
        };
        (
            away(mode.width, wish.width) + away(mode.height, wish.height),
            wish.fps.saturating_sub(mode.fps),
            mode.encoding,
            mode.fps,
        )
    });
    modes.dedup();
    modes
}

#[cfg(test)]
mod tests {
    use super::*;
    use Encoding::{Mjpeg, Yuyv};

    fn mode((encoding, width, height, fps): (Encoding, u32, u32, u32)) -> Mode {
        Mode {
            encoding,
            width,
            height,
            fps,
        }
    }

    #[test]
    fn the_closest_mode_comes_first() {
        let check =
            |wish: (u32, u32, u32), offered: &[(Encoding, u32, u32, u32)], expect: usize| {
                let modes: Vec<_> = offered.iter().copied().map(mode).collect();
                let (width, height, fps) = wish;
                let best = rank(&modes, &Wish { width, height, fps })[0];
                assert_eq!(best, modes[expect], "{wish:?} of {offered:?}");
            };
        let usual = [
            (Mjpeg, 1280, 720, 30),
            (Yuyv, 1280, 720, 10),
            (Mjpeg, 640, 480, 30),
            (Yuyv, 640, 480, 30),
            (Yuyv, 640, 480, 15),
            (Yuyv, 320, 240, 30),
        ];
        check((640, 480, 15), &usual, 4);
        check((640, 480, 25), &usual, 3);
        // Too slow uncompressed, so compressed.
        check((1280, 720, 15), &usual, 0);
        check((1280, 720, 10), &usual, 1);
        // Nothing as large: the largest; nothing as small: the smallest.
        check((1920, 1080, 15), &usual, 0);
        check((160, 120, 15), &usual, 5);
        // Equally far away, larger wins.
        check(
            (640, 480, 15),
            &[(Yuyv, 540, 480, 15), (Yuyv, 740, 480, 15)],
            1,
        );
        // A rate that is too low beats a size that is wrong.
        check(
            (640, 480, 30),
            &[(Yuyv, 320, 240, 30), (Yuyv, 640, 480, 5)],
            1,
        );
    }

    #[test]
    fn impossible_sizes_are_left_out() {
        let modes = [mode((Yuyv, 0, 480, 30)), mode((Yuyv, 640, 99_999, 30))];
        assert_eq!(rank(&modes, &Wish::default()), []);
    }
}
