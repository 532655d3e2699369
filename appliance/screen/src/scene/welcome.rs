//! People are greeted, each by name. "Recorded" is shown exactly where the view says so.

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;

use super::stack::Stack;
use crate::font::Weight;
use crate::icon::Mark;
use crate::layout::{Cut, Grid};
use crate::paint::{Across, Down, Ink, Painter};
use crate::text::{self, Fit};
use crate::theme::Tone;
use crate::view::{Person, TimeOfDay, Welcome};
use crate::wording::{self, Both};

/// Most greetings side by side that are still read from where one stands; the rest is counted.
const GREETINGS_MAX: usize = 4;

/// One person: the name as large as the screen allows.
pub(crate) fn one<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    mut body: Rectangle,
    welcome: &Welcome,
    tone: Tone,
) -> Result<(), D::Error> {
    let (mark, outcome) = match welcome.recorded_at {
        Some(at) => (Mark::Tick, wording::recorded(at)),
        None => (Mark::Dots, wording::not_yet_recorded()),
    };
    let bar = body.cut_bottom(painter.grid.px(11.0));
    foot(painter, bar, mark, &outcome, tone)?;
    let greeting = wording::welcome(&welcome.person);
    let substitute = welcome.substitute_for.as_deref();
    person(painter, body, &greeting, &welcome.person, substitute, tone)
}

/// Somebody comes back who was called before.
pub(crate) fn again<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    mut body: Rectangle,
    who: &Person,
    first_at: TimeOfDay,
    tone: Tone,
) -> Result<(), D::Error> {
    let notice = wording::already(who, first_at);
    let bar = body.cut_bottom(painter.grid.px(11.0));
    foot(painter, bar, Mark::Clock, &notice.body, tone)?;
    person(painter, body, &notice.headline, who, None, tone)
}

/// Several people at once: two under one another, more in two columns.
pub(crate) fn several<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    mut body: Rectangle,
    welcomes: &[Welcome],
    tone: Tone,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    let recorded = !welcomes.is_empty() && welcomes.iter().all(|one| one.recorded_at.is_some());
    let (mark, outcome) = if recorded {
        (Mark::Tick, wording::all_recorded(same_time(welcomes)))
    } else {
        (Mark::Dots, wording::not_yet_recorded())
    };
    let bar = body.cut_bottom(grid.px(9.0));
    foot(painter, bar, mark, &outcome, tone)?;
    let mut rest = body.inset(grid.margin(), grid.px(1.5));
    let shown = welcomes.len().min(GREETINGS_MAX);
    let mut greeting = wording::welcome_all();
    if welcomes.len() > shown {
        let others = wording::others(welcomes.len() - shown);
        greeting.vi = format!("{}, {}", greeting.vi, others.vi);
        greeting.en = format!("{}, {}", greeting.en, others.en);
    }
    let top = rest.cut_top(greeting_height(grid));
    beside(painter, top, &greeting, tone)?;
    rest.cut_top(grid.px(0.5));
    let columns = if grid.portrait || shown <= 2 { 1 } else { 2 };
    let rows = shown.div_ceil(columns).max(1) as u32;
    let gap = grid.px(1.25);
    let height = rest.size.height.saturating_sub(gap * (rows - 1)) / rows;
    for row in welcomes[..shown].chunks(columns) {
        let mut line = rest.cut_top(height.min(grid.px(20.0)));
        let width = line.size.width.saturating_sub(gap * (columns as u32 - 1)) / columns as u32;
        for welcome in row {
            card(painter, line.cut_left(width), welcome, tone)?;
            line.cut_left(gap);
        }
        rest.cut_top(gap);
    }
    Ok(())
}

/// The bar at the bottom that says what came of it.
fn foot<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    bar: Rectangle,
    mark: Mark,
    outcome: &Both,
    tone: Tone,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    painter.fill(bar, tone.panel)?;
    let mut rest = bar.inset(grid.margin(), grid.gap());
    let icon = rest.cut_left(grid.px(7.5).min(rest.size.height));
    painter.icon(icon, mark, tone, tone.panel)?;
    rest.cut_left(grid.px(2.0));
    let (ink, muted) = (
        Ink::new(tone.ink, tone.panel),
        Ink::new(tone.muted, tone.panel),
    );
    let stack = Stack::fitted(rest, |stack, scale| {
        let body = Fit::scaled(grid.body(), scale, 1);
        let small = Fit::scaled(grid.small(), scale, 1);
        stack
            .text(painter, &outcome.vi, Weight::Bold, body, ink)
            .text(painter, &outcome.en, Weight::Regular, small, muted);
    });
    stack.draw(painter, Across::Left, Down::Middle)
}

/// Greeting, name, office and unit.
fn person<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    body: Rectangle,
    greeting: &Both,
    who: &Person,
    substitute_for: Option<&str>,
    tone: Tone,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    let mut main = body.inset(grid.margin(), grid.px(2.0));
    let top = main.cut_top(greeting_height(grid));
    beside(painter, top, greeting, tone)?;
    if grid.portrait {
        // Upright there is more height than one person fills; what belongs together stays close.
        main = main.middle(Size::new(main.size.width, grid.px(64.0)));
    }
    let mut under = main;
    let under = under.cut_bottom(main.size.height * 45 / 100);
    let (_, title) = wording::address(who);
    let (ink, muted) = (
        Ink::new(tone.ink, tone.ground),
        Ink::new(tone.muted, tone.ground),
    );
    let unit_ink = if who.namesake {
        Ink::new(tone.accent, tone.ground)
    } else {
        muted
    };
    let substitute = substitute_for.map(wording::substitute_for);
    let stack = Stack::fitted(under, |stack, scale| {
        let body = Fit::scaled(grid.body(), scale, 2);
        let unit = Fit::scaled(grid.px(3.75), scale, 2);
        stack
            .text(painter, &title, Weight::Regular, body, ink)
            .text(painter, &who.unit, unit_weight(who), unit, unit_ink);
        if let Some(substitute) = &substitute {
            let (label, small) = (
                Fit::scaled(grid.label(), scale, 2),
                Fit::scaled(grid.px(2.5), scale, 2),
            );
            stack
                .gap(grid.px(0.75))
                .text(painter, &substitute.vi, Weight::Regular, label, ink)
                .text(painter, &substitute.en, Weight::Regular, small, muted);
        }
    });
    let place = main.cut_bottom(stack.height());
    stack.draw_in(place, painter, Across::Left, Down::Bottom)?;
    main.cut_bottom(grid.gap());
    let rule = Fit {
        largest: grid.huge(),
        one_line: grid.px(8.0),
        smallest: grid.px(3.0),
        lines_max: if grid.portrait { 4 } else { 2 },
    };
    let at = (Across::Left, Down::Middle);
    painter.text(main, &who.name, Weight::Bold, rule, ink, at)?;
    Ok(())
}

/// One of several people.
fn card<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    area: Rectangle,
    welcome: &Welcome,
    tone: Tone,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    painter.panel(area, grid.px(1.5), Ink::new(tone.panel, tone.ground))?;
    let mut inner = area.inset(grid.px(1.5), grid.px(0.75));
    let icon = inner.cut_left(grid.px(5.0));
    let mark = match welcome.recorded_at {
        Some(_) => Mark::Tick,
        None => Mark::Dots,
    };
    painter.icon(icon, mark, tone, tone.panel)?;
    inner.cut_left(grid.px(1.5));
    let who = &welcome.person;
    let (_, title) = wording::address(who);
    let (ink, accent, muted) = (
        Ink::new(tone.ink, tone.panel),
        Ink::new(tone.accent, tone.panel),
        Ink::new(tone.muted, tone.panel),
    );
    // The name is never cut; of office and unit the beginning says enough. Where two people bear
    // one name, the unit tells them apart and stands alone.
    let mut stack = Stack::new(inner);
    let name = Fit {
        largest: grid.px(7.5),
        one_line: grid.px(4.25),
        smallest: grid.px(2.0),
        lines_max: 3,
    };
    let office = Fit::line(grid.px(2.75), grid.px(2.25));
    let room = inner
        .size
        .height
        .saturating_sub(text::line_height(office.largest));
    let block = painter.fit(
        &who.name,
        Weight::Bold,
        Size::new(inner.size.width, room),
        name,
    );
    stack.block(block, ink);
    let (under, colour) = match (who.namesake, title.is_empty()) {
        (true, _) | (false, true) => (who.unit.clone(), if who.namesake { accent } else { muted }),
        (false, false) if who.unit.is_empty() => (title, muted),
        (false, false) => (format!("{title} · {}", who.unit), muted),
    };
    stack.shortened(painter, &under, unit_weight(who), office, colour);
    stack.draw(painter, Across::Left, Down::Middle)
}

/// When all were recorded, where that is one minute.
fn same_time(welcomes: &[Welcome]) -> Option<TimeOfDay> {
    let first = welcomes.first()?.recorded_at?;
    let same = |welcome: &Welcome| welcome.recorded_at == Some(first);
    welcomes.iter().all(same).then_some(first)
}

fn unit_weight(who: &Person) -> Weight {
    if who.namesake {
        Weight::Bold
    } else {
        Weight::Regular
    }
}

/// Height that a greeting takes in pixels.
fn greeting_height(grid: Grid) -> u32 {
    grid.px(if grid.portrait { 9.5 } else { 6.0 })
}

/// Vietnamese large, and English small beside it on the same baseline, or beneath it where the
/// screen is narrow.
fn beside<D: DrawTarget<Color = Rgb888>>(
    painter: &mut Painter<D>,
    area: Rectangle,
    both: &Both,
    tone: Tone,
) -> Result<(), D::Error> {
    let grid = painter.grid;
    let (accent, muted) = (
        Ink::new(tone.accent, tone.ground),
        Ink::new(tone.muted, tone.ground),
    );
    if grid.portrait {
        let stack = Stack::fitted(area, |stack, scale| {
            let (large, small) = (
                Fit::scaled(grid.px(4.5), scale, 1),
                Fit::scaled(grid.small(), scale, 1),
            );
            stack
                .text(painter, &both.vi, Weight::Regular, large, accent)
                .text(painter, &both.en, Weight::Regular, small, muted);
        });
        return stack.draw(painter, Across::Left, Down::Top);
    }
    let rule = Fit::line(grid.px(4.5), grid.px(2.0));
    let mut room = area.size;
    room.width = room.width * 3 / 4;
    let first = painter.fit(&both.vi, Weight::Regular, room, rule);
    painter.block(area, &first, accent, (Across::Left, Down::Middle))?;
    let mut rest = area;
    let used = first.lines.first().map_or(0, |line| {
        text::width(painter.fonts(), line, first.weight, first.px)
    });
    rest.cut_left(used + grid.px(2.0));
    let rule = Fit::line(grid.small(), grid.px(1.75));
    let second = painter.fit(&both.en, Weight::Regular, rest.size, rule);
    // Both stand on one baseline: the smaller block is moved down by the difference.
    let spare = area.size.height as i32 - first.height() as i32;
    let line = spare / 2 + first.baseline(0) - second.baseline(0);
    rest.cut_top(u32::try_from(line).unwrap_or(0));
    painter.block(rest, &second, muted, (Across::Left, Down::Top))
}
