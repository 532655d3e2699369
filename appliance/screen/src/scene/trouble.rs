//! The door cannot do its work: where to go instead, whether anything is recorded, and a code for
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
    let notice = wording::trouble(trouble.kind);
    let foot = body.cut_bottom(grid.px(11.0));
    staff(painter, foot, trouble, tone)?;
    let mut rest = body.inset(grid.px(4.0), grid.px(2.0));
    let icon = rest.cut_left(grid.px(14.0));
    painter.icon(icon, Mark::Exclamation, tone, tone.ground)?;
    rest.cut_left(grid.px(4.0));
    let mut stack = Stack::new(rest);
    let muted = Ink::new(tone.muted, tone.ground);
    stack
        .text(
            painter,
            &notice.headline.vi,
            Weight::Bold,
            Fit::lines(grid.display(), grid.body(), 3),
            Ink::new(tone.ink, tone.ground),
        )
        .text(
            painter,
            &notice.headline.en,
            Weight::Regular,
            Fit::lines(grid.label(), grid.px(2.0), 2),
            muted,
        )
        .gap(grid.px(2.5))
        .text(
            painter,
            &notice.body.vi,
            Weight::Bold,
            Fit::lines(grid.body(), grid.px(2.5), 2),
            Ink::new(tone.accent, tone.ground),
        )
        .text(
            painter,
            &notice.body.en,
            Weight::Regular,
            Fit::lines(grid.small(), grid.px(2.0), 2),
            muted,
        );
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
    let mut stack = Stack::new(foot.inset(grid.px(4.0), grid.gap()));
    stack
        .text(
            painter,
            &format!("{} · {}", cause.vi, cause.en),
            Weight::Regular,
            Fit::line(grid.small(), grid.px(2.0)),
            Ink::new(tone.ink, tone.panel),
        )
        .text(
            painter,
            &wording::code_for_staff(trouble.kind.code(), &trouble.detail),
            Weight::Regular,
            Fit::line(grid.small(), grid.px(2.0)),
            Ink::new(tone.muted, tone.panel),
        );
    stack.draw(painter, Across::Left, Down::Middle)
}
