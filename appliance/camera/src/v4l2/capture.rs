//! One open device: the format settled by nokhwa, the frames streamed with bounded waits.
//!
//! nokhwa knows cameras and their formats. Its own stream waits for a frame without end, so that a
//! hanging camera would hang the kiosk, and hands out whole buffers without the length of the
//! frame in them. The stream is therefore run here, on the very binding that nokhwa stands on.
//! Both panic on devices that break their expectations; the caller catches that.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use imaging::{Picture, yuyv_into};
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType,
    Resolution,
};
use rustix::io::Errno;
use v4l::buffer::{Flags, Metadata, Type};
use v4l::capability::Flags as Capability;
use v4l::device::{Device, Handle};
use v4l::io::mmap::Stream as MappedStream;
use v4l::io::traits::{CaptureStream, Stream as _};
use v4l::video::Capture as _;
use v4l::video::capture::Parameters;
use v4l::{Format, FourCC};

use super::find::Found;
use super::mode::{Encoding, Mode, Wish, rank};
use crate::error::CameraError;
use crate::link::Read;
use crate::mjpeg::MotionJpeg;

/// Buffers that the driver fills in turn. Drivers need up to four to start; one is always ours.
const BUFFERS: u32 = 6;

/// Modes that are tried at most before the driver's own choice is taken.
const MODES_TRIED_MAX: usize = 8;

/// A jump of the driver's frame counter beyond this is a restart, not a loss of frames.
const DROPPED_MAX: u32 = 1_000;

/// How long taking a buffer may take that the driver has just called ready.
const READY_MAX: Duration = Duration::from_millis(100);

/// `POLLIN` of poll(2), as the binding wants it.
const POLL_IN: i16 = 1;

/// An open, streaming camera.
pub(crate) struct Capture {
    stream: MappedStream<'static>,
    handle: Arc<Handle>,
    found: Found,
    mode: Mode,
    /// Bytes from row to row of an uncompressed frame.
    stride: Option<usize>,
    /// The driver's number of the last frame.
    sequence: Option<u32>,
    jpeg: MotionJpeg,
}

impl Capture {
    /// Opens a device in the mode closest to the wish and starts it. None when it is no camera, or
    /// none whose pictures are understood.
    pub(crate) fn open(found: &Found, wish: &Wish) -> Result<Option<Self>, CameraError> {
        let node = found.node();
        if !prepare(&node, wish)? {
            return Ok(None);
        }
        if let Err(error) = settle_mode(found.number, wish) {
            // What the driver made of the wish in the preparation may still do.
            tracing::debug!(error = &error as &dyn std::error::Error, "no mode settled");
        }
        let device = Device::with_path(&node).map_err(|error| opening(&node, error))?;
        let format = device
            .format()
            .map_err(|error| device_error(&node, "asked for its format", error))?;
        let Some(encoding) = encoding_of(format.fourcc) else {
            return Ok(None);
        };
        let mode = Mode {
            encoding,
            width: format.width,
            height: format.height,
            fps: device.params().map_or(0, rate),
        };
        let stride = usize::try_from(format.stride).ok().filter(|s| *s > 0);
        let stream = start(&device, &node)?;
        tracing::info!(camera = %found, %mode, "camera started");
        Ok(Some(Self {
            handle: device.handle(),
            stream,
            found: found.clone(),
            mode,
            stride,
            sequence: None,
            jpeg: MotionJpeg::default(),
        }))
    }

    pub(crate) fn found(&self) -> &Found {
        &self.found
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// Waits at most `wait` for a frame, and takes the newest when there are several.
    pub(crate) fn read(&mut self, into: &mut Picture, wait: Duration) -> Read {
        let wait_ms = i32::try_from(wait.as_millis()).unwrap_or(i32::MAX);
        match self.handle.poll(POLL_IN, wait_ms) {
            Ok(0) => return Read::Nothing,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Read::Nothing,
            Err(error) => return self.broken(error),
        }
        for left in (0..BUFFERS).rev() {
            let (bytes, meta) = match CaptureStream::next(&mut self.stream) {
                Ok(taken) => taken,
                Err(error) => return self.broken(error),
            };
            let meta = *meta;
            let newer = left > 0 && matches!(self.handle.poll(POLL_IN, 0), Ok(1..));
            if !newer {
                let jpeg = &mut self.jpeg;
                let decoded = decode(bytes, &meta, (self.mode, self.stride), jpeg, into);
                return match decoded {
                    Ok(()) => Read::Frame {
                        dropped: self.dropped(meta.sequence),
                    },
                    Err(error) => Read::Garbage(error),
                };
            }
        }
        Read::Nothing
    }

    /// Stops and closes. May take as long as the device's driver does.
    pub(crate) fn close(mut self) {
        match self.stream.stop() {
            Ok(()) => {}
            Err(error) if is_gone(&error) => {}
            Err(error) => {
                // The binding's own clean-up would panic on this, twice, and so end the process.
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, camera = %self.found, "camera not stopped; left open");
                std::mem::forget(self.stream);
            }
        }
    }

    /// Frames that the driver counted between the last one handed out and this one.
    fn dropped(&mut self, sequence: u32) -> u64 {
        let last = self.sequence.replace(sequence);
        let step = last.map_or(1, |last| sequence.wrapping_sub(last));
        match step {
            1..=DROPPED_MAX => u64::from(step - 1),
            _ => 0,
        }
    }

    fn broken(&self, error: io::Error) -> Read {
        let path = self.found.node();
        Read::Broken(if is_gone(&error) {
            CameraError::Unplugged {
                path,
                source: error,
            }
        } else {
            device_error(&path, "read", error)
        })
    }
}

/// Looks whether the device is a camera, and asks the driver for about the right format, so that
/// nokhwa, which insists on understanding the present one, can go on from there.
fn prepare(node: &Path, wish: &Wish) -> Result<bool, CameraError> {
    let device = Device::with_path(node).map_err(|error| opening(node, error))?;
    let capabilities = device
        .query_caps()
        .map_err(|error| device_error(node, "asked what it is", error))?
        .capabilities;
    if !capabilities.contains(Capability::VIDEO_CAPTURE | Capability::STREAMING) {
        return Ok(false);
    }
    for encoding in [Encoding::Yuyv, Encoding::Mjpeg] {
        let format = Format::new(wish.width, wish.height, fourcc(encoding));
        match device.set_format(&format) {
            Ok(format) if encoding_of(format.fourcc).is_some() => break,
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(Errno::BUSY.raw_os_error()) => {
                return Err(CameraError::Busy {
                    path: node.to_owned(),
                });
            }
            Err(error) => tracing::debug!(%error, %encoding, "format not taken"),
        }
    }
    if let Err(error) = device.set_params(&Parameters::with_fps(wish.fps)) {
        tracing::debug!(%error, "rate not taken");
    }
    Ok(true)
}

/// Has nokhwa list what the camera offers and set the best of it. The device keeps the mode after
/// nokhwa has closed it.
fn settle_mode(number: u32, wish: &Wish) -> Result<Mode, nokhwa::NokhwaError> {
    const ENCODINGS: [FrameFormat; 2] = [FrameFormat::YUYV, FrameFormat::MJPEG];
    let request = RequestedFormat::with_formats(RequestedFormatType::None, &ENCODINGS);
    let mut camera =
        nokhwa::Camera::with_backend(CameraIndex::Index(number), request, ApiBackend::Video4Linux)?;
    let offered: Vec<_> = camera
        .compatible_camera_formats()?
        .iter()
        .filter_map(mode_of)
        .collect();
    let mut last = nokhwa::NokhwaError::NotImplementedError("no YUYV and no MJPEG".to_owned());
    for mode in rank(&offered, wish).into_iter().take(MODES_TRIED_MAX) {
        let exact = RequestedFormatType::Exact(format_of(mode));
        match camera.set_camera_requset(RequestedFormat::with_formats(exact, &ENCODINGS)) {
            Ok(_) => return Ok(mode),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Maps the buffers, gives all but one to the driver and starts it. The binding gives the last one
/// when the first frame is taken.
fn start(device: &Device, node: &Path) -> Result<MappedStream<'static>, CameraError> {
    let mut stream = MappedStream::with_buffers(device, Type::VideoCapture, BUFFERS)
        .map_err(|error| starting(node, error))?;
    stream.set_timeout(READY_MAX);
    for index in 1..BUFFERS {
        match CaptureStream::queue(&mut stream, index as usize) {
            Ok(()) => {}
            // The driver may grant fewer buffers than were asked for.
            Err(_) if index > 1 => break,
            Err(error) => return Err(starting(node, error)),
        }
    }
    stream.start().map_err(|error| starting(node, error))?;
    Ok(stream)
}

fn decode(
    buffer: &[u8],
    meta: &Metadata,
    (mode, stride): (Mode, Option<usize>),
    jpeg: &mut MotionJpeg,
    into: &mut Picture,
) -> Result<(), CameraError> {
    let bytes = buffer.get(..meta.bytesused as usize).unwrap_or(buffer);
    if meta.flags.contains(Flags::ERROR) || bytes.is_empty() {
        return Err(CameraError::MarkedBroken);
    }
    match mode.encoding {
        Encoding::Mjpeg => jpeg.decode(bytes, into).map_err(CameraError::BrokenJpeg),
        Encoding::Yuyv => {
            yuyv_into(mode.width, mode.height, stride, bytes, into).map_err(CameraError::BrokenYuyv)
        }
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NODEV.raw_os_error())
        || error.raw_os_error() == Some(Errno::NXIO.raw_os_error())
}

fn opening(node: &Path, error: io::Error) -> CameraError {
    let path = node.to_owned();
    match error.kind() {
        io::ErrorKind::PermissionDenied => CameraError::Permission {
            path,
            source: error,
        },
        io::ErrorKind::ResourceBusy => CameraError::Busy { path },
        _ if is_gone(&error) => CameraError::Unplugged {
            path,
            source: error,
        },
        _ => device_error(node, "opened", error),
    }
}

fn starting(node: &Path, error: io::Error) -> CameraError {
    match error.kind() {
        io::ErrorKind::ResourceBusy => CameraError::Busy {
            path: node.to_owned(),
        },
        _ => device_error(node, "started", error),
    }
}

fn device_error(node: &Path, step: &'static str, error: io::Error) -> CameraError {
    CameraError::Device {
        path: node.to_owned(),
        step,
        source: error,
    }
}

fn fourcc(encoding: Encoding) -> FourCC {
    FourCC::new(match encoding {
        Encoding::Yuyv => b"YUYV",
        Encoding::Mjpeg => b"MJPG",
    })
}

fn encoding_of(fourcc: FourCC) -> Option<Encoding> {
    match &fourcc.repr {
        b"YUYV" => Some(Encoding::Yuyv),
        b"MJPG" => Some(Encoding::Mjpeg),
        _ => None,
    }
}

fn mode_of(format: &CameraFormat) -> Option<Mode> {
    let encoding = match format.format() {
        FrameFormat::YUYV => Encoding::Yuyv,
        FrameFormat::MJPEG => Encoding::Mjpeg,
        // nokhwa's kinds are not ours, and what it may add is not understood here either.
        _ => return None,
    };
    Some(Mode {
        encoding,
        width: format.width(),
        height: format.height(),
        fps: format.frame_rate(),
    })
}

fn format_of(mode: Mode) -> CameraFormat {
    let encoding = match mode.encoding {
        Encoding::Yuyv => FrameFormat::YUYV,
        Encoding::Mjpeg => FrameFormat::MJPEG,
    };
    CameraFormat::new(Resolution::new(mode.width, mode.height), encoding, mode.fps)
}

/// Whole frames a second.
fn rate(parameters: Parameters) -> u32 {
    let interval = parameters.interval;
    interval
        .denominator
        .checked_div(interval.numerator)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODE: Mode = Mode {
        encoding: Encoding::Yuyv,
        width: 2,
        height: 1,
        fps: 30,
    };

    fn meta(bytesused: u32, flags: Flags) -> Metadata {
        Metadata {
            bytesused,
            flags,
            ..Metadata::default()
        }
    }

    #[test]
    fn only_the_used_part_of_a_good_buffer_is_decoded() {
        let check = |mode: Mode, buffer: &[u8], meta: &Metadata, expect: &str| {
            let mut picture = Picture::new(1, 1).unwrap();
            let mut jpeg = MotionJpeg::default();
            let told = match decode(buffer, meta, (mode, None), &mut jpeg, &mut picture) {
                Ok(()) => format!("{:?}", picture.rgb()),
                Err(error) => error.to_string(),
            };
            assert!(told.contains(expect), "{told}");
        };
        let grey = [126, 128, 126, 128, 9, 9, 9];
        check(MODE, &grey, &meta(4, Flags::empty()), "128, 128, 128, 128");
        check(MODE, &grey, &meta(2, Flags::empty()), "could not be read");
        check(MODE, &grey, &meta(0, Flags::empty()), "marked");
        check(MODE, &grey, &meta(4, Flags::ERROR), "marked");
        check(MODE, &grey, &meta(u32::MAX, Flags::empty()), "128");
        let jpeg = Mode {
            encoding: Encoding::Mjpeg,
            ..MODE
        };
        check(
            jpeg,
            &grey,
            &meta(7, Flags::empty()),
            "could not be decoded",
        );
    }

    #[test]
    fn what_the_system_says_becomes_a_way_out() {
        let check = |errno: Errno, expect: &str| {
            let error = opening(Path::new("/dev/video0"), errno.into()).to_string();
            assert!(error.contains(expect), "{errno}: {error}");
            assert!(error.contains("/dev/video0"), "{error}");
        };
        check(Errno::ACCESS, "group \"video\"");
        check(Errno::BUSY, "another program");
        check(Errno::NODEV, "unplugged");
        check(Errno::NOENT, "could not be opened");
    }
}
