//! The thread that listens for the daemon: one line in, one line out, one caller at a time. What it
//! hears goes to the loop as an event; what it answers lies ready, so that neither waits for the
//! other.

use std::fs::{self, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use beside::{EXCHANGE_MAX_MS, FromDaemon, FromKiosk, LINE_BYTES_MAX};
use crossbeam_channel::Sender;

use crate::event::Event;

/// Who may connect: this account and its group, which the daemon's account shares.
const MODE: u32 = 0o660;

/// How long to wait when the system has no more files to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What is read at once.
const PIECE_BYTES: usize = 4096;

/// The listening socket, and what is told there.
pub struct Neighbour {
    listener: UnixListener,
    path: PathBuf,
    answer: Arc<Mutex<FromKiosk>>,
    events: Sender<Event>,
    stopping: Arc<AtomicBool>,
}

/// Ends the thread and takes the socket away.
pub struct Hangup {
    path: PathBuf,
    stopping: Arc<AtomicBool>,
}

impl Neighbour {
    /// Makes the socket, in the place of one that nobody listens on any more.
    ///
    /// # Errors
    /// When something else is there, somebody listens, or the directory cannot be written.
    pub fn listen(
        path: &Path,
        answer: Arc<Mutex<FromKiosk>>,
        events: Sender<Event>,
    ) -> anyhow::Result<(Self, Hangup)> {
        clear(path)?;
        let failed = || {
            format!(
                "the socket {} cannot be made; correct city.socket, or its directory's permissions",
                path.display()
            )
        };
        let listener = UnixListener::bind(path).with_context(failed)?;
        fs::set_permissions(path, Permissions::from_mode(MODE)).with_context(failed)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let hangup = Hangup {
            path: path.to_owned(),
            stopping: Arc::clone(&stopping),
        };
        let neighbour = Self {
            listener,
            path: path.to_owned(),
            answer,
            events,
            stopping,
        };
        Ok((neighbour, hangup))
    }

    /// Listens until it is hung up.
    pub fn run(self) {
        for caller in self.listener.incoming() {
            if self.stopping.load(Ordering::Acquire) {
                break;
            }
            let stream = match caller {
                Ok(stream) => stream,
                Err(error) => {
                    // No more files to be had; asking again at once would only ask again.
                    tracing::warn!(socket = %self.path.display(), %error, "nobody can call");
                    thread::sleep(ACCEPT_PAUSE);
                    continue;
                }
            };
            if let Err(error) = self.exchange(stream) {
                let socket = self.path.display();
                tracing::warn!(%socket, %error, "a caller was not understood");
            }
        }
    }

    fn exchange(&self, mut stream: UnixStream) -> io::Result<()> {
        let deadline = Instant::now() + Duration::from_millis(EXCHANGE_MAX_MS);
        let line = read_line(&mut stream, deadline)?;
        let told = FromDaemon::decode(&line).map_err(io::Error::other)?;
        // The loop is gone only when the kiosk is stopping.
        let _ = self.events.send(Event::City(told));
        let answer = self.answer.lock();
        let answer = answer.unwrap_or_else(PoisonError::into_inner).encode();
        stream.set_write_timeout(Some(left(deadline)?))?;
        stream.write_all(&answer)
    }
}

impl Drop for Hangup {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        // A last call wakes the thread; where nobody answers there is none to wake.
        drop(UnixStream::connect(&self.path));
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes the socket of a kiosk that is gone. Nothing else is ever removed.
fn clear(path: &Path) -> anyhow::Result<()> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        bail!(
            "{}: something else than a socket is there; correct city.socket, or move it away",
            path.display()
        );
    }
    if UnixStream::connect(path).is_ok() {
        bail!(
            "{}: another kiosk listens there; end that one first",
            path.display()
        );
    }
    fs::remove_file(path).with_context(|| format!("{} cannot be removed", path.display()))
}

/// Reads a line of at most [`LINE_BYTES_MAX`], by a deadline that no trickle of bytes moves.
fn read_line(stream: &mut UnixStream, deadline: Instant) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    let mut piece = [0; PIECE_BYTES];
    while line.len() <= LINE_BYTES_MAX {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let end = piece[..read].iter().position(|byte| *byte == b'\n');
        line.extend_from_slice(&piece[..end.unwrap_or(read)]);
        if end.is_some() {
            return Ok(line);
        }
    }
    Err(io::Error::other(format!(
        "the line has more than {LINE_BYTES_MAX} bytes"
    )))
}

fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use crossbeam_channel::{Receiver, bounded};

    use super::*;

    struct Fixture {
        directory: tempfile::TempDir,
        heard: Receiver<Event>,
        thread: Option<std::thread::JoinHandle<()>>,
        hangup: Option<Hangup>,
    }

    impl Fixture {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("kiosk.sock");
            let answer = Arc::new(Mutex::new(answer()));
            let (events, heard) = bounded(16);
            let (neighbour, hangup) = Neighbour::listen(&path, answer, events).unwrap();
            Self {
                directory,
                heard,
                thread: Some(std::thread::spawn(move || neighbour.run())),
                hangup: Some(hangup),
            }
        }

        fn path(&self) -> PathBuf {
            self.directory.path().join("kiosk.sock")
        }

        /// Says this and answers what comes back.
        fn say(&self, bytes: &[u8]) -> Vec<u8> {
            let mut stream = UnixStream::connect(self.path()).unwrap();
            // The other side may have hung up before everything was said.
            let _ = stream.write_all(bytes);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut back = Vec::new();
            let _ = stream.read_to_end(&mut back);
            back
        }
    }

    fn answer() -> FromKiosk {
        FromKiosk {
            version: "1.2.3".to_owned(),
            ..FromKiosk::default()
        }
    }

    #[test]
    fn a_line_goes_in_and_a_line_comes_back_whatever_others_say() {
        let fixture = Fixture::new();
        let endless = vec![b'{'; 4 * LINE_BYTES_MAX];
        for hostile in [
            &b""[..],
            b"\n",
            b"no line",
            b"{\"waiting\":\"x\"}\n",
            &endless,
        ] {
            assert_eq!(fixture.say(hostile), b"", "{:?}", hostile.first());
        }
        let told = FromDaemon {
            waiting: Some(7),
            ..FromDaemon::default()
        };
        let back = fixture.say(&told.encode());
        assert_eq!(FromKiosk::decode(&back).unwrap(), answer());
        let heard = fixture.heard.recv().unwrap();
        assert!(matches!(heard, Event::City(heard) if heard == told));
        assert!(fixture.heard.is_empty(), "nothing came of the others");
    }

    #[test]
    fn the_socket_is_the_groups_and_gone_when_the_kiosk_is() {
        let mut fixture = Fixture::new();
        let mode = fs::metadata(fixture.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        let (events, _heard) = bounded(1);
        let second = Neighbour::listen(&fixture.path(), Arc::default(), events.clone());
        let error = second.err().unwrap().to_string();
        assert!(error.contains("another kiosk listens"), "{error}");
        drop(fixture.hangup.take());
        fixture.thread.take().unwrap().join().unwrap();
        assert!(!fixture.path().exists());
        // What a killed kiosk leaves behind is replaced; anything else is not.
        drop(UnixListener::bind(fixture.path()).unwrap());
        drop(Neighbour::listen(&fixture.path(), Arc::default(), events.clone()).unwrap());
        let file = fixture.directory.path().join("file");
        fs::write(&file, "kept").unwrap();
        assert!(Neighbour::listen(&file, Arc::default(), events).is_err());
        assert_eq!(fs::read(&file).unwrap(), b"kept");
    }

    impl Drop for Fixture {
        fn drop(&mut self) {
            drop(self.hangup.take());
        }
    }
}
