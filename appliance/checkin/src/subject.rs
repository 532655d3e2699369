//! Who is before the door: tracks and codes, what each was settled with, and that there are never
//! more of them than memory was set aside for.

use std::collections::BTreeMap;

use biometrics::TrackId;
use credential::NONCE_BYTES;
use record::Comparison;
use vocabulary::{Assurance, Means, Monotonic, PersonId};

use crate::config::SUBJECTS_MAX;
use crate::port::{NoticeKind, Token};

/// One thing before the door that may be a person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// A face that is followed.
    Track(TrackId),
    /// One invitation that is held there.
    Code(PersonId, [u8; NONCE_BYTES]),
    /// Invitations that are not accepted, all as one: nothing in them is to be trusted, not even
    /// that two are different.
    RefusedCode,
}

impl Subject {
    /// The track, where it is one.
    pub(crate) fn track(&self) -> Option<TrackId> {
        match self {
            Self::Track(track) => Some(*track),
            Self::Code(..) | Self::RefusedCode => None,
        }
    }
}

/// What a record would say of a person.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Claim {
    pub(crate) person: PersonId,
    pub(crate) means: Means,
    pub(crate) assurance: Assurance,
    pub(crate) comparison: Option<Comparison>,
}

/// How far a subject has come.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Settled {
    /// Not at all.
    Open,
    /// Their record is being written.
    Waiting(Token),
    /// This person's record is durable.
    Called(PersonId),
    /// They were told why they are not called.
    Told(NoticeKind),
    /// They are known and could not be recorded; tried again from then on.
    Failed { claim: Claim, again_at: Monotonic },
}

/// What is remembered of a subject.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    pub(crate) settled: Settled,
    /// When it was last seen.
    pub(crate) seen: Monotonic,
    /// Whether its one refusal was recorded, or left out for a reason.
    pub(crate) refused: bool,
    /// Whom its face proposes, without deciding.
    pub(crate) proposed: Vec<PersonId>,
    /// The comparison with the one whom it proposes, where it is one and the score is enough.
    pub(crate) comparison: Option<Comparison>,
}

/// All subjects, at most [`SUBJECTS_MAX`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Subjects(BTreeMap<Subject, State>);

impl Subjects {
    /// The subject's state, as seen now; a new one where it is new. Returns as well whom it pushed
    /// out.
    pub(crate) fn see(&mut self, subject: &Subject, now: Monotonic) -> Option<(Subject, State)> {
        let known = self.0.contains_key(subject);
        let pushed_out = if known || self.0.len() < SUBJECTS_MAX {
            None
        } else {
            let oldest = self.0.iter().min_by_key(|(_, state)| state.seen);
            let oldest = oldest.map(|(subject, _)| subject.clone());
            oldest.and_then(|oldest| self.0.remove_entry(&oldest))
        };
        let state = self.0.entry(subject.clone()).or_insert_with(|| State {
            settled: Settled::Open,
            seen: now,
            refused: false,
            proposed: Vec::new(),
            comparison: None,
        });
        state.seen = now;
        pushed_out
    }

    pub(crate) fn get(&self, subject: &Subject) -> Option<&State> {
        self.0.get(subject)
    }

    pub(crate) fn get_mut(&mut self, subject: &Subject) -> Option<&mut State> {
        self.0.get_mut(subject)
    }

    pub(crate) fn remove(&mut self, subject: &Subject) -> Option<State> {
        self.0.remove(subject)
    }

    pub(crate) fn settle(&mut self, subject: &Subject, settled: Settled) {
        if let Some(state) = self.0.get_mut(subject) {
            state.settled = settled;
        }
    }

    /// Those of whom something holds.
    pub(crate) fn filter(&self, holds: impl Fn(&Subject, &State) -> bool) -> Vec<Subject> {
        self.0
            .iter()
            .filter(|(subject, state)| holds(subject, state))
            .map(|(subject, _)| subject.clone())
            .collect()
    }

    /// Those who wait for one record.
    pub(crate) fn waiting_for(&self, token: Token) -> Vec<Subject> {
        self.filter(|_, state| state.settled == Settled::Waiting(token))
    }

    /// The tracks whose faces propose a person and who were not called.
    pub(crate) fn proposing(&self, person: &PersonId) -> Vec<Subject> {
        self.filter(|_, state| match state.settled {
            Settled::Open | Settled::Told(_) => state.proposed.contains(person),
            Settled::Waiting(_) | Settled::Called(_) | Settled::Failed { .. } => false,
        })
    }
}
