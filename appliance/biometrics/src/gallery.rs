//! The references of one roster in memory, and the search over them.
//!
//! Exhaustive on purpose: a roster has thousands of references, not millions, and an answer that is
//! exact needs no explaining. Holds no names, only ids; never compares across feature spaces.

use pulp::{Arch, Simd, WithSimd};
use vocabulary::{ComparisonScore, FeatureSpace, PersonId, Template, TemplateError};

/// Most rows of one gallery: 20,000 people with some references each, and room for a city.
pub const GALLERY_ROWS_MAX: usize = 1 << 20;

/// Rows are padded with zeros to a multiple of this many values: two of the widest registers.
const ROW_MULTIPLE: usize = 16;

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

/// A person of the gallery and how alike the probe is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Index of the person, for [`Gallery::person`].
    pub person: u32,
    /// The best score over the person's references and, where there are several, their mean.
    pub score: ComparisonScore,
}

/// The search set: every reference apart, and each person's mean.
#[derive(Debug, Clone)]
pub struct Gallery {
    space: FeatureSpace,
    values_per_template: usize,
    rows: Flat,
    /// The first row of each person, and one more for the end.
    starts: Vec<usize>,
    persons: Vec<PersonId>,
}

impl Gallery {
    /// Lays out the references of each person. People without a reference are left out: nothing can
    /// be compared with them, and they never count as candidates.
    ///
    /// # Errors
    /// [`GalleryError`] names the person whose reference does not fit or who stands there twice.
    pub fn build(
        space: FeatureSpace,
        people: impl IntoIterator<Item = (PersonId, Vec<Template>)>,
    ) -> Result<Self, GalleryError> {
        let mut gallery = Self {
            space,
            values_per_template: 0,
            rows: Flat::new(0),
            starts: vec![0],
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
            self.rows.push(reference.values());
        }
        if references.len() > 1 {
            match Template::mean(references) {
                Ok(mean) => self.rows.push(mean.values()),
                // References that cancel out have no mean; each still stands for itself.
                Err(TemplateError::NoDirection) => {}
                Err(
                    source @ (TemplateError::Length(_)
                    | TemplateError::NotUnit(_)
                    | TemplateError::Spaces(..)
                    | TemplateError::Score(_)),
                ) => return Err(refuse(source)),
            }
        }
        if self.rows.len() > GALLERY_ROWS_MAX {
            return Err(GalleryError::TooMany(self.rows.len()));
        }
        self.starts.push(self.rows.len());
        self.persons.push(person);
        Ok(())
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

    /// How many vectors are searched: references, and means of those who have several.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The person of a candidate; `None` for an index that this gallery never gave out.
    #[must_use]
    pub fn person(&self, index: u32) -> Option<&PersonId> {
        self.persons.get(index as usize)
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

    /// The same for a probe that is a mean of templates and need not have length 1: its dot product
    /// with a reference is the mean of the templates' scores.
    pub(crate) fn search_values(&self, probe: &[f32], top: usize, found: &mut Vec<Candidate>) {
        found.clear();
        if self.persons.is_empty() || top == 0 {
            return;
        }
        Arch::new().dispatch(PersonScan {
            gallery: self,
            probe: &Padded::of(probe),
            top,
            found,
        });
    }
}

/// Searches `values.len() / width` rows of `width` values each for those most like `probe`: (row,
/// dot product) into `found`, best first, equal ones in the order of the rows. For measurements
/// against other libraries; the door goes through [`Gallery`].
///
/// A `width` of 0 or above [`vocabulary::template::TEMPLATE_VALUES_MAX`], or a probe of another
/// length, finds nothing.
pub fn search_flat(
    values: &[f32],
    width: usize,
    probe: &[f32],
    top: usize,
    found: &mut Vec<(u32, f32)>,
) {
    found.clear();
    let fits = width == probe.len() && (1..=PROBE_VALUES_MAX).contains(&width);
    if fits && top > 0 && width.is_multiple_of(ROW_MULTIPLE) {
        Arch::new().dispatch(RowScan {
            values,
            width,
            probe,
            top,
            found,
        });
    } else if fits && top > 0 {
        for (row, candidate) in values.chunks_exact(width).enumerate() {
            let score = candidate.iter().zip(probe).map(|(a, b)| a * b).sum();
            keep(found, top, (row as u32, score));
        }
    }
}

/// Vectors of one length, row by row, each padded with zeros.
#[derive(Debug, Clone)]
struct Flat {
    values: Vec<f32>,
    width: usize,
}

impl Flat {
    fn new(values_per_row: usize) -> Self {
        Self {
            values: Vec::new(),
            width: values_per_row.next_multiple_of(ROW_MULTIPLE),
        }
    }

    /// Takes a vector and makes its length 1 once more: stored bytes are only near it.
    fn push(&mut self, row: &[f32]) {
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        let end = self.values.len() + self.width;
        self.values.extend(row.iter().map(|value| value / length));
        self.values.resize(end, 0.0);
    }

    fn len(&self) -> usize {
        self.values.len().checked_div(self.width).unwrap_or(0)
    }
}

const PROBE_VALUES_MAX: usize = vocabulary::template::TEMPLATE_VALUES_MAX;

/// A probe padded as the rows are, on the stack.
struct Padded {
    values: [f32; PROBE_VALUES_MAX],
    width: usize,
}

impl Padded {
    fn of(probe: &[f32]) -> Self {
        let mut values = [0.0; PROBE_VALUES_MAX];
        for (to, from) in values.iter_mut().zip(probe) {
            *to = *from;
        }
        let width = probe.len().min(PROBE_VALUES_MAX);
        Self {
            values,
            width: width.next_multiple_of(ROW_MULTIPLE),
        }
    }

    fn values(&self) -> &[f32] {
        &self.values[..self.width]
    }
}

/// The scan over people, to be compiled for each set of instructions.
struct PersonScan<'a> {
    gallery: &'a Gallery,
    probe: &'a Padded,
    top: usize,
    found: &'a mut Vec<Candidate>,
}

impl WithSimd for PersonScan<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mut best = f32::NEG_INFINITY;
        let mut person = 0;
        let ends = &self.gallery.starts[1..];
        scan(
            simd,
            &self.gallery.rows.values,
            self.gallery.rows.width,
            self.probe.values(),
            |row, score| {
                best = best.max(score);
                if row + 1 == ends[person] {
                    let score = ComparisonScore::new(best.clamp(-1.0, 1.0));
                    if let Ok(score) = score {
                        let candidate = Candidate {
                            person: person as u32,
                            score,
                        };
                        keep(self.found, self.top, candidate);
                    }
                    best = f32::NEG_INFINITY;
                    person += 1;
                }
            },
        );
    }
}

/// The scan over bare rows.
struct RowScan<'a> {
    values: &'a [f32],
    width: usize,
    probe: &'a [f32],
    top: usize,
    found: &'a mut Vec<(u32, f32)>,
}

impl WithSimd for RowScan<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        scan(simd, self.values, self.width, self.probe, |row, score| {
            keep(self.found, self.top, (row as u32, score));
        });
    }
}

/// Rows whose products are summed side by side: enough independent sums to keep the multipliers
/// busy, and each value of the probe is loaded once for all of them.
const ROWS_AT_ONCE: usize = 4;

/// Calls `each` with every row's number and dot product, in order. The order of the additions
/// depends on the registers' width, so the last bits of a score do too.
#[inline(always)]
fn scan<S: Simd>(
    simd: S,
    values: &[f32],
    width: usize,
    probe: &[f32],
    mut each: impl FnMut(usize, f32),
) {
    let (probe, _) = S::as_simd_f32s(probe);
    let mut blocks = values.chunks_exact(width * ROWS_AT_ONCE);
    let mut row = 0;
    for block in &mut blocks {
        let (one, rest) = block.split_at(width);
        let (two, rest) = rest.split_at(width);
        let (three, four) = rest.split_at(width);
        let sums = dot_four(simd, probe, [one, two, three, four]);
        for sum in sums {
            each(row, sum);
            row += 1;
        }
    }
    for single in blocks.remainder().chunks_exact(width) {
        each(row, dot_four(simd, probe, [single; ROWS_AT_ONCE])[0]);
        row += 1;
    }
}

#[inline(always)]
fn dot_four<S: Simd>(simd: S, probe: &[S::f32s], rows: [&[f32]; ROWS_AT_ONCE]) -> [f32; 4] {
    let [(one, _), (two, _), (three, _), (four, _)] = rows.map(S::as_simd_f32s);
    let mut sums = [simd.splat_f32s(0.0); 4];
    for ((((p, a), b), c), d) in probe.iter().zip(one).zip(two).zip(three).zip(four) {
        sums[0] = simd.mul_add_e_f32s(*p, *a, sums[0]);
        sums[1] = simd.mul_add_e_f32s(*p, *b, sums[1]);
        sums[2] = simd.mul_add_e_f32s(*p, *c, sums[2]);
        sums[3] = simd.mul_add_e_f32s(*p, *d, sums[3]);
    }
    sums.map(|sum| simd.reduce_sum_f32s(sum))
}

/// What is ranked by a score.
trait Scored: Copy {
    fn value(self) -> f32;
}

impl Scored for Candidate {
    fn value(self) -> f32 {
        self.score.value()
    }
}

impl Scored for (u32, f32) {
    fn value(self) -> f32 {
        self.1
    }
}

/// Puts an entry where it belongs among the best `top`, after all that are as good: earlier rows
/// win ties.
#[inline(always)]
fn keep<T: Scored>(found: &mut Vec<T>, top: usize, entry: T) {
    if found.len() == top {
        match found.last() {
            Some(last) if entry.value() > last.value() => found.pop(),
            Some(_) | None => return,
        };
    }
    let at = found.partition_point(|other| other.value() >= entry.value());
    found.insert(at, entry);
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
            let gallery = Gallery::build(space("test"), named).unwrap();
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

        #[test]
        fn the_flat_search_equals_the_naive_one(
            width in 1_usize..70, count in 0_usize..40, top in 0_usize..5, seed in any::<u32>(),
        ) {
            let value = |n: usize| ((n as u32).wrapping_mul(seed | 1).wrapping_mul(2_654_435_761) >> 24) as f32 - 127.5;
            let rows: Vec<f32> = (0..width * count).map(value).collect();
            let probe: Vec<f32> = (0..width).map(|n| value(n + 7_919)).collect();
            let mut found = Vec::new();
            search_flat(&rows, width, &probe, top, &mut found);
            let mut expect: Vec<f64> = rows.chunks(width).map(|row| exact(row, &probe)).collect();
            for (row, score) in &found {
                prop_assert!((expect[*row as usize] - f64::from(*score)).abs() < 1.0);
            }
            expect.sort_by(|a, b| b.total_cmp(a));
            prop_assert_eq!(found.len(), top.min(count));
            for ((_, score), expect) in found.iter().zip(expect) {
                prop_assert!((f64::from(*score) - expect).abs() < 1.0);
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
    fn several_references_are_kept_apart_and_as_a_mean() {
        let two = vec![template(&[1.0, 0.0]), template(&[0.0, 1.0])];
        let gallery =
            Gallery::build(space("test"), [(person(0), two), (person(1), vec![])]).unwrap();
        assert_eq!((gallery.people(), gallery.rows()), (1, 3));
        let mut found = Vec::new();
        let mut check = |probe: &[f32]| {
            gallery.search(&template(probe), 1, &mut found).unwrap();
            assert!(found[0].score.value() > 0.999, "{probe:?}");
        };
        check(&[1.0, 0.0]);
        check(&[0.0, 1.0]);
        check(&[1.0, 1.0]);
    }

    #[test]
    fn references_that_cancel_out_have_no_mean() {
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
