//! A folder of pictures played as a camera, in the order of their names.
//!
//! A broken picture between good ones is named and left out. Files are only read, one at a time,
//! and none that is larger than a picture can be.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use imaging::{DecodeLimits, Frame, Picture, decode};

use crate::clock::Clock;
use crate::error::CameraError;
use crate::pace::{Fps, Pace, Schedule};
use crate::{FrameSource, Next};

/// Most pictures of one folder; an hour at 25 frames a second has 90,000.
pub const FOLDER_FILES_MAX: usize = 100_000;

/// Endings of picture files, without the dot, in lower case.
const ENDINGS: [&str; 6] = ["jpg", "jpeg", "png", "gif", "bmp", "webp"];

/// How a folder is played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FolderOptions {
    /// Pictures a second.
    pub fps: Fps,
    /// Whether to start again after the last one.
    pub looped: bool,
    /// How fast they come.
    pub pace: Pace,
    /// What is decoded, and what is refused before it is.
    pub limits: DecodeLimits,
}

impl FolderOptions {
    /// Once through, in real time, with the usual limits.
    #[must_use]
    pub fn at(fps: Fps) -> Self {
        Self {
            fps,
            looped: false,
            pace: Pace::RealTime,
            limits: DecodeLimits::default(),
        }
    }
}

/// Plays the pictures of a folder.
pub struct Folder {
    path: PathBuf,
    files: Vec<PathBuf>,
    options: FolderOptions,
    schedule: Schedule,
    /// The file that comes next; the count of files when it is over.
    at: usize,
    /// Files in a row that could not be used. When it reaches all of them, there is no point in
    /// looping on.
    broken: usize,
    number: u64,
}

impl Folder {
    /// Lists the pictures of a folder: regular files, also through links, whose names end in
    /// `.jpg`, `.jpeg`, `.png`, `.gif`, `.bmp` or `.webp`, in the byte order of their names. Other
    /// files and sub-folders are passed over.
    ///
    /// # Errors
    /// [`CameraError::Folder`], [`CameraError::EmptyFolder`] or [`CameraError::FolderTooLarge`].
    pub fn open(
        path: &Path,
        options: FolderOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, CameraError> {
        let files = list(path)?;
        Ok(Self {
            path: path.to_owned(),
            files,
            options,
            schedule: Schedule::new(clock, options.pace),
            at: 0,
            broken: 0,
            number: 0,
        })
    }

    /// How many pictures there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// The file that comes next, if any.
    fn next_file(&mut self) -> Option<PathBuf> {
        if self.options.looped && self.at == self.files.len() {
            self.at = 0;
        }
        let file = self.files.get(self.at)?.clone();
        self.at += 1;
        Some(file)
    }

    /// Counts a picture that could not be used, and ends the source when there was no other.
    fn skip(&mut self, error: CameraError) -> Result<Next, CameraError> {
        self.broken += 1;
        if self.broken >= self.files.len() {
            return Err(CameraError::OnlyBrokenPictures {
                path: self.path.clone(),
                count: self.broken,
                source: Box::new(error),
            });
        }
        Ok(Next::Skipped(error))
    }
}

impl FrameSource for Folder {
    fn next_frame(&mut self, into: &mut Frame, wait: Duration) -> Result<Next, CameraError> {
        let Some(captured_at) = self.schedule.due_within(wait) else {
            return Ok(Next::NotYet);
        };
        let Some(file) = self.next_file() else {
            return Ok(Next::Ended);
        };
        match read_picture(&file, self.options.limits) {
            Err(error) => self.skip(error),
            Ok(picture) => {
                *into = Frame {
                    picture,
                    captured_at,
                    number: self.number,
                };
                self.number = self.number.saturating_add(1);
                self.broken = 0;
                self.schedule.shown_for(self.options.fps.interval());
                Ok(Next::Frame)
            }
        }
    }
}

fn list(path: &Path) -> Result<Vec<PathBuf>, CameraError> {
    let failed = |source| CameraError::Folder {
        path: path.to_owned(),
        source,
    };
    let mut files = Vec::new();
    let mut others = 0;
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if !is_picture_name(&file) || file.is_dir() {
            others += 1;
        } else if files.len() == FOLDER_FILES_MAX {
            return Err(CameraError::FolderTooLarge {
                path: path.to_owned(),
            });
        } else {
            files.push(file);
        }
    }
    if files.is_empty() {
        return Err(CameraError::EmptyFolder {
            path: path.to_owned(),
            others,
        });
    }
    files.sort();
    Ok(files)
}

fn is_picture_name(file: &Path) -> bool {
    file.extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

fn read_picture(file: &Path, limits: DecodeLimits) -> Result<Picture, CameraError> {
    let failed = |source| CameraError::File {
        path: file.to_owned(),
        source,
    };
    let bytes_max = limits.bytes_max as u64;
    let too_large = |bytes| CameraError::FileTooLarge {
        path: file.to_owned(),
        bytes,
        bytes_max,
    };
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let metadata = std::fs::metadata(file).map_err(failed)?;
    if !metadata.is_file() {
        return Err(failed(std::io::Error::other("not a regular file")));
    }
    if metadata.len() > bytes_max {
        return Err(too_large(metadata.len()));
    }
    let mut bytes = Vec::new();
    let mut reader = File::open(file)
        .map_err(failed)?
        .take(bytes_max.saturating_add(1));
    reader.read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(too_large(bytes.len() as u64));
    }
    match decode(&bytes, limits) {
        Ok(decoded) => Ok(decoded.picture),
        Err(source) => Err(CameraError::Picture {
            path: file.to_owned(),
            source,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::VirtualClock;
    use crate::empty_frame;

    fn folder_of(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn png(grey: u8) -> Vec<u8> {
        let picture = image::RgbImage::from_pixel(4, 3, image::Rgb([grey; 3]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture
            .write_to(&mut bytes, image::ImageFormat::Png)
            .unwrap();
        bytes.into_inner()
    }

    fn open(folder: &Path, looped: bool) -> Result<Folder, CameraError> {
        let options = FolderOptions {
            looped,
            ..FolderOptions::at(Fps::new(10.0).unwrap())
        };
        Folder::open(folder, options, Arc::new(VirtualClock::default()))
    }

    /// The grey of each frame and its time in milliseconds, and the names of what was skipped.
    fn play(source: &mut Folder, calls: usize) -> Vec<String> {
        let mut frame = empty_frame().unwrap();
        let mut told = Vec::new();
        for _ in 0..calls {
            match source
                .next_frame(&mut frame, Duration::from_secs(1))
                .unwrap()
            {
                Next::Frame => told.push(format!(
                    "{} at {}",
                    frame.picture.rgb()[0],
                    frame.captured_at.as_millis()
                )),
                Next::Skipped(error) => told.push(error.to_string()),
                Next::Ended => {
                    told.push("end".into());
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        told
    }

    #[test]
    fn pictures_come_by_name_and_a_broken_one_is_named_and_left_out() {
        let (one, two) = (png(10), png(20));
        let folder = folder_of(&[
            ("b.png", &two),
            ("a.PNG", &one),
            ("ab.jpg", b"not a picture"),
            ("notes.txt", b"not looked at"),
            ("zero.png", b""),
        ]);
        let mut source = open(folder.path(), false).unwrap();
        assert_eq!(source.count(), 4);
        let told = play(&mut source, 9);
        assert_eq!(
            (told[0].as_str(), told[2].as_str()),
            ("10 at 0", "20 at 100")
        );
        assert!(told[1].contains("ab.jpg"), "{told:?}");
        assert!(told[3].contains("zero.png"), "{told:?}");
        assert_eq!(told[4..], ["end"]);
    }

    #[test]
    fn a_looped_folder_starts_again() {
        let one = png(10);
        let folder = folder_of(&[("a.png", &one), ("b.png", b"broken")]);
        let told = play(&mut open(folder.path(), true).unwrap(), 5);
        assert_eq!(
            (told[0].as_str(), told[2].as_str()),
            ("10 at 0", "10 at 100")
        );
        assert_eq!(told[4], "10 at 200");
    }

    #[test]
    fn a_folder_without_a_good_picture_ends_even_when_looped() {
        let folder = folder_of(&[("a.png", b"x"), ("b.png", b"y")]);
        let mut source = open(folder.path(), true).unwrap();
        let mut frame = empty_frame().unwrap();
        let mut ask = || source.next_frame(&mut frame, Duration::ZERO);
        assert!(matches!(ask(), Ok(Next::Skipped(_))));
        assert!(matches!(
            ask(),
            Err(CameraError::OnlyBrokenPictures { count: 2, .. })
        ));
    }

    #[test]
    fn folders_that_cannot_be_played_are_refused_by_name() {
        let empty = folder_of(&[("notes.txt", b"")]);
        let error = open(empty.path(), false).err().unwrap().to_string();
        assert!(
            error.contains("holds no pictures (1 other files)"),
            "{error}"
        );
        let missing = empty.path().join("nowhere");
        let error = open(&missing, false).err().unwrap().to_string();
        assert!(error.contains("nowhere"), "{error}");
    }

    #[test]
    fn a_huge_file_is_refused_before_it_is_read() {
        let one = png(10);
        let folder = folder_of(&[("b.png", &one)]);
        let huge = folder.path().join("a.png");
        // A hole: it has a size, and takes no space.
        let file = File::create(&huge).unwrap();
        file.set_len((32 << 20) + 1).unwrap();
        let told = play(&mut open(folder.path(), false).unwrap(), 3);
        assert!(told[0].contains("a.png has 33554433 bytes"), "{told:?}");
        assert_eq!(told[1..], ["10 at 0", "end"]);
    }

    #[test]
    fn a_pipe_in_the_folder_does_not_block() {
        let one = png(10);
        let folder = folder_of(&[("b.png", &one)]);
        let pipe = folder.path().join("a.png");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &pipe,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let told = play(&mut open(folder.path(), false).unwrap(), 3);
        assert!(told[0].contains("a.png cannot be read"), "{told:?}");
        assert_eq!(told[1..], ["10 at 0", "end"]);
    }
}
