//! Frame sources: a V4L2 camera, recordings, and scripts for tests, all behind one trait.
//!
//! A shell: it opens devices, files and child processes, waits, and hands out frames. It decides
//! nothing about faces, never keeps a frame, and never writes one anywhere. Every wait is bounded
//! by the caller, so that a camera that hangs does not hang the kiosk.

pub mod clock;
pub mod error;
pub mod ffmpeg;
pub mod folder;
pub mod link;
mod mjpeg;
pub mod pace;
pub mod ppm;
pub mod reconnect;
pub mod recorded;
pub mod scripted;
pub mod v4l2;

use std::time::Duration;

use imaging::{Frame, Picture};
use vocabulary::Monotonic;

pub use clock::{Clock, MonotonicClock, VirtualClock};
pub use error::CameraError;
pub use ffmpeg::{StreamLink, VideoFile, VideoOptions, VideoStream};
pub use folder::{Folder, FolderOptions};
pub use link::{Link, Read, Reconnecting};
pub use pace::{Fps, Pace};
pub use recorded::{Recorded, Shot};
pub use scripted::{Scripted, ScriptedLink, Step};
pub use v4l2::{Camera, DeviceLink, Encoding, Found, Identity, Mode, Which, Wish};

/// What came of asking a source for its next frame.
#[derive(Debug)]
pub enum Next {
    /// There is a new frame.
    Frame,
    /// There is a new frame, the first one after the loss that was reported before.
    Recovered,
    /// Nothing came within the wait. Ask again.
    NotYet,
    /// One picture could not be used; the error names it. The source goes on.
    Skipped(CameraError),
    /// The camera is lost: unplugged, or silent for too long. Said once per loss; the source keeps
    /// trying by itself, and answers [`Next::NotYet`] until it can say [`Next::Recovered`].
    Lost(CameraError),
    /// The recording is over; there is no more.
    Ended,
}

impl Next {
    /// Whether the frame passed in now holds a new picture.
    #[must_use]
    pub fn is_frame(&self) -> bool {
        match self {
            Self::Frame | Self::Recovered => true,
            Self::NotYet | Self::Skipped(_) | Self::Lost(_) | Self::Ended => false,
        }
    }
}

/// Where frames come from.
pub trait FrameSource: Send {
    /// Waits at most `wait` for the next frame and puts it into `into`, whose memory is reused.
    ///
    /// `into` holds a frame only when the answer says so; otherwise its pixels are unspecified.
    ///
    /// # Errors
    /// [`CameraError`] when the source can never give another frame; what heals by itself is told
    /// as [`Next::Lost`] or [`Next::Skipped`] instead.
    fn next_frame(&mut self, into: &mut Frame, wait: Duration) -> Result<Next, CameraError>;
}

impl<S: FrameSource + ?Sized> FrameSource for Box<S> {
    fn next_frame(&mut self, into: &mut Frame, wait: Duration) -> Result<Next, CameraError> {
        (**self).next_frame(into, wait)
    }
}

/// A one-pixel frame to begin with: the first picture gives it its size.
///
/// # Errors
/// None in practice; the size is valid. The result is passed on so that nothing here can panic.
pub fn empty_frame() -> Result<Frame, imaging::SizeError> {
    Ok(Frame {
        picture: Picture::new(1, 1)?,
        captured_at: Monotonic::default(),
        number: 0,
    })
}
