//! Pictures from memory played as a camera: for replays and demonstrations.
//!
//! It never reads a file; whoever makes the pictures decides where they come from.

use std::sync::Arc;
use std::time::Duration;

use imaging::{Frame, Picture};

use crate::clock::Clock;
use crate::error::CameraError;
use crate::pace::{Pace, Schedule};
use crate::{FrameSource, Next};

/// A picture and how long it lasts until the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shot {
    /// The picture.
    pub picture: Picture,
    /// How long until the next one.
    pub lasts: Duration,
}

/// Plays shots from an iterator; each is made only when it is due.
pub struct Recorded<I> {
    shots: I,
    schedule: Schedule,
    number: u64,
}

impl<I: Iterator<Item = Shot> + Send> Recorded<I> {
    /// Plays `shots` once, at `pace`, stamped by `clock`.
    pub fn new(shots: impl IntoIterator<IntoIter = I>, pace: Pace, clock: Arc<dyn Clock>) -> Self {
        Self {
            shots: shots.into_iter(),
            schedule: Schedule::new(clock, pace),
            number: 0,
        }
    }
}

impl<I: Iterator<Item = Shot> + Send> FrameSource for Recorded<I> {
    fn next_frame(&mut self, into: &mut Frame, wait: Duration) -> Result<Next, CameraError> {
        let Some(captured_at) = self.schedule.due_within(wait) else {
            return Ok(Next::NotYet);
        };
        let Some(shot) = self.shots.next() else {
            return Ok(Next::Ended);
        };
        *into = Frame {
            picture: shot.picture,
            captured_at,
            number: self.number,
        };
        self.number += 1;
        self.schedule.shown_for(shot.lasts);
        Ok(Next::Frame)
    }
}

#[cfg(test)]
mod tests {
    use vocabulary::Monotonic;

    use super::*;
    use crate::clock::VirtualClock;
    use crate::empty_frame;

    #[test]
    fn shots_come_when_they_are_due_and_then_end() {
        let shot = |grey: u8, millis: u64| Shot {
            picture: Picture::from_rgb(1, 1, vec![grey; 3]).unwrap(),
            lasts: Duration::from_millis(millis),
        };
        let clock = Arc::new(VirtualClock::default());
        let mut source = Recorded::new([shot(1, 40), shot(2, 200)], Pace::RealTime, clock);
        let mut frame = empty_frame().unwrap();
        let wait = Duration::from_millis(100);
        let mut log = Vec::new();
        for _ in 0..5 {
            let next = source.next_frame(&mut frame, wait).unwrap();
            log.push(match next {
                Next::Frame => (frame.picture.rgb()[0], frame.captured_at.as_millis()),
                Next::NotYet => (0, 0),
                Next::Ended => (255, 0),
                other => panic!("{other:?}"),
            });
        }
        assert_eq!(log, [(1, 0), (2, 40), (0, 0), (255, 0), (255, 0)]);
        assert_eq!(frame.number, 1);
        assert!(frame.captured_at < Monotonic::from_millis(41));
    }
}
