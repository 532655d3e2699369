//! The scenes: each a function from its part of the view to pixels.

mod idle;
mod looking;
mod notice;
mod stack;
#[cfg(test)]
mod tests;
mod trouble;
mod welcome;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use crate::font::Weight;
use crate::layout::Cut;
use crate::paint::{Across, Down, Ink, Painter};
use crate::text::Fit;
use crate::theme::{Theme, Tone};
use crate::view::{Note, Scene, View};
use crate::wording;

/// Draws a view on a target that is not empty.
pub(crate) fn paint<D>(view: &View, painter: &mut Painter<D>) -> Result<(), D::Error>
where
    D: DrawTarget<Color = Rgb888>,
{
    let tone = tone(&view.scene, &painter.context.theme);
    let mut body = painter.target.bounding_box();
    painter.fill(body, tone.ground)?;
    let bar = body.cut_top(painter.grid.px(7.0));
    header(painter, bar, view, tone)?;
    if let Some(note) = view.note.as_ref().filter(|_| bears_note(&view.scene)) {
        let strip = body.cut_bottom(painter.grid.px(7.5));
        foot(painter, strip, note, tone)?;
    }
    match &view.scene {
        Scene::Idle { meeting, count } => {
            idle::idle(painter, body, meeting, *count, view.other_means)
        }
        Scene::Looking(looking) => looking::looking(painter, body, looking),
        Scene::Welcome(welcomes) => match welcomes.as_slice() {
            [one] => welcome::one(painter, body, one, tone),
            several => welcome::several(painter, body, several, tone),
        },
        Scene::AlreadyCalled { person, first_at } => {
            welcome::again(painter, body, person, *first_at, tone)
        }
        Scene::Starting => notice::starting(painter, body),
        Scene::NoMeeting { next } => notice::no_meeting(painter, body, next.as_ref()),
        Scene::BeforeMeeting { meeting, opens_at } => {
            notice::before(painter, body, meeting, *opens_at)
        }
        Scene::AfterMeeting { meeting, count } => notice::after(painter, body, meeting, *count),
        Scene::Refused(reason) => notice::refused(painter, body, *reason, view.other_means),
        Scene::Trouble(trouble) => trouble::trouble(painter, body, trouble, tone),
    }
}

fn tone(scene: &Scene, theme: &Theme) -> Tone {
    match scene {
        Scene::Starting
        | Scene::NoMeeting { .. }
        | Scene::BeforeMeeting { .. }
        | Scene::Idle { .. }
        | Scene::Looking(_)
        | Scene::AfterMeeting { .. } => theme.calm,
        Scene::Welcome(welcomes) => {
            let recorded = welcomes.iter().all(|one| one.recorded_at.is_some());
            if recorded && !welcomes.is_empty() {
                theme.good
            } else {
                theme.calm
            }
        }
        Scene::AlreadyCalled { .. } => theme.good,
        Scene::Refused(_) => theme.ask,
        Scene::Trouble(trouble) if trouble.kind.records() => theme.ask,
        Scene::Trouble(_) => theme.alert,
    }
}

/// Whether staff may be told something beside the scene: where it takes nothing from a delegate.
fn bears_note(scene: &Scene) -> bool {
    match scene {
        Scene::NoMeeting { .. }
        | Scene::BeforeMeeting { .. }
        | Scene::Idle { .. }
        | Scene::AfterMeeting { .. } => true,
        Scene::Starting
        | Scene::Looking(_)
        | Scene::Welcome(_)
        | Scene::AlreadyCalled { .. }
        | Scene::Refused(_)
        | Scene::Trouble(_) => false,
    }
}

/// The lines for staff at the foot of the screen.
fn foot<D>(
    painter: &mut Painter<D>,
    strip: Rectangle,
    note: &Note,
    tone: Tone,
) -> Result<(), D::Error>
where
    D: DrawTarget<Color = Rgb888>,
{
    let grid = painter.grid;
    painter.fill(strip, tone.panel)?;
    let mut lines = strip.inset(grid.margin(), grid.px(0.25));
    let english = lines.cut_bottom(lines.size.height / 2);
    for (line, text) in [(lines, &note.vi), (english, &note.en)] {
        painter.text(
            line,
            text,
            Weight::Regular,
            Fit::line(grid.px(2.5), grid.px(2.0)),
            Ink::new(tone.muted, tone.panel),
            (Across::Left, Down::Middle),
        )?;
    }
    Ok(())
}

/// The bar that all scenes share: the room, today, now.
fn header<D>(
    painter: &mut Painter<D>,
    bar: Rectangle,
    view: &View,
    tone: Tone,
) -> Result<(), D::Error>
where
    D: DrawTarget<Color = Rgb888>,
{
    let grid = painter.grid;
    painter.fill(bar, tone.panel)?;
    let mut rest = bar.inset(grid.margin(), 0);
    let middle = |across| (across, Down::Middle);
    let clock = rest.cut_right(grid.px(12.0));
    painter.text(
        clock,
        &wording::time(view.now),
        Weight::Bold,
        Fit::line(grid.body(), grid.small()),
        Ink::new(tone.ink, tone.panel),
        middle(Across::Right),
    )?;
    let date = rest.cut_right(grid.px(28.0));
    painter.text(
        date,
        &wording::date(view.today),
        Weight::Regular,
        Fit::line(grid.small(), grid.px(2.0)),
        Ink::new(tone.muted, tone.panel),
        middle(Across::Right),
    )?;
    rest.cut_right(grid.margin());
    painter.text(
        rest,
        &view.room,
        Weight::Bold,
        Fit::line(grid.label(), grid.px(2.5)),
        Ink::new(tone.ink, tone.panel),
        middle(Across::Left),
    )?;
    Ok(())
}
