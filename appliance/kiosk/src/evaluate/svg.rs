//! Drawings as SVG 1.1: the few shapes that a plot is made of, with every text escaped, so that a
//! report's plots need no library and open in any browser.
//!
//! Pure: shapes in, text out. It decides neither what is drawn nor where.

use std::fmt::Write as _;

/// What all drawings look like. Colours are told apart by people with any colour vision (Okabe and
/// Ito, "Color Universal Design", 2008); lines differ in their dashes too where they must.
const STYLE: &str = "\
    text{font-family:'Noto Sans','DejaVu Sans',Arial,sans-serif;font-size:13px;fill:#222}\
    .title{font-size:17px;font-weight:bold}.small{font-size:12px;fill:#555}\
    .panel{font-size:14px;font-weight:bold}\
    .paper{fill:#fff}.shade{fill:#eee}.frame{fill:none;stroke:#444}.grid{stroke:#ddd}\
    .mark{stroke:#444;stroke-dasharray:5 3;fill:none}\
    .line{fill:none;stroke-width:2;stroke-linejoin:round}.area{fill-opacity:.25}\
    .whisker{stroke-width:1.3;fill:none}.dot{stroke:#fff}\
    line.c0,polyline.c0{stroke:#0072b2}line.c1,polyline.c1{stroke:#d55e00}\
    line.c2,polyline.c2{stroke:#007a5a}\
    circle.c0,polygon.c0,text.c0{fill:#0072b2}circle.c1,polygon.c1,text.c1{fill:#d55e00}\
    circle.c2,polygon.c2,text.c2{fill:#007a5a}";

/// How many colours there are: classes `c0`, `c1` and so on.
pub const COLOURS: usize = 3;

/// A point in pixels from the upper left corner.
pub type Place = (f64, f64);

/// Which part of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// A drawing that grows.
#[derive(Debug, Clone)]
pub struct Svg {
    text: String,
}

impl Svg {
    /// A white drawing of this size in pixels. Readers of screens are told the title and what it
    /// describes.
    pub fn new(width: u32, height: u32, title: &str, description: &str) -> Self {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{}</title>\n<desc>{}</desc>\n\
             <style>{STYLE}</style>\n\
             <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n",
            escaped(title),
            escaped(description)
        );
        Self { text }
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: Place, to: Place) {
        let _ = writeln!(
            self.text,
            "<line class=\"{}\" x1=\"{:.2}\" y1=\"{:.2}\" x2=\"{:.2}\" y2=\"{:.2}\"/>",
            escaped(class),
            from.0,
            from.1,
            to.0,
            to.1
        );
    }

    /// Straight lines from point to point.
    pub fn polyline(&mut self, class: &str, points: &[Place]) {
        self.path("polyline", class, points);
    }

    /// The area within straight lines.
    pub fn polygon(&mut self, class: &str, points: &[Place]) {
        self.path("polygon", class, points);
    }

    /// A rectangle by two opposite corners.
    pub fn rectangle(&mut self, class: &str, one: Place, other: Place) {
        let _ = writeln!(
            self.text,
            "<rect class=\"{}\" x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\"/>",
            escaped(class),
            one.0.min(other.0),
            one.1.min(other.1),
            (one.0 - other.0).abs(),
            (one.1 - other.1).abs()
        );
    }

    /// A round dot.
    pub fn dot(&mut self, class: &str, at: Place, radius: f64) {
        let _ = writeln!(
            self.text,
            "<circle class=\"dot {}\" cx=\"{:.2}\" cy=\"{:.2}\" r=\"{radius:.2}\"/>",
            escaped(class),
            at.0,
            at.1
        );
    }

    /// A text on one line.
    pub fn text(&mut self, class: &str, at: Place, anchor: Anchor, text: &str) {
        self.written(class, at, anchor, "", text);
    }

    /// A text that runs upwards, its middle at `at`.
    pub fn upward(&mut self, class: &str, at: Place, text: &str) {
        let turn = format!(" transform=\"rotate(-90 {:.2} {:.2})\"", at.0, at.1);
        self.written(class, at, Anchor::Middle, &turn, text);
    }

    /// The whole drawing.
    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn path(&mut self, shape: &str, class: &str, points: &[Place]) {
        let _ = write!(self.text, "<{shape} class=\"{}\" points=\"", escaped(class));
        for (at, (x, y)) in points.iter().enumerate() {
            let gap = if at == 0 { "" } else { " " };
            let _ = write!(self.text, "{gap}{x:.2},{y:.2}");
        }
        self.text.push_str("\"/>\n");
    }

    fn written(&mut self, class: &str, at: Place, anchor: Anchor, more: &str, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _ = writeln!(
            self.text,
            "<text class=\"{}\" x=\"{:.2}\" y=\"{:.2}\" text-anchor=\"{anchor}\"{more}>{}</text>",
            escaped(class),
            at.0,
            at.1,
            escaped(text)
        );
    }
}

/// Text as it may stand in an element or an attribute. Characters that XML 1.0 does not know at all
/// become question marks.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            '\u{0}'..'\u{20}' | '\u{fffe}' | '\u{ffff}' => safe.push('?'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The texts of a drawing that is well-formed: every element is closed, in order, and every
    /// attribute is quoted. Panics when it is not.
    pub fn texts(svg: &str) -> Vec<String> {
        let (mut open, mut found, mut rest) = (Vec::new(), Vec::new(), svg);
        while let Some(at) = rest.find('<') {
            let between = &rest[..at];
            assert!(!between.contains('>'), "a stray > in {between:?}");
            if !between.trim().is_empty() {
                assert!(!open.is_empty(), "text outside of elements: {between:?}");
                found.push(unescaped(between));
            }
            let end = rest[at..].find('>').expect("a tag ends") + at;
            let tag = &rest[at + 1..end];
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "closed out of order");
            } else {
                assert_eq!(
                    tag.matches('"').count() % 2,
                    0,
                    "a quote is open in {tag:?}"
                );
                let name = tag.split([' ', '/']).next().expect("a tag has a name");
                assert!(!tag.contains("NaN") && !tag.contains("inf"), "{tag:?}");
                if !tag.ends_with('/') {
                    open.push(name);
                }
            }
            rest = &rest[end + 1..];
        }
        assert!(open.is_empty(), "left open: {open:?}");
        assert!(rest.trim().is_empty(), "after the drawing: {rest:?}");
        found
    }

    fn unescaped(text: &str) -> String {
        for piece in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;"];
            assert!(known.iter().any(|name| piece.starts_with(name)), "{text:?}");
        }
        let plain = text.replace("&lt;", "<").replace("&gt;", ">");
        plain.replace("&quot;", "\"").replace("&amp;", "&")
    }

    #[test]
    fn what_is_drawn_is_well_formed_whatever_it_says() {
        let nasty = "<b> & \"Đ\" \u{1} &lt; </svg>\n%";
        let mut svg = Svg::new(10, 20, nasty, nasty);
        svg.line("grid", (0.0, 1.0), (2.0, 3.0));
        svg.polyline("line c0", &[(0.0, 0.0), (1.5, 2.25)]);
        svg.polygon(nasty, &[]);
        svg.rectangle("frame", (5.0, 6.0), (1.0, 2.0));
        svg.dot("c1", (1.0, 1.0), 3.0);
        svg.text("small", (1.0, 1.0), Anchor::End, nasty);
        svg.upward("small", (1.0, 1.0), nasty);
        let svg = svg.finish();
        let texts = texts(&svg);
        let shown = "<b> & \"Đ\" ? &lt; </svg> %";
        assert_eq!(texts.iter().filter(|text| *text == shown).count(), 4);
        assert!(svg.contains("points=\"0.00,0.00 1.50,2.25\""), "{svg}");
        let corner = "x=\"1.00\" y=\"2.00\" width=\"4.00\" height=\"4.00\"";
        assert!(svg.contains(corner), "{svg}");
    }

    #[test]
    fn every_colour_has_a_style() {
        for colour in 0..COLOURS {
            for shape in ["line", "polyline", "circle", "polygon", "text"] {
                assert!(
                    STYLE.contains(&format!("{shape}.c{colour}")),
                    "{shape} {colour}"
                );
            }
        }
    }
}
