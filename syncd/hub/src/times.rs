//! Wall times put right afterwards: a board without a battery starts in the wrong year, and learns
//! the time when the network comes back. What it observed then, and the monotonic clock of the same
//! boot, say when everything else of that boot happened.
//!
//! Nothing is guessed: without an observation of the same device and boot there is no better time,
//! and a record's own time always stays beside the better one. Nothing here reads a clock.

use std::collections::HashMap;

use record::{Body, Record};
use vocabulary::{BootId, ClockQuality, DeviceId, Monotonic, Stamp, WallTime};

#[cfg(test)]
mod tests;

/// What is known of clocks, by device and boot.
#[derive(Debug, Clone, Default)]
pub struct Clocks {
    boots: HashMap<(DeviceId, BootId), Vec<Observed>>,
}

/// That a monotonic clock showed this when it was that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Observed {
    monotonic: Monotonic,
    quality: ClockQuality,
    time: WallTime,
}

impl Clocks {
    /// What the clock observations among these records tell.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut clocks = Self::default();
        for record in records {
            clocks.learn(record);
        }
        clocks
    }

    /// Learns from a record, if it is a clock observation that says what time it was. One that
    /// only says that a clock jumped, by nobody known, does not.
    pub fn learn(&mut self, record: &Record) {
        let Body::ClockObservation(observation) = &record.body else {
            return;
        };
        if observation.quality == ClockQuality::Unknown {
            return;
        }
        let boot = (record.device.clone(), record.at.boot);
        let observed = Observed {
            monotonic: record.at.monotonic,
            quality: observation.quality,
            time: observation.after,
        };
        let all = self.boots.entry(boot).or_default();
        if let Err(place) = all.binary_search(&observed) {
            all.insert(place, observed);
        }
    }

    /// When a stamp of a device was made, by the observation of the same boot that is nearest by
    /// the monotonic clock: a synchronised one where there is any, one of a clock that ran free
    /// otherwise. None where nothing better is known than the stamp's own wall time, also because
    /// that was synchronised itself.
    #[must_use]
    pub fn repair(&self, device: &DeviceId, stamp: &Stamp) -> Option<WallTime> {
        if stamp.quality == ClockQuality::Synchronised {
            return None;
        }
        let observed = self.boots.get(&(device.clone(), stamp.boot))?;
        let nearest = |quality| {
            observed
                .iter()
                .filter(|one| one.quality == quality)
                .min_by_key(|one| one.monotonic.0.abs_diff(stamp.monotonic.0))
        };
        let synchronised = nearest(ClockQuality::Synchronised);
        // A clock that ran free is no better than another that did, so it only helps a stamp of
        // which nothing is known.
        let free = || nearest(ClockQuality::FreeRunning);
        let by = match (synchronised, stamp.quality) {
            (Some(by), _) => by,
            (None, ClockQuality::Unknown) => free()?,
            (None, ClockQuality::FreeRunning | ClockQuality::Synchronised) => return None,
        };
        Some(by.time_at(stamp.monotonic))
    }
}

impl Observed {
    /// The time at another moment of the same boot.
    fn time_at(&self, moment: Monotonic) -> WallTime {
        if moment >= self.monotonic {
            self.time.saturating_add(moment.since(self.monotonic))
        } else {
            self.time.saturating_sub(self.monotonic.since(moment))
        }
    }
}
