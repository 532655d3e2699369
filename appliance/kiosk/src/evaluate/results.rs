//! All numbers of an evaluation in one place, in the form that `--json` writes; the report is
//! written from the same.
//!
//! Holds no identities but in `called_wrongly`, the list that is there to be reviewed: with it a
//! label error, a look-alike and a mistake can be told apart by looking at the photographs.

use std::collections::{BTreeMap, BTreeSet};

use biometrics::GalleryError;
use serde::Serialize;

use super::acquire::{Acquired, Taken};
use super::bootstrap;
use super::by_condition::{self, ByCondition, ConditionAcquisition};
use super::dataset::Dataset;
use super::one_to_one::{self, Face, Mistaken, Pairs};
use super::open_set::{self, Probes, Setup, Shot, Trial, Trials};
use super::split;
use super::ways::{self, ByWay};
use crate::cli::EvaluateArgs;
use crate::config::Config;

/// Sizes of rosters that are drawn.
const ROSTERS: [usize; 4] = [50, 100, 200, 500];

/// Photographs enrolled of each person.
pub const PHOTOGRAPHS: [usize; 3] = [1, 2, 3];

/// Shares of strangers' photographs that may be called.
pub const FPIRS: [f64; 2] = [0.001, 0.01];

/// Thresholds of the one-to-one table.
const THRESHOLDS: [f64; 8] = [0.30, 0.363, 0.40, 0.42, 0.45, 0.48, 0.50, 0.55];

/// Shares of pairs of two people that may match.
const FMRS: [f64; 3] = [1e-3, 1e-4, 1e-5];

/// The threshold that groups are compared at is the one where all pairs have this FMR.
pub const GROUPS_AT_FMR: f64 = 1e-3;

/// Thresholds of the DET curve are this far apart, beside those of the table.
const DET_STEP: f64 = 0.005;

/// Steps of the DET curve from a threshold of 0; those above 0.8 match nobody.
const DET_STEPS: u32 = 160;

/// Steps of [`one_to_one::STEP`] in a bar of the histograms: bars of 0.02.
const BAR_STEPS: usize = 200;

/// Most entries of the list to be reviewed.
const REVIEWED_MAX: usize = 1000;

/// The whole of it.
#[derive(Debug, Serialize)]
pub struct Results {
    /// What was evaluated.
    pub dataset: Counts,
    /// With what.
    pub pipeline: Pipeline,
    /// Failure to acquire and to enrol.
    pub acquisition: Acquisition,
    /// FMR and FNMR.
    pub one_to_one: OneToOne,
    /// Each group at the threshold where all pairs have [`GROUPS_AT_FMR`]; empty when the dataset
    /// names none.
    pub groups: Vec<Group>,
    /// FPIR and FNIR.
    pub open_set: Vec<OpenSet>,
    /// Setups that there were too few people for.
    pub left_out: Vec<LeftOut>,
    /// The open-set rates of worse pictures, where these were asked for.
    pub conditions: Vec<ByCondition>,
    /// What worse pictures come to as such.
    pub conditions_acquisition: Vec<ConditionAcquisition>,
    /// Other ways to compare, where these were asked for.
    pub ways: Vec<ByWay>,
    /// To be looked at.
    pub called_wrongly: Vec<CalledWrongly>,
}

/// What was evaluated.
#[derive(Debug, Serialize)]
pub struct Counts {
    /// Which half of the people.
    pub half: &'static str,
    /// People.
    pub people: usize,
    /// People with two photographs or more.
    pub people_with_several: usize,
    /// Photographs.
    pub photographs: usize,
    /// What rosters and intervals were drawn from.
    pub seed: u64,
    /// Rosters of each size.
    pub rosters: u32,
    /// Resamplings of the people.
    pub resamplings: u32,
}

/// With what it was evaluated.
#[derive(Debug, Serialize)]
pub struct Pipeline {
    /// The detector's id in the manifest.
    pub detector: String,
    /// The least score of a face.
    pub detector_score_min: f64,
    /// The comparer's feature space.
    pub feature_space: String,
    /// This program's version.
    pub version: &'static str,
}

/// Failure to acquire and to enrol.
#[derive(Debug, Serialize)]
pub struct Acquisition {
    /// Photographs without a template, as a share.
    pub failure_to_acquire: f64,
    /// Why, and how many.
    pub failures: BTreeMap<String, usize>,
    /// Photographs that enrolment would refuse, as a share of all, those without a template among
    /// them.
    pub failure_to_enrol: f64,
    /// Why, and how many; those without a template not among them.
    pub refusals: BTreeMap<String, usize>,
}

/// FMR and FNMR.
#[derive(Debug, Serialize)]
pub struct OneToOne {
    /// Pairs of one person.
    pub same_pairs: u64,
    /// Pairs of two people.
    pub different_pairs: u64,
    /// At round thresholds.
    pub by_threshold: Vec<Point>,
    /// At round FMRs.
    pub by_fmr: Vec<Point>,
    /// The DET curve, by rising threshold.
    pub det: Vec<Point>,
    /// How the scores lie.
    pub scores: Scores,
}

/// Histograms of scores: bars side by side, the first from −1 upwards.
#[derive(Debug, Serialize)]
pub struct Scores {
    /// Width of a bar.
    pub width: f64,
    /// Pairs of one person.
    pub same: Vec<u64>,
    /// Pairs of two people.
    pub different: Vec<u64>,
}

/// One threshold.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// The score asked for.
    pub threshold: f64,
    /// Share of pairs of two people that reach it.
    pub fmr: f64,
    /// How many.
    pub false_matches: u64,
    /// Share of pairs of one person that do not reach it.
    pub fnmr: f64,
    /// How many.
    pub false_non_matches: u64,
}

/// A group of people.
#[derive(Debug, Serialize)]
pub struct Group {
    /// The manifest's name for it.
    pub group: String,
    /// People of the group with a template.
    pub people: usize,
    /// Pairs of two people of the group.
    pub different_pairs: u64,
    /// Pairs of one person of the group.
    pub same_pairs: u64,
    /// How many pairs of people the false matches come from.
    pub people_mistaken: usize,
    /// How many people the false non-matches come from.
    pub people_missed: usize,
    /// Its rates.
    #[serde(flatten)]
    pub point: Point,
}

/// One row of the open-set table.
#[derive(Debug, Default, Serialize)]
pub struct OpenSet {
    /// People on the roster.
    pub roster: usize,
    /// Photographs enrolled of each.
    pub photographs: usize,
    /// Share of strangers' photographs that may be called.
    pub fpir: f64,
    /// Share that is.
    pub fpir_reached: f64,
    /// Share of delegates' photographs that are not called by the right name.
    pub fnir: f64,
    /// Lower end of its 95 % interval.
    pub fnir_low: Option<f64>,
    /// Upper end of its 95 % interval.
    pub fnir_high: Option<f64>,
    /// Delegates' photographs that are called by another delegate's name, over all rosters.
    pub wrong_name: usize,
    /// How many different photographs that are.
    pub wrong_name_photographs: usize,
    /// The score asked for.
    pub threshold: f32,
    /// Trials of delegates' photographs, over all rosters.
    pub mated_trials: usize,
    /// Trials of strangers' photographs, over all rosters.
    pub stranger_trials: usize,
    /// People on a roster, on average, of whom fewer photographs were enrolled.
    pub with_fewer: f64,
}

/// A setup without a result.
#[derive(Debug, Serialize)]
pub struct LeftOut {
    /// People on the roster.
    pub roster: usize,
    /// Photographs enrolled of each.
    pub photographs: usize,
}

/// A photograph that was called by a name that is not its person's.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CalledWrongly {
    /// Which.
    pub photograph: String,
    /// By whose name.
    pub called: String,
    /// Whether it shows a stranger; else another delegate.
    pub stranger: bool,
    /// On how many rosters at the lowest FPIR, over all setups.
    pub rosters: usize,
}

impl Results {
    /// Computes all of it.
    ///
    /// # Errors
    /// When templates do not belong together.
    pub fn of(
        config: &Config,
        args: &EvaluateArgs,
        dataset: &Dataset,
        acquired: &Acquired,
    ) -> anyhow::Result<Self> {
        let people = by_person(dataset, acquired);
        let (open_set, left_out, called_wrongly) = identify(args, dataset, acquired, &people)?;
        let (one_to_one, groups) = verify(dataset, acquired)?;
        let mut counts = vec![0; dataset.people.len()];
        dataset
            .photographs
            .iter()
            .for_each(|one| counts[one.person] += 1);
        Ok(Self {
            dataset: Counts {
                half: split::name(args.half),
                people: dataset.people.len(),
                people_with_several: counts.iter().filter(|count| **count > 1).count(),
                photographs: dataset.photographs.len(),
                seed: args.seed,
                rosters: args.rosters,
                resamplings: args.resamplings,
            },
            pipeline: Pipeline {
                detector: config.models.detector.clone(),
                detector_score_min: config.recognition.detector_score_min,
                feature_space: acquired.space.to_string(),
                version: env!("CARGO_PKG_VERSION"),
            },
            acquisition: acquisition(&acquired.plain),
            one_to_one,
            groups,
            open_set,
            left_out,
            conditions: by_condition::rows(args, acquired, &people)?,
            conditions_acquisition: by_condition::acquisition(acquired),
            ways: ways::rows(args, acquired, &people)?,
            called_wrongly,
        })
    }
}

fn by_person(dataset: &Dataset, acquired: &Acquired) -> Vec<Vec<Shot>> {
    let mut people = vec![Vec::new(); dataset.people.len()];
    for (at, template) in acquired.plain.templates.iter().enumerate() {
        if let Some(template) = template {
            people[dataset.photographs[at].person].push((at, template.clone()));
        }
    }
    people
}

/// How many photographs gave no template, or none that enrolment would take.
pub fn acquisition(taken: &Taken) -> Acquisition {
    let count = |reasons: &[(usize, String)]| {
        let mut counts = BTreeMap::new();
        for (_, reason) in reasons {
            *counts.entry(reason.clone()).or_insert(0) += 1;
        }
        counts
    };
    let all = taken.templates.len().max(1) as f64;
    let failed = taken.failures.len();
    Acquisition {
        failure_to_acquire: failed as f64 / all,
        failures: count(&taken.failures),
        failure_to_enrol: (failed + taken.refusals.len()) as f64 / all,
        refusals: count(&taken.refusals),
    }
}

fn verify(dataset: &Dataset, acquired: &Acquired) -> anyhow::Result<(OneToOne, Vec<Group>)> {
    let shown = dataset.photographs.iter().zip(&acquired.plain.templates);
    let faces: Vec<Face<'_>> = shown
        .filter_map(|(photograph, template)| {
            Some(Face {
                person: photograph.person,
                group: dataset.people[photograph.person].group.as_deref(),
                template: template.as_ref()?,
            })
        })
        .collect();
    let found = one_to_one::compare(&faces)?;
    let all = &found.all;
    let fair = all.different.threshold(GROUPS_AT_FMR);
    let mistaken = match found.groups.is_empty() {
        true => Mistaken::default(),
        false => one_to_one::mistaken(&faces, fair)?,
    };
    let group_of = |person: usize| dataset.people[person].group.as_ref();
    let groups = found.groups.iter().map(|(group, pairs)| {
        let theirs = faces.iter().filter(|face| face.group == Some(group));
        Group {
            group: group.clone(),
            people: theirs
                .map(|face| face.person)
                .collect::<BTreeSet<_>>()
                .len(),
            different_pairs: pairs.different.total(),
            same_pairs: pairs.same.total(),
            people_mistaken: mistaken
                .alike
                .iter()
                .filter(|(one, other)| [*one, *other].map(group_of) == [Some(group); 2])
                .count(),
            people_missed: mistaken
                .unlike
                .iter()
                .filter(|person| group_of(**person) == Some(group))
                .count(),
            point: point(pairs, fair),
        }
    });
    let mut det: Vec<f64> = (0..=DET_STEPS).map(|at| f64::from(at) * DET_STEP).collect();
    det.extend(THRESHOLDS);
    det.sort_by(f64::total_cmp);
    det.dedup_by(|one, other| (*one - *other).abs() < one_to_one::STEP);
    let one = OneToOne {
        same_pairs: all.same.total(),
        different_pairs: all.different.total(),
        by_threshold: THRESHOLDS.iter().map(|at| point(all, *at)).collect(),
        by_fmr: FMRS
            .iter()
            .map(|fmr| point(all, all.different.threshold(*fmr)))
            .collect(),
        det: det.iter().map(|at| point(all, *at)).collect(),
        scores: Scores {
            width: BAR_STEPS as f64 * one_to_one::STEP,
            same: all.same.bars(BAR_STEPS),
            different: all.different.bars(BAR_STEPS),
        },
    };
    Ok((one, groups.collect()))
}

fn point(pairs: &Pairs, threshold: f64) -> Point {
    let share = |some: u64, all: u64| {
        if all == 0 {
            0.0
        } else {
            some as f64 / all as f64
        }
    };
    let false_matches = pairs.different.reaching(threshold);
    let false_non_matches = pairs.same.total() - pairs.same.reaching(threshold);
    Point {
        threshold,
        fmr: share(false_matches, pairs.different.total()),
        false_matches,
        fnmr: share(false_non_matches, pairs.same.total()),
        false_non_matches,
    }
}

type Identified = (Vec<OpenSet>, Vec<LeftOut>, Vec<CalledWrongly>);

fn identify(
    args: &EvaluateArgs,
    dataset: &Dataset,
    acquired: &Acquired,
    people: &[Vec<Shot>],
) -> Result<Identified, GalleryError> {
    let (mut rows, mut left_out, mut wrong) = (Vec::new(), Vec::new(), BTreeMap::new());
    for (roster, photographs) in ROSTERS.iter().flat_map(|n| PHOTOGRAPHS.map(|k| (*n, k))) {
        let setup = Setup::plain(args, roster, photographs);
        let Some(trials) = open_set::run(people, Probes::Themselves, &acquired.space, setup)?
        else {
            left_out.push(LeftOut {
                roster,
                photographs,
            });
            continue;
        };
        rows.extend(FPIRS.map(|fpir| row(setup, &trials, fpir, people.len(), args)));
        let threshold = trials.threshold(FPIRS[0], &vec![1; people.len()]);
        let mut note = |trial: &Trial, stranger| {
            if let Some(called) = trial.called {
                *wrong
                    .entry((trial.photograph, called, stranger))
                    .or_insert(0) += 1;
            }
        };
        trials
            .wrong_names(threshold)
            .for_each(|trial| note(trial, false));
        trials
            .strangers_called(threshold)
            .for_each(|trial| note(trial, true));
    }
    let called = wrong
        .into_iter()
        .map(|((photograph, called, stranger), rosters)| CalledWrongly {
            photograph: dataset.photographs[photograph].path.clone(),
            called: dataset.people[called].identity.clone(),
            stranger,
            rosters,
        });
    let mut called: Vec<CalledWrongly> = called.collect();
    called.sort_by(|one, other| other.rosters.cmp(&one.rosters).then_with(|| one.cmp(other)));
    called.truncate(REVIEWED_MAX);
    Ok((rows, left_out, called))
}

fn row(setup: Setup, trials: &Trials, fpir: f64, people: usize, args: &EvaluateArgs) -> OpenSet {
    let once = vec![1; people];
    let threshold = trials.threshold(fpir, &once);
    let rates = trials.rates(threshold, &once);
    let interval = bootstrap::fnir(trials, people, fpir, args.resamplings, args.seed);
    let wrong: Vec<usize> = trials
        .wrong_names(threshold)
        .map(|t| t.photograph)
        .collect();
    OpenSet {
        roster: setup.roster,
        photographs: setup.photographs,
        fpir,
        fpir_reached: rates.fpir,
        fnir: rates.fnir,
        fnir_low: interval.map(|ends| ends.low),
        fnir_high: interval.map(|ends| ends.high),
        wrong_name: wrong.len(),
        wrong_name_photographs: wrong.iter().collect::<BTreeSet<_>>().len(),
        threshold,
        mated_trials: trials.mated.len(),
        stranger_trials: trials.strangers.len(),
        with_fewer: trials.places_with_fewer as f64 / setup.rosters as f64,
    }
}
