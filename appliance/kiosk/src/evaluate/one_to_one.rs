//! One-to-one comparison of every two photographs: false matches (FMR) among pairs of two people,
//! false non-matches (FNMR) among pairs of one, by threshold, and the same within each group.
//!
//! Pure. Scores are counted in steps of [`STEP`], so the memory does not depend on the dataset.

use std::collections::{BTreeMap, BTreeSet};

use vocabulary::{Template, TemplateError};

/// Width of a step of scores.
pub const STEP: f64 = 1e-4;

/// The lowest score, where the first step begins.
pub const SCORE_LOWEST: f64 = -1.0;

/// Steps from −1 to 1, and one for 1 itself.
const STEPS: usize = 20_001;

/// How many pairs have which score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; STEPS],
            total: 0,
        }
    }
}

impl Histogram {
    /// How many pairs there are.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many score at least as high; the threshold is taken to the nearest step.
    pub fn reaching(&self, threshold: f64) -> u64 {
        self.counts[nearest_step(threshold)..].iter().sum()
    }

    /// The lowest threshold, a whole number of steps, that at most this share reaches.
    pub fn threshold(&self, share: f64) -> f64 {
        let budget = share * self.total as f64;
        let mut reached = 0;
        for (at, count) in self.counts.iter().enumerate().rev() {
            reached += count;
            if reached as f64 > budget {
                return (at + 1) as f64 * STEP - 1.0;
            }
        }
        -1.0
    }

    /// The counts of every `steps` steps together, from a score of [`SCORE_LOWEST`] upwards. A
    /// score of 1 itself counts in the last bar.
    pub fn bars(&self, steps: usize) -> Vec<u64> {
        let (below, top) = self.counts.split_at(STEPS - 1);
        let mut bars: Vec<u64> = below
            .chunks(steps.max(1))
            .map(|steps| steps.iter().sum())
            .collect();
        if let Some(last) = bars.last_mut() {
            *last += top.iter().sum::<u64>();
        }
        bars
    }

    fn add(&mut self, score: f32) {
        self.counts[step_of(score)] += 1;
        self.total += 1;
    }
}

/// The step at or below a score, so that nothing counts as more alike than it is.
fn step_of(score: f32) -> usize {
    let step = ((f64::from(score) - SCORE_LOWEST) / STEP).floor();
    step.clamp(0.0, (STEPS - 1) as f64) as usize
}

/// The first step that reaches a threshold, which is a whole number of steps but for rounding.
fn nearest_step(threshold: f64) -> usize {
    let step = ((threshold - SCORE_LOWEST) / STEP).round();
    step.clamp(0.0, STEPS as f64) as usize
}

/// Pairs of photographs, counted by their score.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    /// Of one person.
    pub same: Histogram,
    /// Of two people.
    pub different: Histogram,
}

/// The pairs of a dataset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OneToOne {
    /// All of them.
    pub all: Pairs,
    /// Those within each group.
    pub groups: BTreeMap<String, Pairs>,
}

/// A photograph as it is compared here.
#[derive(Debug, Clone, Copy)]
pub struct Face<'a> {
    /// Whom it shows.
    pub person: usize,
    /// That person's group, if it is known.
    pub group: Option<&'a str>,
    /// Its template.
    pub template: &'a Template,
}

/// Compares every two photographs.
///
/// # Errors
/// [`TemplateError`] when templates do not belong together.
pub fn compare(faces: &[Face<'_>]) -> Result<OneToOne, TemplateError> {
    let mut found = OneToOne::default();
    for group in faces.iter().filter_map(|face| face.group) {
        if !found.groups.contains_key(group) {
            found.groups.insert(group.to_owned(), Pairs::default());
        }
    }
    for (at, one) in faces.iter().enumerate() {
        for other in &faces[at + 1..] {
            let score = one.template.compare(other.template)?.value();
            let count = |pairs: &mut Pairs| match one.person == other.person {
                true => pairs.same.add(score),
                false => pairs.different.add(score),
            };
            count(&mut found.all);
            if let Some(group) = one.group.filter(|_| one.group == other.group)
                && let Some(pairs) = found.groups.get_mut(group)
            {
                count(pairs);
            }
        }
    }
    Ok(found)
}

/// Whom the errors at one threshold come from: a hundred false matches of one pair of look-alikes
/// are one finding, not a hundred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mistaken {
    /// Which two people have photographs that match, the lower number first.
    pub alike: BTreeSet<(usize, usize)>,
    /// Which people have two photographs that do not match.
    pub unlike: BTreeSet<usize>,
}

/// Finds whom the errors at a threshold come from.
///
/// # Errors
/// [`TemplateError`] when templates do not belong together.
pub fn mistaken(faces: &[Face<'_>], threshold: f64) -> Result<Mistaken, TemplateError> {
    let least = nearest_step(threshold);
    let mut found = Mistaken::default();
    for (at, one) in faces.iter().enumerate() {
        for other in &faces[at + 1..] {
            let matches = step_of(one.template.compare(other.template)?.value()) >= least;
            match (one.person == other.person, matches) {
                (true, true) | (false, false) => {}
                (true, false) => {
                    found.unlike.insert(one.person);
                }
                (false, true) => {
                    let (one, other) = (one.person, other.person);
                    found.alike.insert((one.min(other), one.max(other)));
                }
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{Digest, FeatureSpace};

    fn template(degrees: f32) -> Template {
        let values = [degrees.to_radians().cos(), degrees.to_radians().sin()];
        Template::normalise(FeatureSpace::new("test", Digest::ZERO), &values).unwrap()
    }

    #[test]
    fn pairs_are_counted_once_and_by_whom_they_show() {
        // Scores: 0–1 of one person at 60° (0.5); 0–2 at 90° (0), 1–2 at 30° (0.866).
        let templates = [template(0.0), template(60.0), template(90.0)];
        let face = |at: usize, person, group| Face {
            person,
            group,
            template: &templates[at],
        };
        let faces = [
            face(0, 7, Some("a")),
            face(1, 7, Some("a")),
            face(2, 8, None),
        ];
        let found = compare(&faces).unwrap();
        assert_eq!(
            (found.all.same.total(), found.all.different.total()),
            (1, 2)
        );
        let check = |threshold: f64, same: u64, different: u64| {
            assert_eq!(found.all.same.reaching(threshold), same, "{threshold}");
            assert_eq!(
                found.all.different.reaching(threshold),
                different,
                "{threshold}"
            );
        };
        check(-1.0, 1, 2);
        check(0.49, 1, 1);
        check(0.51, 0, 1);
        check(0.87, 0, 0);
        // Twice the same two people are one pair; one person is none.
        let check = |threshold: f64, alike: &[(usize, usize)], unlike: &[usize]| {
            let found = mistaken(&faces, threshold).unwrap();
            let expect = (
                alike.iter().copied().collect(),
                unlike.iter().copied().collect(),
            );
            assert_eq!((found.alike, found.unlike), expect, "{threshold}");
        };
        check(-1.0, &[(7, 8)], &[]);
        check(0.86, &[(7, 8)], &[7]);
        check(0.87, &[], &[7]);
        let group = &found.groups["a"];
        assert_eq!((group.same.total(), group.different.total()), (1, 0));
    }

    #[test]
    fn a_threshold_lets_no_larger_share_through() {
        let mut scores = Histogram::default();
        (0..1000).for_each(|number| scores.add(number as f32 / 1000.0 + 0.00005));
        for share in [0.0, 0.001, 0.01, 0.5, 0.999] {
            let threshold = scores.threshold(share);
            let reached = scores.reaching(threshold) as f64 / 1000.0;
            let below = scores.reaching(threshold - STEP) as f64 / 1000.0;
            assert!(
                reached <= share && share < below,
                "{share}: {threshold} {reached} {below}"
            );
        }
        assert_eq!(scores.threshold(1.0), -1.0);
        assert_eq!(Histogram::default().threshold(0.0), -1.0);
    }

    #[test]
    fn the_ends_of_the_scale_are_counted() {
        let mut scores = Histogram::default();
        [-1.0, 1.0].into_iter().for_each(|score| scores.add(score));
        assert_eq!(
            (scores.reaching(-1.0), scores.reaching(1.0), scores.total()),
            (2, 1, 2)
        );
        scores.add(0.0101);
        let bars = scores.bars(100);
        assert_eq!((bars.len(), bars.iter().sum::<u64>()), (200, 3));
        assert_eq!((bars[0], bars[101], bars[199]), (1, 1, 1));
    }
}
