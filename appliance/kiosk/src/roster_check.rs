//! What a secretary can still mend before the meeting: people without a reference, people who are
//! so alike that the door will ask for more, one person on two lines, and portraits that could be
//! better. It says what to do about each, and changes nothing.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use anyhow::Context as _;
use biometrics::{Gallery, Policy, Quality, QualityDefect, QualityLimits, look_alikes};
use ledger::EnrolmentSummary;
use vocabulary::{
    Attendance, ComparisonScore, MeetingId, PersonId, ReferenceId, Roster, RosterEntry,
};

use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::model_choice::{self, configured_space};
use crate::networks;
use crate::rosters::Rosters;
use crate::store::by_person;
use crate::table::layout;

/// Most lines of one kind that are shown.
const LINES_MAX: usize = 50;

/// Two people who are this alike are told as perhaps one: photographs of one person usually are,
/// and of 1.6 million pairs of different people on public photographs three were above 0.48
/// (ACCURACY.md).
const ONE_PERSON_FROM: f32 = 0.6;

/// What was found about one roster.
#[derive(Debug, PartialEq)]
struct Findings<'a> {
    /// Who is to be called by face and cannot be.
    without_reference: Vec<&'a RosterEntry>,
    /// Who is like whom.
    alike: Vec<Alike<'a>>,
    /// Whose portrait could be better, and why.
    poor: Vec<(&'a RosterEntry, &'a ReferenceId, QualityDefect)>,
    /// References that do not open.
    unreadable: usize,
}

/// Two people of a roster.
#[derive(Debug, PartialEq)]
struct Alike<'a> {
    first: &'a RosterEntry,
    second: &'a RosterEntry,
    score: ComparisonScore,
    /// One person on two lines, or one person's photograph with two names.
    perhaps_one: bool,
}

/// `kiosk roster check`, as text.
///
/// # Errors
/// When there is no such roster, or it or the manifest cannot be read.
pub fn check(config: &Config, meeting: &MeetingId) -> anyhow::Result<String> {
    let config = model_choice::chosen(config, SystemClock::new().now().wall)?.config;
    let space = configured_space(&config)?;
    let mut rosters = Rosters::new(&config);
    let loaded = rosters.load(meeting, &space)?.with_context(|| {
        format!("no roster of meeting {meeting}; `kiosk roster list` shows what is here")
    })?;
    let roster = &loaded.roster;
    let found = loaded.references.references.into_iter();
    let people = by_person(
        roster,
        found.map(|(person, _, template)| (person, template)),
    );
    let gallery = Gallery::build(space.clone(), people)?;
    let policy = networks::thresholds(&config)?.for_roster(gallery.people())?;
    let mut enrolments = rosters.enrolments(&roster.meeting().organisation)?;
    enrolments.retain(|enrolment| enrolment.space == space);
    let mut findings = find(roster, &gallery, &policy, &enrolments);
    findings.unreadable = loaded.references.broken.len();
    Ok(text(roster, gallery.people(), &findings))
}

fn find<'a>(
    roster: &'a Roster,
    gallery: &Gallery,
    policy: &Policy,
    enrolments: &'a [EnrolmentSummary],
) -> Findings<'a> {
    let entries: HashMap<&PersonId, &RosterEntry> = roster
        .entries()
        .iter()
        .map(|entry| (&entry.delegate.person, entry))
        .collect();
    let entry = |index: u32| Some(*entries.get(gallery.person(index)?)?);
    let called: HashSet<&PersonId> = (0..).map_while(|index| gallery.person(index)).collect();
    let by_face = |entry: &&RosterEntry| match entry.attendance {
        Attendance::FaceOrCode => true,
        Attendance::CodeOnly => false,
    };
    let alike = look_alikes(gallery, policy.accept()).into_iter();
    let advice = QualityLimits::GOOD_PORTRAIT;
    Findings {
        without_reference: roster
            .entries()
            .iter()
            .filter(by_face)
            .filter(|entry| !called.contains(&entry.delegate.person))
            .collect(),
        alike: alike
            .filter_map(|pair| {
                let (first, second) = (entry(pair.first)?, entry(pair.second)?);
                let one_name = same_name(&first.delegate.name, &second.delegate.name);
                Some(Alike {
                    first,
                    second,
                    score: pair.score,
                    perhaps_one: one_name || pair.score.value() >= ONE_PERSON_FROM,
                })
            })
            .collect(),
        poor: enrolments
            .iter()
            .filter_map(|one| {
                let entry = entries.get(&one.person).filter(|entry| by_face(entry))?;
                let defects = advice.check(&quality_of(one)).err()?;
                Some((*entry, &one.reference, *defects.first()?))
            })
            .collect(),
        unreadable: 0,
    }
}

/// Whether two names are one but for case and spaces.
fn same_name(one: &str, other: &str) -> bool {
    let plain = |name: &str| name.split_whitespace().collect::<Vec<_>>().join(" ");
    plain(one).to_lowercase() == plain(other).to_lowercase()
}

fn quality_of(enrolment: &EnrolmentSummary) -> Quality {
    let numbers = &enrolment.quality;
    Quality {
        face_width_px: numbers.face_width_px,
        eye_distance_px: numbers.eye_distance_px,
        sharpness: numbers.sharpness,
        exposure: numbers.exposure,
        contrast: numbers.contrast,
        yaw_degrees: numbers.yaw_degrees,
        pitch_degrees: numbers.pitch_degrees,
        roll_degrees: numbers.roll_degrees,
    }
}

/// The findings for a secretary: what, whom, and what to do.
fn text(roster: &Roster, by_face: usize, findings: &Findings<'_>) -> String {
    let meeting = roster.meeting();
    let mut text = format!(
        "{} · {}\n{} người trong danh sách, {by_face} người nhận diện được bằng khuôn mặt\n",
        meeting.id,
        meeting.title,
        roster.entries().len()
    );
    let before = text.len();
    if !findings.without_reference.is_empty() {
        without_reference(&mut text, &findings.without_reference);
    }
    if !findings.alike.is_empty() {
        alike(&mut text, &findings.alike);
    }
    if !findings.poor.is_empty() {
        poor(&mut text, &findings.poor);
    }
    if findings.unreadable > 0 {
        let title = format!("Ảnh mẫu không mở được ({})", findings.unreadable);
        section(
            &mut text,
            &title,
            "Cần lấy lại ảnh mẫu: kiosk enrol.",
            &[],
            Vec::new(),
        );
    }
    if text.len() == before {
        text.push_str("\nKhông có gì cần sửa.\n");
    }
    text
}

fn without_reference(text: &mut String, people: &[&RosterEntry]) {
    let rows = people.iter().map(|entry| {
        let delegate = &entry.delegate;
        vec![
            delegate.person.to_string(),
            delegate.name.clone(),
            delegate.unit.clone(),
        ]
    });
    section(
        text,
        &format!("Chưa có ảnh mẫu ({} người)", people.len()),
        "Những người này điểm danh bằng mã QR hoặc qua thư ký. Muốn nhận diện bằng khuôn mặt, hãy \
         lấy ảnh mẫu: kiosk enrol.",
        &["Mã", "Họ và tên", "Đơn vị"],
        rows.collect(),
    );
}

fn alike(text: &mut String, pairs: &[Alike<'_>]) {
    let rows = pairs.iter().map(|pair| {
        let (first, second) = (&pair.first.delegate, &pair.second.delegate);
        let advice = match pair.perhaps_one {
            true => "Có thể là một người: bỏ một dòng hoặc thay ảnh",
            false => "Xem lại ảnh; nếu đúng là hai người thì không cần làm gì",
        };
        vec![
            first.person.to_string(),
            first.name.clone(),
            second.person.to_string(),
            second.name.clone(),
            format!("{:.2}", pair.score.value()),
            advice.to_owned(),
        ]
    });
    section(
        text,
        &format!("Rất giống nhau ({} cặp)", pairs.len()),
        "Ở cửa, máy xét những cặp này chặt hơn: khi chưa phân biệt được chắc chắn, máy hỏi mã QR.",
        &[
            "Mã",
            "Họ và tên",
            "Mã",
            "Họ và tên",
            "Độ giống",
            "Việc cần làm",
        ],
        rows.collect(),
    );
}

fn poor(text: &mut String, portraits: &[(&RosterEntry, &ReferenceId, QualityDefect)]) {
    let rows = portraits.iter().map(|(entry, reference, defect)| {
        vec![
            entry.delegate.person.to_string(),
            entry.delegate.name.clone(),
            reference.to_string(),
            in_vietnamese(defect),
        ]
    });
    section(
        text,
        &format!("Ảnh mẫu nên thay ({} ảnh)", portraits.len()),
        "Vẫn dùng được, nhưng ảnh tốt hơn thì ít phải hỏi lại ở cửa.",
        &["Mã", "Họ và tên", "Ảnh", "Vì sao"],
        rows.collect(),
    );
}

/// A part of the text.
fn section(
    text: &mut String,
    title: &str,
    about: &str,
    header: &[&str],
    mut rows: Vec<Vec<String>>,
) {
    let more = rows.len().saturating_sub(LINES_MAX);
    rows.truncate(LINES_MAX);
    // Writing to a String cannot fail.
    let _ = write!(text, "\n{title}\n{about}\n");
    if !rows.is_empty() {
        text.push_str(&layout(header, &rows));
    }
    if more > 0 {
        let _ = writeln!(text, "… và {more} dòng nữa");
    }
}

fn in_vietnamese(defect: &QualityDefect) -> String {
    match defect {
        QualityDefect::Small {
            width_px,
            width_px_min,
        } => format!("Mặt rộng {width_px:.0} điểm ảnh; nên từ {width_px_min:.0} trở lên"),
        QualityDefect::Blurred { .. } => "Ảnh hơi mờ; nên dùng ảnh gốc, rõ nét".to_owned(),
        QualityDefect::Dark { .. } => "Mặt hơi tối; nên có ánh sáng từ phía trước".to_owned(),
        QualityDefect::Bright { .. } => "Mặt quá sáng; nên tránh chói và đèn flash gần".to_owned(),
        QualityDefect::Flat { .. } => "Ảnh bị nhạt; nên tránh chụp qua kính".to_owned(),
        QualityDefect::TurnedAway { .. } => {
            "Mặt quay hoặc ngẩng, cúi; nên nhìn thẳng vào máy ảnh".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger::{Origin, QualityNumbers};
    use vocabulary::{Delegate, Digest, FeatureSpace, Meeting, Role, Template, WallTime};

    use super::*;

    fn space() -> FeatureSpace {
        FeatureSpace::new("test", Digest::ZERO)
    }

    fn entry(id: &str, name: &str, attendance: Attendance) -> RosterEntry {
        RosterEntry {
            delegate: Delegate {
                person: PersonId::new(id).unwrap(),
                name: name.to_owned(),
                title: String::new(),
                unit: "Sở Mẫu".to_owned(),
            },
            role: Role::Member,
            attendance,
        }
    }

    fn roster() -> Roster {
        let face = Attendance::FaceOrCode;
        let meeting = Meeting {
            id: MeetingId::new("GB-1").unwrap(),
            organisation: "mau".parse().unwrap(),
            room: "G1".parse().unwrap(),
            doors: Vec::new(),
            title: "Họp mẫu".to_owned(),
            starts_at: WallTime(0),
            ends_at: WallTime(1),
            zone: "Asia/Ho_Chi_Minh".to_owned(),
            quorum: None,
        };
        let entries = vec![
            entry("A", "Đặng Thị Mẫu", face),
            entry("B", "Nguyễn Văn Thử", face),
            entry("C", "ĐẶNG THỊ  MẪU", face),
            entry("D", "Lê Ví Dụ", face),
            entry("E", "Trần Mã Thẻ", Attendance::CodeOnly),
            entry("F", "Võ Thử Nghiệm", face),
        ];
        Roster::new(meeting, 1, entries).unwrap()
    }

    fn gallery() -> Gallery {
        let reference = |id: &str, values: &[f32]| {
            let template = Template::normalise(space(), values).unwrap();
            (PersonId::new(id).unwrap(), vec![template])
        };
        let people = [
            reference("A", &[1.0, 0.0, 0.0]),
            reference("B", &[0.0, 1.0, 0.0]),
            reference("C", &[1.0, 0.0, 1.7]),
            reference("F", &[0.0, 1.0, 0.1]),
        ];
        Gallery::build(space(), people).unwrap()
    }

    fn enrolment(id: &str, face_width_px: f32) -> EnrolmentSummary {
        EnrolmentSummary {
            person: PersonId::new(id).unwrap(),
            reference: ReferenceId::new("anh-1").unwrap(),
            space: space(),
            quality: QualityNumbers {
                face_width_px,
                eye_distance_px: face_width_px / 2.0,
                sharpness: 0.1,
                exposure: 120.0,
                contrast: 40.0,
                yaw_degrees: 0.0,
                pitch_degrees: 0.0,
                roll_degrees: 0.0,
            },
            origin: Origin::Photograph,
            at: WallTime(0),
        }
    }

    fn policy() -> Policy {
        let table = [(0.4, 1e-3), (0.5, 1e-5)].map(|(threshold, fmr)| biometrics::OperatingPoint {
            threshold: vocabulary::Threshold::new(threshold).unwrap(),
            fmr,
            fnmr: 0.01,
        });
        Policy::for_roster(&biometrics::PolicyConfig::default(), &table, 4).unwrap()
    }

    #[test]
    fn each_finding_says_whom_and_what_to_do() {
        let (roster, gallery) = (roster(), gallery());
        let enrolments = [
            enrolment("A", 70.0),
            enrolment("B", 200.0),
            enrolment("E", 70.0),
        ];
        let findings = find(&roster, &gallery, &policy(), &enrolments);
        let text = text(&roster, gallery.people(), &findings);
        let expect = "\
GB-1 · Họp mẫu
6 người trong danh sách, 4 người nhận diện được bằng khuôn mặt

Chưa có ảnh mẫu (1 người)
Những người này điểm danh bằng mã QR hoặc qua thư ký. Muốn nhận diện bằng khuôn mặt, hãy lấy ảnh \
mẫu: kiosk enrol.
Mã  Họ và tên  Đơn vị
──  ─────────  ──────
D   Lê Ví Dụ   Sở Mẫu

Rất giống nhau (2 cặp)
Ở cửa, máy xét những cặp này chặt hơn: khi chưa phân biệt được chắc chắn, máy hỏi mã QR.
Mã  Họ và tên       Mã  Họ và tên      Độ giống  Việc cần làm
──  ──────────────  ──  ─────────────  ────────  ──────────────────────────────────────────────
B   Nguyễn Văn Thử  F   Võ Thử Nghiệm  1.00      Có thể là một người: bỏ một dòng hoặc thay ảnh
A   Đặng Thị Mẫu    C   ĐẶNG THỊ  MẪU  0.51      Có thể là một người: bỏ một dòng hoặc thay ảnh

Ảnh mẫu nên thay (1 ảnh)
Vẫn dùng được, nhưng ảnh tốt hơn thì ít phải hỏi lại ở cửa.
Mã  Họ và tên     Ảnh    Vì sao
──  ────────────  ─────  ────────────────────────────────────────
A   Đặng Thị Mẫu  anh-1  Mặt rộng 70 điểm ảnh; nên từ 112 trở lên
";
        assert_eq!(text, expect);
    }

    #[test]
    fn where_all_is_well_that_is_said() {
        let roster = roster();
        let findings = Findings {
            without_reference: Vec::new(),
            alike: Vec::new(),
            poor: Vec::new(),
            unreadable: 0,
        };
        assert!(text(&roster, 5, &findings).ends_with("\nKhông có gì cần sửa.\n"));
        let unreadable = Findings {
            unreadable: 2,
            ..findings
        };
        let text = text(&roster, 5, &unreadable);
        assert!(text.contains("Ảnh mẫu không mở được (2)"), "{text}");
    }
}
