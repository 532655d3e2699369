//! Vectors of one length, row by row, and the exact search for those most like a probe.
//!
//! Every row is kept twice: in single precision, and coarsely in one byte a value. The coarse rows
//! are a quarter of the memory to walk through; a bound on their error says which rows could be
//! among the best at all, and only these are compared in full. The answer is that of the full
//! comparison, always: nothing here is approximate.

use pulp::{Arch, Simd, WithSimd};
use vocabulary::template::TEMPLATE_VALUES_MAX;

/// Rows are padded with zeros to a multiple of this many values: two of the widest registers.
const ROW_MULTIPLE: usize = 16;

/// Rows that are bounded before the promising ones among them are compared in full; their bounds
/// stay in the nearest cache.
const ROWS_PER_BLOCK: usize = 64;

/// Largest coarse value of a row.
const ROW_STEPS: f32 = 127.0;

/// Largest coarse value of a probe. With it, the coarse sum of a row of [`TEMPLATE_VALUES_MAX`]
/// values stays below 127 × 16,000 × 1,024 < 2³¹.
const PROBE_STEPS: f32 = 16_000.0;

/// Added to every bound: more than the rounding of a sum of [`TEMPLATE_VALUES_MAX`] products of
/// values of two unit vectors, in either order of the additions.
const ROUNDING: f32 = 1e-4;

/// What takes the rows that a search finds.
pub(crate) trait Sink {
    /// A row whose score is not above this is of no use any more.
    fn bar(&self) -> f32;
    /// Takes a row and its score; rows come in rising order.
    fn take(&mut self, row: usize, score: f32);
}

/// The rows.
#[derive(Debug, Clone)]
pub(crate) struct Flat {
    width: usize,
    exact: Vec<f32>,
    coarse: Vec<i8>,
    /// What one coarse step of each row is worth.
    steps: Vec<f32>,
    /// Length of the difference between each row and its coarse picture. The product with a probe
    /// is off by no more than that times the probe's length (Cauchy and Schwarz).
    errors: Vec<f32>,
}

impl Flat {
    pub(crate) fn new(values_per_row: usize) -> Self {
        Self {
            width: values_per_row.next_multiple_of(ROW_MULTIPLE),
            exact: Vec::new(),
            coarse: Vec::new(),
            steps: Vec::new(),
            errors: Vec::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    /// The values of a row, padded with zeros.
    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.exact[row * self.width..(row + 1) * self.width]
    }

    /// Adds a row of length 1 and of at most the width's values.
    pub(crate) fn push(&mut self, row: &[f32]) {
        let end = self.exact.len() + self.width;
        self.exact.extend_from_slice(row);
        self.exact.resize(end, 0.0);
        let step = step_of(row, ROW_STEPS);
        let coarse = row.iter().map(|value| (value / step).round() as i8);
        self.coarse.extend(coarse);
        self.coarse.resize(end, 0);
        let pairs = row.iter().zip(&self.coarse[end - self.width..]);
        let squares = pairs.map(|(value, coarse)| (value - f32::from(*coarse) * step).powi(2));
        self.steps.push(step);
        self.errors.push(squares.sum::<f32>().sqrt());
    }

    /// Gives `sink` every row that is above its bar at that moment, in order, with its dot product
    /// with `probe`, which is no longer than 1 and has as many values as the rows.
    pub(crate) fn search(&self, probe: &[f32], sink: &mut impl Sink) {
        if !self.steps.is_empty() && probe.len() <= self.width {
            Arch::new().dispatch(Scan {
                flat: self,
                probe,
                sink,
            });
        }
    }
}

/// What one step is worth when the largest value is to have so many.
#[inline(always)]
fn step_of(values: &[f32], steps: f32) -> f32 {
    let largest = values.iter().fold(0.0, |most: f32, value| {
        if value.abs() > most {
            value.abs()
        } else {
            most
        }
    });
    if largest > 0.0 { largest / steps } else { 1.0 }
}

/// A probe padded as the rows are, exactly and coarsely, on the stack.
struct Probe {
    exact: [f32; TEMPLATE_VALUES_MAX],
    coarse: [i16; TEMPLATE_VALUES_MAX],
    step: f32,
    /// By how much its coarseness, and rounding, may change a product with a row.
    error: f32,
}

impl Probe {
    #[inline(always)]
    fn of(probe: &[f32]) -> Self {
        let mut padded = Self {
            exact: [0.0; TEMPLATE_VALUES_MAX],
            coarse: [0; TEMPLATE_VALUES_MAX],
            step: step_of(probe, PROBE_STEPS),
            error: 0.0,
        };
        let per_value = padded.step.recip();
        for ((exact, coarse), value) in padded.exact.iter_mut().zip(&mut padded.coarse).zip(probe) {
            *exact = *value;
            *coarse = (value * per_value).round_ties_even() as i16;
        }
        // Each value is off by half a step, or by a little more where its division was rounded; a
        // coarse row is less than half as long again as its exact one.
        padded.error = 1.5 * 0.51 * padded.step * (probe.len() as f32).sqrt() + ROUNDING;
        padded
    }
}

/// The scan, to be compiled for each set of instructions.
struct Scan<'a, K> {
    flat: &'a Flat,
    probe: &'a [f32],
    sink: &'a mut K,
}

impl<K: Sink> WithSimd for Scan<'_, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { flat, probe, sink } = self;
        let width = flat.width;
        let probe = Probe::of(probe);
        let exact_probe = &probe.exact[..width];
        let mut bounds = [0.0; ROWS_PER_BLOCK];
        for first in (0..flat.len()).step_by(ROWS_PER_BLOCK) {
            let rows = first..flat.len().min(first + ROWS_PER_BLOCK);
            let highest = bound(flat, &probe, rows.clone(), &mut bounds);
            if highest <= sink.bar() {
                continue;
            }
            for (row, bound) in rows.zip(&bounds) {
                if *bound > sink.bar() {
                    let exact = &flat.exact[row * width..(row + 1) * width];
                    let score = dot(simd, exact, exact_probe);
                    if score > sink.bar() {
                        sink.take(row, score);
                    }
                }
            }
        }
    }
}

/// Bounds from above what each of the rows may score; returns the highest bound.
#[inline(always)]
fn bound(
    flat: &Flat,
    probe: &Probe,
    rows: std::ops::Range<usize>,
    bounds: &mut [f32; ROWS_PER_BLOCK],
) -> f32 {
    let coarse_probe = &probe.coarse[..flat.width];
    let coarse = &flat.coarse[rows.start * flat.width..rows.end * flat.width];
    let mut sums = [0; ROWS_PER_BLOCK];
    let mut fours = coarse.chunks_exact(flat.width * 4);
    let mut at = 0;
    for four in &mut fours {
        sums[at..at + 4].copy_from_slice(&coarse_dots(four, coarse_probe));
        at += 4;
    }
    for single in fours.remainder().chunks_exact(flat.width) {
        sums[at] = coarse_dot(single, coarse_probe);
        at += 1;
    }
    let (steps, errors) = (&flat.steps[rows.clone()], &flat.errors[rows]);
    for (((bound, sum), step), error) in bounds.iter_mut().zip(sums).zip(steps).zip(errors) {
        *bound = sum as f32 * (step * probe.step) + (error + probe.error);
    }
    let found = &bounds[..at];
    let (eights, rest) = found.as_chunks::<8>();
    let mut highest = [f32::NEG_INFINITY; 8];
    let higher = |one: f32, other: f32| if one > other { one } else { other };
    for eight in eights {
        for (most, bound) in highest.iter_mut().zip(eight) {
            *most = higher(*bound, *most);
        }
    }
    highest
        .into_iter()
        .chain(rest.iter().copied())
        .fold(f32::NEG_INFINITY, higher)
}

/// The coarse products of four rows, which share the loading of the probe. Left to the compiler,
/// which makes 16-bit multiply-and-add of it.
#[inline(always)]
fn coarse_dots(rows: &[i8], probe: &[i16]) -> [i32; 4] {
    let (one, rest) = rows.split_at(probe.len());
    let (two, rest) = rest.split_at(probe.len());
    let (three, four) = rest.split_at(probe.len());
    let mut sums = [0; 4];
    for ((((p, a), b), c), d) in probe.iter().zip(one).zip(two).zip(three).zip(four) {
        let p = i32::from(*p);
        sums[0] += i32::from(*a) * p;
        sums[1] += i32::from(*b) * p;
        sums[2] += i32::from(*c) * p;
        sums[3] += i32::from(*d) * p;
    }
    sums
}

#[inline(always)]
fn coarse_dot(row: &[i8], probe: &[i16]) -> i32 {
    row.iter()
        .zip(probe)
        .map(|(a, b)| i32::from(*a) * i32::from(*b))
        .sum()
}

/// Searches rows of `width` values each for those most like `probe`: (row, dot product) into
/// `found`, best first, equal ones in the order of the rows. A bare loop over exact rows, to
/// measure with and to check against; the door searches a [`crate::Gallery`].
///
/// A probe of another length than `width`, or an empty one, finds nothing; a last row that is not
/// whole is passed over.
pub fn search_flat(
    values: &[f32],
    width: usize,
    probe: &[f32],
    top: usize,
    found: &mut Vec<(u32, f32)>,
) {
    found.clear();
    if width != 0 && probe.len() == width && top != 0 {
        Arch::new().dispatch(BareScan {
            values,
            probe,
            top,
            found,
        });
    }
}

struct BareScan<'a> {
    values: &'a [f32],
    probe: &'a [f32],
    top: usize,
    found: &'a mut Vec<(u32, f32)>,
}

impl WithSimd for BareScan<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            values,
            probe,
            top,
            found,
        } = self;
        for (row, values) in values.chunks_exact(probe.len()).enumerate() {
            let score = dot(simd, values, probe);
            match found.last() {
                Some((_, last)) if found.len() == top && score <= *last => continue,
                Some(_) if found.len() == top => {
                    found.pop();
                }
                Some(_) | None => {}
            }
            let at = found.partition_point(|(_, other)| *other >= score);
            found.insert(at, (row as u32, score));
        }
    }
}

/// The exact product. The order of the additions depends on the registers' width, so the last bits
/// of a score do too.
#[inline(always)]
fn dot<S: Simd>(simd: S, row: &[f32], probe: &[f32]) -> f32 {
    let (row, row_end) = S::as_simd_f32s(row);
    let (probe, probe_end) = S::as_simd_f32s(probe);
    let mut sums = [simd.splat_f32s(0.0); 2];
    let (pairs, last) = row.as_chunks::<2>();
    let (probe_pairs, probe_last) = probe.as_chunks::<2>();
    for (row, probe) in pairs.iter().zip(probe_pairs) {
        sums[0] = simd.mul_add_e_f32s(row[0], probe[0], sums[0]);
        sums[1] = simd.mul_add_e_f32s(row[1], probe[1], sums[1]);
    }
    for (row, probe) in last.iter().zip(probe_last) {
        sums[0] = simd.mul_add_e_f32s(*row, *probe, sums[0]);
    }
    let rest: f32 = row_end.iter().zip(probe_end).map(|(a, b)| a * b).sum();
    simd.reduce_sum_f32s(simd.add_f32s(sums[0], sums[1])) + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Keeps the best rows, as the simplest of sinks.
    struct Best {
        top: usize,
        found: Vec<(usize, f32)>,
    }

    impl Sink for Best {
        fn bar(&self) -> f32 {
            match self.found.last() {
                Some((_, score)) if self.found.len() == self.top => *score,
                Some(_) | None => f32::NEG_INFINITY,
            }
        }

        fn take(&mut self, row: usize, score: f32) {
            self.found.truncate(self.top - 1);
            let at = self.found.partition_point(|(_, other)| *other >= score);
            self.found.insert(at, (row, score));
        }
    }

    fn unit(values: &[f32]) -> Vec<f32> {
        let length = values.iter().map(|value| value * value).sum::<f32>().sqrt();
        values
            .iter()
            .map(|value| value / length.max(1e-6))
            .collect()
    }

    /// Rows around a few directions, so that many are nearly as good as the best.
    fn crowded(width: usize) -> impl Strategy<Value = (Vec<Vec<f32>>, Vec<f32>)> {
        let vector = move || prop::collection::vec(-1.0_f32..1.0, width);
        let row = (
            0_usize..3,
            vector(),
            prop_oneof![Just(0.0_f32), 0.0_f32..0.3],
        );
        (
            prop::array::uniform3(vector()),
            prop::collection::vec(row, 1..200),
            0.2_f32..1.0,
        )
            .prop_map(|(centres, rows, length)| {
                let near = |(which, noise, share): (usize, Vec<f32>, f32)| {
                    let pairs = centres[which].iter().zip(noise);
                    unit(&pairs.map(|(c, n)| c + n * share).collect::<Vec<f32>>())
                };
                let probe = unit(&centres[0])
                    .iter()
                    .map(|value| value * length)
                    .collect();
                (rows.into_iter().map(near).collect(), probe)
            })
    }

    fn exact(one: &[f32], other: &[f32]) -> f64 {
        let pairs = one.iter().zip(other);
        pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    proptest! {
        /// Whatever the coarse rows say, the best rows are those of a plain double-precision loop.
        #[test]
        fn coarse_rows_never_change_the_answer(
            (rows, probe) in prop_oneof![crowded(1), crowded(5), crowded(64), crowded(130)],
            top in 1_usize..6,
        ) {
            let mut flat = Flat::new(probe.len());
            rows.iter().for_each(|row| flat.push(row));
            let mut best = Best { top, found: Vec::new() };
            flat.search(&probe, &mut best);
            let bare: Vec<f32> = rows.concat();
            let mut found = Vec::new();
            search_flat(&bare, probe.len(), &probe, top, &mut found);
            let mut expect: Vec<f64> = rows.iter().map(|row| exact(row, &probe)).collect();
            let scores = expect.clone();
            expect.sort_by(|a, b| b.total_cmp(a));
            prop_assert_eq!(best.found.len(), top.min(rows.len()));
            prop_assert_eq!(found.len(), top.min(rows.len()));
            let bare = found.iter().map(|(row, score)| (*row as usize, *score));
            for found in [best.found, bare.collect()] {
                for ((row, score), expect) in found.into_iter().zip(&expect) {
                    prop_assert!((f64::from(score) - expect).abs() < 1e-5);
                    prop_assert!((f64::from(score) - scores[row]).abs() < 1e-5);
                }
            }
        }

        /// The bound that the whole search rests on.
        #[test]
        fn no_row_scores_above_its_bound((rows, probe) in crowded(96)) {
            let mut flat = Flat::new(probe.len());
            rows.iter().take(ROWS_PER_BLOCK).for_each(|row| flat.push(row));
            let mut bounds = [0.0; ROWS_PER_BLOCK];
            let highest = bound(&flat, &Probe::of(&probe), 0..flat.len(), &mut bounds);
            for (row, bound) in rows.iter().zip(&bounds).take(flat.len()) {
                prop_assert!(exact(row, &probe) <= f64::from(*bound));
                prop_assert!(*bound <= highest);
                prop_assert!(f64::from(*bound) < exact(row, &probe) + 0.05, "a useless bound");
            }
        }
    }

    #[test]
    fn what_does_not_fit_finds_nothing() {
        let mut found = vec![(1, 1.0)];
        search_flat(&[1.0, 2.0], 2, &[1.0], 1, &mut found);
        assert_eq!(found, []);
        search_flat(&[1.0, 2.0], 0, &[], 1, &mut found);
        search_flat(&[1.0, 2.0], 2, &[1.0, 1.0], 0, &mut found);
        assert_eq!(found, []);
        search_flat(&[1.0, 2.0, 9.0], 2, &[1.0, 1.0], 5, &mut found);
        assert_eq!(found, [(0, 3.0)]);
    }
}
