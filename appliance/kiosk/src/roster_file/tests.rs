//! Rosters' files as they come, and as they should not: each with what is made of it.

use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;
use vocabulary::{Attendance, Role, Roster, WallTime};

use super::sheet::HEADER_EXAMPLE;
use super::words::label;
use super::*;

const CSV: &str = "Mã,Họ và tên,Chức danh,Đơn vị,Vai trò,Hình thức\n\
    CB-1,Mẫu Một,Ông,Sở Ví dụ,Đại biểu,Khuôn mặt\n\
    CB-2,\"Mẫu, Hai\",Bà,,Khách mời,Mã QR\n";

fn with_home<T>(act: impl Fn(&Home<'_>) -> T) -> T {
    let organisation = OrganisationId::new("ubnd-mau").unwrap();
    let room = RoomId::new("A1").unwrap();
    act(&Home {
        organisation: &organisation,
        room: &room,
        zone: "Asia/Ho_Chi_Minh",
    })
}

fn csv(bytes: impl AsRef<[u8]>) -> Result<RosterFile, Problem> {
    with_home(|home| parse(Form::Csv, bytes.as_ref(), home))
}

fn json(text: &str) -> Result<RosterFile, Problem> {
    with_home(|home| parse(Form::Json, text.as_bytes(), home))
}

/// One line for each person, in a form that shows every field.
fn shown(file: &RosterFile) -> Vec<String> {
    let line = |entry: &RosterEntry| {
        let delegate = &entry.delegate;
        format!(
            "{}|{}|{}|{}|{:?}|{:?}",
            delegate.person,
            delegate.name,
            delegate.title,
            delegate.unit,
            entry.role,
            entry.attendance
        )
    };
    file.entries.iter().map(line).collect()
}

fn usual() -> Vec<String> {
    vec![
        "CB-1|Mẫu Một|Ông|Sở Ví dụ|Member|FaceOrCode".to_owned(),
        "CB-2|Mẫu, Hai|Bà||Guest|CodeOnly".to_owned(),
    ]
}

fn check_refused(bytes: impl AsRef<[u8]>, expect: &[&str]) {
    let error = csv(bytes).expect_err("refused").to_string();
    for part in expect {
        assert!(error.contains(part), "{part:?} is not in {error:?}");
    }
}

#[test]
fn a_sheet_is_read_however_it_was_saved() {
    let separated = |separator: &str| {
        let quoted = CSV.replace("\"Mẫu, Hai\"", "\"Mẫu# Hai\"");
        quoted.replace(',', separator).replace('#', ",")
    };
    let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    };
    let check = |how: &str, bytes: Vec<u8>| {
        let file = csv(bytes).unwrap_or_else(|error| panic!("{how}: {error}"));
        assert_eq!(shown(&file), usual(), "{how}");
        assert_eq!(file.notes, [], "{how}");
    };
    check("plain", CSV.into());
    check("with a mark", format!("\u{feff}{CSV}").into());
    check("with semicolons", separated(";").into());
    check("with tabs", separated("\t").into());
    check(
        "with the separator named",
        format!("sep=;\n{}", separated(";")).into(),
    );
    check("with CR LF", CSV.replace('\n', "\r\n").into());
    check("in NFD", CSV.nfd().collect::<String>().into());
    check("in upper case", {
        let (header, rest) = CSV.split_once('\n').unwrap();
        format!("{}\n{rest}", header.to_uppercase()).into()
    });
    let unicode_text = format!("\u{feff}{}", separated("\t"));
    check("Unicode text", utf16(&unicode_text, u16::to_le_bytes));
    check("big-endian", utf16(&unicode_text, u16::to_be_bytes));
    check(
        "UTF-16 without a mark",
        utf16(&separated(";"), u16::to_le_bytes),
    );
    check(
        "big-endian without a mark",
        utf16(&separated(";"), u16::to_be_bytes),
    );
    check("with blank rows and columns", {
        let wide = CSV.replace('\n', ",,,\n");
        format!("{wide},,,,,,,,\n  ,,,\n\n\n").into()
    });
    check("with lines above the header", {
        format!("UỶ BAN NHÂN DÂN MẪU\nDanh sách đại biểu,,\n\n{CSV}").into()
    });
}

#[test]
fn headers_are_known_in_two_languages_and_in_any_order() {
    let check = |header: &str, row: &str, expect: &str| {
        let file = csv(format!("{header}\n{row}\n")).unwrap_or_else(|e| panic!("{header}: {e}"));
        assert_eq!(shown(&file), [expect], "{header}");
    };
    check("name,id", "Mẫu Một,1", "1|Mẫu Một|||Member|FaceOrCode");
    check(
        "STT;Đơn vị công tác;HO TEN;Chức vụ/Chức danh;Mã số (*)",
        "1;Sở Ví dụ;Mẫu Một;Giám đốc;CB-1",
        "CB-1|Mẫu Một|Giám đốc|Sở Ví dụ|Member|FaceOrCode",
    );
    check(
        "Mã cán bộ,Họ đệm,Tên",
        "7,Nguyễn Văn,Mẫu",
        "7|Nguyễn Văn Mẫu|||Member|FaceOrCode",
    );
    check(
        "id,full name,role,attendance",
        "7,Mẫu,GUEST,code",
        "7|Mẫu|||Guest|CodeOnly",
    );
}

#[test]
fn names_are_in_nfc_with_single_spaces_and_nothing_invisible() {
    let name = "\u{a0} Nguye\u{302}\u{303}n\u{200b}  Va\u{306}n\u{a0}Mẫu ";
    let file = csv(format!("id,name,title\n1,\"{name}\",\"Giám\nđốc\"\n")).unwrap();
    assert_eq!(
        shown(&file),
        ["1|Nguyễn Văn Mẫu|Giám đốc||Member|FaceOrCode"]
    );
}

#[test]
fn what_is_wrong_is_named_with_line_column_and_way_out() {
    let header = "Mã,Họ tên,Vai trò,Hình thức\n";
    let check = |rows: &str, expect: &[&str]| check_refused(format!("{header}{rows}"), expect);
    check("1,A\n\n1,B\n", &["line 4, column A (Mã)", "id 1", "line 2"]);
    check("1,A\n,B\n", &["line 3, column A (Mã)", "fill it in"]);
    check("1, \n", &["line 2, column B (Họ tên)", "fill it in"]);
    check("1 2,A\n", &["line 2, column A (Mã)", "\"1 2\" is no id"]);
    check("1,A\u{7}B\n", &["line 2, column B (Họ tên)", "U+0007"]);
    check("1,A\u{202e}B\n", &["line 2, column B (Họ tên)", "U+202E"]);
    check(
        "1,A,chủ tọa\n",
        &["line 2, column C (Vai trò)", "chủ tọa", "Khách mời"],
    );
    check(
        "1,A,,vân tay\n",
        &["line 2, column D (Hình thức)", "vân tay", "Mã QR"],
    );
    let long = format!("1,{}\n", "x".repeat(257));
    check(&long, &["line 2, column B (Họ tên)", "257 bytes"]);
    // A quotation mark that is never closed swallows the rest.
    let open = format!("1,\"A\n{}", "2,B\n".repeat(100));
    check(&open, &["line 2, column B", "quotation mark"]);
    check("", &["no people"]);
}

#[test]
fn a_sheet_without_ids_or_names_is_refused_with_an_example() {
    check_refused(
        "Họ và tên,Đơn vị\nMẫu,Sở\n",
        &["line 1", "\"Mã\"", HEADER_EXAMPLE],
    );
    check_refused("a,b\n1,2\n", &["no header", HEADER_EXAMPLE]);
    check_refused(
        "Mã,Tên,Chức vụ,Chức danh\n",
        &["line 1", "Chức vụ", "Chức danh", "same"],
    );
    check_refused("", &["empty"]);
    check_refused("\u{feff} \n\n", &["empty"]);
    check_refused(b"id,name\n1,Nguy\xean\n", &["line 2", "CSV UTF-8"]);
    check_refused(b"\xff\xfei\0d\0\n\0\0\xd8", &["line 2", "UTF-16"]);
    check_refused(b"PK\x03\x04workbook", &["spreadsheet's own format"]);
}

#[test]
fn two_people_of_one_name_are_accepted_with_a_note() {
    let check = |units: [&str; 2], expect: &str| {
        let [first, second] = units;
        let text = format!("id,name,unit\n1,Mẫu,{first}\n2,Khác,\n3,Mẫu,{second}\n");
        let file = csv(text).unwrap();
        assert_eq!(file.entries.len(), 3);
        let notes: Vec<_> = file.notes.iter().map(Note::to_string).collect();
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(
            notes[0].starts_with("2 people are called Mẫu (1, 3)"),
            "{notes:?}"
        );
        assert!(notes[0].contains(expect), "{notes:?}");
    };
    check(["Sở A", "Sở B"], "add the unit");
    check(["Sở A", "Sở A"], "a unit of their own");
    check(["Sở A", ""], "a unit of their own");
}

#[test]
fn columns_that_mean_nothing_are_noted() {
    let file = csv("STT,id,name,Điện thoại\n1,1,A,0900\n").unwrap();
    assert_eq!(
        file.notes,
        [Note::IgnoredColumns(vec!["Điện thoại".to_owned()])]
    );
}

fn people(count: usize) -> String {
    let rows = (0..count).map(|n| format!("P{n},Mẫu {n}\n"));
    format!("id,name\n{}", rows.collect::<String>())
}

#[test]
fn ten_thousand_people_are_accepted_and_too_many_refused() {
    let file = csv(people(10_000)).unwrap();
    assert_eq!(file.entries.len(), 10_000);
    let note = note_on_size(file.entries.len(), false).unwrap().to_string();
    assert!(note.contains("10000 people"), "{note}");
    assert_eq!(note_on_size(10_000, true), None);
    assert!(csv(people(ROSTER_ENTRIES_MAX)).is_ok());
    assert!(matches!(
        csv(people(ROSTER_ENTRIES_MAX + 1)),
        Err(Problem::TooMany)
    ));
}

const JSON: &str = r#"{
    "meeting": {
        "id": "M1", "title": "Họp  giao ban",
        "starts_at": "2026-12-01T08:00", "ends_at": "2026-12-01T11:30:00+07:00"
    },
    "people": [
        {"id": "CB-1", "name": "Mẫu Một", "title": "Ông", "unit": "Sở Ví dụ"},
        {"id": "CB-2", "name": "Mẫu, Hai", "title": "Bà", "role": "guest",
         "attendance": "code"}
    ]
}"#;

#[test]
fn json_has_the_meeting_and_takes_the_rest_from_home() {
    let file = json(JSON).unwrap();
    assert_eq!(shown(&file), usual());
    let meeting = file.meeting.unwrap();
    assert_eq!(meeting.title, "Họp giao ban");
    assert_eq!(meeting.organisation.as_str(), "ubnd-mau");
    assert_eq!(meeting.room.as_str(), "A1");
    assert_eq!(meeting.zone, "Asia/Ho_Chi_Minh");
    assert_eq!(meeting.starts_at, WallTime(1_796_086_800_000));
    assert_eq!(meeting.ends_at.0 - meeting.starts_at.0, 210 * 60 * 1000);
}

#[test]
fn json_that_is_wrong_is_refused_where_it_is() {
    let check = |from: &str, to: &str, expect: &[&str]| {
        let text = JSON.replacen(from, to, 1);
        assert_ne!(text, JSON, "{from} is not there");
        let problem = json(&text).expect_err("refused");
        let source = std::error::Error::source(&problem);
        let told = format!(
            "{problem}: {}",
            source.map(ToString::to_string).unwrap_or_default()
        );
        for part in expect {
            assert!(told.contains(part), "{part:?} is not in {told:?}");
        }
    };
    check("\"people\": [", "\"people\": [,", &["line 6 column"]);
    check(
        "\"unit\"",
        "\"units\"",
        &["unknown field `units`", "line 7"],
    );
    check("\"id\": \"M1\", ", "", &["missing field `id`"]);
    check("CB-2", "CB-1", &["people[1].id", "people[0].id", "CB-1"]);
    check("CB-2", "", &["people[1].id", "fill it in"]);
    check("Mẫu, Hai", "\\u0000", &["people[1].name", "U+0000"]);
    check("Mẫu, Hai", " ", &["people[1].name", "fill it in"]);
    check("guest", "boss", &["people[1].role", "boss", "guest"]);
    check(
        "2026-12-01T08:00\"",
        "8 giờ\"",
        &["meeting.starts_at", "8 giờ"],
    );
    check(
        "\"id\": \"M1\"",
        "\"id\": \"../M1\"",
        &["meeting.id", "../M1"],
    );
    check(
        "\"id\": \"M1\"",
        "\"id\": \"M1\", \"zone\": \"Hà Nội\"",
        &["meeting.zone"],
    );
}

fn roster(meeting: Meeting, entries: Vec<RosterEntry>) -> Roster {
    Roster::new(meeting, 1, entries).unwrap()
}

#[test]
fn json_goes_there_and_back() {
    let file = json(JSON).unwrap();
    let meeting = file.meeting.clone().unwrap();
    let text = to_json(&roster(meeting, file.entries.clone())).unwrap();
    assert_eq!(json(&text).unwrap(), file);
}

#[test]
fn csv_is_written_with_a_mark_and_without_formulas() {
    let file = csv("id,name,unit\n1,\"=HYPERLINK(\"\"x\"\")\",@Sở\n2,'A,'=B\n").unwrap();
    let meeting = json(JSON).unwrap().meeting.unwrap();
    let text = to_csv(&roster(meeting, file.entries.clone())).unwrap();
    assert!(text.starts_with('\u{feff}'));
    assert!(text.contains("\"'=HYPERLINK(\"\"x\"\")\""), "{text}");
    assert!(text.contains(",'@Sở,"), "{text}");
    assert!(text.contains("2,'A,"), "{text}");
    assert_eq!(csv(text).unwrap().entries, file.entries);
}

#[test]
fn files_are_read_by_their_endings_and_within_limits() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: Option<&[u8]>, expect: Result<usize, &str>| {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        match (with_home(|home| read(&path, home)), expect) {
            (Ok(file), Ok(people)) => assert_eq!(file.entries.len(), people, "{name}"),
            (Err(error), Err(part)) => {
                let error = error.to_string();
                assert!(error.contains(name) && error.contains(part), "{error}");
            }
            (got, expect) => panic!("{name}: {got:?}, not {expect:?}"),
        }
    };
    check("a.CSV", Some(CSV.as_bytes()), Ok(2));
    check("a.txt", Some(CSV.as_bytes()), Ok(2));
    check("a.json", Some(JSON.as_bytes()), Ok(2));
    check("a.xlsx", Some(b"PK\x03\x04"), Err("CSV UTF-8"));
    check("a.pdf", Some(b""), Err(".json"));
    check("missing.csv", None, Err("cannot be read"));
    let huge = File::create(folder.path().join("huge.csv")).unwrap();
    huge.set_len(FILE_BYTES_MAX + 1).unwrap();
    check("huge.csv", None, Err("larger than"));
    std::fs::create_dir(folder.path().join("folder.csv")).unwrap();
    check("folder.csv", None, Err("cannot be read"));
}

fn text() -> impl Strategy<Value = String> {
    "['=+@\\-a-zA-ZđĐẫộ,;\"]{0,12}"
}

proptest! {
    #[test]
    fn every_roster_survives_both_forms(
        people in proptest::collection::vec((text(), text(), text(), any::<(bool, bool)>()), 1..8)
    ) {
        let place = Place::Field(String::new());
        let entries: Vec<_> = people
            .into_iter()
            .enumerate()
            .map(|(n, (name, title, unit, (guest, code)))| RosterEntry {
                delegate: Delegate {
                    person: PersonId::new(&format!("P{n}")).unwrap(),
                    name: label(&place, &format!("x{name}")).unwrap(),
                    title: label(&place, &title).unwrap(),
                    unit: label(&place, &unit).unwrap(),
                },
                role: if guest { Role::Guest } else { Role::Member },
                attendance: if code { Attendance::CodeOnly } else { Attendance::FaceOrCode },
            })
            .collect();
        let meeting = json(JSON).unwrap().meeting.unwrap();
        let roster = roster(meeting, entries.clone());
        prop_assert_eq!(&csv(to_csv(&roster).unwrap()).unwrap().entries, &entries);
        prop_assert_eq!(&json(&to_json(&roster).unwrap()).unwrap().entries, &entries);
    }

    #[test]
    fn no_bytes_break_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = csv(&bytes);
        let _ = csv([b"id,name\n1,", bytes.as_slice()].concat());
        let _ = with_home(|home| parse(Form::Json, &bytes, home));
    }
}
