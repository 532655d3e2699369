//! Video files and network streams, decoded by ffmpeg as a child process.
//!
//! For development and replays; the door's own camera does not need it. The child gets its
//! arguments one by one and never through a shell, may use only the protocols that its source
//! needs, writes into a pipe that is read no faster than frames are asked for, and is killed and
//! reaped when the source is dropped. What it complains about is kept, bounded, for the error.

use std::ffi::OsString;
use std::io::{self, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use imaging::{Frame, Picture};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::clock::Clock;
use crate::error::CameraError;
use crate::link::{Link, Read, Reconnecting};
use crate::pace::{Fps, Pace, Schedule};
use crate::ppm::PpmSplitter;
use crate::reconnect::Patience;
use crate::{FrameSource, Next};

/// Longest side of a frame in pixels; ffmpeg scales larger video down. Faces at a door are found
/// in far less.
pub const FRAME_SIDE_PX_MAX: u32 = 1920;

/// Longest stream address in bytes, as browsers have it.
pub const ADDRESS_BYTES_MAX: usize = 2048;

/// How much of what ffmpeg complains about is kept, in bytes; the end says why it gave up.
const SAID_BYTES_MAX: usize = 4096;

/// How much of that an error shows, in characters.
const SAID_CHARS_MAX: usize = 500;

/// How long a child that has closed its output may take to end before it is killed.
const END_MAX: Duration = Duration::from_millis(500);

/// How long a stream may take to its first frame before it is tried anew.
const CONNECT_MAX: Duration = Duration::from_secs(15);

/// Frames of a stream that are passed over at most to get to the newest.
const DRAIN_MAX: u64 = 8;

/// How a video file is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoOptions {
    /// Frames a second; ffmpeg repeats or drops frames to give that many.
    pub fps: Fps,
    /// Whether to start again after the last frame, without end.
    pub looped: bool,
    /// How fast the frames come.
    pub pace: Pace,
}

/// Plays the first video track of a file.
pub struct VideoFile {
    pipe: Pipe,
    schedule: Schedule,
    fps: Fps,
    number: u64,
    ended: bool,
}

impl VideoFile {
    /// Starts to play a file.
    ///
    /// # Errors
    /// [`CameraError::File`] when it is not there or no regular file, [`CameraError::NoFfmpeg`],
    /// [`CameraError::FfmpegPipe`]. That the file is no video is found out at the first frame.
    pub fn open(
        path: &Path,
        options: VideoOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CameraError> {
        let failed = |source| CameraError::File {
            path: path.to_owned(),
            source,
        };
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("not a regular file")));
        }
        // An absolute path behind a protocol cannot be read as an option or as another protocol.
        let absolute = std::path::absolute(path).map_err(failed)?;
        let mut input = OsString::from("file:");
        input.push(&absolute);
        let mut arguments: Vec<OsString> = vec!["-protocol_whitelist".into(), "file".into()];
        if options.looped {
            arguments.extend(["-stream_loop".into(), "-1".into()]);
        }
        Ok(Self {
            pipe: Pipe::start(path.display().to_string(), arguments, input, options.fps)?,
            schedule: Schedule::new(clock, options.pace),
            fps: options.fps,
            number: 0,
            ended: false,
        })
    }
}

impl FrameSource for VideoFile {
    fn next_frame(&mut self, into: &mut Frame, wait: Duration) -> Result<Next, CameraError> {
        if self.ended {
            return Ok(Next::Ended);
        }
        let started = Instant::now();
        let Some(captured_at) = self.schedule.due_within(wait) else {
            return Ok(Next::NotYet);
        };
        match self
            .pipe
            .pull(&mut into.picture, wait.saturating_sub(started.elapsed()))?
        {
            Pulled::Nothing => Ok(Next::NotYet),
            Pulled::End => {
                self.pipe.end()?;
                self.ended = true;
                Ok(Next::Ended)
            }
            Pulled::Picture => {
                into.captured_at = captured_at;
                into.number = self.number;
                self.number = self.number.saturating_add(1);
                self.schedule.shown_for(self.fps.interval());
                Ok(Next::Frame)
            }
        }
    }
}

/// A network camera (motion JPEG over HTTP, or RTSP) that comes back by itself.
pub type VideoStream = Reconnecting<StreamLink>;

impl VideoStream {
    /// Connects to a stream.
    ///
    /// The address may hold a name and a password for the camera. They are left out of errors and
    /// logs, but the operating system shows a child's arguments to every account of the machine.
    ///
    /// # Errors
    /// [`CameraError::Address`] when it is none that is played; otherwise what ffmpeg says when the
    /// stream cannot be opened.
    pub fn connect(address: &str, fps: Fps, clock: Arc<dyn Clock>) -> Result<Self, CameraError> {
        let patience = Patience {
            opening_max: CONNECT_MAX,
            ..Patience::default()
        };
        Self::open(StreamLink::new(address, fps)?, patience, clock)
    }
}

/// The child process that reads a network stream.
pub struct StreamLink {
    address: Address,
    fps: Fps,
    state: StreamState,
}

enum StreamState {
    Closed,
    /// Could not even be started.
    Failed(CameraError),
    Connecting {
        pipe: Pipe,
        since: Instant,
        first: Picture,
    },
    /// Frames come; the first one, which proved that, is still to be handed out.
    Streaming {
        pipe: Pipe,
        first: Option<Picture>,
    },
}

impl StreamLink {
    /// A link to a stream that is not opened yet.
    ///
    /// # Errors
    /// [`CameraError::Address`].
    pub fn new(address: &str, fps: Fps) -> Result<Self, CameraError> {
        Ok(Self {
            address: Address::parse(address)?,
            fps,
            state: StreamState::Closed,
        })
    }

    fn connect(&self) -> Result<StreamState, CameraError> {
        let pipe = Pipe::start(
            self.address.redacted(),
            self.address.arguments(),
            OsString::from(&self.address.text),
            self.fps,
        )?
        .hiding(&self.address);
        Ok(StreamState::Connecting {
            pipe,
            since: Instant::now(),
            first: Picture::new(1, 1).map_err(CameraError::Size)?,
        })
    }
}

impl Link for StreamLink {
    fn start_open(&mut self) {
        self.state = self.connect().unwrap_or_else(StreamState::Failed);
    }

    fn poll_open(&mut self, wait: Duration) -> Option<Result<(), CameraError>> {
        match std::mem::replace(&mut self.state, StreamState::Closed) {
            StreamState::Closed => Some(Err(CameraError::NoCamera)),
            StreamState::Failed(error) => Some(Err(error)),
            StreamState::Connecting {
                mut pipe,
                since,
                mut first,
            } => match pipe.pull(&mut first, wait) {
                Err(error) => Some(Err(error)),
                Ok(Pulled::End) => Some(Err(pipe.broken())),
                Ok(Pulled::Picture) => {
                    let first = Some(first);
                    self.state = StreamState::Streaming { pipe, first };
                    Some(Ok(()))
                }
                Ok(Pulled::Nothing) if since.elapsed() > CONNECT_MAX => Some(Err(pipe.broken())),
                Ok(Pulled::Nothing) => {
                    self.state = StreamState::Connecting { pipe, since, first };
                    None
                }
            },
            streaming @ StreamState::Streaming { .. } => {
                self.state = streaming;
                Some(Ok(()))
            }
        }
    }

    fn read(&mut self, into: &mut Picture, wait: Duration) -> Read {
        let StreamState::Streaming { pipe, first } = &mut self.state else {
            return Read::Broken(CameraError::NoCamera);
        };
        if let Some(picture) = first.take() {
            *into = picture;
            return Read::Frame { dropped: 0 };
        }
        match pipe.pull(into, wait) {
            Err(error) => return Read::Broken(error),
            Ok(Pulled::Nothing) => return Read::Nothing,
            Ok(Pulled::End) => return Read::Broken(pipe.broken()),
            Ok(Pulled::Picture) => {}
        }
        // A reader that fell behind gets the newest frame, not the oldest in the pipe.
        let mut dropped = 0;
        while dropped < DRAIN_MAX && matches!(pipe.pull(into, Duration::ZERO), Ok(Pulled::Picture))
        {
            dropped += 1;
        }
        Read::Frame { dropped }
    }

    fn close(&mut self) {
        self.state = StreamState::Closed;
    }
}

/// An address that has been looked at.
#[derive(Debug, Clone)]
struct Address {
    text: String,
    scheme: Scheme,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
    Rtsp,
}

impl Address {
    fn parse(text: &str) -> Result<Self, CameraError> {
        let scheme = text.split_once("://").and_then(|(scheme, rest)| {
            let scheme = match scheme.to_ascii_lowercase().as_str() {
                "http" => Scheme::Http,
                "https" => Scheme::Https,
                "rtsp" => Scheme::Rtsp,
                _ => return None,
            };
            (!rest.is_empty()).then_some(scheme)
        });
        let clean = text.len() <= ADDRESS_BYTES_MAX
            && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        match scheme {
            Some(scheme) if clean => Ok(Self {
                text: text.to_owned(),
                scheme,
            }),
            Some(_) | None => {
                let shown: String = redact(text).chars().filter(|c| !c.is_control()).collect();
                Err(CameraError::Address(shown.chars().take(200).collect()))
            }
        }
    }

    fn redacted(&self) -> String {
        redact(&self.text)
    }

    /// What ffmpeg is told before the address: only the protocols that the scheme needs, and to
    /// show what comes without gathering it first.
    fn arguments(&self) -> Vec<OsString> {
        let (protocols, more): (_, &[&str]) = match self.scheme {
            Scheme::Http => ("http,tcp", &[]),
            Scheme::Https => ("https,tls,tcp", &[]),
            Scheme::Rtsp => ("rtsp,rtp,udp,tcp", &["-rtsp_transport", "tcp"]),
        };
        ["-protocol_whitelist", protocols, "-fflags", "nobuffer"]
            .iter()
            .chain(more)
            .map(OsString::from)
            .collect()
    }
}

/// An address without the name and password that may stand before its host.
fn redact(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => format!("{scheme}://…{}", &rest[at..]),
        None => address.to_owned(),
    }
}

/// What came of pulling at the pipe.
enum Pulled {
    Picture,
    Nothing,
    End,
}

/// A running ffmpeg and what comes out of it.
struct Pipe {
    /// What is played, as errors name it.
    what: String,
    /// What must not appear in an error, and what stands in its place.
    hidden: Option<(String, String)>,
    child: Child,
    output: ChildStdout,
    /// None once the child has closed it.
    complaints: Option<ChildStderr>,
    said: Vec<u8>,
    splitter: PpmSplitter,
    pictures: u64,
}

impl Pipe {
    fn start(
        what: String,
        before_input: Vec<OsString>,
        input: OsString,
        fps: Fps,
    ) -> Result<Self, CameraError> {
        let side = FRAME_SIDE_PX_MAX;
        let filter = format!(
            "fps={},scale=w='min(iw,{side})':h='min(ih,{side})'\
             :force_original_aspect_ratio=decrease",
            fps.value()
        );
        let mut command = Command::new("ffmpeg");
        command
            .args(["-hide_banner", "-nostdin", "-loglevel", "error"])
            .args(before_input)
            .arg("-i")
            .arg(input)
            .args(["-map", "0:v:0", "-vf", &filter])
            .args(["-c:v", "ppm", "-f", "image2pipe", "pipe:1"])
            .env("AV_LOG_FORCE_NOCOLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let failed = |step: &'static str, source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => CameraError::NoFfmpeg { what: what.clone() },
            _ => CameraError::FfmpegPipe {
                what: what.clone(),
                step,
                source,
            },
        };
        let mut child = command.spawn().map_err(|error| failed("started", error))?;
        let (Some(output), Some(complaints)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed("started", io::Error::other("no pipe")));
        };
        for end in [
            rustix::fd::AsFd::as_fd(&output),
            rustix::fd::AsFd::as_fd(&complaints),
        ] {
            fcntl_getfl(end)
                .and_then(|flags| fcntl_setfl(end, flags | OFlags::NONBLOCK))
                .map_err(|error| failed("read", error.into()))?;
        }
        Ok(Self {
            splitter: PpmSplitter::new().map_err(CameraError::Size)?,
            what,
            hidden: None,
            child,
            output,
            complaints: Some(complaints),
            said: Vec::new(),
            pictures: 0,
        })
    }

    fn hiding(mut self, address: &Address) -> Self {
        self.hidden = Some((address.text.clone(), address.redacted()));
        self
    }

    /// Waits at most `wait` for a picture. What has come of it by then is kept.
    fn pull(&mut self, into: &mut Picture, wait: Duration) -> Result<Pulled, CameraError> {
        let deadline = Instant::now() + wait;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let output_ready = self.wait_for_output(left)?;
            self.hear();
            if !output_ready {
                if Instant::now() >= deadline {
                    return Ok(Pulled::Nothing);
                }
                continue;
            }
            match self.read_some() {
                Ok(Some(Pulled::Picture)) => {
                    self.pictures = self.pictures.saturating_add(1);
                    self.splitter.take(into);
                    return Ok(Pulled::Picture);
                }
                Ok(Some(end @ (Pulled::End | Pulled::Nothing))) => return Ok(end),
                Ok(None) => {}
                Err(ReadError::Io(source)) => return Err(self.failed(source)),
                Err(ReadError::Ppm(source)) => {
                    let what = self.what.clone();
                    return Err(CameraError::FfmpegOutput { what, source });
                }
            }
        }
    }

    /// True when the output can be read or has ended; false after `left`, or when only complaints
    /// came.
    fn wait_for_output(&self, left: Duration) -> Result<bool, CameraError> {
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let mut ends = vec![PollFd::new(&self.output, PollFlags::IN)];
        if let Some(complaints) = &self.complaints {
            ends.push(PollFd::new(complaints, PollFlags::IN));
        }
        match poll(&mut ends, Some(&timeout)) {
            Ok(_) => Ok(!ends[0].revents().is_empty()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(error) => Err(self.failed(error.into())),
        }
    }

    /// Reads what fits: the rest of a picture, or a byte of a header.
    fn read_some(&mut self) -> Result<Option<Pulled>, ReadError> {
        let mut byte = [0];
        let in_header = self.splitter.room().is_none();
        let room = self.splitter.room().unwrap_or(&mut byte);
        match self.output.read(room) {
            Ok(0) => Ok(Some(Pulled::End)),
            Ok(_) if in_header => {
                self.splitter.header_byte(byte[0]).map_err(ReadError::Ppm)?;
                Ok(None)
            }
            Ok(count) => Ok(self.splitter.filled(count).then_some(Pulled::Picture)),
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(ReadError::Io(error)),
            },
        }
    }

    /// Takes in what ffmpeg complains about, and keeps its end.
    fn hear(&mut self) {
        let mut piece = [0; 1024];
        // Bounded: no more is read in one go than is kept.
        for _ in 0..SAID_BYTES_MAX / piece.len() {
            let Some(complaints) = &mut self.complaints else {
                return;
            };
            match complaints.read(&mut piece) {
                Ok(0) => self.complaints = None,
                Ok(count) => {
                    self.said.extend_from_slice(&piece[..count]);
                    let beyond = self.said.len().saturating_sub(SAID_BYTES_MAX);
                    self.said.drain(..beyond);
                }
                // Nothing more for now; a pipe that is broken is found out by its other end.
                Err(_) => return,
            }
        }
    }

    fn failed(&self, source: io::Error) -> CameraError {
        CameraError::FfmpegPipe {
            what: self.what.clone(),
            step: "read",
            source,
        }
    }

    /// The output has ended: whether well, the child's status says.
    fn end(&mut self) -> Result<(), CameraError> {
        let well = self.reap();
        match (well, self.pictures) {
            (true, 1..) if !self.splitter.is_within() => Ok(()),
            (true, 0) => Err(CameraError::NoFrames {
                what: self.what.clone(),
            }),
            (true | false, _) => Err(self.broken()),
        }
    }

    /// The error for a child that ended when it should not have.
    fn broken(&mut self) -> CameraError {
        self.reap();
        let mut said = String::from_utf8_lossy(&self.said).into_owned();
        if let Some((secret, shown)) = &self.hidden {
            said = said.replace(secret, shown);
        }
        let said = said
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("; ");
        let said: String = said.chars().filter(|c| !c.is_control()).collect();
        let beyond = said.chars().count().saturating_sub(SAID_CHARS_MAX);
        let said = if said.is_empty() {
            "nothing".to_owned()
        } else {
            said.chars().skip(beyond).collect()
        };
        CameraError::Ffmpeg {
            what: self.what.clone(),
            said,
        }
    }

    /// Waits shortly for the child to end by itself, then kills it. True when it ended well.
    fn reap(&mut self) -> bool {
        let deadline = Instant::now() + END_MAX;
        loop {
            self.hear();
            match self.child.try_wait() {
                Ok(Some(status)) => {
                    self.hear();
                    return status.success();
                }
                Ok(None) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Ok(None) | Err(_) => {
                    self.kill();
                    return false;
                }
            }
        }
    }

    fn kill(&mut self) {
        // Both fail only when the child is already gone and reaped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.kill();
    }
}

enum ReadError {
    Io(io::Error),
    Ppm(crate::ppm::PpmError),
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::clock::{MonotonicClock, VirtualClock};
    use crate::empty_frame;

    /// Longest that a test waits for a real child on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Makes a video of a test pattern, `frames` frames at 10 a second.
    fn video(folder: &Path, name: &str, size: &str, frames: u32) -> std::path::PathBuf {
        let path = folder.join(name);
        let status = Command::new("ffmpeg")
            .args([
                "-hide_banner",
                "-nostdin",
                "-loglevel",
                "error",
                "-f",
                "lavfi",
                "-i",
            ])
            .arg(format!("testsrc=size={size}:rate=10"))
            .args(["-frames:v", &frames.to_string(), "-y"])
            .arg(std::path::absolute(&path).unwrap())
            .status()
            .expect("these tests need ffmpeg");
        assert!(status.success());
        path
    }

    fn open(path: &Path, looped: bool) -> Result<VideoFile, CameraError> {
        let options = VideoOptions {
            fps: Fps::new(10.0).unwrap(),
            looped,
            pace: Pace::AtOnce,
        };
        VideoFile::open(path, options, Arc::new(VirtualClock::default()))
    }

    /// Width, height, and stamp in milliseconds.
    type Shown = (u32, u32, u64);

    /// Sizes and stamps of at most `most` frames, and how it ended.
    fn play(source: &mut VideoFile, most: usize) -> (Vec<Shown>, Result<bool, CameraError>) {
        let mut frame = empty_frame().unwrap();
        let mut frames = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while frames.len() < most {
            assert!(Instant::now() < deadline, "no end after {PATIENCE:?}");
            match source.next_frame(&mut frame, Duration::from_millis(200)) {
                Ok(Next::Frame) => frames.push((
                    frame.picture.width(),
                    frame.picture.height(),
                    frame.captured_at.as_millis(),
                )),
                Ok(Next::NotYet) => {}
                Ok(Next::Ended) => return (frames, Ok(true)),
                Ok(other) => panic!("{other:?}"),
                Err(error) => return (frames, Err(error)),
            }
        }
        (frames, Ok(false))
    }

    fn is_running(pid: u32) -> bool {
        Path::new(&format!("/proc/{pid}")).exists()
    }

    #[test]
    fn a_video_is_played_to_its_end_whatever_its_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["-i $(touch x); 'họp'.mkv", "concat:a|b.mkv"] {
            let path = video(folder.path(), name, "64x48", 5);
            let mut source = open(&path, false).unwrap();
            let pid = source.pipe.child.id();
            let (frames, end) = play(&mut source, 99);
            assert!(matches!(end, Ok(true)), "{name}: {end:?}");
            let expect: Vec<_> = (0..5).map(|n| (64, 48, n * 100)).collect();
            assert_eq!(frames, expect, "{name}");
            assert!(!is_running(pid), "{name}: not reaped");
            assert!(matches!(
                source.next_frame(&mut empty_frame().unwrap(), Duration::ZERO),
                Ok(Next::Ended)
            ));
        }
    }

    #[test]
    fn pixels_arrive_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("red.nut");
        let status = Command::new("ffmpeg")
            .args([
                "-hide_banner",
                "-nostdin",
                "-loglevel",
                "error",
                "-f",
                "lavfi",
                "-i",
            ])
            .arg("color=c=red:size=32x16:rate=10,format=rgb24")
            .args(["-frames:v", "2", "-c:v", "rawvideo"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success());
        let mut source = open(&path, false).unwrap();
        let mut frame = empty_frame().unwrap();
        while !source.next_frame(&mut frame, PATIENCE).unwrap().is_frame() {}
        // ffmpeg calls 0xFE0000 red as well, by way of YUV.
        for pixel in frame.picture.rgb().as_chunks::<3>().0 {
            assert!(
                pixel[0] >= 250 && pixel[1] <= 4 && pixel[2] <= 4,
                "{pixel:?}"
            );
        }
    }

    #[test]
    fn large_video_is_scaled_down() {
        let folder = tempfile::tempdir().unwrap();
        let path = video(folder.path(), "large.mkv", "2560x1440", 1);
        let (frames, end) = play(&mut open(&path, false).unwrap(), 9);
        assert!(matches!(end, Ok(true)), "{end:?}");
        assert_eq!(frames, [(1920, 1080, 0)]);
    }

    #[test]
    fn a_looped_video_goes_on_and_dropping_it_ends_the_child() {
        let folder = tempfile::tempdir().unwrap();
        let path = video(folder.path(), "short.mkv", "64x48", 3);
        let mut source = open(&path, true).unwrap();
        let pid = source.pipe.child.id();
        let (frames, end) = play(&mut source, 10);
        assert!(matches!(end, Ok(false)), "{end:?}");
        assert_eq!(frames.len(), 10);
        assert!(is_running(pid));
        let before = Instant::now();
        drop(source);
        assert!(!is_running(pid), "still running after the drop");
        assert!(before.elapsed() < Duration::from_secs(1));
    }

    #[test]
    fn what_is_no_video_is_refused_by_name_with_ffmpegs_words() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, bytes: &[u8], expect: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let (_, end) = play(&mut open(&path, false).unwrap(), 9);
            let error = end.unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(expect), "{error}");
        };
        check("text.mp4", b"this is no video", "Invalid data");
        check("zero.mp4", b"", "ffmpeg says");
        // A playlist must not lead anywhere but to files.
        check(
            "list.m3u8",
            b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
            "ffmpeg says",
        );
        let missing = open(&folder.path().join("nowhere.mp4"), false)
            .err()
            .unwrap();
        assert!(missing.to_string().contains("nowhere.mp4"), "{missing}");
        assert!(open(folder.path(), false).is_err());
    }

    #[test]
    fn a_video_cut_off_in_the_middle_gives_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = video(folder.path(), "whole.avi", "64x48", 50);
        let bytes = std::fs::read(&path).unwrap();
        let cut = folder.path().join("cut.avi");
        std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
        let (frames, end) = play(&mut open(&cut, false).unwrap(), 99);
        assert!(frames.len() < 50, "{} frames", frames.len());
        assert!(!frames.is_empty() || end.is_err());
    }

    #[test]
    fn addresses_are_looked_at_and_shown_without_secrets() {
        let check = |text: &str, expect: Result<&str, ()>| {
            let address = Address::parse(text);
            let shown = address.as_ref().map(Address::redacted).map_err(|_| ());
            assert_eq!(shown.as_deref(), expect.as_ref().map(|s| *s), "{text}");
        };
        check(
            "http://camera.local/stream",
            Ok("http://camera.local/stream"),
        );
        check("RTSP://a:b@10.0.0.1/1?x=@", Ok("RTSP://…@10.0.0.1/1?x=@"));
        check("https://u@h", Ok("https://…@h"));
        check("file:///etc/passwd", Err(()));
        check("concat:http://a", Err(()));
        check("http://", Err(()));
        check("-i", Err(()));
        check("http://a b", Err(()));
        check("http://a\n", Err(()));
        let long = format!("http://{}", "a".repeat(ADDRESS_BYTES_MAX));
        check(&long, Err(()));
        let error = Address::parse("ftp://me:secret@host/")
            .unwrap_err()
            .to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_stream_that_does_not_answer_is_an_error_without_its_password() {
        // Nobody listens on this port once the listener is gone.
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        };
        let address = format!("http://me:secret@127.0.0.1:{port}/stream");
        let clock = Arc::new(MonotonicClock);
        let error = VideoStream::connect(&address, Fps::new(10.0).unwrap(), clock)
            .err()
            .expect("nothing is there")
            .to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    /// Serves one connection after the other a few frames of motion JPEG, then hangs up.
    fn serve_motion_jpeg(listener: TcpListener, connections: usize, frames: usize) {
        use std::io::Write as _;
        let picture = image::RgbImage::from_pixel(32, 32, image::Rgb([200, 100, 50]));
        let mut jpeg = io::Cursor::new(Vec::new());
        picture
            .write_to(&mut jpeg, image::ImageFormat::Jpeg)
            .unwrap();
        let jpeg = jpeg.into_inner();
        for _ in 0..connections {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            let mut answer = b"HTTP/1.0 200 OK\r\nContent-Type: \
                multipart/x-mixed-replace;boundary=frame\r\n\r\n"
                .to_vec();
            for _ in 0..frames {
                let head = format!(
                    "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
                    jpeg.len()
                );
                answer.extend_from_slice(head.as_bytes());
                answer.extend_from_slice(&jpeg);
                answer.extend_from_slice(b"\r\n");
            }
            // The reader may hang up first.
            let _ = stream.write_all(&answer);
        }
    }

    #[test]
    fn a_stream_that_breaks_off_comes_back_by_itself() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/stream", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || serve_motion_jpeg(listener, 2, 50));
        let clock = Arc::new(MonotonicClock);
        let mut source = VideoStream::connect(&address, Fps::new(25.0).unwrap(), clock).unwrap();
        let mut frame = empty_frame().unwrap();
        let mut told = String::new();
        let deadline = Instant::now() + PATIENCE;
        while !told.ends_with('R') {
            assert!(
                Instant::now() < deadline,
                "not back after {PATIENCE:?}: {told}"
            );
            match source
                .next_frame(&mut frame, Duration::from_millis(100))
                .unwrap()
            {
                Next::Frame => told.push('f'),
                Next::Lost(_) => told.push('L'),
                Next::Recovered => told.push('R'),
                Next::NotYet => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(told.replace('f', ""), "LR");
        assert!(told.starts_with('f'));
        assert_eq!((frame.picture.width(), frame.picture.height()), (32, 32));
        server.join().unwrap();
    }
}
