//! What is said in a headline and a sentence: no meeting, before and after it, and the way on for
//! people who were not called.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use vocabulary::RefusalReason;

use super::stack::Stack;
use crate::font::Weight;
use crate::icon::Mark;
use crate::layout::Cut;
use crate::paint::{Across, Down, Ink, Painter};
use crate::text::Fit;
use crate::theme::Tone;
use crate::view::{Count, MeetingInfo, OtherMeans, TimeOfDay};
use crate::wording::{self, Both, Notice};

pub(crate) fn starting<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
) -> Result<(), D::Error> {
    let tone = painter.context.theme.calm;
    notice(painter, body, tone, Mark::Dots, &wording::starting())
}

pub(crate) fn refused<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    reason: RefusalReason,
    means: OtherMeans,
) -> Result<(), D::Error> {
    let tone = painter.context.theme.ask;
    let mark = match (reason, means) {
        (RefusalReason::Ambiguous | RefusalReason::SuspectedAttack, _)
            if means == OtherMeans::InvitationOrSecretary =>
        {
            Mark::Code
        }
        (
            RefusalReason::NotOnRoster
            | RefusalReason::Ambiguous
            | RefusalReason::SuspectedAttack
            | RefusalReason::InvalidCredential,
            OtherMeans::Secretary | OtherMeans::InvitationOrSecretary,
        ) => Mark::Person,
    };
    notice(painter, body, tone, mark, &wording::refused(reason, means))
}

pub(crate) fn no_meeting<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    next: Option<&MeetingInfo>,
) -> Result<(), D::Error> {
    let headline = wording::no_meeting();
    meeting(
        painter,
        body,
        &headline,
        None,
        next,
        &wording::next_meeting(),
    )
}

pub(crate) fn before<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    info: &MeetingInfo,
    opens_at: TimeOfDay,
) -> Result<(), D::Error> {
    let headline = wording::opens(opens_at);
    meeting(
        painter,
        body,
        &headline,
        None,
        Some(info),
        &wording::upcoming(),
    )
}

pub(crate) fn after<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    info: &MeetingInfo,
    count: Count,
) -> Result<(), D::Error> {
    let headline = wording::over();
    let label = wording::present();
    meeting(painter, body, &headline, Some(count), Some(info), &label)
}

/// An icon, a headline and a sentence, all centred down.
pub(crate) fn notice<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    tone: Tone,
    mark: Mark,
    notice: &Notice,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    let mut rest = body.inset(grid.margin(), grid.px(2.0));
    let icon = if grid.portrait {
        rest = rest.middle(Size::new(rest.size.width, grid.px(72.0)));
        rest.cut_top(grid.px(16.0)).cut_left(grid.px(16.0))
    } else {
        rest.cut_left(grid.px(14.0))
    };
    painter.icon(icon, mark, tone, tone.ground)?;
    if grid.portrait {
        rest.cut_top(grid.margin());
    } else {
        rest.cut_left(grid.px(4.0));
    }
    let ink = Ink::new(tone.ink, tone.ground);
    let muted = Ink::new(tone.muted, tone.ground);
    // A strip in the accent already says that something is wrong; the way on stands out by itself.
    let headline_ink = if tone == painter.context.theme.alert {
        ink
    } else {
        Ink::new(tone.accent, tone.ground)
    };
    let Notice { headline, body } = notice;
    let stack = Stack::fitted(rest, |stack, scale| {
        let display = Fit::scaled(grid.display(), scale, 2);
        let label = Fit::scaled(grid.label(), scale, 2);
        let sentence = Fit::scaled(grid.body(), scale, 4);
        let small = Fit::scaled(grid.small(), scale, 3);
        stack
            .text(painter, &headline.vi, Weight::Bold, display, headline_ink)
            .text(painter, &headline.en, Weight::Regular, label, muted)
            .gap(grid.px(2.0))
            .text(painter, &body.vi, Weight::Regular, sentence, ink)
            .gap(grid.px(0.5))
            .text(painter, &body.en, Weight::Regular, small, muted);
    });
    let down = if grid.portrait {
        Down::Top
    } else {
        Down::Middle
    };
    stack.draw(painter, Across::Left, down)
}

/// A headline, and a meeting beneath it.
fn meeting<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    headline: &Both,
    count: Option<Count>,
    info: Option<&MeetingInfo>,
    label: &Both,
) -> Result<(), D::Error> {
    let (grid, tone) = (painter.grid, painter.context.theme.calm);
    let mut rest = body.inset(grid.margin(), grid.margin());
    if let Some(info) = info {
        let height = (rest.size.height / 2).min(grid.px(26.0));
        let card = rest.cut_bottom(height);
        meeting_card(painter, card, count, info, label)?;
        rest.cut_bottom(grid.margin());
    }
    let stack = Stack::fitted(rest, |stack, scale| {
        let display = Fit::scaled(grid.display(), scale, 2);
        let label = Fit::scaled(grid.label(), scale, 2);
        let (ink, muted) = (tone.ink, tone.muted);
        stack
            .text(
                painter,
                &headline.vi,
                Weight::Bold,
                display,
                Ink::new(ink, tone.ground),
            )
            .gap(grid.px(0.5))
            .text(
                painter,
                &headline.en,
                Weight::Regular,
                label,
                Ink::new(muted, tone.ground),
            );
    });
    stack.draw(painter, Across::Left, Down::Middle)
}

fn meeting_card<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    card: Rectangle,
    count: Option<Count>,
    info: &MeetingInfo,
    label: &Both,
) -> Result<(), D::Error> {
    let (grid, tone) = (painter.grid, painter.context.theme.calm);
    painter.panel(card, grid.px(1.5), Ink::new(tone.panel, tone.ground))?;
    let value = match count {
        Some(count) => format!("{} / {}", count.present, count.expected),
        None => wording::span(info),
    };
    let label = format!("{} · {}", label.vi, label.en);
    let inner = card.inset(grid.margin(), grid.px(1.5));
    let stack = Stack::fitted(inner, |stack, scale| {
        let small = Fit::scaled(grid.small(), scale, 1);
        let title = Fit::scaled(grid.title(), scale, 1);
        let body = Fit::scaled(grid.body(), scale, 3);
        stack
            .text(
                painter,
                &label,
                Weight::Regular,
                small,
                Ink::new(tone.muted, tone.panel),
            )
            .text(
                painter,
                &value,
                Weight::Bold,
                title,
                Ink::new(tone.accent, tone.panel),
            )
            .gap(grid.px(0.5))
            .text(
                painter,
                &info.title,
                Weight::Bold,
                body,
                Ink::new(tone.ink, tone.panel),
            );
    });
    stack.draw(painter, Across::Left, Down::Middle)
}
