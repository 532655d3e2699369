//! Every state of the screen as sample data, for the gallery and the tests.
//!
//! The people are plainly made up and the face in the live picture is drawn: no photograph.

use std::sync::Arc;

use imaging::Picture;
use screen::{
    Count, Date, FaceBox, FaceState, Hint, Looking, MeetingInfo, Note, OtherMeans, Person, Scene,
    TimeOfDay, Trouble, TroubleKind, View, Weekday, Welcome,
};
use vocabulary::RefusalReason;

/// A name of 45 characters, the longest that has to be shown in full.
pub const LONG_NAME: &str = "Công Tằng Tôn Nữ Thị Ví Dụ Tên Mẫu Dài Đủ Chữ";

/// Every state, each with a name that fits a file.
pub fn all() -> Vec<(String, View)> {
    let mut samples: Vec<(String, View)> = Vec::new();
    let mut add = |name: &str, scene: Scene| samples.push((name.to_owned(), view(scene)));
    add("starting", Scene::Starting);
    add("no-meeting", Scene::NoMeeting { next: None });
    let mut tomorrow = meeting();
    tomorrow.date = Some(Date {
        year: 2026,
        month: 11,
        day: 25,
        weekday: Weekday::Wednesday,
    });
    let next = Some(tomorrow);
    add("no-meeting-next", Scene::NoMeeting { next });
    add(
        "before-meeting",
        Scene::BeforeMeeting {
            meeting: meeting(),
            opens_at: at(7, 30),
        },
    );
    add("idle", idle(meeting(), 12));
    add("idle-long-title", idle(long_meeting(), 0));
    add("idle-full", idle(meeting(), 45));
    looking(&mut add);
    welcomes(&mut add);
    refusals(&mut add);
    add(
        "after-meeting",
        Scene::AfterMeeting {
            meeting: meeting(),
            count: count(43),
        },
    );
    for kind in TroubleKind::ALL {
        let detail = if kind == TroubleKind::CameraLost {
            "/dev/video0"
        } else {
            ""
        };
        let trouble = Trouble {
            kind,
            detail: detail.to_owned(),
        };
        add(&format!("trouble-{}", kind.code()), Scene::Trouble(trouble));
    }
    let mut by_secretary: Vec<(String, View)> = samples
        .iter()
        .filter(|(name, _)| matches!(name.as_str(), "idle" | "not-on-roster" | "ambiguous"))
        .map(|(name, view)| {
            let mut view = view.clone();
            view.other_means = OtherMeans::Secretary;
            (format!("{name}-secretary"), view)
        })
        .collect();
    samples.append(&mut by_secretary);
    let mut noted = view(idle(meeting(), 12));
    noted.note = Some(Note {
        vi: "Chưa kết nối được với trung tâm; còn 12 bản ghi chờ gửi".to_owned(),
        en: "the hub cannot be reached; 12 records wait".to_owned(),
    });
    samples.push(("idle-note".to_owned(), noted));
    samples
}

/// A scene in its surroundings.
pub fn view(scene: Scene) -> View {
    View {
        room: "Phòng họp số 1".to_owned(),
        today: Date {
            year: 2026,
            month: 11,
            day: 24,
            weekday: Weekday::Tuesday,
        },
        now: at(8, 2),
        other_means: OtherMeans::InvitationOrSecretary,
        note: None,
        scene,
    }
}

/// A person on the sample roster.
pub fn person(name: &str, title: &str, unit: &str) -> Person {
    Person {
        name: name.to_owned(),
        title: title.to_owned(),
        unit: unit.to_owned(),
        namesake: false,
    }
}

/// Their greeting, recorded.
pub fn welcome(name: &str, title: &str, unit: &str) -> Welcome {
    Welcome {
        person: person(name, title, unit),
        substitute_for: None,
        recorded_at: Some(at(8, 2)),
    }
}

/// A drawn head and shoulders before a wall, with its box: `(x, y)` is the middle of the face and
/// `radius` half its height, in pixels.
pub fn drawn(width: u32, height: u32, heads: &[(f32, f32, f32)]) -> (Picture, Vec<FaceBox>) {
    let mut picture = Picture::new(width, height).expect("a size in range");
    for (index, pixel) in picture.rgb_mut().chunks_exact_mut(3).enumerate() {
        let x = (index % width as usize) as f32;
        let y = (index / width as usize) as f32;
        let shade = 150.0 - 60.0 * y / height as f32 + 25.0 * (x / width as f32);
        let mut colour = [shade * 0.92, shade * 0.96, shade];
        for (centre_x, centre_y, radius) in heads {
            if let Some(over) = head((x - centre_x) / radius, (y - centre_y) / radius) {
                colour = over;
            }
        }
        pixel.copy_from_slice(&colour.map(|value| value as u8));
    }
    let boxes = heads
        .iter()
        .map(|(x, y, radius)| FaceBox {
            x: x - 0.78 * radius,
            y: y - radius,
            width: 1.56 * radius,
            height: 2.0 * radius,
            state: FaceState::Seen,
        })
        .collect();
    (picture, boxes)
}

/// The colour of a drawn head at a place in half heights of its face; none beside it.
fn head(x: f32, y: f32) -> Option<[f32; 3]> {
    const SKIN: [f32; 3] = [224.0, 178.0, 142.0];
    const HAIR: [f32; 3] = [38.0, 30.0, 28.0];
    let eye = (x.abs() - 0.31).hypot((y + 0.12) * 1.6) < 0.09;
    let brow = (x.abs() - 0.31).abs() < 0.15 && (y + 0.32).abs() < 0.03;
    let nose = x.abs() < 0.05 && (-0.05..0.24).contains(&y);
    let mouth = (x * 0.75).hypot((y - 0.46) * 2.6) < 0.2 && y > 0.46;
    let face = (x / 0.74).hypot(y) < 1.0;
    let hair = (x / 0.84).hypot((y + 0.12) / 1.02) < 1.0 && y < -0.42 + 0.5 * x * x;
    let neck = x.abs() < 0.34 && (0.6..1.35).contains(&y);
    let collar = x.abs() < 0.42 - (y - 1.15) * 0.55 && (1.15..1.9).contains(&y);
    let shoulders = (x / 1.75).hypot((y - 2.55) / 1.4) < 1.0 || (y >= 2.55 && x.abs() < 1.75);
    match () {
        () if hair => Some(HAIR),
        () if face && (eye || brow) => Some(HAIR),
        () if face && mouth => Some([170.0, 84.0, 80.0]),
        () if face && nose => Some(SKIN.map(|value| value * 0.9)),
        () if face => Some(SKIN),
        () if neck && !shoulders => Some(SKIN.map(|value| value * 0.86)),
        () if shoulders && collar => Some([236.0, 240.0, 245.0]),
        () if shoulders => Some([44.0, 58.0, 88.0]),
        () if neck => Some(SKIN.map(|value| value * 0.86)),
        () => None,
    }
}

fn looking(add: &mut impl FnMut(&str, Scene)) {
    let one = [(330.0, 220.0, 105.0)];
    let far = [(300.0, 230.0, 34.0)];
    let three = [
        (150.0, 250.0, 70.0),
        (350.0, 210.0, 88.0),
        (530.0, 260.0, 60.0),
    ];
    let scene = |heads: &[(f32, f32, f32)], states: &[FaceState], hint| {
        let (picture, mut faces) = drawn(640, 480, heads);
        for (face, state) in faces.iter_mut().zip(states) {
            face.state = *state;
        }
        Scene::Looking(Looking {
            picture: Some(Arc::new(picture)),
            faces,
            hint,
            count: Some(count(12)),
        })
    };
    add(
        "looking",
        scene(&one, &[FaceState::Comparing(0.6)], Hint::OneMoment),
    );
    add(
        "looking-look-here",
        scene(&one, &[FaceState::Seen], Hint::LookHere),
    );
    add(
        "looking-far",
        scene(&far, &[FaceState::Seen], Hint::ComeCloser),
    );
    let states = [FaceState::Done, FaceState::Comparing(0.4), FaceState::Seen];
    add("looking-several", scene(&three, &states, Hint::HoldStill));
    for (name, hint) in [
        ("looking-back", Hint::StepBack),
        ("looking-forward", Hint::FaceForward),
        ("looking-dark", Hint::MoreLight),
        ("looking-bright", Hint::LessLight),
    ] {
        add(name, scene(&one, &[FaceState::Seen], hint));
    }
    let blind = Looking {
        picture: None,
        faces: vec![],
        hint: Hint::LookHere,
        count: None,
    };
    add("looking-no-picture", Scene::Looking(blind));
}

fn welcomes(add: &mut impl FnMut(&str, Scene)) {
    let first = welcome(
        "Nguyễn Văn Mẫu",
        "Phó Trưởng phòng",
        "Văn phòng Ủy ban Ví Dụ",
    );
    let second = welcome("Trần Thị Thử Nghiệm", "Bà", "Sở Minh Họa");
    let third = welcome(LONG_NAME, "Chánh Văn phòng", "Ban Quản lý Dự án Ví Dụ số 3");
    let mut namesake = welcome("Nguyễn Văn Mẫu", "Chuyên viên", "Sở Minh Họa");
    namesake.person.namesake = true;
    let mut pending = first.clone();
    pending.recorded_at = None;
    let mut substitute = second.clone();
    substitute.substitute_for = Some("Phạm Thị Giả Định".to_owned());
    let short = welcome("Lê Ví Dụ", "", "");
    let long = welcome(
        LONG_NAME,
        "Phó Giám đốc phụ trách công tác chuyển đổi số và cải cách hành chính",
        "Trung tâm Hỗ trợ Doanh nghiệp nhỏ và vừa Ví Dụ, thuộc Sở Minh Họa",
    );
    add("welcome", Scene::Welcome(vec![first.clone()]));
    add("welcome-ba", Scene::Welcome(vec![second.clone()]));
    add("welcome-short", Scene::Welcome(vec![short.clone()]));
    add("welcome-long", Scene::Welcome(vec![long]));
    add("welcome-namesake", Scene::Welcome(vec![namesake.clone()]));
    add("welcome-substitute", Scene::Welcome(vec![substitute]));
    add("welcome-pending", Scene::Welcome(vec![pending.clone()]));
    add(
        "welcome-2",
        Scene::Welcome(vec![first.clone(), second.clone()]),
    );
    let three = vec![third.clone(), namesake.clone(), pending];
    add("welcome-3-pending", Scene::Welcome(three));
    let six = [first.clone(), second, third, namesake, short.clone(), short];
    add("welcome-6", Scene::Welcome(six.to_vec()));
    let already = Scene::AlreadyCalled {
        person: first.person,
        first_at: at(7, 48),
    };
    add("already-called", already);
}

fn refusals(add: &mut impl FnMut(&str, Scene)) {
    for (name, reason) in [
        ("not-on-roster", RefusalReason::NotOnRoster),
        ("ambiguous", RefusalReason::Ambiguous),
        ("suspected-attack", RefusalReason::SuspectedAttack),
        ("invalid-credential", RefusalReason::InvalidCredential),
    ] {
        add(name, Scene::Refused(reason));
    }
}

fn idle(meeting: MeetingInfo, present: u32) -> Scene {
    Scene::Idle {
        meeting,
        count: count(present),
    }
}

fn meeting() -> MeetingInfo {
    MeetingInfo {
        title: "Hội nghị giao ban công tác tháng 11".to_owned(),
        starts_at: at(8, 0),
        ends_at: at(11, 30),
        date: None,
    }
}

fn long_meeting() -> MeetingInfo {
    MeetingInfo {
        title:
            "Hội nghị trực tuyến đánh giá kết quả thực hiện nhiệm vụ cải cách hành chính, chuyển \
                đổi số năm 2026 và triển khai nhiệm vụ trọng tâm năm 2027"
                .to_owned(),
        ..meeting()
    }
}

fn count(present: u32) -> Count {
    Count {
        present,
        expected: 45,
    }
}

fn at(hour: u8, minute: u8) -> TimeOfDay {
    TimeOfDay { hour, minute }
}
