//! The door cannot do its work: whether anything is recorded, where to go instead, and a code for
//! those who repair it.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::stack::Stack;
use crate::font::Weight;
use crate::icon::Mark;
use crate::layout::Cut;
use crate::paint::{Across, Down, Ink, Painter};
use crate::text::Fit;
use crate::theme::Tone;
use crate::view::Trouble;
use crate::wording;

pub(crate) fn trouble<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    mut body: Rectangle,
    trouble: &Trouble,
    tone: Tone,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    if !trouble.kind.records() {
        not_recorded(painter, body.cut_top(grid.px(10.5)), tone)?;
    }
    let foot = body.cut_bottom(grid.px(9.5));
    staff(painter, foot, trouble, tone)?;
    let notice = wording::trouble(trouble.kind);
    super::notice::notice(painter, body, tone, Mark::Exclamation, &notice)
}

/// The strip that nobody overlooks.
fn not_recorded<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    strip: Rectangle,
    tone: Tone,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    painter.fill(strip, tone.accent)?;
    let text = wording::not_recording();
    let ink = Ink::new(tone.on_accent, tone.accent);
    let stack = Stack::fitted(strip.inset(grid.px(4.0), grid.gap()), |stack, scale| {
        let body = Fit::scaled(grid.body(), scale, 1);
        let small = Fit::scaled(grid.small(), scale, 1);
        stack.text(painter, &text.vi, Weight::Bold, body, ink).text(
            painter,
            &text.en,
            Weight::Regular,
            small,
            ink,
        );
    });
    stack.draw(painter, Across::Left, Down::Middle)
}

/// The strip for IT staff.
fn staff<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    foot: Rectangle,
    trouble: &Trouble,
    tone: Tone,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    painter.fill(foot, tone.panel)?;
    let cause = wording::cause(trouble.kind);
    let cause = format!("{} · {}", cause.vi, cause.en);
    let code = wording::code_for_staff(trouble.kind.code(), &trouble.detail);
    let stack = Stack::fitted(foot.inset(grid.px(4.0), grid.gap()), |stack, scale| {
        let small = Fit::scaled(grid.small(), scale, 1);
        let (ink, muted) = (tone.ink, tone.muted);
        stack
            .text(
                painter,
                &cause,
                Weight::Regular,
                small,
                Ink::new(ink, tone.panel),
            )
            .text(
                painter,
                &code,
                Weight::Regular,
                small,
                Ink::new(muted, tone.panel),
            );
    });
    stack.draw(painter, Across::Left, Down::Middle)
}
