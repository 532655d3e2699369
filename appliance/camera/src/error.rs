//! What can go wrong with a source of frames, each with the way out.

use std::io;
use std::path::PathBuf;

use imaging::{DecodeError, JpegError, SizeError, YuyvError};

use crate::folder::FOLDER_FILES_MAX;
use crate::pace::{FPS_MAX, FPS_MIN};

/// Why there is no frame, or no source.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// No camera is connected.
    #[error(
        "no camera is connected: the system lists no video device; plug the camera in (another \
         port, another cable), or name another frame source in the configuration"
    )]
    NoCamera,
    /// There are video devices, but none that gives pictures in a format that is understood.
    #[error(
        "no usable camera among {found}: a camera has to give MJPEG or YUYV; plug in a USB (UVC) \
         camera, or name another frame source in the configuration"
    )]
    NoUsableCamera {
        /// The devices looked at.
        found: String,
    },
    /// The camera named in the configuration is not there.
    #[error(
        "the camera {wanted} is not connected; connected are: {found}. Plug it in, or correct the \
         camera's name in the configuration"
    )]
    NotFound {
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// The device may not be opened.
    #[error(
        "no permission to open the camera {path}; add the account that runs this to the group \
         \"video\" and start again"
    )]
    Permission {
        /// The device.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// Another program uses the device.
    #[error("the camera {path} is in use by another program; end that program")]
    Busy {
        /// The device.
        path: PathBuf,
    },
    /// The device could not be opened or set up.
    #[error("the camera {path} could not be {step}; unplug it and plug it in again")]
    Device {
        /// The device.
        path: PathBuf,
        /// What was being done, such as "opened", "started" or "read".
        step: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The driver or its binding broke down in a way that it should not.
    #[error("the driver of the camera {path} broke down ({what}); unplug it and plug it in again")]
    Driver {
        /// The device.
        path: PathBuf,
        /// What it said.
        what: String,
    },
    /// The camera was there and is gone.
    #[error("the camera {path} was unplugged or switched off; plug it in again")]
    Unplugged {
        /// The device.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The camera is there but gives no frames.
    #[error("the camera has given no frame for {silent_ms} ms; it is being opened anew")]
    Silent {
        /// For how long, in milliseconds.
        silent_ms: u64,
    },
    /// Opening takes so long that the camera counts as lost.
    #[error("the camera has been opening for {opening_ms} ms without an answer")]
    SlowToOpen {
        /// For how long, in milliseconds.
        opening_ms: u64,
    },
    /// Too many frames in a row could not be decoded.
    #[error("{count} frames in a row could not be decoded; the camera is being opened anew")]
    OnlyGarbage {
        /// How many.
        count: u32,
        /// What was wrong with the last one.
        #[source]
        source: Box<CameraError>,
    },
    /// A compressed frame is broken. Cameras send some; only many in a row mean anything.
    #[error("a frame could not be decoded and is left out")]
    BrokenJpeg(#[source] JpegError),
    /// An uncompressed frame is broken.
    #[error("a frame could not be read and is left out")]
    BrokenYuyv(#[source] YuyvError),
    /// The driver marked a frame as corrupted.
    #[error("the camera marked a frame as corrupted; it is left out")]
    MarkedBroken,
    /// A scripted loss; only tests meet it.
    #[error("the scripted camera is unplugged")]
    Scripted,
    /// A rate of frames that makes no sense.
    #[error("{0} frames a second is no usable rate; choose from {FPS_MIN} to {FPS_MAX}")]
    Fps(f64),
    /// A frame would have an unusable size.
    #[error("the source has no usable size")]
    Size(#[source] SizeError),
    /// The folder cannot be listed.
    #[error("the folder {path} cannot be read; check its name and its permissions")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The folder holds no pictures.
    #[error(
        "the folder {path} holds no pictures ({others} other files); put JPEG, PNG, GIF, BMP or \
         WebP files into it"
    )]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// How many entries are not pictures.
        others: usize,
    },
    /// The folder holds too many pictures.
    #[error("the folder {path} holds more than {FOLDER_FILES_MAX} pictures; split it")]
    FolderTooLarge {
        /// The folder.
        path: PathBuf,
    },
    /// None of the folder's pictures could be decoded.
    #[error("not one of the {count} pictures in {path} could be decoded; look at the last error")]
    OnlyBrokenPictures {
        /// The folder.
        path: PathBuf,
        /// How many were tried.
        count: usize,
        /// What was wrong with the last one.
        #[source]
        source: Box<CameraError>,
    },
    /// A file cannot be read.
    #[error("the file {path} cannot be read; check its name and its permissions")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// A file is too large to be a picture.
    #[error("the picture {path} has {bytes} bytes, at most {bytes_max} are read; shrink it")]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// A file is no picture.
    #[error("the picture {path} could not be decoded and is left out; save it anew as JPEG or PNG")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: DecodeError,
    },
    /// ffmpeg is not installed.
    #[error(
        "ffmpeg is needed to play {what} and is not installed; run \"apt-get install ffmpeg\" (as \
         root), or play a folder of pictures instead"
    )]
    NoFfmpeg {
        /// What was to be played.
        what: String,
    },
    /// ffmpeg could not be started or read.
    #[error("ffmpeg could not be {step} to play {what}")]
    FfmpegPipe {
        /// What was to be played.
        what: String,
        /// What was being done: "started" or "read".
        step: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// ffmpeg gave up.
    #[error("{what} could not be played to its end; ffmpeg says: {said}")]
    Ffmpeg {
        /// What was to be played.
        what: String,
        /// The end of what it wrote.
        said: String,
    },
    /// ffmpeg ended well without a single frame.
    #[error("{what} holds no picture; choose a file with a video track")]
    NoFrames {
        /// What was to be played.
        what: String,
    },
    /// What came through the pipe is not what was asked for.
    #[error("ffmpeg sent something that is no picture while playing {what}")]
    FfmpegOutput {
        /// What was to be played.
        what: String,
        /// What is wrong with it.
        #[source]
        source: crate::ppm::PpmError,
    },
    /// A stream's address is of a kind that is not played.
    #[error(
        "the stream address {0} cannot be played; it has to begin with http://, https:// or \
         rtsp:// and have no spaces or control characters"
    )]
    Address(String),
}
