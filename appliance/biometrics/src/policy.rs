//! Which score suffices: a function of how many people are compared with and how often a stranger
//! may be called by a delegate's name.
//!
//! Never invents a threshold: it lies within a measured table, or the face does not decide.

use vocabulary::{ComparisonScore, Threshold};

/// One row of a measured table: what happens at a threshold, one to one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OperatingPoint {
    /// The threshold.
    pub threshold: Threshold,
    /// False match rate there, above 0, at most 1.
    pub fmr: f64,
    /// False non-match rate there, 0 to 1.
    pub fnmr: f64,
}

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// No rows to choose from.
    #[error("the table of thresholds has {0} rows, at least 2 are needed; see the model manifest")]
    TableTooShort(usize),
    /// A row that does not follow from the one before: thresholds rise, false matches fall.
    #[error(
        "row {row} of the table of thresholds is out of order or not a rate: thresholds must rise, \
         false match rates fall and non-match rates not fall"
    )]
    TableOrder {
        /// Which row, from 1.
        row: usize,
    },
    /// A configured number is out of range.
    #[error("{name} is {value}, it must be from {from} to {to}")]
    Range {
        /// The configuration's name for it.
        name: &'static str,
        /// What was given.
        value: f64,
        /// Least.
        from: f64,
        /// Most.
        to: f64,
    },
}

/// What an operator may decide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicyConfig {
    /// How often a stranger at the door may be called by somebody's name: a false positive
    /// identification rate, per stranger.
    pub strangers_called_max: f64,
    /// How far the best must be ahead of the next person, as a difference of scores. On public
    /// photographs of 357 people, rosters of 200, one person in 500 of those above 0.45 stayed
    /// within the default of 0.06 of somebody else.
    pub margin: f32,
    /// Usable frames of a track before anything is decided; at least 2, so that no single frame
    /// ever decides.
    pub frames_min: u32,
    /// Usable frames after which a track is given up.
    pub frames_max: u32,
    /// An operator's own least threshold, on top of what the table says.
    pub threshold_min: Option<Threshold>,
    /// An operator's own largest roster on which a face alone decides.
    pub people_max: Option<usize>,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        Self {
            strangers_called_max: 0.001,
            margin: 0.06,
            frames_min: 2,
            frames_max: 8,
            threshold_min: None,
            people_max: None,
        }
    }
}

/// What holds at one door for one roster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    accept: Threshold,
    margin: f32,
    face_decides: bool,
    frames_min: u32,
    frames_max: u32,
    people: usize,
    stranger_called_rate: f64,
    fnmr: f64,
}

/// How many times the margin look-alikes must be apart. By ACCURACY.md's one-to-one table a
/// roster of 200 has such a pair about once in ten, so hardly anybody is asked for more by it.
pub const LOOK_ALIKE_MARGINS: f32 = 2.0;

/// Most usable frames that a policy may ask for; far more than anybody stands still for.
pub const FRAMES_MAX: u32 = 100;

impl Policy {
    /// Chooses the threshold for a roster of `people` who have references; where a gallery compares
    /// with more vectors than people, [`crate::Gallery::rows`] is the number to give.
    ///
    /// A stranger is compared with everybody, so the false positive identification rate is
    /// 1 − (1 − FMR)^N, about N × FMR (ISO/IEC 19795-1 calls it FPIR). The FMR that keeps it within
    /// the budget is looked up in the table, between two rows by a straight line in log FMR, which
    /// is how the tail of impostor scores falls. Outside the table nothing is extrapolated: below
    /// its first row that row's threshold holds, beyond its last the face only proposes.
    ///
    /// # Errors
    /// [`PolicyError`] when the table or a configured number is not usable.
    pub fn for_roster(
        config: &PolicyConfig,
        table: &[OperatingPoint],
        people: usize,
    ) -> Result<Self, PolicyError> {
        check_config(config)?;
        check_table(table)?;
        let compared = people.max(1) as f64;
        let fmr_allowed = -((-config.strangers_called_max).ln_1p() / compared).exp_m1();
        let found = Found::in_table(table, fmr_allowed);
        let accept = match config.threshold_min {
            Some(least) if least > found.threshold => least,
            Some(_) | None => found.threshold,
        };
        let raised = Found::at_threshold(table, accept);
        let small_enough = config.people_max.is_none_or(|most| people <= most);
        Ok(Self {
            accept,
            margin: config.margin,
            face_decides: found.within && small_enough,
            frames_min: config.frames_min,
            frames_max: config.frames_max,
            people,
            stranger_called_rate: -(compared * (-raised.fmr).ln_1p()).exp_m1(),
            fnmr: raised.fnmr,
        })
    }

    /// The least score that names a person.
    #[must_use]
    pub fn accept(&self) -> Threshold {
        self.accept
    }

    /// How far the best must be ahead of the next.
    #[must_use]
    pub fn margin(&self) -> f32 {
        self.margin
    }

    /// How far the best must be ahead of the next, whose references are so alike: people of whom
    /// one's reference would be taken for the other need [`LOOK_ALIKE_MARGINS`] times as much.
    #[must_use]
    pub fn margin_between(&self, likeness: ComparisonScore) -> f32 {
        if likeness.reaches(self.accept) {
            self.margin * LOOK_ALIKE_MARGINS
        } else {
            self.margin
        }
    }

    /// Whether a face alone decides, or only proposes and a second means is asked for.
    #[must_use]
    pub fn face_decides(&self) -> bool {
        self.face_decides
    }

    /// Usable frames before anything is decided.
    #[must_use]
    pub fn frames_min(&self) -> u32 {
        self.frames_min
    }

    /// Usable frames after which a track is given up.
    #[must_use]
    pub fn frames_max(&self) -> u32 {
        self.frames_max
    }

    /// For how many people this was chosen.
    #[must_use]
    pub fn people(&self) -> usize {
        self.people
    }

    /// How often a stranger is expected to be called at this threshold, by the table.
    #[must_use]
    pub fn stranger_called_rate(&self) -> f64 {
        self.stranger_called_rate
    }

    /// How often one comparison with the right person is expected to fall short, by the table.
    #[must_use]
    pub fn fnmr(&self) -> f64 {
        self.fnmr
    }
}

fn check_config(config: &PolicyConfig) -> Result<(), PolicyError> {
    let within = |name, value: f64, from: f64, to: f64| {
        if value >= from && value <= to {
            Ok(())
        } else {
            Err(PolicyError::Range {
                name,
                value,
                from,
                to,
            })
        }
    };
    let frames_min = f64::from(config.frames_min);
    within(
        "strangers_called_max",
        config.strangers_called_max,
        1e-9,
        0.5,
    )?;
    within("margin", f64::from(config.margin), 0.0, 1.0)?;
    within("frames_min", frames_min, 2.0, f64::from(FRAMES_MAX))?;
    within(
        "frames_max",
        f64::from(config.frames_max),
        frames_min,
        f64::from(FRAMES_MAX),
    )
}

fn check_table(table: &[OperatingPoint]) -> Result<(), PolicyError> {
    if table.len() < 2 {
        return Err(PolicyError::TableTooShort(table.len()));
    }
    let is_rate = |point: &OperatingPoint| {
        point.fmr > 0.0 && point.fmr < 1.0 && (0.0..=1.0).contains(&point.fnmr)
    };
    if let Some(row) = table.iter().position(|point| !is_rate(point)) {
        return Err(PolicyError::TableOrder { row: row + 1 });
    }
    let follows = |pair: &[OperatingPoint]| {
        pair[1].threshold > pair[0].threshold
            && pair[1].fmr < pair[0].fmr
            && pair[1].fnmr >= pair[0].fnmr
    };
    match table.windows(2).position(|pair| !follows(pair)) {
        Some(row) => Err(PolicyError::TableOrder { row: row + 2 }),
        None => Ok(()),
    }
}

/// A place in the table.
struct Found {
    threshold: Threshold,
    fmr: f64,
    fnmr: f64,
    /// Whether the table reaches that far.
    within: bool,
}

impl Found {
    /// The lowest threshold whose false match rate is at most `fmr`.
    fn in_table(table: &[OperatingPoint], fmr: f64) -> Self {
        Self::along(table, |low, high| {
            (low.fmr.ln() - fmr.ln()) / (low.fmr.ln() - high.fmr.ln())
        })
    }

    /// What the table says about a threshold; at its ends, what it says there.
    fn at_threshold(table: &[OperatingPoint], threshold: Threshold) -> Self {
        let at = f64::from(threshold.value());
        Self::along(table, |low, high| {
            let (from, to) = (low.threshold.value(), high.threshold.value());
            (at - f64::from(from)) / (f64::from(to) - f64::from(from))
        })
    }

    /// The first segment in which the position, 0 at its lower and 1 at its upper row, is not
    /// beyond the end.
    fn along(
        table: &[OperatingPoint],
        position: impl Fn(&OperatingPoint, &OperatingPoint) -> f64,
    ) -> Self {
        for pair in table.windows(2) {
            let (low, high) = (&pair[0], &pair[1]);
            let position = position(low, high);
            // An exactly met row may come out a rounding error beyond it.
            if position <= 1.0 + 1e-9 {
                return Self::between(low, high, position.clamp(0.0, 1.0));
            }
        }
        let last = table[table.len() - 1];
        Self {
            threshold: last.threshold,
            fmr: last.fmr,
            fnmr: last.fnmr,
            within: false,
        }
    }

    fn between(low: &OperatingPoint, high: &OperatingPoint, position: f64) -> Self {
        let mix = |from: f64, to: f64| from + (to - from) * position;
        let (from, to) = (low.threshold.value(), high.threshold.value());
        // Rounded up, never down: the budget holds.
        let threshold = mix(f64::from(from), f64::from(to)) as f32;
        Self {
            threshold: Threshold::new(threshold.clamp(from, to)).unwrap_or(high.threshold),
            fmr: mix(low.fmr.ln(), high.fmr.ln()).exp(),
            fnmr: mix(low.fnmr, high.fnmr),
            within: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Thresholds and rates as a manifest might hold them.
    fn table() -> Vec<OperatingPoint> {
        [
            (0.36, 3e-3, 0.007),
            (0.40, 9e-4, 0.013),
            (0.45, 1.4e-4, 0.031),
            (0.50, 1.7e-5, 0.070),
        ]
        .map(|(threshold, fmr, fnmr)| OperatingPoint {
            threshold: Threshold::new(threshold).unwrap(),
            fmr,
            fnmr,
        })
        .to_vec()
    }

    fn policy(config: PolicyConfig, people: usize) -> Policy {
        Policy::for_roster(&config, &table(), people).unwrap()
    }

    #[test]
    fn the_threshold_follows_the_roster() {
        let check = |people: usize, expect: f32, decides: bool| {
            let found = policy(PolicyConfig::default(), people);
            let near = (found.accept().value() - expect).abs() < 2e-3;
            assert!(near, "{people}: {} is not {expect}", found.accept());
            assert_eq!(found.face_decides(), decides, "{people}");
        };
        // A budget of 0.001 over one person needs an FMR of 1e-3, just below 0.40.
        check(0, 0.3965, true);
        check(1, 0.3965, true);
        check(7, 0.450, true);
        check(58, 0.500, true);
        check(59, 0.500, false);
        check(10_000, 0.500, false);
    }

    #[test]
    fn a_row_that_just_meets_the_budget_is_enough() {
        let config = PolicyConfig {
            strangers_called_max: 1.7e-5,
            ..PolicyConfig::default()
        };
        assert!(policy(config, 1).face_decides());
    }

    #[test]
    fn an_operator_may_be_stricter_and_never_laxer() {
        let stricter = PolicyConfig {
            threshold_min: Threshold::new(0.48).ok(),
            people_max: Some(10),
            ..PolicyConfig::default()
        };
        assert!((policy(stricter, 1).accept().value() - 0.48).abs() < 1e-6);
        assert!(policy(stricter, 10).face_decides());
        assert!(!policy(stricter, 11).face_decides());
        let laxer = PolicyConfig {
            threshold_min: Threshold::new(0.1).ok(),
            ..PolicyConfig::default()
        };
        let plain = policy(PolicyConfig::default(), 20);
        assert_eq!(policy(laxer, 20).accept(), plain.accept());
    }

    #[test]
    fn a_generous_budget_stops_at_the_first_row() {
        let config = PolicyConfig {
            strangers_called_max: 0.5,
            ..PolicyConfig::default()
        };
        assert!((policy(config, 1).accept().value() - 0.36).abs() < 1e-6);
    }

    #[test]
    fn broken_tables_and_numbers_are_named() {
        let config = PolicyConfig::default();
        let check = |spoil: fn(&mut Vec<OperatingPoint>), expect: PolicyError| {
            let mut spoiled = table();
            spoil(&mut spoiled);
            assert_eq!(Policy::for_roster(&config, &spoiled, 10), Err(expect));
        };
        check(|t| t.truncate(1), PolicyError::TableTooShort(1));
        check(|t| t.clear(), PolicyError::TableTooShort(0));
        check(|t| t.swap(1, 2), PolicyError::TableOrder { row: 3 });
        check(|t| t[0].fmr = f64::NAN, PolicyError::TableOrder { row: 1 });
        check(|t| t[3].fmr = 0.0, PolicyError::TableOrder { row: 4 });
        check(|t| t[2].fnmr = 0.001, PolicyError::TableOrder { row: 3 });
        let config = PolicyConfig {
            frames_min: 1,
            ..config
        };
        let error = Policy::for_roster(&config, &table(), 10).unwrap_err();
        assert!(error.to_string().starts_with("frames_min is 1"), "{error}");
    }

    proptest! {
        /// A larger roster or a smaller budget never lowers the threshold, and where the face
        /// decides the budget holds.
        #[test]
        fn stricter_asks_for_more(
            people in 1_usize..2000, more in 0_usize..2000,
            budget in 1e-5_f64..0.1, share in 0.01_f64..1.0,
        ) {
            let config = |strangers_called_max| PolicyConfig {
                strangers_called_max,
                ..PolicyConfig::default()
            };
            let plain = policy(config(budget), people);
            prop_assert!(policy(config(budget), people + more).accept() >= plain.accept());
            prop_assert!(policy(config(budget * share), people).accept() >= plain.accept());
            if plain.face_decides() {
                prop_assert!(plain.stranger_called_rate() <= budget * 1.001);
            } else {
                prop_assert!(plain.stranger_called_rate() > budget);
            }
        }
    }
}
