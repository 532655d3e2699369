//! Records that must be written and are about no one who stands waiting: what became of the door,
//! the meeting's opening and end, faults. They are tried until they are written; when there are too
//! many, they are counted, and the count becomes a record of the loss.

use std::collections::VecDeque;

use record::{Body, Loss, LossReason, Lost};

use crate::config::OWED_MAX;
use crate::port::AppendFailure;

/// What is owed to the ledger.
#[derive(Debug, Clone, Default)]
pub(crate) struct Owed {
    bodies: VecDeque<Body>,
    lost_count: u64,
    lost_why: Option<LossReason>,
}

impl Owed {
    /// Owes one more record, or counts it as lost.
    pub(crate) fn push(&mut self, body: Body) {
        if self.bodies.len() < OWED_MAX {
            self.bodies.push_back(body);
        } else {
            self.lose(LossReason::Overflow);
        }
    }

    /// Owes a record again that could not be written: it is the next.
    pub(crate) fn push_again(&mut self, body: Body) {
        if self.bodies.len() == OWED_MAX
            && let Some(last) = self.bodies.pop_back()
        {
            self.give_up(&last);
        }
        self.bodies.push_front(body);
    }

    /// Counts a record as lost; one that owned up to losses hands its count on.
    fn give_up(&mut self, body: &Body) {
        match body {
            Body::Loss(Loss {
                lost: Lost::Events { count },
                ..
            }) => {
                self.lost_count = self.lost_count.saturating_add(*count);
                self.lost_why = Some(LossReason::Overflow);
            }
            Body::Loss(_)
            | Body::CheckIn(_)
            | Body::CheckOut(_)
            | Body::Refused(_)
            | Body::ReleaseOutcome(_)
            | Body::Correction(_)
            | Body::ClockObservation(_)
            | Body::Fault(_)
            | Body::MeetingOpened(_)
            | Body::MeetingClosed(_)
            | Body::Unknown(_) => self.lose(LossReason::Overflow),
        }
    }

    /// Something that happened will never be a record of its own.
    pub(crate) fn lose(&mut self, why: LossReason) {
        self.lost_count = self.lost_count.saturating_add(1);
        self.lost_why = Some(why);
    }

    /// Turns what was lost into a record that is owed, where there is room for it.
    pub(crate) fn own_up(&mut self) {
        if let Some(why) = self.lost_why
            && self.bodies.len() < OWED_MAX
        {
            let count = std::mem::take(&mut self.lost_count);
            self.lost_why = None;
            let lost = Lost::Events { count };
            self.bodies.push_back(Body::Loss(Loss { lost, why }));
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Body> {
        self.bodies.pop_front()
    }
}

/// Why something was lost, by why it could not be written.
pub(crate) fn loss_reason(why: AppendFailure) -> LossReason {
    match why {
        AppendFailure::Busy => LossReason::Overflow,
        AppendFailure::DiskFull => LossReason::DiskFull,
        AppendFailure::Corrupt => LossReason::Corrupt,
        AppendFailure::ReadOnly | AppendFailure::Locked | AppendFailure::Io => {
            LossReason::Unwritable
        }
    }
}
