//! The camera thread: step 1 of a frame. It stamps what the source gives and leaves it where the
//! newest wins. It never looks at a picture and never waits for anybody but the source.

use std::sync::Arc;
use std::time::Duration;

use camera::{CameraError, FrameSource, Next};
use crossbeam_channel::{Receiver, Sender};
use imaging::Frame;

use crate::clock::Clock;
use crate::event::{CameraEvent, Event};
use crate::mailbox::{Mailbox, Put};
use crate::trouble::chain;

/// Longest wait for a frame; also the longest that a stop can take here.
const WAIT: Duration = Duration::from_millis(200);

/// What lies in the frames' mailbox.
#[derive(Debug)]
pub enum Shot {
    /// A frame to look at.
    Frame(Frame),
    /// The recording is over.
    End,
}

/// How frames are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handover {
    /// The newest wins, as at a door.
    Newest,
    /// Every frame is looked at, as a recording wants it.
    Every,
}

/// The camera thread and what it is connected to.
pub struct Capture {
    /// Where frames come from.
    pub source: Box<dyn FrameSource>,
    /// What stamps them.
    pub clock: Arc<dyn Clock>,
    /// How frames are handed over.
    pub handover: Handover,
    /// Where frames go.
    pub frames: Arc<Mailbox<Shot>>,
    /// Frames that have been looked at, for their memory.
    pub spares: Receiver<Frame>,
    /// Where losses are told.
    pub events: Sender<Event>,
}

impl Capture {
    /// Runs until the mailbox is closed or the source ends.
    pub fn run(mut self) {
        let mut spare = None;
        while !self.frames.is_closed() {
            let mut frame = match spare.take().or_else(|| self.spares.try_recv().ok()) {
                Some(frame) => frame,
                None => match camera::empty_frame() {
                    Ok(frame) => frame,
                    Err(error) => return self.tell(CameraEvent::Failed(chain(&error))),
                },
            };
            match self.capture(&mut frame) {
                Ok(Next::Frame) => spare = self.hand_over(frame),
                Ok(Next::Recovered) => {
                    self.tell(CameraEvent::Back);
                    spare = self.hand_over(frame);
                }
                Ok(Next::NotYet) => spare = Some(frame),
                // Not why: the reason names the file, and files are named after people.
                Ok(Next::Skipped(_)) => {
                    tracing::warn!(
                        after = frame.number,
                        "a picture cannot be used and is skipped"
                    );
                    spare = Some(frame);
                }
                Ok(Next::Lost(error)) => {
                    self.tell(CameraEvent::Lost(chain(&error)));
                    spare = Some(frame);
                }
                Ok(Next::Ended) => {
                    self.frames.put_when_free(Shot::End);
                    return;
                }
                Err(error) => return self.tell(CameraEvent::Failed(chain(&error))),
            }
        }
    }

    /// Step 1 of a frame: takes it from the source and stamps it with the kiosk's own clock, which
    /// in a recording is moved by the frame.
    fn capture(&mut self, frame: &mut Frame) -> Result<Next, CameraError> {
        let next = self.source.next_frame(frame, WAIT)?;
        if next.is_frame() {
            self.clock.frame_taken(frame.captured_at);
            frame.captured_at = self.clock.now().monotonic;
        }
        Ok(next)
    }

    /// Leaves a frame in the mailbox; gives back memory that came free.
    fn hand_over(&self, frame: Frame) -> Option<Frame> {
        let shot = Shot::Frame(frame);
        let put = match self.handover {
            Handover::Newest => self.frames.put(shot),
            Handover::Every => self.frames.put_when_free(shot),
        };
        match put {
            Put::Stored => None,
            Put::Replaced(Shot::Frame(frame)) | Put::Closed(Shot::Frame(frame)) => Some(frame),
            Put::Replaced(Shot::End) | Put::Closed(Shot::End) => None,
        }
    }

    /// Waits when the queue is full: the loop then stands still, and so may the camera.
    fn tell(&self, event: CameraEvent) {
        // The receiver is gone only when the kiosk is stopping, and then nobody needs to know.
        let _ = self.events.send(Event::Camera(event));
    }
}
