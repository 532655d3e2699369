//! Text made to fit: normalised, measured, stepped down in size, wrapped on spaces, and only at
//! the last cut with an ellipsis, never between a letter and its marks.

use embedded_graphics::prelude::Size;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::font::{Fonts, TYPE_PX_MIN, Weight};

/// Longest text in characters that is looked at; the rest could not be read from a screen. Three
/// times the longest name, and more than any sentence here.
pub const TEXT_CHARS_MAX: usize = 400;

/// A space at which no line breaks.
pub(crate) const NO_BREAK_SPACE: char = '\u{a0}';

/// Distance from one baseline to the next, in em. Vietnamese stacks two marks on a capital (Ẫ),
/// which needs more than the usual 1.2.
const LINE_EM: f32 = 1.3;

/// From the top of a line to its baseline, in em.
const BASELINE_EM: f32 = 1.03;

/// Size at which widths are measured before they are scaled, in pixels.
const MEASURE_PX: u32 = 100;

/// One step down of the type size: small enough that nothing looks cramped, large enough that a
/// few steps are all.
const STEP: f32 = 0.94;

/// How a text may be made smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fit {
    /// Size to begin with, in pixels.
    pub largest: u32,
    /// Size down to which one line is preferred to several, in pixels.
    pub one_line: u32,
    /// Size at which the text is cut instead of made smaller, in pixels.
    pub smallest: u32,
    /// Most lines.
    pub lines_max: usize,
}

impl Fit {
    /// One line that may shrink from one size to another.
    pub fn line(largest: u32, smallest: u32) -> Self {
        Self {
            largest,
            one_line: smallest,
            smallest,
            lines_max: 1,
        }
    }

    /// Several lines, as large as they fit.
    pub fn lines(largest: u32, smallest: u32, lines_max: usize) -> Self {
        Self {
            largest,
            one_line: largest,
            smallest,
            lines_max,
        }
    }

    /// Up to so many lines of a size times a scale. A tenth less is taken before a line more is
    /// not enough: the scale is the caller's to lower for all texts together.
    pub fn scaled(px: u32, scale: f32, lines_max: usize) -> Self {
        let largest = scaled(px, scale);
        Self::lines(largest, scaled(largest, 0.9), lines_max)
    }
}

/// A text laid out in lines of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// Type size in pixels.
    pub px: u32,
    /// Its weight.
    pub weight: Weight,
    /// The lines, none empty.
    pub lines: Vec<String>,
    /// Whether text was left out.
    pub cut: bool,
}

impl Block {
    /// Height of all lines in pixels.
    pub fn height(&self) -> u32 {
        line_height(self.px) * u32::try_from(self.lines.len()).unwrap_or(u32::MAX)
    }

    /// From the top of the block to the baseline of one of its lines, in pixels.
    pub fn baseline(&self, line: usize) -> i32 {
        let top = line_height(self.px) as i32 * i32::try_from(line).unwrap_or(0);
        top + scaled(self.px, BASELINE_EM) as i32
    }
}

/// From line to line in pixels.
pub(crate) fn line_height(px: u32) -> u32 {
    scaled(px, LINE_EM)
}

/// Composed (NFC), without control characters, with single spaces, at most [`TEXT_CHARS_MAX`]
/// characters. A no-break space stays what it is: it keeps the halves of a word together.
pub(crate) fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len().min(TEXT_CHARS_MAX * 4));
    let composed = text.nfc().take(TEXT_CHARS_MAX);
    for character in composed {
        let blank = character.is_whitespace() && character != NO_BREAK_SPACE;
        let blank = blank || character.is_control();
        match (blank, tidied.is_empty() || tidied.ends_with(' ')) {
            (true, true) => (),
            (true, false) => tidied.push(' '),
            (false, _) => tidied.push(character),
        }
    }
    tidied.truncate(tidied.trim_end().len());
    tidied
}

/// Width of a line in pixels, as it is drawn.
pub(crate) fn width(fonts: &Fonts, text: &str, weight: Weight, px: u32) -> u32 {
    (em(fonts, text, weight) * px as f32).ceil() as u32
}

/// Lays a text out within `room`: one line if it can stay large, else as many as allowed, else
/// smaller, else cut with an ellipsis. Lines that follow each other are of like length.
pub(crate) fn fit(fonts: &Fonts, text: &str, weight: Weight, room: Size, rule: Fit) -> Block {
    let text = tidy(text);
    let block = |px, lines, cut| Block {
        px,
        weight,
        lines,
        cut,
    };
    let smallest = rule.smallest.max(TYPE_PX_MIN);
    if text.is_empty() || room.height < line_height(smallest) {
        // Half a line says less than none.
        return block(smallest, Vec::new(), !text.is_empty());
    }
    let words = measure(fonts, &text, weight);
    let space = em(fonts, " ", weight);
    let passes = [
        (rule.one_line.max(smallest), 1),
        (smallest, rule.lines_max.max(1)),
    ];
    for (until, lines_max) in passes {
        for px in sizes(rule.largest.max(smallest), until) {
            let lines_max = lines_max.min((room.height / line_height(px).max(1)) as usize);
            let room_em = room.width as f32 / px as f32;
            if let Some(lines) = wrap(&words, space, room_em, lines_max) {
                return block(px, lines, false);
            }
        }
    }
    let lines_max = (room.height / line_height(smallest).max(1)) as usize;
    let lines_max = lines_max.clamp(1, rule.lines_max.max(1));
    let room_em = room.width as f32 / smallest as f32;
    let lines = cut(fonts, &text, weight, room_em, lines_max);
    block(smallest, lines, true)
}

/// A word and its width in em.
type Word<'t> = (&'t str, f32);

fn measure<'t>(fonts: &Fonts, text: &'t str, weight: Weight) -> Vec<Word<'t>> {
    let words = text.split(' ').filter(|word| !word.is_empty());
    words.map(|word| (word, em(fonts, word, weight))).collect()
}

/// Width of a text in em.
fn em(fonts: &Fonts, text: &str, weight: Weight) -> f32 {
    let sum: f32 = text
        .chars()
        .map(|letter| fonts.advance(letter, weight, MEASURE_PX))
        .sum();
    sum / MEASURE_PX as f32
}

/// Sizes to try, from large to small, ending with `smallest`.
fn sizes(largest: u32, smallest: u32) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(largest), move |px| {
        let next = ((*px as f32 * STEP) as u32).min(px.saturating_sub(1));
        (*px > smallest).then_some(next.max(smallest))
    })
}

/// Breaks words into at most `lines_max` lines of like length; none when they do not fit.
fn wrap(words: &[Word], space: f32, room: f32, lines_max: usize) -> Option<Vec<String>> {
    let mut best = greedy(words, space, room, lines_max)?;
    // As few lines as possible, then as narrow as these lines allow: no lonely last word.
    let mut narrower = room;
    while best.len() > 1 {
        narrower *= 0.96;
        match greedy(words, space, narrower, best.len()) {
            Some(lines) => best = lines,
            None => break,
        }
    }
    Some(best)
}

fn greedy(words: &[Word], space: f32, room: f32, lines_max: usize) -> Option<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = f32::INFINITY;
    for (word, width) in words {
        if *width > room {
            return None;
        }
        match lines.last_mut() {
            Some(line) if used + space + width <= room => {
                line.push(' ');
                line.push_str(word);
                used += space + width;
            }
            Some(_) | None => {
                if lines.len() == lines_max {
                    return None;
                }
                lines.push((*word).to_owned());
                used = *width;
            }
        }
    }
    Some(lines)
}

/// Fills `lines_max` lines and ends the last, or a word too wide for its line, with an ellipsis.
fn cut(fonts: &Fonts, text: &str, weight: Weight, room: f32, lines_max: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && lines.len() < lines_max {
        let last = lines.len() + 1 == lines_max;
        let whole = if last {
            (em(fonts, rest, weight) <= room).then_some(rest.len())
        } else {
            whole_words(fonts, rest, weight, room)
        };
        let Some(end) = whole else {
            lines.push(shortened(fonts, rest, weight, room));
            break;
        };
        lines.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// End of the last word that still fits on a line.
fn whole_words(fonts: &Fonts, text: &str, weight: Weight, room: f32) -> Option<usize> {
    let ends = text
        .match_indices(' ')
        .map(|(at, _)| at)
        .chain([text.len()]);
    ends.take_while(|end| em(fonts, &text[..*end], weight) <= room)
        .last()
}

/// As many letters with their marks as fit before an ellipsis; empty where not even that fits.
fn shortened(fonts: &Fonts, text: &str, weight: Weight, room: f32) -> String {
    const ELLIPSIS: char = '…';
    let mut left = room - em(fonts, "…", weight);
    if left < 0.0 {
        return String::new();
    }
    let mut end = 0;
    let mut cluster = 0.0;
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        cluster += fonts.advance(letter, weight, MEASURE_PX) / MEASURE_PX as f32;
        if letters
            .peek()
            .is_some_and(|(_, next)| is_combining_mark(*next))
        {
            continue;
        }
        if cluster > left {
            break;
        }
        left -= cluster;
        cluster = 0.0;
        end = at + letter.len_utf8();
    }
    let mut line = text[..end].trim_end().to_owned();
    line.push(ELLIPSIS);
    line
}

fn scaled(px: u32, em: f32) -> u32 {
    (px as f32 * em).round() as u32
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use embedded_graphics::pixelcolor::Rgb888;
    use embedded_graphics::prelude::*;
    use embedded_graphics::primitives::Rectangle;

    use super::*;
    use crate::font::{BOLD_PATH, REGULAR_PATH};
    use crate::paint::{Across, Down, Ink, Painter};
    use crate::{Canvas, Context};

    /// 45 characters each, with the widest and the highest letters there are.
    const NAMES: [&str; 3] = [
        "Công Tằng Tôn Nữ Thị Ví Dụ Tên Mẫu Dài Đủ Chữ",
        "NGUYỄN ƯỜNG ẪM THỊ MƯỜI MẪU VỚI TÊN HOA ĐẦY Đ",
        "Mẫumẫumẫumẫumẫumẫumẫumẫumẫumẫumẫumẫumẫumẫumẫu",
    ];

    /// All letters of Vietnamese, in both cases, in all five tones and none.
    const VOWELS: &str = "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY";
    const TONES: [&str; 6] = ["", "\u{300}", "\u{301}", "\u{303}", "\u{309}", "\u{323}"];

    fn context() -> Context {
        match Fonts::load(Path::new(REGULAR_PATH), Path::new(BOLD_PATH)) {
            Ok(fonts) => Context::new(fonts),
            Err(error) => panic!("{error}"),
        }
    }

    fn whole(block: &Block) -> String {
        block.lines.join(" ")
    }

    #[test]
    fn the_font_writes_all_of_vietnamese_from_one_code_point_each() {
        let fonts = context().fonts;
        let mut letters: Vec<char> = "bcdđghklmnpqrstvxBCDĐGHKLMNPQRSTVX0123456789"
            .chars()
            .collect();
        for vowel in VOWELS.chars() {
            for tone in TONES {
                let decomposed: String = format!("{vowel}{tone}").nfd().collect();
                let composed = tidy(&decomposed);
                assert_eq!(composed.chars().count(), 1, "{decomposed} is composed");
                letters.extend(composed.chars());
            }
        }
        letters.extend("…–·“”\"'.,:;!?()/-".chars());
        letters.push(NO_BREAK_SPACE);
        for letter in letters {
            assert!(fonts.has_glyph(letter), "{letter:?}");
        }
        assert!(!fonts.has_glyph('\u{10FFFD}'), "what has no glyph is known");
    }

    #[test]
    fn decomposed_input_is_composed_output() {
        let context = context();
        let draw = |text: &str| {
            let mut canvas = Canvas::new(600, 100).unwrap();
            let area = canvas.bounding_box();
            let mut painter = Painter::new(&mut canvas, &context);
            let ink = Ink::new(Rgb888::WHITE, Rgb888::BLACK);
            let at = (Across::Left, Down::Top);
            let rule = Fit::line(60, 10);
            let Ok(_) = painter.text(area, text, Weight::Bold, rule, ink, at);
            canvas
        };
        let decomposed: String = "Nguyễn Thị Mẫu".nfd().collect();
        assert_ne!(decomposed, "Nguyễn Thị Mẫu");
        let composed = draw("Nguyễn Thị Mẫu");
        assert_eq!(draw(&decomposed), composed);
        assert_eq!(draw("  Nguyễn\tThị\n Mẫu\u{7} "), composed);
        assert_ne!(draw("Nguyên Thị Mẫu"), composed);
    }

    #[test]
    fn a_name_of_45_characters_fits_every_box_that_can_hold_it() {
        let context = context();
        let rule = Fit {
            largest: 88,
            one_line: 64,
            smallest: 24,
            lines_max: 2,
        };
        for (index, name) in NAMES.iter().enumerate() {
            assert_eq!(name.chars().count(), 45, "{name}");
            for width in (60..1280).step_by(37) {
                let room = Size::new(width, 170);
                let block = fit(&context.fonts, name, Weight::Bold, room, rule);
                assert!(
                    block.height() <= room.height,
                    "{name} at {width}: {block:?}"
                );
                assert!(block.lines.len() <= 2, "{name} at {width}: {block:?}");
                for line in &block.lines {
                    let used = super::width(&context.fonts, line, Weight::Bold, block.px);
                    assert!(used <= width, "{name} at {width}: {line} is {used} wide");
                }
                // Two lines of 24 pixels hold any name of words where there are 500 pixels.
                if width >= 500 && index < 2 {
                    assert_eq!(whole(&block), *name, "at {width}");
                }
                assert_eq!(block.cut, whole(&block) != *name, "at {width}: {block:?}");
            }
        }
    }

    #[test]
    fn ink_stays_within_the_box_that_was_measured() {
        let context = context();
        for name in NAMES {
            for width in (90..800).step_by(71) {
                let room = Rectangle::new(Point::new(20, 20), Size::new(width, 170));
                let rule = Fit::lines(88, 16, 2);
                let block = fit(&context.fonts, name, Weight::Bold, room.size, rule);
                // The painter may write anywhere, so that what leaves the room is seen.
                let mut canvas = Canvas::new(900, 210).unwrap();
                let area = Rectangle::new(room.top_left, Size::new(880, 190));
                let mut painter = Painter::new(&mut canvas, &context);
                let ink = Ink::new(Rgb888::WHITE, Rgb888::BLACK);
                let Ok(()) = painter.block(area, &block, ink, (Across::Left, Down::Top));
                for at in canvas.bounding_box().points() {
                    let inked = canvas.pixel(at) != Some(Rgb888::BLACK);
                    assert!(
                        !inked || room.contains(at),
                        "{name} at {width}: ink at {at}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_cut_never_parts_a_letter_from_its_marks() {
        let fonts = context().fonts;
        // No composed form exists for these, so the marks stay code points of their own.
        let name = "q\u{301}\u{323}".repeat(40);
        let rule = Fit::line(20, 20);
        for width in 0..300 {
            let block = fit(&fonts, &name, Weight::Regular, Size::new(width, 40), rule);
            let line = whole(&block);
            assert!(block.cut, "{line}");
            if let Some(kept) = line.strip_suffix('…') {
                let kept = kept.chars().collect::<Vec<_>>();
                assert_eq!(kept.len() % 3, 0, "{line:?}");
            } else {
                assert_eq!(line, "");
            }
        }
    }

    #[test]
    fn lines_break_at_spaces_only_and_are_of_like_length() {
        let fonts = context().fonts;
        let check = |text: &str, width: u32, expect: &[&str]| {
            let rule = Fit::lines(20, 20, 3);
            let block = fit(&fonts, text, Weight::Regular, Size::new(width, 200), rule);
            assert_eq!(block.lines, expect, "{text:?} in {width}");
        };
        check("Mẫu Mẫu Mẫu Mẫu", 130, &["Mẫu Mẫu", "Mẫu Mẫu"]);
        check(
            "bàn\u{a0}thư\u{a0}ký Mẫu",
            110,
            &["bàn\u{a0}thư\u{a0}ký", "Mẫu"],
        );
        check("", 110, &[]);
        check(" \u{7}\n ", 110, &[]);
    }

    #[test]
    fn an_endless_text_is_looked_at_only_so_far() {
        let fonts = context().fonts;
        let endless = "Mẫu ".repeat(2500);
        assert_eq!(tidy(&endless).chars().count(), TEXT_CHARS_MAX - 1);
        let rule = Fit::lines(40, 20, 2);
        let block = fit(&fonts, &endless, Weight::Bold, Size::new(300, 200), rule);
        assert!(block.cut && block.lines.len() == 2, "{block:?}");
        assert!(whole(&block).ends_with('…'), "{block:?}");
    }
}
