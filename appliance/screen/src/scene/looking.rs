//! Somebody stands before the camera: they see themselves and what would help.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::stack::Stack;
use crate::font::Weight;
use crate::layout::Cut;
use crate::live;
use crate::paint::{Across, Down, Ink, Painter};
use crate::text::Fit;
use crate::view::{Count, Looking};
use crate::wording;

pub(crate) fn looking<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    looking: &Looking,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    let mut rest = body.inset(grid.px(2.0), grid.px(2.0));
    let frame = if grid.portrait {
        // A camera that stands upright like the screen gives an upright picture.
        let upright = looking
            .picture
            .as_ref()
            .is_some_and(|it| it.height() > it.width());
        let (width, most) = (rest.size.width, rest.size.height * 3 / 4);
        let height = if upright {
            width * 4 / 3
        } else {
            width * 3 / 4
        };
        let frame = rest.cut_top(height.min(most));
        rest.cut_top(grid.margin());
        frame
    } else {
        let width = (rest.size.height * 4 / 3).min(rest.size.width * 13 / 20);
        let frame = rest.cut_left(width);
        rest.cut_left(grid.margin());
        frame.middle(Size::new(width, width * 3 / 4))
    };
    picture(painter, frame, looking)?;
    if let Some(count) = looking.count {
        let strip = rest.cut_bottom(grid.px(8.0));
        counted(painter, strip, count)?;
    }
    hint(painter, rest, looking)
}

fn picture<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    frame: Rectangle,
    looking: &Looking,
) -> Result<(), D::Error> {
    let theme = painter.context.theme;
    let Some(picture) = &looking.picture else {
        return painter.fill(frame, theme.blank);
    };
    let place = live::place(frame, picture);
    if place != frame {
        painter.fill(frame, theme.blank)?;
    }
    painter.picture(place, picture)?;
    painter.faces(place, picture, &looking.faces)
}

fn hint<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    area: Rectangle,
    looking: &Looking,
) -> Result<(), D::Error> {
    let (grid, tone) = (painter.grid, painter.context.theme.calm);
    let hint = wording::hint(looking.hint);
    let stack = Stack::fitted(area, |stack, scale| {
        let title = Fit::scaled(grid.px(5.5), scale, 4);
        let label = Fit::scaled(grid.label(), scale, 3);
        let (ink, muted) = (tone.ink, tone.muted);
        stack
            .text(
                painter,
                &hint.vi,
                Weight::Bold,
                title,
                Ink::new(ink, tone.ground),
            )
            .gap(grid.gap())
            .text(
                painter,
                &hint.en,
                Weight::Regular,
                label,
                Ink::new(muted, tone.ground),
            );
    });
    stack.draw(painter, Across::Left, Down::Middle)
}

fn counted<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    area: Rectangle,
    count: Count,
) -> Result<(), D::Error> {
    let (grid, tone) = (painter.grid, painter.context.theme.calm);
    let label = wording::present();
    let label = format!("{} · {}", label.vi, label.en);
    let value = format!("{} / {}", count.present, count.expected);
    let stack = Stack::fitted(area, |stack, scale| {
        let small = Fit::scaled(grid.px(2.5), scale, 1);
        let body = Fit::scaled(grid.label(), scale, 1);
        let (muted, accent) = (tone.muted, tone.accent);
        stack
            .text(
                painter,
                &label,
                Weight::Regular,
                small,
                Ink::new(muted, tone.ground),
            )
            .text(
                painter,
                &value,
                Weight::Bold,
                body,
                Ink::new(accent, tone.ground),
            );
    });
    stack.draw(painter, Across::Left, Down::Bottom)
}
