//! Nobody stands before the camera: which meeting this is, who has come, what to do.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::stack::Stack;
use crate::font::Weight;
use crate::icon::Mark;
use crate::layout::Cut;
use crate::paint::{Across, Down, Ink, Painter};
use crate::text::Fit;
use crate::view::{Count, MeetingInfo, OtherMeans};
use crate::wording;

pub(crate) fn idle<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    mut body: Rectangle,
    meeting: &MeetingInfo,
    count: Count,
    means: OtherMeans,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    let bar = body.cut_bottom(grid.px(19.0));
    prompt(painter, bar, means)?;
    let mut main = body.inset(grid.margin(), grid.margin());
    let card = if grid.portrait {
        main.cut_bottom(grid.px(28.0))
    } else {
        main.cut_right(grid.px(30.0))
    };
    present(painter, card, count)?;
    if grid.portrait {
        main.cut_bottom(grid.margin());
    } else {
        main.cut_right(grid.margin());
    }
    title(painter, main, meeting)
}

fn title<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    area: Rectangle,
    meeting: &MeetingInfo,
) -> Result<(), D::Error> {
    let (grid, tone) = (painter.grid, painter.context.theme.calm);
    let now = wording::meeting_now();
    let mut above = area;
    let span = above.cut_bottom(grid.px(6.0));
    painter.text(
        span,
        &wording::span(meeting),
        Weight::Bold,
        Fit::line(grid.title(), grid.small()),
        Ink::new(tone.accent, tone.ground),
        (Across::Left, Down::Bottom),
    )?;
    let mut stack = Stack::new(above);
    stack
        .text(
            painter,
            &format!("{} · {}", now.vi, now.en),
            Weight::Regular,
            Fit::line(grid.small(), grid.px(2.0)),
            Ink::new(tone.muted, tone.ground),
        )
        .gap(grid.gap())
        .text(
            painter,
            &meeting.title,
            Weight::Bold,
            Fit::lines(grid.title(), grid.label(), 4),
            Ink::new(tone.ink, tone.ground),
        );
    stack.draw(painter, Across::Left, Down::Top)
}

/// The card that counts who has come.
pub(crate) fn present<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    card: Rectangle,
    count: Count,
) -> Result<(), D::Error> {
    let (grid, theme) = (painter.grid, painter.context.theme);
    let tone = theme.calm;
    painter.panel(card, grid.px(1.5), Ink::new(tone.panel, tone.ground))?;
    let mut inner = card.inset(grid.px(2.5), grid.px(2.0));
    let bar = inner.cut_bottom(grid.px(1.5));
    let part = count.present as f32 / count.expected.max(1) as f32;
    painter.progress(bar, part, Ink::new(tone.accent, tone.panel), theme.rule)?;
    inner.cut_bottom(grid.gap());
    let (label, of) = (wording::present(), wording::of_expected(count));
    let mut stack = Stack::new(inner);
    let muted = Ink::new(tone.muted, tone.panel);
    let small = Fit::line(grid.small(), grid.px(1.75));
    stack
        .text(
            painter,
            &format!("{} · {}", label.vi, label.en),
            Weight::Regular,
            small,
            muted,
        )
        .text(
            painter,
            &count.present.to_string(),
            Weight::Bold,
            Fit::line(grid.px(9.5), grid.body()),
            Ink::new(tone.ink, tone.panel),
        )
        .text(
            painter,
            &of.vi,
            Weight::Bold,
            Fit::line(grid.label(), grid.px(1.75)),
            Ink::new(tone.ink, tone.panel),
        )
        .text(painter, &of.en, Weight::Regular, small, muted);
    stack.draw(painter, Across::Left, Down::Middle)
}

fn prompt<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    bar: Rectangle,
    means: OtherMeans,
) -> Result<(), D::Error> {
    let (grid, tone) = (painter.grid, painter.context.theme.calm);
    painter.fill(bar, tone.panel)?;
    let mut inner = bar.inset(grid.margin(), grid.px(1.5));
    let icon = inner.cut_left(grid.px(9.0));
    painter.icon(icon, Mark::Person, tone, tone.panel)?;
    inner.cut_left(grid.px(2.5));
    let (look, other) = (wording::invitation_to_look(), wording::without_face(means));
    let mut stack = Stack::new(inner);
    let muted = Ink::new(tone.muted, tone.panel);
    stack
        .text(
            painter,
            &look.vi,
            Weight::Bold,
            Fit::line(grid.body(), grid.small()),
            Ink::new(tone.ink, tone.panel),
        )
        .text(
            painter,
            &look.en,
            Weight::Regular,
            Fit::line(grid.small(), grid.px(2.0)),
            muted,
        )
        .gap(grid.px(0.5))
        .text(
            painter,
            &other.vi,
            Weight::Regular,
            Fit::line(grid.small(), grid.px(2.0)),
            Ink::new(tone.accent, tone.panel),
        )
        .text(
            painter,
            &other.en,
            Weight::Regular,
            Fit::line(grid.px(2.25), grid.px(1.75)),
            muted,
        );
    stack.draw(painter, Across::Left, Down::Middle)
}
