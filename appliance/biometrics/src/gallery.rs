//! The references of one roster in memory, and the search over them.
//!
//! Exhaustive on purpose: a roster has thousands of references, not millions, and an answer that is
//! exact needs no explaining. Holds no names, only ids; never compares across feature spaces.

use vocabulary::{ComparisonScore, FeatureSpace, PersonId, Template, TemplateError};

use crate::flat::{Flat, Sink};

/// Most rows of one gallery: 20,000 people with some references each, and room for a city.
pub const GALLERY_ROWS_MAX: usize = 1 << 20;

/// Why a gallery cannot be built or searched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GalleryError {
    /// A reference does not fit the gallery.
    #[error("a reference of person {person} does not belong to this gallery; enrol them again")]
    Reference {
        /// Whose.
        person: PersonId,
        /// Why.
        #[source]
        source: TemplateError,
    },
    /// A person appears twice.
    #[error("person {0} is in the gallery twice; give all their references at once")]
    Duplicate(PersonId),
    /// More references than a gallery holds.
    #[error("{0} references are more than a gallery's {GALLERY_ROWS_MAX}; split the roster")]
    TooMany(usize),
    /// The probe does not fit the gallery.
    #[error("the probe does not belong to this gallery's feature space")]
    Probe(#[source] TemplateError),
}

/// What a probe is compared with, of a person who has several references.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scoring {
    /// Their mean. A stranger then gets one chance with each person, as the measured thresholds
    /// suppose; on 357 people of public photographs a roster of 200 with two references each called
    /// 1.2 times as many strangers at 0.40 as with one.
    #[default]
    Mean,
    /// Each of them apart and their mean, and the best counts. Misses about as few as the mean at
    /// the same rate of strangers called, but at the same threshold calls twice as many strangers,
    /// so the threshold must rise: [`Gallery::rows`] says with how many vectors a probe is
    /// compared.
    BestOfAll,
}

/// A person of the gallery and how alike the probe is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Index of the person, for [`Gallery::person`].
    pub person: u32,
    /// The score by the gallery's [`Scoring`].
    pub score: ComparisonScore,
}

/// The search set: of each person the vectors that probes are compared with.
#[derive(Debug, Clone)]
pub struct Gallery {
    space: FeatureSpace,
    scoring: Scoring,
    values_per_template: usize,
    rows: Flat,
    /// Whose each row is.
    owners: Vec<u32>,
    persons: Vec<PersonId>,
}

impl Gallery {
    /// Lays out the references of each person, scored by their mean. People without a reference are
    /// left out: nothing can be compared with them, and they never count as candidates.
    ///
    /// # Errors
    /// [`GalleryError`] names the person whose reference does not fit or who stands there twice.
    pub fn build(
        space: FeatureSpace,
        people: impl IntoIterator<Item = (PersonId, Vec<Template>)>,
    ) -> Result<Self, GalleryError> {
        Self::build_scored(space, Scoring::default(), people)
    }

    /// The same with another scoring.
    ///
    /// # Errors
    /// As [`Gallery::build`].
    pub fn build_scored(
        space: FeatureSpace,
        scoring: Scoring,
        people: impl IntoIterator<Item = (PersonId, Vec<Template>)>,
    ) -> Result<Self, GalleryError> {
        let mut gallery = Self {
            space,
            scoring,
            values_per_template: 0,
            rows: Flat::new(0),
            owners: Vec::new(),
            persons: Vec::new(),
        };
        let mut seen = std::collections::HashSet::new();
        for (person, references) in people {
            if !seen.insert(person.clone()) {
                return Err(GalleryError::Duplicate(person));
            }
            if !references.is_empty() {
                gallery.add(person, &references)?;
            }
        }
        Ok(gallery)
    }

    fn add(&mut self, person: PersonId, references: &[Template]) -> Result<(), GalleryError> {
        let refuse = |source| GalleryError::Reference {
            person: person.clone(),
            source,
        };
        for reference in references {
            self.fits(reference).map_err(refuse)?;
            if self.values_per_template == 0 {
                self.values_per_template = reference.values().len();
                self.rows = Flat::new(self.values_per_template);
            }
        }
        let mean = match Template::mean(references) {
            Ok(mean) => Some(mean),
            // References that cancel out have no mean; each then stands for itself.
            Err(TemplateError::NoDirection) => None,
            Err(
                source @ (TemplateError::Length(_)
                | TemplateError::NotUnit(_)
                | TemplateError::Spaces(..)
                | TemplateError::Score(_)),
            ) => return Err(refuse(source)),
        };
        let apart = self.scoring == Scoring::BestOfAll || mean.is_none();
        if apart && references.len() > 1 {
            references.iter().for_each(|reference| self.push(reference));
        }
        if let Some(mean) = &mean {
            self.push(mean);
        }
        if self.rows.len() > GALLERY_ROWS_MAX {
            return Err(GalleryError::TooMany(self.rows.len()));
        }
        self.persons.push(person);
        Ok(())
    }

    /// Takes a row of the person who comes next. Its length is made 1 once more: stored bytes are
    /// only near it.
    fn push(&mut self, reference: &Template) {
        let values = reference.values();
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        let unit: Vec<f32> = values.iter().map(|value| value / length).collect();
        self.rows.push(&unit);
        self.owners.push(self.persons.len() as u32);
    }

    fn fits(&self, template: &Template) -> Result<(), TemplateError> {
        if *template.space() != self.space {
            return Err(TemplateError::Spaces(
                self.space.clone(),
                template.space().clone(),
            ));
        }
        if self.values_per_template != 0 && template.values().len() != self.values_per_template {
            return Err(TemplateError::Length(template.values().len()));
        }
        Ok(())
    }

    /// The feature space of every reference.
    #[must_use]
    pub fn space(&self) -> &FeatureSpace {
        &self.space
    }

    /// How many people have a reference.
    #[must_use]
    pub fn people(&self) -> usize {
        self.persons.len()
    }

    /// With how many vectors a probe is compared, which is how many chances a stranger has: one a
    /// person by their mean, more by the best of all.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The person of a candidate; `None` for an index that this gallery never gave out.
    #[must_use]
    pub fn person(&self, index: u32) -> Option<&PersonId> {
        self.persons.get(index as usize)
    }

    /// How alike two people's references are at most; `None` for an index that this gallery never
    /// gave out.
    #[must_use]
    pub fn likeness(&self, one: u32, other: u32) -> Option<ComparisonScore> {
        let others = self.rows_of(other);
        let scores = self.rows_of(one).flat_map(|a| {
            let product = move |b| {
                let pairs = self.rows.row(a).iter().zip(self.rows.row(b));
                pairs.map(|(x, y)| x * y).sum::<f32>()
            };
            others.clone().map(product)
        });
        let most = scores.reduce(f32::max)?;
        ComparisonScore::new(most.clamp(-1.0, 1.0)).ok()
    }

    /// The rows of a person; they lie together.
    fn rows_of(&self, person: u32) -> std::ops::Range<usize> {
        let from = self.owners.partition_point(|owner| *owner < person);
        let to = self.owners.partition_point(|owner| *owner <= person);
        from..to
    }

    /// Whose a row is.
    pub(crate) fn owner(&self, row: usize) -> u32 {
        self.owners[row]
    }

    /// Gives `sink` the rows that are like a row of this gallery.
    pub(crate) fn scan(&self, row: usize, sink: &mut impl Sink) {
        self.rows.search(self.rows.row(row), sink);
    }

    /// Ranks the people most like the probe: at most `top` candidates into `found`, best first;
    /// equal scores in the order in which the people were given. Reuses `found`'s memory.
    ///
    /// # Errors
    /// [`GalleryError::Probe`] when the probe is of another feature space or length.
    pub fn search(
        &self,
        probe: &Template,
        top: usize,
        found: &mut Vec<Candidate>,
    ) -> Result<(), GalleryError> {
        self.fits(probe).map_err(GalleryError::Probe)?;
        self.search_values(probe.values(), top, found);
        Ok(())
    }

    /// The same for a probe that is a mean of templates and may be shorter than 1: its dot product
    /// with a reference is the mean of the templates' scores.
    pub(crate) fn search_values(&self, probe: &[f32], top: usize, found: &mut Vec<Candidate>) {
        found.clear();
        if top > 0 {
            let mut ranking = Ranking {
                owners: &self.owners,
                top,
                found,
            };
            self.rows.search(probe, &mut ranking);
        }
    }
}

/// The best candidates so far of one search.
struct Ranking<'a> {
    owners: &'a [u32],
    top: usize,
    found: &'a mut Vec<Candidate>,
}

impl Sink for Ranking<'_> {
    #[inline(always)]
    fn bar(&self) -> f32 {
        match self.found.last() {
            Some(last) if self.found.len() == self.top => last.score.value(),
            Some(_) | None => f32::NEG_INFINITY,
        }
    }

    fn take(&mut self, row: usize, score: f32) {
        // Rounding may carry a product of two unit vectors a little beyond 1.
        let Ok(score) = ComparisonScore::new(score.clamp(-1.0, 1.0)) else {
            return;
        };
        if score.value() <= self.bar() {
            return;
        }
        let person = self.owners[row];
        match self.found.iter().position(|other| other.person == person) {
            Some(at) if self.found[at].score >= score => return,
            Some(at) => {
                self.found.remove(at);
            }
            None if self.found.len() == self.top => {
                self.found.pop();
            }
            None => {}
        }
        // After all that are as good: rows come in order, so earlier people win ties.
        let at = self.found.partition_point(|other| other.score >= score);
        self.found.insert(at, Candidate { person, score });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vocabulary::Digest;

    fn space(name: &str) -> FeatureSpace {
        FeatureSpace::new(name, Digest::ZERO)
    }

    fn template(values: &[f32]) -> Template {
        Template::normalise(space("test"), values).unwrap()
    }

    fn person(number: usize) -> PersonId {
        PersonId::new(&format!("P{number}")).unwrap()
    }

    /// Small whole numbers, so that ties happen.
    fn vectors(width: usize, most: usize) -> impl Strategy<Value = Vec<Vec<f32>>> {
        let vector = prop::collection::vec((-3_i8..4).prop_map(f32::from), width)
            .prop_filter("needs a direction", |v| v.iter().any(|value| *value != 0.0));
        prop::collection::vec(vector, 1..most)
    }

    fn exact(one: &[f32], other: &[f32]) -> f64 {
        let pairs = one.iter().zip(other);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    proptest! {
        /// The search agrees with a plain double-precision loop over everybody, for any number of
        /// references and any length of template.
        #[test]
        fn search_equals_the_naive_one(
            (people, probe) in (1_usize..40).prop_flat_map(|width| (
                prop::collection::vec(vectors(width, 4), 1..30),
                vectors(width, 2),
            )),
            top in 1_usize..8,
        ) {
            let people: Vec<Vec<Template>> = people
                .iter()
                .map(|references| references.iter().map(|v| template(v)).collect())
                .collect();
            let probe = template(&probe[0]);
            let named = people.iter().cloned().enumerate().map(|(n, r)| (person(n), r));
            let gallery = Gallery::build_scored(space("test"), Scoring::BestOfAll, named).unwrap();
            let mut found = Vec::new();
            gallery.search(&probe, top, &mut found).unwrap();

            let mut expect: Vec<f64> = people
                .iter()
                .map(|references| {
                    let mean = Template::mean(references).ok();
                    let all = references.iter().chain(mean.as_ref());
                    all.map(|r| exact(r.values(), probe.values())).fold(f64::MIN, f64::max)
                })
                .collect();
            prop_assert_eq!(found.len(), top.min(people.len()));
            for candidate in &found {
                let score = f64::from(candidate.score.value());
                prop_assert!((expect[candidate.person as usize] - score).abs() < 1e-5);
            }
            prop_assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score));
            expect.sort_by(|a, b| b.total_cmp(a));
            for (candidate, expect) in found.iter().zip(expect) {
                prop_assert!((f64::from(candidate.score.value()) - expect).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn equal_scores_keep_the_order_of_the_people() {
        let same = template(&[1.0, 2.0, 3.0]);
        let people = (0..9).map(|n| (person(n), vec![same.clone()]));
        let gallery = Gallery::build(space("test"), people).unwrap();
        let mut found = Vec::new();
        gallery.search(&same, 4, &mut found).unwrap();
        let order: Vec<u32> = found.iter().map(|candidate| candidate.person).collect();
        assert_eq!(order, [0, 1, 2, 3]);
        assert_eq!(gallery.person(3), Some(&person(3)));
        assert_eq!(gallery.person(9), None);
    }

    #[test]
    fn several_references_count_by_their_mean_or_by_the_best_of_all() {
        let two = vec![template(&[1.0, 0.0]), template(&[0.0, 1.0])];
        let check = |scoring, rows, probe: &[f32], expect: f32| {
            let people = [(person(0), two.clone()), (person(1), vec![])];
            let gallery = Gallery::build_scored(space("test"), scoring, people).unwrap();
            assert_eq!((gallery.people(), gallery.rows()), (1, rows));
            let mut found = Vec::new();
            gallery.search(&template(probe), 1, &mut found).unwrap();
            let score = found[0].score.value();
            assert!(
                (score - expect).abs() < 1e-3,
                "{scoring:?} {probe:?}: {score}"
            );
        };
        check(Scoring::Mean, 1, &[1.0, 1.0], 1.0);
        check(Scoring::Mean, 1, &[1.0, 0.0], 0.707);
        check(Scoring::BestOfAll, 3, &[1.0, 1.0], 1.0);
        check(Scoring::BestOfAll, 3, &[1.0, 0.0], 1.0);
        check(Scoring::BestOfAll, 3, &[0.0, 1.0], 1.0);
    }

    #[test]
    fn references_that_cancel_out_have_no_mean_and_count_apart() {
        let two = vec![template(&[1.0, 0.0]), template(&[-1.0, 0.0])];
        let gallery = Gallery::build(space("test"), [(person(0), two)]).unwrap();
        assert_eq!(gallery.rows(), 2);
    }

    #[test]
    fn what_does_not_belong_is_refused_by_name() {
        let one = || vec![template(&[1.0, 0.0])];
        let other = Template::normalise(space("other"), &[1.0, 0.0]).unwrap();
        let error = Gallery::build(space("test"), [(person(7), vec![other.clone()])]).unwrap_err();
        assert!(error.to_string().contains("P7"), "{error}");
        let error = Gallery::build(
            space("test"),
            [(person(0), one()), (person(1), vec![template(&[1.0])])],
        )
        .unwrap_err();
        assert!(error.to_string().contains("P1"), "{error}");
        let twice = [(person(0), one()), (person(0), one())];
        assert_eq!(
            Gallery::build(space("test"), twice).unwrap_err(),
            GalleryError::Duplicate(person(0))
        );
        let gallery = Gallery::build(space("test"), [(person(0), one())]).unwrap();
        let refused = gallery.search(&other, 1, &mut Vec::new());
        assert!(matches!(
            refused,
            Err(GalleryError::Probe(TemplateError::Spaces(..)))
        ));
    }

    #[test]
    fn nobody_to_compare_with_finds_nobody() {
        let gallery = Gallery::build(space("test"), []).unwrap();
        let mut found = vec![];
        gallery.search(&template(&[1.0]), 5, &mut found).unwrap();
        assert_eq!(found, []);
    }
}
