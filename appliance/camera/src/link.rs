//! The shell that obeys [`crate::reconnect`]: one camera that comes back by itself.
//!
//! What a camera is, a [`Link`] says: the V4L2 device, a network stream, or a script. The shell
//! never decides when to give up or to try again; that is the state machine's.

use std::sync::Arc;
use std::time::Duration;

use imaging::{Frame, Picture};

use crate::clock::Clock;
use crate::error::CameraError;
use crate::reconnect::{Action, Event, Loss, Patience, Reconnect, Report};
use crate::{FrameSource, Next};

/// Most steps of the state machine in one call. Opening, failing and pausing take three; the rest
/// is for links that answer sooner than they were asked to.
const STEPS_MAX: u32 = 32;

/// What came of reading from an open link.
#[derive(Debug)]
pub enum Read {
    /// A frame; `dropped` came before it and were not handed out.
    Frame {
        /// Frames that the device took and nobody got.
        dropped: u64,
    },
    /// Nothing within the wait.
    Nothing,
    /// A frame that cannot be used.
    Garbage(CameraError),
    /// The link is broken and has to be opened anew.
    Broken(CameraError),
    /// The recording behind the link is over.
    Ended,
}

/// A thing that is opened, read and lost.
pub trait Link: Send {
    /// Begins to open; returns at once.
    fn start_open(&mut self);

    /// Waits at most `wait` for the opening to end; none while it goes on.
    fn poll_open(&mut self, wait: Duration) -> Option<Result<(), CameraError>>;

    /// Waits at most `wait` for a picture.
    fn read(&mut self, into: &mut Picture, wait: Duration) -> Read;

    /// Closes, or lets go of what cannot be closed; returns at once.
    fn close(&mut self);
}

/// A link that comes back by itself.
pub struct Reconnecting<L: Link> {
    link: L,
    clock: Arc<dyn Clock>,
    machine: Reconnect,
    number: u64,
}

impl<L: Link> Reconnecting<L> {
    /// A camera that has to be there now: opens it and waits for that at most
    /// [`Patience::opening_max`].
    ///
    /// # Errors
    /// What the link says when it cannot be opened, [`CameraError::SlowToOpen`] when it takes too
    /// long.
    pub fn open(
        mut link: L,
        patience: Patience,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CameraError> {
        link.start_open();
        let Some(opened) = link.poll_open(patience.opening_max) else {
            let opening_ms = millis(patience.opening_max);
            return Err(CameraError::SlowToOpen { opening_ms });
        };
        opened?;
        let machine = Reconnect::opened(patience, clock.now());
        Ok(Self {
            link,
            clock,
            machine,
            number: 0,
        })
    }

    /// A camera that may come later: it is opened at the first call for a frame, and a failure is
    /// told as a loss.
    pub fn waiting(link: L, patience: Patience, clock: Arc<dyn Clock>) -> Self {
        let machine = Reconnect::closed(patience, clock.now());
        Self {
            link,
            clock,
            machine,
            number: 0,
        }
    }

    /// The link, to ask it what it is connected to.
    pub fn link(&self) -> &L {
        &self.link
    }

    /// One step: does what the machine says and tells it what happened.
    fn step(&mut self, into: &mut Frame, left: Duration) -> Result<Option<Next>, CameraError> {
        let (event, problem) = match self.machine.action(self.clock.now()) {
            Action::Pause(pause) => {
                self.clock.sleep(pause.min(left));
                return Ok(None);
            }
            Action::Open => {
                self.link.start_open();
                (Event::OpeningBegan, None)
            }
            Action::AwaitOpen => match self.link.poll_open(left) {
                None => (Event::Nothing, None),
                Some(Ok(())) => (Event::Opened, None),
                Some(Err(error)) => {
                    tracing::debug!(error = &error as &dyn std::error::Error, "not opened");
                    (Event::OpenFailed, Some(error))
                }
            },
            Action::Read => match self.link.read(&mut into.picture, left) {
                Read::Frame { dropped } => {
                    self.number = self.number.saturating_add(dropped);
                    into.captured_at = self.clock.now();
                    into.number = self.number;
                    self.number = self.number.saturating_add(1);
                    (Event::Frame, None)
                }
                Read::Nothing => (Event::Nothing, None),
                Read::Garbage(error) => (Event::Garbage, Some(error)),
                Read::Broken(error) => (Event::Broken, Some(error)),
                Read::Ended => return Ok(Some(Next::Ended)),
            },
        };
        Ok(self.react(event, problem))
    }

    fn react(&mut self, event: Event, problem: Option<CameraError>) -> Option<Next> {
        let reaction = self.machine.handle(self.clock.now(), event);
        if reaction.close {
            self.link.close();
        }
        match (reaction.report, event) {
            (Some(Report::Lost(loss)), _) => Some(Next::Lost(explain(loss, problem))),
            (Some(Report::Recovered), _) => Some(Next::Recovered),
            (None, Event::Frame) => Some(Next::Frame),
            (None, Event::Garbage) => problem.map(Next::Skipped),
            (None, Event::OpeningBegan | Event::Opened | Event::OpenFailed) => None,
            (None, Event::Nothing | Event::Broken) => None,
        }
    }
}

/// The error that tells of a loss; what the link said is its cause.
fn explain(loss: Loss, problem: Option<CameraError>) -> CameraError {
    match (loss, problem) {
        (Loss::OnlyGarbage(count), Some(last)) => CameraError::OnlyGarbage {
            count,
            source: Box::new(last),
        },
        (Loss::Silent(silent), _) => CameraError::Silent {
            silent_ms: millis(silent),
        },
        (Loss::SlowToOpen(waited), _) => CameraError::SlowToOpen {
            opening_ms: millis(waited),
        },
        (Loss::OpenFailed | Loss::Broken, Some(problem)) => problem,
        // A link that fails says why, so this is never reached; the words are still true.
        (Loss::OpenFailed | Loss::Broken | Loss::OnlyGarbage(_), None) => CameraError::NoCamera,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl<L: Link> FrameSource for Reconnecting<L> {
    fn next_frame(&mut self, into: &mut Frame, wait: Duration) -> Result<Next, CameraError> {
        let deadline = self.clock.now().saturating_add(wait);
        for _ in 0..STEPS_MAX {
            let left = deadline.since(self.clock.now());
            if let Some(next) = self.step(into, left)? {
                return Ok(next);
            }
            if self.clock.now() >= deadline {
                break;
            }
        }
        Ok(Next::NotYet)
    }
}

impl<L: Link> Drop for Reconnecting<L> {
    fn drop(&mut self) {
        self.link.close();
    }
}
