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
    let stack = Stack::fitted(strip.inset(grid.margin(), grid.gap()), |stack, scale| {
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

/// The strip for IT staff: the cause at the left, the code at the right.
fn staff<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    foot: Rectangle,
    trouble: &Trouble,
    tone: Tone,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    painter.fill(foot, tone.panel)?;
    let (ink, muted) = (
        Ink::new(tone.ink, tone.panel),
        Ink::new(tone.muted, tone.panel),
    );
    let mut rest = foot.inset(grid.margin(), grid.gap());
    let code = rest.cut_right(rest.size.width * 2 / 5);
    rest.cut_right(grid.px(2.0));
    let label = wording::code_for_staff(trouble.kind.code());
    let stack = Stack::fitted(code, |stack, scale| {
        let body = Fit::scaled(grid.px(3.0), scale, 1);
        // A path may be longer than the strip is wide; its beginning says enough.
        let small = Fit::line(grid.px(2.5 * scale), grid.px(2.25 * scale));
        stack
            .text(painter, &label, Weight::Bold, body, ink)
            .shortened(painter, &trouble.detail, Weight::Regular, small, muted);
    });
    stack.draw(painter, Across::Right, Down::Middle)?;
    let cause = wording::cause(trouble.kind);
    let stack = Stack::fitted(rest, |stack, scale| {
        let body = Fit::scaled(grid.px(3.0), scale, 1);
        let small = Fit::scaled(grid.px(2.5), scale, 1);
        stack
            .text(painter, &cause.vi, Weight::Regular, body, ink)
            .text(painter, &cause.en, Weight::Regular, small, muted);
    });
    stack.draw(painter, Across::Left, Down::Middle)
}
