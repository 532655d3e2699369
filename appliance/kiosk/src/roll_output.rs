//! The roll as a table, as CSV for a spreadsheet, as JSON for a program. What it says is decided in
//! the `roll` crate; here it only gets its form.

use jiff::tz::TimeZone;
use roll::{Conflict, Interval, Presence, Quorum, Roll, Row};
use serde_json::{Value, json};
use vocabulary::{Means, Roster};

use crate::cli::RollFormat;
use crate::codes;
use crate::local_time::{clock_text, day_text, rfc3339, zone};
use crate::table::layout;
use sheet::guard_formula;

/// The roll in the form asked for.
///
/// # Errors
/// When the CSV writer fails, which writing to memory never makes it do.
pub fn render(roster: &Roster, roll: &Roll, format: RollFormat) -> anyhow::Result<String> {
    match format {
        RollFormat::Table => Ok(as_table(roster, roll)),
        RollFormat::Csv => as_csv(roster, roll),
        RollFormat::Json => Ok(format!("{:#}\n", as_json(roster, roll))),
    }
}

fn as_table(roster: &Roster, roll: &Roll) -> String {
    let meeting = roster.meeting();
    let zone = zone(&meeting.zone);
    let mut text = format!(
        "{} · {}–{} · {}\n\n",
        meeting.title,
        day_text(meeting.starts_at, &zone),
        &clock_text(meeting.ends_at, &zone)[..5],
        meeting.zone
    );
    let rows: Vec<Vec<String>> = roll
        .rows
        .iter()
        .enumerate()
        .map(|(index, row)| {
            vec![
                (index + 1).to_string(),
                display_name(row),
                row.delegate.title.clone(),
                presence_text(row.presence()).to_owned(),
                intervals_text(row, &zone),
                means_text(row),
            ]
        })
        .collect();
    let header = [
        "STT",
        "Họ và tên",
        "Chức danh",
        "Có mặt",
        "Thời gian",
        "Hình thức",
    ];
    text.push_str(&layout(&header, &rows));
    text.push_str(&format!(
        "\nCó mặt {}/{} (đại biểu {}/{}, khách mời {}/{}) · present {} of {}\n",
        roll.present(),
        roll.expected(),
        roll.members.present,
        roll.members.expected,
        roll.guests.present,
        roll.guests.expected,
        roll.present(),
        roll.expected()
    ));
    match roll.quorum {
        Quorum::NotAsked => {}
        Quorum::Reached(needed) => {
            text.push_str(&format!("Đủ số đại biểu (cần {needed}) / quorum reached\n"));
        }
        Quorum::Missing(needed) => {
            text.push_str(&format!("Chưa đủ số đại biểu (cần {needed}) / no quorum\n"));
        }
    }
    for conflict in &roll.conflicts {
        text.push_str(&format!("Lưu ý / note: {}\n", conflict_text(conflict)));
    }
    if roll.conflicts_left_off > 0 {
        text.push_str(&format!("… and {} more notes\n", roll.conflicts_left_off));
    }
    text
}

fn as_csv(roster: &Roster, roll: &Roll) -> anyhow::Result<String> {
    let zone = zone(&roster.meeting().zone);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "id",
        "name",
        "title",
        "unit",
        "role",
        "presence",
        "intervals",
        "means",
        "assurance",
    ])?;
    for row in &roll.rows {
        writer.write_record([
            row.delegate.person.as_str(),
            &guard_formula(&row.delegate.name),
            &guard_formula(&row.delegate.title),
            &guard_formula(&row.delegate.unit),
            codes::role(row.role),
            presence_code(row.presence()),
            &intervals_text(row, &zone),
            row.first_called()
                .map_or("", |passage| codes::means(passage.means)),
            row.assurance().map_or("", codes::assurance),
        ])?;
    }
    // The mark at the beginning makes spreadsheets read the names as UTF-8.
    Ok(format!(
        "\u{feff}{}",
        String::from_utf8(writer.into_inner()?)?
    ))
}

fn as_json(roster: &Roster, roll: &Roll) -> Value {
    let meeting = roster.meeting();
    let tally = |tally: &roll::Tally| {
        let (expected, came, present) = (tally.expected, tally.came, tally.present);
        json!({"expected": expected, "came": came, "present": present})
    };
    json!({
        "meeting": {
            "id": meeting.id.as_str(),
            "title": meeting.title,
            "starts_at": rfc3339(meeting.starts_at),
            "ends_at": rfc3339(meeting.ends_at),
            "zone": meeting.zone,
            "roster_generation": roll.generation,
        },
        "present": roll.present(),
        "expected": roll.expected(),
        "members": tally(&roll.members),
        "guests": tally(&roll.guests),
        "quorum": match roll.quorum {
            Quorum::NotAsked => Value::Null,
            Quorum::Reached(needed) => json!({"needed": needed, "reached": true}),
            Quorum::Missing(needed) => json!({"needed": needed, "reached": false}),
        },
        "people": roll.rows.iter().map(person_json).collect::<Vec<_>>(),
        "annulled": roll.annulled.len(),
        "notes": roll.conflicts.iter().map(conflict_text).collect::<Vec<_>>(),
    })
}

fn person_json(row: &Row) -> Value {
    let delegate = &row.delegate;
    json!({
        "id": delegate.person.as_str(),
        "name": delegate.name,
        "title": delegate.title,
        "unit": delegate.unit,
        "name_shared": row.name_shared,
        "role": codes::role(row.role),
        "presence": presence_code(row.presence()),
        "assurance": row.assurance().map(codes::assurance),
        "intervals": row.intervals.iter().map(interval_json).collect::<Vec<_>>(),
    })
}

fn interval_json(interval: &Interval) -> Value {
    json!({
        "person": interval.person.as_str(),
        "substitute_by": interval.substitute_by.as_ref().map(record::Text::as_str),
        "from": rfc3339(interval.from.at.wall),
        "from_clock": interval.from.at.quality.to_string(),
        "until": interval.until.as_ref().map(|passage| rfc3339(passage.at.wall)),
        "means": codes::means(interval.from.means),
        "assurance": codes::assurance(interval.from.assurance),
        "door": interval.from.door.as_str(),
        "record": {
            "epoch": interval.from.record.epoch.to_string(),
            "sequence": interval.from.record.sequence.0,
        },
    })
}

/// The name, with the unit where another on the roster bears the same.
fn display_name(row: &Row) -> String {
    let delegate = &row.delegate;
    if row.name_shared && !delegate.unit.is_empty() {
        format!("{} ({})", delegate.name, delegate.unit)
    } else {
        delegate.name.clone()
    }
}

fn intervals_text(row: &Row, zone: &TimeZone) -> String {
    let parts: Vec<String> = row
        .intervals
        .iter()
        .map(|interval| {
            let from = clock_text(interval.from.at.wall, zone);
            match &interval.until {
                Some(until) => format!("{from}–{}", clock_text(until.at.wall, zone)),
                None => format!("{from}–"),
            }
        })
        .collect();
    parts.join(", ")
}

fn means_text(row: &Row) -> String {
    let means = row.first_called().map(|passage| match passage.means {
        Means::Face => "khuôn mặt",
        Means::Invitation => "giấy mời (QR)",
        Means::CitizenCard => "CCCD",
        Means::Secretary => "thư ký",
    });
    means.unwrap_or_default().to_owned()
}

fn presence_text(presence: Presence) -> &'static str {
    match presence {
        Presence::Present => "có",
        Presence::Left => "đã về",
        Presence::Absent => "vắng",
    }
}

fn presence_code(presence: Presence) -> &'static str {
    match presence {
        Presence::Present => "present",
        Presence::Left => "left",
        Presence::Absent => "absent",
    }
}

fn conflict_text(conflict: &Conflict) -> String {
    match conflict {
        Conflict::NotOnRoster { record, person } => {
            format!(
                "record {} names {person}, who is not on this roster",
                record.sequence
            )
        }
        Conflict::OtherGeneration {
            generation,
            count,
            first,
        } => format!(
            "{count} records from {} on were decided by generation {generation} of the roster",
            first.sequence
        ),
        Conflict::OtherContents { count, first } => format!(
            "{count} records from {} on were decided by a roster of the same generation with other \
             contents",
            first.sequence
        ),
        Conflict::TwoPlaces { person, second, .. } => {
            format!(
                "{person} was called at another door while present (record {})",
                second.sequence
            )
        }
        Conflict::TwoSeats {
            person,
            first,
            second,
            ..
        } => {
            format!("{person} fills the seats of both {first} and {second}")
        }
        Conflict::SeatTaken { seat, by, .. } => {
            format!("the seat of {seat} is filled twice, by {by} as well")
        }
        Conflict::LeftWithoutComing { person, record } => {
            format!(
                "{person} left (record {}) without having come",
                record.sequence
            )
        }
        Conflict::NothingToCorrect { correction } => {
            format!(
                "record {} corrects a record that is not before it",
                correction.sequence
            )
        }
        Conflict::Fork { record } => {
            format!("two different records bear the number {}", record.sequence)
        }
    }
}
