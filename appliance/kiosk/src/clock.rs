//! The kiosk's clocks, read in this one place: what the wall clock says, how far it is to be
//! trusted, and the monotonic clock of this boot.
//!
//! A recording brings its own time: its clock stands still until a frame moves it, so that a
//! replay decides the same however fast it runs.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use vocabulary::{BootId, ClockQuality, Monotonic, Stamp, WallTime};

/// Where the kernel tells the id of this boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Files that a time service leaves once it has set the clock.
const SYNCHRONISED_MARKS: [&str; 1] = ["/run/systemd/timesync/synchronized"];

/// A battery-backed clock, where the board has one.
const BATTERY_CLOCK: &str = "/sys/class/rtc/rtc0";

/// Something that tells the time; shared between threads.
pub trait Clock: Send + Sync {
    /// All that is known about this moment.
    fn now(&self) -> Stamp;

    /// A frame was taken at this time of its source's own clock. Only a recording's clock minds.
    fn frame_taken(&self, _at: Monotonic) {}
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    boot: BootId,
}

impl SystemClock {
    /// Reads the boot's id; zeros where the kernel tells none.
    pub fn new() -> Self {
        let text = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
        let boot = BootId::from_hex(&text.trim().replace('-', "")).unwrap_or(BootId([0; 16]));
        Self { boot }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Stamp {
        Stamp {
            wall: wall(),
            quality: quality(),
            boot: self.boot,
            monotonic: monotonic(),
        }
    }
}

/// The clock of a recording: starts at the machine's time and moves with the frames.
#[derive(Debug)]
pub struct ReplayClock {
    start: Stamp,
    elapsed_ns: AtomicU64,
}

impl ReplayClock {
    /// Starts at `start`; the recording's first frame is at its time zero.
    pub fn new(start: Stamp) -> Self {
        Self {
            start,
            elapsed_ns: AtomicU64::new(0),
        }
    }
}

impl Clock for ReplayClock {
    fn now(&self) -> Stamp {
        let elapsed = self.elapsed_ns.load(Ordering::Acquire);
        let elapsed = std::time::Duration::from_nanos(elapsed);
        Stamp {
            wall: self.start.wall.saturating_add(elapsed),
            monotonic: self.start.monotonic.saturating_add(elapsed),
            ..self.start
        }
    }

    fn frame_taken(&self, at: Monotonic) {
        self.elapsed_ns.fetch_max(at.0, Ordering::AcqRel);
    }
}

/// Nanoseconds of `CLOCK_BOOTTIME`, which goes on while the board sleeps.
pub fn monotonic() -> Monotonic {
    let time = clock_gettime(ClockId::Boottime);
    let nanos = i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
    Monotonic(u64::try_from(nanos).unwrap_or(0))
}

/// The wall clock, in UTC.
pub fn wall() -> WallTime {
    let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    };
    WallTime(millis)
}

/// How far the wall clock is to be trusted now.
pub fn quality() -> ClockQuality {
    if SYNCHRONISED_MARKS
        .iter()
        .any(|mark| Path::new(mark).exists())
    {
        ClockQuality::Synchronised
    } else if Path::new(BATTERY_CLOCK).exists() {
        ClockQuality::FreeRunning
    } else {
        ClockQuality::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_never_goes_back() {
        let clock = SystemClock::new();
        let (one, two) = (clock.now(), clock.now());
        assert!(two.monotonic >= one.monotonic);
        assert_eq!(one.boot, two.boot);
    }

    #[test]
    fn a_recording_moves_its_clock() {
        let start = SystemClock::new().now();
        let clock = ReplayClock::new(start);
        assert_eq!(clock.now(), start);
        clock.frame_taken(Monotonic::from_millis(1500));
        clock.frame_taken(Monotonic::from_millis(1000));
        assert_eq!(clock.now().wall.0, start.wall.0 + 1500);
        assert_eq!(
            clock.now().monotonic.since(start.monotonic).as_millis(),
            1500
        );
    }
}
