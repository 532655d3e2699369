//! Rosters and rolls as CSV, for secretaries and their spreadsheets: headers in Vietnamese, read in
//! Vietnamese or English, with commas, semicolons or tabs. A cell is only ever text: what is
//! written cannot become a formula, and what was guarded against that is read back as it was.

use std::collections::HashMap;
use std::str::FromStr;

use ::sheet::{Column, guard_formula, unguard_formula};
use vocabulary::PersonId;
use vocabulary::meeting::ROSTER_ENTRIES_MAX;
use wire::Name;
use wire::problem::ProblemType;
use wire::roll::Roll;

use crate::model::{Entry, Person, RosterView};
use crate::reply::Failure;

/// The mark at the beginning that makes spreadsheets read UTF-8.
const MARK: &str = "\u{feff}";

const HEADER: [&str; 8] = [
    "Mã",
    "Họ và tên",
    "Chức danh",
    "Đơn vị",
    "Vai trò",
    "Hình thức",
    "Dự thay cho",
    "Theo văn bản",
];

/// Reads a roster. The people must have been put before; their names in the sheet are for its
/// readers.
///
/// # Errors
/// A problem that names the line and the column.
pub(super) fn read_roster(bytes: &[u8]) -> Result<Vec<Entry>, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let good = &bytes[..error.valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        Failure::malformed(format!(
            "line {line} is not UTF-8; save the sheet as CSV UTF-8"
        ))
    })?;
    let text = text.strip_prefix(MARK).unwrap_or(text);
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b';', b'\t', b',']
        .into_iter()
        .max_by_key(|delimiter| first.bytes().filter(|byte| byte == delimiter).count())
        .unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(text.as_bytes());
    let broken = |error: csv::Error| Failure::malformed(format!("the sheet: {error}"));
    let columns = columns(reader.headers().map_err(broken)?)?;
    let mut entries = Vec::new();
    for row in reader.records() {
        let row = row.map_err(broken)?;
        let line = row.position().map_or(0, csv::Position::line);
        if row.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if entries.len() == ROSTER_ENTRIES_MAX {
            let detail = format!("a roster has at most {ROSTER_ENTRIES_MAX} people");
            return Err(Failure::new(ProblemType::Unprocessable, detail));
        }
        entries.push(entry(&columns, &row, line)?);
    }
    Ok(entries)
}

fn columns(headers: &csv::StringRecord) -> Result<HashMap<Column, usize>, Failure> {
    let mut columns = HashMap::new();
    for (index, header) in headers.iter().enumerate() {
        if header.trim().is_empty() {
            continue;
        }
        let column = Column::of(header).ok_or_else(|| {
            let known = HEADER.join(";");
            let header: String = header.chars().take(40).collect();
            Failure::malformed(format!("there is no column {header:?}; there are: {known}"))
        })?;
        if columns.insert(column, index).is_some() {
            return Err(Failure::malformed(format!(
                "the column {header:?} is there twice"
            )));
        }
    }
    if columns.contains_key(&Column::Id) {
        Ok(columns)
    } else {
        Err(Failure::malformed(format!(
            "the first line has no column \"Mã\" (or \"id\"); it should look like: {}",
            HEADER.join(";")
        )))
    }
}

fn entry(
    columns: &HashMap<Column, usize>,
    row: &csv::StringRecord,
    line: u64,
) -> Result<Entry, Failure> {
    let cell = |column| {
        let index = columns.get(&column)?;
        let text = unguard_formula(row.get(*index)?.trim());
        (!text.is_empty()).then_some(text)
    };
    let id = |text: &str, column: &str| {
        PersonId::from_str(text)
            .map_err(|error| Failure::malformed(format!("line {line}, {column}: {error}")))
    };
    let label = |column, header: &str| {
        let label = cell(column).map(Name::new).transpose();
        let label =
            label.map_err(|error| Failure::malformed(format!("line {line}, {header}: {error}")))?;
        Ok::<_, Failure>(label.map(|name| name.as_str().to_owned()))
    };
    let wrong = |column: &str, allowed: &str| {
        Failure::malformed(format!(
            "line {line}, {column}: it must be {allowed}, or empty"
        ))
    };
    let person = cell(Column::Id)
        .ok_or_else(|| Failure::malformed(format!("line {line}, Mã: it is empty")))?;
    let role = ::sheet::role(cell(Column::Role).unwrap_or_default())
        .ok_or_else(|| wrong("Vai trò", "\"Đại biểu\" or \"Khách mời\""))?;
    let attendance = ::sheet::attendance(cell(Column::Attendance).unwrap_or_default())
        .ok_or_else(|| wrong("Hình thức", "\"Khuôn mặt\" or \"Mã QR\""))?;
    Ok(Entry {
        person: id(person, "Mã")?,
        title: label(Column::Title, "Chức danh")?,
        unit: label(Column::Unit, "Đơn vị")?,
        role,
        attendance,
        instead_of: cell(Column::InsteadOf)
            .map(|text| id(text, "Dự thay cho"))
            .transpose()?,
        document: label(Column::Document, "Theo văn bản")?,
    })
}

/// Writes a roster; `person` gives the name of somebody on it.
pub(super) fn write_roster(
    roster: &RosterView,
    person: impl Fn(&PersonId) -> Result<Option<Person>, Failure>,
) -> Result<String, Failure> {
    let mut rows = Vec::with_capacity(roster.entries.len());
    for entry in &roster.entries {
        let details = person(&entry.person)?.map(|person| person.details);
        let details = details.as_ref();
        let own = |own: Option<&str>, other: &Option<String>| {
            guard_formula(other.as_deref().or(own).unwrap_or_default())
        };
        rows.push([
            entry.person.as_str().to_owned(),
            guard_formula(details.map_or("", |details| &details.name)),
            own(details.map(|details| details.title.as_str()), &entry.title),
            own(details.map(|details| details.unit.as_str()), &entry.unit),
            ::sheet::role_word(entry.role).to_owned(),
            ::sheet::attendance_word(entry.attendance).to_owned(),
            entry
                .instead_of
                .as_ref()
                .map_or("", PersonId::as_str)
                .to_owned(),
            guard_formula(entry.document.as_deref().unwrap_or_default()),
        ]);
    }
    table(&HEADER, rows)
}

/// Writes a roll, with its times in the meeting's zone.
pub(super) fn write_roll(roll: &Roll, zone: &jiff::tz::TimeZone) -> Result<String, Failure> {
    let header = [
        "STT",
        "Mã",
        "Họ và tên",
        "Chức danh",
        "Đơn vị",
        "Có mặt",
        "Thời gian",
        "Hình thức",
        "Người dự thay",
    ];
    let clock = |time: &wire::Timestamp| {
        jiff::Timestamp::from_millisecond(time.0.0).map_or_else(
            |_| time.to_string(),
            |time| {
                time.to_zoned_datetime(zone.clone())
                    .strftime("%H:%M:%S")
                    .to_string()
            },
        )
    };
    let rows = roll.rows.iter().enumerate().map(|(index, row)| {
        let intervals: Vec<_> = row
            .intervals
            .iter()
            .map(|interval| {
                let until = interval.until.as_ref().map(clock).unwrap_or_default();
                format!("{}–{until}", clock(&interval.from))
            })
            .collect();
        let means = match row
            .intervals
            .first()
            .map(|interval| interval.means.as_str())
        {
            Some("face") => "khuôn mặt",
            Some("invitation") => "giấy mời (QR)",
            Some("citizen-card") => "CCCD",
            Some("secretary") => "thư ký",
            Some(_) | None => "",
        };
        [
            (index + 1).to_string(),
            row.person
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
            guard_formula(row.name.as_str()),
            guard_formula(row.title.as_str()),
            guard_formula(row.unit.as_str()),
            if row.attended { "có" } else { "vắng" }.to_owned(),
            intervals.join(", "),
            means.to_owned(),
            row.substitute
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
        ]
    });
    table(&header, rows)
}

fn table<const N: usize>(
    header: &[&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(MARK.as_bytes().to_vec());
    let written = (|| {
        writer.write_record(header)?;
        for row in rows {
            writer.write_record(row)?;
        }
        writer.flush()
    })();
    let failed = |error: &dyn std::fmt::Display| Failure::internal("a table", error);
    written.map_err(|error: std::io::Error| failed(&error))?;
    let bytes = writer.into_inner().map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|error| failed(&error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use vocabulary::{Attendance, Digest, Role};

    use super::*;
    use crate::model::PersonDetails;

    fn check(text: &str, expect: &str) {
        let told = match read_roster(text.as_bytes()) {
            Ok(entries) => entries
                .iter()
                .map(|entry| {
                    let title = entry.title.as_deref().unwrap_or("-");
                    let instead = entry.instead_of.as_ref().map_or("-", PersonId::as_str);
                    format!("{} {title} {:?} {instead}", entry.person, entry.role)
                })
                .collect::<Vec<_>>()
                .join("; "),
            Err(failure) => failure.detail,
        };
        assert!(told.contains(expect), "{text:?}: {told}");
    }

    #[test]
    fn sheets_are_read_in_both_languages_and_with_any_separator() {
        check("id,title,role\na1,Ông,guest\n", "a1 Ông Guest -");
        check(
            "\u{feff}Mã;Họ và tên;Vai trò\na1;Nguyễn Văn Mẫu;Đại biểu\n",
            "a1 - Member -",
        );
        check(
            "STT\tma\tDự thay cho\n1\ta1\t\n2\ta2\ta1\n",
            "a1 - Member -; a2 - Member a1",
        );
        check("id\na1\n\n   \na2\n", "a1 - Member -; a2 - Member -");
        check("id,title\na1,'=1+1\n", "a1 =1+1 Member");
    }

    #[test]
    fn what_is_wrong_is_named_by_line_and_column() {
        check("", "no column \"Mã\"");
        check("name\nx\n", "no column \"Mã\"");
        check("id,colour\na1,red\n", "no column \"colour\"");
        check("id,ma\na1,a2\n", "twice");
        check("id,role\na1,king\n", "line 2, Vai trò");
        check("id\n../x\n", "line 2, Mã");
        check("id,title\n,Ông\n", "line 2, Mã: it is empty");
        assert!(
            read_roster(b"id\na\xff\n")
                .unwrap_err()
                .detail
                .contains("line 2")
        );
    }

    #[test]
    fn what_is_written_is_read_back_and_no_formula() {
        let id = PersonId::new("a1").unwrap();
        let entry = Entry {
            person: id.clone(),
            title: Some("=HYPERLINK(\"x\")".to_owned()),
            unit: None,
            role: Role::Guest,
            attendance: Attendance::CodeOnly,
            instead_of: Some(PersonId::new("a2").unwrap()),
            document: Some("Số 1, 2".to_owned()),
        };
        let view = RosterView {
            generation: 1,
            digest: Digest([0; 32]),
            entries: vec![entry.clone()],
            without_reference: Vec::new(),
        };
        let person = Person {
            details: PersonDetails {
                id,
                name: "Nguyễn Văn Mẫu".to_owned(),
                title: String::new(),
                unit: String::new(),
            },
            opaque: PersonId::new("p-1").unwrap(),
            references: Vec::new(),
            citizen_card: false,
        };
        let text = write_roster(&view, |_| Ok(Some(person.clone()))).unwrap();
        assert!(text.contains("'=HYPERLINK"), "{text}");
        assert_eq!(read_roster(text.as_bytes()).unwrap(), [entry]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes: Vec<u8>,
            text in "(id|ma|ten)[,;\t].{0,60}\n.{0,60}",
        ) {
            let _ = read_roster(&bytes);
            let _ = read_roster(text.as_bytes());
        }
    }
}
