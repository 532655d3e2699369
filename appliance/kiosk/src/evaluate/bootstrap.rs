//! Intervals by the bootstrap over *persons*: whole people are drawn with replacement, each with
//! all their photographs. Photographs of one person fail together, so resampling photographs would
//! make the intervals too narrow.
//!
//! Pure. People are redrawn as those who come to the door; the rosters stay as they were drawn.

use super::open_set::Trials;
use super::random::Random;

/// Sets the resamplings apart from the rosters, which count from 0.
const PURPOSE: u64 = 1 << 32;

/// Share of the resamplings that lies outside the interval, on each side.
const TAIL: f64 = 0.025;

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// Where the FNIR at this FPIR lies: in every resampling the threshold is found anew, since it
/// depends on the strangers as much as the misses depend on the delegates. `None` without
/// resamplings.
pub fn fnir(
    trials: &Trials,
    people: usize,
    fpir: f64,
    resamplings: u32,
    seed: u64,
) -> Option<Interval> {
    resampled(people, resamplings, seed, |weights| {
        rate(trials, fpir, weights)
    })
}

/// Where the second FNIR less the first lies, each at its own threshold for this FPIR. Both are of
/// the same people in every resampling, so what these have in common cancels out. `None` without
/// resamplings.
pub fn difference(
    of: [&Trials; 2],
    people: usize,
    fpir: f64,
    resamplings: u32,
    seed: u64,
) -> Option<Interval> {
    resampled(people, resamplings, seed, |weights| {
        let [one, other] = of.map(|trials| rate(trials, fpir, weights));
        other - one
    })
}

/// The FNIR when each person counts so often, at the threshold that these strangers give.
fn rate(trials: &Trials, fpir: f64, weights: &[u32]) -> f64 {
    trials.rates(trials.threshold(fpir, weights), weights).fnir
}

/// Where a value lies that depends on how often each person counts.
fn resampled(
    people: usize,
    resamplings: u32,
    seed: u64,
    value: impl Fn(&[u32]) -> f64,
) -> Option<Interval> {
    let values = (0..u64::from(resamplings)).map(|number| {
        let mut random = Random::new(seed, PURPOSE + number);
        value(&weights(people, &mut random))
    });
    interval(values.collect())
}

/// How often each person is drawn.
fn weights(people: usize, random: &mut Random) -> Vec<u32> {
    let mut weights = vec![0; people];
    for _ in 0..people {
        weights[random.below(people)] += 1;
    }
    weights
}

fn interval(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |share: f64| values[(share * last as f64).round() as usize];
    Some(Interval {
        low: at(TAIL),
        high: at(1.0 - TAIL),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::open_set::Trial;

    #[test]
    fn the_interval_holds_the_middle_95_percent() {
        let values = (0..=1000).rev().map(f64::from).collect();
        assert_eq!(
            interval(values),
            Some(Interval {
                low: 25.0,
                high: 975.0
            })
        );
        assert_eq!(
            interval(vec![3.0]),
            Some(Interval {
                low: 3.0,
                high: 3.0
            })
        );
        assert_eq!(interval(Vec::new()), None);
    }

    #[test]
    fn photographs_of_one_person_fail_together() {
        // 100 delegates with ten photographs; all those of the first ten are missed.
        let trial = |person: usize, score| Trial {
            photograph: 0,
            person,
            called: Some(person),
            score,
        };
        let score = |person| if person < 10 { 0.1 } else { 0.9 };
        let trials = Trials {
            mated: (0..1000).map(|at| trial(at / 10, score(at / 10))).collect(),
            strangers: (100..200)
                .map(|person| Trial {
                    called: Some(0),
                    ..trial(person, 0.5)
                })
                .collect(),
            places_with_fewer: 0,
        };
        let found = fnir(&trials, 200, 0.0, 1000, 3).unwrap();
        // The standard deviation of a share of 0.1 among 100 people is 0.03, so the interval
        // reaches some 0.06 to either side; over photographs it would be 0.02.
        assert!((0.03..0.06).contains(&found.low), "seed 3: {found:?}");
        assert!((0.14..0.18).contains(&found.high), "seed 3: {found:?}");
        assert_eq!(fnir(&trials, 200, 0.0, 0, 3), None);
        // What is the same twice does not differ, however uncertain it is.
        let none = Interval {
            low: 0.0,
            high: 0.0,
        };
        let twice = difference([&trials, &trials], 200, 0.0, 200, 3);
        assert_eq!(twice, Some(none));
        // Of the ten who are missed, half are found: the difference is some 0.05, with less doubt
        // than either rate has.
        let mut better = trials.clone();
        better.mated[..50]
            .iter_mut()
            .for_each(|trial| trial.score = 0.9);
        let found = difference([&trials, &better], 200, 0.0, 1000, 3).unwrap();
        assert!((-0.12..-0.08).contains(&found.low), "seed 3: {found:?}");
        assert!((-0.03..0.0).contains(&found.high), "seed 3: {found:?}");
    }
}
