//! Every scene at every size: within the target, complete, deterministic, and truthful.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::Rectangle;
use proptest::prelude::*;
use vocabulary::RefusalReason;

use super::paint;
use crate::paint::Painter;
use crate::view::{
    Count, Date, FaceBox, FaceState, Hint, Looking, MeetingInfo, Note, OtherMeans, Person, Scene,
    TimeOfDay, Trouble, TroubleKind, View, Weekday, Welcome,
};
use crate::{BOLD_PATH, Canvas, Context, Fonts, REGULAR_PATH, Theme, draw};

#[path = "../../examples/samples/mod.rs"]
mod samples;

/// The panels foreseen.
const SIZES: [(u32, u32); 4] = [(800, 480), (1024, 600), (1280, 800), (720, 1280)];

/// A panel that notes what is drawn outside of it.
struct Strict {
    canvas: Canvas,
    outside: Vec<Rectangle>,
}

impl Strict {
    fn new(width: u32, height: u32) -> Self {
        Self {
            canvas: Canvas::new(width, height).unwrap(),
            outside: Vec::new(),
        }
    }

    fn note(&mut self, area: &Rectangle) {
        let within = self.canvas.bounding_box().intersection(area) == *area;
        if !area.is_zero_sized() && !within {
            self.outside.push(*area);
        }
    }
}

impl OriginDimensions for Strict {
    fn size(&self) -> Size {
        self.canvas.size()
    }
}

impl DrawTarget for Strict {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Self::Color>>,
    {
        for pixel in pixels {
            self.note(&Rectangle::new(pixel.0, Size::new(1, 1)));
            self.canvas.draw_iter([pixel])?;
        }
        Ok(())
    }

    fn fill_contiguous<I>(&mut self, area: &Rectangle, colors: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Self::Color>,
    {
        self.note(area);
        self.canvas.fill_contiguous(area, colors)
    }

    fn fill_solid(&mut self, area: &Rectangle, color: Self::Color) -> Result<(), Self::Error> {
        self.note(area);
        self.canvas.fill_solid(area, color)
    }
}

fn context() -> Context {
    match Fonts::load(Path::new(REGULAR_PATH), Path::new(BOLD_PATH)) {
        Ok(fonts) => Context::new(fonts),
        Err(error) => panic!("{error}"),
    }
}

/// What a view says, line by line.
fn said(view: &View, context: &Context) -> String {
    let mut canvas = Canvas::new(800, 480).unwrap();
    let mut painter = Painter::new(&mut canvas, context);
    let Ok(()) = paint(view, &mut painter);
    painter.said.join(" ").replace('\u{a0}', " ")
}

#[test]
fn every_sample_fits_every_panel_and_stays_within_it() {
    let context = context();
    for (width, height) in SIZES {
        for (name, view) in samples::all() {
            let mut target = Strict::new(width, height);
            let mut painter = Painter::new(&mut target, &context);
            let Ok(()) = paint(&view, &mut painter);
            let cut = painter.cut;
            assert_eq!(cut, 0, "{name} at {width}×{height} cuts a text");
            assert_eq!(target.outside, [], "{name} at {width}×{height}");
        }
    }
}

#[test]
fn the_same_view_draws_the_same_bytes_and_another_draws_others() {
    let (warm, mut seen) = (context(), HashMap::new());
    let mut first = Canvas::new(800, 480).unwrap();
    let mut second = first.clone();
    for (name, view) in samples::all() {
        let Ok(()) = draw(&view, &warm, &mut first);
        let Ok(()) = draw(&view, &warm, &mut second);
        assert_eq!(first.rgb(), second.rgb(), "{name} differs when drawn again");
        if let Some(other) = seen.insert(first.rgb().to_vec(), name.clone()) {
            panic!("{name} looks like {other}");
        }
    }
    let (name, view) = samples::all().remove(9);
    let Ok(()) = draw(&view, &warm, &mut first);
    let Ok(()) = draw(&view, &context(), &mut second);
    assert_eq!(
        first.rgb(),
        second.rgb(),
        "{name} depends on what was drawn before"
    );
}

#[test]
fn a_theme_changes_colours_and_nothing_else() {
    let mut context = context();
    let mut dark = Canvas::new(800, 480).unwrap();
    let mut light = dark.clone();
    for (name, view) in samples::all() {
        context.theme = Theme::DARK;
        let Ok(()) = draw(&view, &context, &mut dark);
        let words = said(&view, &context);
        context.theme = Theme::LIGHT;
        let Ok(()) = draw(&view, &context, &mut light);
        assert_ne!(dark.rgb(), light.rgb(), "{name}");
        assert_eq!(words, said(&view, &context), "{name}");
    }
}

#[test]
fn recorded_is_said_exactly_where_the_view_says_so() {
    let context = context();
    for (name, view) in samples::all() {
        let words = said(&view, &context);
        let expect = match &view.scene {
            Scene::Welcome(welcomes) => welcomes.iter().all(|one| one.recorded_at.is_some()),
            _ => false,
        };
        assert_eq!(words.contains("Đã ghi nhận"), expect, "{name}: {words}");
        assert_eq!(
            words.contains("Attendance recorded"),
            expect,
            "{name}: {words}"
        );
    }
    let nobody = samples::view(Scene::Welcome(vec![]));
    assert!(!said(&nobody, &context).contains("Đã ghi nhận"));
}

#[test]
fn a_trouble_that_stops_recording_says_so_in_both_languages() {
    let context = context();
    for kind in TroubleKind::ALL {
        let detail = String::new();
        let words = said(
            &samples::view(Scene::Trouble(Trouble { kind, detail })),
            &context,
        );
        let not = words.contains("KHÔNG ghi nhận điểm danh")
            && words.contains("Attendance is NOT being recorded");
        assert_eq!(not, !kind.records(), "{kind:?}: {words}");
        assert!(words.contains(kind.code()), "{kind:?}: {words}");
    }
}

#[test]
fn a_person_is_called_by_their_whole_name() {
    let context = context();
    let check = |title: &str, expect: &[&str], never: &[&str]| {
        let welcome = samples::welcome(samples::LONG_NAME, title, "Sở Minh Họa");
        let words = said(&samples::view(Scene::Welcome(vec![welcome])), &context);
        for part in expect {
            assert!(words.contains(part), "{part:?} in {words}");
        }
        for part in never {
            assert!(!words.contains(part), "{part:?} in {words}");
        }
    };
    let name = samples::LONG_NAME;
    check("", &["Kính chào đồng chí", name, "Sở Minh Họa"], &[]);
    check("Ông", &["Kính chào Ông", name], &["đồng chí"]);
    check(
        "bà Chuyên viên",
        &["Kính chào Bà", name, "Chuyên viên"],
        &["bà"],
    );
    check("ĐỒNG CHÍ", &["Kính chào đồng chí", name], &["ĐỒNG CHÍ"]);
    check("Ông\u{302}", &["Kính chào đồng chí"], &[]);
    check("Bàn trưởng", &["Kính chào đồng chí", "Bàn trưởng"], &[]);
}

#[test]
fn namesakes_are_told_apart_wherever_they_are_greeted() {
    let context = context();
    let mut one = samples::welcome("Nguyễn Văn Mẫu", "Chuyên viên chính", "Sở Minh Họa");
    one.person.namesake = true;
    let mut other = one.clone();
    other.person.unit = "Văn phòng Ví Dụ".to_owned();
    for count in 1..=4 {
        let mut both = vec![one.clone(), other.clone(), one.clone(), other.clone()];
        both.truncate(count);
        let words = said(&samples::view(Scene::Welcome(both)), &context);
        assert!(words.contains("Sở Minh Họa"), "{words}");
        assert_eq!(words.contains("Văn phòng Ví Dụ"), count > 1, "{words}");
    }
}

#[test]
fn a_refusal_offers_only_what_works_and_names_nobody() {
    let context = context();
    for reason in [
        RefusalReason::NotOnRoster,
        RefusalReason::Ambiguous,
        RefusalReason::SuspectedAttack,
        RefusalReason::InvalidCredential,
    ] {
        for means in [OtherMeans::Secretary, OtherMeans::InvitationOrSecretary] {
            let mut view = samples::view(Scene::Refused(reason));
            view.other_means = means;
            let words = said(&view, &context);
            let code = means == OtherMeans::InvitationOrSecretary
                && reason != RefusalReason::InvalidCredential;
            assert_eq!(words.contains("mã QR"), code, "{words}");
            assert!(words.contains("thư ký"), "{words}");
            let accusing = ["giả mạo", "gian lận", "từ chối", "attack", "refused"];
            assert!(!accusing.iter().any(|word| words.contains(word)), "{words}");
        }
    }
}

#[test]
fn staff_are_told_where_it_takes_nothing_from_a_delegate() {
    let context = context();
    for (name, mut view) in samples::all() {
        view.note = Some(Note {
            vi: "Chưa kết nối được với trung tâm".to_owned(),
            en: "the hub cannot be reached".to_owned(),
        });
        let nobody_there = matches!(
            view.scene,
            Scene::NoMeeting { .. }
                | Scene::BeforeMeeting { .. }
                | Scene::Idle { .. }
                | Scene::AfterMeeting { .. }
        );
        let words = said(&view, &context);
        let told = ["Chưa kết nối được với trung tâm", "the hub cannot"]
            .iter()
            .all(|part| words.contains(part));
        assert_eq!(told, nobody_there, "{name}: {words}");
    }
}

#[test]
fn the_live_picture_fills_its_frame_and_is_mirrored() {
    let context = context();
    let mut picture = imaging::Picture::new(64, 48).unwrap();
    for (index, pixel) in picture.rgb_mut().chunks_exact_mut(3).enumerate() {
        let colour = if index % 64 < 32 {
            [255, 0, 0]
        } else {
            [0, 0, 255]
        };
        pixel.copy_from_slice(&colour);
    }
    let looking = Looking {
        picture: Some(Arc::new(picture)),
        faces: vec![],
        hint: Hint::LookHere,
        count: None,
    };
    let mut canvas = Canvas::new(800, 480).unwrap();
    let Ok(()) = draw(
        &samples::view(Scene::Looking(looking)),
        &context,
        &mut canvas,
    );
    assert_eq!(canvas.pixel(Point::new(60, 240)), Some(Rgb888::BLUE));
    assert_eq!(canvas.pixel(Point::new(450, 240)), Some(Rgb888::RED));
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        any::<String>(),
        "\\PC{0,80}",
        Just("N\u{300}".repeat(5000)),
        Just("\u{301}\u{302}".repeat(5000)),
        Just(format!("Ễ{}", " Mẫu".repeat(3000))),
    ]
}

fn face() -> impl Strategy<Value = FaceBox> {
    let number = || prop_oneof![any::<f32>(), -500.0..900.0_f32];
    let state = prop_oneof![
        Just(FaceState::Seen),
        any::<f32>().prop_map(FaceState::Comparing),
        Just(FaceState::Done),
    ];
    (number(), number(), number(), number(), state).prop_map(|(x, y, width, height, state)| {
        FaceBox {
            x,
            y,
            width,
            height,
            state,
        }
    })
}

fn scene() -> impl Strategy<Value = Scene> {
    let time = || (any::<u8>(), any::<u8>()).prop_map(|(hour, minute)| TimeOfDay { hour, minute });
    let count = || {
        let sides = (any::<u32>(), any::<u32>());
        sides.prop_map(|(present, expected)| Count { present, expected })
    };
    let meeting = move || {
        (text(), time(), time()).prop_map(|(title, starts_at, ends_at)| MeetingInfo {
            title,
            starts_at,
            ends_at,
            date: None,
        })
    };
    let person = || {
        let parts = (text(), text(), text(), any::<bool>());
        parts.prop_map(|(name, title, unit, namesake)| Person {
            name,
            title,
            unit,
            namesake,
        })
    };
    let welcome = (
        person(),
        proptest::option::of(text()),
        proptest::option::of(time()),
    );
    let welcome = welcome.prop_map(|(person, substitute_for, recorded_at)| Welcome {
        person,
        substitute_for,
        recorded_at,
    });
    let looking = (
        proptest::collection::vec(face(), 0..20),
        1..90_u32,
        1..90_u32,
    );
    let looking = looking.prop_map(|(faces, width, height)| {
        let picture = imaging::Picture::new(width, height).unwrap();
        Scene::Looking(Looking {
            picture: Some(Arc::new(picture)),
            faces,
            hint: Hint::MoreLight,
            count: None,
        })
    });
    prop_oneof![
        (meeting(), count()).prop_map(|(meeting, count)| Scene::Idle { meeting, count }),
        (meeting(), count()).prop_map(|(meeting, count)| Scene::AfterMeeting { meeting, count }),
        proptest::collection::vec(welcome, 0..7).prop_map(Scene::Welcome),
        (person(), time()).prop_map(|(person, first_at)| Scene::AlreadyCalled { person, first_at }),
        text().prop_map(|detail| Scene::Trouble(Trouble {
            kind: TroubleKind::Other,
            detail,
        })),
        looking,
    ]
}

#[test]
fn odd_data_on_odd_targets_draws_without_panic_and_within_the_target() {
    let context = context();
    let size = || prop_oneof![0..40_u32, 40..900_u32];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(
        &(scene(), text(), size(), size()),
        |(scene, room, width, height)| {
            let today = Date {
                year: 65_535,
                month: 255,
                day: 0,
                weekday: Weekday::Sunday,
            };
            let now = TimeOfDay {
                hour: 255,
                minute: 99,
            };
            let other_means = OtherMeans::InvitationOrSecretary;
            let note = Some(Note {
                vi: room.clone(),
                en: room.clone(),
            });
            let view = View {
                room,
                today,
                now,
                other_means,
                note,
                scene,
            };
            let mut target = Strict::new(width, height);
            let Ok(()) = draw(&view, &context, &mut target);
            prop_assert_eq!(&target.outside, &[]);
            Ok(())
        },
    );
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
