//! What the daemon told of the city, and what follows from it: a line for staff, and a record of
//! what the city's clock showed. Pure: told things and `now` in, a line or a record out.

use std::time::Duration;

use beside::{ClockSeen, FromDaemon};
use record::{ClockObservation, ClockSource};
use screen::Note;
use vocabulary::{ClockQuality, Monotonic, Stamp};

/// How long the daemon may say nothing until staff are told: it starts after the kiosk, and is
/// restarted now and then.
const SILENT_MAX: Duration = Duration::from_secs(60);

/// The oldest comparison of clocks that is written down. Boards drift by seconds a day.
const SEEN_AGE_MAX: Duration = Duration::from_secs(600);

/// The least time between two records of clocks: whatever the daemon says, it does not fill the
/// ledger.
const OBSERVED_EVERY_MIN: Duration = Duration::from_secs(60);

/// What is known of the city.
#[derive(Debug, Default)]
pub struct City {
    /// Whether a daemon is expected to tell anything.
    expected: bool,
    /// Since when one is.
    since: Option<Monotonic>,
    told: Option<(Monotonic, FromDaemon)>,
    /// The last comparison of clocks that was written down, and when.
    observed: Option<(Monotonic, ClockSeen)>,
}

impl City {
    /// Nothing is known yet.
    pub fn new(expected: bool) -> Self {
        Self {
            expected,
            ..Self::default()
        }
    }

    /// The daemon told this.
    pub fn hear(&mut self, now: &Stamp, told: FromDaemon) {
        self.told = Some((now.monotonic, told));
    }

    /// What staff should know now.
    pub fn note(&mut self, now: &Stamp) -> Option<Note> {
        if !self.expected {
            return None;
        }
        let since = *self.since.get_or_insert(now.monotonic);
        let heard_at = self.told.as_ref().map_or(since, |(at, _)| *at);
        if now.monotonic.since(heard_at) > SILENT_MAX {
            return Some(Note {
                vi: "Dịch vụ đồng bộ với thành phố chưa hoạt động trên thiết bị này".to_owned(),
                en: "the sync service is not running on this device".to_owned(),
            });
        }
        let (_, told) = self.told.as_ref()?;
        let trouble = told.troubles.first()?;
        let (mut vi, mut en) = (trouble.vi.clone(), trouble.en.clone());
        if let Some(waiting) = told.waiting.filter(|waiting| *waiting > 0) {
            vi.push_str(&format!("; còn {waiting} bản ghi chờ gửi"));
            en.push_str(&format!("; {waiting} records wait here"));
        }
        Some(Note { vi, en })
    }

    /// What is to be written down of the clocks, once for each comparison that the daemon made.
    pub fn observation(&mut self, now: &Stamp) -> Option<ClockObservation> {
        let seen = self.told.as_ref()?.1.clock?;
        let age = now.monotonic.since(seen.at);
        if seen.at > now.monotonic || age > SEEN_AGE_MAX {
            return None;
        }
        if let Some((at, before)) = &self.observed
            && (*before == seen || now.monotonic.since(*at) < OBSERVED_EVERY_MIN)
        {
            return None;
        }
        self.observed = Some((now.monotonic, seen));
        Some(ClockObservation {
            before: now.wall,
            after: seen.city.saturating_add(age),
            quality: ClockQuality::Synchronised,
            source: ClockSource::Hub,
        })
    }
}

#[cfg(test)]
mod tests {
    use beside::Trouble;
    use vocabulary::{BootId, WallTime};

    use super::*;

    fn at(seconds: u64) -> Stamp {
        Stamp {
            wall: WallTime(1_000_000 + 1000 * seconds as i64),
            quality: ClockQuality::Unknown,
            boot: BootId([0; 16]),
            monotonic: Monotonic::from_millis(1000 * seconds),
        }
    }

    fn told(trouble: Option<&str>, waiting: u64) -> FromDaemon {
        let trouble = trouble.map(|vi| Trouble {
            vi: vi.to_owned(),
            en: "no contact".to_owned(),
        });
        FromDaemon {
            waiting: Some(waiting),
            troubles: trouble.into_iter().collect(),
            ..FromDaemon::default()
        }
    }

    #[test]
    fn staff_are_told_of_trouble_and_of_nothing_else() {
        let mut city = City::new(true);
        let mut check = |seconds: u64, hears: Option<FromDaemon>, expect: &str| {
            if let Some(told) = hears {
                city.hear(&at(seconds), told);
            }
            let vi = city
                .note(&at(seconds))
                .map_or(String::new(), |note| note.vi);
            if expect.is_empty() {
                assert_eq!(vi, "", "at {seconds} s");
            } else {
                assert!(vi.contains(expect), "at {seconds} s: {vi}");
            }
        };
        check(0, None, "");
        check(60, None, "");
        check(61, None, "chưa hoạt động");
        check(62, Some(told(None, 500)), "");
        check(
            63,
            Some(told(Some("Chưa kết nối được"), 0)),
            "Chưa kết nối được",
        );
        check(64, Some(told(Some("Chưa"), 12)), "còn 12 bản ghi chờ gửi");
        check(65, Some(told(None, 0)), "");
        check(126, None, "chưa hoạt động");
        let mut alone = City::new(false);
        assert_eq!(alone.note(&at(0)).or(alone.note(&at(1000))), None);
    }

    #[test]
    fn each_comparison_of_clocks_is_written_down_once_and_not_too_often() {
        let mut city = City::new(true);
        let seen = |seconds: u64, city: i64| {
            Some(ClockSeen {
                at: Monotonic::from_millis(1000 * seconds),
                city: WallTime(city),
            })
        };
        let mut check = |seconds: u64, clock: Option<ClockSeen>, expect: Option<i64>| {
            let told = FromDaemon {
                clock,
                ..FromDaemon::default()
            };
            city.hear(&at(seconds), told);
            let found = city.observation(&at(seconds));
            assert_eq!(found.map(|one| one.after.0), expect, "at {seconds} s");
            if let Some(found) = found {
                assert_eq!(found.before, at(seconds).wall);
            }
        };
        check(100, None, None);
        check(100, seen(98, 5_000), Some(7_000));
        check(110, seen(98, 5_000), None);
        check(111, seen(111, 90_000), None);
        check(160, seen(111, 90_000), Some(139_000));
        check(900, seen(111, 90_001), None);
        check(901, seen(5000, 1), None);
    }
}
