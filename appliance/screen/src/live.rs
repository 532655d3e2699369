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
        let row_bytes = picture.width() as usize * 3;
        let line = |at: usize| &picture.rgb()[at * row_bytes..(at + 1) * row_bytes];
        let columns = positions(picture.width(), area.size.width);
        let strip = Size::new(area.size.width, 1);
        for (y, at) in positions(picture.height(), area.size.height).enumerate() {
            self.scratch
                .between(line(at.first), line(at.second), at.part);
            self.scratch.across(columns.clone());
            let strip = Rectangle::new(area.top_left + Point::new(0, y as i32), strip);
            let row = self.scratch.row.iter().copied();
            self.target.fill_contiguous(&strip, row)?;
        }
        Ok(())
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

/// Where a pixel of the screen lies between two of the picture, along one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    first: usize,
    second: usize,
    /// How far towards the second, 0 to 255 of 256.
    part: u16,
}

/// The positions of all pixels of a side of the screen, in order.
fn positions(picture: u32, screen: u32) -> impl DoubleEndedIterator<Item = Position> + Clone {
    let last = i64::from(picture) - 1;
    let step = (i64::from(picture) << 16) / i64::from(screen.max(1));
    (0..screen).map(move |pixel| {
        let centre = (i64::from(pixel) * step + step / 2 - (1 << 15)).max(0);
        let first = (centre >> 16).min(last);
        Position {
            first: first as usize,
            second: (first + 1).min(last) as usize,
            part: ((centre & 0xFFFF) >> (16 - FRACTION_BITS)) as u16,
        }
    })
}

/// Lines on their way from the picture to the screen, reused from one line to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// One line of the picture between two of its lines, with [`FRACTION_BITS`] more bits.
    line: Vec<u16>,
    /// One line of the screen.
    row: Vec<Rgb888>,
}

impl Scratch {
    /// Interpolates between two lines of the picture.
    fn between(&mut self, upper: &[u8], lower: &[u8], part: u16) {
        self.line.clear();
        let pairs = upper.iter().zip(lower);
        self.line.extend(pairs.map(|(upper, lower)| {
            // At most 255 × 256, which is within 16 bits.
            u16::from(*upper) * ((1 << FRACTION_BITS) - part) + u16::from(*lower) * part
        }));
    }

    /// Interpolates along the line, from right to left: a mirror.
    fn across(&mut self, columns: impl DoubleEndedIterator<Item = Position>) {
        let line = &self.line;
        self.row.clear();
        self.row.extend(columns.rev().map(|at| {
            let left = &line[at.first * 3..at.first * 3 + 3];
            let right = &line[at.second * 3..at.second * 3 + 3];
            let part = u32::from(at.part);
            let channel = |channel: usize| {
                let left = u32::from(left[channel]) * ((1 << FRACTION_BITS) - part);
                let sum = left + u32::from(right[channel]) * part;
                (sum >> (2 * FRACTION_BITS)) as u8
            };
            Rgb888::new(channel(0), channel(1), channel(2))
        }));
    }
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
        let line = [10, 0, 0, 20, 0, 0, 30, 0, 0];
        assert_eq!(reds(&line, &line, 0, 3), [30, 20, 10]);
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
        let (dark, light) = ([0, 0, 0, 200, 0, 0], [100, 0, 0, 200, 0, 0]);
        assert_eq!(reds(&dark, &dark, 0, 4), [200, 150, 50, 0]);
        assert_eq!(reds(&dark, &light, 128, 2), [200, 50]);
        assert_eq!(reds(&[255; 6], &[255; 6], 255, 5), [255; 5]);
    }

    #[test]
    fn every_pixel_of_the_picture_is_within_its_lines() {
        for (picture, screen) in [(1, 1), (1, 900), (640, 499), (640, 1), (8192, 3), (3, 8192)] {
            for at in positions(picture, screen) {
                assert!(
                    at.first <= at.second && at.second < picture as usize,
                    "{at:?}"
                );
            }
        }
    }

    /// The reds of a line of the screen so many pixels wide.
    fn reds(upper: &[u8], lower: &[u8], part: u16, width: u32) -> Vec<u8> {
        let mut scratch = Scratch::default();
        scratch.between(upper, lower, part);
        scratch.across(positions(upper.len() as u32 / 3, width));
        scratch.row.iter().map(|colour| colour.r()).collect()
    }
}
