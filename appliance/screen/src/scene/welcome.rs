//! People are greeted, each by name. "Recorded" is shown exactly where the view says so.

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
use crate::view::{Person, TimeOfDay, Welcome};
use crate::wording::{self, Both};

/// Most greetings side by side that are still read from where one stands; the rest is counted.
const GREETINGS_MAX: usize = 4;

/// One person: the name as large as the screen allows.
pub(crate) fn one<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    welcome: &Welcome,
    tone: Tone,
) -> Result<(), D::Error> {
    let (mark, outcome) = match welcome.recorded_at {
        Some(at) => (Mark::Tick, wording::recorded(at)),
        None => (Mark::Dots, wording::not_yet_recorded()),
    };
    let greeting = wording::welcome(&welcome.person);
    let substitute = welcome.substitute_for.as_deref();
    let person = (&welcome.person, substitute);
    card(painter, body, tone, mark, &greeting, person, &outcome)
}

/// Somebody comes back who was called before.
pub(crate) fn again<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    person: &Person,
    first_at: TimeOfDay,
    tone: Tone,
) -> Result<(), D::Error> {
    let notice = wording::already(person, first_at);
    let who = (person, None);
    card(
        painter,
        body,
        tone,
        Mark::Clock,
        &notice.headline,
        who,
        &notice.body,
    )
}

/// Several people at once, a row for each.
pub(crate) fn several<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    welcomes: &[Welcome],
    tone: Tone,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    let mut rest = body.inset(grid.margin(), grid.px(2.0));
    let recorded = tone == painter.context.theme.good;
    let greeting = wording::welcome_all(recorded);
    let top = rest.cut_top(grid.px(6.0));
    beside(painter, top, &greeting, tone, Across::Left)?;
    rest.cut_top(grid.gap());
    let shown = welcomes.len().min(GREETINGS_MAX);
    if welcomes.len() > shown {
        let others = wording::others(welcomes.len() - shown);
        let bottom = rest.cut_bottom(grid.px(5.0));
        beside(painter, bottom, &others, tone, Across::Left)?;
        rest.cut_bottom(grid.gap());
    }
    let rows = shown.max(1) as u32;
    let gap = grid.px(1.25);
    let height = rest.size.height.saturating_sub(gap * (rows - 1)) / rows;
    for welcome in &welcomes[..shown] {
        row(
            painter,
            rest.cut_top(height.min(grid.px(18.0))),
            welcome,
            tone,
        )?;
        rest.cut_top(gap);
    }
    Ok(())
}

/// Greeting, name, office and unit, and what came of it.
fn card<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    mut body: Rectangle,
    tone: Tone,
    mark: Mark,
    greeting: &Both,
    (person, substitute_for): (&Person, Option<&str>),
    outcome: &Both,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    let foot = body.cut_bottom(grid.px(11.0));
    painter.fill(foot, tone.panel)?;
    let mut foot = foot.inset(grid.margin(), grid.gap());
    let icon = foot.cut_left(grid.px(7.5));
    painter.icon(icon, mark, tone, tone.panel)?;
    foot.cut_left(grid.px(2.0));
    let mut result = Stack::new(foot);
    result
        .text(
            painter,
            &outcome.vi,
            Weight::Bold,
            Fit::line(grid.body(), grid.px(2.5)),
            Ink::new(tone.ink, tone.panel),
        )
        .text(
            painter,
            &outcome.en,
            Weight::Regular,
            Fit::line(grid.small(), grid.px(2.0)),
            Ink::new(tone.muted, tone.panel),
        );
    result.draw(painter, Across::Left, Down::Middle)?;

    let mut main = body.inset(grid.margin(), grid.px(2.0));
    let top = main.cut_top(grid.px(6.5));
    beside(painter, top, greeting, tone, Across::Left)?;
    let (_, title) = wording::address(person);
    let mut under = Stack::new(main.cut_bottom(grid.px(12.5)));
    let ink = Ink::new(tone.ink, tone.ground);
    let muted = Ink::new(tone.muted, tone.ground);
    under.text(
        painter,
        &title,
        Weight::Regular,
        Fit::line(grid.body(), grid.small()),
        ink,
    );
    let unit = if person.namesake {
        (Weight::Bold, Ink::new(tone.accent, tone.ground))
    } else {
        (Weight::Regular, muted)
    };
    under.text(
        painter,
        &person.unit,
        unit.0,
        Fit::line(grid.px(3.75), grid.small()),
        unit.1,
    );
    if let Some(name) = substitute_for {
        let both = wording::substitute_for(name);
        under.text(
            painter,
            &format!("({} · {})", both.vi, both.en),
            Weight::Regular,
            Fit::line(grid.label(), grid.px(2.25)),
            muted,
        );
    }
    under.draw(painter, Across::Left, Down::Top)?;
    let rule = Fit {
        largest: grid.huge(),
        one_line: grid.px(8.0),
        smallest: grid.body(),
        lines_max: 2,
    };
    painter.text(
        main,
        &person.name,
        Weight::Bold,
        rule,
        Ink::new(tone.ink, tone.ground),
        (Across::Left, Down::Middle),
    )?;
    Ok(())
}

/// One of several people.
fn row<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    area: Rectangle,
    welcome: &Welcome,
    tone: Tone,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    painter.panel(area, grid.px(1.5), Ink::new(tone.panel, tone.ground))?;
    let mut inner = area.inset(grid.px(2.0), grid.px(0.75));
    let icon = inner.cut_left(grid.px(6.0));
    let mark = match welcome.recorded_at {
        Some(_) => Mark::Tick,
        None => Mark::Dots,
    };
    painter.icon(icon, mark, tone, tone.panel)?;
    inner.cut_left(grid.px(2.0));
    if let Some(at) = welcome.recorded_at {
        painter.text(
            inner.cut_right(grid.px(11.0)),
            &wording::time(at),
            Weight::Bold,
            Fit::line(grid.body(), grid.px(2.0)),
            Ink::new(tone.accent, tone.panel),
            (Across::Right, Down::Middle),
        )?;
        inner.cut_right(grid.gap());
    }
    let (_, title) = wording::address(&welcome.person);
    let mut stack = Stack::new(inner);
    let (name, small) = (Fit::line(grid.px(5.5), grid.px(2.5)), grid.px(2.0));
    stack.text(
        painter,
        &welcome.person.name,
        Weight::Bold,
        name,
        Ink::new(tone.ink, tone.panel),
    );
    let colour = if welcome.person.namesake {
        tone.accent
    } else {
        tone.muted
    };
    let office = [title.as_str(), welcome.person.unit.as_str()];
    let office: Vec<&str> = office.into_iter().filter(|part| !part.is_empty()).collect();
    stack.text(
        painter,
        &office.join(" · "),
        Weight::Regular,
        Fit::line(grid.small(), small),
        Ink::new(colour, tone.panel),
    );
    stack.draw(painter, Across::Left, Down::Middle)
}

/// Vietnamese large, and English small beside it on the same baseline.
fn beside<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    area: Rectangle,
    both: &Both,
    tone: Tone,
    across: Across,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    let first = painter.fit(
        &both.vi,
        Weight::Regular,
        area.size,
        Fit::line(grid.px(4.5), grid.px(2.0)),
    );
    painter.block(
        area,
        &first,
        Ink::new(tone.accent, tone.ground),
        (across, Down::Middle),
    )?;
    let mut rest = area;
    let used = first.lines.first().map_or(0, |line| {
        crate::text::width(painter.fonts(), line, first.weight, first.px)
    });
    rest.cut_left(used + grid.px(2.0));
    let second = painter.fit(
        &both.en,
        Weight::Regular,
        rest.size,
        Fit::line(grid.small(), grid.px(1.75)),
    );
    // Both stand on one baseline: the smaller block is moved down by the difference.
    let spare = area.size.height as i32 - first.height() as i32;
    let line = spare / 2 + first.baseline(0) - second.baseline(0);
    rest.cut_top(u32::try_from(line).unwrap_or(0));
    painter.block(
        rest,
        &second,
        Ink::new(tone.muted, tone.ground),
        (Across::Left, Down::Top),
    )
}
