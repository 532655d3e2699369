//! The plots of a report, from [`Results`] alone: the DET curve, misses over the roster's size, and
//! how scores lie. They name nobody.
//!
//! A plot that there are no numbers for is left out, never drawn empty.

use super::chart::{Axis, Panel, Spacing};
use super::one_to_one::SCORE_LOWEST;
use super::results::{FPIRS, OneToOne, OpenSet, PHOTOGRAPHS, Point, Results};
use super::svg::{Anchor, COLOURS, Place, Svg};

/// Left of a panel, in pixels: room for the numbers and the name of the axis.
const LEFT_PX: f64 = 104.0;

/// Above a panel, in pixels: room for the titles.
const TOP_PX: f64 = 76.0;

/// Where the line below the title stands, in pixels from the top.
const SUBTITLE_PX: f64 = 48.0;

/// A rate that rests on fewer errors than this is only roughly known: with 30 the true rate is,
/// 90 times of 100, within 30 % of the one found (Doddington et al., "The NIST speaker recognition
/// evaluation", Speech Communication 31, 2000).
const ERRORS_MIN: f64 = 30.0;

/// Where the DET curve ends: an FMR above this lets everybody in.
const FMR_MAX: f64 = 0.1;

/// Room on a logarithmic axis beyond the last value, as a factor.
const ROOM: f64 = 1.5;

/// Thresholds marked on the DET curve.
const MARKED: [f64; 6] = [0.30, 0.35, 0.40, 0.45, 0.50, 0.55];

/// A drawing and what it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// Its file's name.
    pub file: &'static str,
    /// What it shows, for those who do not see it.
    pub shows: &'static str,
    /// The drawing.
    pub svg: String,
}

/// All plots that there are numbers for.
pub fn all(results: &Results) -> Vec<Plot> {
    let drawn = [
        det(&results.one_to_one),
        misses(&results.open_set),
        scores(&results.one_to_one),
    ];
    drawn.into_iter().flatten().collect()
}

fn det(one: &OneToOne) -> Option<Plot> {
    let known = |point: &&Point| point.fmr > 0.0 && point.fnmr > 0.0 && point.fmr <= FMR_MAX;
    let curve: Vec<&Point> = one.det.iter().filter(known).collect();
    let (first, last) = (curve.first()?, curve.last()?);
    let shows = "DET curve: FNMR over FMR, both logarithmic, thresholds marked";
    let mut svg = Svg::new(780, 560, "Errors of one-to-one comparison", shows);
    let panel = Panel {
        left: LEFT_PX,
        top: TOP_PX,
        width: 640.0,
        height: 420.0,
        across: Axis::decades(
            "FMR: pairs of two people that match",
            last.fmr / ROOM,
            FMR_MAX,
        ),
        up: Axis::percent_decades(
            "FNMR: pairs of one person that do not",
            first.fnmr / ROOM,
            (last.fnmr * ROOM).min(1.0),
        ),
    };
    titles(
        &mut svg,
        "Errors of one-to-one comparison (DET)",
        &format!(
            "{} pairs of one person, {} of two people; dots: thresholds (cosine)",
            thousands(one.same_pairs),
            thousands(one.different_pairs)
        ),
    );
    let rough = |pairs: u64| ERRORS_MIN / pairs.max(1) as f64;
    let origin = panel.at(0.0, 0.0);
    let beside = panel.at(rough(one.different_pairs), panel.up.high);
    let below = panel.at(panel.across.high, rough(one.same_pairs));
    svg.rectangle("shade", origin, beside);
    svg.rectangle("shade", origin, below);
    panel.draw(&mut svg);
    let note = (panel.left + 8.0, panel.top + panel.height - 10.0);
    svg.text("small", note, Anchor::Start, "grey: fewer than 30 errors");
    let line: Vec<Place> = curve.iter().map(|at| panel.at(at.fmr, at.fnmr)).collect();
    svg.polyline("line c0", &line);
    for marked in MARKED {
        let same = |at: &&&Point| (at.threshold - marked).abs() < 1e-9;
        if let Some(point) = curve.iter().find(same) {
            let (x, y) = panel.at(point.fmr, point.fnmr);
            svg.dot("c0", (x, y), 5.0);
            let label = format!("{marked:.2}");
            svg.text("", (x + 7.0, y - 7.0), Anchor::Start, &label);
        }
    }
    Some(Plot {
        file: "det.svg",
        shows,
        svg: svg.finish(),
    })
}

fn misses(rows: &[OpenSet]) -> Option<Plot> {
    let least = rows.iter().map(|row| row.roster).min()? as f64;
    let largest = rows.iter().map(|row| row.roster).max()? as f64;
    let worst = rows.iter().map(|row| row.fnir_high.unwrap_or(row.fnir));
    let worst = worst.fold(0.0, f64::max);
    let shows = "FNIR over the roster's size, for 1, 2 and 3 photographs enrolled, at two FPIRs";
    let mut svg = Svg::new(980, 490, "Misses by the size of the roster", shows);
    titles(
        &mut svg,
        "Delegates missed, by the size of the roster",
        "one photograph is one trial; whiskers: 95 % intervals, resampling persons",
    );
    let mut sizes: Vec<usize> = rows.iter().map(|row| row.roster).collect();
    sizes.sort_unstable();
    sizes.dedup();
    for (number, fpir) in FPIRS.iter().enumerate() {
        let panel = Panel {
            left: LEFT_PX + 470.0 * number as f64,
            top: TOP_PX + 24.0,
            width: 360.0,
            height: 330.0,
            across: Axis {
                name: "people on the roster".to_owned(),
                low: least / ROOM,
                high: largest * ROOM,
                spacing: Spacing::Logarithmic,
                ticks: sizes.iter().map(|n| (*n as f64, n.to_string())).collect(),
            },
            up: Axis::percent("FNIR", worst),
        };
        panel.draw(&mut svg);
        let title = format!("at FPIR {} %", fpir * 100.0);
        svg.text(
            "panel",
            (panel.left, panel.top - 10.0),
            Anchor::Start,
            &title,
        );
        for (colour, photographs) in PHOTOGRAPHS.iter().enumerate() {
            let fits = |row: &&OpenSet| row.photographs == *photographs && row.fpir == *fpir;
            let line: Vec<&OpenSet> = rows.iter().filter(fits).collect();
            misses_line(&mut svg, &panel, colour, &line);
        }
        legend(&mut svg, &panel);
    }
    Some(Plot {
        file: "fnir.svg",
        shows,
        svg: svg.finish(),
    })
}

/// One number of photographs, a little aside so that whiskers do not hide each other.
fn misses_line(svg: &mut Svg, panel: &Panel, colour: usize, rows: &[&OpenSet]) {
    /// Pixels between the whiskers of two lines.
    const ASIDE_PX: f64 = 6.0;
    let class = colour % COLOURS;
    let aside = (colour as f64 - 1.0) * ASIDE_PX;
    let place = |row: &OpenSet, rate: f64| {
        let (x, y) = panel.at(row.roster as f64, rate);
        (x + aside, y)
    };
    let line: Vec<Place> = rows.iter().map(|row| place(row, row.fnir)).collect();
    svg.polyline(&format!("line c{class}"), &line);
    for row in rows {
        if let (Some(low), Some(high)) = (row.fnir_low, row.fnir_high) {
            let whisker = format!("whisker c{class}");
            svg.line(&whisker, place(row, low), place(row, high));
        }
        svg.dot(&format!("c{class}"), place(row, row.fnir), 4.5);
    }
}

fn legend(svg: &mut Svg, panel: &Panel) {
    for (colour, photographs) in PHOTOGRAPHS.iter().enumerate() {
        let y = panel.top + 20.0 + 20.0 * colour as f64;
        let class = colour % COLOURS;
        let x = panel.left + 14.0;
        svg.line(&format!("line c{class}"), (x, y), (x + 24.0, y));
        svg.dot(&format!("c{class}"), (x + 12.0, y), 4.5);
        let ending = if *photographs == 1 { "" } else { "s" };
        let text = format!("{photographs} photograph{ending} enrolled");
        svg.text("", (x + 32.0, y + 4.5), Anchor::Start, &text);
    }
}

fn scores(one: &OneToOne) -> Option<Plot> {
    let count = one.scores.same.len();
    let share = |counts: &[u64]| -> Vec<f64> {
        let all = counts.iter().sum::<u64>().max(1) as f64;
        counts.iter().map(|count| *count as f64 / all).collect()
    };
    let (same, different) = (share(&one.scores.same), share(&one.scores.different));
    let seen = |at: &usize| one.scores.same[*at] + one.scores.different[*at] > 0;
    let (first, last) = ((0..count).find(seen)?, (0..count).rev().find(seen)?);
    let score = |at: usize| SCORE_LOWEST + at as f64 * one.scores.width;
    // Whole tenths around what there is.
    let low = (score(first) * 10.0 + 1e-9).floor() / 10.0;
    let high = (score(last + 1) * 10.0 - 1e-9).ceil() / 10.0;
    let tenths = (low * 10.0).round() as i32..=(high * 10.0).round() as i32;
    let across = Axis {
        name: "comparison score (cosine)".to_owned(),
        low,
        high,
        spacing: Spacing::Even,
        ticks: tenths
            .filter(|tenth| tenth % 2 == 0)
            .map(|tenth| f64::from(tenth) / 10.0)
            .map(|score| (score, format!("{score:.1}").replace('-', "−")))
            .collect(),
    };
    let all = || same.iter().chain(&different).copied();
    let most = all().fold(0.0, f64::max);
    let least = all().filter(|share| *share > 0.0).fold(1.0, f64::min);
    let name = format!("share of pairs, each {}", one.scores.width);
    let ups = [
        ("even scale", Axis::percent(&name, most)),
        (
            "logarithmic scale: where the two meet",
            Axis::percent_decades(&name, least / ROOM, (most * ROOM).min(1.0)),
        ),
    ];
    let shows = "How the scores of pairs of one person and of pairs of two people lie";
    let mut svg = Svg::new(780, 770, "How scores lie", shows);
    titles(
        &mut svg,
        "How scores lie",
        &format!(
            "{} pairs of one person, {} of two people",
            thousands(one.same_pairs),
            thousands(one.different_pairs)
        ),
    );
    let marked = one.by_fmr.first().map(|point| point.threshold);
    for (number, (title, up)) in ups.into_iter().enumerate() {
        let panel = Panel {
            left: LEFT_PX,
            top: TOP_PX + 20.0 + 360.0 * number as f64,
            width: 640.0,
            height: 250.0,
            across: across.clone(),
            up,
        };
        panel.draw(&mut svg);
        svg.text("panel", (panel.left, panel.top - 8.0), Anchor::Start, title);
        for (class, shares) in [("c1", &different), ("c0", &same)] {
            staircase(&mut svg, &panel, class, shares, one.scores.width);
        }
        if number == 0 {
            scores_legend(&mut svg, &panel);
        }
        if let Some(threshold) = marked {
            threshold_line(&mut svg, &panel, threshold);
        }
    }
    Some(Plot {
        file: "scores.svg",
        shows,
        svg: svg.finish(),
    })
}

/// The outline and the area of a histogram.
fn staircase(svg: &mut Svg, panel: &Panel, class: &str, shares: &[f64], width: f64) {
    let seen = |share: &f64| *share > 0.0;
    let (Some(first), Some(last)) = (shares.iter().position(seen), shares.iter().rposition(seen))
    else {
        return;
    };
    let score = |at: usize| SCORE_LOWEST + at as f64 * width;
    let mut steps = vec![panel.at(score(first), 0.0)];
    for (at, share) in shares.iter().enumerate().take(last + 1).skip(first) {
        steps.push(panel.at(score(at), *share));
        steps.push(panel.at(score(at + 1), *share));
    }
    steps.push(panel.at(score(last + 1), 0.0));
    svg.polygon(&format!("area {class}"), &steps);
    svg.polyline(&format!("line {class}"), &steps);
}

fn scores_legend(svg: &mut Svg, panel: &Panel) {
    let names = [("c1", "pairs of two people"), ("c0", "pairs of one person")];
    for (number, (class, name)) in names.iter().enumerate() {
        let (x, y) = (panel.left + 14.0, panel.top + 20.0 + 20.0 * number as f64);
        svg.line(&format!("line {class}"), (x, y), (x + 24.0, y));
        svg.text("", (x + 32.0, y + 4.5), Anchor::Start, name);
    }
}

fn threshold_line(svg: &mut Svg, panel: &Panel, threshold: f64) {
    let x = panel.at(threshold, panel.up.low).0;
    svg.line("mark", (x, panel.top), (x, panel.top + panel.height));
    let text = format!("{threshold:.3}: FMR 10⁻³");
    svg.text("small", (x + 6.0, panel.top + 16.0), Anchor::Start, &text);
}

fn titles(svg: &mut Svg, title: &str, subtitle: &str) {
    svg.text("title", (20.0, 26.0), Anchor::Start, title);
    svg.text("small", (20.0, SUBTITLE_PX), Anchor::Start, subtitle);
}

/// A count with a comma between thousands.
fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::results::Scores;
    use crate::evaluate::svg::tests::texts;

    fn one_to_one() -> OneToOne {
        let point = |(threshold, fmr, fnmr)| Point {
            threshold,
            fmr,
            false_matches: 1,
            fnmr,
            false_non_matches: 1,
        };
        let det = [
            (0.2, 0.5, 0.0),
            (0.3, 0.01, 0.002),
            (0.4, 0.001, 0.01),
            (0.5, 0.0, 0.4),
        ];
        let (mut same, mut different) = (vec![0; 100], vec![0; 100]);
        (same[85], same[90], different[50], different[70]) = (3, 1, 1000, 234);
        OneToOne {
            same_pairs: 4,
            different_pairs: 1_234_567,
            by_threshold: Vec::new(),
            by_fmr: vec![point((0.4, 0.001, 0.01))],
            det: det.map(point).to_vec(),
            scores: Scores {
                width: 0.02,
                same,
                different,
            },
        }
    }

    fn check(plot: &Plot, expect: &[&str]) {
        let texts = texts(&plot.svg);
        for expect in expect {
            assert!(
                texts.iter().any(|text| text == expect),
                "{expect}: {texts:?}"
            );
        }
    }

    #[test]
    fn the_det_curve_marks_thresholds_within_its_axes() {
        let plot = det(&one_to_one()).unwrap();
        check(&plot, &["10⁻³", "10⁻²", "1 %", "0.30", "0.40"]);
        let texts = texts(&plot.svg);
        assert!(!texts.iter().any(|text| text == "0.50"), "no FMR, no place");
        let about = "4 pairs of one person, 1,234,567 of two people; dots: thresholds (cosine)";
        assert!(texts.iter().any(|text| text == about), "{texts:?}");
    }

    #[test]
    fn scores_are_drawn_over_the_tenths_that_they_take() {
        let plot = scores(&one_to_one()).unwrap();
        check(
            &plot,
            &[
                "0.0",
                "0.4",
                "0.8",
                "0.400: FMR 10⁻³",
                "pairs of one person",
            ],
        );
        assert!(
            !texts(&plot.svg)
                .iter()
                .any(|text| text == "−0.2" || text == "1.0")
        );
        assert!(!plot.svg.contains(",-"), "nothing above the drawing");
    }

    #[test]
    fn misses_have_a_line_for_each_number_of_photographs() {
        let rows = FPIRS.iter().flat_map(|fpir| {
            let sizes = [(50, 0.01), (200, 0.04)];
            PHOTOGRAPHS.map(|photographs| {
                sizes.map(|(roster, fnir)| OpenSet {
                    roster,
                    photographs,
                    fpir: *fpir,
                    fnir: fnir / photographs as f64,
                    fnir_low: Some(0.0),
                    fnir_high: Some(0.075),
                    ..OpenSet::default()
                })
            })
        });
        let rows: Vec<OpenSet> = rows.flatten().collect();
        let plot = misses(&rows).unwrap();
        check(
            &plot,
            &["50", "200", "8 %", "at FPIR 0.1 %", "at FPIR 1 %", "FNIR"],
        );
        check(&plot, &["1 photograph enrolled", "3 photographs enrolled"]);
        assert_eq!(plot.svg.matches("<polyline").count(), 6);
        assert_eq!(plot.svg.matches("class=\"whisker").count(), 12);
    }

    #[test]
    fn without_numbers_there_are_no_plots() {
        assert_eq!(misses(&[]), None);
        let mut one = one_to_one();
        one.det.clear();
        one.scores.same.fill(0);
        one.scores.different.fill(0);
        assert_eq!((det(&one), scores(&one)), (None, None));
    }
}
