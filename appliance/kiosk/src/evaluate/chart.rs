//! A panel with two axes: values to pixels, and the frame, grid, ticks and names around them.
//!
//! Pure. It knows nothing of what is plotted, and draws nothing outside of its panel but its texts.

use super::svg::{Anchor, Place, Svg};

/// How far below the panel the numbers of the axis stand, in pixels.
const NUMBERS_BELOW_PX: f64 = 18.0;

/// How far below the panel the axis's name stands, in pixels.
const NAME_BELOW_PX: f64 = 40.0;

/// How far left of the panel the upward axis's name stands, in pixels.
const NAME_LEFT_PX: f64 = 76.0;

/// Steps that an even axis may be divided by, times a power of ten.
const ROUND_STEPS: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// Most steps of an even axis: more numbers would crowd.
const STEPS_MAX: f64 = 8.0;

/// A logarithmic axis in percent over no more than this, as a ratio, counts as short.
const SHORT_AXIS_MAX: f64 = 1000.0;

/// How values lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// Equal differences are equally far.
    Even,
    /// Equal ratios are equally far; the axis begins above 0.
    Logarithmic,
}

/// One axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it shows, and the unit.
    pub name: String,
    /// Its beginning.
    pub low: f64,
    /// Its end, above its beginning.
    pub high: f64,
    /// What lies between.
    pub spacing: Spacing,
    /// Values with a line of the grid, and what is written there.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An even axis from 0 with round steps that reaches at least to `most`, in percent.
    pub fn percent(name: &str, most: f64) -> Self {
        let most = if most > 0.0 { most } else { 0.01 };
        let rough = most * 100.0 / STEPS_MAX;
        let unit = 10_f64.powf(rough.log10().floor());
        let fits = |step: &&f64| **step * unit >= rough * (1.0 - 1e-9);
        let step = ROUND_STEPS.iter().find(fits).copied().unwrap_or(10.0) * unit;
        let count = (most * 100.0 / step).ceil().max(1.0) as u32;
        let decimals = (-(step * (1.0 + 1e-9)).log10().floor()).max(0.0) as usize;
        let ticks = (0..=count).map(|at| {
            let value = f64::from(at) * step;
            (value / 100.0, format!("{value:.decimals$} %"))
        });
        Self {
            name: name.to_owned(),
            low: 0.0,
            high: f64::from(count) * step / 100.0,
            spacing: Spacing::Even,
            ticks: ticks.collect(),
        }
    }

    /// A logarithmic axis with a tick at each power of ten within it. Both ends are above 0.
    pub fn decades(name: &str, low: f64, high: f64) -> Self {
        let (first, last) = (low.log10() - 1e-9, high.log10() + 1e-9);
        let ticks = (first.ceil() as i32..=last.floor() as i32)
            .map(|exponent| (10_f64.powi(exponent), power_of_ten(exponent)));
        Self {
            name: name.to_owned(),
            low,
            high,
            spacing: Spacing::Logarithmic,
            ticks: ticks.collect(),
        }
    }

    /// The same in percent. A short axis has ticks at twice and five times the powers of ten too,
    /// for one or two numbers would leave the reader to guess.
    pub fn percent_decades(name: &str, low: f64, high: f64) -> Self {
        let mut axis = Self::decades(name, low, high);
        let steps: &[f64] = match high / low > SHORT_AXIS_MAX {
            true => &[1.0],
            false => &[1.0, 2.0, 5.0],
        };
        let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
        axis.ticks = decades
            .flat_map(|exponent| steps.iter().map(move |step| step * 10_f64.powi(exponent)))
            .filter(|value| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(value))
            .map(|value| (value, percent_text(value)))
            .collect();
        axis
    }

    /// How far along the axis a value lies, from 0 to 1; values beyond an end lie at that end.
    pub fn along(&self, value: f64) -> f64 {
        let place = match self.spacing {
            Spacing::Even => (value - self.low) / (self.high - self.low),
            Spacing::Logarithmic if value <= self.low => 0.0,
            Spacing::Logarithmic => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        place.clamp(0.0, 1.0)
    }
}

/// A power of ten, like 10⁻³.
fn power_of_ten(exponent: i32) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digits = exponent.unsigned_abs().to_string().into_bytes();
    let raised = digits.iter().map(|digit| RAISED[usize::from(digit - b'0')]);
    let sign = if exponent < 0 { "⁻" } else { "" };
    format!("10{sign}{}", raised.collect::<String>())
}

/// A share in percent to one significant digit, like 0.2 %.
fn percent_text(share: f64) -> String {
    let percent = share * 100.0;
    let decimals = (-(percent * (1.0 + 1e-9)).log10().floor()).max(0.0) as usize;
    format!("{percent:.decimals$} %")
}

/// Two axes and where they are drawn, in pixels.
#[derive(Debug, Clone)]
pub struct Panel {
    /// From the left.
    pub left: f64,
    /// From the top.
    pub top: f64,
    /// To the right of that.
    pub width: f64,
    /// Below that.
    pub height: f64,
    /// To the right.
    pub across: Axis,
    /// Upwards.
    pub up: Axis,
}

impl Panel {
    /// Where two values lie.
    pub fn at(&self, across: f64, up: f64) -> Place {
        (
            self.left + self.across.along(across) * self.width,
            self.top + (1.0 - self.up.along(up)) * self.height,
        )
    }

    /// Draws the grid, the frame, the numbers and the axes' names.
    pub fn draw(&self, svg: &mut Svg) {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        for (value, text) in &self.across.ticks {
            let x = self.at(*value, self.up.low).0;
            svg.line("grid", (x, self.top), (x, bottom));
            svg.text("", (x, bottom + NUMBERS_BELOW_PX), Anchor::Middle, text);
        }
        for (value, text) in &self.up.ticks {
            let y = self.at(self.across.low, *value).1;
            svg.line("grid", (self.left, y), (right, y));
            svg.text("", (self.left - 7.0, y + 4.5), Anchor::End, text);
        }
        svg.rectangle("frame", (self.left, self.top), (right, bottom));
        let middle = (self.left + self.width / 2.0, bottom + NAME_BELOW_PX);
        svg.text("", middle, Anchor::Middle, &self.across.name);
        let middle = (self.left - NAME_LEFT_PX, self.top + self.height / 2.0);
        svg.upward("", middle, &self.up.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::svg::tests::texts;

    #[test]
    fn an_axis_in_percent_has_round_steps_and_holds_all_values() {
        let check = |most: f64, expect: &[&str]| {
            let axis = Axis::percent("", most);
            let found: Vec<&str> = axis.ticks.iter().map(|tick| tick.1.as_str()).collect();
            assert_eq!(found, expect, "up to {most}");
            assert!(axis.high >= most - 1e-12, "up to {most}: {}", axis.high);
        };
        check(
            0.079,
            &[
                "0 %", "1 %", "2 %", "3 %", "4 %", "5 %", "6 %", "7 %", "8 %",
            ],
        );
        check(0.9, &["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        check(
            0.003,
            &[
                "0.00 %", "0.05 %", "0.10 %", "0.15 %", "0.20 %", "0.25 %", "0.30 %",
            ],
        );
        check(0.0, &["0.0 %", "0.2 %", "0.4 %", "0.6 %", "0.8 %", "1.0 %"]);
    }

    #[test]
    fn decades_stand_at_their_values() {
        let axis = Axis::decades("FMR", 5e-7, 0.1);
        let found: Vec<&str> = axis.ticks.iter().map(|tick| tick.1.as_str()).collect();
        assert_eq!(found, ["10⁻⁶", "10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²", "10⁻¹"]);
        let check = |value: f64, expect: f64| {
            let found = Axis::decades("", 1e-4, 1.0).along(value);
            assert!((found - expect).abs() < 1e-9, "{value} lies at {found}");
        };
        check(1e-4, 0.0);
        check(1e-2, 0.5);
        check(1.0, 1.0);
        check(0.0, 0.0);
        check(7.0, 1.0);
        let check = |low: f64, high: f64, expect: &[&str]| {
            let axis = Axis::percent_decades("", low, high);
            let found: Vec<&str> = axis.ticks.iter().map(|tick| tick.1.as_str()).collect();
            assert_eq!(found, expect, "{low} to {high}");
        };
        check(0.0006, 0.03, &["0.1 %", "0.2 %", "0.5 %", "1 %", "2 %"]);
        check(0.1, 1.0, &["10 %", "20 %", "50 %", "100 %"]);
        check(
            4e-7,
            0.02,
            &["0.0001 %", "0.001 %", "0.01 %", "0.1 %", "1 %"],
        );
    }

    #[test]
    fn a_panel_says_what_its_axes_say() {
        let panel = Panel {
            left: 100.0,
            top: 10.0,
            width: 200.0,
            height: 50.0,
            across: Axis::decades("false", 0.01, 1.0),
            up: Axis::percent("missed", 0.05),
        };
        assert_eq!(panel.at(0.1, 0.05), (200.0, 10.0));
        assert_eq!(
            panel.at(0.0, -1.0),
            (100.0, 60.0),
            "nothing leaves the panel"
        );
        let mut svg = Svg::new(400, 100, "title", "what");
        panel.draw(&mut svg);
        let texts = texts(&svg.finish());
        for expect in ["false", "missed", "10⁻¹", "5 %"] {
            assert!(
                texts.iter().any(|text| text == expect),
                "{expect}: {texts:?}"
            );
        }
    }
}
