//! The words by which programs read what an export says. They are fixed once published: programs
//! compare them.

use record::{Amendment, ClockSource, CorrectionReason, LossReason, Part, Release};
use vocabulary::{Assurance, Direction, Means, RefusalReason, Role};

/// A delegate's role.
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Member => "member",
        Role::Guest => "guest",
    }
}

/// By which means somebody was called.
pub fn means(means: Means) -> &'static str {
    match means {
        Means::Face => "face",
        Means::Invitation => "invitation",
        Means::CitizenCard => "citizen-card",
        Means::Secretary => "secretary",
    }
}

/// How much a passage is worth as evidence.
pub fn assurance(assurance: Assurance) -> &'static str {
    match assurance {
        Assurance::Claimed => "claimed",
        Assurance::Possession => "possession",
        Assurance::Compared => "compared",
        Assurance::Vouched => "vouched",
    }
}

/// Which way through the door.
pub fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::In => "in",
        Direction::Out => "out",
    }
}

/// Why somebody was not called.
pub fn refusal(reason: RefusalReason) -> &'static str {
    match reason {
        RefusalReason::NotOnRoster => "not-on-roster",
        RefusalReason::Ambiguous => "ambiguous",
        RefusalReason::SuspectedAttack => "suspected-attack",
        RefusalReason::InvalidCredential => "invalid-credential",
    }
}

/// What became of the door.
pub fn release(outcome: Release) -> &'static str {
    match outcome {
        Release::Opened => "opened",
        Release::NoAnswer => "no-answer",
        Release::SentUnconfirmed => "sent-unconfirmed",
        Release::NotConfigured => "not-configured",
        Release::Failed => "failed",
    }
}

/// What a correction does.
pub fn amendment(amendment: Amendment) -> &'static str {
    match amendment {
        Amendment::Annulled => "annulled",
    }
}

/// Why a record is corrected.
pub fn correction(reason: CorrectionReason) -> &'static str {
    match reason {
        CorrectionReason::WrongPerson => "wrong-person",
        CorrectionReason::DidNotPass => "did-not-pass",
        CorrectionReason::Duplicate => "duplicate",
        CorrectionReason::Trial => "trial",
        CorrectionReason::Other => "other",
    }
}

/// From whom a clock was set or observed.
pub fn clock_source(source: ClockSource) -> &'static str {
    match source {
        ClockSource::TimeService => "time-service",
        ClockSource::Hub => "hub",
        ClockSource::BatteryClock => "battery-clock",
        ClockSource::Person => "person",
        ClockSource::Unknown => "unknown",
    }
}

/// A part of the device.
pub fn part(part: Part) -> &'static str {
    match part {
        Part::Camera => "camera",
        Part::Inference => "inference",
        Part::Ledger => "ledger",
        Part::Screen => "screen",
        Part::Door => "door",
        Part::Scanner => "scanner",
        Part::Clock => "clock",
        Part::Roster => "roster",
        Part::Thread => "thread",
    }
}

/// Why something was lost.
pub fn loss(reason: LossReason) -> &'static str {
    match reason {
        LossReason::Corrupt => "corrupt",
        LossReason::Missing => "missing",
        LossReason::DiskFull => "disk-full",
        LossReason::Overflow => "overflow",
        LossReason::Pruned => "pruned",
        LossReason::Unwritable => "unwritable",
    }
}
