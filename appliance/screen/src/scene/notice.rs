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
fn notice<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    tone: Tone,
    mark: Mark,
    notice: &Notice,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    let mut rest = body.inset(grid.px(4.0), grid.margin());
    let icon = if grid.portrait {
        rest.cut_top(grid.px(20.0))
    } else {
        rest.cut_left(grid.px(15.0))
    };
    painter.icon(icon, mark, tone, tone.ground)?;
    if grid.portrait {
        rest.cut_top(grid.margin());
    } else {
        rest.cut_left(grid.px(4.0));
    }
    let ink = Ink::new(tone.ink, tone.ground);
    let muted = Ink::new(tone.muted, tone.ground);
    let mut stack = Stack::new(rest);
    stack
        .text(
            painter,
            &notice.headline.vi,
            Weight::Bold,
            Fit::lines(grid.display(), grid.body(), 3),
            Ink::new(tone.accent, tone.ground),
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
            Weight::Regular,
            Fit::lines(grid.body(), grid.px(2.5), 4),
            ink,
        )
        .gap(grid.gap())
        .text(
            painter,
            &notice.body.en,
            Weight::Regular,
            Fit::lines(grid.small(), grid.px(2.0), 3),
            muted,
        );
    let across = if grid.portrait {
        Across::Centre
    } else {
        Across::Left
    };
    stack.draw(painter, across, Down::Middle)
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
    let mut rest = body.inset(grid.px(4.0), grid.margin());
    if let Some(info) = info {
        let height = rest.size.height / 2;
        let card = rest.cut_bottom(height);
        painter.panel(card, grid.px(1.5), Ink::new(tone.panel, tone.ground))?;
        let inner = card.inset(grid.margin(), grid.px(1.5));
        let mut stack = Stack::new(inner);
        let value = match count {
            Some(count) => format!("{} / {}", count.present, count.expected),
            None => wording::span(info),
        };
        stack
            .text(
                painter,
                &format!("{} · {}", label.vi, label.en),
                Weight::Regular,
                Fit::line(grid.small(), grid.px(2.0)),
                Ink::new(tone.muted, tone.panel),
            )
            .text(
                painter,
                &value,
                Weight::Bold,
                Fit::line(grid.title(), grid.small()),
                Ink::new(tone.accent, tone.panel),
            )
            .gap(grid.px(0.5))
            .text(
                painter,
                &info.title,
                Weight::Bold,
                Fit::lines(grid.body(), grid.small(), 2),
                Ink::new(tone.ink, tone.panel),
            );
        stack.draw(painter, Across::Left, Down::Middle)?;
        rest.cut_bottom(grid.margin());
    }
    let mut stack = Stack::new(rest);
    stack
        .text(
            painter,
            &headline.vi,
            Weight::Bold,
            Fit::lines(grid.display(), grid.body(), 3),
            Ink::new(tone.ink, tone.ground),
        )
        .gap(grid.px(0.5))
        .text(
            painter,
            &headline.en,
            Weight::Regular,
            Fit::lines(grid.label(), grid.px(2.0), 2),
            Ink::new(tone.muted, tone.ground),
        );
    stack.draw(painter, Across::Left, Down::Middle)
}
