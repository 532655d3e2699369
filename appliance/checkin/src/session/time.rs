//! What time brings: things end, are tried again, or take too long.

use record::Release;
use vocabulary::{Monotonic, Sequence, Stamp};

use super::{Pending, Session};
use crate::config::OWED_PENDING_MAX;
use crate::port::{Command, NoticeKind};
use crate::subject::{Settled, Subject};

impl Session {
    /// A code that was not seen for a while was taken away; shown again, it is a new one.
    pub(super) fn forget_gone_codes(&mut self, now: Monotonic) {
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
    pub(super) fn give_up_silent_releases(&mut self, now: Monotonic) {
        let silent = self.releases.iter().filter(|(_, until)| **until <= now);
        let silent: Vec<Sequence> = silent.map(|(of, _)| *of).collect();
        for of in silent {
            self.releases.remove(&of);
            self.owe_outcome(of, Release::NoAnswer);
        }
    }

    pub(super) fn catch_up(&mut self, now: &Stamp, out: &mut Vec<Command>) {
        self.retry_failed(now, out);
        self.tell_who_waits(now.monotonic, out);
        self.pay_owed(now, out);
        let subjects = &self.subjects;
        let is_there = |subject: &Subject| subjects.get(subject).is_some();
        self.showings
            .expire(now.monotonic, &self.config.timings, is_there);
    }

    pub(super) fn retry_failed(&mut self, now: &Stamp, out: &mut Vec<Command>) {
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

    pub(super) fn tell_who_waits(&mut self, now: Monotonic, out: &mut Vec<Command>) {
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
    pub(super) fn pay_owed(&mut self, now: &Stamp, out: &mut Vec<Command>) {
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
