//! What a fate other than success means to whatever activity it met: which trouble to show, how
//! long to wait, and what the whole daemon must know of it.

use std::time::Duration;

use vocabulary::Monotonic;
use wire::device::StoreId;

use crate::backoff::{Backoff, Chance};
use crate::call::{Call, Request, RequestId};
use crate::event::{Command, Now};
use crate::fate::{Fate, Later, Stop, TransportError};
use crate::status::Trouble;

/// How long an answer is waited for before it counts as lost. Longer than any shell's own limit, so
/// that it matters only when the shell lost it.
pub(crate) const ANSWER_WAIT_MAX: Duration = Duration::from_secs(300);

/// What one activity has to tell the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upshot {
    /// Nothing.
    Nothing,
    /// The hub answered as it should.
    Contact,
    /// It answered, and named its store.
    Store(StoreId),
    /// The certificate must be renewed first.
    Renew,
    /// The hub does not want this device.
    Stopped(Stop),
    /// There is a new certificate.
    Renewed,
}

/// A fate that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setback {
    /// What to show.
    pub(crate) trouble: Trouble,
    /// How long the hub asked to wait.
    pub(crate) after: Option<Duration>,
    /// What the others must know.
    pub(crate) upshot: Upshot,
    /// Whether the answer was too long in coming.
    pub(crate) timed_out: bool,
}

impl Setback {
    /// A trouble that concerns one activity alone.
    pub(crate) fn new(trouble: Trouble) -> Self {
        Self {
            trouble,
            after: None,
            upshot: Upshot::Nothing,
            timed_out: false,
        }
    }

    /// An answer that never came.
    pub(crate) fn lost() -> Self {
        Self::of(
            "",
            &Fate::<()>::TryLater {
                why: Later::Transport(TransportError::TimedOut),
                after: None,
            },
        )
    }

    /// What a fate means that the activity does not take as a success or treat by itself.
    pub(crate) fn of<T>(operation: &'static str, fate: &Fate<T>) -> Self {
        let mut setback = Self::new(Trouble::Garbled);
        match fate {
            Fate::TryLater { why, after } => {
                setback.trouble = Trouble::NoContact(*why);
                setback.after = *after;
                setback.timed_out = *why == Later::Transport(TransportError::TimedOut);
            }
            Fate::Renew => {
                setback.trouble = Trouble::CertificateExpired;
                setback.upshot = Upshot::Renew;
            }
            Fate::Stopped(stop) => {
                setback.trouble = Trouble::Stopped(*stop);
                setback.upshot = Upshot::Stopped(*stop);
            }
            Fate::Untrusted => setback.trouble = Trouble::Untrusted,
            Fate::OurFault { status, .. } => {
                setback.trouble = Trouble::NotUnderstood(operation, *status);
            }
            // A batch that is not taken, and a success where none was expected, are for the
            // activity to treat; to the others both mean that the two sides do not agree.
            Fate::NotTaken(_) => setback.trouble = Trouble::NotUnderstood(operation, 400),
            Fate::NotThere => setback.trouble = Trouble::NotUnderstood(operation, 404),
            Fate::Accepted(_) | Fate::NotModified | Fate::Garbage(_) => {}
        }
        setback
    }
}

/// Failures of one activity, and what to show of the last one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Failures {
    backoff: Backoff,
    pub(crate) trouble: Option<Trouble>,
}

impl Failures {
    /// Counts one and says until when to wait.
    pub(crate) fn count<C>(&mut self, setback: &Setback, turn: &mut Turn<'_, C>) -> Monotonic {
        self.trouble = Some(setback.trouble.clone());
        let wait = self.backoff.fail(setback.after, turn.chance);
        turn.after(wait)
    }

    /// Forgets them.
    pub(crate) fn succeed(&mut self) {
        self.backoff.succeed();
        self.trouble = None;
    }
}

/// What an activity needs to take its turn, and where its commands go.
pub(crate) struct Turn<'a, C = Command> {
    pub(crate) now: Now,
    pub(crate) out: &'a mut Vec<C>,
    pub(crate) last_id: &'a mut u64,
    pub(crate) chance: &'a mut Chance,
}

impl Turn<'_> {
    pub(crate) fn read_ledger(&mut self, after: u64, limit: usize) -> RequestId {
        let id = self.id();
        self.out.push(Command::ReadLedger { id, after, limit });
        id
    }
}

impl<C> Turn<'_, C> {
    pub(crate) fn send(&mut self, call: Call) -> RequestId
    where
        C: From<Request>,
    {
        let id = self.id();
        self.out.push(Request { id, call }.into());
        id
    }

    pub(crate) fn after(&self, wait: Duration) -> Monotonic {
        self.now.monotonic.saturating_add(wait)
    }

    pub(crate) fn is_due(&self, at: Monotonic) -> bool {
        at <= self.now.monotonic
    }

    fn id(&mut self) -> RequestId {
        *self.last_id += 1;
        RequestId(*self.last_id)
    }
}
