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
use crate::wording::{self, Notice};

pub(crate) fn idle<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    mut body: Rectangle,
    meeting: &MeetingInfo,
    count: Count,
    means: OtherMeans,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    let rows = if grid.portrait { 2.0 } else { 1.0 };
    let bar = body.cut_bottom(grid.px(20.0 * rows));
    ways_in(painter, bar, means)?;
    let mut main = body.inset(grid.margin(), grid.px(2.5));
    let card = if grid.portrait {
        let card = main.cut_bottom(grid.px(26.0));
        main.cut_bottom(grid.margin());
        card
    } else {
        let card = main.cut_right(grid.px(29.0));
        main.cut_right(grid.margin());
        card
    };
    present(painter, card, count)?;
    title(painter, main, meeting)
}

fn title<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    mut area: Rectangle,
    meeting: &MeetingInfo,
) -> Result<(), D::Error> {
    let (grid, tone) = (painter.grid, painter.context.theme.calm);
    let now = wording::meeting_now();
    let now = format!("{} · {}", now.vi, now.en);
    let accent = Ink::new(tone.accent, tone.ground);
    painter.text(
        area.cut_bottom(grid.px(6.5)),
        &wording::span(meeting),
        Weight::Bold,
        Fit::line(grid.px(4.75), grid.small()),
        accent,
        (Across::Left, Down::Bottom),
    )?;
    let stack = Stack::fitted(area, |stack, scale| {
        let small = Fit::line(grid.small(), grid.px(2.0));
        let title = Fit::scaled(grid.px(5.75), scale, 5);
        let (ink, muted) = (tone.ink, tone.muted);
        stack
            .text(
                painter,
                &now,
                Weight::Regular,
                small,
                Ink::new(muted, tone.ground),
            )
            .gap(grid.px(0.5))
            .text(
                painter,
                &meeting.title,
                Weight::Bold,
                title,
                Ink::new(ink, tone.ground),
            );
    });
    stack.draw(painter, Across::Left, Down::Top)
}

/// The card that counts who has come.
fn present<D: DrawTarget<Color = Rgb888>>(
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
    let label = format!("{} · {}", label.vi, label.en);
    let number = count.present.to_string();
    let (ink, muted) = (
        Ink::new(tone.ink, tone.panel),
        Ink::new(tone.muted, tone.panel),
    );
    let stack = Stack::fitted(inner, |stack, scale| {
        let small = Fit::scaled(grid.px(2.5), scale, 1);
        let large = Fit::line(grid.px(9.5 * scale), grid.px(4.0 * scale));
        let body = Fit::scaled(grid.px(3.0), scale, 1);
        stack
            .text(painter, &label, Weight::Regular, small, muted)
            .text(painter, &number, Weight::Bold, large, ink)
            .text(painter, &of.vi, Weight::Bold, body, ink)
            .text(painter, &of.en, Weight::Regular, small, muted);
    });
    stack.draw(painter, Across::Left, Down::Middle)
}

/// The bar that says how to be called: by face, and how else.
fn ways_in<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    bar: Rectangle,
    means: OtherMeans,
) -> Result<(), D::Error> {
    let (grid, theme) = (painter.grid, painter.context.theme);
    painter.fill(bar, theme.calm.panel)?;
    let mut second = bar.inset(grid.margin(), grid.px(1.5));
    let (width, height) = (second.size.width, second.size.height);
    let first = if grid.portrait {
        let first = second.cut_top(height / 2);
        second.cut_top(grid.gap());
        first
    } else {
        let first = second.cut_left(width * 9 / 20);
        let rule = second
            .cut_left(grid.px(4.0))
            .middle(Size::new(grid.px(0.25).max(1), height));
        painter.fill(rule, theme.rule)?;
        first
    };
    way_in(painter, first, Mark::Person, &wording::by_face())?;
    let mark = match means {
        OtherMeans::Secretary => Mark::Person,
        OtherMeans::InvitationOrSecretary => Mark::Code,
    };
    way_in(painter, second, mark, &wording::without_face(means))
}

fn way_in<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    mut area: Rectangle,
    mark: Mark,
    way: &Notice,
) -> Result<(), D::Error> {
    let (grid, tone) = (painter.grid, painter.context.theme.calm);
    let icon = area.cut_left(grid.px(7.0));
    painter.icon(icon, mark, tone, tone.panel)?;
    area.cut_left(grid.px(2.0));
    let (ink, muted) = (
        Ink::new(tone.ink, tone.panel),
        Ink::new(tone.muted, tone.panel),
    );
    let Notice { headline, body } = way;
    let stack = Stack::fitted(area, |stack, scale| {
        let head = Fit::scaled(grid.px(3.5), scale, 2);
        let sentence = Fit::scaled(grid.px(2.75), scale, 3);
        let small = Fit::scaled(grid.px(2.25), scale, 3);
        stack
            .text(painter, &headline.vi, Weight::Bold, head, ink)
            .text(painter, &body.vi, Weight::Regular, sentence, ink)
            .gap(grid.px(0.25))
            .text(painter, &headline.en, Weight::Regular, small, muted)
            .text(painter, &body.en, Weight::Regular, small, muted);
    });
    stack.draw(painter, Across::Left, Down::Middle)
}
