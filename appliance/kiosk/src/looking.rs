//! The inference thread: steps 2 and 3 of a frame, over and over. It takes the newest frame, tells
//! the loop what it showed, and leaves a small copy for the live picture.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};
use imaging::{Frame, Picture, Scaler};

use crate::capture::Shot;
use crate::event::{CameraEvent, Event, PartEvent};
use crate::mailbox::{Mailbox, Put};
use crate::perceive::{PerceiveError, Perceiver, Target};
use crate::trouble::chain;

/// Longest wait for a frame before commands are looked at again.
const WAIT: Duration = Duration::from_millis(100);

/// Longest side of the live picture in pixels; the screen shows it no larger.
const LIVE_SIDE_PX: u32 = 640;

/// Live pictures whose memory goes round: one being drawn, one waiting, one being made.
const LIVE_PICTURES: usize = 3;

/// The live picture and by how much it was scaled.
#[derive(Debug, Clone)]
pub struct Live {
    /// The picture.
    pub picture: Arc<Picture>,
    /// Its width over that of the camera's frame.
    pub scale: f32,
}

/// What the loop may ask of this thread.
#[derive(Debug)]
pub enum Aim {
    /// Compare with these from now on.
    At(Arc<Target>),
    /// Look at nothing.
    Nothing,
}

/// The inference thread and what it is connected to.
pub struct Looking {
    /// What sees.
    pub perceiver: Perceiver,
    /// Where frames come from.
    pub frames: Arc<Mailbox<Shot>>,
    /// Where looked-at frames go, for their memory.
    pub spares: Sender<Frame>,
    /// Whom to compare with.
    pub aims: Receiver<Aim>,
    /// Where live pictures go.
    pub live: Arc<Mailbox<Live>>,
    /// Where it tells what it saw.
    pub events: Sender<Event>,
}

impl Looking {
    /// Runs until the frames' mailbox is closed.
    pub fn run(mut self) {
        let mut pool = LivePool::default();
        let mut failing = false;
        while !self.frames.is_closed() {
            for aim in self.aims.try_iter() {
                match aim {
                    Aim::At(target) => self.perceiver.aim(Some(target)),
                    Aim::Nothing => self.perceiver.aim(None),
                }
            }
            match self.frames.take(WAIT) {
                Some(Shot::Frame(frame)) => {
                    let result = self.look(&frame, &mut pool);
                    failing = self.tell_failure(failing, result.err());
                    // A full pool of spares only means that the camera has memory enough.
                    let _ = self.spares.try_send(frame);
                }
                Some(Shot::End) => {
                    self.tell(Event::Camera(CameraEvent::Ended));
                    return;
                }
                None => {}
            }
        }
    }

    fn look(&mut self, frame: &Frame, pool: &mut LivePool) -> Result<(), PerceiveError> {
        self.perceiver.perceive(frame)?;
        let perceived = self.perceiver.decide(frame)?;
        if !perceived.faces.is_empty() {
            let live = pool.copy(&frame.picture)?;
            match self.live.put(live) {
                Put::Stored | Put::Replaced(_) | Put::Closed(_) => {}
            }
        }
        self.tell(Event::Perceived(perceived));
        Ok(())
    }

    /// Tells the beginning and the end of a row of failures, not each of them.
    fn tell_failure(&self, failing: bool, error: Option<PerceiveError>) -> bool {
        match (failing, error) {
            (false, Some(error)) => {
                self.tell(Event::Part(PartEvent::InferenceFailed(chain(&error))));
                true
            }
            (true, None) => {
                self.tell(Event::Part(PartEvent::InferenceWorks));
                false
            }
            (failing, _) => failing,
        }
    }

    fn tell(&self, event: Event) {
        // The receiver is gone only when the kiosk is stopping.
        let _ = self.events.send(event);
    }
}

/// Memory for live pictures that is used again once nobody shows it any more.
#[derive(Default)]
struct LivePool {
    pictures: Vec<Arc<Picture>>,
    scaler: Scaler,
}

impl LivePool {
    fn copy(&mut self, frame: &Picture) -> Result<Live, PerceiveError> {
        let (width, height) = imaging::bounded_size(frame.width(), frame.height(), LIVE_SIDE_PX);
        let free = self
            .pictures
            .iter_mut()
            .position(|picture| Arc::get_mut(picture).is_some());
        let at = match free {
            Some(at) => at,
            None => {
                if self.pictures.len() == LIVE_PICTURES {
                    self.pictures.remove(0);
                }
                self.pictures.push(Arc::new(Picture::new(width, height)?));
                self.pictures.len() - 1
            }
        };
        if let Some(picture) = Arc::get_mut(&mut self.pictures[at]) {
            picture.reshape(width, height)?;
            self.scaler.scale_into(frame, picture)?;
        }
        let scale = width as f32 / frame.width() as f32;
        Ok(Live {
            picture: Arc::clone(&self.pictures[at]),
            scale,
        })
    }
}
