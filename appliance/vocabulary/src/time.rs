//! Times as a record carries them: what the wall clock said, how far it is to be trusted, and the
//! monotonic clock of which boot. Nothing here reads a clock.

use std::fmt;
use std::time::Duration;

use crate::id::BootId;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted. UTC, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub i64);

impl WallTime {
    /// This time plus a duration, stopping at the ends of the range.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// This time minus a duration, stopping at the ends of the range.
    #[must_use]
    pub fn saturating_sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Nanoseconds of the machine's monotonic clock since it booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// A time by whole milliseconds since boot.
    #[must_use]
    pub fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Whole milliseconds since boot.
    #[must_use]
    pub fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long ago `earlier` was; zero when it was not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This time plus a duration, stopping at the end of the range.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

/// How far a wall time is to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClockQuality {
    /// Nothing says that the clock is right: a board without a battery, not yet synchronised.
    Unknown,
    /// It was set once (by a battery-backed clock or a person) and runs free.
    FreeRunning,
    /// The kernel says that a time service holds it.
    Synchronised,
}

impl fmt::Display for ClockQuality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::FreeRunning => "free-running",
            Self::Synchronised => "synchronised",
        })
    }
}

/// All that is known about a moment. A wrong wall time is repaired later from these, never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// What the wall clock said.
    pub wall: WallTime,
    /// How far that is to be trusted.
    pub quality: ClockQuality,
    /// Of which boot the monotonic time is.
    pub boot: BootId,
    /// The monotonic time.
    pub monotonic: Monotonic,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stop_at_the_ends_of_their_range() {
        assert_eq!(
            WallTime(i64::MAX).saturating_add(Duration::from_secs(1)),
            WallTime(i64::MAX)
        );
        assert_eq!(
            WallTime(5).saturating_sub(Duration::from_millis(7)),
            WallTime(-2)
        );
        assert_eq!(Monotonic(5).since(Monotonic(9)), Duration::ZERO);
        assert_eq!(Monotonic::from_millis(7).as_millis(), 7);
    }
}
