//! Texts under one another, laid out first and drawn together, so that the whole can be centred and
//! shrinks as a whole: sizes keep their proportion and nothing is left out while there is a way.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::font::Weight;
use crate::layout::Cut;
use crate::paint::{Across, Down, Ink, Painter};
use crate::text::{Block, Fit};

/// Scales tried one after the other, until everything fits.
const SCALES: [f32; 10] = [1.0, 0.93, 0.87, 0.81, 0.75, 0.69, 0.63, 0.57, 0.51, 0.45];

/// A pile of texts within one area.
pub(crate) struct Stack {
    area: Rectangle,
    blocks: Vec<(u32, Block, Ink)>,
    height: u32,
    gap: u32,
    complete: bool,
}

impl Stack {
    pub fn new(area: Rectangle) -> Self {
        Self {
            area,
            blocks: Vec::new(),
            height: 0,
            gap: 0,
            complete: true,
        }
    }

    /// The pile that `build` makes at the largest scale at which nothing is cut.
    pub fn fitted(area: Rectangle, build: impl Fn(&mut Self, f32)) -> Self {
        let mut stack = Self::new(area);
        for scale in SCALES {
            stack = Self::new(area);
            build(&mut stack, scale);
            if stack.complete {
                break;
            }
        }
        stack
    }

    /// Leaves space before the next text; none is left before a text that turns out empty.
    pub fn gap(&mut self, px: u32) -> &mut Self {
        self.gap += px;
        self
    }

    /// Adds a text, made to fit into the height that is left.
    pub fn text<D: DrawTarget<Color = Rgb888>>(
        &mut self,
        painter: &Painter<D>,
        text: &str,
        weight: Weight,
        rule: Fit,
        ink: Ink,
    ) -> &mut Self {
        let gap = if self.height == 0 { 0 } else { self.gap };
        let left = self.area.size.height.saturating_sub(self.height + gap);
        let room = Size::new(self.area.size.width, left);
        let block = painter.fit(text, weight, room, rule);
        self.block(block, ink)
    }

    /// Adds a block that is laid out already.
    pub fn block(&mut self, block: Block, ink: Ink) -> &mut Self {
        let gap = if self.height == 0 { 0 } else { self.gap };
        self.complete &= !block.cut;
        if block.lines.is_empty() {
            self.blocks.push((0, block, ink));
        } else {
            self.height += gap + block.height();
            self.blocks.push((gap, block, ink));
            self.gap = 0;
        }
        self
    }

    /// Adds a text of which the beginning says enough: the pile counts as complete without its end.
    pub fn shortened<D: DrawTarget<Color = Rgb888>>(
        &mut self,
        painter: &Painter<D>,
        text: &str,
        weight: Weight,
        rule: Fit,
        ink: Ink,
    ) -> &mut Self {
        let complete = self.complete;
        self.text(painter, text, weight, rule, ink);
        self.complete = complete;
        if let Some((_, block, _)) = self.blocks.last_mut() {
            block.cut = false;
        }
        self
    }

    /// Height of all texts and gaps in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Draws the pile within its own area.
    pub fn draw<D: DrawTarget<Color = Rgb888>>(
        &self,
        painter: &mut Painter<D>,
        across: Across,
        down: Down,
    ) -> Result<(), D::Error> {
        self.draw_in(self.area, painter, across, down)
    }

    /// Draws the pile within an area of the same width.
    pub fn draw_in<D: DrawTarget<Color = Rgb888>>(
        &self,
        area: Rectangle,
        painter: &mut Painter<D>,
        across: Across,
        down: Down,
    ) -> Result<(), D::Error> {
        let mut rest = area;
        let spare = area.size.height.saturating_sub(self.height);
        rest.cut_top(match down {
            Down::Top => 0,
            Down::Middle => spare / 2,
            Down::Bottom => spare,
        });
        for (gap, block, ink) in &self.blocks {
            rest.cut_top(*gap);
            let place = rest.cut_top(block.height());
            painter.block(place, block, *ink, (across, Down::Top))?;
        }
        Ok(())
    }
}
