//! One sample of each kind of record, chained in the order of their numbers: what the committed
//! vectors encode. All ids are made up.

use record::{
    Amendment, Body, CheckIn, CheckOut, ClockObservation, ClockSource, Comparison, Context,
    Correction, CorrectionReason, Fault, Loss, LossReason, Lost, MeetingClosed, MeetingOpened,
    Part, Record, Refused, Release, ReleaseOutcome, Substitution, Text, digest,
};
use vocabulary::{
    Assurance, Attendance, BootId, ClockQuality, ComparisonScore, Delegate, DeviceId, Digest,
    Direction, DoorId, Epoch, FeatureSpace, Means, Meeting, MeetingId, Monotonic, OrganisationId,
    PersonId, RefusalReason, Role, RoomId, Roster, RosterEntry, Sequence, Stamp, Threshold,
    WallTime,
};

/// The epoch of the samples.
pub const EPOCH: Epoch =
    Epoch(*b"\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f");

/// The device of the samples.
pub fn device() -> DeviceId {
    DeviceId::new("kiosk-07").unwrap()
}

/// A person by id.
pub fn person(id: &str) -> PersonId {
    PersonId::new(id).unwrap()
}

/// The circumstances of the samples.
pub fn context() -> Context {
    Context {
        meeting: MeetingId::new("GB-2026-11").unwrap(),
        generation: 3,
        roster: Digest([0xab; 32]),
        door: DoorId::new("A1").unwrap(),
        policy: 1,
        software: Text::new("kiosk 0.1.0").unwrap(),
    }
}

/// A comparison with this score.
pub fn comparison(score: f32) -> Comparison {
    Comparison {
        score: ComparisonScore::new(score).unwrap(),
        threshold: Threshold::new(0.45).unwrap(),
        space: FeatureSpace::new("sface", Digest([0xcd; 32])),
        frames: 2,
    }
}

/// The names and bodies of the samples, in the order of their numbers.
pub fn bodies() -> Vec<(&'static str, Body)> {
    let mut bodies = vec![
        (
            "meeting-opened",
            Body::MeetingOpened(MeetingOpened {
                context: context(),
                actor: Some(person("TK-1")),
            }),
        ),
        (
            "check-in-face",
            Body::CheckIn(CheckIn {
                context: context(),
                person: person("DB-0042"),
                substitute: None,
                direction: Direction::In,
                means: Means::Face,
                assurance: Assurance::Compared,
                comparison: Some(comparison(0.5)),
                actor: None,
            }),
        ),
        (
            "release-outcome",
            Body::ReleaseOutcome(ReleaseOutcome {
                of: Sequence(2),
                outcome: Release::Opened,
            }),
        ),
        (
            "check-in-substitute",
            Body::CheckIn(CheckIn {
                context: context(),
                person: person("DB-0043"),
                substitute: Some(Substitution {
                    for_person: person("DB-0044"),
                    document: Text::new("Giấy ủy quyền số 12/GUQ ngày 20/11/2026").unwrap(),
                }),
                direction: Direction::In,
                means: Means::Secretary,
                assurance: Assurance::Vouched,
                comparison: None,
                actor: Some(person("TK-1")),
            }),
        ),
    ];
    bodies.extend(later_bodies());
    bodies
}

fn later_bodies() -> Vec<(&'static str, Body)> {
    vec![
        (
            "refused",
            Body::Refused(Refused {
                context: context(),
                reason: RefusalReason::NotOnRoster,
                comparison: Some(comparison(0.1)),
            }),
        ),
        (
            "check-out",
            Body::CheckOut(CheckOut {
                context: context(),
                person: person("DB-0042"),
                means: Means::Invitation,
                assurance: Assurance::Possession,
                comparison: None,
                actor: None,
            }),
        ),
        (
            "correction",
            Body::Correction(Correction {
                of: (EPOCH, Sequence(4)),
                amendment: Amendment::Annulled,
                reason: CorrectionReason::WrongPerson,
                actor: Some(person("TK-1")),
            }),
        ),
        (
            "clock-observation",
            Body::ClockObservation(ClockObservation {
                before: WallTime(-1),
                after: WallTime(1_795_500_000_000),
                quality: ClockQuality::Synchronised,
                source: ClockSource::TimeService,
            }),
        ),
        (
            "fault",
            Body::Fault(Fault {
                part: Part::Camera,
                what: Text::new("no frame for 5 s").unwrap(),
            }),
        ),
        (
            "loss-records",
            Body::Loss(Loss {
                lost: Lost::Records {
                    epoch: Epoch([7; 16]),
                    from: Sequence(300),
                    through: Some(Sequence(70_000)),
                },
                why: LossReason::Corrupt,
            }),
        ),
        (
            "loss-events",
            Body::Loss(Loss {
                lost: Lost::Events { count: 24 },
                why: LossReason::Overflow,
            }),
        ),
        (
            "meeting-closed",
            Body::MeetingClosed(MeetingClosed {
                context: context(),
                actor: None,
            }),
        ),
    ]
}

/// The samples, chained.
pub fn records() -> Vec<(&'static str, Record)> {
    let mut previous = Digest::ZERO;
    let mut sequence = Sequence(0);
    let mut records = Vec::new();
    for (name, body) in bodies() {
        sequence = sequence.next();
        let record = Record {
            device: device(),
            epoch: EPOCH,
            sequence,
            at: Stamp {
                wall: WallTime(1_795_500_000_000 + 1000 * i64::try_from(sequence.0).unwrap()),
                quality: ClockQuality::FreeRunning,
                boot: BootId([0x42; 16]),
                monotonic: Monotonic(90_000_000_000 + 1_000_000_000 * sequence.0),
            },
            previous,
            body,
        };
        previous = digest(&record.encode());
        records.push((name, record));
    }
    records
}

/// A roster of three.
pub fn roster() -> Roster {
    let entry = |id: &str, name: &str, role, attendance| RosterEntry {
        delegate: Delegate {
            person: person(id),
            name: name.to_owned(),
            title: "Bà".to_owned(),
            unit: "Sở Mẫu".to_owned(),
        },
        role,
        attendance,
    };
    let meeting = Meeting {
        id: MeetingId::new("GB-2026-11").unwrap(),
        organisation: OrganisationId::new("mau").unwrap(),
        room: RoomId::new("P-201").unwrap(),
        doors: vec![DoorId::new("A1").unwrap(), DoorId::new("A2").unwrap()],
        title: "Họp giao ban tháng 11".to_owned(),
        starts_at: WallTime(1_795_500_000_000),
        ends_at: WallTime(1_795_510_000_000),
        zone: "Asia/Ho_Chi_Minh".to_owned(),
        quorum: Some(2),
    };
    let entries = vec![
        entry(
            "DB-0042",
            "Mẫu Thị Một",
            Role::Member,
            Attendance::FaceOrCode,
        ),
        entry("DB-0043", "Mẫu Thị Hai", Role::Member, Attendance::CodeOnly),
        entry(
            "DB-0044",
            "Mẫu Thị Ễnh",
            Role::Guest,
            Attendance::FaceOrCode,
        ),
    ];
    Roster::new(meeting, 3, entries).unwrap()
}
