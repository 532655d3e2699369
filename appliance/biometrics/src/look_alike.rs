//! People of one roster whose references are alike: found before the meeting, so that somebody can
//! look at their photographs, and treated with more care at the door.
//!
//! Never says that two people are one: that is for people to say.

use std::collections::HashMap;

use vocabulary::{ComparisonScore, Threshold};

use crate::flat::Sink;
use crate::gallery::Gallery;

/// Most pairs that are looked at: more means that the references are not of different people.
pub const LOOK_ALIKES_MAX: usize = 10_000;

/// Two people of a gallery who are alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LookAlike {
    /// Index of the one who was given earlier, for [`Gallery::person`].
    pub first: u32,
    /// Index of the other.
    pub second: u32,
    /// How alike they are at most, over all that probes are compared with.
    pub score: ComparisonScore,
}

/// The pairs of people of a gallery that are alike by at least a threshold, the most alike first.
/// It compares everybody with everybody. Of more than [`LOOK_ALIKES_MAX`] those are told that were
/// found first.
#[must_use]
pub fn look_alikes(gallery: &Gallery, at_least: Threshold) -> Vec<LookAlike> {
    let mut scores = HashMap::new();
    for row in 0..gallery.rows() {
        let mut others = Others {
            gallery,
            row,
            at_least,
            scores: &mut scores,
        };
        gallery.scan(row, &mut others);
    }
    let pair = |((first, second), score)| LookAlike {
        first,
        second,
        score,
    };
    let mut pairs: Vec<LookAlike> = scores.into_iter().map(pair).collect();
    pairs.sort_by(|a, b| {
        let places = |pair: &LookAlike| (pair.first, pair.second);
        (b.score.value().total_cmp(&a.score.value())).then(places(a).cmp(&places(b)))
    });
    pairs
}

/// The people of later rows who are alike enough.
struct Others<'a> {
    gallery: &'a Gallery,
    row: usize,
    at_least: Threshold,
    scores: &'a mut HashMap<(u32, u32), ComparisonScore>,
}

impl Sink for Others<'_> {
    #[inline(always)]
    fn bar(&self) -> f32 {
        // A score that is equal to the threshold reaches it.
        self.at_least.value().next_down()
    }

    fn take(&mut self, row: usize, score: f32) {
        let (first, second) = (self.gallery.owner(self.row), self.gallery.owner(row));
        let Ok(score) = ComparisonScore::new(score.clamp(-1.0, 1.0)) else {
            return;
        };
        // Rows of one person lie together, so the other's index is larger where the row is.
        if second <= first || !score.reaches(self.at_least) {
            return;
        }
        let is_full = self.scores.len() >= LOOK_ALIKES_MAX;
        match self.scores.get_mut(&(first, second)) {
            Some(known) if *known < score => *known = score,
            Some(_) => {}
            None if is_full => {}
            None => drop(self.scores.insert((first, second), score)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vocabulary::{Digest, FeatureSpace, PersonId, Template};

    use super::*;
    use crate::gallery::Scoring;

    fn gallery(scoring: Scoring, people: &[Vec<[f32; 3]>]) -> Gallery {
        let space = FeatureSpace::new("test", Digest::ZERO);
        let people = people.iter().enumerate().map(|(number, references)| {
            let template = |values: &[f32; 3]| Template::normalise(space.clone(), values).unwrap();
            let person = PersonId::new(&format!("P{number}")).unwrap();
            (person, references.iter().map(template).collect())
        });
        Gallery::build_scored(space.clone(), scoring, people).unwrap()
    }

    fn found(gallery: &Gallery, at_least: f32) -> Vec<(u32, u32)> {
        let pairs = look_alikes(gallery, Threshold::new(at_least).unwrap());
        pairs.iter().map(|pair| (pair.first, pair.second)).collect()
    }

    #[test]
    fn the_most_alike_come_first_and_everybody_once() {
        let people = [
            vec![[1.0, 0.0, 0.0]],
            vec![[0.0, 1.0, 0.0]],
            vec![[1.0, 0.2, 0.0], [1.0, 0.1, 0.0]],
            vec![[0.05, 1.0, 0.0]],
        ];
        for scoring in [Scoring::Mean, Scoring::BestOfAll] {
            let gallery = gallery(scoring, &people);
            assert_eq!(found(&gallery, 0.9), [(1, 3), (0, 2)]);
            assert!(found(&gallery, 0.999).is_empty());
            assert_eq!(gallery.likeness(2, 0), gallery.likeness(0, 2));
            assert!(gallery.likeness(0, 2).unwrap().value() > 0.97);
            assert_eq!(gallery.likeness(0, 4), None);
        }
    }

    proptest! {
        /// The fast search finds what comparing everybody with everybody finds.
        #[test]
        fn pairs_are_those_of_a_plain_loop(
            people in prop::collection::vec(
                prop::collection::vec(prop::array::uniform3(-1.0_f32..1.0), 1..3), 0..12),
            at_least in -0.5_f32..0.95,
        ) {
            let usable = |v: &[f32; 3]| v.iter().map(|x| x * x).sum::<f32>() > 0.01;
            prop_assume!(people.iter().flatten().all(usable));
            let gallery = gallery(Scoring::BestOfAll, &people);
            let threshold = Threshold::new(at_least).unwrap();
            let mut plain = Vec::new();
            for first in 0..gallery.people() as u32 {
                for second in first + 1..gallery.people() as u32 {
                    // The two ways may round apart just at the threshold.
                    let score = gallery.likeness(first, second).unwrap();
                    prop_assume!((score.value() - at_least).abs() > 1e-4);
                    if score.reaches(threshold) {
                        plain.push((first, second));
                    }
                }
            }
            let mut pairs = found(&gallery, at_least);
            pairs.sort_unstable();
            prop_assert_eq!(pairs, plain);
        }
    }
}
