//! How much is missed under worse conditions: the open-set question again, with the same rosters
//! and the same enrolled photographs, at the threshold that the undegraded photographs gave, while
//! what comes to the door is small, dark, blurred and so on.
//!
//! Pure. A probe without a template is a miss, so the rates are of the whole pipeline.

use std::collections::BTreeSet;

use biometrics::GalleryError;
use serde::Serialize;

use super::acquire::Acquired;
use super::bootstrap;
use super::condition::Condition;
use super::open_set::{self, Probes, Setup, Shot, Trials};
use super::results::{Acquisition, FPIRS, PHOTOGRAPHS, acquisition as acquisition_of};
use crate::cli::EvaluateArgs;

/// People on the rosters: the size that claims are made for.
pub const ROSTER: usize = 200;

/// What the undegraded photographs are called.
pub const UNDEGRADED: &str = "undegraded";

/// One condition with one number of photographs enrolled.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByCondition {
    /// Its name.
    pub condition: &'static str,
    /// What is done to a value or to the picture.
    pub formula: &'static str,
    /// People on the roster.
    pub roster: usize,
    /// Photographs enrolled of each.
    pub photographs: usize,
    /// Share of strangers' undegraded photographs that may be called.
    pub fpir: f64,
    /// The score asked for so that no more are.
    pub threshold: f32,
    /// Share of delegates' probes that are not called by the right name.
    pub fnir: f64,
    /// Lower end of its 95 % interval.
    pub fnir_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub fnir_high: Option<f64>,
    /// How many that are, over all rosters.
    pub missed: usize,
    /// How many of these gave no template.
    pub missed_without_template: usize,
    /// Delegates' probes that are called by another delegate's name.
    pub wrong_name: usize,
    /// How many different photographs that are.
    pub wrong_name_photographs: usize,
    /// Strangers' probes that are called by some name.
    pub strangers_called: usize,
    /// Trials of delegates' probes, over all rosters.
    pub mated_trials: usize,
    /// Trials of strangers' probes, over all rosters.
    pub stranger_trials: usize,
}

/// What the photographs come to under one condition.
#[derive(Debug, Serialize)]
pub struct ConditionAcquisition {
    /// Its name.
    pub condition: &'static str,
    /// Failure to acquire and to enrol.
    #[serde(flatten)]
    pub acquisition: Acquisition,
}

/// The rows of all conditions that were asked for, the undegraded photographs first; none when
/// nothing was asked for or there are too few people for a roster of [`ROSTER`].
///
/// # Errors
/// [`GalleryError`] when templates do not belong together.
pub fn rows(
    args: &EvaluateArgs,
    acquired: &Acquired,
    people: &[Vec<Shot>],
) -> Result<Vec<ByCondition>, GalleryError> {
    let mut rows = Vec::new();
    if acquired.conditions.is_empty() {
        return Ok(rows);
    }
    let count = people.len();
    for photographs in PHOTOGRAPHS {
        let setup = Setup::plain(args, ROSTER, photographs);
        let run = |probes| open_set::run(people, probes, &acquired.space, setup);
        let Some(plain) = run(Probes::Themselves)? else {
            continue;
        };
        rows.push(row(args, count, setup, None, (&plain, plain.clone())));
        for (condition, taken) in &acquired.conditions {
            if let Some(worse) = run(Probes::Instead(&taken.templates))? {
                rows.push(row(args, count, setup, Some(*condition), (&plain, worse)));
            }
        }
    }
    let place = |row: &ByCondition| {
        let name = |condition: &Condition| condition.name() == row.condition;
        Condition::ALL.iter().position(name).map_or(0, |at| at + 1)
    };
    rows.sort_by_key(|row| (place(row), row.photographs));
    Ok(rows)
}

/// Failure to acquire and to enrol under each condition that was asked for.
pub fn acquisition(acquired: &Acquired) -> Vec<ConditionAcquisition> {
    let each = acquired.conditions.iter();
    each.map(|(condition, taken)| ConditionAcquisition {
        condition: condition.name(),
        acquisition: acquisition_of(taken),
    })
    .collect()
}

fn row(
    args: &EvaluateArgs,
    people: usize,
    setup: Setup,
    condition: Option<Condition>,
    (plain, worse): (&Trials, Trials),
) -> ByCondition {
    let once = vec![1; people];
    let threshold = plain.threshold(FPIRS[0], &once);
    let strangers_called = worse.strangers_called(threshold).count();
    let wrong: Vec<usize> = worse
        .wrong_names(threshold)
        .map(|trial| trial.photograph)
        .collect();
    let missed = worse
        .mated
        .iter()
        .filter(|trial| !trial.right() || trial.score < threshold);
    let missed = missed.count();
    let unseen = worse.mated.iter().filter(|trial| trial.called.is_none());
    let missed_without_template = unseen.count();
    let stranger_trials = worse.strangers.len();
    // The threshold comes from the undegraded strangers, in every resampling too.
    let both = Trials {
        strangers: plain.strangers.clone(),
        ..worse
    };
    let interval = bootstrap::fnir(&both, people, FPIRS[0], args.resamplings, args.seed);
    ByCondition {
        condition: condition.map_or(UNDEGRADED, Condition::name),
        formula: condition.map_or("", Condition::formula),
        roster: setup.roster,
        photographs: setup.photographs,
        fpir: FPIRS[0],
        threshold,
        fnir: both.rates(threshold, &once).fnir,
        fnir_low: interval.map(|ends| ends.low),
        fnir_high: interval.map(|ends| ends.high),
        missed,
        missed_without_template,
        wrong_name: wrong.len(),
        wrong_name_photographs: wrong.iter().collect::<BTreeSet<_>>().len(),
        strangers_called,
        mated_trials: both.mated.len(),
        stranger_trials,
    }
}
