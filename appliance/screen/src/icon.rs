//! Icons drawn from distances, so that they are sharp at every size.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::layout::Cut;
use crate::paint::{Ink, Painter, mix};
use crate::theme::Tone;

/// What an icon says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Done.
    Tick,
    /// A person.
    Person,
    /// Something is wrong.
    Exclamation,
    /// Later, or waiting.
    Clock,
    /// Working.
    Dots,
    /// A code.
    Code,
}

impl<D: DrawTarget<Color = Rgb888>> Painter<'_, D> {
    /// A disc in the tone's accent with a mark on it, as large as fits in the middle of `area`.
    pub fn icon(
        &mut self,
        area: Rectangle,
        mark: Mark,
        tone: Tone,
        on: Rgb888,
    ) -> Result<(), D::Error> {
        let side = area.size.width.min(area.size.height);
        let area = area.middle(Size::new(side, side));
        let radius = side as f32 / 2.0;
        let cover = |distance: f32| ((0.5 - distance * radius).clamp(0.0, 1.0) * 255.0) as u32;
        let colours = (0..side).flat_map(|y| (0..side).map(move |x| (x, y)));
        let colours = colours.map(|(x, y)| {
            let (x, y) = (
                (x as f32 + 0.5) / radius - 1.0,
                (y as f32 + 0.5) / radius - 1.0,
            );
            let disc = mix(on, tone.accent, cover(x.hypot(y) - 1.0));
            mix(disc, tone.on_accent, cover(distance(mark, x, y)))
        });
        self.target.fill_contiguous(&area, colours)
    }

    /// A progress bar; `part` is held to 0 to 1.
    pub fn progress(
        &mut self,
        area: Rectangle,
        part: f32,
        full: Ink,
        empty: Rgb888,
    ) -> Result<(), D::Error> {
        let radius = area.size.height / 2;
        self.panel(area, radius, Ink::new(empty, full.on))?;
        let part = if part.is_finite() {
            part.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let width = (area.size.width as f32 * part).round() as u32;
        if width == 0 {
            return Ok(());
        }
        let width = width.max(area.size.height).min(area.size.width);
        let bar = Rectangle::new(area.top_left, Size::new(width, area.size.height));
        self.panel(bar, radius, Ink::new(full.ink, empty))
    }
}

/// Distance from a mark within a disc of radius 1, y downwards; below zero inside.
fn distance(mark: Mark, x: f32, y: f32) -> f32 {
    match mark {
        Mark::Tick => {
            let short = capsule((x, y), (-0.42, 0.04), (-0.12, 0.36), 0.105);
            short.min(capsule((x, y), (-0.12, 0.36), (0.46, -0.32), 0.105))
        }
        Mark::Person => {
            let head = (x.hypot(y + 0.27)) - 0.26;
            let shoulders = (x.hypot(y - 0.64) - 0.52).max(y - 0.5);
            head.min(shoulders)
        }
        Mark::Exclamation => {
            let stroke = capsule((x, y), (0.0, -0.5), (0.0, 0.12), 0.115);
            stroke.min(x.hypot(y - 0.47) - 0.14)
        }
        Mark::Clock => {
            let ring = (x.hypot(y) - 0.55).abs() - 0.075;
            let minute = capsule((x, y), (0.0, 0.0), (0.0, -0.36), 0.07);
            ring.min(minute)
                .min(capsule((x, y), (0.0, 0.0), (0.26, 0.14), 0.07))
        }
        Mark::Dots => {
            let dot = |at: f32| (x - at).hypot(y) - 0.14;
            dot(-0.45).min(dot(0.0)).min(dot(0.45))
        }
        Mark::Code => {
            let finder = |at: (f32, f32)| {
                let reach = (x - at.0).abs().max((y - at.1).abs());
                ((reach - 0.2).abs() - 0.055).min(reach - 0.075)
            };
            let module = |at: (f32, f32)| (x - at.0).abs().max((y - at.1).abs()) - 0.075;
            finder((-0.3, -0.3))
                .min(finder((0.3, -0.3)))
                .min(finder((-0.3, 0.3)))
                .min(module((0.16, 0.16)))
                .min(module((0.44, 0.16)))
                .min(module((0.3, 0.3)))
                .min(module((0.16, 0.44)))
                .min(module((0.44, 0.44)))
        }
    }
}

/// Distance from a line with round ends.
fn capsule(at: (f32, f32), from: (f32, f32), to: (f32, f32), radius: f32) -> f32 {
    let (along_x, along_y) = (to.0 - from.0, to.1 - from.1);
    let (x, y) = (at.0 - from.0, at.1 - from.1);
    let length = along_x * along_x + along_y * along_y;
    let part = ((x * along_x + y * along_y) / length).clamp(0.0, 1.0);
    (x - along_x * part).hypot(y - along_y * part) - radius
}
