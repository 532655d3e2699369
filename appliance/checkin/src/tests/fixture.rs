//! One meeting, one door, and the short texts.

use biometrics::TrackId;
use credential::{Invitation, SigningKey, VerifiedInvitation};
use record::{Body, CheckIn, CheckOut, Comparison, Record, Text};
use vocabulary::{
    Attendance, BootId, ClockQuality, ComparisonScore, Decision, Delegate, DeviceId, Digest,
    Direction, DoorId, Epoch, FeatureSpace, Meeting, MeetingId, Monotonic, OrganisationId,
    PersonId, Ranked, Role, RoomId, Roster, RosterEntry, Sequence, Stamp, Threshold, WallTime,
};

use crate::{
    Command, DoorRelease, FaceMode, Input, Notice, NoticeKind, Observation, Session, SessionConfig,
    Timings, Token,
};

/// 2024-02-26T01:00:00Z in milliseconds; the tests' times count from here.
const BASE_MS: i64 = 1_708_909_200_000;

pub(super) const EPOCH: Epoch = Epoch([1; 16]);

pub(super) fn person(id: &str) -> PersonId {
    PersonId::new(id).unwrap()
}

fn meeting(id: &str) -> Meeting {
    Meeting {
        id: MeetingId::new(id).unwrap(),
        organisation: OrganisationId::new("SO-X").unwrap(),
        room: RoomId::new("P1").unwrap(),
        doors: vec![],
        title: "Họp giao ban".into(),
        starts_at: WallTime(BASE_MS),
        ends_at: WallTime(BASE_MS + 3_600_000),
        zone: "Asia/Ho_Chi_Minh".into(),
        quorum: None,
    }
}

/// A and B bear one name, Q is to be called by code only, P0 to P39 are many.
pub(super) fn roster() -> Roster {
    let entry = |id: &str, name: &str, attendance| RosterEntry {
        delegate: Delegate {
            person: person(id),
            name: name.into(),
            title: "Bà".into(),
            unit: format!("Phòng {id}"),
        },
        role: Role::Member,
        attendance,
    };
    let mut entries = vec![
        entry("A", "Mẫu Một", Attendance::FaceOrCode),
        entry("B", "Mẫu Một", Attendance::FaceOrCode),
        entry("C", "Mẫu Ba", Attendance::FaceOrCode),
        entry("Q", "Mẫu Mã", Attendance::CodeOnly),
    ];
    let many = (0..40).map(|n| entry(&format!("P{n}"), "Mẫu Đông", Attendance::FaceOrCode));
    entries.extend(many);
    Roster::new(meeting("HOP-1"), 1, entries).unwrap()
}

pub(super) fn config() -> SessionConfig {
    SessionConfig {
        device: DeviceId::new("K1").unwrap(),
        epoch: EPOCH,
        door: DoorId::new("D1").unwrap(),
        direction: Direction::In,
        release: DoorRelease::Relay,
        face: FaceMode::Decides,
        substitutes: Vec::new(),
        policy: 1,
        software: Text::clipped("test"),
        timings: Timings::default(),
    }
}

pub(super) fn now(at_ms: u64) -> Stamp {
    Stamp {
        wall: WallTime(BASE_MS + i64::try_from(at_ms).unwrap()),
        quality: ClockQuality::Synchronised,
        boot: BootId([2; 16]),
        monotonic: Monotonic::from_millis(at_ms),
    }
}

fn ranked(id: &str, score: f32) -> Ranked {
    Ranked {
        person: person(id),
        score: ComparisonScore::new(score).unwrap(),
    }
}

/// The session under test.
pub(super) struct Door(pub(super) Session);

impl Door {
    pub(super) fn new(change: impl FnOnce(&mut SessionConfig)) -> Self {
        Self::restored(change, &[])
    }

    pub(super) fn restored(change: impl FnOnce(&mut SessionConfig), records: &[Record]) -> Self {
        let mut config = config();
        change(&mut config);
        Self(Session::restore(roster(), config, records))
    }

    /// One input, and the commands as texts.
    pub(super) fn at(&mut self, at_ms: u64, input: Input) -> Vec<String> {
        let mut out = Vec::new();
        self.0.handle(&now(at_ms), input, &mut out);
        out.iter().map(text).collect()
    }

    /// One input after the other, each with the commands that must follow.
    pub(super) fn check(&mut self, table: &[(u64, Input, &[&str])]) {
        for (row, (at_ms, input, expect)) in table.iter().enumerate() {
            let commands = self.at(*at_ms, input.clone());
            assert_eq!(commands, *expect, "row {row}, at {at_ms} ms: {input:?}");
        }
    }
}

/// The track's frames came to a person, by a score of 0.60 against 0.50.
pub(super) fn face(track: u64, id: &str) -> Input {
    decided(track, Decision::Identified(ranked(id, 0.6)))
}

pub(super) fn weak_face(track: u64, id: &str) -> Input {
    decided(track, Decision::Identified(ranked(id, 0.4)))
}

pub(super) fn stranger(track: u64) -> Input {
    let best = Some(ComparisonScore::new(0.2).unwrap());
    decided(track, Decision::NotIdentified { best })
}

pub(super) fn nobody_to_compare(track: u64) -> Input {
    decided(track, Decision::NotIdentified { best: None })
}

pub(super) fn doubtful(track: u64, first: &str, second: Option<&str>) -> Input {
    let first = ranked(first, 0.6);
    let second = second.map(|id| ranked(id, 0.58));
    decided(track, Decision::Ambiguous { first, second })
}

fn decided(track: u64, decision: Decision) -> Input {
    Input::Observation(Observation {
        track: TrackId(track),
        decision,
        threshold: Threshold::new(0.5).unwrap(),
        space: FeatureSpace::new("test", Digest::ZERO),
        frames: 3,
    })
}

pub(super) fn ended(track: u64) -> Input {
    Input::TrackEnded(TrackId(track))
}

/// A person's invitation, verified; each nonce is another sheet of paper.
pub(super) fn code(id: &str, nonce: u8) -> Input {
    Input::Invitation(invitation("HOP-1", id, nonce))
}

pub(super) fn invitation(meeting_id: &str, id: &str, nonce: u8) -> VerifiedInvitation {
    let key = SigningKey::from_seed(&[7; 32]);
    let meeting = meeting(meeting_id);
    Invitation::new(
        &meeting,
        person(id),
        meeting.starts_at,
        meeting.ends_at,
        [nonce; 8],
    )
    .unwrap()
    .sign(&key)
    .verify(&key.public(), &now(1), &meeting)
    .unwrap()
}

pub(super) fn appended(token: u64, sequence: u64) -> Input {
    Input::Appended {
        token: Token(token),
        sequence: Sequence(sequence),
    }
}

pub(super) fn failed(token: u64, why: crate::AppendFailure) -> Input {
    Input::AppendFailed {
        token: Token(token),
        why,
    }
}

pub(super) fn answered(of: u64, outcome: record::Release) -> Input {
    Input::ReleaseAnswered {
        of: Sequence(of),
        outcome,
    }
}

/// The record of a command, as the ledger would write it.
pub(super) fn record(number: u64, at_ms: u64, body: Body) -> Record {
    Record {
        device: DeviceId::new("K1").unwrap(),
        epoch: EPOCH,
        sequence: Sequence(number),
        at: now(at_ms),
        previous: Digest::ZERO,
        body,
    }
}

pub(super) fn text(command: &Command) -> String {
    match command {
        Command::Append { token, body, .. } => format!("append {token}: {}", body_text(body)),
        Command::Release { of } => format!("release {of}"),
        Command::Greet(greeting) => format!(
            "{:?} {}{} {}{}",
            greeting.kind,
            greeting.delegate.person,
            greeting
                .instead_of
                .as_ref()
                .map_or(String::new(), |of| format!(" for {}", of.person)),
            since(&greeting.at),
            track_text(greeting.track),
        ),
        Command::Notify(notice) => notice_text(notice),
    }
}

fn since(at: &Stamp) -> String {
    format!("at {}", at.monotonic.as_millis())
}

fn track_text(track: Option<TrackId>) -> String {
    track.map_or(String::new(), |track| format!(" (track {track})"))
}

pub(super) fn notice_text(notice: &Notice) -> String {
    let kind = match &notice.kind {
        NoticeKind::NotOnRoster => "not on the roster".to_owned(),
        NoticeKind::SecondMeans => "second means".to_owned(),
        NoticeKind::InvitationRefused(why) => format!("refused: {why}"),
        NoticeKind::StillRecording(delegate) => format!("still recording {}", delegate.person),
        NoticeKind::NotRecorded(delegate, why) => {
            format!("not recorded {}: {why}", delegate.person)
        }
    };
    format!("{kind}{}", track_text(notice.track))
}

fn body_text(body: &Body) -> String {
    let compared = |comparison: &Option<Comparison>| {
        comparison
            .as_ref()
            .map_or(String::new(), |c| format!(" {}", c.score))
    };
    match body {
        Body::CheckIn(CheckIn {
            person,
            substitute,
            means,
            assurance,
            comparison,
            ..
        }) => format!(
            "in {person}{} {means:?} {assurance:?}{}",
            substitute.as_ref().map_or(String::new(), |of| {
                format!(" for {} by {}", of.for_person, of.document.as_str())
            }),
            compared(comparison)
        ),
        Body::CheckOut(CheckOut {
            person,
            means,
            assurance,
            comparison,
            ..
        }) => format!(
            "out {person} {means:?} {assurance:?}{}",
            compared(comparison)
        ),
        Body::Refused(refused) => {
            format!(
                "refused {:?}{}",
                refused.reason,
                compared(&refused.comparison)
            )
        }
        Body::ReleaseOutcome(outcome) => format!("door {:?} for {}", outcome.outcome, outcome.of),
        Body::Fault(fault) => format!("fault {:?}", fault.part),
        Body::Loss(loss) => format!("loss {:?} {:?}", loss.lost, loss.why),
        Body::MeetingOpened(_) => "opened".to_owned(),
        Body::MeetingClosed(_) => "closed".to_owned(),
        Body::Correction(_) | Body::ClockObservation(_) | Body::Unknown(_) => {
            format!("unexpected {}", body.kind_name())
        }
    }
}
