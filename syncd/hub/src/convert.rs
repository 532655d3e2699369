//! Between what the API says and what the hub keeps. Both change for their own reasons; here is
//! where they meet, and nothing is decided.

use vocabulary::{Attendance, FeatureSpace, Role};
use wire::device::{QuarantineReason, Space};
use wire::{Id, Name, Timestamp, enrolment, meeting as api};

use crate::model;

/// A name that was checked when it was put. One that is none any more, since a store may come from
/// an earlier version with other rules, is shown empty.
pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap_or_default()
}

pub(crate) fn space(space: &FeatureSpace) -> Space {
    Space {
        name: name(space.name()),
        digest: space.digest().into(),
    }
}

pub(crate) fn person(person: model::Person) -> enrolment::Person {
    enrolment::Person {
        id: Id(person.details.id),
        opaque: Id(person.opaque),
        name: name(&person.details.name),
        title: name(&person.details.title),
        unit: name(&person.details.unit),
        references: person.references.into_iter().map(reference).collect(),
        citizen_card: person.citizen_card,
    }
}

pub(crate) fn reference(reference: model::Reference) -> enrolment::Reference {
    enrolment::Reference {
        id: Id(reference.id),
        space: space(&reference.space),
        origin: match reference.origin {
            model::Origin::Portrait => enrolment::Origin::Portrait,
            model::Origin::Template => enrolment::Origin::Template,
        },
        made_at: Timestamp(reference.made_at),
        portrait_kept_until: reference.portrait_until.map(Timestamp),
        quality: reference.quality.map(|quality| enrolment::Quality {
            face_width_px: quality.face_width_px,
            eye_distance_px: quality.eye_distance_px,
            sharpness: quality.sharpness,
            exposure: quality.exposure,
            contrast: quality.contrast,
            yaw_degrees: quality.yaw_degrees,
            pitch_degrees: quality.pitch_degrees,
            roll_degrees: quality.roll_degrees,
        }),
    }
}

/// What the picture's rules measured, in the store's words.
pub(crate) fn quality_in(quality: biometrics::Quality) -> model::Quality {
    model::Quality {
        face_width_px: quality.face_width_px,
        eye_distance_px: quality.eye_distance_px,
        sharpness: quality.sharpness,
        exposure: quality.exposure,
        contrast: quality.contrast,
        yaw_degrees: quality.yaw_degrees,
        pitch_degrees: quality.pitch_degrees,
        roll_degrees: quality.roll_degrees,
    }
}

pub(crate) fn meeting(meeting: model::Meeting) -> api::Meeting {
    let plan = meeting.plan;
    api::Meeting {
        id: Id(plan.id),
        title: name(&plan.title),
        room: Id(plan.room),
        doors: plan.doors.into_iter().map(Id).collect(),
        starts_at: Timestamp(plan.starts_at),
        ends_at: Timestamp(plan.ends_at),
        zone: plan.zone,
        quorum: plan.quorum,
        state: match meeting.state {
            model::MeetingState::Planned => api::MeetingState::Planned,
            model::MeetingState::Cancelled => api::MeetingState::Cancelled,
            model::MeetingState::Closed => api::MeetingState::Closed,
        },
        generation: meeting.generation,
        expected: meeting.expected,
    }
}

pub(crate) fn entry_in(entry: api::RosterEntry) -> model::Entry {
    let text = |name: Option<Name>| name.map(|name| name.as_str().to_owned());
    model::Entry {
        person: entry.person.0,
        title: text(entry.title),
        unit: text(entry.unit),
        role: match entry.role {
            api::Role::Member => Role::Member,
            api::Role::Guest => Role::Guest,
        },
        attendance: match entry.attendance {
            api::Attendance::FaceOrCode => Attendance::FaceOrCode,
            api::Attendance::CodeOnly => Attendance::CodeOnly,
        },
        instead_of: entry.instead_of.map(|id| id.0),
        document: text(entry.document),
    }
}

pub(crate) fn entry_out(entry: model::Entry) -> api::RosterEntry {
    let text = |text: Option<String>| text.map(|text| name(&text));
    api::RosterEntry {
        person: Id(entry.person),
        title: text(entry.title),
        unit: text(entry.unit),
        role: match entry.role {
            Role::Member => api::Role::Member,
            Role::Guest => api::Role::Guest,
        },
        attendance: match entry.attendance {
            Attendance::FaceOrCode => api::Attendance::FaceOrCode,
            Attendance::CodeOnly => api::Attendance::CodeOnly,
        },
        instead_of: entry.instead_of.map(Id),
        document: text(entry.document),
    }
}

pub(crate) fn quarantine(why: model::QuarantineReason) -> QuarantineReason {
    match why {
        model::QuarantineReason::Fork => QuarantineReason::Fork,
        model::QuarantineReason::BrokenChain => QuarantineReason::BrokenChain,
        model::QuarantineReason::Undecodable => QuarantineReason::Undecodable,
        model::QuarantineReason::Misplaced => QuarantineReason::Misplaced,
    }
}
