//! Brightness: what exposure and sharpness are measured on.

use crate::picture::Picture;

/// The luma of one pixel, 0 to 255: ITU-R BT.601's 0.299 R + 0.587 G + 0.114 B in 1/256.
#[must_use]
pub fn luma_of(red: u8, green: u8, blue: u8) -> u8 {
    ((77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue) + 128) >> 8) as u8
}

/// Mean and spread of the luma of many pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LumaStats {
    /// Mean luma, 0 to 255.
    pub mean: f32,
    /// Standard deviation of the luma, 0 to 127.5.
    pub deviation: f32,
}

/// Pixels whose squares add up within 32 bits: 65,536 × 255² is just below 2³².
const RUN: usize = 1 << 16;

/// Mean and standard deviation over a whole picture.
#[must_use]
pub fn luma_stats(picture: &Picture) -> LumaStats {
    let (pixels, _) = picture.rgb().as_chunks::<3>();
    let (mut sum, mut squares) = (0_u64, 0_u64);
    for run in pixels.chunks(RUN) {
        let (mut run_sum, mut run_squares) = (0_u32, 0_u32);
        for &[red, green, blue] in run {
            let luma = u32::from(luma_of(red, green, blue));
            run_sum += luma;
            run_squares += luma * luma;
        }
        sum += u64::from(run_sum);
        squares += u64::from(run_squares);
    }
    let count = pixels.len() as f64;
    let mean = sum as f64 / count;
    let variance = (squares as f64 / count - mean * mean).max(0.0);
    LumaStats {
        mean: mean as f32,
        deviation: variance.sqrt() as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn luma_runs_from_black_to_white_and_green_weighs_most() {
        assert_eq!(luma_of(0, 0, 0), 0);
        assert_eq!(luma_of(255, 255, 255), 255);
        assert!(luma_of(0, 255, 0) > luma_of(255, 0, 0));
        assert!(luma_of(255, 0, 0) > luma_of(0, 0, 255));
    }

    #[test]
    fn half_black_half_white_has_the_largest_deviation() {
        let picture = Picture::from_rgb(2, 1, vec![0, 0, 0, 255, 255, 255]).unwrap();
        let stats = luma_stats(&picture);
        assert!((stats.mean - 127.5).abs() < 1e-3 && (stats.deviation - 127.5).abs() < 1e-3);
    }
}
