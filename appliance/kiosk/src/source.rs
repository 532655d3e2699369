//! Opens what frames come from: the camera, a network stream, a folder of pictures, or a video.

use std::path::Path;
use std::sync::Arc;

use camera::{
    Camera, CameraError, Folder, FolderOptions, Fps, FrameSource, MonotonicClock, Pace, VideoFile,
    VideoOptions, VideoStream, VirtualClock, Which, Wish,
};
use screen::TroubleKind;

use crate::config;
use crate::trouble::Trouble;

/// Opens the camera that the configuration names. It has to be there at the start; later it may
/// come and go.
///
/// # Errors
/// A trouble that the screen can show: no camera, or not one that can be used.
pub fn open_camera(config: &config::Camera) -> Result<Box<dyn FrameSource>, Trouble> {
    camera(config).map_err(|error| {
        let mut trouble = Trouble::new(TroubleKind::CameraLost, &error);
        // Where the system has none at all, the error does not know which one was asked for.
        if matches!(error, CameraError::NoCamera) && config.device != "auto" {
            trouble.detail = format!("camera.device {:?}: {}", config.device, trouble.detail);
        }
        trouble
    })
}

fn camera(config: &config::Camera) -> Result<Box<dyn FrameSource>, CameraError> {
    let clock = Arc::new(MonotonicClock);
    let fps = config.frames_per_second;
    match Which::parse(&config.device) {
        Some(which) => {
            let wish = Wish {
                width: config.width_px,
                height: config.height_px,
                fps,
            };
            Ok(Box::new(Camera::present(which, wish, clock)?))
        }
        None => Ok(Box::new(VideoStream::connect(
            &config.device,
            Fps::new(f64::from(fps))?,
            clock,
        )?)),
    }
}

/// Opens a recording: a folder of pictures, or a video file. Its clock is its own: frames are
/// stamped as they were recorded and come as fast as they are looked at.
///
/// # Errors
/// A trouble that says what is wrong with the recording.
pub fn open_recording(path: &Path, fps: u32) -> Result<Box<dyn FrameSource>, Trouble> {
    recording(path, fps).map_err(|error| Trouble::new(TroubleKind::CameraLost, &error))
}

fn recording(path: &Path, fps: u32) -> Result<Box<dyn FrameSource>, CameraError> {
    let clock = Arc::new(VirtualClock::default());
    let (fps, pace) = (Fps::new(f64::from(fps))?, Pace::AtOnce);
    if path.is_dir() {
        let options = FolderOptions {
            pace,
            ..FolderOptions::at(fps)
        };
        Ok(Box::new(Folder::open(path, options, clock)?))
    } else {
        let options = VideoOptions {
            fps,
            looped: false,
            pace,
        };
        Ok(Box::new(VideoFile::open(path, options, clock)?))
    }
}
