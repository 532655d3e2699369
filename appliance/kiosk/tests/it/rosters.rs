//! Rosters as a secretary brings them: what is accepted, with which notes, and what is refused.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::kit::Kit;
use crate::setting::{MEETING, ROSTER, import, kept, ready};

/// Longest that the largest roster may take to be brought in, on a busy machine and in a build for
/// development.
const IMPORT_MAX: Duration = Duration::from_secs(20);

const BOM: &str = "\u{feff}";

#[test]
fn a_sheet_is_the_same_roster_however_it_was_saved() {
    let commas = ROSTER.replace(';', ",");
    let tabs = ROSTER.replace(';', "\t");
    let windows = ROSTER.replace('\n', "\r\n");
    let bare = "id;name;title;unit;role;attendance\n";
    let english = ROSTER.replacen(ROSTER.lines().next().unwrap(), bare.trim_end(), 1);
    let forms = [
        ROSTER.to_owned(),
        format!("{BOM}{ROSTER}"),
        format!("{BOM}{windows}"),
        commas,
        tabs,
        english,
    ];
    let export = |form: &str| {
        let kit = Kit::new();
        let said = import(&kit, &kit.file("people.csv", form)).done();
        assert!(said.contains("GB-12: 3 people, generation 1"), "{said}");
        let list = kit.run(&["roster", "list"]).done();
        assert!(list.contains("Họp giao ban"), "{list}");
        kit.run(&["roster", "export", MEETING]).done()
    };
    let first = export(&forms[0]);
    assert!(first.contains("Đặng Thị Mẫu"), "{first}");
    for form in &forms[1..] {
        assert_eq!(export(form), first, "{form:?}");
    }
}

#[test]
fn what_was_exported_comes_in_again_unchanged() {
    let kit = Kit::new();
    import(&kit, &kit.file("people.csv", ROSTER)).done();
    let json = kit.run(&["roster", "export", MEETING]).done();
    let csv = kit
        .run(&["roster", "export", MEETING, "--format", "csv"])
        .done();
    assert!(csv.starts_with(BOM), "spreadsheets need the mark: {csv:?}");

    kit.run(&["roster", "export", MEETING, "--output", "out.json"])
        .done();
    let written = std::fs::read_to_string(kit.path("out.json")).unwrap();
    assert_eq!(written, json);
    let said = kit.run(&["roster", "import", "out.json"]).done();
    assert!(said.contains("generation 1 (unchanged)"), "{said}");
    let said = import(&kit, &kit.file("again.csv", &csv)).done();
    assert!(said.contains("generation 1 (unchanged)"), "{said}");

    // On another kiosk it is the same as well.
    let other = Kit::new();
    other.file("in.json", &json);
    other.run(&["roster", "import", "in.json"]).done();
    assert_eq!(other.run(&["roster", "export", MEETING]).done(), json);
    let again = other.run(&["roster", "export", MEETING, "--format", "csv"]);
    assert_eq!(again.done(), csv);

    // A change is a new generation.
    let changed = ROSTER.replace("Sở Khác", "Sở Mới");
    let said = import(&kit, &kit.file("changed.csv", changed)).done();
    assert!(said.contains("3 people, generation 2"), "{said}");
}

#[test]
fn an_id_given_twice_is_refused_with_both_places_and_the_earlier_roster_stays() {
    let kit = Kit::new();
    import(&kit, &kit.file("people.csv", ROSTER)).done();
    let json = kit.run(&["roster", "export", MEETING]).done();
    let before = kept(&kit);

    let twice = ROSTER.replace("CB-003", "CB-001");
    let refused = import(&kit, &kit.file("twice.csv", twice));
    let said = [
        "twice.csv: line 4, column A (Mã)",
        "CB-001",
        "line 2",
        "an id of their own",
    ];
    refused.refused(1, &said);

    kit.file("twice.json", json.replace("CB-003", "CB-001"));
    let refused = kit.run(&["roster", "import", "twice.json"]);
    refused.refused(1, &["twice.json", "people[2].id", "CB-001", "people[0].id"]);

    assert_eq!(kept(&kit), before, "the files were changed");
    assert_eq!(kit.run(&["roster", "export", MEETING]).done(), json);
}

#[test]
fn what_is_no_roster_is_refused_with_the_way_out() {
    let kit = Kit::new();
    let check = |name: &str, content: &str, said: &[&str]| {
        let file = kit.file(name, content);
        import(&kit, &file).refused(1, &[&[name], said].concat());
    };
    check("empty.csv", "", &["the file is empty"]);
    check("people.xlsx", "PK", &["save it as \"CSV UTF-8\""]);
    check("people.pdf", "x", &["the name has to end in .json, .csv"]);
    check(
        "no-ids.csv",
        "Họ và tên\nĐặng Thị Mẫu\n",
        &["no column of ids", "Mã;Họ và tên"],
    );
    check(
        "no-name.csv",
        "Mã;Họ và tên\nCB-1;\n",
        &["line 2, column B (Họ và tên)"],
    );
    check(
        "bad-id.csv",
        "Mã;Họ và tên\nCB 1;Mẫu\n",
        &["line 2, column A (Mã)", "\"CB 1\""],
    );
    check("broken.json", "{", &["line 1"]);
    let missing = kit.run(&["roster", "import", "not-there.csv"]);
    missing.refused(1, &["not-there.csv", "check its name"]);
    kit.file("people.csv", ROSTER);
    let alone = kit.run(&["roster", "import", "people.csv"]);
    alone.refused(
        1,
        &["--meeting ID", "--title TEXT", "--start TIME", "--end TIME"],
    );
    let nothing = kit.run(&["roster", "export", MEETING]);
    nothing.refused(1, &["kiosk roster import"]);
    assert!(!kit.data().join("local.db").exists());
}

#[test]
fn what_a_file_says_of_its_meeting_is_not_said_again_on_the_command_line() {
    let kit = Kit::new();
    import(&kit, &kit.file("people.csv", ROSTER)).done();
    kit.run(&["roster", "export", MEETING, "--output", "out.json"])
        .done();
    for (option, value) in [
        ("--meeting", "GB-13"),
        ("--title", "Họp khác"),
        ("--start", "2026-12-01T08:00"),
        ("--end", "2026-12-01T08:00"),
        ("--quorum", "2"),
    ] {
        let refused = kit.run(&["roster", "import", "out.json", option, value]);
        refused.refused(1, &["the file says which meeting it is for", option]);
    }
}

#[test]
fn people_of_one_name_and_people_without_a_photograph_are_accepted_with_a_note() {
    let kit = Kit::new();
    let said = import(&kit, &kit.file("people.csv", ROSTER)).done();
    let shared = "note: 2 people are called Đặng Thị Mẫu (CB-001, CB-003); screen and roll add";
    assert!(said.contains(shared), "{said}");
    // Whoever is called by code only needs none.
    let without = "note: 2 of 3 people have no reference and are called by other means only (QR \
                   code, secretary) until `kiosk enrol` makes one: CB-001, CB-003";
    assert!(said.contains(without), "{said}");
}

#[test]
fn ten_thousand_people_come_in_within_seconds_and_a_face_then_only_proposes() {
    let kit = Kit::new();
    let mut sheet = String::from("Mã;Họ và tên;Chức danh;Đơn vị\n");
    for number in 0..10_000 {
        writeln!(
            sheet,
            "CB-{number:05};Đại biểu thứ {number};Ông;Đơn vị {}",
            number % 90
        )
        .unwrap();
    }
    let began = Instant::now();
    let said = import(&kit, &kit.file("people.csv", sheet)).done();
    let took = began.elapsed();
    assert!(took < IMPORT_MAX, "{took:?}");
    assert!(said.contains("GB-12: 10000 people, generation 1"), "{said}");
    let note = "10000 people on the roster are enrolled, a face alone is not certain enough: it \
                only proposes, and a second means";
    assert!(said.contains(note), "{said}");
    assert!(
        said.contains("10000 of 10000 people have no reference"),
        "{said}"
    );
    // Named, but not all ten thousand of them.
    assert!(said.len() < 2_000, "{} bytes", said.len());
    let export = kit
        .run(&["roster", "export", MEETING, "--format", "csv"])
        .done();
    assert_eq!(export.lines().count(), 10_001);
}

#[test]
fn a_check_names_who_has_no_reference_and_changes_nothing() {
    let kit = ready();
    let before = kept(&kit);
    let said = kit.run(&["roster", "check", MEETING]).done();
    assert!(said.contains("3 người trong danh sách, 1 người"), "{said}");
    assert!(said.contains("Chưa có ảnh mẫu (1 người)"), "{said}");
    // By code only, so that nothing is missing.
    assert!(
        said.contains("CB-003") && !said.contains("CB-002"),
        "{said}"
    );
    assert!(!said.contains("Rất giống nhau"), "{said}");
    assert_eq!(kept(&kit), before, "the files were changed");
    let refused = kit.run(&["roster", "check", "GB-99"]);
    refused.refused(1, &["GB-99", "kiosk roster list"]);
}
