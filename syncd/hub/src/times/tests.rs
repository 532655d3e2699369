//! Clocks that step, boots that end, and what stays unknown.

use proptest::prelude::*;
use vocabulary::{Digest, Epoch, Sequence};

use super::*;
use crate::store::conformance::fixture::observation;

const NOW: i64 = 1_772_415_000_000;
const YEARS_10_MS: i64 = 10 * 365 * 86_400_000;

fn device() -> DeviceId {
    DeviceId::new("kiosk-1").unwrap()
}

fn stamp(boot: u8, at_ms: u64, wall: i64, quality: ClockQuality) -> Stamp {
    Stamp {
        wall: WallTime(wall),
        quality,
        boot: BootId([boot; 16]),
        monotonic: Monotonic::from_millis(at_ms),
    }
}

/// That at `at_ms` of a boot it was `time`.
fn observed(boot: u8, at_ms: u64, time: i64, quality: ClockQuality) -> Record {
    Record {
        device: device(),
        epoch: Epoch([1; 16]),
        sequence: Sequence(1),
        at: stamp(boot, at_ms, time, quality),
        previous: Digest::ZERO,
        body: observation(WallTime(0), WallTime(time), quality),
    }
}

/// Of observations `(boot, at, time, quality)` and a stamp `(boot, at, quality)` the better time.
fn check(
    observations: &[(u8, u64, i64, ClockQuality)],
    (boot, at_ms, quality): (u8, u64, ClockQuality),
    expect: Option<i64>,
) {
    let records: Vec<Record> = observations
        .iter()
        .map(|(boot, at, time, quality)| observed(*boot, *at, *time, *quality))
        .collect();
    let stamp = stamp(boot, at_ms, 7, quality);
    for records in [records.clone(), records.into_iter().rev().collect()] {
        let repaired = Clocks::of(&records).repair(&device(), &stamp);
        assert_eq!(repaired.map(|time| time.0), expect, "{observations:?}");
    }
}

use ClockQuality::{FreeRunning, Synchronised, Unknown};

#[test]
fn a_time_is_found_before_and_after_the_observation() {
    let seen = [(1, 60_000, NOW, Synchronised)];
    check(&seen, (1, 10_000, Unknown), Some(NOW - 50_000));
    check(&seen, (1, 90_000, Unknown), Some(NOW + 30_000));
    check(&seen, (1, 90_000, FreeRunning), Some(NOW + 30_000));
}

#[test]
fn nothing_is_guessed() {
    check(&[], (1, 10_000, Unknown), None);
    check(
        &[(2, 60_000, NOW, Synchronised)],
        (1, 10_000, Unknown),
        None,
    );
    check(&[(1, 60_000, NOW, Unknown)], (1, 10_000, Unknown), None);
    check(
        &[(1, 60_000, NOW, FreeRunning)],
        (1, 10_000, FreeRunning),
        None,
    );
    let seen = [(1, 60_000, NOW, Synchronised)];
    check(&seen, (1, 10_000, Synchronised), None);
    let other = DeviceId::new("kiosk-2").unwrap();
    let clocks = Clocks::of(&[observed(1, 0, NOW, Synchronised)]);
    assert_eq!(clocks.repair(&other, &stamp(1, 5, 0, Unknown)), None);
}

#[test]
fn the_nearest_of_the_best_counts() {
    let seen = [
        (1, 0, NOW, Synchronised),
        (1, 100_000, NOW + 100_050, Synchronised),
        (1, 41_000, NOW + 500_000, FreeRunning),
    ];
    check(&seen, (1, 40_000, Unknown), Some(NOW + 40_000));
    check(&seen, (1, 60_000, Unknown), Some(NOW + 60_050));
}

#[test]
fn a_clock_set_by_a_person_helps_where_nothing_is_known() {
    check(
        &[(1, 60_000, NOW, FreeRunning)],
        (1, 70_000, Unknown),
        Some(NOW + 10_000),
    );
}

#[test]
fn each_boot_is_put_right_by_its_own_observations() {
    let seen = [
        (1, 60_000, NOW, Synchronised),
        (2, 5_000, NOW + 900_000, Synchronised),
    ];
    check(&seen, (1, 61_000, Unknown), Some(NOW + 1_000));
    check(&seen, (2, 4_000, Unknown), Some(NOW + 899_000));
    check(&seen, (3, 4_000, Unknown), None);
}

#[test]
fn impossible_times_stop_at_the_ends_of_the_range() {
    check(
        &[(1, 0, i64::MAX, Synchronised)],
        (1, 9, Unknown),
        Some(i64::MAX),
    );
    check(
        &[(1, 9, i64::MIN, Synchronised)],
        (1, 0, Unknown),
        Some(i64::MIN),
    );
}

proptest! {
    /// Whatever the wall clock showed, stepped by up to ten years either way between any two
    /// records and over restarts, one observation in each boot gives all true times of that boot.
    #[test]
    fn a_stepping_clock_changes_nothing_about_the_true_times(
        boots in prop::collection::vec(
            prop::collection::vec((1_u64..600_000, -YEARS_10_MS..YEARS_10_MS), 1..8), 1..4),
        chosen: prop::sample::Index,
        skipped in 0..4_usize,
    ) {
        let mut clocks = Clocks::default();
        let mut truth = NOW;
        let mut stamps = Vec::new();
        for (boot, moments) in boots.iter().enumerate() {
            let boot_number = u8::try_from(boot).unwrap();
            let mut at_ms = 0;
            let observed_at = chosen.index(moments.len());
            for (index, (elapsed, step)) in moments.iter().enumerate() {
                at_ms += elapsed;
                truth += i64::try_from(*elapsed).unwrap();
                stamps.push((stamp(boot_number, at_ms, truth + step, Unknown), truth));
                if index == observed_at && boot != skipped {
                    clocks.learn(&observed(boot_number, at_ms, truth, Synchronised));
                }
            }
            truth += 3_600_000;
        }
        for (stamp, truth) in stamps {
            let expect = (stamp.boot != BootId([u8::try_from(skipped).unwrap(); 16]))
                .then_some(WallTime(truth));
            prop_assert_eq!(clocks.repair(&device(), &stamp), expect);
        }
    }
}
