//! What follows from a decision or a code: a record, a greeting, a refusal, an open door.

use record::{Body, Comparison, Fault, Part, Refused, Release, Text};
use vocabulary::{
    Attendance, Direction, Monotonic, PersonId, Ranked, RefusalReason, Sequence, Stamp, Threshold,
};

use super::{Passage, Pending, Session, Standing};
use crate::config::{
    DoorRelease, FaceMode, PASSAGES_PENDING_MAX, REFUSALS_PENDING_MAX, RELEASES_MAX,
};
use crate::port::{AppendFailure, Command, Greeting, GreetingKind, NoticeKind, Token};
use crate::subject::{Claim, Settled, Subject};

impl Session {
    /// Whether a face calls this person. Whoever is to be called by code alone, and whoever is not
    /// on the roster, should not have been compared: that is a defect, and no name is said.
    pub(super) fn decides(&mut self, first: &Ranked, threshold: Threshold) -> bool {
        let admissible = self.admits_face(&first.person) && first.score.reaches(threshold);
        if !admissible && !self.defect_owned_up {
            self.defect_owned_up = true;
            let what = Text::clipped("a face named a person whom it must not name at this door");
            let part = Part::Inference;
            self.owed.push(Body::Fault(Fault { part, what }));
        }
        admissible && self.config.face == FaceMode::Decides
    }

    pub(super) fn admits_face(&self, person: &PersonId) -> bool {
        match self.book.entry(person).map(|entry| entry.attendance) {
            Some(Attendance::FaceOrCode) => true,
            Some(Attendance::CodeOnly) | None => false,
        }
    }

    /// Has a person called, unless they were, are being, or could not be a moment ago.
    pub(super) fn call(
        &mut self,
        now: &Stamp,
        subject: &Subject,
        claim: Claim,
        out: &mut Vec<Command>,
    ) {
        match self.subjects.get(subject).map(|state| &state.settled) {
            None | Some(Settled::Waiting(_)) => return,
            Some(Settled::Called(person)) if *person == claim.person => return,
            Some(Settled::Failed {
                claim: failed,
                again_at,
            }) if failed.person == claim.person && now.monotonic < *again_at => return,
            Some(
                Settled::Open | Settled::Called(_) | Settled::Told(_) | Settled::Failed { .. },
            ) => {}
        }
        let called = match self.config.direction {
            Direction::In => true,
            Direction::Out => false,
        };
        let standing = self.standings.get(&claim.person);
        if standing.is_some_and(|standing| standing.inside == called) {
            self.showings.remove(subject);
            let settled = Settled::Called(claim.person.clone());
            self.subjects.settle(subject, settled);
            self.greet_again(now, subject, &claim, out);
        } else if let Some(token) = self.passage_of(&claim.person) {
            self.subjects.settle(subject, Settled::Waiting(token));
        } else if self.count_pending(|p| matches!(p, Pending::Passage(_))) < PASSAGES_PENDING_MAX {
            let body = self.passage_body(&claim);
            let passage = Passage {
                claim,
                subject: subject.clone(),
                at: *now,
                told: false,
            };
            let token = self.append(now, Pending::Passage(passage), body, out);
            self.subjects.settle(subject, Settled::Waiting(token));
        } else {
            self.not_recorded(now, subject, claim, AppendFailure::Busy, out);
        }
    }

    /// A person's record is durable: only this opens the door and says the name.
    pub(super) fn passed(
        &mut self,
        now: &Stamp,
        token: Token,
        passage: Passage,
        of: Sequence,
        out: &mut Vec<Command>,
    ) {
        let Passage {
            claim, subject, at, ..
        } = passage;
        let (inside, kind) = match self.config.direction {
            Direction::In => (true, GreetingKind::Welcome),
            Direction::Out => (false, GreetingKind::Farewell),
        };
        let standing = Standing {
            inside,
            since: at,
            of: Some(of),
            greeted: None,
        };
        self.standings.insert(claim.person.clone(), standing);
        for waiting in self.subjects.waiting_for(token) {
            self.showings.remove(&waiting);
            let called = Settled::Called(claim.person.clone());
            self.subjects.settle(&waiting, called);
        }
        match self.config.release {
            DoorRelease::Relay => self.release(now.monotonic, of, out),
            DoorRelease::None => self.owe_outcome(of, Release::NotConfigured),
        }
        self.greet(now.monotonic, &subject, &claim, kind, out);
    }

    /// A person who was called before stands here again. Their record is durable, so the door opens
    /// for them by it.
    pub(super) fn greet_again(
        &mut self,
        now: &Stamp,
        subject: &Subject,
        claim: &Claim,
        out: &mut Vec<Command>,
    ) {
        let Some(standing) = self.standings.get(&claim.person) else {
            return;
        };
        let again = self.config.timings.greet_again;
        if standing
            .greeted
            .is_some_and(|at| now.monotonic.since(at) < again)
        {
            return;
        }
        match (self.config.release, standing.of) {
            (DoorRelease::Relay, Some(of)) => self.release(now.monotonic, of, out),
            (DoorRelease::Relay, None) | (DoorRelease::None, _) => {}
        }
        let kind = match self.config.direction {
            Direction::In => GreetingKind::AlreadyCalled,
            Direction::Out => GreetingKind::AlreadyLeft,
        };
        self.greet(now.monotonic, subject, claim, kind, out);
    }

    pub(super) fn greet(
        &mut self,
        now: Monotonic,
        subject: &Subject,
        claim: &Claim,
        kind: GreetingKind,
        out: &mut Vec<Command>,
    ) {
        let Some((delegate, shared_name)) = self.book.delegate(&claim.person) else {
            return;
        };
        let Some(standing) = self.standings.get_mut(&claim.person) else {
            return;
        };
        standing.greeted = Some(now);
        let instead_of = self
            .book
            .substitution(&claim.person)
            .and_then(|substitution| self.book.delegate(&substitution.for_person))
            .map(|(delegate, _)| delegate.clone());
        let greeting = Greeting {
            instead_of,
            delegate: delegate.clone(),
            shared_name,
            kind,
            at: standing.since,
            means: claim.means,
            track: subject.track(),
        };
        let timings = &self.config.timings;
        self.showings.greet(now, timings, subject, greeting.clone());
        out.push(Command::Greet(greeting));
    }

    /// Opens the door for a durable record, unless it is being opened for it.
    pub(super) fn release(&mut self, now: Monotonic, of: Sequence, out: &mut Vec<Command>) {
        if self.releases.contains_key(&of) {
            return;
        }
        if self.releases.len() >= RELEASES_MAX {
            self.owe_outcome(of, Release::Failed);
            return;
        }
        let until = now.saturating_add(self.config.timings.release_answer);
        self.releases.insert(of, until);
        out.push(Command::Release { of });
    }

    /// The face does not decide. Whom it proposes is remembered, so that a code can confirm it.
    pub(super) fn ask_second_means(
        &mut self,
        now: &Stamp,
        subject: &Subject,
        first: &Ranked,
        second: Option<&Ranked>,
        comparison: Comparison,
        out: &mut Vec<Command>,
    ) {
        let compared = self.admits_face(&first.person).then_some(comparison);
        let proposed: Vec<PersonId> = std::iter::once(first)
            .chain(second)
            .map(|ranked| ranked.person.clone())
            .filter(|person| self.admits_face(person))
            .collect();
        if let Some(state) = self.subjects.get_mut(subject) {
            state.proposed = proposed;
            state.comparison = compared
                .clone()
                .filter(|c| second.is_none() && c.score.reaches(c.threshold));
        }
        let refusal = (RefusalReason::Ambiguous, compared);
        self.refuse(now, subject, refusal, NoticeKind::SecondMeans, out);
    }

    /// Tells somebody that they are not called, and records it once for each subject, as long as
    /// there are not too many.
    pub(super) fn refuse(
        &mut self,
        now: &Stamp,
        subject: &Subject,
        (reason, comparison): (RefusalReason, Option<Comparison>),
        kind: NoticeKind,
        out: &mut Vec<Command>,
    ) {
        let Some(state) = self.subjects.get_mut(subject) else {
            return;
        };
        match &state.settled {
            Settled::Waiting(_) | Settled::Called(_) | Settled::Failed { .. } => return,
            Settled::Told(told) if *told == kind => return,
            Settled::Told(_) | Settled::Open => state.settled = Settled::Told(kind.clone()),
        }
        let first = !std::mem::replace(&mut state.refused, true);
        self.notify(now.monotonic, subject, kind, out);
        if !first {
            return;
        }
        let room = self.count_pending(|p| matches!(p, Pending::Refusal)) < REFUSALS_PENDING_MAX;
        if room && self.refusal_rate.admits(reason, now.monotonic) {
            let body = Body::Refused(Refused {
                context: self.context(),
                reason,
                comparison,
            });
            self.append(now, Pending::Refusal, body, out);
        } else {
            self.refusals_left_out = self.refusals_left_out.saturating_add(1);
        }
    }

    /// A person is known and not recorded: they are told, and it is tried again while they stand
    /// there.
    pub(super) fn not_recorded(
        &mut self,
        now: &Stamp,
        subject: &Subject,
        claim: Claim,
        why: AppendFailure,
        out: &mut Vec<Command>,
    ) {
        self.tell_not_recorded(now, subject, &claim, why, out);
        let again_at = now.monotonic.saturating_add(self.config.timings.retry);
        self.subjects
            .settle(subject, Settled::Failed { claim, again_at });
    }

    pub(super) fn tell_not_recorded(
        &mut self,
        now: &Stamp,
        subject: &Subject,
        claim: &Claim,
        why: AppendFailure,
        out: &mut Vec<Command>,
    ) {
        if let Some((delegate, _)) = self.book.delegate(&claim.person) {
            let kind = NoticeKind::NotRecorded(delegate.clone(), why);
            self.notify(now.monotonic, subject, kind, out);
        }
    }

    pub(super) fn notify(
        &mut self,
        now: Monotonic,
        subject: &Subject,
        kind: NoticeKind,
        out: &mut Vec<Command>,
    ) {
        let timings = &self.config.timings;
        let new = self.showings.notify(now, timings, subject, kind);
        out.extend(new.map(Command::Notify));
    }
}
