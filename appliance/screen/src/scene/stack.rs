//! Texts under one another, laid out first and drawn together, so that the whole can be centred.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::font::Weight;
use crate::layout::Cut;
use crate::paint::{Across, Down, Ink, Painter};
use crate::text::{Block, Fit};

/// A pile of texts within one area.
pub(crate) struct Stack {
    area: Rectangle,
    blocks: Vec<(u32, Block, Ink)>,
    height: u32,
    gap: u32,
}

impl Stack {
    pub fn new(area: Rectangle) -> Self {
        Self {
            area,
            blocks: Vec::new(),
            height: 0,
            gap: 0,
        }
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
        let gap = if self.blocks.is_empty() { 0 } else { self.gap };
        let left = self.area.size.height.saturating_sub(self.height + gap);
        let room = Size::new(self.area.size.width, left);
        let block = painter.fit(text, weight, room, rule);
        if !block.lines.is_empty() {
            self.height += gap + block.height();
            self.blocks.push((gap, block, ink));
            self.gap = 0;
        }
        self
    }

    pub fn draw<D: DrawTarget<Color = Rgb888>>(
        &self,
        painter: &mut Painter<D>,
        across: Across,
        down: Down,
    ) -> Result<(), D::Error> {
        let mut rest = self.area;
        let spare = self.area.size.height.saturating_sub(self.height);
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
