//! The session machine itself; the crate's own text describes it.

use std::collections::{BTreeMap, HashMap};

use biometrics::TrackId;
use credential::{VerifiedInvitation, VerifyError};
use record::{
    Body, CheckIn, CheckOut, Comparison, Context, Fault, MeetingClosed, MeetingOpened, Part,
    Record, Refused, Release, ReleaseOutcome, Text, roster_digest,
};
use roll::Roll;
use vocabulary::{
    Assurance, Attendance, Decision, Delegate, Digest, Direction, Means, Monotonic, PersonId,
    Ranked, RefusalReason, Roster, RosterEntry, Sequence, Stamp, Threshold,
};

use crate::config::{
    DoorRelease, FaceMode, OWED_PENDING_MAX, PASSAGES_PENDING_MAX, REFUSALS_PENDING_MAX,
    RELEASES_MAX, SessionConfig,
};
use crate::owed::{Owed, loss_reason};
use crate::port::{
    AppendFailure, Command, Greeting, GreetingKind, Input, NoticeKind, Observation, Token,
};
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

/// The roster with what is asked of it often.
#[derive(Debug, Clone)]
struct Book {
    roster: Roster,
    digest: Digest,
    places: HashMap<PersonId, usize>,
    name_shared: Vec<bool>,
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
        let book = Book::new(roster);
        Self {
            standings: standings(&roll, &config),
            opened: was_opened(&book, &config, &records),
            config,
            book,
            subjects: Subjects::default(),
            pending: BTreeMap::new(),
            next_token: 1,
            owed: Owed::default(),
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

/// What follows from it.
impl Session {
    /// Whether a face calls this person. Whoever is to be called by code alone, and whoever is not
    /// on the roster, should not have been compared: that is a defect, and no name is said.
    fn decides(&mut self, first: &Ranked, threshold: Threshold) -> bool {
        let admissible = self.admits_face(&first.person) && first.score.reaches(threshold);
        if !admissible && !self.defect_owned_up {
            self.defect_owned_up = true;
            let what = Text::clipped("a face named a person whom it must not name at this door");
            let part = Part::Inference;
            self.owed.push(Body::Fault(Fault { part, what }));
        }
        admissible && self.config.face == FaceMode::Decides
    }

    fn admits_face(&self, person: &PersonId) -> bool {
        match self.book.entry(person).map(|entry| entry.attendance) {
            Some(Attendance::FaceOrCode) => true,
            Some(Attendance::CodeOnly) | None => false,
        }
    }

    /// Has a person called, unless they were, are being, or could not be a moment ago.
    fn call(&mut self, now: &Stamp, subject: &Subject, claim: Claim, out: &mut Vec<Command>) {
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
    fn passed(
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
    fn greet_again(
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

    fn greet(
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
        let greeting = Greeting {
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
    fn release(&mut self, now: Monotonic, of: Sequence, out: &mut Vec<Command>) {
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
    fn ask_second_means(
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
    fn refuse(
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
    fn not_recorded(
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

    fn tell_not_recorded(
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

    fn notify(
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

/// What time brings.
impl Session {
    /// A code that was not seen for a while was taken away; shown again, it is a new one.
    fn forget_gone_codes(&mut self, now: Monotonic) {
        let gone_after = self.config.timings.code_gone;
        let gone = self.subjects.filter(|subject, state| match subject {
            Subject::Code(..) | Subject::RefusedCode => now.since(state.seen) > gone_after,
            Subject::Track(_) => false,
        });
        for subject in gone {
            if let Some(state) = self.subjects.remove(&subject) {
                self.lose_failed(&state);
            }
        }
    }

    /// A door that did not answer in time is recorded as silent, and may be told to open again.
    fn give_up_silent_releases(&mut self, now: Monotonic) {
        let silent = self.releases.iter().filter(|(_, until)| **until <= now);
        let silent: Vec<Sequence> = silent.map(|(of, _)| *of).collect();
        for of in silent {
            self.releases.remove(&of);
            self.owe_outcome(of, Release::NoAnswer);
        }
    }

    fn catch_up(&mut self, now: &Stamp, out: &mut Vec<Command>) {
        self.retry_failed(now, out);
        self.tell_who_waits(now.monotonic, out);
        self.pay_owed(now, out);
        let subjects = &self.subjects;
        let is_there = |subject: &Subject| subjects.get(subject).is_some();
        self.showings
            .expire(now.monotonic, &self.config.timings, is_there);
    }

    fn retry_failed(&mut self, now: &Stamp, out: &mut Vec<Command>) {
        let due = self.subjects.filter(|_, state| match &state.settled {
            Settled::Failed { again_at, .. } => *again_at <= now.monotonic,
            Settled::Open | Settled::Waiting(_) | Settled::Called(_) | Settled::Told(_) => false,
        });
        for subject in due {
            let settled = self
                .subjects
                .get(&subject)
                .map(|state| state.settled.clone());
            if let Some(Settled::Failed { claim, .. }) = settled {
                self.call(now, &subject, claim, out);
            }
        }
    }

    fn tell_who_waits(&mut self, now: Monotonic, out: &mut Vec<Command>) {
        let slow = self.config.timings.append_slow;
        let mut waiting = Vec::new();
        for pending in self.pending.values_mut() {
            match pending {
                Pending::Passage(passage) if !passage.told => {
                    if now.since(passage.at.monotonic) >= slow {
                        passage.told = true;
                        waiting.push((passage.subject.clone(), passage.claim.person.clone()));
                    }
                }
                Pending::Passage(_) | Pending::Refusal | Pending::Owed(_) => {}
            }
        }
        for (subject, person) in waiting {
            if let Some((delegate, _)) = self.book.delegate(&person) {
                let kind = NoticeKind::StillRecording(delegate.clone());
                self.notify(now, &subject, kind, out);
            }
        }
    }

    /// Writes what is owed. While the ledger fails, one record at a time tries whether it still
    /// does.
    fn pay_owed(&mut self, now: &Stamp, out: &mut Vec<Command>) {
        let most = match self.trouble {
            Some(_) if now.monotonic < self.owed_again_at => 0,
            Some(_) => 1,
            None => {
                self.owed.own_up();
                OWED_PENDING_MAX
            }
        };
        let on_the_way = self.count_pending(|p| matches!(p, Pending::Owed(_)));
        for _ in on_the_way..most {
            let Some(body) = self.owed.pop() else {
                return;
            };
            self.append(now, Pending::Owed(body.clone()), body, out);
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
                person,
                substitute: None,
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

impl Book {
    fn new(roster: Roster) -> Self {
        let shared = roster.shared_names();
        let entries = roster.entries().iter();
        let name_shared = entries
            .map(|entry| shared.contains(entry.delegate.name.as_str()))
            .collect();
        let entries = roster.entries().iter().enumerate();
        let places = entries
            .map(|(place, entry)| (entry.delegate.person.clone(), place))
            .collect();
        Self {
            digest: roster_digest(&roster),
            places,
            name_shared,
            roster,
        }
    }

    fn entry(&self, person: &PersonId) -> Option<&RosterEntry> {
        let place = self.places.get(person)?;
        self.roster.entries().get(*place)
    }

    /// How to call a person, and whether another bears the same name.
    fn delegate(&self, person: &PersonId) -> Option<(&Delegate, bool)> {
        let place = *self.places.get(person)?;
        let entry = self.roster.entries().get(place)?;
        Some((&entry.delegate, self.name_shared.get(place) == Some(&true)))
    }
}

/// Where people stand by the roll so far. Of several stays of one person an open one counts, else
/// the last.
fn standings(roll: &Roll, config: &SessionConfig) -> BTreeMap<PersonId, Standing> {
    let mut standings: BTreeMap<PersonId, Standing> = BTreeMap::new();
    for interval in roll.rows.iter().flat_map(|row| &row.intervals) {
        let passage = interval.until.as_ref().unwrap_or(&interval.from);
        let record = &passage.record;
        let ours = record.device == config.device && record.epoch == config.epoch;
        let standing = Standing {
            inside: interval.until.is_none(),
            since: passage.at,
            of: ours.then_some(record.sequence),
            greeted: None,
        };
        let known = standings.get(&interval.person);
        if known.is_none_or(|known| standing.inside || !known.inside) {
            standings.insert(interval.person.clone(), standing);
        }
    }
    standings
}

/// Whether the newest word of this door's records is that the meeting was opened by this roster.
fn was_opened(book: &Book, config: &SessionConfig, records: &[&Record]) -> bool {
    let ours = |context: &Context| {
        context.meeting == book.roster.meeting().id
            && context.door == config.door
            && context.roster == book.digest
    };
    let mut records: Vec<&&Record> = records
        .iter()
        .filter(|record| record.device == config.device && record.epoch == config.epoch)
        .collect();
    records.sort_by_key(|record| record.sequence);
    records
        .iter()
        .fold(false, |opened, record| match &record.body {
            Body::MeetingOpened(MeetingOpened { context, .. }) if ours(context) => true,
            Body::MeetingClosed(MeetingClosed { context, .. }) if ours(context) => false,
            Body::MeetingOpened(_)
            | Body::MeetingClosed(_)
            | Body::CheckIn(_)
            | Body::CheckOut(_)
            | Body::Refused(_)
            | Body::ReleaseOutcome(_)
            | Body::Correction(_)
            | Body::ClockObservation(_)
            | Body::Fault(_)
            | Body::Loss(_)
            | Body::Unknown(_) => opened,
        })
}
