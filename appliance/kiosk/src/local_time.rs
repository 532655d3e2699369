//! UTC times as people at the door read them: in the meeting's zone, as `jiff` knows it.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};
use screen::{Date, TimeOfDay, Weekday};
use vocabulary::WallTime;

/// A zone whose name was checked when it was configured or imported; UTC for one that this
/// machine's time zone data no longer knows.
pub fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap_or(TimeZone::UTC)
}

/// A time in a zone.
pub fn zoned(time: WallTime, zone: &TimeZone) -> ZonedDateTime {
    let timestamp = Timestamp::from_millisecond(time.0).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.to_zoned_datetime(zone.clone())
}

/// Hours and minutes, for the screen.
pub fn time_of_day(time: WallTime, zone: &TimeZone) -> TimeOfDay {
    let zoned = zoned(time, zone);
    TimeOfDay {
        hour: unsigned(zoned.hour()),
        minute: unsigned(zoned.minute()),
    }
}

/// The day, for the screen.
pub fn date(time: WallTime, zone: &TimeZone) -> Date {
    let zoned = zoned(time, zone);
    let weekday = match zoned.weekday() {
        jiff::civil::Weekday::Monday => Weekday::Monday,
        jiff::civil::Weekday::Tuesday => Weekday::Tuesday,
        jiff::civil::Weekday::Wednesday => Weekday::Wednesday,
        jiff::civil::Weekday::Thursday => Weekday::Thursday,
        jiff::civil::Weekday::Friday => Weekday::Friday,
        jiff::civil::Weekday::Saturday => Weekday::Saturday,
        jiff::civil::Weekday::Sunday => Weekday::Sunday,
    };
    Date {
        year: u16::try_from(zoned.year()).unwrap_or(0),
        month: unsigned(zoned.month()),
        day: unsigned(zoned.day()),
        weekday,
    }
}

/// Hours, minutes and seconds, for a list.
pub fn clock_text(time: WallTime, zone: &TimeZone) -> String {
    zoned(time, zone).strftime("%H:%M:%S").to_string()
}

/// Day, hours and minutes, for a list.
pub fn day_text(time: WallTime, zone: &TimeZone) -> String {
    zoned(time, zone).strftime("%d/%m/%Y %H:%M").to_string()
}

/// RFC 3339 in UTC, for programs.
pub fn rfc3339(time: WallTime) -> String {
    Timestamp::from_millisecond(time.0)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_string()
}

fn unsigned(value: i8) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_zone() {
        let zone = zone("Asia/Ho_Chi_Minh");
        let time = WallTime(1_796_086_800_000); // 2026-12-01T01:00:00Z
        assert_eq!(time_of_day(time, &zone), TimeOfDay { hour: 8, minute: 0 });
        assert_eq!(date(time, &zone).weekday, Weekday::Tuesday);
        assert_eq!(day_text(time, &zone), "01/12/2026 08:00");
        assert_eq!(clock_text(time, &zone), "08:00:00");
        assert_eq!(rfc3339(time), "2026-12-01T01:00:00Z");
    }
}
