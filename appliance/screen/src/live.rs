//! The live picture: mirrored like a mirror, scaled to its place, with the faces marked.
//!
//! Nothing is kept of it; the one row of pixels that is reused between lines holds no more than
//! what the screen shows anyway.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use imaging::Picture;

use crate::paint::Painter;
use crate::view::{FACES_MAX, FaceBox, FaceState};

/// Fractional bits of a position in the picture.
const FRACTION_BITS: u32 = 8;

/// The largest rectangle with the picture's proportions in the middle of an area.
pub(crate) fn place(area: Rectangle, picture: &Picture) -> Rectangle {
    use crate::layout::Cut;
    let (width, height) = (u64::from(picture.width()), u64::from(picture.height()));
    let (across, down) = (u64::from(area.size.width), u64::from(area.size.height));
    let size = if across * height <= down * width {
        Size::new(area.size.width, (across * height / width) as u32)
    } else {
        Size::new((down * width / height) as u32, area.size.height)
    };
    area.middle(size)
}

impl<D: DrawTarget<Color = Rgb888>> Painter<'_, D> {
    /// Fills an area with the picture, mirrored, between its pixels interpolated.
    pub fn picture(&mut self, area: Rectangle, picture: &Picture) -> Result<(), D::Error> {
        if area.is_zero_sized() {
            return Ok(());
        }
        let row_bytes = picture.width() as usize * 3;
        let down = Axis::new(picture.height(), area.size.height);
        let across = Axis::new(picture.width(), area.size.width);
        self.with_row(|painter, row| {
            for y in 0..area.size.height {
                let (upper, lower, below) = down.at(y);
                let line = |at: usize| &picture.rgb()[at * row_bytes..(at + 1) * row_bytes];
                scale_row(
                    row,
                    line(upper),
                    line(lower),
                    below,
                    &across,
                    area.size.width,
                );
                let corner = area.top_left + Point::new(0, y as i32);
                let strip = Rectangle::new(corner, Size::new(area.size.width, 1));
                painter
                    .target
                    .fill_contiguous(&strip, row.iter().copied())?;
            }
            Ok(())
        })
    }

    /// Marks the faces of a picture that fills `area`.
    pub fn faces(
        &mut self,
        area: Rectangle,
        picture: &Picture,
        faces: &[FaceBox],
    ) -> Result<(), D::Error> {
        let marks = self.context.theme.marks;
        for face in faces.iter().take(FACES_MAX) {
            let Some(place) = mirrored(area, picture, face) else {
                continue;
            };
            match face.state {
                FaceState::Seen => self.brackets(place, marks.seen)?,
                FaceState::Comparing(part) => {
                    self.brackets(place, marks.comparing)?;
                    self.face_progress(area, place, part)?;
                }
                FaceState::Done => self.brackets(place, marks.done)?,
            }
        }
        Ok(())
    }

    /// Four corners around a face: they mark it without hiding it. Each stroke has a dark rim, so
    /// that it shows on any picture.
    fn brackets(&mut self, place: Rectangle, colour: Rgb888) -> Result<(), D::Error> {
        let thick = self.grid.px(0.6).max(1);
        let rim = self.grid.px(0.125).max(1);
        let reach = (place.size.width.min(place.size.height) / 4).max(thick);
        for (grow, colour) in [(rim, self.context.theme.marks.rim), (0, colour)] {
            let stroke = |x: i32, y: i32, width: u32, height: u32| {
                Rectangle::new(
                    Point::new(x - grow as i32, y - grow as i32),
                    Size::new(width + 2 * grow, height + 2 * grow),
                )
            };
            let (left, top) = (place.top_left.x, place.top_left.y);
            let right = left + place.size.width as i32;
            let bottom = top + place.size.height as i32;
            for x in [left, right - reach as i32] {
                for y in [top, bottom - thick as i32] {
                    self.on_target(stroke(x, y, reach, thick), colour)?;
                }
            }
            for x in [left, right - thick as i32] {
                for y in [top, bottom - reach as i32] {
                    self.on_target(stroke(x, y, thick, reach), colour)?;
                }
            }
        }
        Ok(())
    }

    fn face_progress(
        &mut self,
        area: Rectangle,
        place: Rectangle,
        part: f32,
    ) -> Result<(), D::Error> {
        let height = self.grid.px(1.0).max(2);
        let below = place.top_left.y + place.size.height as i32 + height as i32;
        let lowest = area.top_left.y + area.size.height as i32 - 2 * height as i32;
        let corner = Point::new(place.top_left.x, below.min(lowest));
        let bar = Rectangle::new(corner, Size::new(place.size.width, height));
        if bar.intersection(&area) != bar {
            return Ok(());
        }
        let part = if part.is_finite() {
            part.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let done = Size::new((bar.size.width as f32 * part) as u32, height);
        let marks = self.context.theme.marks;
        self.fill(bar, marks.rim)?;
        self.fill(Rectangle::new(corner, done), marks.comparing)
    }

    fn on_target(&mut self, area: Rectangle, colour: Rgb888) -> Result<(), D::Error> {
        let area = area.intersection(&self.target.bounding_box());
        self.fill(area, colour)
    }
}

/// Where a face lies on the screen; none where it lies outside or is no box at all.
fn mirrored(area: Rectangle, picture: &Picture, face: &FaceBox) -> Option<Rectangle> {
    let sides = [face.x, face.y, face.width, face.height];
    if sides.iter().any(|side| !side.is_finite()) {
        return None;
    }
    let scale = area.size.width as f32 / picture.width() as f32;
    let left = picture.width() as f32 - face.x - face.width;
    let corner = |x: f32, y: f32| {
        let x = (x * scale).clamp(0.0, area.size.width as f32);
        let y = (y * scale).clamp(0.0, area.size.height as f32);
        area.top_left + Point::new(x as i32, y as i32)
    };
    let (from, to) = (
        corner(left, face.y),
        corner(left + face.width, face.y + face.height),
    );
    let size = to - from;
    (size.x > 0 && size.y > 0)
        .then(|| Rectangle::new(from, Size::new(size.x as u32, size.y as u32)))
}

/// Maps pixels of the screen to positions between pixels of the picture, along one side.
struct Axis {
    step: i64,
    last: i64,
}

impl Axis {
    fn new(picture: u32, screen: u32) -> Self {
        let picture = i64::from(picture);
        Self {
            step: (picture << 16) / i64::from(screen.max(1)),
            last: picture - 1,
        }
    }

    /// The two picture pixels around a screen pixel's centre, and how far it lies towards the
    /// second, 0 to 256.
    fn at(&self, pixel: u32) -> (usize, usize, u32) {
        let centre = (i64::from(pixel) * self.step + self.step / 2 - (1 << 15)).max(0);
        let first = (centre >> 16).min(self.last);
        let second = (first + 1).min(self.last);
        let part = (centre & 0xFFFF) >> (16 - FRACTION_BITS);
        (first as usize, second as usize, part as u32)
    }
}

/// One line of the screen from the two lines of the picture around it.
fn scale_row(
    row: &mut Vec<Rgb888>,
    upper: &[u8],
    lower: &[u8],
    below: u32,
    across: &Axis,
    width: u32,
) {
    row.clear();
    row.extend((0..width).rev().map(|x| {
        let (left, right, beside) = across.at(x);
        let channel = |channel: usize| {
            let (left, right) = (left * 3 + channel, right * 3 + channel);
            let top = blend(upper[left], upper[right], beside);
            let bottom = blend(lower[left], lower[right], beside);
            let whole = (top << FRACTION_BITS) + (bottom * below) - (top * below);
            (whole >> (2 * FRACTION_BITS)) as u8
        };
        Rgb888::new(channel(0), channel(1), channel(2))
    }));
}

/// Between two values, with [`FRACTION_BITS`] more bits.
fn blend(one: u8, other: u8, part: u32) -> u32 {
    u32::from(one) * ((1 << FRACTION_BITS) - part) + u32::from(other) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32) -> Picture {
        Picture::new(width, height).unwrap()
    }

    #[test]
    fn a_picture_keeps_its_proportions() {
        let check = |sides: (u32, u32), expect: (i32, i32, u32, u32)| {
            let area = Rectangle::new(Point::zero(), Size::new(400, 400));
            let (x, y, width, height) = expect;
            assert_eq!(
                place(area, &picture(sides.0, sides.1)),
                Rectangle::new(Point::new(x, y), Size::new(width, height))
            );
        };
        check((640, 480), (0, 50, 400, 300));
        check((480, 640), (50, 0, 300, 400));
        check((1, 8192), (200, 0, 0, 400));
    }

    #[test]
    fn the_picture_is_mirrored() {
        let mut row = Vec::new();
        let line = [10, 0, 0, 20, 0, 0, 30, 0, 0];
        scale_row(&mut row, &line, &line, 0, &Axis::new(3, 3), 3);
        let reds: Vec<u8> = row.iter().map(|colour| colour.r()).collect();
        assert_eq!(reds, [30, 20, 10]);
        let area = Rectangle::new(Point::zero(), Size::new(200, 100));
        let face = FaceBox {
            x: 0.0,
            y: 10.0,
            width: 20.0,
            height: 20.0,
            state: FaceState::Seen,
        };
        let place = mirrored(area, &picture(100, 50), &face).unwrap();
        assert_eq!(place.top_left, Point::new(160, 20));
        assert_eq!(place.size, Size::new(40, 40));
    }

    #[test]
    fn a_box_that_is_none_is_not_drawn() {
        let area = Rectangle::new(Point::zero(), Size::new(200, 100));
        for (x, width) in [
            (f32::NAN, 5.0),
            (900.0, 5.0),
            (5.0, -5.0),
            (f32::INFINITY, 1.0),
        ] {
            let face = FaceBox {
                x,
                y: 1.0,
                width,
                height: 5.0,
                state: FaceState::Done,
            };
            assert_eq!(mirrored(area, &picture(100, 50), &face), None);
        }
    }

    #[test]
    fn scaling_interpolates_between_pixels() {
        let mut row = Vec::new();
        let line = [0, 0, 0, 200, 0, 0];
        scale_row(&mut row, &line, &line, 0, &Axis::new(2, 4), 4);
        let reds: Vec<u8> = row.iter().map(|colour| colour.r()).collect();
        assert_eq!(reds, [200, 150, 50, 0]);
    }
}
