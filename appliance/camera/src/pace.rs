//! How fast recorded pictures come: as a camera would give them, or as fast as they are asked for.

use std::sync::Arc;
use std::time::Duration;

use vocabulary::Monotonic;

use crate::clock::Clock;
use crate::error::CameraError;

/// Most frames a second; above any camera at a door.
pub const FPS_MAX: f64 = 240.0;

/// Fewest frames a second: one in a hundred seconds.
pub const FPS_MIN: f64 = 0.01;

/// Frames a second, from [`FPS_MIN`] to [`FPS_MAX`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fps(f64);

impl Fps {
    /// Checks a rate.
    ///
    /// # Errors
    /// [`CameraError::Fps`] when it is out of range or no number.
    pub fn new(rate: f64) -> Result<Self, CameraError> {
        if (FPS_MIN..=FPS_MAX).contains(&rate) {
            Ok(Self(rate))
        } else {
            Err(CameraError::Fps(rate))
        }
    }

    /// Frames a second.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// The time from one frame to the next.
    #[must_use]
    pub fn interval(self) -> Duration {
        Duration::from_secs_f64(1.0 / self.0)
    }
}

/// How fast recorded pictures come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// As they were recorded: the source waits until the next one is due.
    #[default]
    RealTime,
    /// At once. Frames are stamped as if they had come in real time, from when the source started.
    AtOnce,
}

/// Says when the next picture is due, and stamps it.
pub(crate) struct Schedule {
    clock: Arc<dyn Clock>,
    pace: Pace,
    /// When the next picture is due; none before the first is asked for.
    due: Option<Monotonic>,
}

impl Schedule {
    pub(crate) fn new(clock: Arc<dyn Clock>, pace: Pace) -> Self {
        Self {
            clock,
            pace,
            due: None,
        }
    }

    /// Waits at most `wait`; gives the stamp of the picture when it is due by then.
    pub(crate) fn due_within(&mut self, wait: Duration) -> Option<Monotonic> {
        let now = self.clock.now();
        let due = *self.due.get_or_insert(now);
        match self.pace {
            Pace::AtOnce => Some(due),
            Pace::RealTime => {
                let left = due.since(now);
                self.clock.sleep(left.min(wait));
                (left <= wait).then(|| self.clock.now())
            }
        }
    }

    /// The picture that was due has been shown, or skipped after no time at all; the next one is
    /// due after `duration`. A reader that was late does not get the pictures it missed in a burst.
    pub(crate) fn shown_for(&mut self, duration: Duration) {
        let now = self.clock.now();
        let due = self.due.unwrap_or(now);
        self.due = Some(match self.pace {
            Pace::AtOnce => due.saturating_add(duration),
            Pace::RealTime => due.saturating_add(duration).max(now),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::VirtualClock;

    #[test]
    fn a_rate_is_a_number_in_range() {
        let check = |rate: f64, expect: bool| assert_eq!(Fps::new(rate).is_ok(), expect, "{rate}");
        check(25.0, true);
        check(0.0, false);
        check(-1.0, false);
        check(f64::NAN, false);
        check(f64::INFINITY, false);
        check(1000.0, false);
    }

    #[test]
    fn real_time_waits_and_at_once_only_stamps() {
        let millis = Duration::from_millis;
        let at = Monotonic::from_millis;
        let clock = Arc::new(VirtualClock::default());
        let mut real = Schedule::new(clock.clone(), Pace::RealTime);
        assert_eq!(real.due_within(millis(0)), Some(at(0)));
        real.shown_for(millis(100));
        assert_eq!(real.due_within(millis(60)), None);
        assert_eq!(real.due_within(millis(60)), Some(at(100)));
        clock.advance(millis(950));
        real.shown_for(millis(100));
        assert_eq!(real.due_within(millis(0)), Some(at(1050)));

        let mut once = Schedule::new(clock.clone(), Pace::AtOnce);
        assert_eq!(once.due_within(millis(0)), Some(at(1050)));
        once.shown_for(millis(100));
        assert_eq!(once.due_within(millis(0)), Some(at(1150)));
        assert_eq!(clock.now(), at(1050));
    }
}
