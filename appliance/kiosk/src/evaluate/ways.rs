//! Other ways to compare, held against the plain one: the same rosters, the same enrolled
//! photographs and the same probes, and the difference in misses with an interval that pairs them.
//!
//! Pure. It switches nothing: what the kiosk does is decided by people who have read the table, on
//! the half of the people that nothing was tuned on.

use biometrics::{GalleryError, Scoring};
use serde::Serialize;
use vocabulary::Template;

use super::acquire::Acquired;
use super::bootstrap;
use super::by_condition::ROSTER;
use super::open_set::{self, Probes, Setup, Shot, Trials};
use super::results::{FPIRS, PHOTOGRAPHS};
use crate::cli::EvaluateArgs;

/// A way to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// Each enrolled photograph is the mean of its crop and of the crop mirrored; probes are plain.
    MirroredReferences,
    /// Probes too, for which a face costs two templates at the door.
    MirroredBoth,
    /// Each enrolled photograph is compared apart, and their mean, and the best counts.
    BestOfAll,
}

impl Way {
    const ALL: [Self; 3] = [
        Self::MirroredReferences,
        Self::MirroredBoth,
        Self::BestOfAll,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::MirroredReferences => "enrolled with the mirrored crop",
            Self::MirroredBoth => "enrolled and probed with the mirrored crop",
            Self::BestOfAll => "best of the references and their mean",
        }
    }
}

/// One way with one number of photographs at one FPIR.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByWay {
    /// Its name.
    pub way: &'static str,
    /// People on the roster.
    pub roster: usize,
    /// Photographs enrolled of each.
    pub photographs: usize,
    /// Share of strangers' photographs that may be called.
    pub fpir: f64,
    /// The score asked for.
    pub threshold: f32,
    /// Share of delegates' photographs that are not called by the right name.
    pub fnir: f64,
    /// The same of the plain way, at its own threshold.
    pub plain: f64,
    /// Lower end of the 95 % interval of this way's FNIR less the plain one's.
    pub difference_low: Option<f64>,
    /// Its upper end.
    pub difference_high: Option<f64>,
    /// Delegates' photographs that are called by another delegate's name.
    pub wrong_name: usize,
}

/// The rows of all ways; none when they were not asked for or there are too few people.
///
/// # Errors
/// [`GalleryError`] when templates do not belong together.
pub fn rows(
    args: &EvaluateArgs,
    acquired: &Acquired,
    people: &[Vec<Shot>],
) -> Result<Vec<ByWay>, GalleryError> {
    let mut rows = Vec::new();
    let Some(mirrored) = &acquired.mirrored else {
        return Ok(rows);
    };
    let both = with_mirrored(people, &mirrored.templates);
    for photographs in PHOTOGRAPHS {
        let setup = Setup::plain(args, ROSTER, photographs);
        let run = |people, probes, setup| open_set::run(people, probes, &acquired.space, setup);
        let Some(plain) = run(people, Probes::Themselves, setup)? else {
            continue;
        };
        for way in Way::ALL {
            let trials = match way {
                Way::MirroredReferences => {
                    let probes = Probes::Instead(&acquired.plain.templates);
                    run(&both, probes, setup)?
                }
                Way::MirroredBoth => run(&both, Probes::Themselves, setup)?,
                // One reference is its own mean.
                Way::BestOfAll if photographs == 1 => None,
                Way::BestOfAll => {
                    let scoring = Scoring::BestOfAll;
                    run(people, Probes::Themselves, Setup { scoring, ..setup })?
                }
            };
            if let Some(trials) = trials {
                let count = people.len();
                rows.extend(FPIRS.map(|fpir| row(args, count, setup, way, fpir, &plain, &trials)));
            }
        }
    }
    rows.sort_by_key(|row| Way::ALL.iter().position(|way| way.name() == row.way));
    Ok(rows)
}

/// The same people, each photograph the mean of both crops; the plain one where there is no other.
fn with_mirrored(people: &[Vec<Shot>], mirrored: &[Option<Template>]) -> Vec<Vec<Shot>> {
    let both = |(photograph, plain): &Shot| {
        let other = mirrored.get(*photograph).and_then(Option::as_ref);
        let mean = other.and_then(|other| Template::mean(&[plain.clone(), other.clone()]).ok());
        (*photograph, mean.unwrap_or_else(|| plain.clone()))
    };
    let shots = |shots: &Vec<Shot>| shots.iter().map(both).collect();
    people.iter().map(shots).collect()
}

fn row(
    args: &EvaluateArgs,
    people: usize,
    setup: Setup,
    way: Way,
    fpir: f64,
    plain: &Trials,
    trials: &Trials,
) -> ByWay {
    let once = vec![1; people];
    let threshold = trials.threshold(fpir, &once);
    let (seed, resamplings) = (args.seed, args.resamplings);
    let ends = bootstrap::difference([plain, trials], people, fpir, resamplings, seed);
    ByWay {
        way: way.name(),
        roster: setup.roster,
        photographs: setup.photographs,
        fpir,
        threshold,
        fnir: trials.rates(threshold, &once).fnir,
        plain: plain.rates(plain.threshold(fpir, &once), &once).fnir,
        difference_low: ends.map(|ends| ends.low),
        difference_high: ends.map(|ends| ends.high),
        wrong_name: trials.wrong_names(threshold).count(),
    }
}
