//! Brightness: what exposure and sharpness are measured on.

/// The luma of one pixel, 0 to 255: ITU-R BT.601's 0.299 R + 0.587 G + 0.114 B in 1/256.
#[must_use]
pub fn luma_of(red: u8, green: u8, blue: u8) -> u8 {
    ((77 * u32::from(red) + 150 * u32::from(green) + 29 * u32::from(blue) + 128) >> 8) as u8
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
}
