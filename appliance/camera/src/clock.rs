//! The clock that the sources stamp frames by and wait with.
//!
//! The caller passes it in, so that one clock stamps frames and records alike, and so that tests
//! and unhurried replays run in virtual time. Nothing here reads the wall clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vocabulary::Monotonic;

/// Tells the time since boot, and passes it.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Monotonic;

    /// Returns after `duration`.
    fn sleep(&self, duration: Duration);
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Monotonic {
        (**self).now()
    }

    fn sleep(&self, duration: Duration) {
        (**self).sleep(duration);
    }
}

/// The kernel's `CLOCK_BOOTTIME`: monotonic, and it goes on while the machine sleeps.
#[derive(Debug, Clone, Copy, Default)]
pub struct MonotonicClock;

impl Clock for MonotonicClock {
    fn now(&self) -> Monotonic {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or(0);
        Monotonic(
            seconds
                .saturating_mul(1_000_000_000)
                .saturating_add(nanoseconds),
        )
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// A clock that moves only when somebody sleeps, or when it is told to. Clones share their time.
#[derive(Debug, Clone, Default)]
pub struct VirtualClock {
    nanoseconds: Arc<AtomicU64>,
}

impl VirtualClock {
    /// A clock that starts at `at`.
    #[must_use]
    pub fn starting_at(at: Monotonic) -> Self {
        Self {
            nanoseconds: Arc::new(AtomicU64::new(at.0)),
        }
    }

    /// Moves the time on.
    pub fn advance(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        // Sums wrap only after 584 years of virtual time.
        self.nanoseconds.fetch_add(nanoseconds, Ordering::SeqCst);
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Monotonic {
        Monotonic(self.nanoseconds.load(Ordering::SeqCst))
    }

    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_time_passes_by_sleeping_and_is_shared() {
        let clock = VirtualClock::starting_at(Monotonic::from_millis(5));
        let other = clock.clone();
        clock.sleep(Duration::from_millis(7));
        assert_eq!(other.now(), Monotonic::from_millis(12));
    }

    #[test]
    fn the_kernels_clock_does_not_go_back() {
        let first = MonotonicClock.now();
        assert!(MonotonicClock.now() >= first);
        assert!(first > Monotonic::default());
    }
}
