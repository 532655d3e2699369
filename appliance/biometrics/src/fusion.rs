//! From the frames of one track to one decision.
//!
//! Never decides on a single frame, and never names anybody whom only the mean and no frame by
//! itself has spoken for: that would be two people taken for one track.

use vocabulary::{Decision, PersonId, Ranked, Template, TemplateError};

use crate::gallery::{Candidate, Gallery, GalleryError};
use crate::policy::{FRAMES_MAX, Policy};

/// Why a frame cannot be taken into account.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FusionError {
    /// The frame's template does not compare with the gallery.
    #[error("the frame cannot be compared")]
    Gallery(#[source] GalleryError),
    /// The frame's template is not of the kind of those before it.
    #[error("the frame's template differs in kind from those before it")]
    Template(#[source] TemplateError),
    /// A weight that is not above 0 and at most 1.
    #[error("a frame cannot weigh {0}; weights are above 0 and at most 1")]
    Weight(f32),
}

/// What the usable frames of one track have shown so far. A roster that is replaced needs fresh
/// evidence.
///
/// The weighted mean of the probes is kept, not normalised: its product with a reference is the
/// weighted mean of the frames' scores with that reference, for everybody in the gallery at once.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    sum: Vec<f32>,
    weight: f32,
    frames: u32,
    /// Who came first in how many frames.
    leaders: Vec<(PersonId, u32)>,
    mean: Vec<f32>,
    found: Vec<Candidate>,
}

impl Evidence {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one usable frame into account; `weight` is [`crate::Quality::weight`], above 0. After
    /// [`FRAMES_MAX`] frames more are ignored.
    ///
    /// # Errors
    /// [`FusionError`]; the evidence is then unchanged.
    pub fn add(
        &mut self,
        gallery: &Gallery,
        template: &Template,
        weight: f32,
    ) -> Result<(), FusionError> {
        if !(weight > 0.0 && weight <= 1.0) {
            return Err(FusionError::Weight(weight));
        }
        let values = template.values();
        if !self.sum.is_empty() && self.sum.len() != values.len() {
            let length = TemplateError::Length(values.len());
            return Err(FusionError::Template(length));
        }
        if self.frames >= FRAMES_MAX {
            return Ok(());
        }
        gallery
            .search(template, 1, &mut self.found)
            .map_err(FusionError::Gallery)?;
        self.sum.resize(values.len(), 0.0);
        for (total, value) in self.sum.iter_mut().zip(values) {
            *total += weight * value;
        }
        self.weight += weight;
        self.frames += 1;
        if let Some(first) = self.found.first().and_then(|c| gallery.person(c.person)) {
            match self.leaders.iter_mut().find(|(who, _)| who == first) {
                Some((_, count)) => *count += 1,
                None => self.leaders.push((first.clone(), 1)),
            }
        }
        Ok(())
    }

    /// How many usable frames there were.
    #[must_use]
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// What the frames come to; `None` while more are worth waiting for.
    #[must_use]
    pub fn decide(&mut self, gallery: &Gallery, policy: &Policy) -> Option<Decision> {
        if self.frames < policy.frames_min() {
            return None;
        }
        let last_chance = self.frames >= policy.frames_max();
        let Some((first, second, margin)) = self.best_two(gallery, policy) else {
            return Some(Decision::NotIdentified { best: None });
        };
        let reached = first.score.reaches(policy.accept());
        let agreed = self.led_by(&first.person) >= policy.frames_min();
        let rival = second.filter(|second| first.score.value() - second.score.value() < margin);
        match (reached, rival) {
            (true, None) if agreed && policy.face_decides() => Some(Decision::Identified(first)),
            (true, None) if agreed || last_chance => Some(Decision::Ambiguous {
                first,
                second: None,
            }),
            (true, Some(second)) if last_chance => Some(Decision::Ambiguous {
                first,
                second: Some(second),
            }),
            (false, _) if last_chance => Some(Decision::NotIdentified {
                best: Some(first.score),
            }),
            (true, _) | (false, _) => None,
        }
    }

    /// The two people most like the mean of the frames, and how far apart they must be.
    fn best_two(
        &mut self,
        gallery: &Gallery,
        policy: &Policy,
    ) -> Option<(Ranked, Option<Ranked>, f32)> {
        if self.frames == 0 {
            return None;
        }
        self.mean.clear();
        let mean = self.sum.iter().map(|total| total / self.weight);
        self.mean.extend(mean);
        gallery.search_values(&self.mean, 2, &mut self.found);
        let ranked = |candidate: &Candidate| {
            gallery.person(candidate.person).map(|person| Ranked {
                person: person.clone(),
                score: candidate.score,
            })
        };
        let first = self.found.first().and_then(ranked)?;
        let likeness = match self.found.as_slice() {
            [one, other, ..] => gallery.likeness(one.person, other.person),
            [] | [_] => None,
        };
        let margin = likeness.map_or(policy.margin(), |score| policy.margin_between(score));
        Some((first, self.found.get(1).and_then(ranked), margin))
    }

    fn led_by(&self, person: &PersonId) -> u32 {
        let led = self.leaders.iter().find(|(who, _)| who == person);
        led.map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{OperatingPoint, PolicyConfig};
    use proptest::prelude::*;
    use vocabulary::{Digest, FeatureSpace, Threshold};

    fn template(values: &[f32]) -> Template {
        let space = FeatureSpace::new("test", Digest::ZERO);
        Template::normalise(space, values).unwrap()
    }

    fn person(name: &str) -> PersonId {
        PersonId::new(name).unwrap()
    }

    /// A and B are unlike; C is nearly A.
    fn gallery() -> Gallery {
        let people = [
            (person("A"), vec![template(&[1.0, 0.0, 0.0, 0.0])]),
            (person("B"), vec![template(&[0.0, 1.0, 0.0, 0.0])]),
            (person("C"), vec![template(&[0.99, 0.0, 0.14, 0.0])]),
        ];
        Gallery::build(FeatureSpace::new("test", Digest::ZERO), people).unwrap()
    }

    fn policy(people: usize) -> Policy {
        let table = [(0.4, 1e-3), (0.5, 1e-5)].map(|(threshold, fmr)| OperatingPoint {
            threshold: Threshold::new(threshold).unwrap(),
            fmr,
            fnmr: 0.01,
        });
        Policy::for_roster(&PolicyConfig::default(), &table, people).unwrap()
    }

    /// Adds the frames one by one; the decision after each.
    fn decisions(frames: &[&[f32]], policy: &Policy) -> Vec<Option<Decision>> {
        let gallery = gallery();
        let mut evidence = Evidence::new();
        frames
            .iter()
            .map(|frame| {
                evidence.add(&gallery, &template(frame), 1.0).unwrap();
                evidence.decide(&gallery, policy)
            })
            .collect()
    }

    const LIKE_A: &[f32] = &[0.8, 0.0, -0.5, 0.3];
    const CLEARLY_A: &[f32] = &[0.55, 0.0, -0.83, 0.05];
    const LIKE_B: &[f32] = &[0.0, 0.8, 0.0, 0.6];
    const BETWEEN_A_AND_C: &[f32] = &[1.0, 0.0, 0.07, 0.5];
    const NOBODY: &[f32] = &[0.1, 0.1, 0.0, 1.0];

    fn name_of(decision: &Option<Decision>) -> String {
        match decision {
            None => "wait".into(),
            Some(Decision::Identified(ranked)) => ranked.person.to_string(),
            Some(Decision::NotIdentified { best }) => format!("nobody {}", best.is_some()),
            Some(Decision::Ambiguous { first, second }) => match second {
                Some(second) => format!("{} or {}", first.person, second.person),
                None => format!("{}?", first.person),
            },
        }
    }

    fn check(frames: &[&[f32]], people: usize, expect: &[&str]) {
        let found = decisions(frames, &policy(people));
        let names: Vec<String> = found.iter().map(name_of).collect();
        assert_eq!(names, expect);
    }

    #[test]
    fn two_good_frames_decide_and_one_never_does() {
        check(&[CLEARLY_A, CLEARLY_A], 3, &["wait", "A"]);
        check(&[LIKE_B, LIKE_B], 3, &["wait", "B"]);
    }

    #[test]
    fn one_frame_of_somebody_else_delays_and_does_not_decide() {
        check(&[LIKE_A, LIKE_B, LIKE_B], 3, &["wait", "wait", "B"]);
    }

    #[test]
    fn a_stranger_is_given_up_after_the_last_frame() {
        let mut expect = ["wait"; 8];
        expect[7] = "nobody true";
        check(&[NOBODY; 8], 3, &expect);
    }

    #[test]
    fn two_people_within_the_margin_stay_two() {
        let mut expect = ["wait"; 8];
        expect[7] = "A or C";
        check(&[BETWEEN_A_AND_C; 8], 3, &expect);
    }

    #[test]
    fn look_alikes_must_be_twice_as_far_apart() {
        // 0.08 ahead of C, who is nearly A: enough between people who are not alike.
        let mut expect = ["wait"; 8];
        expect[7] = "A or C";
        check(&[LIKE_A; 8], 3, &expect);
    }

    #[test]
    fn on_a_large_roster_the_face_only_proposes() {
        check(&[LIKE_B, LIKE_B], 5_000, &["wait", "B?"]);
    }

    #[test]
    fn an_empty_gallery_identifies_nobody() {
        let gallery = Gallery::build(FeatureSpace::new("test", Digest::ZERO), []).unwrap();
        let mut evidence = Evidence::new();
        for _ in 0..2 {
            evidence.add(&gallery, &template(LIKE_A), 1.0).unwrap();
        }
        assert_eq!(
            evidence.decide(&gallery, &policy(0)),
            Some(Decision::NotIdentified { best: None })
        );
    }

    #[test]
    fn frames_that_do_not_compare_change_nothing() {
        let gallery = gallery();
        let mut evidence = Evidence::new();
        let other = Template::normalise(FeatureSpace::new("x", Digest::ZERO), LIKE_A).unwrap();
        assert!(evidence.add(&gallery, &other, 1.0).is_err());
        for weight in [0.0, -1.0, 1.5, f32::NAN] {
            assert!(evidence.add(&gallery, &template(LIKE_A), weight).is_err());
        }
        assert_eq!(evidence.frames(), 0);
        for _ in 0..FRAMES_MAX + 5 {
            evidence.add(&gallery, &template(LIKE_A), 1.0).unwrap();
        }
        assert_eq!(evidence.frames(), FRAMES_MAX);
    }

    proptest! {
        /// Whatever the frames: nobody is named before the least number of them or below the
        /// threshold or within the margin, and after the most there is an answer.
        #[test]
        fn nobody_is_named_lightly(
            frames in prop::collection::vec(
                (prop::array::uniform4(-1.0_f32..1.0), 0.05_f32..1.0), 1..12),
            people in 1_usize..200,
        ) {
            let (gallery, policy) = (gallery(), policy(people));
            let mut evidence = Evidence::new();
            let mut sums = [0.0_f32; 4];
            let mut weights = 0.0;
            for (values, weight) in &frames {
                if values.iter().all(|value| value.abs() < 1e-3) {
                    continue;
                }
                let template = template(values);
                evidence.add(&gallery, &template, *weight).unwrap();
                weights += weight;
                for (sum, value) in sums.iter_mut().zip(template.values()) {
                    *sum += weight * value;
                }
                let decision = evidence.decide(&gallery, &policy);
                if evidence.frames() >= policy.frames_max() {
                    prop_assert!(decision.is_some());
                }
                if evidence.frames() < policy.frames_min() {
                    prop_assert!(decision.is_none());
                }
                if let Some(Decision::Identified(ranked)) = decision {
                    prop_assert!(policy.face_decides());
                    prop_assert!(ranked.score.reaches(policy.accept()));
                    // The score is the weighted mean of the frames' scores.
                    let axis = match ranked.person.as_str() { "A" => 0, "B" => 1, _ => continue };
                    let mean = sums[axis] / weights;
                    prop_assert!((mean - ranked.score.value()).abs() < 1e-4);
                }
            }
        }

        /// More frames of the same face never turn a name into another.
        #[test]
        fn repeating_a_frame_repeats_the_name(values in prop::array::uniform4(0.0_f32..1.0)) {
            prop_assume!(values.iter().any(|value| *value > 0.1));
            let frames: Vec<&[f32]> = vec![&values; 8];
            let found = decisions(&frames, &policy(3));
            let names = found.iter().map(name_of).filter(|name| name != "wait");
            let mut names: Vec<String> = names.collect();
            names.dedup();
            prop_assert!(names.len() <= 1, "{:?}", names);
        }
    }
}
