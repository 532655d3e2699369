//! A picture in memory that views are drawn on: what every sink shows.
//!
//! It never grows while it is drawn on, and drawing beyond its edges changes nothing.

use std::convert::Infallible;
use std::fmt;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// Longest side in pixels. Twice the largest panel foreseen in each direction; a contact sheet
/// of many screens is the tallest thing drawn.
pub const CANVAS_SIDE_PX_MAX: u32 = 16_384;

/// Most pixels of one canvas: a quarter of a gigabyte of memory, beyond any sheet.
pub const CANVAS_PIXELS_MAX: u64 = 80_000_000;

/// Bytes of one pixel: red, green, blue.
const CHANNELS: usize = 3;

/// A canvas of this size is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a canvas of {width}×{height} pixels is too large; sides go up to {CANVAS_SIDE_PX_MAX} and \
     the area up to {CANVAS_PIXELS_MAX} pixels"
)]
pub struct CanvasError {
    /// Width asked for, in pixels.
    pub width: u32,
    /// Height asked for, in pixels.
    pub height: u32,
}

/// `width × height` pixels of R, G, B, eight bits each, row by row from the top, without gaps.
#[derive(Clone, PartialEq, Eq)]
pub struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl fmt::Debug for Canvas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Canvas({}×{})", self.width, self.height)
    }
}

impl Canvas {
    /// A black canvas; a side may be zero, which makes it a canvas that nothing shows on.
    ///
    /// # Errors
    /// [`CanvasError`] beyond [`CANVAS_SIDE_PX_MAX`] or [`CANVAS_PIXELS_MAX`].
    pub fn new(width: u32, height: u32) -> Result<Self, CanvasError> {
        let area = u64::from(width) * u64::from(height);
        if width > CANVAS_SIDE_PX_MAX || height > CANVAS_SIDE_PX_MAX || area > CANVAS_PIXELS_MAX {
            return Err(CanvasError { width, height });
        }
        Ok(Self {
            width,
            height,
            pixels: vec![0; width as usize * height as usize * CHANNELS],
        })
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

    /// All bytes: R, G, B, row by row.
    #[must_use]
    pub fn rgb(&self) -> &[u8] {
        &self.pixels
    }

    /// The colour at a place; none outside.
    #[must_use]
    pub fn pixel(&self, at: Point) -> Option<Rgb888> {
        let start = self.offset(at)?;
        let bytes = &self.pixels[start..start + CHANNELS];
        Some(Rgb888::new(bytes[0], bytes[1], bytes[2]))
    }

    /// Copies another canvas onto this one, its upper left corner at `at`; what does not fit is
    /// left out.
    pub fn place(&mut self, other: &Self, at: Point) {
        let area = Rectangle::new(at, other.size());
        let colours = other.pixels.chunks_exact(CHANNELS);
        let colours = colours.map(|bytes| Rgb888::new(bytes[0], bytes[1], bytes[2]));
        let Ok(()) = self.fill_contiguous(&area, colours);
    }

    /// A canvas that shows a picture, pixel by pixel.
    ///
    /// # Errors
    /// [`CanvasError`] beyond [`CANVAS_SIDE_PX_MAX`] or [`CANVAS_PIXELS_MAX`].
    pub fn of(picture: &imaging::Picture) -> Result<Self, CanvasError> {
        let mut canvas = Self::new(picture.width(), picture.height())?;
        canvas.copy_from_rgb(picture.rgb());
        Ok(canvas)
    }

    /// Takes over the pixels of a picture of the same size; those of another are not taken.
    pub(crate) fn copy_from_rgb(&mut self, pixels: &[u8]) {
        if pixels.len() == self.pixels.len() {
            self.pixels.copy_from_slice(pixels);
        }
    }

    fn offset(&self, at: Point) -> Option<usize> {
        let x = u32::try_from(at.x).ok().filter(|x| *x < self.width)?;
        let y = u32::try_from(at.y).ok().filter(|y| *y < self.height)?;
        Some((y as usize * self.width as usize + x as usize) * CHANNELS)
    }

    /// The bytes of `count` pixels from `at` to the right; the caller has clipped them.
    fn row_mut(&mut self, at: Point, count: u32) -> &mut [u8] {
        match self.offset(at) {
            Some(start) => {
                let end = (start + count as usize * CHANNELS).min(self.pixels.len());
                &mut self.pixels[start..end]
            }
            None => &mut [],
        }
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Self::Color>>,
    {
        for Pixel(at, colour) in pixels {
            if let Some(start) = self.offset(at) {
                self.pixels[start..start + CHANNELS].copy_from_slice(&bytes_of(colour));
            }
        }
        Ok(())
    }

    fn fill_contiguous<I>(&mut self, area: &Rectangle, colors: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Self::Color>,
    {
        if self.bounding_box().intersection(area) != *area {
            // Seldom: only a picture half outside comes here, pixel by pixel.
            return self.draw_iter(
                area.points()
                    .zip(colors)
                    .map(|(at, colour)| Pixel(at, colour)),
            );
        }
        let mut colors = colors.into_iter();
        for y in area.rows() {
            let row = self.row_mut(Point::new(area.top_left.x, y), area.size.width);
            for pixel in row.chunks_exact_mut(CHANNELS) {
                let Some(colour) = colors.next() else {
                    return Ok(());
                };
                pixel.copy_from_slice(&bytes_of(colour));
            }
        }
        Ok(())
    }

    fn fill_solid(&mut self, area: &Rectangle, color: Self::Color) -> Result<(), Self::Error> {
        let area = self.bounding_box().intersection(area);
        let bytes = bytes_of(color);
        for y in area.rows() {
            let row = self.row_mut(Point::new(area.top_left.x, y), area.size.width);
            for pixel in row.chunks_exact_mut(CHANNELS) {
                pixel.copy_from_slice(&bytes);
            }
        }
        Ok(())
    }
}

fn bytes_of(colour: Rgb888) -> [u8; CHANNELS] {
    [colour.r(), colour.g(), colour.b()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_is_left_out() {
        let mut canvas = Canvas::new(4, 3).unwrap();
        let area = Rectangle::new(Point::new(-2, -1), Size::new(4, 3));
        canvas.fill_solid(&area, Rgb888::RED).unwrap();
        let ramp = (0..12).map(|n| Rgb888::new(n, 0, 0));
        canvas
            .fill_contiguous(&Rectangle::new(Point::new(2, 1), Size::new(4, 3)), ramp)
            .unwrap();
        let red = |x, y| canvas.pixel(Point::new(x, y)).map(|colour| colour.r());
        assert_eq!(red(0, 0), Some(255));
        assert_eq!(red(1, 1), Some(255));
        assert_eq!(red(2, 0), Some(0));
        assert_eq!(red(2, 1), Some(0));
        assert_eq!(red(3, 1), Some(1));
        assert_eq!(red(3, 2), Some(5));
        assert_eq!(red(4, 0), None);
        assert_eq!(red(0, -1), None);
    }

    #[test]
    fn a_canvas_may_be_nothing_but_not_huge() {
        let mut nothing = Canvas::new(0, 7).unwrap();
        nothing.clear(Rgb888::WHITE).unwrap();
        assert!(nothing.rgb().is_empty());
        assert!(Canvas::new(CANVAS_SIDE_PX_MAX + 1, 1).is_err());
        assert!(Canvas::new(CANVAS_SIDE_PX_MAX, CANVAS_SIDE_PX_MAX).is_err());
    }

    #[test]
    fn one_canvas_is_placed_on_another() {
        let mut small = Canvas::new(1, 1).unwrap();
        small.clear(Rgb888::GREEN).unwrap();
        let mut large = Canvas::new(3, 3).unwrap();
        large.place(&small, Point::new(2, 1));
        large.place(&small, Point::new(9, 9));
        assert_eq!(large.pixel(Point::new(2, 1)), Some(Rgb888::GREEN));
        assert_eq!(large.rgb().iter().filter(|byte| **byte != 0).count(), 1);
    }
}
