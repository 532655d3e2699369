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
        let Some((first, second)) = self.best_two(gallery) else {
            return Some(Decision::NotIdentified { best: None });
        };
        let reached = first.score.reaches(policy.accept());
        let agreed = self.led_by(&first.person) >= policy.frames_min();
        let rival =
            second.filter(|second| first.score.value() - second.score.value() < policy.margin());
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

    /// The two people most like the mean of the frames.
    fn best_two(&mut self, gallery: &Gallery) -> Option<(Ranked, Option<Ranked>)> {
        if self.frames == 0 {
            return None;
        }
        let mean: Vec<f32> = self.sum.iter().map(|total| total / self.weight).collect();
        gallery.search_values(&mean, 2, &mut self.found);
        let ranked = |candidate: &Candidate| {
            gallery.person(candidate.person).map(|person| Ranked {
                person: person.clone(),
                score: candidate.score,
            })
        };
        let first = self.found.first().and_then(ranked)?;
        Some((first, self.found.get(1).and_then(ranked)))
    }

    fn led_by(&self, person: &PersonId) -> u32 {
        let led = self.leaders.iter().find(|(who, _)| who == person);
        led.map_or(0, |(_, count)| *count)
    }
}
