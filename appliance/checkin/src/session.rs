//! The session machine itself; the crate's own text describes it.

mod call;
mod restore;
mod time;

use std::collections::BTreeMap;

use biometrics::TrackId;
use credential::{VerifiedInvitation, VerifyError};
use record::{
    Body, CheckIn, CheckOut, Comparison, Context, Fault, MeetingClosed, MeetingOpened, Part,
    Record, Release, ReleaseOutcome, Text,
};
use roll::Roll;
use vocabulary::{
    Assurance, Decision, Direction, Means, Monotonic, PersonId, RefusalReason, Roster, Sequence,
    Stamp,
};

use crate::book::Book;
use crate::config::SessionConfig;
use crate::owed::{Owed, loss_reason};
use crate::port::{AppendFailure, Command, Input, NoticeKind, Observation, Token};
use crate::rate::RefusalRate;
use crate::showing::{Showing, Showings};
use crate::subject::{Claim, Settled, State, Subject, Subjects};

/// The roll of one meeting at one door; see the crate's text.
#[derive(Debug, Clone)]
pub struct Session {
    config: SessionConfig,
    book: Book,
    /// Where each person called here stands.
    standings: BTreeMap<PersonId, Standing>,
    subjects: Subjects,
    pending: BTreeMap<Token, Pending>,
    next_token: u64,
    owed: Owed,
    owed_again_at: Monotonic,
    /// Releases that wait for the door's answer, and until when.
    releases: BTreeMap<Sequence, Monotonic>,
    refusal_rate: RefusalRate,
    refusals_left_out: u64,
    showings: Showings,
    trouble: Option<AppendFailure>,
    opened: bool,
    defect_owned_up: bool,
}

/// How many are in the room by the records of this device, of how many on the roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headcount {
    /// In the room.
    pub present: usize,
    /// On the roster.
    pub expected: usize,
}

/// Where a person stands by a durable record.
#[derive(Debug, Clone, PartialEq)]
struct Standing {
    /// In the room, or out of it again.
    inside: bool,
    /// Since when.
    since: Stamp,
    /// The record that says so, where this ledger file has it.
    of: Option<Sequence>,
    /// When the person was last greeted here.
    greeted: Option<Monotonic>,
}

/// A record on its way to the ledger.
#[derive(Debug, Clone, PartialEq)]
enum Pending {
    Passage(Passage),
    Refusal,
    Owed(Body),
}

/// A check-in or check-out on its way to the ledger.
#[derive(Debug, Clone, PartialEq)]
struct Passage {
    claim: Claim,
    /// Whose greeting it becomes.
    subject: Subject,
    at: Stamp,
    /// Whether the person was told that it takes time.
    told: bool,
}

impl Session {
    /// A session that goes on where the records of this meeting leave off; with none, a new one.
    /// `records` may hold other meetings' records too.
    #[must_use]
    pub fn restore<'a>(
        roster: Roster,
        config: SessionConfig,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> Self {
        let records: Vec<&Record> = records.into_iter().collect();
        let roll = Roll::of(&roster, records.iter().copied());
        let book = Book::new(roster, &config.substitutes);
        let mut owed = Owed::default();
        restore::unanswered(&book, &config, &records)
            .into_iter()
            .for_each(|outcome| owed.push(Body::ReleaseOutcome(outcome)));
        Self {
            standings: restore::standings(&roll, &config, &records),
            opened: restore::was_opened(&book, &config, &records),
            config,
            book,
            subjects: Subjects::default(),
            pending: BTreeMap::new(),
            next_token: 1,
            owed,
            owed_again_at: Monotonic::default(),
            releases: BTreeMap::new(),
            refusal_rate: RefusalRate::default(),
            refusals_left_out: 0,
            showings: Showings::default(),
            trouble: None,
            defect_owned_up: false,
        }
    }

    /// Takes in one thing that happened at `now` and says what is to be done. The same inputs to
    /// the same session always give the same commands. `out` is added to, never read.
    pub fn handle(&mut self, now: &Stamp, input: Input, out: &mut Vec<Command>) {
        self.forget_gone_codes(now.monotonic);
        self.give_up_silent_releases(now.monotonic);
        match input {
            Input::Open(actor) => self.open(actor),
            Input::Close(actor) => self.close(actor),
            Input::Observation(observation) => self.observe(now, observation, out),
            Input::TrackEnded(track) => self.end_track(track),
            Input::Invitation(invitation) => self.be_shown(now, &invitation, out),
            Input::InvitationRefused(why) => self.be_shown_refused(now, why, out),
            Input::Appended { token, sequence } => self.appended(now, token, sequence, out),
            Input::AppendFailed { token, why } => self.append_failed(now, token, why, out),
            Input::ReleaseAnswered { of, outcome } => self.release_answered(of, outcome),
            Input::Tick => {}
        }
        self.catch_up(now, out);
    }

    /// What is to be seen now because of what happened, oldest first.
    #[must_use]
    pub fn showing(&self) -> &[Showing] {
        self.showings.as_slice()
    }

    /// How many are in the room, of how many expected.
    #[must_use]
    pub fn headcount(&self) -> Headcount {
        Headcount {
            present: self.standings.values().filter(|s| s.inside).count(),
            expected: self.book.roster.entries().len(),
        }
    }

    /// Why the newest answer of the ledger was that it did not write; none while it does.
    #[must_use]
    pub fn trouble(&self) -> Option<AppendFailure> {
        self.trouble
    }

    /// The roster.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.book.roster
    }

    /// How many records wait for the ledger; at most [`crate::PENDING_MAX`].
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// How many refusals were shown and not recorded, as there were too many of them.
    #[must_use]
    pub fn refusals_left_out(&self) -> u64 {
        self.refusals_left_out
    }
}

/// What comes in.
impl Session {
    fn open(&mut self, actor: Option<PersonId>) {
        if !self.opened {
            self.opened = true;
            let context = self.context();
            self.owed
                .push(Body::MeetingOpened(MeetingOpened { context, actor }));
        }
    }

    fn close(&mut self, actor: Option<PersonId>) {
        if self.opened {
            self.opened = false;
            let context = self.context();
            self.owed
                .push(Body::MeetingClosed(MeetingClosed { context, actor }));
        }
    }

    fn observe(&mut self, now: &Stamp, observation: Observation, out: &mut Vec<Command>) {
        let Observation {
            track,
            decision,
            threshold,
            space,
            frames,
        } = observation;
        let subject = Subject::Track(track);
        self.see(&subject, now.monotonic);
        let compared = |score| Comparison {
            score,
            threshold,
            space: space.clone(),
            frames,
        };
        match decision {
            Decision::Identified(first) => {
                let comparison = compared(first.score);
                if self.decides(&first, threshold) {
                    let claim = Claim {
                        person: first.person,
                        means: Means::Face,
                        assurance: Assurance::Compared,
                        comparison: Some(comparison),
                    };
                    self.call(now, &subject, claim, out);
                } else {
                    self.ask_second_means(now, &subject, &first, None, comparison, out);
                }
            }
            Decision::NotIdentified { best } => {
                let refusal = (RefusalReason::NotOnRoster, best.map(compared));
                self.refuse(now, &subject, refusal, NoticeKind::NotOnRoster, out);
            }
            Decision::Ambiguous { first, second } => {
                let comparison = compared(first.score);
                self.ask_second_means(now, &subject, &first, second.as_ref(), comparison, out);
            }
        }
    }

    fn end_track(&mut self, track: TrackId) {
        if let Some(state) = self.subjects.remove(&Subject::Track(track)) {
            self.lose_failed(&state);
        }
    }

    fn be_shown(&mut self, now: &Stamp, invitation: &VerifiedInvitation, out: &mut Vec<Command>) {
        let person = invitation.person().clone();
        let subject = Subject::Code(person.clone(), invitation.nonce());
        self.see(&subject, now.monotonic);
        // Whoever verified it did so against a meeting; that it was this one is checked, not hoped.
        if *invitation.meeting() != self.book.roster.meeting().id {
            let kind = NoticeKind::InvitationRefused(VerifyError::OtherMeeting);
            let refusal = (RefusalReason::InvalidCredential, None);
            self.refuse(now, &subject, refusal, kind, out);
            return;
        }
        if self.book.entry(&person).is_none() {
            let refusal = (RefusalReason::NotOnRoster, None);
            self.refuse(now, &subject, refusal, NoticeKind::NotOnRoster, out);
            return;
        }
        let proposing = self.subjects.proposing(&person);
        let comparison = proposing
            .iter()
            .filter_map(|track| self.subjects.get(track))
            .find_map(|state| state.comparison.clone());
        let assurance = match comparison {
            Some(_) => Assurance::Compared,
            None => Assurance::Possession,
        };
        let claim = Claim {
            person,
            means: Means::Invitation,
            assurance,
            comparison,
        };
        self.call(now, &subject, claim, out);
        // The face that asked for this code has its answer.
        if let Some(settled) = self.subjects.get(&subject).map(|s| s.settled.clone())
            && matches!(settled, Settled::Waiting(_) | Settled::Called(_))
        {
            for track in proposing {
                self.showings.remove(&track);
                self.subjects.settle(&track, settled.clone());
            }
        }
    }

    fn be_shown_refused(&mut self, now: &Stamp, why: VerifyError, out: &mut Vec<Command>) {
        self.see(&Subject::RefusedCode, now.monotonic);
        let refusal = (RefusalReason::InvalidCredential, None);
        let kind = NoticeKind::InvitationRefused(why);
        self.refuse(now, &Subject::RefusedCode, refusal, kind, out);
    }

    fn appended(&mut self, now: &Stamp, token: Token, of: Sequence, out: &mut Vec<Command>) {
        let Some(pending) = self.pending.remove(&token) else {
            return;
        };
        self.trouble = None;
        match pending {
            Pending::Passage(passage) => self.passed(now, token, passage, of, out),
            Pending::Refusal | Pending::Owed(_) => {}
        }
    }

    fn append_failed(
        &mut self,
        now: &Stamp,
        token: Token,
        why: AppendFailure,
        out: &mut Vec<Command>,
    ) {
        let Some(pending) = self.pending.remove(&token) else {
            return;
        };
        self.owed_again_at = now.monotonic.saturating_add(self.config.timings.retry);
        if self.trouble.is_none() {
            let what = Text::clipped(&format!("a record was not written: {why}"));
            let part = Part::Ledger;
            self.owed.push(Body::Fault(Fault { part, what }));
        }
        self.trouble = Some(why);
        match pending {
            Pending::Passage(passage) => {
                let waiting = self.subjects.waiting_for(token);
                if waiting.is_empty() {
                    self.owed.lose(loss_reason(why));
                    let subject = passage.subject.clone();
                    self.tell_not_recorded(now, &subject, &passage.claim, why, out);
                }
                for subject in waiting {
                    self.not_recorded(now, &subject, passage.claim.clone(), why, out);
                }
            }
            Pending::Refusal => self.owed.lose(loss_reason(why)),
            Pending::Owed(body) => self.owed.push_again(body),
        }
    }

    /// An answer to a release that is not waited for, because it came too late or twice, says
    /// nothing new.
    fn release_answered(&mut self, of: Sequence, outcome: Release) {
        if self.releases.remove(&of).is_some() {
            self.owe_outcome(of, outcome);
        }
    }
}

/// Small things.
impl Session {
    fn see(&mut self, subject: &Subject, now: Monotonic) {
        if let Some((_, state)) = self.subjects.see(subject, now) {
            self.lose_failed(&state);
        }
    }

    /// Somebody who could not be recorded is gone: that they stood here will never be a record.
    fn lose_failed(&mut self, state: &State) {
        match &state.settled {
            Settled::Failed { .. } => {
                let why = self.trouble.unwrap_or(AppendFailure::Busy);
                self.owed.lose(loss_reason(why));
            }
            Settled::Open | Settled::Waiting(_) | Settled::Called(_) | Settled::Told(_) => {}
        }
    }

    fn append(
        &mut self,
        now: &Stamp,
        pending: Pending,
        body: Body,
        out: &mut Vec<Command>,
    ) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        self.pending.insert(token, pending);
        out.push(Command::Append {
            token,
            at: *now,
            body: Box::new(body),
        });
        token
    }

    fn count_pending(&self, is_one: impl Fn(&Pending) -> bool) -> usize {
        self.pending
            .values()
            .filter(|pending| is_one(pending))
            .count()
    }

    /// The append that a person's check-in or check-out waits for.
    fn passage_of(&self, person: &PersonId) -> Option<Token> {
        let is_theirs = |pending: &Pending| match pending {
            Pending::Passage(passage) => passage.claim.person == *person,
            Pending::Refusal | Pending::Owed(_) => false,
        };
        let mut pending = self.pending.iter();
        pending.find(|(_, p)| is_theirs(p)).map(|(token, _)| *token)
    }

    fn owe_outcome(&mut self, of: Sequence, outcome: Release) {
        let outcome = ReleaseOutcome { of, outcome };
        self.owed.push(Body::ReleaseOutcome(outcome));
    }

    fn passage_body(&self, claim: &Claim) -> Body {
        let context = self.context();
        let Claim {
            person,
            means,
            assurance,
            comparison,
        } = claim.clone();
        match self.config.direction {
            Direction::In => Body::CheckIn(CheckIn {
                context,
                substitute: self.book.substitution(&person).cloned(),
                person,
                direction: Direction::In,
                means,
                assurance,
                comparison,
                actor: None,
            }),
            Direction::Out => Body::CheckOut(CheckOut {
                context,
                person,
                means,
                assurance,
                comparison,
                actor: None,
            }),
        }
    }

    fn context(&self) -> Context {
        Context {
            meeting: self.book.roster.meeting().id.clone(),
            generation: self.book.roster.generation(),
            roster: self.book.digest,
            door: self.config.door.clone(),
            policy: self.config.policy,
            software: self.config.software.clone(),
        }
    }
}
