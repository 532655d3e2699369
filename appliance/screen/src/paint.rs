//! The painter: anti-aliased text and shapes on any target.
//!
//! A target cannot be read, so every edge is blended against the colour that the caller knows to
//! lie beneath. Nothing is drawn outside the area that the caller names.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::Context;
use crate::font::{Fonts, Weight};
use crate::layout::Grid;
use crate::live::Scratch;
use crate::text::{self, Block, Fit};

/// Where a block stands within its area, across.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Across {
    Left,
    Right,
}

/// Where a block stands within its area, down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Down {
    Top,
    Middle,
    Bottom,
}

/// A colour on a known colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ink {
    pub ink: Rgb888,
    pub on: Rgb888,
}

impl Ink {
    pub fn new(ink: Rgb888, on: Rgb888) -> Self {
        Self { ink, on }
    }
}

/// Draws on a target with the fonts and colours of a context.
pub(crate) struct Painter<'a, D> {
    pub target: &'a mut D,
    pub context: &'a Context,
    pub grid: Grid,
    /// The lines written so far.
    #[cfg(test)]
    pub said: Vec<String>,
    /// How many texts so far did not fit as a whole.
    #[cfg(test)]
    pub cut: usize,
    coverage: Vec<u8>,
    pub scratch: Scratch,
}

impl<'a, D: DrawTarget<Color = Rgb888>> Painter<'a, D> {
    pub fn new(target: &'a mut D, context: &'a Context) -> Self {
        let grid = Grid::of(target.bounding_box().size);
        Self {
            target,
            context,
            grid,
            #[cfg(test)]
            said: Vec::new(),
            #[cfg(test)]
            cut: 0,
            coverage: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    pub fn fonts(&self) -> &'a Fonts {
        &self.context.fonts
    }

    pub fn fill(&mut self, area: Rectangle, colour: Rgb888) -> Result<(), D::Error> {
        self.target.fill_solid(&area, colour)
    }

    /// Lays a text out for a room.
    pub fn fit(&self, text: &str, weight: Weight, room: Size, rule: Fit) -> Block {
        text::fit(self.fonts(), text, weight, room, rule)
    }

    /// Lays a text out for an area and draws it there; answers with its height in pixels.
    pub fn text(
        &mut self,
        area: Rectangle,
        text: &str,
        weight: Weight,
        rule: Fit,
        ink: Ink,
        at: (Across, Down),
    ) -> Result<u32, D::Error> {
        let block = self.fit(text, weight, area.size, rule);
        self.block(area, &block, ink, at)?;
        Ok(block.height())
    }

    /// Draws a block that was laid out for this area or a smaller one.
    pub fn block(
        &mut self,
        area: Rectangle,
        block: &Block,
        ink: Ink,
        (across, down): (Across, Down),
    ) -> Result<(), D::Error> {
        #[cfg(test)]
        {
            self.said.extend_from_slice(&block.lines);
            self.cut += usize::from(block.cut);
        }
        let spare = area.size.height as i32 - block.height() as i32;
        let top = area.top_left.y
            + match down {
                Down::Top => 0,
                Down::Middle => spare / 2,
                Down::Bottom => spare,
            };
        for (index, line) in block.lines.iter().enumerate() {
            let width = text::width(self.fonts(), line, block.weight, block.px);
            let spare = area.size.width as i32 - width as i32;
            let left = area.top_left.x
                + match across {
                    Across::Left => 0,
                    Across::Right => spare,
                };
            let pen = Point::new(left, top + block.baseline(index));
            self.line(pen, line, (block.weight, block.px), ink, area)?;
        }
        Ok(())
    }

    /// One line from the pen to the right. Only the ink's own rectangle is written.
    fn line(
        &mut self,
        pen: Point,
        line: &str,
        (weight, px): (Weight, u32),
        ink: Ink,
        clip: Rectangle,
    ) -> Result<(), D::Error> {
        let fonts = self.fonts();
        let clip = clip.intersection(&self.target.bounding_box());
        let glyphs = || {
            line.chars().scan(0.0_f32, move |at, letter| {
                let left = pen.x + at.round() as i32;
                *at += fonts.advance(letter, weight, px);
                Some((letter, Point::new(left, pen.y)))
            })
        };
        let mut bounds = Rectangle::zero();
        for (letter, at) in glyphs() {
            let glyph = fonts.with_glyph(letter, weight, px, |glyph| glyph.area(at));
            bounds = envelope(bounds, glyph);
        }
        let bounds = bounds.intersection(&clip);
        if bounds.is_zero_sized() {
            return Ok(());
        }
        let (width, height) = (bounds.size.width as usize, bounds.size.height as usize);
        self.coverage.clear();
        self.coverage.resize(width * height, 0);
        for (letter, at) in glyphs() {
            fonts.with_glyph(letter, weight, px, |glyph| {
                glyph.add_to(&mut self.coverage, bounds, at);
            });
        }
        let shades = shades(ink);
        let colours = self
            .coverage
            .iter()
            .map(|cover| shades[usize::from(*cover)]);
        self.target.fill_contiguous(&bounds, colours)
    }

    /// Fills an area by a distance: below zero inside, above outside, in pixels, at coordinates
    /// from the area's upper left corner. What is outside becomes the colour beneath.
    pub fn shape(
        &mut self,
        area: Rectangle,
        ink: Ink,
        distance: impl Fn(f32, f32) -> f32,
    ) -> Result<(), D::Error> {
        let shades = shades(ink);
        let (width, height) = (area.size.width, area.size.height);
        let colours = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let colours = colours.map(|(x, y)| {
            let cover = 0.5 - distance(x as f32 + 0.5, y as f32 + 0.5);
            shades[(cover.clamp(0.0, 1.0) * 255.0) as usize]
        });
        self.target.fill_contiguous(&area, colours)
    }

    /// A filled rectangle with round corners.
    pub fn panel(&mut self, area: Rectangle, radius: u32, ink: Ink) -> Result<(), D::Error> {
        let radius = radius.min(area.size.width / 2).min(area.size.height / 2);
        let side = Size::new(radius, radius);
        let (left, top) = (area.top_left.x, area.top_left.y);
        let right = left + area.size.width as i32 - radius as i32;
        let bottom = top + area.size.height as i32 - radius as i32;
        let reach = radius as f32;
        let corners = [
            (left, top, reach, reach),
            (right, top, 0.0, reach),
            (left, bottom, reach, 0.0),
            (right, bottom, 0.0, 0.0),
        ];
        for (x, y, centre_x, centre_y) in corners {
            let corner = Rectangle::new(Point::new(x, y), side);
            self.shape(corner, ink, |x, y| {
                (x - centre_x).hypot(y - centre_y) - reach
            })?;
        }
        let inner = area.size.width - 2 * radius;
        let centre = Rectangle::new(
            Point::new(left + radius as i32, top),
            Size::new(inner, area.size.height),
        );
        self.fill(centre, ink.ink)?;
        let flank = Size::new(radius, area.size.height - 2 * radius);
        for x in [left, right] {
            let flank = Rectangle::new(Point::new(x, top + radius as i32), flank);
            self.fill(flank, ink.ink)?;
        }
        Ok(())
    }
}

impl crate::font::Glyph {
    /// Where the glyph's coverage lies when the pen is at a point on the baseline.
    fn area(&self, pen: Point) -> Rectangle {
        let height = self.coverage.len().checked_div(self.width).unwrap_or(0);
        Rectangle::new(
            pen + Point::new(self.left, -self.top),
            Size::new(self.width as u32, height as u32),
        )
    }

    /// Adds the coverage to that of a line whose pixels are those of `bounds`.
    fn add_to(&self, coverage: &mut [u8], bounds: Rectangle, pen: Point) {
        let area = self.area(pen);
        let shared = area.intersection(&bounds);
        let columns = shared.columns();
        for y in shared.rows() {
            let from = (y - area.top_left.y) as usize * self.width;
            let to = (y - bounds.top_left.y) as usize * bounds.size.width as usize;
            for x in columns.clone() {
                let cover = self.coverage[from + (x - area.top_left.x) as usize];
                let sum = &mut coverage[to + (x - bounds.top_left.x) as usize];
                *sum = sum.saturating_add(cover);
            }
        }
    }
}

/// The smallest rectangle around both; an empty one counts for nothing.
fn envelope(one: Rectangle, other: Rectangle) -> Rectangle {
    match (one.bottom_right(), other.bottom_right()) {
        (None, _) => other,
        (_, None) => one,
        (Some(one_end), Some(other_end)) => Rectangle::with_corners(
            one.top_left.component_min(other.top_left),
            one_end.component_max(other_end),
        ),
    }
}

/// A colour on another, by coverage 0 to 255.
pub(crate) fn shades(ink: Ink) -> [Rgb888; 256] {
    std::array::from_fn(|cover| mix(ink.on, ink.ink, cover as u32))
}

/// From one colour to another, `cover` 0 to 255.
pub(crate) fn mix(from: Rgb888, to: Rgb888, cover: u32) -> Rgb888 {
    let channel = |from: u8, to: u8| {
        let (from, to) = (u32::from(from), u32::from(to));
        ((from * (255 - cover) + to * cover + 127) / 255) as u8
    };
    Rgb888::new(
        channel(from.r(), to.r()),
        channel(from.g(), to.g()),
        channel(from.b(), to.b()),
    )
}
