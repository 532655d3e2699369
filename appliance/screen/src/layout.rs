//! The grid: one unit from the size of the target, the type scale in units, and rectangles that
//! are cut from one another, so that nothing is placed by absolute numbers.

use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

/// Units across the short and the long side in landscape; 800×480 has units of 8 pixels.
const LANDSCAPE_UNITS: (f32, f32) = (100.0, 60.0);

/// Units across and down in portrait.
const PORTRAIT_UNITS: (f32, f32) = (72.0, 110.0);

/// What all sizes of one target derive from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Grid {
    unit: f32,
    /// Higher than wide.
    pub portrait: bool,
}

impl Grid {
    /// The grid of a target.
    pub fn of(target: Size) -> Self {
        let (width, height) = (target.width as f32, target.height as f32);
        let portrait = target.height > target.width;
        let (across, down) = if portrait {
            PORTRAIT_UNITS
        } else {
            LANDSCAPE_UNITS
        };
        Self {
            unit: (width / across).min(height / down),
            portrait,
        }
    }

    /// So many units, in whole pixels.
    pub fn px(&self, units: f32) -> u32 {
        (units * self.unit).round() as u32
    }

    /// Type size for one name that fills the screen.
    pub fn huge(&self) -> u32 {
        self.px(11.0)
    }

    /// Type size for headlines.
    pub fn display(&self) -> u32 {
        self.px(6.5)
    }

    /// Type size for titles.
    pub fn title(&self) -> u32 {
        self.px(5.25)
    }

    /// Type size for sentences to be read from where one stands.
    pub fn body(&self) -> u32 {
        self.px(4.0)
    }

    /// Type size for what stands beside.
    pub fn label(&self) -> u32 {
        self.px(3.25)
    }

    /// Type size for the English and for IT staff.
    pub fn small(&self) -> u32 {
        self.px(2.75)
    }

    /// Distance between things that belong together.
    pub fn gap(&self) -> u32 {
        self.px(1.0)
    }

    /// Distance between things that do not, and from the edge.
    pub fn margin(&self) -> u32 {
        self.px(3.0)
    }
}

/// Cutting rectangles. Cuts saturate: what is not there cannot be taken, so that a part is never
/// larger than the whole.
pub(crate) trait Cut: Sized {
    /// Takes a strip off the top.
    fn cut_top(&mut self, px: u32) -> Self;
    /// Takes a strip off the bottom.
    fn cut_bottom(&mut self, px: u32) -> Self;
    /// Takes a strip off the left.
    fn cut_left(&mut self, px: u32) -> Self;
    /// Takes a strip off the right.
    fn cut_right(&mut self, px: u32) -> Self;
    /// The rectangle without a rim.
    fn inset(&self, across: u32, down: u32) -> Self;
    /// A rectangle of a given size, or less, in the middle.
    fn middle(&self, size: Size) -> Self;
}

impl Cut for Rectangle {
    fn cut_top(&mut self, px: u32) -> Self {
        let px = px.min(self.size.height);
        let strip = Self::new(self.top_left, Size::new(self.size.width, px));
        self.top_left.y += px as i32;
        self.size.height -= px;
        strip
    }

    fn cut_bottom(&mut self, px: u32) -> Self {
        let px = px.min(self.size.height);
        self.size.height -= px;
        let top_left = self.top_left + Point::new(0, self.size.height as i32);
        Self::new(top_left, Size::new(self.size.width, px))
    }

    fn cut_left(&mut self, px: u32) -> Self {
        let px = px.min(self.size.width);
        let strip = Self::new(self.top_left, Size::new(px, self.size.height));
        self.top_left.x += px as i32;
        self.size.width -= px;
        strip
    }

    fn cut_right(&mut self, px: u32) -> Self {
        let px = px.min(self.size.width);
        self.size.width -= px;
        let top_left = self.top_left + Point::new(self.size.width as i32, 0);
        Self::new(top_left, Size::new(px, self.size.height))
    }

    fn inset(&self, across: u32, down: u32) -> Self {
        let mut inner = *self;
        inner.cut_left(across);
        inner.cut_right(across);
        inner.cut_top(down);
        inner.cut_bottom(down);
        inner
    }

    fn middle(&self, size: Size) -> Self {
        let size = size.component_min(self.size);
        let spare = self.size - size;
        let offset = Point::new(spare.width as i32 / 2, spare.height as i32 / 2);
        Self::new(self.top_left + offset, size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_never_take_more_than_there_is() {
        let whole = Rectangle::new(Point::new(3, 4), Size::new(10, 6));
        let mut rest = whole;
        assert_eq!(rest.cut_top(2).size, Size::new(10, 2));
        assert_eq!(rest.cut_right(4).top_left, Point::new(9, 6));
        assert_eq!(rest.cut_bottom(99).size, Size::new(6, 4));
        assert_eq!(rest.size, Size::new(6, 0));
        assert_eq!(whole.inset(9, 9).size, Size::zero());
        assert_eq!(
            whole.middle(Size::new(2, 2)).top_left,
            Point::new(3 + 4, 4 + 2)
        );
    }

    #[test]
    fn the_unit_follows_the_tighter_side() {
        assert_eq!(Grid::of(Size::new(800, 480)).px(1.0), 8);
        assert_eq!(Grid::of(Size::new(1280, 800)).px(10.0), 128);
        assert!(Grid::of(Size::new(720, 1280)).portrait);
        assert_eq!(Grid::of(Size::new(0, 0)).px(10.0), 0);
    }
}
