//! What is to be seen on the screen because of what happened, and for how long.

use vocabulary::Monotonic;

use crate::config::{SHOWING_MAX, Timings};
use crate::port::{Greeting, Notice, NoticeKind};
use crate::subject::Subject;

/// Something to show.
#[derive(Debug, Clone, PartialEq)]
pub struct Showing {
    /// What.
    pub what: Shown,
    /// Since when.
    pub since: Monotonic,
    subject: Subject,
    until: Monotonic,
}

/// A greeting or a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Somebody is greeted.
    Greeting(Greeting),
    /// Somebody is told something.
    Notice(Notice),
}

/// All that is shown, oldest first: at most [`SHOWING_MAX`], one for each subject.
#[derive(Debug, Clone, Default)]
pub(crate) struct Showings(Vec<Showing>);

impl Showings {
    pub(crate) fn as_slice(&self) -> &[Showing] {
        &self.0
    }

    /// Shows a greeting, in place of whatever the subject was told before.
    pub(crate) fn greet(
        &mut self,
        now: Monotonic,
        timings: &Timings,
        subject: &Subject,
        greeting: Greeting,
    ) {
        let until = now.saturating_add(timings.greeting);
        self.put(now, until, subject, Shown::Greeting(greeting));
    }

    /// Shows a notice, in place of what the subject was told before; the very notice that the
    /// subject sees already is only kept up. Returns it when it is new.
    pub(crate) fn notify(
        &mut self,
        now: Monotonic,
        timings: &Timings,
        subject: &Subject,
        kind: NoticeKind,
    ) -> Option<Notice> {
        let until = now.saturating_add(timings.notice);
        let track = subject.track();
        let notice = Notice { kind, track };
        let old = self
            .0
            .iter_mut()
            .find(|showing| showing.subject == *subject);
        if let Some(old) = old
            && old.what == Shown::Notice(notice.clone())
        {
            old.until = until;
            return None;
        }
        self.put(now, until, subject, Shown::Notice(notice.clone()));
        Some(notice)
    }

    pub(crate) fn remove(&mut self, subject: &Subject) {
        self.0.retain(|showing| showing.subject != *subject);
    }

    /// Takes away what was shown long enough. A notice stays while the one it is for does, up to
    /// its longest time: whoever reads slowly must not see it vanish.
    pub(crate) fn expire(
        &mut self,
        now: Monotonic,
        timings: &Timings,
        is_there: impl Fn(&Subject) -> bool,
    ) {
        self.0.retain(|showing| {
            let longest = showing.since.saturating_add(timings.notice_max);
            let held = match showing.what {
                Shown::Notice(_) => is_there(&showing.subject),
                Shown::Greeting(_) => false,
            };
            now < showing.until || (held && now < longest)
        });
    }

    fn put(&mut self, since: Monotonic, until: Monotonic, subject: &Subject, what: Shown) {
        self.remove(subject);
        if self.0.len() == SHOWING_MAX {
            self.0.remove(0);
        }
        self.0.push(Showing {
            what,
            since,
            subject: subject.clone(),
            until,
        });
    }
}
