//! A meeting that is on now, and a delegate of it who is enrolled. Made once, used by many tests.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::kit::{Files, Kit};
use crate::portraits::{ENROLLED_FROM, portrait};

/// The meeting's id.
pub const MEETING: &str = "GB-12";

/// Who is enrolled.
pub const DELEGATE: &str = "CB-001";

/// The zone of all kiosks here.
const ZONE: &str = "Asia/Ho_Chi_Minh";

/// Two people of one name, one by code only, as a secretary saves it.
pub const ROSTER: &str = "\
Mã;Họ và tên;Chức danh;Đơn vị;Vai trò;Hình thức
CB-001;Đặng Thị Mẫu;Bà;Sở Ví dụ;Đại biểu;Khuôn mặt
CB-002;Nguyễn Văn Thử;Ông;Ban Thử nghiệm;Khách mời;Mã QR
CB-003;Đặng Thị Mẫu;Bà;Sở Khác;Đại biểu;Khuôn mặt
";

/// Everything in [`ROSTER`] that tells who somebody is.
pub const NAMES: [&str; 8] = [
    "Đặng",
    "Mẫu",
    "Nguyễn",
    "Thử",
    "Ban Thử nghiệm",
    "CB-001",
    "CB-002",
    "CB-003",
];

/// Imports a sheet as the roster of a meeting that is on now.
pub fn import(kit: &Kit, sheet: &Path) -> crate::kit::Output {
    // The same minute for the whole of a test run, so that the same roster is the same again.
    static START: OnceLock<Timestamp> = OnceLock::new();
    let start = *START.get_or_init(|| Timestamp::now() - SignedDuration::from_hours(1));
    let end = start + SignedDuration::from_hours(4);
    let zone = TimeZone::get(ZONE).unwrap();
    let text = |time: Timestamp| {
        let local = time.to_zoned_datetime(zone.clone());
        local.strftime("%Y-%m-%dT%H:%M").to_string()
    };
    kit.run(&[
        "roster",
        "import",
        sheet.to_str().unwrap(),
        "--meeting",
        MEETING,
        "--title",
        "Họp giao ban",
        "--start",
        &text(start),
        "--end",
        &text(end),
    ])
}

/// Enrols the delegate.
pub fn enrol(kit: &Kit) -> crate::kit::Output {
    let photograph = portrait(ENROLLED_FROM);
    kit.run(&["enrol", "--person", DELEGATE, photograph.to_str().unwrap()])
}

/// A kiosk with [`ROSTER`] and [`DELEGATE`] enrolled; it has no ledger yet.
pub fn ready() -> Kit {
    static DATA: OnceLock<Files> = OnceLock::new();
    let data = DATA.get_or_init(|| {
        let kit = Kit::new();
        let sheet = kit.file("people.csv", ROSTER);
        import(&kit, &sheet).done();
        enrol(&kit).done();
        Files::take(&kit.data())
    });
    let kit = Kit::new();
    data.put(&kit.data());
    kit
}

/// A kiosk that has called [`DELEGATE`].
pub fn called() -> Kit {
    static DATA: OnceLock<Files> = OnceLock::new();
    let data = DATA.get_or_init(|| {
        let kit = ready();
        run(&kit).done();
        assert!(kit.showed("welcome"), "{:?}", kit.scenes());
        Files::take(&kit.data())
    });
    let kit = Kit::new();
    data.put(&kit.data());
    kit
}

/// Plays the recording in which the delegate comes.
pub fn run(kit: &Kit) -> crate::kit::Output {
    let recording = crate::portraits::delegate_comes(kit);
    kit.run(&["run", "--replay", recording.to_str().unwrap()])
}

/// The roll as a program reads it.
pub fn roll(kit: &Kit) -> serde_json::Value {
    let text = kit.run(&["roll", "--format", "json"]).done();
    serde_json::from_str(&text).unwrap()
}

/// The presence of everybody on the roll, in the roster's order.
pub fn presence(kit: &Kit) -> Vec<(String, String)> {
    let roll = roll(kit);
    let field = |person: &serde_json::Value, name: &str| person[name].as_str().unwrap().to_owned();
    let people = roll["people"].as_array().unwrap().iter();
    people
        .map(|person| (field(person, "id"), field(person, "presence")))
        .collect()
}

/// How many people of the meeting have a reference, as the list of rosters says.
pub fn with_reference(kit: &Kit) -> String {
    let list = kit.run(&["roster", "list"]).done();
    let header = list.lines().next().unwrap();
    let line = list.lines().find(|line| line.starts_with(MEETING)).unwrap();
    let column = header.split("  ").filter(|cell| !cell.trim().is_empty());
    let index = column
        .map(str::trim)
        .position(|cell| cell == "With reference")
        .unwrap();
    let cells = line.split("  ").filter(|cell| !cell.trim().is_empty());
    cells.map(str::trim).nth(index).unwrap().to_owned()
}

/// The bytes of the files that hold what must not be lost.
pub fn kept(kit: &Kit) -> Vec<Vec<u8>> {
    let names = ["local.db", "device.key"];
    names
        .iter()
        .map(|name| fs::read(kit.data().join(name)).unwrap())
        .collect()
}
