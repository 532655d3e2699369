//! How long to wait before the next try: longer after each failure, up to a cap, and by chance, so
//! that all doors of a city do not knock together when its hub comes back.
//!
//! Chance is a value of its own ([`Chance`]): the same seed waits the same.

use std::time::Duration;

use wire::limits::RETRY_AFTER_MAX;

/// The least wait after a failure. A hub that fails at once is not asked again at once.
pub const WAIT_MIN: Duration = Duration::from_millis(500);

/// The most that is waited after the first failure; it doubles with each further one.
const FIRST_WAIT_MAX: Duration = Duration::from_secs(2);

/// The most that is ever waited by our own choice. A door that was without network for weeks is
/// back within this time of the network.
pub const WAIT_MAX: Duration = Duration::from_secs(120);

/// Pseudo-random numbers from a seed: SplitMix64 (Steele, Lea and Flood 2014). For spreading
/// waits only, never for keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chance(u64);

impl Chance {
    /// The numbers of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A duration from zero up to and without `most`, in whole milliseconds; zero of zero.
    pub fn below(&mut self, most: Duration) -> Duration {
        let most_ms = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let drawn = self.next_u64();
        // The product of two 64-bit numbers fits 128; its upper half is below `most_ms`.
        let scaled = (u128::from(drawn) * u128::from(most_ms)) >> 64;
        Duration::from_millis(u64::try_from(scaled).unwrap_or(u64::MAX))
    }
}

/// Failures in a row of one activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Counts a failure and says how long to wait: full jitter between [`WAIT_MIN`] and a bound
    /// that doubles up to [`WAIT_MAX`]; at least as long as the hub asked for, but never longer
    /// than [`RETRY_AFTER_MAX`].
    pub fn fail(&mut self, asked: Option<Duration>, chance: &mut Chance) -> Duration {
        let doublings = self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        let most = FIRST_WAIT_MAX.saturating_mul(1 << doublings).min(WAIT_MAX);
        let drawn = WAIT_MIN + chance.below(most.saturating_sub(WAIT_MIN));
        match asked {
            // Some spread on top, or all doors that were told the same come at the same moment.
            Some(asked) => drawn.max(asked.min(RETRY_AFTER_MAX) + chance.below(FIRST_WAIT_MAX)),
            None => drawn,
        }
    }

    /// Forgets all failures.
    pub fn succeed(&mut self) {
        self.failures = 0;
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_paper() {
        // The first outputs of the reference implementation for seed 1234567.
        let mut chance = Chance::new(1_234_567);
        assert_eq!(chance.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(chance.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn waits_grow_up_to_the_cap_and_begin_anew_after_a_success() {
        let longest = |failures: u32| {
            (0..2000)
                .map(|seed| {
                    let mut backoff = Backoff { failures };
                    backoff.fail(None, &mut Chance::new(seed))
                })
                .max()
                .unwrap()
        };
        assert!(longest(0) < FIRST_WAIT_MAX && longest(0) > FIRST_WAIT_MAX * 9 / 10);
        assert!(longest(3) > FIRST_WAIT_MAX * 7 && longest(3) < FIRST_WAIT_MAX * 8);
        assert!(longest(60) < WAIT_MAX && longest(60) > WAIT_MAX * 9 / 10);
        let mut backoff = Backoff { failures: 60 };
        backoff.succeed();
        assert!(backoff.fail(None, &mut Chance::new(1)) < FIRST_WAIT_MAX);
    }

    proptest! {
        #[test]
        fn a_wait_is_never_shorter_than_asked_nor_longer_than_the_caps(
            seed: u64, failures: u32, asked_s in proptest::option::of(0_u64..u64::MAX)
        ) {
            let mut backoff = Backoff { failures };
            let asked = asked_s.map(Duration::from_secs);
            let wait = backoff.fail(asked, &mut Chance::new(seed));
            prop_assert!(wait >= WAIT_MIN);
            prop_assert!(wait >= asked.unwrap_or_default().min(RETRY_AFTER_MAX));
            prop_assert!(wait <= WAIT_MAX.max(RETRY_AFTER_MAX + FIRST_WAIT_MAX));
        }
    }
}
