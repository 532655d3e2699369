//! From what the kiosk knows to the one view that it shows now. Pure: the state in, a view out.

use checkin::{AppendFailure, GreetingKind, Headcount, NoticeKind, Showing, Shown};
use jiff::tz::TimeZone;
use screen::{
    Count, FaceBox, FaceState, Hint, Looking, MeetingInfo, OtherMeans, Person, Scene, Trouble,
    TroubleKind, View, Welcome,
};
use vocabulary::{Delegate, Meeting, RefusalReason, Stamp, WallTime};

use crate::local_time::{date, time_of_day};
use crate::looking::Live;
use crate::perceive::{Defect, Face};

/// What the door is for now.
#[derive(Debug, Clone, Copy)]
pub enum Door<'a> {
    /// It is not known yet: the kiosk starts, or reads a roster.
    Starting,
    /// No meeting is planned here.
    Nothing,
    /// The next meeting is this one; its roll opens at that time.
    Before(&'a Meeting, WallTime),
    /// The roll of a meeting is taken.
    Open {
        /// The meeting.
        meeting: &'a Meeting,
        /// How many have come.
        headcount: Headcount,
        /// Greetings and notices.
        showing: &'a [Showing],
        /// The visible faces.
        faces: &'a [Face],
        /// The live picture, where there is one.
        live: Option<&'a Live>,
    },
    /// The meeting is over; how many had come is known where it was held at this run.
    After(&'a Meeting, Headcount),
}

/// Composes the view of a moment.
pub fn compose(
    now: &Stamp,
    zone: &TimeZone,
    room: &str,
    trouble: Option<&Trouble>,
    door: &Door<'_>,
) -> View {
    let scene = match trouble {
        Some(trouble) => Scene::Trouble(trouble.clone()),
        None => scene(now, zone, door),
    };
    View {
        room: room.to_owned(),
        today: date(now.wall, zone),
        now: time_of_day(now.wall, zone),
        other_means: OtherMeans::Secretary,
        note: None,
        scene,
    }
}

fn scene(now: &Stamp, zone: &TimeZone, door: &Door<'_>) -> Scene {
    match *door {
        Door::Starting => Scene::Starting,
        Door::Nothing => Scene::NoMeeting { next: None },
        Door::Before(meeting, opens_at) => Scene::BeforeMeeting {
            meeting: info(meeting, zone, now),
            opens_at: time_of_day(opens_at, zone),
        },
        Door::After(meeting, headcount) => Scene::AfterMeeting {
            meeting: info(meeting, zone, now),
            count: count(headcount),
        },
        Door::Open {
            meeting,
            headcount,
            showing,
            faces,
            live,
        } => shown(zone, showing)
            .or_else(|| looking(faces, live, headcount))
            .unwrap_or_else(|| Scene::Idle {
                meeting: info(meeting, zone, now),
                count: count(headcount),
            }),
    }
}

/// What is to be seen because of what happened: a name that was called goes before everything,
/// then what keeps people from being recorded, then who was called before, then the rest.
fn shown(zone: &TimeZone, showing: &[Showing]) -> Option<Scene> {
    let welcomes: Vec<Welcome> = showing
        .iter()
        .filter_map(|showing| welcome(showing, zone))
        .collect();
    if !welcomes.is_empty() {
        return Some(Scene::Welcome(welcomes));
    }
    let notices = || {
        showing
            .iter()
            .rev()
            .filter_map(|showing| match &showing.what {
                Shown::Notice(notice) => Some(&notice.kind),
                Shown::Greeting(_) => None,
            })
    };
    if let Some(kind) = notices().find(|kind| matches!(kind, NoticeKind::NotRecorded(..))) {
        return Some(told(kind));
    }
    let before = showing
        .iter()
        .rev()
        .find_map(|showing| match &showing.what {
            Shown::Greeting(greeting) => Some(Scene::AlreadyCalled {
                person: person(&greeting.delegate, greeting.shared_name),
                first_at: time_of_day(greeting.at.wall, zone),
            }),
            Shown::Notice(_) => None,
        });
    before.or_else(|| notices().next().map(told))
}

fn told(notice: &NoticeKind) -> Scene {
    match notice {
        NoticeKind::NotOnRoster => Scene::Refused(RefusalReason::NotOnRoster),
        NoticeKind::SecondMeans => Scene::Refused(RefusalReason::Ambiguous),
        NoticeKind::InvitationRefused(_) => Scene::Refused(RefusalReason::InvalidCredential),
        NoticeKind::StillRecording(_) => looking_only(Hint::OneMoment),
        NoticeKind::NotRecorded(_, why) => Scene::Trouble(Trouble {
            kind: trouble_of(*why),
            detail: String::new(),
        }),
    }
}

fn welcome(showing: &Showing, zone: &TimeZone) -> Option<Welcome> {
    match &showing.what {
        Shown::Greeting(greeting) => match greeting.kind {
            GreetingKind::Welcome | GreetingKind::Farewell => Some(Welcome {
                person: person(&greeting.delegate, greeting.shared_name),
                substitute_for: greeting.instead_of.as_ref().map(|of| of.name.clone()),
                recorded_at: Some(time_of_day(greeting.at.wall, zone)),
            }),
            GreetingKind::AlreadyCalled | GreetingKind::AlreadyLeft => None,
        },
        Shown::Notice(_) => None,
    }
}

fn looking(faces: &[Face], live: Option<&Live>, headcount: Headcount) -> Option<Scene> {
    if faces.is_empty() {
        return None;
    }
    let scale = live.map_or(1.0, |live| live.scale);
    let boxes = faces.iter().map(|face| {
        let bounds = face.bounds.scaled(scale);
        FaceBox {
            x: bounds.x,
            y: bounds.y,
            width: bounds.width,
            height: bounds.height,
            state: match (face.settled, face.defect) {
                (true, _) => FaceState::Done,
                (false, Some(_)) => FaceState::Seen,
                (false, None) => FaceState::Comparing(face.progress),
            },
        }
    });
    Some(Scene::Looking(Looking {
        picture: live.map(|live| live.picture.clone()),
        faces: boxes.collect(),
        hint: hint(faces),
        count: Some(count(headcount)),
    }))
}

fn looking_only(hint: Hint) -> Scene {
    Scene::Looking(Looking {
        picture: None,
        faces: Vec::new(),
        hint,
        count: None,
    })
}

/// The hint for whoever stands nearest and is not decided yet.
fn hint(faces: &[Face]) -> Hint {
    let nearest = faces
        .iter()
        .filter(|face| !face.settled)
        .max_by(|a, b| a.bounds.width.total_cmp(&b.bounds.width));
    match nearest {
        None => Hint::LookHere,
        Some(face) => match face.defect {
            None => Hint::OneMoment,
            Some(Defect::Far) => Hint::ComeCloser,
            Some(Defect::Turned) => Hint::FaceForward,
            Some(Defect::Dark) => Hint::MoreLight,
            Some(Defect::Bright) => Hint::LessLight,
            Some(Defect::Blurred) => Hint::HoldStill,
        },
    }
}

/// The trouble that keeps a record from being written.
pub fn trouble_of(why: AppendFailure) -> TroubleKind {
    match why {
        AppendFailure::Busy | AppendFailure::Io => TroubleKind::LedgerFailed,
        AppendFailure::DiskFull => TroubleKind::DiskFull,
        AppendFailure::ReadOnly => TroubleKind::LedgerReadOnly,
        AppendFailure::Locked => TroubleKind::LedgerLocked,
        AppendFailure::Corrupt => TroubleKind::LedgerCorrupt,
    }
}

fn person(delegate: &Delegate, namesake: bool) -> Person {
    Person {
        name: delegate.name.clone(),
        title: delegate.title.clone(),
        unit: delegate.unit.clone(),
        namesake,
    }
}

fn info(meeting: &Meeting, zone: &TimeZone, now: &Stamp) -> MeetingInfo {
    let (day, today) = (date(meeting.starts_at, zone), date(now.wall, zone));
    MeetingInfo {
        title: meeting.title.clone(),
        date: (day != today).then_some(day),
        starts_at: time_of_day(meeting.starts_at, zone),
        ends_at: time_of_day(meeting.ends_at, zone),
    }
}

fn count(headcount: Headcount) -> Count {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Count {
        present: number(headcount.present),
        expected: number(headcount.expected),
    }
}
